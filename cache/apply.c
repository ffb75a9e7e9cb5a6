/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work of the writer, piece by piece, inside a transaction.
 *
 * Invariants
 *  1. A record claims a chunk only if its row is there, in the same transaction or before: maps are made
 *     from the rows, never taken from a caller.
 *  2. Chunk rows are added and deleted, never overwritten: bytes that somebody leased stay.
 *  3. Each id with chunk rows has a record or a row in `doomed` (or both: a damaged chunk).
 *  4. Each record has a row in `ids`, by which eviction finds it.
 */
#include <stdlib.h>

#include "cache/batch_priv.h"

/* ---- small steps ----------------------------------------------------------------------------- */

/* May the value that is there be freed? 0, or -EBADMSG: the tree is damaged. */
static int table_old_sound(struct batch *b, enum db_table table, MDB_val *key)
{
	MDB_val old;
	int rc = mdb_get(b->txn, b->store->db.dbi[table], key, &old);

	if (rc == 0 && !db_value_sound(&b->store->db, &old))
		rc = MDB_CORRUPTED;
	return rc == MDB_NOTFOUND ? 0 : db_error(rc);
}

static int table_put(struct batch *b, enum db_table table, struct span key, struct span value)
{
	MDB_val k = db_val(key.p, key.n), v = db_val(value.p, value.n);
	int rc = table_old_sound(b, table, &k);

	return rc ? rc : db_error(mdb_put(b->txn, b->store->db.dbi[table], &k, &v, 0));
}

