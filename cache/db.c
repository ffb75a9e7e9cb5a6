/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LMDB environment.
 *
 * Flags: NOTLS, so that a reader's transaction belongs to its store_reader and not to a thread; NORDAHEAD, as
 * pages of the tree are read at random (chunks are read through the descriptor, with readahead).
 * Commits are fully synchronous: on large commits the second sync was not measurable, and what was
 * called durable stays so after a power cut. WRITEMAP is not used: a full disk would be a SIGBUS.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/db.h"
#include "firmware/base/log.h"

static const char *const table_names[DB_TABLES] = { "objects", "chunks", "ids",
						    "doomed",  "meta",	 "state" };

/* ---- errors ---------------------------------------------------------------------------------- */

int db_error(int mdb_rc)
{
	switch (mdb_rc) {
	case 0:
		return 0;
	case MDB_NOTFOUND:
		return -ENOENT;
	case MDB_MAP_FULL:
		return -EDQUOT; /* the store's own; a quota of the file system is a full disk */
	case MDB_DBS_FULL:
	case EDQUOT:
	case EFBIG: /* the file may not grow: a limit of the process or the file system */
		return -ENOSPC;
	case MDB_TXN_FULL:
		return -E2BIG;
	case MDB_READERS_FULL:
		return -EUSERS;
	case MDB_PANIC:
	case MDB_MAP_RESIZED:
		return -ENOTRECOVERABLE;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_BAD_VALSIZE:
		return -EBADMSG;
	default:
		/* A positive number is an errno; other LMDB codes are misuse of it. */
		return mdb_rc > 0 ? -mdb_rc : -EIO;
	}
}

/* ---- page classes ---------------------------------------------------------------------------- */

uint32_t db_class_pages(size_t n)
{
	uint32_t pages = (uint32_t)((n + DB_PAGE_HEADER + DB_PAGE - 1) / DB_PAGE);
	uint32_t class = 1;

	/* 1, 2, 3, 4, 6, 8, 12, 16, 24 ...: never more than a third of it is padding. */
	while (class < pages) {
		if (class >= 2 && class + class / 2 >= pages)
			return class + class / 2;
		class *= 2;
	}
	return class;
}

size_t db_class_bytes(uint32_t pages)
{
	return (size_t)pages * DB_PAGE - DB_PAGE_HEADER;
}

/* ---- keys ------------------------------------------------------------------------------------ */

void db_put_u32(uint8_t *p, uint32_t value)
{
	for (int i = 3; i >= 0; i--, value >>= 8)
		p[i] = (uint8_t)value;
}

void db_put_u64(uint8_t *p, uint64_t value)
{
	db_put_u32(p, (uint32_t)(value >> 32));
	db_put_u32(p + 4, (uint32_t)value);
}

void db_id_key(uint64_t id, uint8_t ret_key[DB_ID_BYTES])
{
	db_put_u64(ret_key, id);
}

void db_doomed_key(uint64_t id, uint32_t index, uint8_t ret_key[DB_DOOMED_BYTES])
{
	db_put_u64(ret_key, id);
	db_put_u32(ret_key + 8, index);
}

void db_chunk_key(const struct db_chunk_key *key, uint8_t ret_key[DB_CHUNK_BYTES])
{
	db_put_u64(ret_key, key->id);
	db_put_u32(ret_key + 8, key->index);
	db_put_u32(ret_key + 12, key->bytes);
	db_put_u64(ret_key + 16, key->sum);
}

int db_read_id(const MDB_val *key, uint64_t *ret_id)
{
	struct cursor c = cursor_make(key->mv_data, key->mv_size);

	return key->mv_size == DB_ID_BYTES ? cursor_u64be(&c, ret_id) : -EBADMSG;
}

int db_read_doomed(const MDB_val *key, uint64_t *ret_id, uint32_t *ret_index)
{
	struct cursor c = cursor_make(key->mv_data, key->mv_size);

	if (key->mv_size != DB_DOOMED_BYTES || cursor_u64be(&c, ret_id) < 0)
		return -EBADMSG;
	return cursor_u32be(&c, ret_index);
}

