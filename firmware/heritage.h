/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the data plane inherits: the whole contract between tarnd, the keeper (root, firmware/keeper),
 * and tarn-proxy, the data plane (no user, no capability, proxy/). Nothing else passes between the two.
 *
 * 1. The keeper forks, the child gives up everything (uid and gid of `tarn`, no groups, no capability,
 *    no_new_privs) and executes `tarn-proxy --config FILE` with the descriptors of HERITAGE_FDS at exactly
 *    these numbers and with HERITAGE_ENV=1 and HERITAGE_ENV_WORKERS=N in the environment. Without
 *    HERITAGE_ENV the proxy runs alone and must not touch these numbers.
 * 2. The listeners are the proxy's only: the keeper closes its copies right after the fork. When the proxy
 *    dies, its listeners die, their SOCKMAP entries vanish, and new connections pass straight through.
 * 3. Every worker loop writes CLOCK_MONOTONIC in nanoseconds into its own slot of HERITAGE_FD_BEATS, at least
 *    every HERITAGE_BEAT_MS, from the loop itself, never from a spare thread. A slot older than
 *    HERITAGE_STALE_MS gets no new connection; older than the keeper's limit, the proxy is killed. Zero means
 *    "not running": the worker gets no connection and nobody is killed for it.
 * 4. Messages on HERITAGE_FD_KEEPER are one packet each, of exactly the size in HERITAGE_MESSAGES, native
 *    byte order. Both sides drop (and count) what heritage_valid() refuses. A full socket drops
 *    the message at the sender; none of them is needed for correctness, the next one says the same. MINT is
 *    answered by one MINTED or, if either is dropped, never: the proxy asks again.
 * 5. End of file on HERITAGE_FD_KEEPER: the keeper is gone. The proxy zeroes its heartbeats (new connections
 *    pass), finishes what it has, and exits 0. STOP asks for the same.
 * 6. The proxy arms nothing. The keeper arms interception after READY, while beats are fresh and the last
 *    HEALTH said `reachable`. A proxy that sends no HEALTH for HERITAGE_HEALTH_MS counts as not reachable.
 */
#ifndef TARN_FIRMWARE_HERITAGE_H
#define TARN_FIRMWARE_HERITAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HERITAGE_ENV	     "TARN_HERITAGE" /* "1" */
#define HERITAGE_ENV_WORKERS "TARN_WORKERS"  /* decimal, 1..HERITAGE_WORKERS_MAX */

#define HERITAGE_WORKERS_MAX 64
#define HERITAGE_BEAT_MS     100   /* a worker beats at least this often */
#define HERITAGE_STALE_MS    500   /* older: no new connection for this worker */
#define HERITAGE_HEALTH_MS   15000 /* the proxy repeats HEALTH at least three times in this time */
#define HERITAGE_DRAIN_MS    10000 /* after STOP or end of file, the proxy is gone within this time */
#define HERITAGE_TTL_MAX     604800 /* seconds; longer ones are cut by the sender */
#define HERITAGE_REASON	     64	    /* bytes, with the ending zero */
#define HERITAGE_HOST	     256    /* the same */
#define HERITAGE_POINT	     65	    /* bytes of a point on P-256, not compressed */
#define HERITAGE_LEAF	     2048   /* bytes of a certificate at most */

/* X(NAME, number, what it is) */
#define HERITAGE_FDS(X)                                                                            \
	X(KEEPER, 3, "SOCK_SEQPACKET socket to the keeper, non-blocking")                          \
	X(BEATS, 4,                                                                                \
	  "heartbeat map: mmap(PROT_READ|PROT_WRITE, MAP_SHARED), uint64_t[HERITAGE_WORKERS_MAX]") \
	X(LOOKUP, 5,                                                                               \
	  "sk_lookup link: only kept open, so that steered flows outlive a killed keeper")         \
	X(ADMIN, 6, "listening unix stream socket of the proxy's admin API, non-blocking")

enum heritage_fd {
#define X(name, number, what) HERITAGE_FD_##name = (number),
	HERITAGE_FDS(X)
#undef X
	/* Worker i serves HERITAGE_FD_LISTEN + i: a listening TCP socket, AF_INET6 dual stack, transparent and
	 * marked (children inherit both), non-blocking. getsockname() of a child is the original destination,
	 * getpeername() the device. */
	HERITAGE_FD_LISTEN = 16,
};

/* X(NAME, struct, type, true if the proxy is the sender, what it says) */
#define HERITAGE_MESSAGES(X)                                                                       \
	X(READY, heritage_ready, 1, true, "all loops run, all listeners are served")               \
	X(HEALTH, heritage_health, 2, true, "whether an upstream can be reached, and why not")     \
	X(VENDOR_ADDR, heritage_vendor, 3, true, "an address of a vendor's host, resolved by us")  \
	X(VENDOR_SEEN, heritage_vendor, 4, false, "an address learned from a device's DNS answer") \
	X(STATE, heritage_state, 5, false, "armed or not, and why not")                            \
	X(STOP, heritage_stop, 6, false, "stop beating, drain, exit")                              \
	X(MINT, heritage_mint, 7, true, "asks for a certificate for a host, to the proxy's key")   \
	X(MINTED, heritage_minted, 8, false, "the certificate, or that there is none")

enum heritage_type {
#define X(name, shape, number, from_proxy, what) HERITAGE_##name = (number),
	HERITAGE_MESSAGES(X)
#undef X
};

struct heritage_head {
	uint32_t type; /* enum heritage_type */
	uint32_t size; /* bytes of the whole message, this head included */
};

