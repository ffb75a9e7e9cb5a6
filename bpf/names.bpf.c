/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * DNS answers into the vendor set, as they pass: the address is known before the device has it.
 *
 * An answer counts if a device asked for it (map `queries`, written by lan_in) and its question is a
 * vendor's name. Then all its A and AAAA records count, whatever CNAMEs lead to them: so record names
 * are only skipped, no compression pointer is ever followed, and a loop of pointers can't exist.
 *
 * Names: map `names` is a longest-prefix trie of names in reversed wire format (see abi.h), so a suffix
 * is a prefix, and the length byte at its end makes it end at a label. Could the byte order be misread -
 * a character taken for a length? No: questions with a character outside '-'..'~' match nothing, and no
 * configured label is longer than TARN_LABEL_MAX = '-' - 1. So where a configured name has a length
 * byte, an equal byte of the question is a length byte, too; and a question's long label, whose length
 * may look like a character, has more characters than any configured label before it.
 *
 * The walk is one bpf_loop() over a small state machine; all state lives in a per-CPU map value,
 * because nested loops with state on the stack cost the verifier a million steps.
 *
 *   QNAME ──root──► RECORD ◄──────────┐
 *                     │ name skipped  │ walk_body
 *                     └───► BODY ─────┘      any ──► DONE
 */
#include "bpf/front.h"

#include <stddef.h>
#include <linux/pkt_cls.h>

#define DNS_HEADER    12
#define DNS_PORT      53
#define TYPE_A	      1
#define TYPE_AAAA     28
#define CLASS_IN      1
#define NAME_BYTES    255 /* of a question without the root (RFC 1035, 2.3.4) */
#define NAME_TOP      (4 + NAME_BYTES)
#define MSG_SIZE      2048 /* a power of two above TARN_DNS_BYTES */
#define WALK_STEPS    768 /* a question of 255 bytes and TARN_DNS_RECORDS records of ordinary names */
#define TOLD_AGAIN_NS (30 * SECOND_NS)

enum walk_at {
	AT_QNAME,
	AT_RECORD,
	AT_BODY,
	AT_DONE
};

struct walk {
	/* The question back to front: its n-th byte is name[NAME_TOP - 1 - n], TARN_NAME_START follows at
	 * NAME_TOP. The trie's key begins four bytes before, with its bit count, and may end behind. */
	__u8 name[NAME_TOP + TARN_NAME_BYTES];
	__u8 msg[MSG_SIZE];
	__u32 len;     /* of msg */
	__u32 pos;     /* next byte of msg */
	__u32 at;      /* enum walk_at */
	__u32 label;   /* bytes left in this label of the question */
	__u32 named;   /* bytes of name that are set */
	__u32 records; /* still to come */
	__u32 flags;   /* of struct tarn_config */
	__u32 ttl_min;
	__u32 ttl_max;
	__u32 malformed;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TARN_NAMES_MAX);
	__type(key, struct tarn_name_key);
	__type(value, __u32);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TARN_SEEN_BYTES);
} seen SEC(".maps");

static __always_inline __u8 msg_u8(const struct walk *w, __u32 pos)
{
	return w->msg[pos & (MSG_SIZE - 1)];
}

static __always_inline __u16 msg_u16(const struct walk *w, __u32 pos)
{
	return (__u16)msg_u8(w, pos) << 8 | msg_u8(w, pos + 1);
}

static __always_inline void walk_end(struct walk *w, bool malformed)
{
	w->at = AT_DONE;
	w->malformed = malformed;
}

/* What the trie says of the question; 0 if nothing. */
static __always_inline __u32 question_lookup(struct walk *w)
{
	__u32 n = w->named, bits;
	const __u32 *what;
	__u8 *key;

	if (n > NAME_BYTES)
		return 0;
	bits = n + 1 > TARN_NAME_BYTES ? TARN_NAME_BYTES * 8 : (n + 1) * 8;
	key = &w->name[(NAME_BYTES - n) & 0xff];
	__builtin_memcpy(key, &bits, sizeof(bits));
	what = bpf_map_lookup_elem(&names, key);
	return what ? *what : 0;
}