int db_read_chunk(const MDB_val *key, const MDB_val *value, struct db_chunk_key *ret_key)
{
	struct cursor c = cursor_make(key->mv_data, key->mv_size);
	struct db_chunk_key k = { 0 };

	if (key->mv_size != DB_CHUNK_BYTES || cursor_u64be(&c, &k.id) < 0 ||
	    cursor_u32be(&c, &k.index) < 0 || cursor_u32be(&c, &k.bytes) < 0 ||
	    cursor_u64be(&c, &k.sum) < 0)
		return -EBADMSG;
	if (k.bytes > CONFIG_CHUNK_BYTES ||
	    value->mv_size != db_class_bytes(db_class_pages(k.bytes)))
		return -EBADMSG;
	*ret_key = k;
	return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* One of ours has a "format" row; a new one has nothing at all. */
static int format_check(const struct db *db, MDB_txn *txn)
{
	MDB_val name = db_val("format", 6), value;
	MDB_stat stat;
	uint8_t ours[8];
	int rc;

	db_put_u32(ours, DB_FORMAT);
	db_put_u32(ours + 4, CONFIG_CHUNK_BYTES);
	rc = mdb_get(txn, db->dbi[DB_META], &name, &value);
	if (rc == 0)
		return span_eq(db_span(&value), span_make(ours, sizeof(ours))) ? 0 : MDB_INVALID;
	if (rc != MDB_NOTFOUND)
		return rc;
	rc = mdb_stat(txn, db->dbi[DB_META], &stat);
	if (rc)
		return rc;
	if (stat.ms_entries)
		return MDB_INVALID;
	value = db_val(ours, sizeof(ours));
	return mdb_put(txn, db->dbi[DB_META], &name, &value, 0);
}

/* Does the file hold tables that are not ours? LMDB's main table lists them by name. */
static int tables_foreign(MDB_txn *txn, bool *ret_foreign)
{
	MDB_dbi main_dbi;
	MDB_stat stat;
	int rc = mdb_dbi_open(txn, NULL, 0, &main_dbi);

	if (rc == 0)
		rc = mdb_stat(txn, main_dbi, &stat);
	if (rc == 0) {
		MDB_dbi meta;

		/* LMDB itself refuses more tables than announced; ours always have "meta". */
		*ret_foreign = stat.ms_entries && mdb_dbi_open(txn, "meta", 0, &meta) != 0;
	}
	return rc;
}

static int tables_open(struct db *db)
{
	MDB_txn *txn;
	bool foreign = false;
	int rc = mdb_txn_begin(db->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = tables_foreign(txn, &foreign);
	if (rc == 0 && foreign)
		rc = MDB_INVALID;
	for (int i = 0; rc == 0 && i < DB_TABLES; i++)
		rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &db->dbi[i]);
	if (rc == 0)
		rc = format_check(db, txn);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/*
 * The file must hold all pages that its tree may name, or touching the map beyond its end would be
 * a SIGBUS. A little may be missing (the last pages of a commit were free ones), half is damage.
 */
static int file_check(const struct db *db, const MDB_envinfo *info)
{
	off_t want = (off_t)(info->me_last_pgno + 1) * DB_PAGE;
	struct stat st;

	if (fstat(db->fd, &st) < 0)
		return errno;
	if (st.st_size >= want)
		return 0;
	if (st.st_size < want / 2)
		return MDB_CORRUPTED;
	return ftruncate(db->fd, want) < 0 ? errno : 0;
}

/*
 * Where the map begins: LMDB does not tell, but each page starts with its number. The row that is looked at
 * lies in a leaf page of the file, as nothing of this transaction is dirty; the file must agree.
 */
static int base_find(struct db *db)
{
	MDB_val name = db_val("format", 6), value;
	uint8_t bytes[8];
	MDB_txn *txn;
	int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return rc;
	rc = mdb_get(txn, db->dbi[DB_META], &name, &value);
	if (rc == 0) {
		const uint8_t *at = value.mv_data;
		const uint8_t *page = at - (uintptr_t)at % DB_PAGE;
		uint64_t number;

		memcpy(&number, page, sizeof(number));
		db->base = page - number * DB_PAGE;
		if (number >= db->map / DB_PAGE || value.mv_size != sizeof(bytes) ||
		    pread(db->fd, bytes, sizeof(bytes), at - db->base) != sizeof(bytes) ||
		    memcmp(bytes, at, sizeof(bytes)) != 0)
			rc = MDB_CORRUPTED;
	}
	mdb_txn_abort(txn);
	return rc;
}

/* What LMDB's own assertions meet is damage; the report leads to the note of it (store.h). */
__attribute__((noreturn)) static void env_assert(MDB_env *env, const char *text)
{
	(void)env;
	check_failed(text, 0, "lmdb", 0, "tree");
}

static bool keeps_known(void)
{
	int major, minor;

	mdb_version(&major, &minor, NULL);
	return major == 0 && minor == 9;
}

static int env_open(struct db *db, const char *path, size_t map, unsigned readers)
{
	MDB_envinfo info;
	MDB_stat stat;
	int rc = mdb_env_set_mapsize(db->env, map & ~(size_t)(DB_PAGE - 1));

	if (rc == 0)
		rc = mdb_env_set_assert(db->env, env_assert);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(db->env, DB_TABLES + 1);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(db->env, readers);
	if (rc == 0)
		rc = mdb_env_open(db->env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc == 0)
		rc = mdb_env_get_fd(db->env, &db->fd);
	if (rc == 0)
		rc = mdb_env_info(db->env, &info);
	if (rc == 0)
		rc = mdb_env_stat(db->env, &stat);
	if (rc == 0 && stat.ms_psize != DB_PAGE)
		rc = MDB_INVALID;
	if (rc == 0)
		rc = file_check(db, &info);
	if (rc == 0)
		rc = tables_open(db);
	if (rc == 0)
		rc = mdb_env_info(db->env, &info);
	if (rc)
		return rc;
	db->map = info.me_mapsize;
	db->keeps = keeps_known();
	return base_find(db);
}

static char *path_join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

int db_open(const char *dir, size_t map, unsigned readers, struct db *ret_db)
{
	struct db db = { .fd = -1 };
	char *path = path_join(dir, DB_FILE);
	int rc = path ? mdb_env_create(&db.env) : ENOMEM;

	if (rc == 0) {
		rc = env_open(&db, path, map, readers);
		if (rc)
			mdb_env_close(db.env); /* also after a failed open, says its manual */
	}
	free(path);
	if (rc == 0)
		*ret_db = db;
	return db_error(rc);
}

void db_close(struct db *db)
{
	mdb_env_close(db->env);
	*db = (struct db){ .fd = -1 };
}

bool db_disk_full(const struct db *db, size_t bytes)
{
	struct stat st;
	bool full;

	if (fstat(db->fd, &st) < 0)
		return false;
	full = fallocate(db->fd, 0, st.st_size, (off_t)bytes) < 0 && db_error(errno) == -ENOSPC;
	(void)!ftruncate(db->fd, st.st_size);
	return full;
}

/* One broken file is worth keeping, more would only fill the disk. */
static void broken_remove(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return;
	while ((entry = readdir(d)) != NULL) {
		if (strncmp(entry->d_name, DB_FILE ".broken-", sizeof(DB_FILE ".broken-") - 1) == 0)
			(void)!unlinkat(dirfd(d), entry->d_name, 0);
	}
	closedir(d);
}

int db_set_aside(const char *dir, int64_t time)
{
	char *from = path_join(dir, DB_FILE);
	char *to = NULL;
	int rc = 0;

	if (from && asprintf(&to, "%s.broken-%lld", from, (long long)time) < 0)
		to = NULL;
	if (!to)
		rc = -ENOMEM;
	if (rc == 0) {
		broken_remove(dir);
		rc = rename(from, to) < 0 ? -errno : 0;
		LOG(LOG_L_ERROR, "store.set_aside", "file=%s rc=%d", LOG_QUOTE(span_of(to)), rc);
	}
	free(from);
	free(to);
	return rc;
}

/* ---- figures --------------------------------------------------------------------------------- */

int db_pages(const struct db *db, MDB_txn *txn, uint64_t *ret_live, uint64_t *ret_file)
{
	uint64_t live = 2; /* the two meta pages */
	MDB_envinfo info;
	int rc = mdb_env_info(db->env, &info);

	/* Tables 0 and 1 are LMDB's own: the free list, and the list of tables. */
	for (unsigned i = 0; rc == 0 && i < DB_TABLES + 2; i++) {
		MDB_stat stat = { 0 };

		rc = mdb_stat(txn, i < 2 ? i : db->dbi[i - 2], &stat);
		live += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	}
	if (rc)
		return db_error(rc);
	*ret_live = live;
	*ret_file = info.me_last_pgno + 1;
	return 0;
}

/* LMDB's table 0 lists under each transaction's number the pages that it freed: how many, then which. */
static int freed_count(MDB_txn *txn, uint64_t *ret_pages)
{
	uint64_t last = mdb_txn_id(txn), number = 0;
	MDB_val key, value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, 0, &cursor);

	*ret_pages = 0;
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	if (rc == 0 && key.mv_size == sizeof(number))
		memcpy(&number, key.mv_data, sizeof(number));
	if (rc == 0 && number == last && value.mv_size >= sizeof(*ret_pages))
		memcpy(ret_pages, value.mv_data, sizeof(*ret_pages));
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int db_pages_pending(const struct db *db, uint64_t *ret_pages)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn);

	if (rc)
		return db_error(rc);
	rc = freed_count(txn, ret_pages);
	mdb_txn_abort(txn);
	return db_error(rc);
}

