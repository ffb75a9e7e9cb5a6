/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: opening, closing, healing, and who may look in when.
 *
 *	            store_online()                 a write failed
 *	  OFFLINE ------------------> SERVING --------------------> DEGRADED
 *	     ^                         |   ^                          |  |
 *	     |  store_offline()        |   +--------------------------+  |
 *	     +-------------------------+      a write went well          |
 *	     +-----------------------------------------------------------+
 *
 * The writer's thread alone changes the state and the environment. Before there is a writer,
 * store_open() does.
 *
 * Invariants
 *  1. A reader touches the environment only between store_enter() and store_leave(), or through a chunk
 *     whose id is leased.
 *  2. The environment is closed only when OFFLINE was shown, after that every reader was seen outside, and
 *     no lease of its time is left. A reader that goes in later sees OFFLINE.
 *  3. An id is given out once: the counter starts above every id in the file.
 *  4. One process has the file: an flock on `lock` in the directory (leases are in memory; store_lock.c).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cache/store_priv.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"

#define STORE_READERS_DEFAULT 128
#define STORE_LIMIT_MIN	      (8u << 20)
#define OPS_MIN		      32
#define OPS_MAX		      2048

static const char *const state_names[] = {
#define X(name, text, help) [STORE_##name] = text,
	STORE_STATES(X)
#undef X
};

const char *store_state_name(enum store_state state)
{
	return state_names[state];
}

enum store_state store_state(const struct store *store)
{
	return (enum store_state)atomic_load(&store->state);
}

void store_state_enter(struct store *store, enum store_state state, int error)
{
	enum store_state old = (enum store_state)atomic_exchange(&store->state, (int)state);

	if (error)
		atomic_store(&store->last_error, error);
	if (old != state)
		LOG(state == STORE_SERVING ? LOG_L_NOTICE : LOG_L_ERROR, "store.state",
		    "from=%s to=%s rc=%d", store_state_name(old), store_state_name(state), error);
}

uint64_t store_id_new(struct store *store)
{
	return atomic_fetch_add(&store->next_id, 1);
}

int store_fd(const struct store *store)
{
	return store->db.fd;
}

/* ---- leases of this store -------------------------------------------------------------------- */

struct lease *lease_new(struct store *store, uint64_t id)
{
	for (;;) {
		struct lease_table *table = atomic_load(&store->leases);
		struct lease *lease = lease_take(table, id);

		/* Gone offline meanwhile: then this lease would be looked for elsewhere. */
		if (!lease || table == atomic_load(&store->leases))
			return lease;
		lease_unref(&lease);
	}
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static uint64_t batch_of(const struct store *store, uint64_t limit)
{
	uint64_t batch = store->commit_bytes_wanted;

	return batch < limit / 16 ? batch : limit / 16;
}

/* LMDB keeps the pages that a batch dirtied, about three for each piece of work, for the next one. */
static unsigned ops_of(uint64_t limit)
{
	uint64_t ops = limit / DB_PAGE / 64;

	return ops < OPS_MIN ? OPS_MIN : ops > OPS_MAX ? OPS_MAX : (unsigned)ops;
}

static int file_stat(const struct store *store, struct stat *ret_st)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", store->path, DB_FILE) >= sizeof(path))
		return -ENAMETOOLONG;
	return stat(path, ret_st) < 0 ? -errno : 0;
}

