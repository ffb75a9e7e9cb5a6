/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store as its own rooms see it: store.c (open, close, heal, readers), lookup.c, walk.c and the writer.
 */
#ifndef CACHE_STORE_PRIV_H
#define CACHE_STORE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/db.h"
#include "cache/evict.h"
#include "cache/lease_priv.h"
#include "cache/store.h"

#define STORE_DAMAGE_MAX 64

/* What a reader found broken; the writer drops it. */
struct store_damage {
	uint64_t id;
	uint32_t index;			    /* DB_ALL_CHUNKS: the record under `hash` */
	uint8_t hash[CACHE_KEY_HASH_BYTES]; /* of the record */
};

/* Written by the writer's thread, read by anybody. */
/* clang-format off */
#define STORE_FIGURES(X) \
	X(limit) X(live) X(doomed) X(file) X(map) X(objects) X(queue_bytes) X(queue_ops) \
	X(commits) X(commit_errors) X(map_full) X(commit_worst_ms) X(lag_ms) X(padding) X(evicted) \
	X(evicted_bytes) X(bad_chunks) X(bad_records) X(set_aside) X(reopened)
/* clang-format on */

struct store {
	/* fixed after store_open() */
	char *path;
	uint64_t limit_wanted; /* config.limit */
	unsigned readers_max;
	uint64_t commit_bytes_wanted;
	uint32_t commit_ms;
	struct evict_marks *marks;

	/* Changed only by the writer's thread (or before there is one), and only while OFFLINE and with
	 * every reader outside. */
	struct db db;
	bool opened;
	uint64_t limit;	       /* bytes of the file */
	uint64_t commit_bytes; /* of a batch: never more than a 16th of the limit */
	unsigned commit_ops;   /* of a batch: each copies a few pages of the tree */
	_Atomic uint64_t
		*verified; /* a bit for each page: the chunk that starts there is checked */
	size_t verified_bytes;
	int lock_fd;

	_Atomic int state; /* enum store_state */
	_Atomic int last_error;
	_Atomic int
		suspect; /* -errno: a reader met a broken tree (-EBADMSG) or a dead environment */
	_Atomic uint64_t next_id;
	_Atomic uint64_t epoch; /* starts at 1 */

	/* Replaced by a new one when the environment goes offline; old ones stay until store_close(). */
	struct lease_table *_Atomic leases;
	struct lease_table *leases_old[8];
	unsigned leases_old_n;

	pthread_mutex_t lock; /* the list of readers, the damage */
	struct store_reader *readers;
	unsigned readers_n;
	struct store_damage damage[STORE_DAMAGE_MAX];
	unsigned damage_n;

	struct {
#define X(name) _Atomic uint64_t name;
		STORE_FIGURES(X)
#undef X
	} figures;
};

struct store_reader {
	_Atomic uint64_t epoch; /* of the store when it went in; 0: outside */
	struct store *store;
	struct lease_table *leases; /* of the environment that it went into */
	MDB_txn *txn; /* reset while outside; NULL: not begun since the environment was opened */
	MDB_cursor *chunks;
	uint8_t *scratch; /* for checking chunks */
	struct store_reader *next;
} __attribute__((aligned(64)));

/*
 * Into a read transaction and out of it. Between them the reader holds up deletion, so it stays for
 * one lookup. 0, -EIO (offline) or -errno.
 */
MUST_USE int store_enter(struct store_reader *reader);
void store_leave(struct store_reader *reader);

/* Remembers damage for the writer. Any thread. */
void store_damaged(struct store *store, const struct store_damage *damage);
/* An LMDB call of a reader failed with `mdb_rc`. Gives -errno. */
int store_read_failed(struct store *store, int mdb_rc);

/* The record under this hash can't be read: counted, and dropped. */
void store_record_bad(struct store *store, const uint8_t *hash);

/*
 * Reads a chunk of a leased id from the file and compares it, checked before or not; drops it if it is damaged. What
 * was not in the page cache does not stay there. 0, or as store_chunk(). *ret_bytes: of it, also if it is damaged.
 */
MUST_USE int store_chunk_check(struct store_reader *reader, uint64_t id, uint32_t index,
			       size_t *ret_bytes);

/* Leaves the note of store_reader_crashed(). Async-signal-safe. */
void store_note_crash(struct store *store);

/* ---- for the writer's thread ----------------------------------------------------------------- */

/* Readers that go in from now on are beyond the returned epoch; older ones may still be inside. */
uint64_t store_epoch_next(struct store *store);
/* Is every reader that went in before that epoch outside by now? */
bool store_epoch_over(struct store *store, uint64_t epoch);

/* The record under a hash. 0, -ENOENT, -EBADMSG (unreadable), -errno. The object dies with `txn`. */
MUST_USE int store_record(struct store *store, MDB_txn *txn, const uint8_t *hash,
			  struct object *ret_object);

/* store_lock.c: 0 (also if it is taken already), -EBUSY (another process has the store), or -errno. */
MUST_USE int store_lock_take(struct store *store);
void store_lock_give(struct store *store);
/* Around opening: sets aside what earlier processes did not survive. 0 or -errno. */
MUST_USE int store_opening_begin(struct store *store, struct now now);
void store_opening_end(struct store *store);

/*
 * Is the file that is open still the one in the directory? 0 (also if that can't be told), -ESTALE (it is removed, or
 * another), -EBADMSG (somebody cut it short), or -errno.
 */
MUST_USE int store_file_check(const struct store *store);

/* Opens the environment; OFFLINE becomes SERVING. 0 or -errno (stays OFFLINE). */
MUST_USE int store_online(struct store *store, struct now now);
/* Every lookup is a miss from now on. */
void store_offline(struct store *store, int error);
/* Closes the environment if nobody uses it any more. */
bool store_retire(struct store *store);
void store_state_enter(struct store *store, enum store_state state, int error);

/* A page run is free or used for something else: what is there is not checked. */
void store_unverify(struct store *store, const void *bytes);

/* Does a checked chunk start in these pages? */
bool store_verified_within(struct store *store, uint64_t page, uint32_t pages);

/* Takes the damage that was reported, at most `max`. */
unsigned store_damage_take(struct store *store, struct store_damage *ret_damage, unsigned max);

#define STORE_FIGURE(store, name) atomic_load_explicit(&(store)->figures.name, memory_order_relaxed)
#define STORE_FIGURE_SET(store, name, v)                                                           \
	atomic_store_explicit(&(store)->figures.name, (v), memory_order_relaxed)
#define STORE_FIGURE_ADD(store, name, v)                                                           \
	atomic_fetch_add_explicit(&(store)->figures.name, (v), memory_order_relaxed)

#endif