struct heritage_ready {
	struct heritage_head head;
	uint32_t workers; /* served listeners; must equal HERITAGE_ENV_WORKERS */
	uint32_t zero;
};

struct heritage_health {
	struct heritage_head head;
	uint32_t reachable;	      /* 0 or 1 */
	char reason[HERITAGE_REASON]; /* printable, zero-ended; empty when reachable */
	uint32_t zero;
};

struct heritage_vendor {
	struct heritage_head head;
	uint8_t addr[16]; /* in6_addr, network order; IPv4 as ::ffff:a.b.c.d */
	uint32_t ttl;	  /* seconds from now, 0..HERITAGE_TTL_MAX; 0 in VENDOR_ADDR withdraws it */
	uint32_t zero;
};

struct heritage_state {
	struct heritage_head head;
	uint32_t armed;		      /* 0 or 1 */
	uint32_t restarts;	      /* of the proxy since the keeper began */
	uint32_t hang_kills;	      /* of these, killed for a stale heartbeat */
	char reason[HERITAGE_REASON]; /* why not armed, in words; empty when armed */
	uint32_t zero;
};

struct heritage_stop {
	struct heritage_head head;
};

struct heritage_mint {
	struct heritage_head head;
	uint32_t ticket; /* the proxy's; comes back */
	uint8_t point[HERITAGE_POINT];
	uint8_t zero[3];
	char host[HERITAGE_HOST]; /* lower case, zero-filled; the keeper checks what it is */
};

struct heritage_minted {
	struct heritage_head head;
	uint32_t ticket;
	uint32_t error; /* errno: why there is none; 0 */
	uint32_t n;	/* bytes of the certificate */
	uint32_t zero;
	uint8_t leaf[HERITAGE_LEAF]; /* DER */
};

_Static_assert(sizeof(struct heritage_ready) == 16, "heritage_ready");
_Static_assert(sizeof(struct heritage_health) == 80, "heritage_health");
_Static_assert(sizeof(struct heritage_vendor) == 32, "heritage_vendor");
_Static_assert(sizeof(struct heritage_state) == 88, "heritage_state");
_Static_assert(sizeof(struct heritage_stop) == 8, "heritage_stop");
_Static_assert(sizeof(struct heritage_mint) == 336, "heritage_mint");
_Static_assert(sizeof(struct heritage_minted) == 2072, "heritage_minted");

/* A receiver's buffer: large enough, and aligned, for every message. */
union heritage_message {
	struct heritage_head head;
	struct heritage_ready ready;
	struct heritage_health health;
	struct heritage_vendor vendor;
	struct heritage_state state;
	struct heritage_stop stop;
	struct heritage_mint mint;
	struct heritage_minted minted;
};

#define HERITAGE_INIT(type_, shape_)                                                               \
	{                                                                                          \
		.head = {.type = (type_), .size = sizeof(struct shape_) }                          \
	}

static inline bool heritage_text_valid(const char text[HERITAGE_REASON])
{
	for (size_t i = 0; i < HERITAGE_REASON; i++) {
		if (!text[i])
			return true;
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	}
	return false;
}

/* Ends, and is zero behind its end: nothing is carried along. */
static inline bool heritage_host_valid(const char host[HERITAGE_HOST])
{
	size_t n = strnlen(host, HERITAGE_HOST);

	for (size_t i = n; i < HERITAGE_HOST; i++)
		if (host[i])
			return false;
	return n > 0 && n < HERITAGE_HOST;
}

static inline bool heritage_minted_valid(const struct heritage_minted *m)
{
	if (m->error)
		return m->n == 0 && m->error < 4096;
	return m->n > 0 && m->n <= HERITAGE_LEAF;
}

/* Is this packet of `len` bytes (as recv() gave, without MSG_TRUNC) a message which that sender may send, of the
 * right size and with every field in range? Whether an address makes sense is for the receiver to say. */
static inline bool heritage_valid(const union heritage_message *m, size_t len, bool from_proxy)
{
	size_t size = 0;

	if (len < sizeof(m->head) || m->head.size != len)
		return false;
	switch (m->head.type) {
#define X(name, shape, number, proxy, what)                                                        \
	case number:                                                                               \
		size = (proxy) == from_proxy ? sizeof(struct shape) : 0;                           \
		break;
		HERITAGE_MESSAGES(X)
#undef X
	default:
		return false;
	}
	if (len != size)
		return false;
	switch (m->head.type) {
	case HERITAGE_READY:
		return m->ready.workers >= 1 && m->ready.workers <= HERITAGE_WORKERS_MAX;
	case HERITAGE_HEALTH:
		return m->health.reachable <= 1 && heritage_text_valid(m->health.reason);
	case HERITAGE_VENDOR_ADDR:
	case HERITAGE_VENDOR_SEEN:
		return m->vendor.ttl <= HERITAGE_TTL_MAX;
	case HERITAGE_STATE:
		return m->state.armed <= 1 && heritage_text_valid(m->state.reason);
	case HERITAGE_MINT:
		return heritage_host_valid(m->mint.host);
	case HERITAGE_MINTED:
		return heritage_minted_valid(&m->minted);
	default:
		return true;
	}
}

/* Copies a reason so that heritage_text_valid() holds: cut to fit, unprintable bytes as '?', zero-filled. */
static inline void heritage_reason(char dst[HERITAGE_REASON], const char *text)
{
	size_t n = strlen(text);

	if (n > HERITAGE_REASON - 1)
		n = HERITAGE_REASON - 1;
	for (size_t i = 0; i < n; i++)
		dst[i] = text[i] < 0x20 || text[i] > 0x7e ? '?' : text[i];
	memset(dst + n, 0, HERITAGE_REASON - n);
}

#endif
