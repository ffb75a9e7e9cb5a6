/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and networks. Pure functions; any thread. */
#include "firmware/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

int addr_from_bytes(struct span bytes, uint16_t port, struct addr *ret_addr)
{
	struct addr addr = { 0 };

	if (bytes.n == 4) {
		addr.in4.sin_family = AF_INET;
		memcpy(&addr.in4.sin_addr, bytes.p, 4);
	} else if (bytes.n == 16) {
		addr.in6.sin6_family = AF_INET6;
		memcpy(&addr.in6.sin6_addr, bytes.p, 16);
	} else {
		return -EINVAL;
	}
	addr_port_set(&addr, port);
	*ret_addr = addr;
	return 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *ret_addr)
{
	struct addr addr = { 0 };

	if (len >= sizeof(addr.in4) && sa->sa_family == AF_INET) {
		memcpy(&addr.in4, sa, sizeof(addr.in4));
	} else if (len >= sizeof(addr.in6) && sa->sa_family == AF_INET6) {
		memcpy(&addr.in6, sa, sizeof(addr.in6));
		if (IN6_IS_ADDR_V4MAPPED(&addr.in6.sin6_addr))
			return addr_from_bytes(span_make(&addr.in6.sin6_addr.s6_addr[12], 4),
					       ntohs(addr.in6.sin6_port), ret_addr);
	} else {
		return -EAFNOSUPPORT;
	}
	*ret_addr = addr;
	return 0;
}

