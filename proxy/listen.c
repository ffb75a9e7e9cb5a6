/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners of one worker.
 *
 * Each worker has listeners of its own (SO_REUSEPORT, or the inherited one), so no two loops wake up for one
 * connection. Socket options that a connection needs are set on the listener: accepted sockets
 * inherit them (Linux: sk_clone), which saves four system calls a connection.
 *
 * Pausing: over the limit of connections, or out of descriptors or memory, the listeners are taken out of the loop
 * and a timer looks again. The kernel's queue then fills up, and lan_in lets new connections pass.
 */
#include "proxy/listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/probe.h"

#define BATCH		64 /* connections taken before others have a turn */
#define PAUSE_MS	50 /* until a paused listener looks again */
#define BACKLOG		1024
#define USER_TIMEOUT_MS 60000 /* sent but not acknowledged for so long: the device is gone */
#define KEEP_IDLE_S	60
#define KEEP_INTERVAL_S 15
#define KEEP_COUNT	4

struct listener {
	SLIST_ENTRY(listener) link;
	struct worker *worker;
	struct event event;
	enum listen_mode mode;
	int fd;
	struct addr addr;
};

struct listen {
	SLIST_HEAD(, listener) listeners;
	accept_f *accepted;
	struct event resume;
	bool paused, stopped;
};

/* Its share of [proxy] max_connections. */
static bool is_full(const struct worker *worker)
{
	int64_t most = worker->config->settings.proxy.max_connections;
	unsigned workers = workers_count(worker->workers);

	return worker_held(worker) >= (most + workers - 1) / workers;
}

static void listeners_add(struct listen *listen)
{
	struct listener *listener;

	SLIST_FOREACH(listener, &listen->listeners, link)
	CHECK_OK(event_add(&listener->event, NULL));
}

static void listeners_del(struct listen *listen)
{
	struct listener *listener;

	SLIST_FOREACH(listener, &listen->listeners, link)
	event_del(&listener->event);
}

static void pause_begin(struct worker *worker)
{
	struct listen *listen = worker->listen;

	if (!listen->paused)
		listeners_del(listen);
	listen->paused = true;
	CHECK_OK(event_add(&listen->resume, worker_timeout(worker, PAUSE_MS)));
}

static void pause_check(evutil_socket_t fd, short what, void *arg)
{
	struct worker *worker = arg;

	(void)fd;
	(void)what;
	if (is_full(worker)) {
		pause_begin(worker);
		return;
	}
	worker->listen->paused = false;
	listeners_add(worker->listen);
}

