/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Death in two phases. First a transaction removes the record and writes a row here. When it is
 * committed, and every reader that was inside then has been outside, nobody can find the id any more; when
 * besides no lease is left, nobody has it. Then a second transaction deletes the chunks and the row.
 *
 *	(none) --doom_add()--> added --doom_committed()--> waiting --doom_sweep()--> removed --doom_committed()--> (none)
 *
 * An entry that was added or removed in a transaction that came to nothing goes back to where it was
 * (doom_aborted). An entry of an unborn id was never findable, so its leases alone decide: its producer has
 * one, and so has each piece of work that waits for the writer.
 */
#include <stdlib.h>

#define HASH_NONFATAL_OOM	   1
#define uthash_nonfatal_oom(entry) ((entry)->oom = true)
#include <uthash.h>

#include "cache/doom.h"
#include "firmware/base/stat.h"

struct doom_id {
	uint64_t id;
	uint64_t index;
};

struct doom {
	struct doom_id key;
	enum doom_kind kind;
	uint64_t pages;
	uint64_t epoch;		    /* readers from here on can't find it */
	bool added, removed;	    /* in the transaction under way */
	enum doom_kind kind_before; /* 0: was not there before it */
	uint64_t pages_before;
	bool deferred; /* counted as waiting for a reader */
	bool oom;
	struct doom *next_changed;
	UT_hash_handle hh;
};

static struct doom *entry_find(const struct doom_set *set, uint64_t id, uint32_t index)
{
	struct doom_id key = { .id = id, .index = index };
	struct doom *doom;

	HASH_FIND(hh, set->all, &key, sizeof(key), doom);
	return doom;
}

static struct doom *entry_new(struct doom_set *set, uint64_t id, uint32_t index,
			      enum doom_kind kind, uint64_t pages)
{
	struct doom *doom = calloc(1, sizeof(*doom));

	if (!doom)
		return NULL;
	doom->key = (struct doom_id){ .id = id, .index = index };
	doom->kind = kind;
	doom->pages = pages;
	HASH_ADD(hh, set->all, key, sizeof(doom->key), doom);
	if (doom->oom) {
		free(doom);
		return NULL;
	}
	set->pages += pages;
	return doom;
}

static void entry_free(struct doom_set *set, struct doom *doom)
{
	set->pages -= doom->pages;
	HASH_DEL(set->all, doom);
	free(doom);
}

static void entry_changed(struct doom_set *set, struct doom *doom, bool new)
{
	if (doom->added || doom->removed)
		return; /* is on the list */
	doom->kind_before = new ? 0 : doom->kind;
	doom->pages_before = doom->pages;
	doom->next_changed = set->changed;
	set->changed = doom;
}

static int row_read(const MDB_val *key, const MDB_val *value, uint64_t *id, uint32_t *index,
		    uint64_t *pages, enum doom_kind *kind)
{
	struct cursor c = cursor_make(value->mv_data, value->mv_size);
	uint8_t byte;

	if (db_read_doomed(key, id, index) < 0 || cursor_u64be(&c, pages) < 0 ||
	    cursor_u8(&c, &byte) < 0 || (byte != DOOM_UNBORN && byte != DOOM_REMOVED))
		return -EBADMSG;
	*kind = (enum doom_kind)byte;
	return 0;
}

int doom_load(struct doom_set *set, const struct db *db, MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, db->dbi[DB_DOOMED], &cursor);

	if (rc)
		return db_error(rc);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		enum doom_kind kind;
		uint64_t id, pages;
		uint32_t index;

		if (row_read(&key, &value, &id, &index, &pages, &kind) < 0)
			rc = MDB_CORRUPTED;
		else if (!entry_new(set, id, index, kind, pages))
			rc = ENOMEM;
		if (rc)
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : db_error(rc);
}

void doom_free(struct doom_set *set)
{
	struct doom *doom, *next;

	HASH_ITER(hh, set->all, doom, next)
	entry_free(set, doom);
	set->changed = NULL;
}

enum doom_kind doom_find(const struct doom_set *set, uint64_t id, uint32_t index)
{
	struct doom *doom = entry_find(set, id, index);

	return doom && !doom->removed ? doom->kind : 0;
}

bool doom_empty(const struct doom_set *set)
{
	return !set->all;
}

int doom_add(struct doom_set *set, const struct db *db, MDB_txn *txn, uint64_t id, uint32_t index,
	     enum doom_kind kind, uint64_t pages)
{
	uint8_t key_bytes[DB_DOOMED_BYTES], value_bytes[9];
	MDB_val key = db_val(key_bytes, sizeof(key_bytes));
	MDB_val value = db_val(value_bytes, sizeof(value_bytes));
	struct doom *doom = entry_find(set, id, index);
	int rc;

	db_doomed_key(id, index, key_bytes);
	db_put_u64(value_bytes, pages);
	value_bytes[8] = (uint8_t)kind;
	CHECK(!doom || doom->removed);
	rc = db_error(mdb_put(txn, db->dbi[DB_DOOMED], &key, &value, 0));
	if (rc)
		return rc;
	if (doom) {
		/* Removed earlier in this transaction, and now here again with another meaning. */
		set->pages += pages - doom->pages;
		doom->pages = pages;
		doom->kind = kind;
		doom->removed = false;
		doom->added = true;
		return 0;
	}
	doom = entry_new(set, id, index, kind, pages);
	if (!doom)
		return -ENOMEM;
	entry_changed(set, doom, true);
	doom->added = true;
	return 0;
}

