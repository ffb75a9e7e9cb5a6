/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fetch: one request to the vendor, with everything that may have to be tried until its response has come
 * whole: addresses, mirrors of the host's group, resumption in the middle of a body. It produces into a
 * flight; whoever wants the response reads it there.
 *
 * It runs on the worker that starts it and frees itself at its end.
 */
#ifndef PROXY_UPSTREAM_FETCH_H
#define PROXY_UPSTREAM_FETCH_H

#include "cache/flight.h"
#include "proxy/http/head.h"

struct worker;
struct fetch;
struct profile;

/* X(NAME, "name", what it waits for) */
#define FETCH_STEPS(X)                                                                             \
	X(START, "start", "the turn of the loop")                                                  \
	X(CONNECT, "connect", "an address, and a connection to it (or one from the pool)")         \
	X(SEND, "send", "the socket to take the request and its body")                             \
	X(HEAD, "head", "the response's head")                                                     \
	X(BODY, "body", "body bytes, or room for them")                                            \
	X(END, "end", "nothing: it is being freed")

enum fetch_step {
#define X(name, text, help) FETCH_##name,
	FETCH_STEPS(X)
#undef X
};

/*
 * The body of a relayed request, streamed. The reader of the device's socket gives bytes when asked; on the
 * fetch's worker.
 */
struct fetch_body {
	bool chunked;	 /* length unknown: sent in the chunked coding */
	uint64_t length; /* else */
	/*
	 * Bytes at *ret_bytes (they stay until `taken`), 0 for the end of the body, -EAGAIN (fetch_body_ready()
	 * will be called), or another -errno: the device is gone or broke framing.
	 */
	int (*read)(void *arg, struct span *ret_bytes);
	void (*taken)(void *arg, size_t n);
	void *arg;
};

enum fetch_kind {
	FETCH_CACHE, /* GET for the cache: policy decides what is stored; may be resumed */
	FETCH_RELAY, /* anything else: streamed through, never stored, never resumed */
};

/* What to ask. Spans are copied; the profile set is referenced. */
struct fetch_ask {
	enum fetch_kind kind;
	const struct profile *profile; /* NULL: a host of no profile (explicit proxy relay) */
	const char *host;	       /* lower case; also the Host field, with `port` if it is not 80 */
	const char *group;	       /* mirrors to try when the host fails; NULL: none */
	uint16_t port;
	const struct http_head *request; /* the device's; method, end-to-end fields */
	struct span target;		 /* origin-form */
	const struct object *stored;	 /* revalidate or complete this record; NULL: none */
	struct flight_want want;	 /* RELAY: ignored. CACHE: from > 0 or to set asks by Range */
	const struct fetch_body *body;	 /* RELAY; NULL: none */
	/* RELAY: called for each 1xx (but 101) before the head; may be NULL. */
	void (*interim)(void *arg, const struct http_head *head);
	void *interim_arg;
};

/*
 * Starts. The flight gets a producer at once; a failure later on is told through it (flight_end). On failure
 * here (-ENOMEM, -E2BIG) the flight is untouched.
 */
MUST_USE int fetch_start(struct worker *worker, struct flight *flight, const struct fetch_ask *ask,
			 struct fetch **ret_fetch);

/* The body's `read` has something to give again, or an error to report. Only before the flight ended. */
void fetch_body_ready(struct fetch *fetch);

/* The owner of the body callbacks is gone: they are not called any more, and the fetch stops. */
void fetch_body_gone(struct fetch *fetch);

#endif
