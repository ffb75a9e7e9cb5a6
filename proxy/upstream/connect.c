/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection by Happy Eyeballs.
 *
 * A struct connect owns its question to the resolver, its attempts (a socket and an event each) and two timers;
 * it lives on one worker and is freed right before its callback, or by connect_cancel().
 *
 *	connect_host --> resolving --resolved--+
 *	connect_addrs ---- begin (next turn) --+--> trying: attempt_next; then the next one when `stagger` is over
 *	                                            (stagger_over) or an attempt fails (attempt_ready)
 *	                                              |
 *	           an attempt is connected: won <-----+-----> all failed, or limit_over: lost
 *
 * An address that failed, and one that was begun before the winner and still had no answer when that had,
 * is rested, so that the next connection does not wait for it again.
 */
#include "proxy/upstream/connect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/dns/resolve.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/balance.h"

struct attempt {
	struct connect *connect;
	struct event event;
	int fd; /* -1: not begun, or failed */
};

struct connect {
	struct worker *worker;
	connect_f *f;
	void *arg;
	struct resolve *resolve;
	struct event limit, stagger;
	bool exact;   /* one address that was asked for: say nothing to balance */
	bool counted; /* an upstream connection, for the counters */
	int last_err;
	size_t n, begun;
	unsigned open;
	struct addr addrs[RESOLVE_ADDRS_MAX];
	struct attempt attempts[RESOLVE_ADDRS_MAX];
};

static void connect_free(struct connect *connect)
{
	resolve_cancel(&connect->resolve);
	for (size_t i = 0; i < connect->begun; i++) {
		if (connect->attempts[i].fd < 0)
			continue;
		event_del(&connect->attempts[i].event);
		close(connect->attempts[i].fd);
	}
	event_del(&connect->limit);
	event_del(&connect->stagger);
	free(connect);
}

static void rest(struct connect *connect, size_t i)
{
	if (!connect->exact)
		balance_failed(connect->worker->proxy->balance, &connect->addrs[i],
			       worker_now(connect->worker)->mono_ms);
}

static void lost(struct connect *connect, int err)
{
	connect_f *f = connect->f;
	void *arg = connect->arg;

	if (connect->counted)
		STAT_INC(STAT_UPSTREAM_CONNECT_FAILURES);
	connect_free(connect);
	f(arg, err, -1, NULL);
}

static void won(struct connect *connect, size_t winner)
{
	connect_f *f = connect->f;
	void *arg = connect->arg;
	struct addr peer = connect->addrs[winner];
	int fd = connect->attempts[winner].fd;

	event_del(&connect->attempts[winner].event);
	connect->attempts[winner].fd = -1;
	for (size_t i = 0; i < winner; i++)
		if (connect->attempts[i].fd >= 0)
			rest(connect, i);
	if (!connect->exact)
		balance_good(connect->worker->proxy->balance, &peer);
	if (connect->counted)
		STAT_INC(STAT_UPSTREAM_CONNECTS);
	connect_free(connect);
	f(arg, 0, fd, &peer);
}

static void attempt_ready(evutil_socket_t fd, short what, void *arg);

static int attempt_begin(struct connect *race, size_t i)
{
	struct attempt *attempt = &race->attempts[i];
	const struct addr *addr = &race->addrs[i];
	int one = 1, err;

	attempt->connect = race;
	attempt->fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0)
		return -errno;
	if (setsockopt(attempt->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
	    (connect(attempt->fd, &addr->sa, addr_len(addr)) == 0 || errno == EINPROGRESS)) {
		CHECK_OK(event_assign(&attempt->event, race->worker->base, attempt->fd, EV_WRITE,
				      attempt_ready, attempt));
		if (event_add(&attempt->event, NULL) == 0)
			return 0;
		errno = ENOMEM;
	}
	err = -errno;
	close(attempt->fd);
	attempt->fd = -1;
	return err;
}

/* Begins the next attempt that can be begun. May end the whole (and free it). */
static void attempt_next(struct connect *connect)
{
	unsigned stagger = (unsigned)connect->worker->config->settings.upstream.stagger;

	while (connect->begun < connect->n) {
		size_t i = connect->begun++;
		int rc = attempt_begin(connect, i);

		if (rc == 0) {
			connect->open++;
			if (connect->begun < connect->n)
				CHECK_OK(event_add(&connect->stagger,
						   worker_timeout(connect->worker, stagger)));
			return;
		}
		connect->last_err = rc;
		rest(connect, i);
	}
	if (!connect->open)
		lost(connect, connect->last_err);
}

