/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making room: eviction (which removes records), sweeping (which frees their chunks), and the
 * transactions between them.
 *
 * The limit is one of the file. Live pages get seven eighths of it: between pages in use lie free ones in runs that
 * are too short for what comes, and the rest is for those and for the copies that a transaction makes of
 * the tree's pages. A run that is nowhere to be found is MDB_MAP_FULL: then less is live for a while (writer.c).
 *
 * What was evicted still counts until it is swept, and pages that one transaction freed can be used only by the one
 * after the next (LMDB keeps them for readers of the last snapshot): those are pending, and count as used. So
 * eviction stops a batch below what may be live, and normally the room for this batch was made by the one
 * before. When it was not (a first large batch, a limit that was lowered, a full disk), transactions that write
 * nothing else are put in between.
 */
#include <time.h>

#include "cache/batch_priv.h"

/* In one transaction: what it dirties has to fit in memory. */
#define SWEEP_CHUNKS 4096
/* A limit that was lowered is reached in so many transactions, or by several batches. */
#define ROOM_ROUNDS 256

/* The part of the limit that is for what is not live. */
#define ROOM_FREE(limit) ((limit) / 8)

struct room {
	uint64_t live;	  /* pages in use now */
	uint64_t pending; /* freed, but not for this transaction */
	uint64_t doomed;  /* of those that are live, on their way out */
	uint64_t limit;	  /* of live ones */
	uint64_t map;	  /* of all */
	uint64_t target;  /* to be under when all that is doomed is gone */
};

static int room_measure(struct batch *b, struct room *ret_room)
{
	struct store *store = b->store;
	uint64_t limit = store->limit - ROOM_FREE(store->limit), margin = store->commit_bytes;
	uint64_t file;
	uint64_t doomed = b->base->doom.pages;
	struct room room = { .doomed = doomed > b->held_pages ? doomed - b->held_pages : 0,
			     .pending = b->pending_pages,
			     .map = store->limit / DB_PAGE };
	int rc = db_pages(&store->db, b->txn, &room.live, &file);

	if (rc)
		return rc;
	if (b->base->soft_limit < limit)
		limit = b->base->soft_limit;
	if (margin > limit / 8)
		margin = limit / 8;
	room.limit = limit / DB_PAGE;
	room.target = (limit - margin) / DB_PAGE;
	*ret_room = room;
	return 0;
}

/* ---- eviction -------------------------------------------------------------------------------- */

/* Removes this one, if nobody uses it. *ret_taken says whether. */
static int evict_try(struct batch *b, uint64_t id, const uint8_t *hash, bool *ret_taken)
{
	struct object o;
	uint64_t pages = 0;
	int rc;

	*ret_taken = false;
	if (lease_held(atomic_load(&b->store->leases), id) || evict_mark_clear(b->store->marks, id))
		return 0;
	rc = store_record(b->store, b->txn, hash, &o);
	if (rc == -ENOENT || (rc == 0 && o.id != id))
		hash = NULL; /* its record was unreadable and is gone: the chunks are left */
	else if (rc && rc != -EBADMSG)
		return rc;
	rc = batch_doom(b, hash, id, &pages);
	if (rc)
		return rc;
	b->evicted++;
	b->evicted_pages += pages;
	*ret_taken = true;
	return 0;
}

/* The object at the hand or the next one after it, round the end. 0, -ENOENT (there is none), -errno. */
static int hand_next(struct batch *b, MDB_cursor *cursor, uint64_t *ret_id, uint8_t *ret_hash)
{
	uint8_t bytes[DB_ID_BYTES];
	MDB_val key = db_val(bytes, sizeof(bytes)), value;
	int rc;

	db_id_key(b->base->hand, bytes);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND) {
		b->base->passed = 0;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	}
	if (rc)
		return db_error(rc);
	if (db_read_id(&key, ret_id) < 0 || value.mv_size != CACHE_KEY_HASH_BYTES)
		return -EBADMSG;
	memcpy(ret_hash, value.mv_data, CACHE_KEY_HASH_BYTES);
	b->base->hand = *ret_id + 1;
	return 0;
}

