/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A closed store's file, looked over whole: every row of every table against the others, every byte of every
 * chunk against its checksum. What the code keeps in step by hand must be in step here.
 */
#ifndef TESTS_UNIT_CACHE_FILE_H
#define TESTS_UNIT_CACHE_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "cache/db.h"

struct file_report {
	uint64_t objects, chunks, doomed, holes;
	uint64_t chunk_pages, live, file; /* pages */
	uint64_t body_bytes;		  /* of chunks, without padding */
	char wrong[200];		  /* "": all is well */
};

#define FILE_WRONG(report, ...)                                                                    \
	do {                                                                                       \
		if (!(report)->wrong[0])                                                           \
			(void)snprintf((report)->wrong, sizeof((report)->wrong), __VA_ARGS__);     \
	} while (0)

struct file_look {
	struct db db;
	MDB_txn *txn;
	struct file_report *report;
};

typedef void file_row_f(struct file_look *look, const MDB_val *key, const MDB_val *value);

__attribute__((unused)) static void file_each(struct file_look *look, enum db_table table,
					      file_row_f *f)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(look->txn, look->db.dbi[table], &cursor);

	CHECK_OK(rc);
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
		f(look, &key, &value);
	if (rc != MDB_NOTFOUND)
		FILE_WRONG(look->report, "table %d: lmdb %d", table, rc);
	mdb_cursor_close(cursor);
}

static bool file_has(struct file_look *look, enum db_table table, const void *key, size_t n,
		     MDB_val *ret_value)
{
	MDB_val k = db_val(key, n);

	return mdb_get(look->txn, look->db.dbi[table], &k, ret_value) == 0;
}

static bool file_doomed(struct file_look *look, uint64_t id, uint32_t index)
{
	uint8_t key[DB_DOOMED_BYTES];
	MDB_val value;

	db_doomed_key(id, index, key);
	return file_has(look, DB_DOOMED, key, sizeof(key), &value);
}

/* The chunk's row, its bytes right. */
static bool file_has_chunk(struct file_look *look, uint64_t id, uint32_t index, uint64_t bytes)
{
	struct db_chunk_key want = { .id = id, .index = index }, got;
	uint8_t buf[DB_CHUNK_BYTES];
	MDB_val key = db_val(buf, sizeof(buf)), value;
	MDB_cursor *cursor;
	int rc;

	db_chunk_key(&want, buf);
	CHECK_OK(mdb_cursor_open(look->txn, look->db.dbi[DB_CHUNKS], &cursor));
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	mdb_cursor_close(cursor);
	return rc == 0 && db_read_chunk(&key, &value, &got) == 0 && got.id == id &&
	       got.index == index && got.bytes == bytes;
}

static void file_object(struct file_look *look, const MDB_val *key, const MDB_val *value)
{
	struct file_report *report = look->report;
	struct cache_key made;
	struct object o;
	uint8_t id[DB_ID_BYTES];
	MDB_val hash;

	report->objects++;
	if (object_decode(db_span(value), &o) < 0) {
		FILE_WRONG(report, "a record does not parse");
		return;
	}
	made = key_of(o.key);
	if (!span_eq(db_span(key), span_make(made.hash, sizeof(made.hash))))
		FILE_WRONG(report, "id %llu: not under its key's hash", (unsigned long long)o.id);
	db_id_key(o.id, id);
	if (!file_has(look, DB_IDS, id, sizeof(id), &hash) ||
	    !span_eq(db_span(&hash), db_span(key)))
		FILE_WRONG(report, "id %llu: no row in ids", (unsigned long long)o.id);
	if (file_doomed(look, o.id, DB_ALL_CHUNKS))
		FILE_WRONG(report, "id %llu: has a record and is doomed", (unsigned long long)o.id);
	for (uint32_t i = 0; i < object_chunks(&o) || i < o.map.n * 8; i++) {
		uint64_t left = o.length < 0
					? UINT64_MAX
					: (uint64_t)o.length - (uint64_t)i * CONFIG_CHUNK_BYTES;

		if (!object_has_chunk(&o, i)) {
			report->holes++;
			continue;
		}
		if (!file_has_chunk(look, o.id, i,
				    left < CONFIG_CHUNK_BYTES ? left : CONFIG_CHUNK_BYTES))
			FILE_WRONG(report, "id %llu: claims chunk %u, which is not there",
				   (unsigned long long)o.id, i);
		if (file_doomed(look, o.id, i))
			FILE_WRONG(report, "id %llu: claims the doomed chunk %u",
				   (unsigned long long)o.id, i);
	}
}