static void attempt_ready(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	struct connect *connect = attempt->connect;
	size_t i = (size_t)(attempt - connect->attempts);
	socklen_t len = sizeof(int);
	int err = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (!err) {
		won(connect, i);
		return;
	}
	close(fd);
	attempt->fd = -1;
	connect->open--;
	connect->last_err = -err;
	rest(connect, i);
	event_del(&connect->stagger);
	attempt_next(connect);
}

static void stagger_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	attempt_next(arg);
}

/* connect_timeout is over; or, when there is no resolver to wait for, this is the turn after connect_*(). */
static void limit_over(evutil_socket_t fd, short what, void *arg)
{
	struct connect *connect = arg;

	(void)fd;
	(void)what;
	if (connect->n && !connect->begun) {
		unsigned limit =
			(unsigned)connect->worker->config->settings.upstream.connect_timeout;

		CHECK_OK(event_add(&connect->limit, worker_timeout(connect->worker, limit)));
		attempt_next(connect);
		return;
	}
	for (size_t i = 0; i < connect->begun; i++)
		if (connect->attempts[i].fd >= 0)
			rest(connect, i);
	if (connect->counted)
		STAT_INC(STAT_UPSTREAM_TIMEOUT_CONNECT);
	lost(connect, -ETIMEDOUT);
}

static void resolved(void *arg, int err, const struct addr *addrs, size_t n)
{
	struct connect *connect = arg;

	connect->resolve = NULL;
	if (err) {
		lost(connect, err);
		return;
	}
	memcpy(connect->addrs, addrs, n * sizeof(*addrs));
	connect->n = n;
	attempt_next(connect);
}

static struct connect *connect_new(struct worker *worker, connect_f *f, void *arg)
{
	struct connect *connect = calloc(1, sizeof(*connect));

	if (!connect)
		return NULL;
	connect->worker = worker;
	connect->f = f;
	connect->arg = arg;
	connect->last_err = -EHOSTUNREACH;
	CHECK_OK(evtimer_assign(&connect->limit, worker->base, limit_over, connect));
	CHECK_OK(evtimer_assign(&connect->stagger, worker->base, stagger_over, connect));
	return connect;
}

int connect_host(struct worker *worker, const char *host, uint16_t port, connect_f *f, void *arg,
		 struct connect **ret_connect)
{
	unsigned limit = (unsigned)worker->config->settings.upstream.connect_timeout;
	struct connect *connect = connect_new(worker, f, arg);
	int rc;

	if (!connect)
		return -ENOMEM;
	connect->counted = true;
	rc = resolve_host(worker, host, port, resolved, connect, &connect->resolve);
	if (rc < 0) {
		connect_free(connect);
		return rc;
	}
	CHECK_OK(event_add(&connect->limit, worker_timeout(worker, limit)));
	*ret_connect = connect;
	return 0;
}

int connect_addrs(struct worker *worker, const struct addr *addrs, size_t n, connect_f *f,
		  void *arg, struct connect **ret_connect)
{
	static const struct timeval at_once = { 0, 0 };
	struct connect *connect;

	if (!n || n > RESOLVE_ADDRS_MAX)
		return -EINVAL;
	connect = connect_new(worker, f, arg);
	if (!connect)
		return -ENOMEM;
	memcpy(connect->addrs, addrs, n * sizeof(*addrs));
	connect->n = n;
	CHECK_OK(event_add(&connect->limit, &at_once));
	*ret_connect = connect;
	return 0;
}

int connect_addr(struct worker *worker, const struct addr *addr, connect_f *f, void *arg,
		 struct connect **ret_connect)
{
	int rc = connect_addrs(worker, addr, 1, f, arg, ret_connect);

	if (rc == 0)
		(*ret_connect)->exact = true;
	return rc;
}

void connect_cancel(struct connect **connect)
{
	if (*connect)
		connect_free(*connect);
	*connect = NULL;
}
