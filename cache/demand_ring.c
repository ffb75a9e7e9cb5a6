/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring. `put` and `got` count bytes for ever; their difference is what lies in between. A note never wraps: what
 * is left before the end is skipped by a length of 0. A note is valid until the reader asks for the next, so
 * `got` moves then.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "cache/demand_ring.h"

#define RING_BYTES (256u << 10)
#define ALIGN	   8u

struct note {
	uint32_t size; /* of all of it, aligned; 0: go on at the start */
	uint16_t key_n, host_n;
	uint32_t bits;
	uint32_t unused;
	uint8_t device[16];
	int64_t at;
	uint64_t bytes, id, generation;
	char text[]; /* key, host */
};

struct demand_ring {
	_Atomic uint64_t put __attribute__((aligned(64)));
	_Atomic uint64_t got __attribute__((aligned(64)));
	uint64_t reading; /* bytes of the note that the reader has */
	char bytes[RING_BYTES] __attribute__((aligned(64)));
};

int demand_ring_new(struct demand_ring **ret_ring)
{
	struct demand_ring *ring = aligned_alloc(64, sizeof(*ring));

	if (!ring)
		return -ENOMEM;
	atomic_init(&ring->put, 0);
	atomic_init(&ring->got, 0);
	ring->reading = 0;
	*ret_ring = ring;
	return 0;
}

void demand_ring_free(struct demand_ring **ring)
{
	free(*ring);
	*ring = NULL;
}

static struct note *note_at(struct demand_ring *ring, uint64_t at)
{
	return (struct note *)(ring->bytes + at % RING_BYTES);
}

static void note_fill(struct note *note, uint32_t size, const struct demand_event *e)
{
	note->size = size;
	note->key_n = (uint16_t)e->key.n;
	note->host_n = (uint16_t)e->host.n;
	note->bits = e->bits;
	memcpy(note->device, e->device, sizeof(note->device));
	note->at = e->at;
	note->bytes = e->bytes;
	note->id = e->id;
	note->generation = e->generation;
	memcpy(note->text, e->key.p, e->key.n);
	memcpy(note->text + e->key.n, e->host.p, e->host.n);
}

bool demand_ring_put(struct demand_ring *ring, const struct demand_event *e, bool *ret_hurry)
{
	uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
	uint64_t used = put - atomic_load_explicit(&ring->got, memory_order_acquire);
	uint64_t left = RING_BYTES - put % RING_BYTES; /* before the end */
	uint64_t size = sizeof(struct note) + e->key.n + e->host.n;

	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	*ret_hurry = used > RING_BYTES / 2;
	if (!e->key.n || e->key.n > DEMAND_KEY_MAX || e->host.n > DEMAND_HOST_MAX ||
	    used + size + (size > left ? left : 0) > RING_BYTES)
		return false;
	if (size > left) {
		note_at(ring, put)->size = 0;
		put += left;
	}
	note_fill(note_at(ring, put), (uint32_t)size, e);
	atomic_store_explicit(&ring->put, put + size, memory_order_release);
	return true;
}

bool demand_ring_get(struct demand_ring *ring, struct demand_event *ret)
{
	uint64_t got = atomic_load_explicit(&ring->got, memory_order_relaxed) + ring->reading;
	const struct note *note;

	ring->reading = 0;
	atomic_store_explicit(&ring->got, got, memory_order_release);
	if (got == atomic_load_explicit(&ring->put, memory_order_acquire))
		return false;
	note = note_at(ring, got);
	if (!note->size) {
		got += RING_BYTES - got % RING_BYTES;
		atomic_store_explicit(&ring->got, got, memory_order_release);
		note = note_at(ring, got);
	}
	ring->reading = note->size;
	memcpy(ret->device, note->device, sizeof(ret->device));
	ret->at = note->at;
	ret->bytes = note->bytes;
	ret->id = note->id;
	ret->generation = note->generation;
	ret->bits = note->bits;
	ret->key = span_make(note->text, note->key_n);
	ret->host = span_make(note->text + note->key_n, note->host_n);
	return true;
}
