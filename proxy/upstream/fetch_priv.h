/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rooms of a fetch share: fetch.c (life, tries, connection), fetch_send.c (the request), fetch_read.c
 * (until the response's head is there), fetch_head.c (what it means), fetch_body.c (its body) and fetch_flows.c (what
 * the admin sees of it). All of it belongs to the fetch's worker, but for `mail`, which anybody posts.
 */
#ifndef PROXY_UPSTREAM_FETCH_PRIV_H
#define PROXY_UPSTREAM_FETCH_PRIV_H

#include <sys/queue.h>

#include "proxy/config.h"
#include "proxy/generation.h"
#include "proxy/http/chunk.h"
#include "proxy/http/frame.h"
#include "proxy/http/scan.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/balance.h"
#include "proxy/upstream/dial.h"
#include "proxy/upstream/fetch.h"
#include "proxy/upstream/parent.h"
#include "proxy/upstream/pool.h"

#define FETCH_TRIES_PER_HOST 2
#define FETCH_INTERIMS_MAX   16 /* 1xx responses, all connections together */
#define FETCH_MIRRORS	     4	/* beside the host itself, without progress */
/* The first read of a response: a head, and a small body. What follows of a large one goes straight where it belongs. */
#define FETCH_HEAD_BYTES 8192
#define FETCH_READ_BYTES (64 * 1024) /* of `in` while a body is being decoded */

/* An error response that waits, its body unread, while mirrors are asked. */
struct parked {
	bool there;
	struct stream stream;
	const char *at;
	struct parent_way way;
	struct addr peer;
	char *in;
	size_t in_room, in_n, in_at;
	struct http_head *response;
	struct framing framing;
	int64_t requested;
};

struct fetch {
	LIST_ENTRY(fetch) link; /* of this thread's */
	struct worker *worker;
	struct config *config;
	struct flight *flight; /* the producer's; gone after flight_end() */
	struct flight_producer producer;
	struct mail mail; /* wake-ups of the flight, and the next turn */
	enum fetch_step step;
	uint64_t serial; /* proxy/flow.h */
	uint64_t began_ms;

	/* what was asked; all owned */
	enum fetch_kind kind;
	const struct profile *profile; /* alive by config */
	char host[PROFILE_HOST_MAX];
	char group[PROFILE_GROUP_MAX]; /* empty: none */
	bool secure;
	uint16_t port;
	struct policy_req policy;
	struct http_head *request; /* spans into request_raw */
	char *request_raw;
	char *texts; /* authority, target, key, vary */
	struct span authority, target, key, vary;
	enum policy_cond cond;
	struct object *stored;
	bool unstored;
	struct lease *stored_lease;
	bool has_range;
	struct byte_range range;
	bool as_asked;
	char *prefix; /* of prefix_n bytes */
	size_t prefix_n;
	struct stored *others[FETCH_OTHERS_MAX]; /* owned */
	unsigned others_n;
	struct fetch_body body;
	bool has_body, body_begun;
	bool from_outside, direct;
	void (*interim)(void *arg, const struct http_head *head);
	void (*answered)(void *arg, const struct http_head *head);
	void (*ended)(void *arg);
	void *arg;
	uint64_t generation;
	bool ahead; /* the box's own request */
	uint64_t rate;
	void (*sent)(void *arg, struct span head);
	uint64_t paced_from, paced; /* mono_ms when the body began, bytes since then */

	/* tries */
	unsigned mirror; /* of the group's list: the next to look at */
	unsigned mirrors_tried;
	uint64_t head_due;     /* mono_ms: after it no further try is begun for a head */
	unsigned tries;	       /* begun at this host without progress */
	struct parent_way way; /* of this try: a parent, or straight */
	unsigned ways_tried;   /* parent_tried() */
	struct parked parked;
	bool parked_once;
	const char *counted; /* the host among whose connections it is, or NULL */
	bool queued;	     /* waits until it may be among those of `at` */
	bool no_pool;	     /* the last pooled connection was stale */
	uint64_t progress_at;
	int last_error;