static int entry_remove(struct doom_set *set, const struct db *db, MDB_txn *txn, struct doom *doom)
{
	uint8_t key_bytes[DB_DOOMED_BYTES];
	MDB_val key = db_val(key_bytes, sizeof(key_bytes));
	int rc;

	db_doomed_key(doom->key.id, (uint32_t)doom->key.index, key_bytes);
	rc = mdb_del(txn, db->dbi[DB_DOOMED], &key, NULL);
	if (rc && rc != MDB_NOTFOUND)
		return db_error(rc);
	entry_changed(set, doom, false);
	doom->removed = true;
	return 0;
}

int doom_remove(struct doom_set *set, const struct db *db, MDB_txn *txn, uint64_t id)
{
	struct doom *doom = entry_find(set, id, DB_ALL_CHUNKS);

	CHECK(doom && !doom->removed);
	return entry_remove(set, db, txn, doom);
}

/* ---- the second phase ------------------------------------------------------------------------ */

static bool entry_ripe(struct doom *doom, struct store *store)
{
	if (doom->added || doom->removed)
		return false;
	if (doom->kind == DOOM_REMOVED && !store_epoch_over(store, doom->epoch))
		return false;
	if (!lease_held(atomic_load(&store->leases), doom->key.id))
		return true;
	if (doom->kind == DOOM_REMOVED && !doom->deferred) {
		doom->deferred = true;
		STAT_INC(STAT_LEASES_DEFERRED);
	}
	return false;
}

bool doom_ripe(struct doom_set *set, struct store *store)
{
	struct doom *doom, *next;

	HASH_ITER(hh, set->all, doom, next)
	if (entry_ripe(doom, store))
		return true;
	return false;
}

uint64_t doom_held(const struct doom_set *set, struct store *store)
{
	struct lease_table *leases = atomic_load(&store->leases);
	struct doom *doom, *next;
	uint64_t pages = 0;

	HASH_ITER(hh, set->all, doom, next)
	if (!doom->removed && doom->pages && lease_held(leases, doom->key.id))
		pages += doom->pages;
	return pages;
}

/* Deletes chunk rows of an id from `index` on (only that one, or all). Gives how many. */
static int rows_delete(struct store *store, MDB_txn *txn, const struct doom *doom, unsigned max,
		       unsigned *ret_n)
{
	bool all = doom->key.index == DB_ALL_CHUNKS;
	struct db_chunk_key from = { .id = doom->key.id,
				     .index = all ? 0 : (uint32_t)doom->key.index };
	uint8_t bytes[DB_CHUNK_BYTES];
	MDB_cursor *cursor;
	unsigned n = 0;
	int rc = mdb_cursor_open(txn, store->db.dbi[DB_CHUNKS], &cursor);

	if (rc)
		return db_error(rc);
	db_chunk_key(&from, bytes);
	while (n < max) {
		MDB_val key = db_val(bytes, sizeof(bytes)), value;

		rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
		/* Only the first bytes decide: rows whose rest is damaged go as well. */
		if (rc || key.mv_size != DB_CHUNK_BYTES ||
		    memcmp(key.mv_data, bytes, all ? 8 : 12) != 0)
			break;
		if (!db_value_sound(&store->db, &value)) {
			rc = MDB_CORRUPTED;
			break;
		}
		store_unverify(store, value.mv_data);
		rc = mdb_cursor_del(cursor, 0);
		if (rc)
			break;
		n++;
	}
	mdb_cursor_close(cursor);
	*ret_n = n;
	return rc == MDB_NOTFOUND ? 0 : db_error(rc);
}

int doom_sweep(struct doom_set *set, struct store *store, MDB_txn *txn, unsigned max)
{
	struct doom *doom, *next;
	int rc = 0;

	HASH_ITER(hh, set->all, doom, next)
	{
		unsigned n = 0;

		if (!entry_ripe(doom, store))
			continue;
		rc = rows_delete(store, txn, doom, max, &n);
		if (rc)
			break;
		max -= n;
		if (max == 0)
			break; /* perhaps not all of it: the row stays, its rest goes next time */
		rc = entry_remove(set, &store->db, txn, doom);
		if (rc)
			break;
	}
	return rc;
}

void doom_committed(struct doom_set *set, uint64_t epoch)
{
	struct doom *doom, *next;

	for (doom = set->changed; doom; doom = next) {
		next = doom->next_changed;
		if (doom->removed) {
			entry_free(set, doom);
			continue;
		}
		if (doom->added)
			doom->epoch = epoch;
		doom->added = doom->removed = false;
	}
	set->changed = NULL;
}

void doom_aborted(struct doom_set *set)
{
	struct doom *doom, *next;

	for (doom = set->changed; doom; doom = next) {
		next = doom->next_changed;
		if (doom->kind_before == 0) {
			entry_free(set, doom);
			continue;
		}
		set->pages += doom->pages_before - doom->pages;
		doom->pages = doom->pages_before;
		doom->kind = doom->kind_before;
		doom->added = doom->removed = false;
	}
	set->changed = NULL;
}

int doom_measure(const struct db *db, MDB_txn *txn, uint64_t id, uint64_t *ret_pages,
		 uint64_t *ret_chunks)
{
	struct db_chunk_key from = { .id = id };
	uint8_t bytes[DB_CHUNK_BYTES];
	MDB_val key = db_val(bytes, sizeof(bytes)), value;
	uint64_t pages = 0, chunks = 0;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, db->dbi[DB_CHUNKS], &cursor);

	if (rc)
		return db_error(rc);
	db_chunk_key(&from, bytes);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (key.mv_size != DB_CHUNK_BYTES || memcmp(key.mv_data, bytes, 8) != 0)
			break;
		pages += (value.mv_size + DB_PAGE_HEADER + DB_PAGE - 1) / DB_PAGE;
		chunks++;
	}
	mdb_cursor_close(cursor);
	if (rc && rc != MDB_NOTFOUND)
		return db_error(rc);
	*ret_pages = pages;
	*ret_chunks = chunks;
	return 0;
}