/* Gone before we came, or an error of the network below (accept(2): treat like EAGAIN). */
static bool is_peer_error(int error)
{
	switch (error) {
	case ECONNABORTED:
	case EINTR:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

static void accept_failed(struct worker *worker, int error)
{
	STAT_INC(STAT_CONN_ACCEPT_ERRORS);
	LOG(LOG_L_WARN, "listen.accept", "worker=%u error=%s held=%u", worker->index,
	    strerrorname_np(error), worker_held(worker));
	pause_begin(worker);
}

static void connection_new(struct listener *listener, int fd, const struct sockaddr *sa,
			   socklen_t len)
{
	struct worker *worker = listener->worker;
	struct sockaddr_storage local;
	socklen_t local_len = sizeof(local);
	struct addr peer, meant;

	if (addr_from_sockaddr(sa, len, &peer) < 0 ||
	    getsockname(fd, (struct sockaddr *)&local, &local_len) < 0 ||
	    addr_from_sockaddr((struct sockaddr *)&local, local_len, &meant) < 0) {
		STAT_INC(STAT_CONN_ACCEPT_ERRORS);
		close(fd);
		return;
	}
	if (listener->mode == LISTEN_INTERCEPT && probe_is(&peer, &meant)) {
		probe_start(worker, fd);
		return;
	}
	STAT_INC(STAT_CONN_ACCEPTED);
	worker->listen->accepted(worker, fd, listener->mode, &peer, &meant);
}

static void accept_ready(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *listener = arg;
	struct worker *worker = listener->worker;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		int fd;

		if (is_full(worker)) {
			STAT_INC(STAT_CONN_OVER_LIMIT);
			LOG(LOG_L_WARN, "listen.full", "worker=%u held=%u", worker->index,
			    worker_held(worker));
			pause_begin(worker);
			return;
		}
		fd = accept4(listen_fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			connection_new(listener, fd, (struct sockaddr *)&sa, len);
			/* What was called may have stopped the listeners. */
			if (worker->listen->stopped)
				return;
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (!is_peer_error(errno)) {
			accept_failed(worker, errno);
			return;
		}
	}
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* What every accepted connection shall have. */
static int options_set(int fd)
{
	int rc = 0;

	rc = rc ? rc : set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	rc = rc ? rc : set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
	rc = rc ? rc : set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	rc = rc ? rc : set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	rc = rc ? rc : set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	rc = rc ? rc : set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	return rc;
}

/* Takes fd, whatever happens. */
static int listener_add(struct worker *worker, enum listen_mode mode, int fd,
			const struct addr *addr)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int rc = listener ? options_set(fd) : -ENOMEM;

	if (rc < 0) {
		free(listener);
		close(fd);
		return rc;
	}
	listener->worker = worker;
	listener->mode = mode;
	listener->fd = fd;
	listener->addr = *addr;
	CHECK_OK(event_assign(&listener->event, worker->base, fd, EV_READ | EV_PERSIST,
			      accept_ready, listener));
	SLIST_INSERT_HEAD(&worker->listen->listeners, listener, link);
	return event_add(&listener->event, NULL) < 0 ? -ENOMEM : 0;
}

static int inherited_add(struct worker *worker, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr addr;
	int rc;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	/* A wildcard: which of the two families does not matter. */
	rc = addr_from_sockaddr((struct sockaddr *)&sa, len, &addr);
	if (rc < 0)
		return rc;
	return listener_add(worker, LISTEN_INTERCEPT, fd, &addr);
}

static int own_socket(const struct addr *addr)
{
	int fd, rc = 0;

	fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = rc ? rc : set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	rc = rc ? rc : set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	/* "[::]:3128" and "0.0.0.0:3128" stand side by side. */
	if (addr->sa.sa_family == AF_INET6)
		rc = rc ? rc : set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (rc == 0 && bind(fd, &addr->sa, addr_len(addr)) < 0)
		rc = -errno;
	if (rc == 0 && listen(fd, BACKLOG) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int own_add(struct worker *worker, enum listen_mode mode, const struct addr *addr)
{
	int fd = own_socket(addr);

	return fd < 0 ? fd : listener_add(worker, mode, fd, addr);
}

static int own_add_all(struct worker *worker, enum listen_mode mode, const struct addr_list *addrs)
{
	char text[ADDR_TEXT_MAX];
	int rc = 0;

	for (size_t i = 0; i < addrs->n && rc == 0; i++) {
		rc = own_add(worker, mode, &addrs->v[i]);
		if (rc < 0)
			LOG(LOG_L_ERROR, "listen.failed", "address=%s error=%s",
			    addr_format(&addrs->v[i], text), strerrorname_np(-rc));
	}
	return rc;
}

int listen_new(struct worker *worker, int intercept_fd, accept_f *accepted)
{
	const struct tarn_settings *settings = &worker->config->settings;
	int rc = 0;

	worker->listen = calloc(1, sizeof(*worker->listen));
	if (!worker->listen)
		return -ENOMEM;
	SLIST_INIT(&worker->listen->listeners);
	worker->listen->accepted = accepted;
	CHECK_OK(evtimer_assign(&worker->listen->resume, worker->base, pause_check, worker));
	if (intercept_fd >= 0) {
		rc = inherited_add(worker, intercept_fd);
		if (rc < 0)
			LOG(LOG_L_ERROR, "listen.inherited", "fd=%d error=%s", intercept_fd,
			    strerrorname_np(-rc));
	}
	rc = rc ? rc : own_add_all(worker, LISTEN_EXPLICIT, &settings->proxy.listen);
	rc = rc ? rc : own_add_all(worker, LISTEN_SECURE, &settings->proxy.listen_tls);
	if (rc < 0)
		listen_free(worker);
	return rc;
}

void listen_stop(struct worker *worker)
{
	struct listen *listen = worker->listen;
	struct listener *listener;

	if (!listen || listen->stopped)
		return;
	listen->stopped = true;
	event_del(&listen->resume);
	listeners_del(listen);
	SLIST_FOREACH(listener, &listen->listeners, link)
	{
		/* A closed listener leaves the SO_REUSEPORT group (and the keeper's SOCKMAP) at once. */
		close(listener->fd);
		listener->fd = -1;
	}
}

void listen_free(struct worker *worker)
{
	struct listener *listener;

	if (!worker->listen)
		return;
	listen_stop(worker);
	while ((listener = SLIST_FIRST(&worker->listen->listeners))) {
		SLIST_REMOVE_HEAD(&worker->listen->listeners, link);
		free(listener);
	}
	free(worker->listen);
	worker->listen = NULL;
}

/* Is this IP one of the machine's? Only such an address can be bound. */
static bool is_local(const struct addr *addr)
{
	struct addr any_port = *addr;
	bool local;
	int fd;

	addr_port_set(&any_port, 0);
	fd = socket(addr->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	local = bind(fd, &any_port.sa, addr_len(&any_port)) == 0;
	close(fd);
	return local;
}

static bool is_wildcard(const struct addr *addr)
{
	if (addr->sa.sa_family == AF_INET)
		return addr->in4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

bool listen_is_own(const struct worker *worker, const struct addr *addr)
{
	struct listener *listener;

	if (!worker->listen)
		return false;
	SLIST_FOREACH(listener, &worker->listen->listeners, link)
	{
		if (addr_eq(&listener->addr, addr))
			return true;
		if (addr_port(&listener->addr) == addr_port(addr) && is_wildcard(&listener->addr) &&
		    (is_wildcard(addr) || is_local(addr)))
			return true;
	}
	return false;
}