/* Passed over one of `n`: at the newest quarter the hand turns back. */
static void hand_passes(struct batch *b, uint64_t n)
{
	if (++b->base->passed < n - n / 4)
		return;
	b->base->passed = 0;
	b->base->hand = 0;
}

static int objects_count(struct batch *b, uint64_t *ret_n)
{
	MDB_stat stat;
	int rc = mdb_stat(b->txn, b->store->db.dbi[DB_IDS], &stat);

	if (rc == 0)
		*ret_n = stat.ms_entries;
	return db_error(rc);
}

/*
 * Evicts until `need` more pages stay under the target, or every object was looked at twice, or it is enough
 * for one transaction.
 */
static int room_evict(struct batch *b, uint64_t need)
{
	uint8_t hash[CACHE_KEY_HASH_BYTES];
	uint64_t id, n = 0, looks;
	MDB_cursor *cursor;
	struct room room;
	int rc = objects_count(b, &n);

	if (rc == 0)
		rc = db_error(mdb_cursor_open(b->txn, b->store->db.dbi[DB_IDS], &cursor));
	if (rc)
		return rc;
	rc = room_measure(b, &room);
	for (looks = 2 * n; rc == 0 && looks && b->evicted < b->store->commit_ops; looks--) {
		bool taken;

		if (room.live + need <= room.target + room.doomed)
			break;
		rc = hand_next(b, cursor, &id, hash);
		if (rc == 0)
			rc = evict_try(b, id, hash, &taken);
		if (rc == 0 && taken)
			rc = room_measure(b, &room);
		else if (looks > n) /* after that what is newest has to go, too */
			hand_passes(b, n - b->evicted);
	}
	mdb_cursor_close(cursor);
	return rc == -ENOENT ? 0 : rc;
}

/* ---- the rounds ------------------------------------------------------------------------------ */

/* Readers stay in a lookup for microseconds: gives them a moment to leave. */
static void readers_wait(struct store *store)
{
	uint64_t epoch = atomic_load(&store->epoch);

	for (int i = 0; i < 50 && !store_epoch_over(store, epoch); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

/* Begins a transaction, sweeps and evicts in it. */
static int round_begin(struct batch *b, struct batch_base *base, uint64_t need, struct room *room)
{
	int rc = batch_begin(b, base);

	if (rc)
		return rc;
	rc = doom_sweep(&base->doom, b->store, b->txn, SWEEP_CHUNKS);
	/* What a slow device holds is no room: then others have to go. */
	b->held_pages = doom_held(&base->doom, b->store);
	if (rc == 0)
		rc = room_evict(b, need);
	if (rc == 0)
		rc = room_measure(b, room);
	if (rc)
		batch_abort(b);
	return rc;
}

/* Is there room for so many pages, now? */
static bool room_does(const struct room *room, uint64_t need)
{
	return room->live + need <= room->limit && room->live + room->pending + need <= room->map;
}

int batch_begin_with_room(struct batch *b, struct batch_base *base, uint64_t need)
{
	uint64_t used = UINT64_MAX;
	int stuck = 0;

	for (int round = 0; round < ROOM_ROUNDS && stuck < 2; round++) {
		struct room room = { 0 };
		int rc = round_begin(b, base, need, &room);

		if (rc)
			return rc;
		if (room_does(&room, need))
			return 0;
		/* What is doomed now may be swept by the next round; if that frees nothing it is in use. */
		stuck = b->evicted || room.live + room.pending < used ? 0 : stuck + 1;
		used = room.live + room.pending;
		rc = batch_touch(b);
		if (rc == 0)
			rc = batch_commit(b);
		else
			batch_abort(b);
		if (rc)
			return rc;
		readers_wait(b->store);
	}
	return -ENOBUFS;
}
