/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking all objects over, for tools: a few records a transaction, then on from the last key.
 * The callback sees copies, so it may take as long as it likes.
 */
#include <stdlib.h>

#include "cache/store_priv.h"

/* Copied in one transaction: bounds how long pages can't be reused, and the memory. */
#define WALK_BYTES (64u << 10)

struct walk {
	struct store_reader *reader;
	uint8_t at[CACHE_KEY_HASH_BYTES]; /* the last key seen */
	bool started, over;
	uint8_t *records; /* size u64 native, then the bytes, one after the other */
	size_t size, n;
};

static int walk_room(struct walk *walk, size_t n)
{
	size_t size = walk->size ? walk->size : WALK_BYTES;
	uint8_t *records;

	while (size - walk->n < n)
		size *= 2;
	if (size == walk->size)
		return 0;
	records = realloc(walk->records, size);
	if (!records)
		return -ENOMEM;
	walk->records = records;
	walk->size = size;
	return 0;
}

static int walk_add(struct walk *walk, const MDB_val *key, const MDB_val *value)
{
	uint64_t n = value->mv_size;
	int rc;

	if (key->mv_size != sizeof(walk->at))
		return -EBADMSG;
	rc = walk_room(walk, sizeof(n) + n);
	if (rc)
		return rc;
	memcpy(walk->records + walk->n, &n, sizeof(n));
	memcpy(walk->records + walk->n + sizeof(n), value->mv_data, n);
	memcpy(walk->at, key->mv_data, sizeof(walk->at));
	walk->started = true;
	walk->n += sizeof(n) + n;
	return 0;
}

/* Moves the cursor to the first record not seen yet. */
static int walk_seek(struct walk *walk, MDB_cursor *cursor, MDB_val *key, MDB_val *value)
{
	int rc;

	if (!walk->started)
		return mdb_cursor_get(cursor, key, value, MDB_FIRST);
	*key = db_val(walk->at, sizeof(walk->at));
	rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
	if (rc == 0 && span_eq(db_span(key), span_make(walk->at, sizeof(walk->at))))
		rc = mdb_cursor_get(cursor, key, value, MDB_NEXT);
	return rc;
}

/* Copies the next records in one transaction. */
static int walk_fill(struct walk *walk)
{
	struct store *store = walk->reader->store;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = store_enter(walk->reader);

	if (rc)
		return -EIO;
	walk->n = 0;
	rc = mdb_cursor_open(walk->reader->txn, store->db.dbi[DB_OBJECTS], &cursor);
	if (rc) {
		store_leave(walk->reader);
		return -EIO;
	}
	rc = walk_seek(walk, cursor, &key, &value);
	while (rc == 0) {
		rc = walk_add(walk, &key, &value);
		if (rc || walk->n >= WALK_BYTES)
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	store_leave(walk->reader);
	walk->over = rc == MDB_NOTFOUND;
	if (rc > 0 || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND)
		(void)!store_read_failed(store, rc);
	return rc == 0 || walk->over ? 0 : rc == -ENOMEM ? rc : -EIO;
}

static int walk_show(const struct walk *walk, struct span prefix, store_each_f *f, void *arg)
{
	uint64_t n;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < walk->n; at += sizeof(n) + n) {
		struct object object;

		memcpy(&n, walk->records + at, sizeof(n));
		if (object_decode(span_make(walk->records + at + sizeof(n), n), &object) == 0 &&
		    span_starts(object.key, prefix))
			rc = f(&object, arg);
	}
	return rc;
}

int store_each(struct store_reader *reader, struct span prefix, store_each_f *f, void *arg)
{
	struct walk walk = { .reader = reader };
	int rc = 0;

	while (rc == 0 && !walk.over) {
		rc = walk_fill(&walk);
		if (rc == 0)
			rc = walk_show(&walk, prefix, f, arg);
	}
	free(walk.records);
	return rc;
}
