/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of chunk buffers. Buffers are mapped as whole pages; free ones are kept for the next chunk (their pages
 * stay: to get them anew would cost more than to fill them), many while others are in use, a few when none is. The
 * rest goes back to the kernel.
 *
 * Any thread; the pool's lock is held for a few instructions, and during a waiter's `ready`.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cache/chunk.h"
#include "cache/db.h"

/* Free buffers that keep their memory, with chunks of 256 KiB: 8 MiB, 64 MiB. */
#define POOL_SPARE	32
#define POOL_SPARE_BUSY 256

struct chunk_pool {
	pthread_mutex_t lock;
	struct chunk *spare;
	struct chunk_pool_use use;
	struct chunk_waiter *first, **last; /* in turn */
};

static size_t chunk_map_bytes(void)
{
	return (size_t)db_class_pages(CONFIG_CHUNK_BYTES) * DB_PAGE;
}

uint8_t *chunk_pages(const struct chunk *chunk)
{
	return chunk->data - DB_PAGE_HEADER;
}

int chunk_pool_new(uint32_t limit, struct chunk_pool **ret_pool)
{
	struct chunk_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&pool->lock, NULL));
	pool->use.limit = limit;
	pool->last = &pool->first;
	*ret_pool = pool;
	return 0;
}

static void spare_push(struct chunk_pool *pool, struct chunk *chunk)
{
	chunk->next_free = pool->spare;
	pool->spare = chunk;
	pool->use.spare++;
}

static struct chunk *spare_pop(struct chunk_pool *pool)
{
	struct chunk *chunk = pool->spare;

	pool->spare = chunk->next_free;
	pool->use.spare--;
	return chunk;
}

static void chunk_destroy(struct chunk *chunk)
{
	CHECK_OK(munmap(chunk_pages(chunk), chunk_map_bytes()));
	free(chunk);
}

void chunk_pool_free(struct chunk_pool **pool)
{
	struct chunk_pool *p = *pool;

	if (!p)
		return;
	CHECK(p->use.out == 0);
	while (p->spare)
		chunk_destroy(spare_pop(p));
	CHECK_OK(pthread_mutex_destroy(&p->lock));
	free(p);
	*pool = NULL;
}

struct chunk_pool_use chunk_pool_use(struct chunk_pool *pool)
{
	struct chunk_pool_use use;

	pthread_mutex_lock(&pool->lock);
	use = pool->use;
	pthread_mutex_unlock(&pool->lock);
	return use;
}

static struct chunk *chunk_make(struct chunk_pool *pool)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	uint8_t *pages;

	if (!chunk)
		return NULL;
	pages = mmap(NULL, chunk_map_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (pages == MAP_FAILED) {
		free(chunk);
		return NULL;
	}
	chunk->data = pages + DB_PAGE_HEADER;
	chunk->pool = pool;
	return chunk;
}

/* Takes a spare one, or the right to make one. False: the limit is reached. */
static bool pool_take(struct chunk_pool *pool, struct chunk **ret_spare)
{
	bool room;

	pthread_mutex_lock(&pool->lock);
	room = pool->use.out < pool->use.limit;
	if (room) {
		pool->use.out++;
		*ret_spare = pool->spare ? spare_pop(pool) : NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	return room;
}

/* One is back (NULL: it was never made): the first who waits may try again. What is too much is unmapped. */
static void pool_give(struct chunk_pool *pool, struct chunk *chunk)
{
	struct chunk_waiter *waiter;
	struct chunk *surplus = NULL;

	pthread_mutex_lock(&pool->lock);
	CHECK(pool->use.out > 0);
	pool->use.out--;
	if (chunk)
		spare_push(pool, chunk);
	while (pool->use.spare > (pool->use.out ? POOL_SPARE_BUSY : POOL_SPARE)) {
		chunk = spare_pop(pool);
		chunk->next_free = surplus;
		surplus = chunk;
	}
	waiter = pool->first;
	if (waiter) {
		pool->first = waiter->next;
		if (!pool->first)
			pool->last = &pool->first;
		waiter->waiting = false;
		waiter->ready(waiter);
	}
	pthread_mutex_unlock(&pool->lock);
	while (surplus) {
		chunk = surplus;
		surplus = chunk->next_free;
		chunk_destroy(chunk);
	}
}

struct chunk *chunk_new(struct chunk_pool *pool)
{
	struct chunk *chunk = NULL;

	if (!pool_take(pool, &chunk))
		return NULL;
	if (!chunk)
		chunk = chunk_make(pool);
	if (!chunk) {
		pool_give(pool, NULL);
		return NULL;
	}
	chunk->len = 0;
	atomic_store_explicit(&chunk->refs, 1, memory_order_relaxed);
	return chunk;
}

struct chunk *chunk_ref(struct chunk *chunk)
{
	uint32_t before = atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);

	CHECK(before > 0);
	return chunk;
}

void chunk_unref(struct chunk **chunk)
{
	struct chunk *c = *chunk;
	uint32_t before;

	*chunk = NULL;
	if (!c)
		return;
	before = atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel);
	CHECK(before > 0);
	if (before > 1)
		return;
	pool_give(c->pool, c);
}

void chunk_wait(struct chunk_pool *pool, struct chunk_waiter *waiter)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->use.out < pool->use.limit) {
		waiter->ready(waiter); /* one came back between the refusal and this call */
	} else if (!waiter->waiting) {
		waiter->waiting = true;
		waiter->next = NULL;
		*pool->last = waiter;
		pool->last = &waiter->next;
	}
	pthread_mutex_unlock(&pool->lock);
}

void chunk_wait_cancel(struct chunk_pool *pool, struct chunk_waiter *waiter)
{
	pthread_mutex_lock(&pool->lock);
	if (waiter->waiting) {
		struct chunk_waiter **at = &pool->first;

		while (*at != waiter)
			at = &(*at)->next;
		*at = waiter->next;
		if (!waiter->next)
			pool->last = at;
		waiter->waiting = false;
	}
	pthread_mutex_unlock(&pool->lock);
}