/* LMDB's page header (its MDB_page): number, padding, flags, and for large values how many pages. */
struct page_header {
	uint64_t number;
	uint16_t pad, flags;
	uint32_t pages;
};
_Static_assert(sizeof(struct page_header) == DB_PAGE_HEADER, "as in mdb.c");
#define PAGE_OVERFLOW 0x04
#define PAGE_DIRTY    0x10
#define PAGE_KEEP     0x8000

static struct page_header value_header(const MDB_val *value)
{
	struct page_header header;

	memcpy(&header, (const uint8_t *)value->mv_data - sizeof(header), sizeof(header));
	return header;
}

uint64_t db_value_page(const MDB_val *value)
{
	return value_header(value).number;
}

bool db_value_sound(const struct db *db, const MDB_val *value)
{
	const uint8_t *at = value->mv_data;
	struct page_header header;

	if (value->mv_size <= DB_PAGE / 2)
		return true;
	header = value_header(value);
	if (at >= db->base && at < db->base + db->map &&
	    header.number != (uint64_t)(at - db->base) / DB_PAGE)
		return false;
	return header.flags & PAGE_OVERFLOW &&
	       header.pages == (value->mv_size + DB_PAGE_HEADER + DB_PAGE - 1) / DB_PAGE;
}

/*
 * The page of a value that was just put is memory of LMDB's, written out by the commit, unless it is marked KEEP, as
 * LMDB itself does with pages that it is not done with (mdb.c, mdb_page_flush(); the same in all of 0.9). The file's
 * pages are the transaction's own already: nobody reads them before the commit, and if there is none they are free.
 * Were a page so marked written all the same, its chunk's checksum would tell.
 */
