/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/steer/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#include "firmware/base/addr.h"

#define TCP_HEAD 20
#define IP4_HEAD 20
#define IP6_HEAD 40

/* A source that no bridge learns: not a valid one. */
static const uint8_t client_mac[6] = { 0 };
static const uint8_t vendor_mac[6] = TARN_SELFTEST_MAC;

static bool is_v4(const struct tarn_flow_key *flow)
{
	return addr_in6_is_ip4(flow->client.b) && addr_in6_is_ip4(flow->vendor.b);
}

/* ---- making --------------------------------------------------------------------------------------- */

struct writer {
	uint8_t *p;
};

static void put(struct writer *w, const void *bytes, size_t n)
{
	if (!n) /* of nothing there may be no address */
		return;
	memcpy(w->p, bytes, n);
	w->p += n;
}

static void put16(struct writer *w, uint16_t value)
{
	put(w, &(uint16_t){ htons(value) }, 2);
}

static void put32(struct writer *w, uint32_t value)
{
	put(w, &(uint32_t){ htonl(value) }, 4);
}

/* The sum of RFC 1071, not folded; n is even but for the last piece. */
static uint32_t sum(const uint8_t *p, size_t n, uint32_t so_far)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		so_far += (uint32_t)p[i] << 8 | p[i + 1];
	return n % 2 ? so_far + ((uint32_t)p[n - 1] << 8) : so_far;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void sum_put(uint8_t *at, uint32_t sum)
{
	struct writer w = { at };

	put16(&w, checksum(sum));
}

static void ip4_put(struct writer *w, const struct tarn_flow_key *flow, uint16_t payload)
{
	uint8_t *head = w->p;

	put16(w, 0x4500);
	put16(w, (uint16_t)(IP4_HEAD + payload));
	put32(w, 0x4000); /* no id, DF */
	put16(w, 64 << 8 | IPPROTO_TCP);
	put16(w, 0);
	put(w, flow->client.b + 12, 4);
	put(w, flow->vendor.b + 12, 4);
	sum_put(head + 10, sum(head, IP4_HEAD, 0));
}

static void ip6_put(struct writer *w, const struct tarn_flow_key *flow, uint16_t payload)
{
	put32(w, 0x60000000);
	put16(w, payload);
	put16(w, IPPROTO_TCP << 8 | 64);
	put(w, flow->client.b, 16);
	put(w, flow->vendor.b, 16);
}

static void tcp_put(struct writer *w, const struct tarn_flow_key *flow, const struct frame_tcp *tcp)
{
	size_t n = is_v4(flow) ? 4 : 16, length = TCP_HEAD + tcp->data.n;
	uint8_t *head = w->p;
	uint32_t pseudo = IPPROTO_TCP + (uint32_t)length;

	pseudo = sum(flow->client.b + 16 - n, n, pseudo);
	pseudo = sum(flow->vendor.b + 16 - n, n, pseudo);
	put(w, &flow->client_port, 2);
	put(w, &flow->vendor_port, 2);
	put32(w, tcp->seq);
	put32(w, tcp->ack);
	put16(w, (uint16_t)(TCP_HEAD / 4 << 12 | tcp->flags));
	put16(w, 4096);
	put32(w, 0);
	put(w, tcp->data.p, tcp->data.n);
	sum_put(head + 16, sum(head, length, pseudo));
}

size_t frame_make(const struct tarn_flow_key *flow, const struct frame_tcp *tcp,
		  uint8_t buf[FRAME_MAX])
{
	uint16_t payload = (uint16_t)(TCP_HEAD + tcp->data.n);
	struct writer w = { buf };

	CHECK(tcp->data.n <= FRAME_DATA);
	put(&w, vendor_mac, sizeof(vendor_mac));
	put(&w, client_mac, sizeof(client_mac));
	put16(&w, is_v4(flow) ? ETH_P_IP : ETH_P_IPV6);
	if (is_v4(flow))
		ip4_put(&w, flow, payload);
	else
		ip6_put(&w, flow, payload);
	tcp_put(&w, flow, tcp);
	return (size_t)(w.p - buf);
}

/* ---- reading -------------------------------------------------------------------------------------- */

/* Takes an IPv4 header of 5 words; *ret_n: bytes behind it. */
static int ip4_take(struct cursor *c, const struct tarn_flow_key *flow, size_t *ret_n)
{
	struct span head;
	uint16_t total;

	if (cursor_bytes(c, IP4_HEAD, &head))
		return -EBADMSG;
	total = (uint16_t)((uint8_t)head.p[2] << 8 | (uint8_t)head.p[3]);
	if (head.p[0] != 0x45 || head.p[9] != IPPROTO_TCP ||
	    memcmp(head.p + 12, flow->vendor.b + 12, 4) != 0 ||
	    memcmp(head.p + 16, flow->client.b + 12, 4) != 0)
		return -ENOENT;
	if (total < IP4_HEAD)
		return -EBADMSG;
	*ret_n = total - (size_t)IP4_HEAD;
	return 0;
}

static int ip6_take(struct cursor *c, const struct tarn_flow_key *flow, size_t *ret_n)
{
	struct span head;

	if (cursor_bytes(c, IP6_HEAD, &head))
		return -EBADMSG;
	if ((head.p[0] & 0xf0) != 0x60 || head.p[6] != IPPROTO_TCP ||
	    memcmp(head.p + 8, flow->vendor.b, 16) != 0 ||
	    memcmp(head.p + 24, flow->client.b, 16) != 0)
		return -ENOENT;
	*ret_n = (size_t)((uint8_t)head.p[4] << 8 | (uint8_t)head.p[5]);
	return 0;
}

static int tcp_take(struct cursor *c, const struct tarn_flow_key *flow, struct frame_tcp *ret_tcp)
{
	struct frame_tcp tcp = { 0 };
	uint16_t from, to, offset;
	struct span rest;
	size_t options;

	if (cursor_u16be(c, &from) || cursor_u16be(c, &to) || cursor_u32be(c, &tcp.seq) ||
	    cursor_u32be(c, &tcp.ack) || cursor_u16be(c, &offset) || cursor_bytes(c, 6, &rest))
		return -EBADMSG;
	if (from != ntohs(flow->vendor_port) || to != ntohs(flow->client_port))
		return -ENOENT;
	if (offset >> 12 < TCP_HEAD / 4)
		return -EBADMSG;
	options = (size_t)(offset >> 12) * 4 - TCP_HEAD;
	if (cursor_skip(c, options) || cursor_bytes(c, cursor_remaining(c), &tcp.data))
		return -EBADMSG;
	tcp.flags = (uint8_t)offset;
	*ret_tcp = tcp;
	return 0;
}

int frame_read(const struct tarn_flow_key *flow, struct span frame, struct frame_tcp *ret_tcp)
{
	struct cursor c = cursor_make(frame.p, frame.n);
	bool v4 = is_v4(flow);
	uint16_t type;
	size_t n;
	int rc;

	if (cursor_skip(&c, 2 * ETH_ALEN) || cursor_u16be(&c, &type))
		return -EBADMSG;
	if (type != (v4 ? ETH_P_IP : ETH_P_IPV6))
		return -ENOENT;
	rc = v4 ? ip4_take(&c, flow, &n) : ip6_take(&c, flow, &n);
	if (rc)
		return rc;
	if (n > cursor_remaining(&c))
		return -EBADMSG;
	c.n = n; /* short frames are padded */
	return tcp_take(&c, flow, ret_tcp);
}
