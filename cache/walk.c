/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking all objects over: the rows of `ids` lead to the records, some of which are copied in one transaction; then
 * on from the last id. The callback sees the copies, so it may take as long as it likes.
 */
#include "cache/walk.h"

#include <stdlib.h>

#include "cache/store_priv.h"

/* Copied in one transaction: bounds how long pages can't be reused, and the memory. */
#define WALK_BYTES (64u << 10)
#define WALK_ROWS  256

struct store_walk {
	struct store_reader *reader;
	enum walk_order order;
	uint64_t at; /* the last id seen; 0: none */
	bool over;
	uint8_t *records; /* size u64 native, then the bytes, one after the other */
	size_t size, n;
};

int store_walk_new(struct store_reader *reader, enum walk_order order, uint64_t after,
		   struct store_walk **ret_walk)
{
	struct store_walk *walk = calloc(1, sizeof(*walk));

	if (!walk)
		return -ENOMEM;
	walk->reader = reader;
	walk->order = order;
	walk->at = after;
	*ret_walk = walk;
	return 0;
}

void store_walk_free(struct store_walk **walk)
{
	if (!*walk)
		return;
	free((*walk)->records);
	free(*walk);
	*walk = NULL;
}

bool store_walk_over(const struct store_walk *walk)
{
	return walk->over;
}

static int walk_room(struct store_walk *walk, size_t n)
{
	size_t size = walk->size ? walk->size : WALK_BYTES;
	uint8_t *records;

	while (size - walk->n < n)
		size *= 2;
	if (size == walk->size)
		return 0;
	records = realloc(walk->records, size);
	if (!records)
		return ENOMEM;
	walk->records = records;
	walk->size = size;
	return 0;
}

/* Copies the record that a row of `ids` leads to. What leads nowhere is passed over: eviction finds that. */
static int walk_add(struct store_walk *walk, MDB_val *hash)
{
	struct store_reader *reader = walk->reader;
	struct object object;
	MDB_val value;
	uint64_t n;
	int rc;

	if (hash->mv_size != CACHE_KEY_HASH_BYTES)
		return MDB_CORRUPTED;
	rc = mdb_get(reader->txn, reader->store->db.dbi[DB_OBJECTS], hash, &value);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (object_decode(db_span(&value), &object)) {
		store_record_bad(reader->store, hash->mv_data);
		return 0;
	}
	n = value.mv_size;
	rc = walk_room(walk, sizeof(n) + n);
	if (rc)
		return rc;
	memcpy(walk->records + walk->n, &n, sizeof(n));
	memcpy(walk->records + walk->n + sizeof(n), value.mv_data, n);
	walk->n += sizeof(n) + n;
	return 0;
}

/* Moves the cursor to the first row not seen yet. */
static int walk_seek(struct store_walk *walk, MDB_cursor *cursor, MDB_val *key, MDB_val *value)
{
	bool newest = walk->order == WALK_NEWEST;
	uint8_t bytes[DB_ID_BYTES];
	int rc;

	if (!walk->at)
		return mdb_cursor_get(cursor, key, value, newest ? MDB_LAST : MDB_FIRST);
	db_id_key(newest ? walk->at : walk->at + 1, bytes);
	*key = db_val(bytes, sizeof(bytes));
	rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
	if (newest && rc == MDB_NOTFOUND)
		return mdb_cursor_get(cursor, key, value, MDB_LAST);
	return newest && rc == 0 ? mdb_cursor_get(cursor, key, value, MDB_PREV) : rc;
}

static int walk_rows(struct store_walk *walk, MDB_cursor *cursor)
{
	MDB_val key, value;
	int rc = walk_seek(walk, cursor, &key, &value);

	for (unsigned rows = 0; rc == 0; rows++) {
		if (rows == WALK_ROWS || walk->n >= WALK_BYTES)
			return 0;
		if (db_read_id(&key, &walk->at) < 0)
			return MDB_CORRUPTED;
		rc = walk_add(walk, &value);
		if (rc == 0)
			rc = mdb_cursor_get(cursor, &key, &value,
					    walk->order == WALK_NEWEST ? MDB_PREV : MDB_NEXT);
	}
	return rc;
}

/* Copies the next records in one transaction. */
static int walk_fill(struct store_walk *walk)
{
	struct store *store = walk->reader->store;
	MDB_cursor *cursor;
	int rc;

	walk->n = 0;
	if (store_enter(walk->reader))
		return -EIO;
	rc = mdb_cursor_open(walk->reader->txn, store->db.dbi[DB_IDS], &cursor);
	if (rc == 0) {
		rc = walk_rows(walk, cursor);
		mdb_cursor_close(cursor);
	}
	store_leave(walk->reader);
	walk->over = rc == MDB_NOTFOUND;
	if (rc == 0 || walk->over)
		return 0;
	if (rc == ENOMEM)
		return -ENOMEM;
	(void)!store_read_failed(store, rc);
	return -EIO;
}

int store_walk_step(struct store_walk *walk, store_each_f *f, void *arg)
{
	uint64_t n;
	int rc;

	if (walk->over)
		return 0;
	rc = walk_fill(walk);
	for (size_t at = 0; rc == 0 && at < walk->n; at += sizeof(n) + n) {
		struct object object;

		memcpy(&n, walk->records + at, sizeof(n));
		if (object_decode(span_make(walk->records + at + sizeof(n), n), &object) == 0)
			rc = f(&object, arg);
	}
	return rc;
}

struct each {
	struct span prefix;
	store_each_f *f;
	void *arg;
};

static int each_one(const struct object *object, void *arg)
{
	struct each *each = arg;

	return span_starts(object->key, each->prefix) ? each->f(object, each->arg) : 0;
}

int store_each(struct store_reader *reader, struct span prefix, store_each_f *f, void *arg)
{
	struct each each = { prefix, f, arg };
	struct store_walk *walk = NULL;
	int rc = store_walk_new(reader, WALK_OLDEST, 0, &walk);

	while (rc == 0 && !store_walk_over(walk))
		rc = store_walk_step(walk, each_one, &each);
	store_walk_free(&walk);
	return rc;
}