int db_value_write(const struct db *db, const MDB_val *value, uint8_t *pages)
{
	uint8_t *at = (uint8_t *)value->mv_data - DB_PAGE_HEADER;
	struct page_header header = value_header(value), on_disk = { 0 };
	size_t size = (size_t)header.pages * DB_PAGE;
	ssize_t n;

	if (!db->keeps || header.flags != (PAGE_OVERFLOW | PAGE_DIRTY) ||
	    size != value->mv_size + DB_PAGE_HEADER)
		return -EOPNOTSUPP;
	on_disk.number = header.number;
	on_disk.flags = PAGE_OVERFLOW;
	on_disk.pages = header.pages;
	memcpy(pages, &on_disk, sizeof(on_disk));
	do {
		n = pwrite(db->fd, pages, size, (off_t)(header.number * DB_PAGE));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return db_error(errno);
	if ((size_t)n != size)
		return -EIO; /* as LMDB says to that */
	header.flags |= PAGE_KEEP;
	memcpy(at, &header, sizeof(header));
	return 0;
}

static int table_last_id(const struct db *db, MDB_txn *txn, enum db_table table, uint64_t *id)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, db->dbi[table], &cursor);

	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	if (rc == 0) {
		struct cursor c = cursor_make(key.mv_data, key.mv_size);
		uint64_t last;

		if (cursor_u64be(&c, &last) < 0)
			rc = MDB_CORRUPTED;
		else if (last > *id)
			*id = last;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int db_last_id(const struct db *db, MDB_txn *txn, uint64_t *ret_id)
{
	static const enum db_table tables[] = { DB_CHUNKS, DB_IDS, DB_DOOMED };
	uint64_t id = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(tables); i++)
		rc = table_last_id(db, txn, tables[i], &id);
	if (rc == 0)
		*ret_id = id;
	return db_error(rc);
}
