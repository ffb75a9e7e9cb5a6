/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle, kept-alive connections to upstreams, of one worker, by scheme, host and port. An idle connection on which
 * anything happens (end of file, stray bytes) is closed at once. The pool counts what it holds as
 * STAT_UPSTREAM_OPEN and _IDLE; who has a connection in use counts it as open.
 */
#ifndef TARN_PROXY_UPSTREAM_POOL_H
#define TARN_PROXY_UPSTREAM_POOL_H

#include "proxy/upstream/dial.h"

struct worker;
struct pool;

/* Sets worker->pool. 0 or -ENOMEM. */
MUST_USE int pool_new(struct worker *worker);
void pool_free(struct worker *worker);

/*
 * The connection that was used last, checked to be alive, and by https to be verified as would be now: the caller's, and
 * its address; -ENOENT: none.
 */
MUST_USE int pool_take(struct worker *worker, const struct dial_to *to, struct stream *ret_stream,
		       struct addr *ret_peer);
/* Takes the stream and empties it; keeps it or (limits, draining, no memory) closes it. No event of the caller's is on it. */
void pool_give(struct worker *worker, const char *host, uint16_t port, struct stream *stream,
	       const struct addr *peer);
/* Closes the idle ones of a host at this address: it has just failed. */
void pool_forget(struct worker *worker, const char *host, const struct addr *peer);
void pool_close_all(struct worker *worker);

#endif
