/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks that wait for their end: in the table `doomed` so that a restart goes on with it, and in
 * memory with what decides when. The writer's thread alone.
 */
#ifndef CACHE_DOOM_H
#define CACHE_DOOM_H

#include "cache/store_priv.h"

struct doom;

struct doom_set {
	struct doom *all;     /* by id and index */
	struct doom *changed; /* in the transaction under way */
	uint64_t pages; /* that will come free; of committed rows and those of this transaction */
};

enum doom_kind {
	DOOM_UNBORN =
		1, /* chunks of an id without a record yet: go when nobody holds it any more */
	DOOM_REMOVED = 2, /* chunks whose record is gone: go when nobody can be in there any more */
};

/* Reads the table after opening. 0 or -errno. */
MUST_USE int doom_load(struct doom_set *set, const struct db *db, MDB_txn *txn);
void doom_free(struct doom_set *set);

/* The entry of an id (index DB_ALL_CHUNKS) or a chunk, as this transaction sees it; 0: none. */
enum doom_kind doom_find(const struct doom_set *set, uint64_t id, uint32_t index);
bool doom_empty(const struct doom_set *set);

MUST_USE int doom_add(struct doom_set *set, const struct db *db, MDB_txn *txn, uint64_t id,
		      uint32_t index, enum doom_kind kind, uint64_t pages);
/* The record came after all. */
MUST_USE int doom_remove(struct doom_set *set, const struct db *db, MDB_txn *txn, uint64_t id);

/* Of `pages`, those that somebody still holds: they come free when a reader is done, who knows when. */
uint64_t doom_held(const struct doom_set *set, struct store *store);

/* Is there something whose time has come? Asks for no transaction. */
bool doom_ripe(struct doom_set *set, struct store *store);
/* Deletes the chunks whose time has come, at most `max` of them, in the transaction. */
MUST_USE int doom_sweep(struct doom_set *set, struct store *store, MDB_txn *txn, unsigned max);

/* The transaction has been committed (readers from `epoch` on don't see what it removed), or has not. */
void doom_committed(struct doom_set *set, uint64_t epoch);
void doom_aborted(struct doom_set *set);

/* Pages of an id's chunks, and how many there are. */
MUST_USE int doom_measure(const struct db *db, MDB_txn *txn, uint64_t id, uint64_t *ret_pages,
			  uint64_t *ret_chunks);

#endif
