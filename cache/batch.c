/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a write transaction, and what is remembered only when it is committed.
 */
#include <stdlib.h>

#include "cache/batch_priv.h"
#include "firmware/base/stat.h"

#define SWEEP_CHUNKS 4096

int batch_begin(struct batch *b, struct batch_base *base)
{
	int rc;

	*b = (struct batch){ .base = base,
			     .store = base->store,
			     .hand_before = base->hand,
			     .passed_before = base->passed };
	base->inside = true;
	rc = db_pages_pending(&base->store->db, &b->pending_pages);
	if (rc == 0)
		rc = db_error(mdb_txn_begin(base->store->db.env, NULL, 0, &b->txn));
	base->inside = rc == 0;
	return rc;
}

void batch_abort(struct batch *b)
{
	if (b->txn)
		mdb_txn_abort(b->txn);
	b->txn = NULL;
	free(b->touched);
	b->touched = NULL;
	b->base->inside = false;
	b->base->hand = b->hand_before;
	b->base->passed = b->passed_before;
	doom_aborted(&b->base->doom);
}

static int hand_save(struct batch *b)
{
	uint8_t bytes[8];
	MDB_val key = db_val("hand", 4), value = db_val(bytes, sizeof(bytes));

	if (b->base->hand == b->hand_before)
		return 0;
	db_put_u64(bytes, b->base->hand);
	return db_error(mdb_put(b->txn, b->store->db.dbi[DB_META], &key, &value, 0));
}

static void figures_add(const struct batch *b)
{
	struct store *store = b->store;

	STORE_FIGURE_ADD(store, commits, 1);
	STORE_FIGURE_ADD(store, padding, b->padding);
	STORE_FIGURE_ADD(store, evicted, b->evicted);
	STORE_FIGURE_ADD(store, evicted_bytes, b->evicted_pages * DB_PAGE);
	STORE_FIGURE_SET(store, doomed, b->base->doom.pages * DB_PAGE);
	STAT_INC(STAT_STORE_COMMITS);
	STAT_ADD(STAT_STORE_STORED, b->stored);
	STAT_ADD(STAT_STORE_STORED_BYTES, b->stored_bytes);
	STAT_ADD(STAT_STORE_VARIANTS_DROPPED, b->variants_dropped);
	STAT_ADD(STAT_STORE_EVICTED, b->evicted);
	STAT_ADD(STAT_STORE_EVICTED_BYTES, b->evicted_pages * DB_PAGE);
}

int batch_touch(struct batch *b)
{
	MDB_val key = db_val("probe", 5), value = db_val("", 1);

	return db_error(mdb_put(b->txn, b->store->db.dbi[DB_META], &key, &value, 0));
}

int batch_commit(struct batch *b)
{
	struct store *store = b->store;
	uint64_t live = 0, file = 0;
	MDB_stat objects = { 0 };
	int rc = hand_save(b);

	/* Seen from inside, before its own free list is written: short by a page or two of that. */
	if (rc == 0)
		rc = db_pages(&store->db, b->txn, &live, &file);
	if (rc == 0)
		rc = db_error(mdb_stat(b->txn, store->db.dbi[DB_OBJECTS], &objects));
	if (rc == 0) {
		rc = db_error(mdb_txn_commit(b->txn)); /* gone also if it fails */
		b->txn = NULL;
	}
	if (rc) {
		batch_abort(b);
		return rc;
	}
	free(b->touched);
	b->touched = NULL;
	b->base->inside = false;
	doom_committed(&b->base->doom, store_epoch_next(store));
	figures_add(b);
	STORE_FIGURE_SET(store, live, live * DB_PAGE);
	STORE_FIGURE_SET(store, file, file * DB_PAGE);
	STORE_FIGURE_SET(store, objects, objects.ms_entries);
	STAT_SET(STAT_STORE_BYTES, live * DB_PAGE);
	STAT_SET(STAT_STORE_OBJECTS, objects.ms_entries);
	return 0;
}

/* ---- the whole of it ------------------------------------------------------------------------- */

/* Pages that the work may take; a record touches a leaf of each table on its way. */
static uint64_t pages_needed(const struct op_list *ops)
{
	uint64_t pages = 16;
	const struct op *op;

	STAILQ_FOREACH(op, ops, link)
	pages += op->cost ? db_class_pages(op->cost) : 0;
	return pages;
}

int batch_run(struct batch_base *base, struct op_list *ops)
{
	struct batch b;
	struct op *op;
	int rc = batch_begin_with_room(&b, base, pages_needed(ops));

	if (rc)
		return rc;
	STAILQ_FOREACH(op, ops, link)
	{
		op->rc = 0;
		rc = batch_apply(&b, op);
		if (rc)
			break;
	}
	if (rc == 0)
		rc = batch_finish_maps(&b);
	if (rc) {
		batch_abort(&b);
		return rc;
	}
	return batch_commit(&b);
}

int batch_sweep(struct batch_base *base)
{
	struct batch b;
	int rc = batch_begin(&b, base);

	if (rc)
		return rc;
	rc = doom_sweep(&base->doom, b.store, b.txn, SWEEP_CHUNKS);
	if (rc) {
		batch_abort(&b);
		return rc;
	}
	return batch_commit(&b);
}

/*
 * Three commits: pages that the first one's sweep freed can be written by the third. Each writes a row, or
 * LMDB would not touch the disk at all.
 */
int batch_probe(struct batch_base *base)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < 3; i++) {
		struct batch b;

		rc = batch_begin_with_room(&b, base, 0);
		if (rc == -ENOBUFS)
			rc = batch_begin(&b, base); /* what is in use is not what is asked here */
		if (rc)
			break;
		rc = batch_touch(&b);
		if (rc)
			batch_abort(&b);
		else
			rc = batch_commit(&b);
	}
	return rc;
}

int batch_load(struct batch_base *base)
{
	struct store *store = base->store;
	MDB_val key = db_val("hand", 4), value;
	MDB_stat objects;
	MDB_txn *txn;
	int rc = db_error(mdb_txn_begin(store->db.env, NULL, MDB_RDONLY, &txn));

	if (rc)
		return rc;
	base->inside = true;
	base->hand = base->passed = 0;
	base->soft_limit = UINT64_MAX;
	if (mdb_get(txn, store->db.dbi[DB_META], &key, &value) == 0)
		(void)!db_read_id(&value, &base->hand); /* a wrong hand is only another beginning */
	rc = doom_load(&base->doom, &store->db, txn);
	if (rc == 0)
		rc = db_error(mdb_stat(txn, store->db.dbi[DB_OBJECTS], &objects));
	if (rc == 0) {
		STORE_FIGURE_SET(store, objects, objects.ms_entries);
		STAT_SET(STAT_STORE_OBJECTS, objects.ms_entries);
	}
	mdb_txn_abort(txn);
	base->inside = false;
	return rc;
}

void batch_unload(struct batch_base *base)
{
	doom_free(&base->doom);
}
