/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dns/mdns.h"

#include <arpa/nameser.h>

#include "firmware/base/addr.h"

#define TOP_BIT 0x8000 /* of a class: "forget what you knew before" (RFC 6762, 10.2) */

/* Is it an address, and if so, whose? */
static bool record_address(const ns_rr *rr, uint8_t ret_addr[16])
{
	uint16_t n = ns_rr_rdlen(*rr), type = ns_rr_type(*rr);
	struct addr addr;

	if ((ns_rr_class(*rr) & ~TOP_BIT) != ns_c_in || !ns_rr_ttl(*rr))
		return false;
	if (!(type == ns_t_a && n == NS_INADDRSZ) && !(type == ns_t_aaaa && n == NS_IN6ADDRSZ))
		return false;
	if (addr_from_bytes(span_make(ns_rr_rdata(*rr), n), 0, &addr) < 0)
		return false;
	addr_to_in6(&addr, ret_addr);
	return true;
}

static bool host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* "name.local" in the parser's text, where what is not printable, and dots within labels, have a backslash. */
static bool label_take(const char *text, char ret_name[MDNS_NAME_MAX])
{
	struct span name = span_of(text), label = span_head(name, span_find(name, '.'));
	char lower[MDNS_NAME_MAX] = { 0 };

	if (!label.n || label.n >= sizeof(lower) ||
	    !span_ieq(span_drop(name, label.n), SPAN(".local")))
		return false;
	for (size_t i = 0; i < label.n; i++) {
		lower[i] = span_lower(label.p[i]);
		if (!host_char(lower[i]))
			return false;
	}
	memcpy(ret_name, lower, sizeof(lower));
	return true;
}

struct reading {
	ns_msg msg;
	const uint8_t *source;
	char *name;
	bool foreign, no_host;
};

/* True: there is nothing more to look for, and *ret_verdict says why. */
static bool section_read(struct reading *r, ns_sect section, enum mdns_verdict *ret_verdict)
{
	uint8_t addr[16];
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(r->msg, section); i++) {
		if (ns_parserr(&r->msg, section, i, &rr) < 0) {
			*ret_verdict = MDNS_MALFORMED;
			return true;
		}
		if (!record_address(&rr, addr))
			continue;
		if (memcmp(addr, r->source, sizeof(addr)) != 0) {
			r->foreign = true;
		} else if (label_take(ns_rr_name(rr), r->name)) {
			*ret_verdict = MDNS_NAMED;
			return true;
		} else {
			r->no_host = true;
		}
	}
	return false;
}

enum mdns_verdict mdns_read(struct span packet, const uint8_t source[16],
			    char ret_name[MDNS_NAME_MAX])
{
	struct reading r = { .source = source, .name = ret_name };
	enum mdns_verdict verdict;

	if (packet.n > MDNS_PACKET_MAX ||
	    ns_initparse((const unsigned char *)packet.p, (int)packet.n, &r.msg) < 0)
		return MDNS_MALFORMED;
	if (!ns_msg_getflag(r.msg, ns_f_qr))
		return MDNS_NOTHING;
	/* RFC 6762, 18.3 and 18.11 */
	if (ns_msg_getflag(r.msg, ns_f_opcode) || ns_msg_getflag(r.msg, ns_f_rcode))
		return MDNS_MALFORMED;
	if (section_read(&r, ns_s_an, &verdict) || section_read(&r, ns_s_ar, &verdict))
		return verdict;
	return r.no_host ? MDNS_NO_HOST : r.foreign ? MDNS_FOREIGN : MDNS_NOTHING;
}