	/* the connection */
	const char *at; /* the host of this try: host, or a mirror */
	struct dial *dial;
	struct stream stream;
	bool reused;
	bool response_began; /* on this connection */
	struct addr peer;
	struct event event;
	short watching; /* EV_READ, EV_WRITE of `event`, 0: none */
	unsigned watching_ms;
	bool goes_on;	/* its turn was over, `mail` begins the next */
	bool body_came; /* the first of its bytes */

	/* the request on it */
	char *absolute; /* the target as a proxy is asked for it */
	char *out;
	size_t out_n, out_at;
	size_t secret_n; /* bytes of `out`, before its last CRLF: our password at the parent */
	bool body_ended;
	struct span body_part;		/* of the device's, to be sent now */
	char frame[CHUNK_HEAD_MAX + 8]; /* of the chunked coding, before and behind it */
	size_t frame_n, frame_at;
	int64_t requested; /* seconds */

	/* the response */
	char *in;
	size_t in_room, in_n, in_at; /* bytes [in_at, in_n) are not used yet */
	struct head_scan scan;
	struct http_head *response;
	unsigned interims;
	struct framing framing;
	struct chunk_dec chunks;
	struct span data;      /* FRAMING_CHUNKED: decoded, inside `in`, not passed on yet */
	uint64_t left;	       /* FRAMING_LENGTH: bytes to come */
	uint64_t skip;	       /* bytes that the flight has already */
	bool headed;	       /* the flight has its head */
	struct object *object; /* of the response, for resuming; NULL: can't be */
	int64_t length;	       /* of the object, -1 unknown */
	bool is_part; /* what comes is a part by itself, which begins at `base` in the object ... */
	uint64_t base; /* ... and of which `length` is the length */
	uint64_t end;  /* where this fetch's bytes end in the object; UINT64_MAX: unknown */
};

/* Is it a parent that answers? Through a tunnel it is the vendor. */
static inline bool fetch_at_parent(const struct fetch *fetch)
{
	return fetch->way.id && !(fetch->secure && fetch->way.proxy);
}

/* fetch.c */
const char *fetch_step_name(enum fetch_step step);
/* Those of the calling worker. */
typedef void fetch_each_f(const struct fetch *fetch, void *arg);
void fetch_each(fetch_each_f *f, void *arg);
void fetch_watch(struct fetch *fetch, short events, unsigned timeout_ms);
void fetch_next_turn(struct fetch *fetch);	/* fetch_read_body(), when others had their turn */
void fetch_failed(struct fetch *fetch, int rc); /* this try did not do; may free the fetch */
/* The next way or mirror, if there is one, while this response is kept; false: nothing was done. */
bool fetch_elsewhere(struct fetch *fetch);
void fetch_again(struct fetch *fetch); /* the same host once more, by our own wish */
/* The parent did not do it: another way, if there is one that may be taken; false: nothing was done. */
bool fetch_other_way(struct fetch *fetch, const char *why, bool loop);
void fetch_release(struct fetch *fetch, bool reusable); /* the connection */
void fetch_finish(struct fetch *fetch, int rc);		/* ends the flight; frees the fetch */

/* fetch_send.c */
/* A parent has half of the time, so that the other half is for who is asked next. */
unsigned fetch_first_byte_ms(const struct fetch *fetch);
MUST_USE int fetch_build(struct fetch *fetch);
void fetch_send(struct fetch *fetch);

/* fetch_read.c */
void fetch_read_head(struct fetch *fetch);

/* fetch_head.c */
void fetch_head(struct fetch *fetch); /* a final one is there */
void fetch_bad_response(struct fetch *fetch, const char *why);
void fetch_parked_head(struct fetch *fetch); /* the parked response is what there is */

/* fetch_variants.c */
struct fetch_scratch {
	char *p;
	size_t n; /* 2 x POLICY_HEAD_MAX */
};
void fetch_others_drop(struct fetch *fetch);
/*
 * Does this 304 name one of the variants that were offered? Then *ret_object is that one's record as it is
 * now, without a key (borrows from the scratch and from the variant), and *ret_bytes its body.
 */
bool fetch_variant_named(struct fetch *fetch, const struct policy_times *times,
			 const struct policy_env *env, struct fetch_scratch scratch,
			 struct object *ret_object, struct span *ret_bytes);

/* fetch_body.c */
void fetch_read_body(struct fetch *fetch);

#endif
