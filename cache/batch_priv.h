/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transaction under way, as batch.c (its life), apply.c (the work) and room.c (what makes place) see it.
 */
#ifndef CACHE_BATCH_PRIV_H
#define CACHE_BATCH_PRIV_H

#include "cache/batch.h"

struct batch {
	struct batch_base *base;
	struct store *store;
	MDB_txn *txn;
	uint64_t hand_before, passed_before;
	uint64_t *touched; /* ids whose record gets a new map at the end */
	size_t touched_n, touched_size;
	uint64_t held_pages;	/* doomed ones that won't come free in time: room.c */
	uint64_t pending_pages; /* free ones that this transaction may not use yet */
	/* counted when committed */
	uint64_t evicted, evicted_pages, variants_dropped, padding, stored, stored_bytes;
};

MUST_USE int batch_begin(struct batch *batch, struct batch_base *base);
MUST_USE int batch_commit(struct batch *batch);
void batch_abort(struct batch *batch);
/* Writes something, or LMDB would not touch the disk at all and free pages would stay pending. */
MUST_USE int batch_touch(struct batch *batch);

/* apply.c: does one piece of work. Its own refusal goes to op->rc; -errno ends the transaction. */
MUST_USE int batch_apply(struct batch *batch, struct op *op);
/* apply.c: the maps of records whose chunks changed. */
MUST_USE int batch_finish_maps(struct batch *batch);
/* apply.c: removes a record; its chunks are doomed. */
MUST_USE int batch_doom(struct batch *batch, const uint8_t *hash, uint64_t id, uint64_t *ret_pages);
/* apply.c: a row of state; an empty value removes it. */
MUST_USE int batch_put_state(struct batch *batch, struct span name, struct span value);
/* apply.c: the record of an object is to stand under another key from now on. Nothing stands there. */
MUST_USE int batch_move(struct batch *batch, const uint8_t *from, const struct cache_key *to);
/* apply.c: writes the record of `o` under the hash, its map made here; the spans of `o` may lie in the tree. */
MUST_USE int batch_write_record(struct batch *batch, const uint8_t *hash, const struct object *o);
/* publish.c: as batch_apply(). */
MUST_USE int batch_publish(struct batch *batch, struct op *op);

/*
 * variants.c: does `marker` name what the one that is there names? Then two fetches brought the first variants at once, and
 * the marker that came first stays: nothing that stands behind it may be older than it.
 */
bool batch_marker_again(const struct object *there, const struct object *marker);
/* variants.c: a record was put under this key: if it is a variant's, its marker lists it, and the oldest goes. */
MUST_USE int batch_variant_stored(struct batch *batch, const uint8_t *hash, struct span key);
/* variants.c: what stands under this key goes: if it is a marker, its variants go with it. */
MUST_USE int batch_variants_drop(struct batch *batch, struct span key);

/*
 * room.c: begins a transaction in which `need` pages may be written: after eviction and sweeping, in
 * transactions of their own where one does not do. 0, -ENOBUFS (what there is is in use; none is
 * open then), -errno.
 */
MUST_USE int batch_begin_with_room(struct batch *batch, struct batch_base *base, uint64_t need);

#endif