/* An address literal without port or brackets. */
static int ip_parse(struct span text, uint16_t port, struct addr *ret_addr)
{
	char copy[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (span_copy(text, copy, sizeof(copy)) < 0)
		return -EINVAL;
	if (inet_pton(AF_INET, copy, bytes) == 1)
		return addr_from_bytes(span_make(bytes, 4), port, ret_addr);
	if (inet_pton(AF_INET6, copy, bytes) == 1)
		return addr_from_bytes(span_make(bytes, 16), port, ret_addr);
	return -EINVAL;
}

static int port_parse(struct span text, uint16_t *ret_port)
{
	uint64_t value;

	if (text.n > 5 || span_u64(text, &value) < 0 || value > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)value;
	return 0;
}

int addr_parse(struct span text, uint16_t default_port, struct addr *ret_addr)
{
	uint16_t port = default_port;
	struct span host = text;
	size_t colon = span_find(text, ':');

	if (text.n && text.p[0] == '[') {
		size_t close = span_find(text, ']');
		struct span rest = span_drop(text, close + 1);

		host = span_sub(text, 1, close);
		if (close == text.n || span_find(host, ':') == host.n)
			return -EINVAL;
		if (rest.n && (rest.p[0] != ':' || port_parse(span_drop(rest, 1), &port) < 0))
			return -EINVAL;
	} else if (colon < text.n && span_find(span_drop(text, colon + 1), ':') ==
					     text.n - colon - 1) { /* just one colon */
		host = span_head(text, colon);
		if (port_parse(span_drop(text, colon + 1), &port) < 0)
			return -EINVAL;
	}
	return ip_parse(host, port, ret_addr);
}

socklen_t addr_len(const struct addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? sizeof(addr->in6) : sizeof(addr->in4);
}

uint16_t addr_port(const struct addr *addr)
{
	return ntohs(addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port : addr->in4.sin_port);
}

void addr_port_set(struct addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons(port);
	else
		addr->in4.sin_port = htons(port);
}

void addr_to_in6(const struct addr *addr, uint8_t ret_bytes[16])
{
	if (addr->sa.sa_family == AF_INET6) {
		memcpy(ret_bytes, &addr->in6.sin6_addr, 16);
		return;
	}
	memcpy(ret_bytes, v4_prefix, 12);
	memcpy(ret_bytes + 12, &addr->in4.sin_addr, 4);
}

void addr_from_in6(const uint8_t bytes[16], struct addr *ret_addr)
{
	size_t skip = addr_in6_is_ip4(bytes) ? sizeof(v4_prefix) : 0;

	CHECK_OK(addr_from_bytes(span_make(bytes + skip, 16 - skip), 0, ret_addr));
}

bool addr_in6_is_ip4(const uint8_t bytes[16])
{
	return memcmp(bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool addr_ip_eq(const struct addr *a, const struct addr *b)
{
	uint8_t x[16], y[16];

	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	addr_to_in6(a, x);
	addr_to_in6(b, y);
	return memcmp(x, y, 16) == 0 &&
	       (a->sa.sa_family != AF_INET6 || a->in6.sin6_scope_id == b->in6.sin6_scope_id);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_ip_eq(a, b) && addr_port(a) == addr_port(b);
}

/* inet_ntop() prints by printf, which each line of an access log would feel. */
static void ip4_format(const uint8_t bytes[4], char *buf)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned n = bytes[i];

		if (i)
			*buf++ = '.';
		if (n >= 100)
			*buf++ = (char)('0' + n / 100);
		if (n >= 10)
			*buf++ = (char)('0' + n / 10 % 10);
		*buf++ = (char)('0' + n % 10);
	}
	*buf = 0;
}

const char *addr_ip_format(const struct addr *addr, char buf[ADDR_TEXT_MAX])
{
	if (addr->sa.sa_family == AF_INET)
		ip4_format((const uint8_t *)&addr->in4.sin_addr, buf);
	else if (addr->sa.sa_family != AF_INET6 ||
		 !inet_ntop(AF_INET6, &addr->in6.sin6_addr, buf, ADDR_TEXT_MAX))
		memcpy(buf, "none", 5);
	return buf;
}

const char *addr_format(const struct addr *addr, char buf[ADDR_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];
	bool v6 = addr->sa.sa_family == AF_INET6;

	if (addr->sa.sa_family == AF_UNSPEC)
		return addr_ip_format(addr, buf);
	(void)snprintf(buf, ADDR_TEXT_MAX, v6 ? "[%.46s]:%u" : "%.46s:%u", addr_ip_format(addr, ip),
		       addr_port(addr));
	return buf;
}

static bool is_in_any(const struct addr *addr, const char *const *nets, size_t n)
{
	struct net net;

	for (size_t i = 0; i < n; i++) {
		CHECK_OK(net_parse(span_of(nets[i]), &net));
		if (net_contains(&net, addr))
			return true;
	}
	return false;
}

bool addr_is_public(const struct addr *addr)
{
	/* IANA special-purpose registries (RFC 6890), less the documentation networks. */
	static const char *const special[] = {
		"0.0.0.0/8",	  "10.0.0.0/8",	   "100.64.0.0/10", "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",  "192.168.0.0/16",
		"198.18.0.0/15",  "224.0.0.0/3",   "::/96",	    "64:ff9b:1::/48",
		"100::/64",	  "fc00::/7",	   "fe80::/9",	    "ff00::/8",
	};

	return (addr->sa.sa_family == AF_INET || addr->sa.sa_family == AF_INET6) &&
	       !is_in_any(addr, special, ARRAY_LEN(special));
}

bool addr_is_loopback(const struct addr *addr)
{
	static const char *const loopback[] = { "127.0.0.0/8", "::1" };

	return is_in_any(addr, loopback, ARRAY_LEN(loopback));
}

bool addr_is_local(const struct addr *addr)
{
	static const char *const local[] = { "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/127",
					     "fe80::/10" };

	return is_in_any(addr, local, ARRAY_LEN(local));
}

static bool host_bits_zero(const struct net *net)
{
	for (unsigned bit = net->bits; bit < 128; bit++)
		if (net->bytes[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

int net_parse(struct span text, struct net *ret_net)
{
	size_t slash = span_find(text, '/');
	unsigned width;
	struct addr addr;
	struct net net;
	uint64_t bits;

	if (ip_parse(span_head(text, slash), 0, &addr) < 0)
		return -EINVAL;
	width = addr.sa.sa_family == AF_INET6 ? 128 : 32;
	bits = width;
	if (slash < text.n && (span_u64(span_drop(text, slash + 1), &bits) < 0 || bits > width))
		return -EINVAL;
	addr_to_in6(&addr, net.bytes);
	net.bits = (uint8_t)(128 - width + bits);
	if (!host_bits_zero(&net))
		return -EINVAL;
	*ret_net = net;
	return 0;
}

bool net_contains(const struct net *net, const struct addr *addr)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	uint8_t bytes[16];

	if (addr->sa.sa_family != AF_INET6 && (addr->sa.sa_family != AF_INET || net->bits < 96))
		return false; /* "::/0" is all of IPv6, not of IPv4 */
	addr_to_in6(addr, bytes);
	if (memcmp(bytes, net->bytes, whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ net->bytes[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

const char *net_format(const struct net *net, char buf[ADDR_TEXT_MAX])
{
	bool v4 = net->bits >= 96 && addr_in6_is_ip4(net->bytes);
	char ip[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(v4 ? AF_INET : AF_INET6, net->bytes + (v4 ? 12 : 0), ip, sizeof(ip));
	(void)snprintf(buf, ADDR_TEXT_MAX, "%s/%u", ip, net->bits - (v4 ? 96u : 0u));
	return buf;
}
