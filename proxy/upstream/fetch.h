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
#include "cache/store.h"
#include "proxy/policy/policy.h"

struct worker;
struct fetch;

/* X(NAME, "name", what it waits for) */
#define FETCH_STEPS(X)                                                                             \
	X(START, "start", "its turn: a place among the connections of its host")                   \
	X(CONNECT, "connect", "an address, and a connection to it")                                \
	X(SEND, "send", "the socket to take the request and its body")                             \
	X(HEAD, "head", "the response's head")                                                     \
	X(BODY, "body", "body bytes, or room for them")                                            \
	X(END, "end", "nothing: it is being freed")

enum fetch_step {
#define X(name, text, help) FETCH_##name,
	FETCH_STEPS(X)
#undef X
};

/* The body of a relayed request, streamed. All calls are on the fetch's worker. */
struct fetch_body {
	bool chunked;	 /* length unknown: sent in the chunked coding */
	uint64_t length; /* else */
	/*
	 * Bytes at *ret_bytes (n > 0; they stay until `taken`), n == 0 for the end of the body; or -EAGAIN:
	 * fetch_body_ready() will be called; or another -errno or refusal: the device is gone or broke framing.
	 */
	int (*read)(void *arg, struct span *ret_bytes);
	void (*taken)(void *arg, size_t n);
	void *arg;
};

enum fetch_kind {
	FETCH_CACHE, /* a GET for the cache: policy decides what is stored; may be resumed */
	FETCH_RELAY, /* anything else: streamed through, never stored, never resumed */
};

/* So many variants are offered at most. */
#define FETCH_OTHERS_MAX POLICY_OTHERS_MAX

/* What to ask. Everything is copied, or referenced through the worker's configuration. */
struct fetch_ask {
	enum fetch_kind kind;
	const struct profile *profile; /* NULL: a host of no profile */
	const char *host;	       /* lower case; where to connect */
	const char *group;	       /* mirrors to try when the host fails; NULL: none */
	bool secure;		       /* by https, verified; never by http instead */
	uint16_t port;
	const struct http_head *request;
	const struct policy_req *policy;
	struct span authority; /* Host; empty: the request's own */
	struct span target;    /* origin-form */
	enum policy_cond cond;
	const struct object
		*stored; /* to validate or to complete; leased by the caller. NULL: none */
	bool unstored;	 /* ... it is what another flight brings: only to validate, never written */
	bool has_range;	 /* CACHE: ask for these bytes; first is a multiple of a chunk */
	struct byte_range range;
	/* CACHE: the device's Range goes up as it is; a 206 is stored by itself, under policy_part_key(). */
	bool as_asked;
	/*
	 * CACHE: what is stored of the beginning, copied: `range` is the rest, and what comes is the whole. `stored`
	 * is the record of the whole then, with the validator of this part.
	 */
	struct span prefix;
	/*
	 * CACHE, if there is no `stored`: other variants that are, newest first: their entity tags are offered, and a
	 * 304 may name one. Complete, with a tag, and of one chunk at most. The fetch takes them if it starts.
	 */
	struct stored *others[FETCH_OTHERS_MAX];
	unsigned others_n;
	struct span key;  /* CACHE: text of the primary key */
	struct span vary; /* CACHE: names of the marker that is stored under it, if any */
	bool direct;	  /* past the parents: what they have is not what the vendor names */
	bool from_outside; /* who asks is another machine: it shall not reach what listens on this one's loopback */
	/* CACHE, of nobody but the box itself (proxy/sync). 0: a request of a device. */
	uint64_t generation; /* that what comes is to be of */
	uint64_t rate;	     /* bytes a second, as long as no device waits for it; 0: no limit */
	/* The head that goes out, each time. May be NULL. */
	void (*sent)(void *arg, struct span head);
	const struct fetch_body *body; /* RELAY; NULL: none */
	/* Each 1xx (but 101) before the head; the owner of body and of this is one. May be NULL. */
	void (*interim)(void *arg, const struct http_head *head);
	/* The response to an unsafe method or to HEAD is there, before the flight's head. May be NULL. */
	void (*answered)(void *arg, const struct http_head *head);
	/* The fetch ends and its pointer dies. Not called once the owner is gone. May be NULL. */
	void (*ended)(void *arg);
	void *arg;
};

/*
 * Starts. The flight gets a producer; any later failure is told through it (flight_end). On failure here
 * (-ENOMEM, -EMSGSIZE, -EINVAL) the flight is untouched. With ret_fetch not NULL nothing is called back
 * before this returns; *ret_fetch is valid until `ended`, or fetch_owner_gone().
 */
MUST_USE int fetch_start(struct worker *worker, struct flight *flight, const struct fetch_ask *ask,
			 struct fetch **ret_fetch);

/* The body's `read` has something to give again, or an error to report. */
void fetch_body_ready(struct fetch *fetch);

/* flight_error() as a status for the device: 504 for a time limit, else 502. */
unsigned fetch_error_status(int error);
/* ... and in words. */
const char *fetch_error_text(int error);

/*
 * The owner of the callbacks is gone: they are not called any more. A body that was not read to its end
 * ends the fetch.
 */
void fetch_owner_gone(struct fetch *fetch);

/* Ends all fetches of the calling worker: it ends itself. */
void fetch_end_all(void);

#endif
