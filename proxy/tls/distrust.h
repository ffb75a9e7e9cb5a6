/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices take our certificate for which hosts, and which do not: so that a device loses at most one connection for a
 * host, ever. What is known is kept in the store and outlives any death of ours. Any thread.
 *
 * The first connection of a device to a host is an attempt. It is written down, durably, before the device hears of us;
 * until it is decided, other connections of that device to that host are carried through. An attempt that our own death
 * left undecided counts as failed. Trust can be withdrawn, and behind one address may be several devices: so also
 * where one has trusted us, one connection at a time is at risk, while others wait their turn. IPv6: devices change the lower half of their addresses at will, so one that
 * fails speaks for its /64.
 */
#ifndef TARN_PROXY_TLS_DISTRUST_H
#define TARN_PROXY_TLS_DISTRUST_H

#include "cache/writer.h"
#include "firmware/base/addr.h"
#include "firmware/base/profile.h"

#define DISTRUST_MAX	    8192 /* pairs; one that trusts makes room, but none that distrusts */
#define DISTRUST_SHORT_MS   (86400 * INT64_C(1000)) /* what may have had another cause */
#define DISTRUST_LONG_MAX   (365 * 86400 * INT64_C(1000))
#define DISTRUST_HOST_AT    3  /* so many devices distrust a host, and none trusts: all */
#define DISTRUST_DEVICE_AT  3  /* so many hosts a device distrusts, and trusts none: all */
#define DISTRUST_DEVICE_MAX 64 /* so many: all others, whatever it trusts */

struct distrust;

/* X(NAME, "name", lasts long, what happened) */
#define DISTRUST_REASONS(X)                                                                        \
	X(ALERT, "alert", true, "it ended our handshake with an alert")                            \
	X(ENDED, "ended", true, "it closed the connection in our handshake")                       \
	X(NO_REQUEST, "no_request", true, "it closed the connection without a request")            \
	X(SLOW, "slow", false, "it did not finish our handshake in time")                          \
	X(NO_COMMON, "no_common", true, "it and we have no way of encryption in common")           \
	X(INTERRUPTED, "interrupted", false, "we died before it was decided")                      \
	X(REFUSED, "refused", true,                                                                \
	  "it wanted what we can't do: no HTTP that we take, or an upgrade")                       \
	X(OTHER_HOST, "other_host", true, "it asked for another host than that of TLS")

enum distrust_reason {
#define X(name, text, lasts, help) DISTRUST_##name,
	DISTRUST_REASONS(X)
#undef X
};

enum distrust_word {
	DISTRUST_NEW,	 /* not known: may be tried */
	DISTRUST_TRUSTS, /* took our certificate */
	DISTRUST_TRYING, /* another connection is finding out; of one that trusted us: whether it does still */
	DISTRUST_PAIR,	 /* the device distrusts us for this host */
	DISTRUST_HOST,	 /* so do all devices that were tried with this host */
	DISTRUST_DEVICE, /* so does this device for all hosts it was tried with */
};

/* Reads what was kept. `writer`: NULL for tests without persistence. 0 or -ENOMEM. */
MUST_USE int distrust_new(struct store *store, struct writer *writer, int64_t wall_ms,
			  struct distrust **ret_distrust);
void distrust_free(struct distrust **distrust);

/* `authority`: leaves_authority(); what was said to another one's certificates does not count as trust. */
enum distrust_word distrust_look(struct distrust *distrust, const struct addr *device,
				 const char *host, uint64_t authority, int64_t wall_ms);

/*
 * An attempt begins; only after distrust_look() said NEW. 0: `done` is called as by the writer, when it is durable;
 * -EBUSY: another one has begun; else it can't be written down, and nothing may be tried.
 */
MUST_USE int distrust_try(struct distrust *distrust, const struct addr *device, const char *host,
			  uint64_t authority, int64_t wall_ms, writer_done_f *done, void *arg);
/*
 * A pair that trusts puts a connection at risk: TRUSTS: go on, and give the turn back when it is decided; TRYING: it is
 * another's turn, ask again; else as distrust_look().
 */
MUST_USE enum distrust_word distrust_turn_take(struct distrust *distrust, const struct addr *device,
					       const char *host, uint64_t authority,
					       int64_t wall_ms);
void distrust_turn_give(struct distrust *distrust, const struct addr *device, const char *host);
/* The device has sent a request. */
void distrust_trusts(struct distrust *distrust, const struct addr *device, const char *host,
		     uint64_t authority, int64_t wall_ms);
/* `long_ms`: for how long, the first time; twice that the next, and so on. */
void distrust_failed(struct distrust *distrust, const struct addr *device, const char *host,
		     enum distrust_reason reason, int64_t wall_ms, int64_t long_ms);
/* The attempt ended through no doing of the device's: as if it had not been. */
void distrust_undecided(struct distrust *distrust, const struct addr *device, const char *host);

struct distrust_view {
	char device[ADDR_TEXT_MAX]; /* an address, or a prefix as "2001:db8::/64" */
	char host[PROFILE_HOST_MAX];
	enum distrust_reason reason;
	int64_t since_ms, until_ms;
};

/* Those that distrust us now. */
typedef void distrust_each_f(const struct distrust_view *view, void *arg);
void distrust_each(struct distrust *distrust, int64_t wall_ms, distrust_each_f *f, void *arg);
/* Forgets: what is NULL is any. How many were forgotten. */
size_t distrust_forget(struct distrust *distrust, const char *device, const char *host);
/* How many pairs distrust us, and how many trust. */
void distrust_count(struct distrust *distrust, int64_t wall_ms, size_t *ret_distrusting,
		    size_t *ret_trusting);

const char *distrust_reason_name(enum distrust_reason reason);
const char *distrust_reason_help(enum distrust_reason reason);
/* Names the counters. Once, before the threads start. */
void distrust_label_counters(void);

#endif
