/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle upstream connections of one worker.
 *
 * The pool owns the streams that were given to it until they are taken. Each idle one is watched: whatever comes on it (end of
 * file, a late response's bytes, an error) makes it useless. Two orders: per host, newest first (a
 * warm congestion window, and the fewest kept); and over all, for making room, oldest first.
 */
#include "proxy/upstream/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uthash.h>

#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/upstream/trust.h"

#define POOL_MAX 256 /* idle connections of a worker, to all hosts together */

struct key {
	uint16_t port;
	bool secure;
	char host[PROFILE_HOST_MAX];
};

struct idle {
	TAILQ_ENTRY(idle) of_host, of_pool;
	struct host *host;
	struct event event;
	struct addr peer;
	struct stream stream;
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

static bool key_make(const char *host, uint16_t port, bool secure, struct key *ret_key)
{
	size_t n = strlen(host);

	memset(ret_key, 0, sizeof(*ret_key));
	if (n >= sizeof(ret_key->host))
		return false;
	ret_key->port = port;
	ret_key->secure = secure;
	memcpy(ret_key->host, host, n);
	return true;
}

/* Out of all lists; the stream is the caller's again. The host goes with its last one. */
static struct stream idle_unhook(struct idle *idle)
{
	struct host *host = idle->host;
	struct pool *pool = host->pool;
	struct stream stream = idle->stream;

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
	return stream;
}

static void idle_close(struct idle *idle)
{
	struct stream stream = idle_unhook(idle);

	stream_close(&stream);
}

static void idle_over(evutil_socket_t fd, short what, void *arg)
{
	struct idle *idle = arg;
	unsigned limit = (unsigned)idle->host->pool->worker->config->settings.upstream.idle_timeout;

	(void)fd;
	/* TLS has things of its own to say, a new ticket for instance. */
	if (what & EV_READ && idle->stream.secure && stream_is_idle(&idle->stream) &&
	    event_add(&idle->event, worker_timeout(idle->host->pool->worker, limit)) == 0)
		return;
	idle_close(idle);
}

/* Is it as good as a new one? The event that says it is over could be late. */
static bool is_usable(struct worker *worker, const struct dial_to *to, const struct stream *stream)
{
	/* Verified by what counts now: a reload may have changed whom we believe. */
	if (stream->secure &&
	    !secure_is_of(stream->secure, trust_context(worker->config->trust, to->profile)))
		return false;
	return stream_is_idle(stream);
}

int pool_take(struct worker *worker, const struct dial_to *to, struct stream *ret_stream,
	      struct addr *ret_peer)
{
	struct host *host;
	struct idle *idle;
	struct key key;

	if (!worker->pool || !key_make(to->host, to->port, to->secure, &key))
		return -ENOENT;
	for (;;) {
		HASH_FIND(hh, worker->pool->hosts, &key, sizeof(key), host);
		if (!host)
			return -ENOENT;
		idle = TAILQ_FIRST(&host->idle);
		if (is_usable(worker, to, &idle->stream))
			break;
		idle_close(idle);
	}
	*ret_peer = idle->peer;
	*ret_stream = idle_unhook(idle);
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

static bool idle_add(struct pool *pool, const struct key *key, const struct stream *stream,
		     const struct addr *peer)
{
	struct idle *idle = calloc(1, sizeof(*idle));
	struct host *host = idle ? host_get(pool, key) : NULL;
	unsigned limit = (unsigned)pool->worker->config->settings.upstream.idle_timeout;

	if (!host) {
		free(idle);
		return false;
	}
	*idle = (struct idle){ .host = host, .stream = *stream, .peer = *peer };
	CHECK_OK(event_assign(&idle->event, pool->worker->base, stream->fd, EV_READ, idle_over,
			      idle));
	TAILQ_INSERT_HEAD(&host->idle, idle, of_host);
	TAILQ_INSERT_TAIL(&pool->idle, idle, of_pool);
	host->count++;
	pool->count++;
	STAT_INC(STAT_UPSTREAM_IDLE);
	STAT_INC(STAT_UPSTREAM_OPEN);
	if (event_add(&idle->event, worker_timeout(pool->worker, limit)) == 0)
		return true;
	(void)idle_unhook(idle);
	return false;
}

void pool_give(struct worker *worker, const char *name, uint16_t port, struct stream *stream,
	       const struct addr *peer)
{
	const struct tarn_settings *settings = &worker->config->settings;
	struct pool *pool = worker->pool;
	struct key key;

	if (pool && !worker->draining && settings->upstream.pool_max_idle > 0 &&
	    key_make(name, port, stream->secure != NULL, &key) && stream_is_idle(stream) &&
	    idle_add(pool, &key, stream, peer)) {
		struct idle *idle = TAILQ_LAST(&pool->idle, idle_list);

		if (idle->host->count > (unsigned)settings->upstream.pool_max_idle)
			idle_close(TAILQ_LAST(&idle->host->idle, idle_list));
		if (pool->count > POOL_MAX)
			idle_close(TAILQ_FIRST(&pool->idle));
		*stream = STREAM_NONE;
		return;
	}
	stream_close(stream);
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
