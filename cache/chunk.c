/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of chunk buffers, which come in slabs of a large page: where the kernel has such pages, a slab costs one
 * fault and not one for each 4 KiB, which cost more than to fill them. Free buffers keep their memory for the next
 * chunk, the last that came back first; chunk_pool_trim() gives slabs back that nobody needed.
 *
 * Any thread; the pool's lock is held for a few instructions, and during a waiter's `ready`.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#include "cache/chunk.h"
#include "cache/db.h"

#define SLAB_BYTES (2u << 20)
#define POOL_SPARE 32 /* so many free buffers stay, 8 MiB */

struct slab {
	TAILQ_ENTRY(slab) link; /* of those that have a free chunk */
	struct chunk *free;
	uint8_t *pages;
	uint32_t free_n;
	struct chunk chunks[];
};
TAILQ_HEAD(slabs, slab);

struct chunk_pool {
	pthread_mutex_t lock;
	struct slabs slabs;
	struct chunk_pool_use use;
	uint32_t spare_low;		    /* the least `spare` since the last trim */
	struct chunk_waiter *first, **last; /* in turn */
};

static size_t chunk_map_bytes(void)
{
	return (size_t)db_class_pages(CONFIG_CHUNK_BYTES) * DB_PAGE;
}

static uint32_t slab_chunks(void)
{
	return chunk_map_bytes() < SLAB_BYTES ? (uint32_t)(SLAB_BYTES / chunk_map_bytes()) : 1;
}

static size_t slab_bytes(void)
{
	return slab_chunks() * chunk_map_bytes();
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
	TAILQ_INIT(&pool->slabs);
	pool->use.limit = limit;
	pool->last = &pool->first;
	*ret_pool = pool;
	return 0;
}

static void spare_push(struct chunk_pool *pool, struct chunk *chunk)
{
	struct slab *slab = chunk->slab;

	if (slab->free_n++)
		TAILQ_REMOVE(&pool->slabs, slab, link);
	TAILQ_INSERT_HEAD(&pool->slabs, slab, link);
	chunk->next_free = slab->free;
	slab->free = chunk;
	pool->use.spare++;
}

static struct chunk *spare_pop(struct chunk_pool *pool)
{
	struct slab *slab = TAILQ_FIRST(&pool->slabs);
	struct chunk *chunk = slab->free;

	slab->free = chunk->next_free;
	if (--slab->free_n == 0)
		TAILQ_REMOVE(&pool->slabs, slab, link);
	if (--pool->use.spare < pool->spare_low)
		pool->spare_low = pool->use.spare;
	return chunk;
}

/* Takes free slabs out until at most `spare` chunks stay. */
static void slabs_take(struct chunk_pool *pool, uint32_t spare, struct slabs *ret_slabs)
{
	struct slab *slab, *before;

	for (slab = TAILQ_LAST(&pool->slabs, slabs);
	     slab && pool->use.spare >= spare + slab_chunks(); slab = before) {
		before = TAILQ_PREV(slab, slabs, link);
		if (slab->free_n < slab_chunks())
			continue;
		TAILQ_REMOVE(&pool->slabs, slab, link);
		TAILQ_INSERT_TAIL(ret_slabs, slab, link);
		pool->use.spare -= slab_chunks();
	}
	pool->spare_low = pool->use.spare;
}

static void slabs_unmap(struct slabs *slabs)
{
	struct slab *slab;

	while ((slab = TAILQ_FIRST(slabs))) {
		TAILQ_REMOVE(slabs, slab, link);
		CHECK_OK(munmap(slab->pages, slab_bytes()));
		free(slab);
	}
}

void chunk_pool_trim(struct chunk_pool *pool)
{
	struct slabs slabs = TAILQ_HEAD_INITIALIZER(slabs);
	uint32_t unused;

	pthread_mutex_lock(&pool->lock);
	unused = pool->spare_low > POOL_SPARE ? pool->spare_low - POOL_SPARE : 0;
	slabs_take(pool, pool->use.spare - unused, &slabs);
	pthread_mutex_unlock(&pool->lock);
	slabs_unmap(&slabs);
}

void chunk_pool_free(struct chunk_pool **pool)
{
	struct slabs slabs = TAILQ_HEAD_INITIALIZER(slabs);
	struct chunk_pool *p = *pool;

	if (!p)
		return;
	CHECK(p->use.out == 0);
	slabs_take(p, 0, &slabs);
	slabs_unmap(&slabs);
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

/* At a multiple of its size, where a large page can be. NULL: no memory. */
static uint8_t *pages_map(void)
{
	size_t n = slab_bytes(), more = n + SLAB_BYTES;
	uint8_t *map = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (map == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)map % SLAB_BYTES;
	if (before)
		CHECK_OK(munmap(map, before));
	CHECK_OK(munmap(map + before + n, more - before - n));
	(void)!madvise(map + before, n, MADV_HUGEPAGE); /* a kernel without them has small ones */
	return map + before;
}

static struct slab *slab_make(struct chunk_pool *pool)
{
	struct slab *slab = calloc(1, sizeof(*slab) + slab_chunks() * sizeof(slab->chunks[0]));

	if (!slab)
		return NULL;
	slab->pages = pages_map();
	if (!slab->pages) {
		free(slab);
		return NULL;
	}
	for (uint32_t i = 0; i < slab_chunks(); i++) {
		slab->chunks[i].data = slab->pages + i * chunk_map_bytes() + DB_PAGE_HEADER;
		slab->chunks[i].pool = pool;
		slab->chunks[i].slab = slab;
	}
	return slab;
}

/* One for the caller, the others are spare. */
static struct chunk *chunk_make(struct chunk_pool *pool)
{
	struct slab *slab = slab_make(pool);

	if (!slab)
		return NULL;
	pthread_mutex_lock(&pool->lock);
	for (uint32_t i = slab_chunks() - 1; i > 0; i--)
		spare_push(pool, &slab->chunks[i]);
	pthread_mutex_unlock(&pool->lock);
	return &slab->chunks[0];
}

/* Takes a spare one, or the right to make one. False: the limit is reached. */
static bool pool_take(struct chunk_pool *pool, struct chunk **ret_spare)
{
	bool room;

	pthread_mutex_lock(&pool->lock);
	room = pool->use.out < pool->use.limit;
	if (room) {
		pool->use.out++;
		*ret_spare = pool->use.spare ? spare_pop(pool) : NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	return room;
}

/* One is back (NULL: it was never made): the first who waits may try again. */
static void pool_give(struct chunk_pool *pool, struct chunk *chunk)
{
	struct chunk_waiter *waiter;

	pthread_mutex_lock(&pool->lock);
	CHECK(pool->use.out > 0);
	pool->use.out--;
	if (chunk)
		spare_push(pool, chunk);
	waiter = pool->first;
	if (waiter) {
		pool->first = waiter->next;
		if (!pool->first)
			pool->last = &pool->first;
		waiter->waiting = false;
		waiter->ready(waiter);
	}
	pthread_mutex_unlock(&pool->lock);
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
