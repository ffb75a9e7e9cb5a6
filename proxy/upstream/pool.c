/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle upstream connections of one worker.
 *
 * The pool owns the sockets that were given to it until they are taken. Each idle one is watched: whatever comes on it (end of
 * file, a late response's bytes, an error) makes it useless. Two orders: per host, newest first (a
 * warm congestion window, and the fewest kept); and over all, for making room, oldest first.
 */
#include "proxy/upstream/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>

#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/loop.h"

#define POOL_MAX 256 /* idle connections of a worker, to all hosts together */

struct key {
	uint16_t port;
	char host[PROFILE_HOST_MAX];
};

struct idle {
	TAILQ_ENTRY(idle) of_host, of_pool;
	struct host *host;
	struct event event;
	struct addr peer;
	int fd;
};

TAILQ_HEAD(idle_list, idle);

struct host {
	UT_hash_handle hh;
	struct key key;
	struct pool *pool;
	struct idle_list idle;
	unsigned count;
};

struct pool {
	struct worker *worker;
	struct host *hosts;
	struct idle_list idle; /* oldest first */
	unsigned count;
};

int pool_new(struct worker *worker)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->worker = worker;
	TAILQ_INIT(&pool->idle);
	worker->pool = pool;
	return 0;
}

static bool key_make(const char *host, uint16_t port, struct key *ret_key)
{
	size_t n = strlen(host);

	memset(ret_key, 0, sizeof(*ret_key));
	if (n >= sizeof(ret_key->host))
		return false;
	ret_key->port = port;
	memcpy(ret_key->host, host, n);
	return true;
}

/* Out of all lists; the socket is the caller's again. The host goes with its last one. */
static int idle_unhook(struct idle *idle)
{
	struct host *host = idle->host;
	struct pool *pool = host->pool;
	int fd = idle->fd;

	event_del(&idle->event);
	TAILQ_REMOVE(&host->idle, idle, of_host);
	TAILQ_REMOVE(&pool->idle, idle, of_pool);
	pool->count--;
	STAT_DEC(STAT_UPSTREAM_IDLE);
	STAT_DEC(STAT_UPSTREAM_OPEN);
	if (--host->count == 0) {
		HASH_DEL(pool->hosts, host);
		free(host);
	}
	free(idle);
	return fd;
}

static void idle_close(struct idle *idle)
{
	close(idle_unhook(idle));
}

static void idle_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	idle_close(arg);
}

/* Nothing to read and not closed: the event could be late, the socket is not. */
static bool is_alive(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

int pool_take(struct worker *worker, const char *name, uint16_t port, int *ret_fd,
	      struct addr *ret_peer)
{
	struct host *host;
	struct idle *idle;
	struct key key;

	if (!worker->pool || !key_make(name, port, &key))
		return -ENOENT;
	for (;;) {
		HASH_FIND(hh, worker->pool->hosts, &key, sizeof(key), host);
		if (!host)
			return -ENOENT;
		idle = TAILQ_FIRST(&host->idle);
		if (is_alive(idle->fd))
			break;
		idle_close(idle);
	}
	*ret_peer = idle->peer;
	*ret_fd = idle_unhook(idle);
	return 0;
}

static struct host *host_get(struct pool *pool, const struct key *key)
{
	struct host *host;

	HASH_FIND(hh, pool->hosts, key, sizeof(*key), host);
	if (host)
		return host;
	host = calloc(1, sizeof(*host));
	if (!host)
		return NULL;
	host->key = *key;
	host->pool = pool;
	TAILQ_INIT(&host->idle);
	HASH_ADD(hh, pool->hosts, key, sizeof(host->key), host);
	return host;
}

static bool idle_add(struct pool *pool, const struct key *key, int fd, const struct addr *peer)
{
	struct idle *idle = calloc(1, sizeof(*idle));
	struct host *host = idle ? host_get(pool, key) : NULL;
	unsigned limit = (unsigned)pool->worker->config->settings.upstream.idle_timeout;

	if (!host) {
		free(idle);
		return false;
	}
	*idle = (struct idle){ .host = host, .fd = fd, .peer = *peer };
	CHECK_OK(event_assign(&idle->event, pool->worker->base, fd, EV_READ, idle_over, idle));
	TAILQ_INSERT_HEAD(&host->idle, idle, of_host);
	TAILQ_INSERT_TAIL(&pool->idle, idle, of_pool);
	host->count++;
	pool->count++;
	STAT_INC(STAT_UPSTREAM_IDLE);
	STAT_INC(STAT_UPSTREAM_OPEN);
	if (event_add(&idle->event, worker_timeout(pool->worker, limit)) == 0)
		return true;
	idle_unhook(idle);
	return false;
}

void pool_give(struct worker *worker, const char *name, uint16_t port, int fd,
	       const struct addr *peer)
{
	const struct tarn_settings *settings = &worker->config->settings;
	struct pool *pool = worker->pool;
	struct key key;

	if (pool && !worker->draining && settings->upstream.pool_max_idle > 0 &&
	    key_make(name, port, &key) && is_alive(fd) && idle_add(pool, &key, fd, peer)) {
		struct idle *idle = TAILQ_LAST(&pool->idle, idle_list);

		if (idle->host->count > (unsigned)settings->upstream.pool_max_idle)
			idle_close(TAILQ_LAST(&idle->host->idle, idle_list));
		if (pool->count > POOL_MAX)
			idle_close(TAILQ_FIRST(&pool->idle));
		return;
	}
	close(fd);
}

void pool_forget(struct worker *worker, const char *name, const struct addr *peer)
{
	struct idle *idle, *next;

	if (!worker->pool)
		return;
	for (idle = TAILQ_FIRST(&worker->pool->idle); idle; idle = next) {
		next = TAILQ_NEXT(idle, of_pool);
		if (addr_eq(&idle->peer, peer) && strcmp(idle->host->key.host, name) == 0)
			idle_close(idle);
	}
}

void pool_close_all(struct worker *worker)
{
	while (worker->pool && worker->pool->count)
		idle_close(TAILQ_FIRST(&worker->pool->idle));
}

void pool_free(struct worker *worker)
{
	pool_close_all(worker);
	free(worker->pool);
	worker->pool = NULL;
}