/* Absent is fine. */
static int table_del(struct batch *b, enum db_table table, struct span key)
{
	MDB_val k = db_val(key.p, key.n);
	int rc = table_old_sound(b, table, &k);

	if (rc)
		return rc;
	rc = mdb_del(b->txn, b->store->db.dbi[table], &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : db_error(rc);
}

static struct span hash_span(const uint8_t *hash)
{
	return span_make(hash, CACHE_KEY_HASH_BYTES);
}

/* The hash of the record that has this id. 0, -ENOENT or -errno. */
static int id_find(struct batch *b, uint64_t id, uint8_t *ret_hash)
{
	uint8_t bytes[DB_ID_BYTES];
	MDB_val key = db_val(bytes, sizeof(bytes)), value;
	int rc;

	db_id_key(id, bytes);
	rc = db_error(mdb_get(b->txn, b->store->db.dbi[DB_IDS], &key, &value));
	if (rc)
		return rc;
	if (value.mv_size != CACHE_KEY_HASH_BYTES)
		return -EBADMSG;
	memcpy(ret_hash, value.mv_data, CACHE_KEY_HASH_BYTES);
	return 0;
}

/* 0: the id has a record, -ENOENT: it has not, -errno. */
static int id_stored(struct batch *b, uint64_t id)
{
	uint8_t hash[CACHE_KEY_HASH_BYTES];

	return id_find(b, id, hash);
}

static int id_touch(struct batch *b, uint64_t id)
{
	if (b->touched_n && b->touched[b->touched_n - 1] == id)
		return 0;
	if (b->touched_n == b->touched_size) {
		size_t size = b->touched_size ? b->touched_size * 2 : 64;
		uint64_t *touched = realloc(b->touched, size * sizeof(*touched));

		if (!touched)
			return -ENOMEM;
		b->touched = touched;
		b->touched_size = size;
	}
	b->touched[b->touched_n++] = id;
	return 0;
}

int batch_doom(struct batch *b, const uint8_t *hash, uint64_t id, uint64_t *ret_pages)
{
	uint8_t bytes[DB_ID_BYTES];
	uint64_t pages = 0, chunks = 0;
	int rc;

	db_id_key(id, bytes);
	rc = doom_measure(&b->store->db, b->txn, id, &pages, &chunks);
	if (rc == 0 && hash)
		rc = table_del(b, DB_OBJECTS, hash_span(hash));
	if (rc == 0)
		rc = table_del(b, DB_IDS, span_make(bytes, sizeof(bytes)));
	if (rc == 0 && chunks && !doom_find(&b->base->doom, id, DB_ALL_CHUNKS))
		rc = doom_add(&b->base->doom, &b->store->db, b->txn, id, DB_ALL_CHUNKS,
			      DOOM_REMOVED, pages);
	if (rc == 0)
		*ret_pages = pages;
	return rc;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/* 0: there is a row for this part of the id, -ENOENT: there is not, -errno. */
static int chunk_find(struct batch *b, uint64_t id, uint32_t index, uint64_t *ret_pages)
{
	struct db_chunk_key from = { .id = id, .index = index };
	uint8_t bytes[DB_CHUNK_BYTES];
	MDB_val key = db_val(bytes, sizeof(bytes)), value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(b->txn, b->store->db.dbi[DB_CHUNKS], &cursor);

	if (rc)
		return db_error(rc);
	db_chunk_key(&from, bytes);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	mdb_cursor_close(cursor);
	if (rc)
		return db_error(rc);
	if (key.mv_size != DB_CHUNK_BYTES || memcmp(key.mv_data, bytes, 12) != 0)
		return -ENOENT;
	*ret_pages = (value.mv_size + DB_PAGE_HEADER + DB_PAGE - 1) / DB_PAGE;
	return 0;
}

/* Less is copied sooner than handed to the kernel on its own. */
#define WRITE_STRAIGHT 65536

/* The chunk's bytes and zeros up to the class. */
static int value_fill(struct batch *b, MDB_val *v, const struct chunk *chunk)
{
	int rc = -EOPNOTSUPP;

	if (v->mv_size >= WRITE_STRAIGHT) {
		memset(chunk->data + chunk->len, 0, v->mv_size - chunk->len);
		rc = db_value_write(&b->store->db, v, chunk_pages(chunk));
	}
	if (rc != -EOPNOTSUPP)
		return rc;
	memcpy(v->mv_data, chunk->data, chunk->len);
	memset((uint8_t *)v->mv_data + chunk->len, 0, v->mv_size - chunk->len);
	return 0;
}

static int chunk_write(struct batch *b, const struct op *op)
{
	size_t n = op->chunk->len, size = db_class_bytes(db_class_pages(n));
	struct db_chunk_key key = { op->id, op->index, (uint32_t)n, op->sum };
	uint8_t bytes[DB_CHUNK_BYTES];
	MDB_val k = db_val(bytes, sizeof(bytes)), v = { size, NULL };
	int rc;

	db_chunk_key(&key, bytes);
	rc = db_error(mdb_put(b->txn, b->store->db.dbi[DB_CHUNKS], &k, &v, MDB_RESERVE));
	if (rc)
		return rc;
	if (store_verified_within(b->store, db_value_page(&v), db_class_pages(n)))
		return -EBADMSG; /* a page of a chunk that is in use was on the free list */
	rc = value_fill(b, &v, op->chunk);
	if (rc)
		return rc;
	b->padding += size - n;
	b->stored_bytes += n;
	return 0;
}

/* Half of the store for one body leaves nothing for the others, and eviction can't help against it. */
static bool chunk_too_far(const struct batch *b, uint32_t index)
{
	return (uint64_t)index * CONFIG_CHUNK_BYTES > b->store->limit / 2;
}

/* How the id stands. 0: born, -ENOENT: unborn, -ESTALE: doomed, -errno. *ret_new: never seen. */
static int id_standing(struct batch *b, uint64_t id, bool *ret_new)
{
	enum doom_kind doom = doom_find(&b->base->doom, id, DB_ALL_CHUNKS);
	int rc;

	*ret_new = false;
	if (doom)
		return doom == DOOM_UNBORN ? -ENOENT : -ESTALE;
	rc = id_stored(b, id);
	*ret_new = rc == -ENOENT;
	return rc;
}

static int apply_chunk(struct batch *b, struct op *op)
{
	struct doom_set *doom = &b->base->doom;
	uint64_t pages;
	bool new;
	int standing = id_standing(b, op->id, &new), rc;

	if (standing == -ESTALE)
		op->rc = -ESTALE;
	else if (chunk_too_far(b, op->index))
		op->rc = -EFBIG;
	else if (doom_find(doom, op->id, op->index))
		op->rc = -EBUSY; /* the damaged one is still in use */
	else if (standing != 0 && standing != -ENOENT)
		return standing;
	if (op->rc)
		return 0;
	rc = chunk_find(b, op->id, op->index, &pages);
	if (rc != -ENOENT)
		return rc;
	if (new)
		rc = doom_add(doom, &b->store->db, b->txn, op->id, DB_ALL_CHUNKS, DOOM_UNBORN, 0);
	else
		rc = standing == 0 ? id_touch(b, op->id) : 0;
	return rc ? rc : chunk_write(b, op);
}

/* ---- records --------------------------------------------------------------------------------- */

/* What the rows of an id say about its body. */
struct body_map {
	uint8_t *bits;
	size_t n;	 /* bytes of it */
	uint64_t chunks; /* set bits */
};

static int map_set(struct body_map *map, uint32_t index)
{
	size_t at = index / 8;

	if (at >= map->n) {
		uint8_t *bits = realloc(map->bits, at + 1);

		if (!bits)
			return -ENOMEM;
		memset(bits + map->n, 0, at + 1 - map->n);
		map->bits = bits;
		map->n = at + 1;
	}
	map->bits[at] |= (uint8_t)(1u << (index % 8));
	map->chunks++;
	return 0;
}

/* Is a chunk of `bytes` at `index` what a body of this length has there? */
static bool chunk_fits(const struct object *o, const struct db_chunk_key *key)
{
	uint64_t from = (uint64_t)key->index * CONFIG_CHUNK_BYTES;

	if (o->length < 0)
		return key->bytes == CONFIG_CHUNK_BYTES;
	if (from >= (uint64_t)o->length)
		return false;
	return key->bytes == ((uint64_t)o->length - from < CONFIG_CHUNK_BYTES
				      ? (uint64_t)o->length - from
				      : CONFIG_CHUNK_BYTES);
}

static int map_make(struct batch *b, const struct object *o, struct body_map *map)
{
	struct db_chunk_key from = { .id = o->id }, got;
	uint8_t bytes[DB_CHUNK_BYTES];
	MDB_val key = db_val(bytes, sizeof(bytes)), value;
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(b->txn, b->store->db.dbi[DB_CHUNKS], &cursor);

	if (rc)
		return db_error(rc);
	db_chunk_key(&from, bytes);
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (key.mv_size != DB_CHUNK_BYTES || memcmp(key.mv_data, bytes, 8) != 0)
			break;
		if (db_read_chunk(&key, &value, &got) < 0 || !chunk_fits(o, &got) ||
		    doom_find(&b->base->doom, o->id, got.index))
			continue;
		if (map_set(map, got.index) < 0)
			rc = ENOMEM;
		if (rc)
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : db_error(rc);
}

int batch_write_record(struct batch *b, const uint8_t *hash, const struct object *o)
{
	struct object out = *o;
	struct body_map map = { 0 };
	uint8_t *record = NULL;
	size_t size;
	int rc = o->body.n ? 0 : map_make(b, o, &map);

	out.flags &= ~(uint32_t)OBJECT_COMPLETE;
	out.map = span_make(map.bits, map.n);
	if (out.body.n || out.length == 0 ||
	    (out.length > 0 && map.chunks == object_chunks(&out))) {
		out.flags |= OBJECT_COMPLETE;
		out.map = span_make(NULL, 0);
	}
	size = object_record_size(&out, out.body.n) + out.map.n;
	if (size > OBJECT_RECORD_INLINE)
		size = db_class_bytes(db_class_pages(size));
	if (rc == 0) {
		record = malloc(size);
		rc = record ? object_encode(&out, record, size) : -ENOMEM;
	}
	if (rc == 0)
		rc = table_put(b, DB_OBJECTS, hash_span(hash), span_make(record, size));
	free(record);
	free(map.bits);
	return rc;
}

/* May `id` stand under this hash? Makes it so in `ids` and `doomed`. Refusals go to op->rc. */
static int id_claim(struct batch *b, struct op *op, uint64_t id)
{
	uint8_t bytes[DB_ID_BYTES], hash[CACHE_KEY_HASH_BYTES];
	bool new;
	int rc = id_standing(b, id, &new);

	if (rc == 0) {
		rc = id_find(b, id, hash);
		if (rc == 0 && memcmp(hash, op->hash, sizeof(hash)) != 0)
			op->rc = -ESTALE; /* another key has it */
		return rc;
	}
	if (rc == -ESTALE) {
		op->rc = -ESTALE;
		return 0;
	}
	if (rc != -ENOENT)
		return rc;
	rc = new ? 0 : doom_remove(&b->base->doom, &b->store->db, b->txn, id);
	db_id_key(id, bytes);
	if (rc == 0)
		rc = table_put(b, DB_IDS, span_make(bytes, sizeof(bytes)), hash_span(op->hash));
	return rc;
}

/* `old` goes, which stands under `key`; the caller puts another record in its place. Writes move what `old` points to. */
static int record_replace(struct batch *b, const struct object *old, struct span key)
{
	uint64_t id = old->id, pages;
	int rc = old->kind == OBJECT_VARY ? batch_variants_drop(b, key) : 0;

	return rc ? rc : batch_doom(b, NULL, id, &pages);
}

static int apply_put(struct batch *b, struct op *op)
{
	struct object o, old = { 0 };
	int rc;

	CHECK_OK(object_decode(span_make(op->data, op->n), &o)); /* made by writer_put_object() */
	rc = store_record(b->store, b->txn, op->hash, &old);
	if (rc == -EBADMSG)
		rc = -ENOENT;
	if (rc && rc != -ENOENT)
		return rc;
	if (op->type == OP_UPDATE && (rc == -ENOENT || old.id != o.id)) {
		op->rc = -ESTALE;
		return 0;
	}
	if (rc == 0 && op->type == OP_PUT && batch_marker_again(&old, &o))
		return 0;
	if (rc == -ENOENT || old.id != o.id) {
		int claimed = id_claim(b, op, o.id);

		if (claimed || op->rc)
			return claimed;
		rc = rc == -ENOENT ? 0 : record_replace(b, &old, o.key);
	}
	if (rc == 0)
		rc = batch_write_record(b, op->hash, &o);
	if (rc == 0) {
		b->stored++;
		b->stored_bytes += o.body.n;
		rc = batch_variant_stored(b, op->hash, o.key);
	}
	return rc;
}

static int apply_remove(struct batch *b, struct op *op)
{
	struct object o;
	uint64_t pages, id;
	int rc = store_record(b->store, b->txn, op->hash, &o);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EBADMSG)
		return table_del(b, DB_OBJECTS, hash_span(op->hash));
	if (rc)
		return rc;
	if ((op->id && op->id != o.id) || !span_eq(o.key, span_make(op->data, op->n)))
		return 0;
	id = o.id;
	if (o.kind == OBJECT_VARY)
		rc = batch_variants_drop(b, span_make(op->data, op->n));
	return rc ? rc : batch_doom(b, op->hash, id, &pages);
}

int batch_put_state(struct batch *b, struct span name, struct span value)
{
	return value.n ? table_put(b, DB_STATE, name, value) : table_del(b, DB_STATE, name);
}

static int apply_state(struct batch *b, struct op *op)
{
	return batch_put_state(b, span_make(op->data, op->split),
			       span_make(op->data + op->split, op->n - op->split));
}

int batch_move(struct batch *b, const uint8_t *from, const struct cache_key *to)
{
	uint8_t bytes[DB_ID_BYTES];
	struct object o, *copy;
	int rc = store_record(b->store, b->txn, from, &o);

	if (rc)
		return rc;
	copy = object_dup(&o); /* the writes below move what `o` points to */
	if (!copy)
		return -ENOMEM;
	o = *copy;
	o.key = to->text;
	db_id_key(o.id, bytes);
	rc = table_del(b, DB_OBJECTS, hash_span(from));
	if (rc == 0)
		rc = batch_write_record(b, to->hash, &o);
	if (rc == 0)
		rc = table_put(b, DB_IDS, span_make(bytes, sizeof(bytes)), hash_span(to->hash));
	object_free(&copy);
	return rc;
}

/* ---- damage ---------------------------------------------------------------------------------- */

static int drop_record(struct batch *b, const uint8_t *hash)
{
	struct object o;
	int rc = store_record(b->store, b->txn, hash, &o);

	/* Its row in `ids` leads to nothing now: eviction finds that and dooms the chunks. */
	if (rc == -EBADMSG)
		return table_del(b, DB_OBJECTS, hash_span(hash));
	return rc == -ENOENT ? 0 : rc;
}

static int drop_chunk(struct batch *b, uint64_t id, uint32_t index)
{
	struct doom_set *doom = &b->base->doom;
	uint64_t pages = 0;
	int rc;

	if (doom_find(doom, id, index) || doom_find(doom, id, DB_ALL_CHUNKS) == DOOM_REMOVED)
		return 0;
	rc = chunk_find(b, id, index, &pages);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = doom_add(doom, &b->store->db, b->txn, id, index, DOOM_REMOVED, pages);
	return rc ? rc : id_touch(b, id);
}

/* ---- the batch ------------------------------------------------------------------------------- */

int batch_apply(struct batch *b, struct op *op)
{
	switch (op->type) {
	case OP_CHUNK:
		return apply_chunk(b, op);
	case OP_PUT:
	case OP_UPDATE:
		return apply_put(b, op);
	case OP_REMOVE:
		return apply_remove(b, op);
	case OP_STATE:
		return apply_state(b, op);
	case OP_PUBLISH:
		return batch_publish(b, op);
	case OP_DROP:
		return op->index == DB_ALL_CHUNKS ? drop_record(b, op->hash)
						  : drop_chunk(b, op->id, op->index);
	case OP_FLUSH:
		return 0;
	}
	CHECK(!"an op has one of these types");
	return -EINVAL;
}

static int map_finish(struct batch *b, uint64_t id)
{
	uint8_t hash[CACHE_KEY_HASH_BYTES];
	struct object o, *copy;
	int rc = id_find(b, id, hash);

	if (rc == 0)
		rc = store_record(b->store, b->txn, hash, &o);
	if (rc == -ENOENT || rc == -EBADMSG || (rc == 0 && o.id != id))
		return 0; /* no record (any more) */
	if (rc)
		return rc;
	copy = object_dup(&o); /* the write below moves what `o` points to */
	if (!copy)
		return -ENOMEM;
	rc = batch_write_record(b, hash, copy);
	object_free(&copy);
	return rc;
}

static int id_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int batch_finish_maps(struct batch *b)
{
	int rc = 0;

	if (b->touched_n == 0)
		return 0;
	qsort(b->touched, b->touched_n, sizeof(*b->touched), id_compare);
	for (size_t i = 0; rc == 0 && i < b->touched_n; i++)
		if (i == 0 || b->touched[i] != b->touched[i - 1])
			rc = map_finish(b, b->touched[i]);
	return rc;
}