static uint64_t file_size(const struct store *store)
{
	struct stat st;

	return file_stat(store, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/* What the file may grow to: nine tenths of the partition, and of what is free there now. */
static int partition_room(const struct store *store, uint64_t *ret_bytes)
{
	struct statvfs vfs;
	uint64_t total, room;

	if (statvfs(store->path, &vfs) < 0)
		return -errno;
	total = (uint64_t)vfs.f_blocks * vfs.f_frsize / 10 * 9;
	room = (uint64_t)vfs.f_bavail * vfs.f_frsize / 10 * 9 + file_size(store);
	*ret_bytes = room < total ? room : total;
	return 0;
}

/*
 * Sets limit and batch; gives the size of the map, beyond which LMDB lets no file grow: so that is the limit. What
 * part of it is for live pages says room.c.
 */
static int sizes_choose(struct store *store, uint64_t *ret_map)
{
	uint64_t limit = store->limit_wanted, room = 0, file;
	int rc = 0;

	if (limit == 0) {
		rc = partition_room(store, &room);
		limit = room;
	}
	if (limit < STORE_LIMIT_MIN)
		limit = STORE_LIMIT_MIN;
	if (rc)
		return rc;
	store->limit = limit;
	store->commit_bytes = batch_of(store, limit);
	store->commit_ops = ops_of(limit);
	/* A file that is larger, because the limit was: even to empty it takes pages. */
	file = file_size(store);
	*ret_map = file > limit ? file + 2 * store->commit_bytes : limit;
	return 0;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static int verified_new(struct store *store)
{
	size_t bytes = (store->db.map / DB_PAGE / 64 + 1) * sizeof(uint64_t);
	/* Only touched parts of it take memory: 32 KiB a gigabyte. */
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	store->verified = p;
	store->verified_bytes = bytes;
	return 0;
}

/* Ids above all in the file, and above all given out by this process before a reopening. */
static int ids_start(struct store *store, const struct db *db)
{
	MDB_txn *txn;
	uint64_t last = 0, live, file;
	int rc = db_error(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn));

	if (rc)
		return rc;
	rc = db_last_id(db, txn, &last);
	if (rc == 0)
		rc = db_pages(db, txn, &live, &file);
	mdb_txn_abort(txn);
	if (rc)
		return rc;
	if (last >= atomic_load(&store->next_id))
		atomic_store(&store->next_id, last + 1);
	STORE_FIGURE_SET(store, live, live * DB_PAGE);
	STORE_FIGURE_SET(store, file, file * DB_PAGE);
	STORE_FIGURE_SET(store, map, db->map);
	return 0;
}

static int env_start(struct store *store, uint64_t map)
{
	int rc = db_open(store->path, map, store->readers_max + 4, &store->db);

	if (rc)
		return rc;
	rc = ids_start(store, &store->db);
	if (rc == 0)
		rc = verified_new(store);
	if (rc)
		db_close(&store->db);
	return rc;
}

int store_online(struct store *store, struct now now)
{
	uint64_t map = 0;
	int rc = store_lock_take(store);

	CHECK(!store->opened);
	if (rc == 0)
		rc = store_opening_begin(store, now);
	if (rc == 0)
		rc = sizes_choose(store, &map);
	if (rc == 0)
		rc = env_start(store, map);
	if (rc == -EBADMSG) {
		STORE_FIGURE_ADD(store, set_aside, 1);
		rc = db_set_aside(store->path, now.wall_ms / 1000);
		if (rc == 0)
			rc = env_start(store, map);
	}
	store_opening_end(store);
	if (rc) {
		/* Tried again and again: told when it is another reason than before. */
		int before = atomic_exchange(&store->last_error, rc);

		store_lock_give(store);
		LOG(rc == before ? LOG_L_DEBUG : LOG_L_ERROR, "store.open", "path=%s rc=%d",
		    LOG_QUOTE(span_of(store->path)), rc);
		return rc;
	}
	store->opened = true;
	STORE_FIGURE_SET(store, limit, store->limit);
	STAT_SET(STAT_STORE_LIMIT_BYTES, store->limit);
	atomic_store(&store->suspect, 0);
	store_state_enter(store, STORE_SERVING, 0);
	return 0;
}

static void env_stop(struct store *store)
{
	for (struct store_reader *r = store->readers; r; r = r->next) {
		if (r->chunks)
			mdb_cursor_close(r->chunks);
		if (r->txn)
			mdb_txn_abort(r->txn);
		r->chunks = NULL;
		r->txn = NULL;
	}
	db_close(&store->db);
	munmap(store->verified, store->verified_bytes);
	store->verified = NULL;
	store->opened = false;
}

static int store_parts_new(struct store *store, const struct store_config *config)
{
	struct lease_table *leases = NULL;
	int rc;

	store->path = strdup(config->path);
	if (!store->path)
		return -ENOMEM;
	rc = lease_table_new(&leases);
	if (rc == 0)
		rc = evict_marks_new(&store->marks);
	if (rc)
		lease_table_free(&leases);
	atomic_store(&store->leases, leases);
	return rc;
}

int store_open(const struct store_config *config, struct now now, struct store **ret_store)
{
	struct store *store;
	int rc;

	if (!config->path || !*config->path)
		return -EINVAL;
	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->limit_wanted = config->limit;
	store->readers_max = config->readers ? config->readers : STORE_READERS_DEFAULT;
	store->commit_bytes_wanted =
		config->commit_bytes ? config->commit_bytes : CONFIG_COMMIT_BYTES;
	store->commit_ms = config->commit_ms ? config->commit_ms : CONFIG_COMMIT_MS;
	store->lock_fd = -1;
	store->db.fd = -1;
	atomic_store(&store->state, STORE_OFFLINE);
	atomic_store(&store->next_id, 1);
	atomic_store(&store->epoch, 1);
	rc = store_parts_new(store, config);
	if (rc) {
		free(store->path);
		free(store);
		return rc;
	}
	CHECK_OK(pthread_mutex_init(&store->lock, NULL));
	(void)!store_online(store, now); /* a failure is logged, and tried again by the writer */
	*ret_store = store;
	return 0;
}

void store_close(struct store **store)
{
	struct store *s = *store;
	struct lease_table *leases;

	if (!s)
		return;
	CHECK(!s->readers);
	leases = atomic_load(&s->leases);
	lease_table_free(&leases);
	for (unsigned i = 0; i < s->leases_old_n; i++)
		lease_table_free(&s->leases_old[i]);
	if (s->opened)
		env_stop(s);
	store_lock_give(s);
	evict_marks_free(&s->marks);
	CHECK_OK(pthread_mutex_destroy(&s->lock));
	free(s->path);
	free(s);
	*store = NULL;
}

/* ---- going offline and back ------------------------------------------------------------------ */

void store_offline(struct store *store, int error)
{
	struct lease_table *fresh;

	store_state_enter(store, STORE_OFFLINE, error);
	/* New leases go to a new table, so that the old one empties. Without memory or after many times
	 * they go to the old one: then the return waits for a quiet moment. */
	if (store->leases_old_n < ARRAY_LEN(store->leases_old) && lease_table_new(&fresh) == 0)
		store->leases_old[store->leases_old_n++] = atomic_exchange(&store->leases, fresh);
	store_epoch_next(store);
}

int store_file_check(const struct store *store)
{
	struct stat named, open_one;
	MDB_envinfo info;
	int rc = file_stat(store, &named);

	if (rc < 0)
		return rc == -ENOENT ? -ESTALE : 0;
	if (fstat(store->db.fd, &open_one) < 0)
		return -errno;
	if (named.st_ino != open_one.st_ino || named.st_dev != open_one.st_dev)
		return -ESTALE;
	/* As at opening: the last pages of a commit may be missing, half is damage. What says how many there are
	 * to be stands in the first two. */
	if (open_one.st_size < 2 * DB_PAGE)
		return -EBADMSG;
	rc = db_error(mdb_env_info(store->db.env, &info));
	return rc								    ? rc
	       : (uint64_t)open_one.st_size < (info.me_last_pgno + 1) / 2 * DB_PAGE ? -EBADMSG
										    : 0;
}

bool store_retire(struct store *store)
{
	if (!store->opened)
		return true;
	if (!store_epoch_over(store, atomic_load(&store->epoch)))
		return false;
	for (unsigned i = 0; i < store->leases_old_n; i++)
		if (lease_count(store->leases_old[i]))
			return false;
	if (store->leases_old_n == 0 && lease_count(atomic_load(&store->leases)))
		return false;
	pthread_mutex_lock(&store->lock);
	env_stop(store);
	pthread_mutex_unlock(&store->lock);
	STORE_FIGURE_ADD(store, reopened, 1);
	return true;
}

/* ---- figures --------------------------------------------------------------------------------- */

void store_stat(struct store *store, struct store_stat *ret_stat)
{
	struct store_stat s = {
		.state = store_state(store),
		.last_error = atomic_load(&store->last_error),
		.leases = lease_count(atomic_load(&store->leases)),
	};

#define X(name) s.name = (__typeof__(s.name))STORE_FIGURE(store, name);
	STORE_FIGURES(X)
#undef X
	*ret_stat = s;
}