/* One byte of the question. */
static __always_inline void walk_qname(struct walk *w)
{
	__u8 c = msg_u8(w, w->pos);
	__u32 n = w->named, what;

	if (w->pos >= w->len || n >= NAME_BYTES) {
		walk_end(w, true);
		return;
	}
	w->pos++;
	if (w->label) {
		w->label--;
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (c <= TARN_LABEL_MAX || c > '~') {
			walk_end(w, false);
			return;
		}
	} else if (!c) {
		what = question_lookup(w);
		if (what & TARN_NAME_NEVER)
			count(TARN_STAT_DNS_NEVER);
		if (what != TARN_NAME_VENDOR || msg_u16(w, w->pos + 2) != CLASS_IN) {
			walk_end(w, false);
			return;
		}
		w->pos += 4;
		w->at = AT_RECORD;
		return;
	} else if (c > 63) {
		/* A pointer: nothing stands before the question that it could point to. */
		walk_end(w, true);
		return;
	} else {
		w->label = c;
	}
	w->name[(NAME_TOP - 1 - n) & 0x1ff] = c;
	w->named = n + 1;
}

/* One label of a record's name. */
static __always_inline void walk_record(struct walk *w)
{
	__u8 c = msg_u8(w, w->pos);

	if (w->pos >= w->len) {
		walk_end(w, true);
	} else if (!c) {
		w->pos += 1;
		w->at = AT_BODY;
	} else if ((c & 0xc0) == 0xc0) {
		w->pos += 2;
		w->at = AT_BODY;
	} else if (c > 63) {
		walk_end(w, true);
	} else {
		w->pos += 1 + c;
	}
}

/* Could this address honestly be a server's on the other side of the router? */
static __always_inline bool address_allowed(const struct tarn_addr *a, __u32 flags)
{
	const __u8 *b = a->b;
	__u8 head = 0;
	bool mapped;

	for (int i = 0; i < 10; i++)
		head |= b[i];
	mapped = !head && b[10] == 0xff && b[11] == 0xff;
	if (!mapped) {
		if (!head && !b[10] && !b[11])
			return false; /* unspecified, loopback, v4-compatible */
		if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
			return false; /* multicast, link-local */
		return (b[0] & 0xfe) != 0xfc || flags & TARN_CFG_PRIVATE_OK;
	}
	if (b[12] == 0 || b[12] == 127 || b[12] >= 224 || (b[12] == 169 && b[13] == 254))
		return false;
	if (b[12] == 10 || (b[12] == 172 && (b[13] & 0xf0) == 16) ||
	    (b[12] == 192 && b[13] == 168) || (b[12] == 100 && (b[13] & 0xc0) == 64))
		return flags & TARN_CFG_PRIVATE_OK;
	return true;
}

static __always_inline void vendor_seen(const struct walk *w, const struct tarn_addr *addr,
					__u32 ttl)
{
	struct tarn_vendor fresh = { .sources = TARN_VENDOR_DNS };
	const struct tarn_vendor *old;
	struct tarn_seen *told;
	__u64 was = 0;

	if (!address_allowed(addr, w->flags)) {
		count(TARN_STAT_DNS_REFUSED);
		return;
	}
	if (ttl < w->ttl_min)
		ttl = w->ttl_min;
	if (ttl > w->ttl_max)
		ttl = w->ttl_max;
	fresh.expires_ns = bpf_ktime_get_ns() + ttl * SECOND_NS;
	old = bpf_map_lookup_elem(&vendors, addr);
	if (old) {
		was = old->expires_ns;
		fresh.sources |= old->sources;
		if (fresh.expires_ns < was)
			fresh.expires_ns = was;
	}
	if (bpf_map_update_elem(&vendors, addr, &fresh, BPF_ANY))
		return;
	count(TARN_STAT_DNS_ADDRESS);
	if (was && fresh.expires_ns - was < TOLD_AGAIN_NS)
		return;
	told = bpf_ringbuf_reserve(&seen, sizeof(*told), 0);
	if (!told) {
		count(TARN_STAT_DNS_RING_FULL);
		return;
	}
	told->addr = *addr;
	told->ttl = ttl;
	told->zero = 0;
	bpf_ringbuf_submit(told, 0);
}

