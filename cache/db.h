/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LMDB environment: its file, its tables, its keys. Only the store and the writer look in here.
 *
 *	table	key				value
 *	objects	hash of the key text, 16 bytes	record (object.c); above 2012 bytes padded to a page class
 *	chunks	id u64, index u32,		the chunk's bytes, padded to a page class
 *		bytes u32, XXH3-64 u64
 *	ids	id u64				hash of the key text: objects in the order they came
 *	doomed	id u64, index u32 (all ones:	pages u64, kind u8: chunk rows that wait for their last user
 *		all of the id)
 *	meta	"format"			version u32, CONFIG_CHUNK_BYTES u32
 *		"hand"				id u64 at which eviction goes on
 *	state	name				small rows of others
 *
 * All numbers are big-endian, so that the order of the bytes is the order of the numbers.
 *
 * Page classes: a value of N * 4096 - 16 bytes fills N overflow pages exactly. Only a few N are used, so that
 * a freed run of pages fits what comes next.
 */
#ifndef CACHE_DB_H
#define CACHE_DB_H

#include <lmdb.h>
#include <sys/types.h>

#include "cache/object.h"

#define DB_FORMAT 1
#define DB_FILE	  "store.mdb"

#define DB_PAGE	  4096
/* LMDB's page header, which the first page of a value carries. */
#define DB_PAGE_HEADER 16

enum db_table {
	DB_OBJECTS,
	DB_CHUNKS,
	DB_IDS,
	DB_DOOMED,
	DB_META,
	DB_STATE,
	DB_TABLES
};

struct db {
	MDB_env *env;
	MDB_dbi dbi[DB_TABLES];
	const uint8_t *base; /* of the map: page n is at base + n * DB_PAGE */
	size_t map;	     /* bytes of it */
	int fd;		     /* of the file; LMDB's own, not to be closed */
	bool keeps;	     /* this LMDB leaves out pages that are marked so: db_value_write() */
};

/*
 * Opens or makes the environment `dir`/store.mdb with room for `map` bytes (or what it has). 0;
 * -EBADMSG (broken, foreign, another format: set it aside); -errno of the world (try again later).
 */
MUST_USE int db_open(const char *dir, size_t map, unsigned readers, struct db *ret_db);
void db_close(struct db *db);

/* Renames the file to store.mdb.broken-<time> in its directory and removes older ones of that name. */
MUST_USE int db_set_aside(const char *dir, int64_t time);

/*
 * Is there no room on the disk for so many more bytes? LMDB gives EIO for a write that was cut short, as the last
 * one before ENOSPC usually is. The writer's thread alone.
 */
bool db_disk_full(const struct db *db, size_t bytes);

/*
 * -errno for what an LMDB call gave. -EBADMSG: the file is damaged. -ENOTRECOVERABLE: reopen it. -ENOSPC: the disk is
 * full. -EDQUOT: the map is, or it has no run of pages that is long enough.
 */
int db_error(int mdb_rc);

/* Pages in use, all tables together, and pages of the file. */
MUST_USE int db_pages(const struct db *db, MDB_txn *txn, uint64_t *ret_live, uint64_t *ret_file);

/*
 * Free pages that the next transaction may not use yet, because the last one freed them. The writer's thread, with
 * none open.
 */
MUST_USE int db_pages_pending(const struct db *db, uint64_t *ret_pages);

/*
 * Is the header of a value with pages of its own what it must be? LMDB believes it when it frees the value: a
 * wrong count would free the pages of others. True for small values, which have none.
 */
bool db_value_sound(const struct db *db, const MDB_val *value);
/*
 * Writes a value that MDB_RESERVE has just made room for from pages of the caller's, and keeps LMDB from writing (and
 * having to be given) its own copy. `pages` is DB_PAGE_HEADER bytes for the header, which this fills in, then the value.
 * -EOPNOTSUPP: not with this value, or not with this LMDB: then the room has to be filled. -errno of the disk, as of a
 * commit.
 */
MUST_USE int db_value_write(const struct db *db, const MDB_val *value, uint8_t *pages);
/* The number of such a value's first page. */
uint64_t db_value_page(const MDB_val *value);

/* The highest id in any table, 0 if there is none. */
MUST_USE int db_last_id(const struct db *db, MDB_txn *txn, uint64_t *ret_id);

/* Pages of the class for a value of n bytes, and the bytes of a value that fills them. */
uint32_t db_class_pages(size_t n);
size_t db_class_bytes(uint32_t pages);

/* ---- keys ------------------------------------------------------------------------------------ */

#define DB_ID_BYTES	8
#define DB_CHUNK_BYTES	24
#define DB_DOOMED_BYTES 12
#define DB_ALL_CHUNKS	UINT32_MAX

struct db_chunk_key {
	uint64_t id;
	uint32_t index;
	uint32_t bytes; /* of the chunk, without the padding */
	uint64_t sum;	/* XXH3-64 of them */
};

void db_put_u32(uint8_t *p, uint32_t value);
void db_put_u64(uint8_t *p, uint64_t value);
void db_id_key(uint64_t id, uint8_t ret_key[DB_ID_BYTES]);
void db_doomed_key(uint64_t id, uint32_t index, uint8_t ret_key[DB_DOOMED_BYTES]);
void db_chunk_key(const struct db_chunk_key *key, uint8_t ret_key[DB_CHUNK_BYTES]);

MUST_USE int db_read_id(const MDB_val *key, uint64_t *ret_id);
MUST_USE int db_read_doomed(const MDB_val *key, uint64_t *ret_id, uint32_t *ret_index);
/* Also checks the value: it must be as long as the class of key.bytes. */
MUST_USE int db_read_chunk(const MDB_val *key, const MDB_val *value, struct db_chunk_key *ret_key);

static inline MDB_val db_val(const void *p, size_t n)
{
	return (MDB_val){ n, (void *)(uintptr_t)p };
}

static inline struct span db_span(const MDB_val *val)
{
	return span_make(val->mv_data, val->mv_size);
}

#endif
