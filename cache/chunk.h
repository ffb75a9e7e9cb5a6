/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers of body bytes: one chunk each, shared by reference between the upstream
 * socket that fills them, readers that send them and the writer that stores them.
 *
 * Any thread. Bytes [0, len) never change once they were shown to somebody else; who fills a
 * chunk says how far by means of its own (the flight's published offset).
 */
#ifndef CACHE_CHUNK_H
#define CACHE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/check.h"

struct chunk {
	uint8_t *
		data; /* CONFIG_CHUNK_BYTES of room; before and behind it the writer's: chunk_pages() */
	uint32_t len; /* bytes in it; owned by who fills it, fixed when it goes to the writer */
	_Atomic uint32_t refs;
	struct chunk_pool *pool;
	struct slab *slab;
	struct chunk *next_free;
};

struct chunk_pool;

struct chunk_pool_use {
	uint32_t limit; /* chunks that may be out */
	uint32_t out;	/* chunks that are */
	uint32_t spare; /* free ones kept for the next */
};

/* At most `limit` chunks at once. 0 or -ENOMEM. */
MUST_USE int chunk_pool_new(uint32_t limit, struct chunk_pool **ret_pool);
/* Every chunk must be back. */
void chunk_pool_free(struct chunk_pool **pool);
struct chunk_pool_use chunk_pool_use(struct chunk_pool *pool);
/*
 * Gives free buffers back to the kernel that nobody needed since the last call, but for a few MiB. Call it now and then, some
 * seconds apart.
 */
void chunk_pool_trim(struct chunk_pool *pool);

/*
 * The pages of the buffer as the store writes them: DB_PAGE_HEADER bytes for a header, then the data, padded to its page
 * class. What is not in [0, len) is the writer's alone, from when it got the chunk.
 */
uint8_t *chunk_pages(const struct chunk *chunk);

/* A chunk with one reference and len 0. NULL: the limit is reached, or no memory. */
MUST_USE struct chunk *chunk_new(struct chunk_pool *pool);
struct chunk *chunk_ref(struct chunk *chunk);
void chunk_unref(struct chunk **chunk);

/*
 * A one-shot call when a chunk comes back, on the thread that gave it back, in turn: for who got NULL.
 * The callback may post a mail and nothing else. Zeroed but for `ready` before its first use.
 */
struct chunk_waiter {
	void (*ready)(struct chunk_waiter *waiter);
	struct chunk_waiter *next;
	bool waiting;
};
void chunk_wait(struct chunk_pool *pool, struct chunk_waiter *waiter);
/* After this it will not be called (and is not being called). */
void chunk_wait_cancel(struct chunk_pool *pool, struct chunk_waiter *waiter);

#endif
