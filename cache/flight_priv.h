/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rooms of a flight share: flight.c (table, seats), flight_body.c (producer, window) and
 * flight_keep.c (what goes to the store). Nobody else includes this.
 *
 * Locks, in this order: a shard's (the table: who is in it, `tabled`), then a flight's (everything
 * else that is not fixed). The writer's queue is called with neither held. Wake-ups run under the
 * flight's lock.
 */
#ifndef CACHE_FLIGHT_PRIV_H
#define CACHE_FLIGHT_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/flight.h"

#define FLIGHT_SHARDS  64
#define FLIGHT_BUCKETS 64 /* lists in a shard */
#define FLIGHT_ALONES  32 /* keys remembered as not to be collapsed, in a shard */

/* One chunk of the body, as far as this flight is concerned. */
enum slot_state {
	SLOT_NONE,
	SLOT_FILLING, /* the producer writes behind what is published */
	SLOT_HELD,    /* in memory only, until each reader has passed it */
	SLOT_QUEUED,  /* in memory, until the writer has committed it */
	SLOT_STORED,  /* in the store, leased by the flight */
	SLOT_GONE,    /* not to be had any more */
};

struct slot {
	struct chunk *chunk; /* FILLING, HELD, QUEUED: a reference */
	enum slot_state state;
};

TAILQ_HEAD(flight_readers, flight_reader);

struct flight {
	atomic_uint
		refs; /* the table, the producer, each seat, each chunk or record with the writer */

	/* Fixed from the start, but for flight_rekey(), which the producer may call before there is a head. */
	struct flights *all;
	uint8_t hash[CACHE_KEY_HASH_BYTES]; /* of the key, with `keyed` */
	bool keyed;
	struct flight_want want;

	/* The shard's lock. */
	bool tabled;
	bool shown; /* counted in the shard: what it has is newer than the store's */
	LIST_ENTRY(flight) link;

	pthread_mutex_t lock; /* all below */

	enum flight_state state;
	int error;
	bool background; /* goes on without readers */
	bool shared;	 /* others than the leader may have it */

	/* Fixed once state is not NEW. */
	enum flight_verdict verdict;
	struct object *object;
	char *extra; /* head.extra, or NULL */
	size_t extra_n;
	uint64_t first; /* offset of the first slot's first byte, a multiple of the chunk size */
	bool partial;

	int64_t length; /* of the whole object; -1: unknown yet */
	uint64_t published;
	uint64_t floor; /* bytes before it may be gone */

	struct slot *slots;
	uint32_t slots_n, slots_room;
	uint32_t held;	  /* slots with a chunk */
	uint32_t trimmed; /* slots before it are GONE */
	struct chunk_waiter chunk_waiter;

	struct flight_readers readers;
	uint32_t readers_n;
	struct flight_producer *producer;
	struct flight_producer *waiting_producer; /* fixed by flight_produce() */

	/* flight_keep.c */
	bool keeping;	     /* chunks go to the store */
	uint16_t answered;   /* the status of what it is made of, if not the object's */
	bool merging;	     /* ... to an object that was there before */
	bool awaited;	     /* the record that others' parts belong to is with the writer */
	uint64_t id;	     /* of the stored object */
	struct lease *lease; /* on it; fixed once state is not NEW */
	bool dropped;	     /* it shall not be stored: set with the shard's lock, too */
	bool put;	     /* the writer has the record */
	bool settled;	     /* nothing of this flight will change in the store any more */
};

struct alone_mark {
	uint8_t hash[CACHE_KEY_HASH_BYTES];
	uint64_t until; /* mono_ms; 0: empty */
};

struct shard {
	pthread_mutex_t lock;
	LIST_HEAD(, flight) buckets[FLIGHT_BUCKETS];
	atomic_uint shown[FLIGHT_BUCKETS]; /* of the flights in a bucket; read without the lock */
	struct alone_mark alone[FLIGHT_ALONES];
	unsigned alone_next;
};

struct flights {
	struct store *store;
	struct writer *writer;
	struct chunk_pool *pool;
	struct flight_limits limits;
	atomic_uint count;
	struct shard shards[FLIGHT_SHARDS];
};

/* flight.c */
void flight_unlist(struct flight *flight); /* out of the table; takes the shard's lock */
/* All that it will give is there, or is about to be: from now on flight_see() finds it. The producer's thread. */
void flight_show(struct flight *flight);
void flight_mark_alone(struct flight *flight, struct now now);
/* It began alone, but can be shared: from now on others find it, and the key is collapsed again. */
void flight_relist(struct flight *flight);
/* Out of the table, and under another key from the next flight_relist() on. Nobody else may know the key yet. */
void flight_rekey(struct flight *flight, const struct cache_key *key);
/* What else is being fetched under its key is older: it is not stored any more. */
void flight_supersede(struct flight *flight);
void flight_wake_readers(struct flight *flight);  /* lock held */
void flight_wake_producer(struct flight *flight); /* lock held */

/* flight_body.c; with the lock held */
void flight_trim(struct flight *flight);
void flight_slot_drop(struct flight *flight, uint32_t i, enum slot_state state);
void flight_slots_free(struct flight *flight);

/* flight_keep.c; called without locks by the producer's thread */
void flight_keep_begin(struct flight *flight, uint64_t store_id);
void flight_keep_chunk(struct flight *flight, uint32_t i);
void flight_keep_end(struct flight *flight, int rc);

#endif