/* Type, class, TTL, length and data of a record. */
static __always_inline void walk_body(struct walk *w)
{
	__u32 pos = w->pos, data = pos + 10, length, type, ttl, size;
	struct tarn_addr addr = {};

	if (data > w->len) {
		walk_end(w, true);
		return;
	}
	type = msg_u16(w, pos);
	ttl = (__u32)msg_u16(w, pos + 4) << 16 | msg_u16(w, pos + 6);
	length = msg_u16(w, pos + 8);
	if (data + length > w->len) {
		walk_end(w, true);
		return;
	}
	size = type == TYPE_A ? 4 : 16;
	if ((type == TYPE_A || type == TYPE_AAAA) && length == size &&
	    msg_u16(w, pos + 2) == CLASS_IN) {
		if (size == 4) {
			addr.b[10] = addr.b[11] = 0xff;
			for (int i = 0; i < 4; i++)
				addr.b[12 + i] = msg_u8(w, data + i);
		} else {
			for (int i = 0; i < 16; i++)
				addr.b[i] = msg_u8(w, data + i);
		}
		/* RFC 2181, 8: a TTL with the top bit set is zero. */
		vendor_seen(w, &addr, ttl >> 31 ? 0 : ttl);
	}
	w->pos = data + length;
	w->at = AT_RECORD;
	if (!--w->records)
		walk_end(w, false);
}

static long walk_step(__u32 i, void *arg)
{
	__u32 zero = 0;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!w)
		return 1;
	switch (w->at) {
	case AT_QNAME:
		walk_qname(w);
		return 0;
	case AT_RECORD:
		walk_record(w);
		return 0;
	case AT_BODY:
		walk_body(w);
		return 0;
	default:
		return 1;
	}
}

/* Reads the message into the walk. False if it is none that we walk. */
static __always_inline bool walk_begin(struct __sk_buff *skb, __u32 at, struct walk *w)
{
	const struct tarn_config *cfg = config_get();
	__u32 len;

	if (!cfg || skb->len < at + DNS_HEADER)
		return false;
	len = skb->len - at;
	if (len > TARN_DNS_BYTES) {
		len = TARN_DNS_BYTES;
		count(TARN_STAT_DNS_TRUNCATED);
	}
	/* The bounds once more, where the verifier can see them. */
	asm volatile("" : "+r"(len));
	if (len < DNS_HEADER || len > TARN_DNS_BYTES || bpf_skb_load_bytes(skb, at, w->msg, len))
		return false;
	w->len = len;
	/* A response to a standard query, without error, to one question, with an answer. */
	if ((msg_u16(w, 2) & 0xf80f) != 0x8000 || msg_u16(w, 4) != 1 || !msg_u16(w, 6))
		return false;
	w->records = msg_u16(w, 6);
	if (w->records > TARN_DNS_RECORDS)
		w->records = TARN_DNS_RECORDS;
	w->name[NAME_TOP] = TARN_NAME_START;
	w->pos = DNS_HEADER;
	w->at = AT_QNAME;
	w->label = w->named = w->malformed = 0;
	w->flags = cfg->flags;
	w->ttl_min = cfg->ttl_min;
	w->ttl_max = cfg->ttl_max;
	return true;
}

/* Did the receiver of this answer ask for it? Once only: it uses the first answer, too. */
static __always_inline bool answer_asked(struct __sk_buff *skb, const struct packet *p)
{
	const struct tarn_config *cfg = config_get();
	struct tarn_query_key query = {};

	if (cfg && cfg->flags & TARN_CFG_DNS_ANY)
		return true;
	if (bpf_skb_load_bytes(skb, p->l4 + sizeof(struct udphdr), &query.id, sizeof(query.id)))
		return false;
	packet_addrs(p, &query.server, &query.client);
	query.client_port = p->dport;
	return !bpf_map_delete_elem(&queries, &query);
}

/* Ingress of the WAN port. Changes no packet, and drops only what this machine itself would get (bpf/front.h). */
SEC("tc")
int wan_in(struct __sk_buff *skb)
{
	struct packet p;
	struct walk *w;
	__u32 zero = 0;

	if (front_shut(skb))
		return verdict(TARN_STAT_ADMIN_OUTSIDE, TC_ACT_SHOT);
	if (!packet_open(skb, &p) || p.protocol != IPPROTO_UDP || p.sport != bpf_htons(DNS_PORT))
		return TC_ACT_OK;
	if (!answer_asked(skb, &p))
		return verdict(TARN_STAT_DNS_UNASKED, TC_ACT_OK);
	w = bpf_map_lookup_elem(&walks, &zero);
	if (!w || !walk_begin(skb, p.l4 + sizeof(struct udphdr), w))
		return TC_ACT_OK;
	count(TARN_STAT_DNS_ANSWERS);
	bpf_loop(WALK_STEPS, walk_step, NULL, 0);
	if (w->malformed || w->at != AT_DONE)
		count(TARN_STAT_DNS_MALFORMED);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