static void file_chunk(struct file_look *look, const MDB_val *key, const MDB_val *value)
{
	struct file_report *report = look->report;
	struct db_chunk_key k;
	uint8_t id[DB_ID_BYTES];
	MDB_val hash;

	if (db_read_chunk(key, value, &k) < 0) {
		FILE_WRONG(report, "a chunk's row does not parse");
		return;
	}
	report->chunks++;
	report->body_bytes += k.bytes;
	report->chunk_pages += (value->mv_size + DB_PAGE_HEADER) / DB_PAGE;
	if (XXH3_64bits(value->mv_data, k.bytes) != k.sum && !file_doomed(look, k.id, k.index))
		FILE_WRONG(report, "id %llu chunk %u: wrong bytes", (unsigned long long)k.id,
			   k.index);
	db_id_key(k.id, id);
	if (!file_has(look, DB_IDS, id, sizeof(id), &hash) &&
	    !file_doomed(look, k.id, DB_ALL_CHUNKS))
		FILE_WRONG(report, "id %llu: chunks that nobody owns", (unsigned long long)k.id);
}

static void file_id(struct file_look *look, const MDB_val *key, const MDB_val *value)
{
	MDB_val record;
	struct object o;
	uint64_t id;

	if (db_read_id(key, &id) < 0)
		FILE_WRONG(look->report, "a row of ids does not parse");
	else if (!file_has(look, DB_OBJECTS, value->mv_data, value->mv_size, &record) ||
		 object_decode(db_span(&record), &o) < 0 || o.id != id)
		FILE_WRONG(look->report, "id %llu: in ids without a record",
			   (unsigned long long)id);
}

static void file_doom(struct file_look *look, const MDB_val *key, const MDB_val *value)
{
	uint64_t id;
	uint32_t index;

	look->report->doomed++;
	if (db_read_doomed(key, &id, &index) < 0 || value->mv_size != 9)
		FILE_WRONG(look->report, "a row of doomed does not parse");
}

/* The store must be closed. */
__attribute__((unused)) static struct file_report file_check_all(const char *dir)
{
	struct file_report report = { 0 };
	struct file_look look = { .report = &report };
	MDB_stat chunks;
	int rc = db_open(dir, 1 << 20, 8, &look.db);

	if (rc) {
		FILE_WRONG(&report, "does not open: %d", rc);
		return report;
	}
	CHECK_OK(mdb_txn_begin(look.db.env, NULL, MDB_RDONLY, &look.txn));
	file_each(&look, DB_OBJECTS, file_object);
	file_each(&look, DB_CHUNKS, file_chunk);
	file_each(&look, DB_IDS, file_id);
	file_each(&look, DB_DOOMED, file_doom);
	CHECK_OK(db_pages(&look.db, look.txn, &report.live, &report.file));
	CHECK_OK(mdb_stat(look.txn, look.db.dbi[DB_CHUNKS], &chunks));
	if (chunks.ms_overflow_pages != report.chunk_pages)
		FILE_WRONG(&report, "%llu pages of chunks, %llu counted",
			   (unsigned long long)chunks.ms_overflow_pages,
			   (unsigned long long)report.chunk_pages);
	mdb_txn_abort(look.txn);
	db_close(&look.db);
	return report;
}

#endif
