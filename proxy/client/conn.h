/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's HTTP connection, from its first request to its end. It lives on one worker and owns itself:
 * who makes it hands the socket over and forgets it.
 */
#ifndef PROXY_CLIENT_CONN_H
#define PROXY_CLIENT_CONN_H

#include "firmware/base/addr.h"

struct worker;

enum conn_mode {
	CONN_INTERCEPTED, /* steered to us: `origin` is where the device meant to go */
	CONN_PROXY,	  /* a configured listener: absolute-form, CONNECT, and /<vendor>/<path> */
	CONN_SECURE,	  /* ... where TLS with the box itself comes first: /<vendor>/<path> */
};

struct conn_from {
	enum conn_mode mode;
	int fd;		    /* connected, non-blocking; nothing was read from it (peeked at most) */
	struct addr device; /* getpeername() */
	struct addr origin; /* INTERCEPTED: getsockname(), the original destination */
};

/* Sets worker->client, on the worker's thread. 0 or -ENOMEM. */
MUST_USE int client_new(struct worker *worker);
/* Ends what is left, at once. */
void client_free(struct worker *worker);

/*
 * Starts serving on the calling worker; counted by worker_hold(). On success the socket belongs to the
 * connection; on failure (-ENOMEM) still to the caller.
 */
MUST_USE int conn_start(struct worker *worker, const struct conn_from *from);

/* The worker drains: idle connections are closed now, busy ones after the response under way. */
void client_drain(struct worker *worker);

#endif
