/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners of one worker: the inherited one for intercepted connections, and one with SO_REUSEPORT for each
 * address of [proxy] listen and listen_tls. Accepts in bounded batches; without file descriptors or over max_connections
 * it pauses instead of spinning (then lan_in sees a full queue and lets new connections pass).
 */
#ifndef TARN_PROXY_LISTEN_H
#define TARN_PROXY_LISTEN_H

#include "firmware/base/addr.h"

struct worker;
struct listen;

enum listen_mode {
	LISTEN_INTERCEPT, /* `local` is the address that the device meant */
	LISTEN_EXPLICIT,  /* explicit proxy and update source, by the form of the request target */
	LISTEN_SECURE,	  /* update source, inside TLS */
};

/*
 * A new connection. `fd` is the callee's: non-blocking, close-on-exec, TCP_NODELAY, TCP_USER_TIMEOUT and
 * keepalive set. v4-mapped addresses are IPv4. The callee counts it with worker_hold()/worker_release().
 */
typedef void accept_f(struct worker *worker, int fd, enum listen_mode mode, const struct addr *peer,
		      const struct addr *local);

/*
 * On the worker's thread. `intercept_fd`: an inherited listener (ours from now on), or -1.
 * Sets worker->listen. 0 or -errno (logged with the address).
 */
MUST_USE int listen_new(struct worker *worker, int intercept_fd, accept_f *accepted);
/* No more connections: closes our own listeners, stops serving the inherited one. */
void listen_stop(struct worker *worker);
void listen_free(struct worker *worker);

/* Is this one of our own listening addresses (as dialled: wildcard listeners match any local address)? */
bool listen_is_own(const struct worker *worker, const struct addr *addr);

#endif
