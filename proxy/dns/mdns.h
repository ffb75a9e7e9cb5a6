/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device says by Multicast DNS (RFC 6762) that it is called. glibc's message parser reads the packet (ns_initparse(),
 * ns_parserr()), which is bounded by the packet and follows no loop of compression.
 *
 * A device names itself alone: a record counts if its address is the one that the packet came from. Nothing is ever asked
 * or answered.
 */
#ifndef TARN_PROXY_DNS_MDNS_H
#define TARN_PROXY_DNS_MDNS_H

#include "firmware/base/span.h"

#define MDNS_PACKET_MAX 9000 /* RFC 6762, 17 */
#define MDNS_NAME_MAX	64   /* a label, and the zero */

/* X(NAME, "label", what it means) */
#define MDNS_VERDICTS(X)                                                                           \
	X(NAMED, "named", "the sender's name")                                                     \
	X(NOTHING, "nothing", "a question, or no address in it")                                   \
	X(MALFORMED, "malformed", "no DNS message, or not as RFC 6762 wants an answer")            \
	X(FOREIGN, "foreign", "it gives names to other addresses than its sender's alone")         \
	X(NO_HOST, "no_host",                                                                      \
	  "the sender's address has a name that is not one label of host name characters and "     \
	  ".local")

enum mdns_verdict {
#define X(name, label, help) MDNS_##name,
	MDNS_VERDICTS(X)
#undef X
	MDNS_VERDICTS_N
};

/* Of the packet from `source` (an in6_addr; IPv4 as ::ffff:a.b.c.d). NAMED: the label before ".local", in lower case. */
MUST_USE enum mdns_verdict mdns_read(struct span packet, const uint8_t source[16],
				     char ret_name[MDNS_NAME_MAX]);

#endif
