/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses with a port, and networks: text to value, value to text, membership.
 */
#ifndef FIRMWARE_BASE_ADDR_H
#define FIRMWARE_BASE_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "firmware/base/span.h"

/* All zero (AF_UNSPEC) is "no address". */
struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
};

/* A network of 128 bits; IPv4 is ::ffff:0:0/96 within. */
struct net {
	uint8_t bytes[16];
	uint8_t bits;
};

/* Room for "[ipv6]:65535" and the NUL. */
#define ADDR_TEXT_MAX 56

/*
 * "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53". Without a port
 * it becomes `default_port` (host order). Port 0 is allowed only if written. 0 or -EINVAL.
 */
MUST_USE int addr_parse(struct span text, uint16_t default_port, struct addr *ret_addr);

/* From what accept(2) or getsockname(2) gave; v4-mapped IPv6 becomes IPv4. 0 or -EAFNOSUPPORT. */
MUST_USE int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *ret_addr);

/* From 4 or 16 network-order bytes. 0 or -EINVAL. */
MUST_USE int addr_from_bytes(struct span bytes, uint16_t port, struct addr *ret_addr);

/* The address alone as in6_addr, IPv4 as ::ffff:a.b.c.d; from there, with port 0; and is such a one IPv4? */
void addr_to_in6(const struct addr *addr, uint8_t ret_bytes[16]);
void addr_from_in6(const uint8_t bytes[16], struct addr *ret_addr);
bool addr_in6_is_ip4(const uint8_t bytes[16]);

socklen_t addr_len(const struct addr *addr); /* for connect(2), bind(2) */
uint16_t addr_port(const struct addr *addr); /* host order */
void addr_port_set(struct addr *addr, uint16_t port);
bool addr_eq(const struct addr *a, const struct addr *b);    /* address and port */
bool addr_ip_eq(const struct addr *a, const struct addr *b); /* address alone */

/* With port ("192.0.2.1:53", "[2001:db8::1]:53") and without. Give `buf` back. */
const char *addr_format(const struct addr *addr, char buf[ADDR_TEXT_MAX]);
const char *addr_ip_format(const struct addr *addr, char buf[ADDR_TEXT_MAX]);

/*
 * Could a public name honestly resolve to this? False for unspecified, loopback, RFC 1918,
 * 100.64/10, link-local, ULA, multicast and reserved. Documentation networks count as public (tests
 * live there).
 */
bool addr_is_public(const struct addr *addr);

bool addr_is_loopback(const struct addr *addr);
/* Does this lead to the machine itself or no further than its cable: unspecified, loopback, link-local? */
bool addr_is_local(const struct addr *addr);

/* "192.0.2.0/24", "2001:db8::/32", or a single address. Host bits must be 0. 0 or -EINVAL. */
MUST_USE int net_parse(struct span text, struct net *ret_net);
bool net_contains(const struct net *net, const struct addr *addr);
const char *net_format(const struct net *net, char buf[ADDR_TEXT_MAX]);

#endif
