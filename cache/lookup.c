/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading: a key to its record and a lease, an id and an index to bytes in the map.
 *
 * Runs on the thread of its store_reader. No transaction is open when a function returns. What a
 * `struct stored` holds is a copy (records move within the tree); chunks are not copied, the lease keeps
 * them where they are.
 *
 * A chunk is checked by reading it through the descriptor: that has readahead, which the map has not, and a
 * bad sector is an error there instead of a SIGBUS.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* the size of XXH3_state_t */
#include <xxhash.h>

#include "cache/store_priv.h"
#include "cache/walk.h"
#include "firmware/base/stat.h"

#define SCRATCH_BYTES	 65536
#define READ_AHEAD_PAGES 8 /* fewer are not worth a question */

/* Where a chunk's bytes are, and what they must add up to. */
struct found_chunk {
	struct db_chunk_key key;
	struct store_place place;
};

struct stored {
	struct object object;
	struct lease *lease;
	bool has_known;
	struct found_chunk known; /* where one of its chunks is */
	uint8_t record[];
};

/* ---- checking chunks ------------------------------------------------------------------------- */

static _Atomic uint64_t *verified_word(struct store *store, uint64_t page, uint64_t *ret_bit)
{
	*ret_bit = UINT64_C(1) << (page % 64);
	return &store->verified[page / 64];
}

static bool chunk_verified(struct store *store, const struct found_chunk *chunk)
{
	uint64_t bit;
	_Atomic uint64_t *word =
		verified_word(store, (uint64_t)chunk->place.offset / DB_PAGE, &bit);

	return atomic_load_explicit(word, memory_order_acquire) & bit;
}

static void chunk_set_verified(struct store *store, const struct found_chunk *chunk)
{
	uint64_t bit;
	_Atomic uint64_t *word =
		verified_word(store, (uint64_t)chunk->place.offset / DB_PAGE, &bit);

	atomic_fetch_or_explicit(word, bit, memory_order_release);
}

void store_unverify(struct store *store, const void *bytes)
{
	uint64_t page = (uint64_t)((const uint8_t *)bytes - store->db.base) / DB_PAGE;
	uint64_t bit;
	_Atomic uint64_t *word = verified_word(store, page, &bit);

	atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
}

bool store_verified_within(struct store *store, uint64_t page, uint32_t pages)
{
	for (uint32_t i = 0; i < pages && page + i < store->db.map / DB_PAGE; i++) {
		uint64_t bit;
		_Atomic uint64_t *word = verified_word(store, page + i, &bit);

		if (atomic_load_explicit(word, memory_order_relaxed) & bit)
			return true;
	}
	return false;
}

/* XXH3-64 of n bytes of the file. 0 or -errno; -EIO also for a file that ends too early. */
static int file_sum(int fd, off_t from, size_t n, uint8_t *scratch, uint64_t *ret_sum)
{
	XXH3_state_t state;
	size_t done = 0;

	CHECK(XXH3_64bits_reset(&state) == XXH_OK);
	while (done < n) {
		size_t want = n - done < SCRATCH_BYTES ? n - done : SCRATCH_BYTES;
		ssize_t got = pread(fd, scratch, want, from + (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		CHECK(XXH3_64bits_update(&state, scratch, (size_t)got) == XXH_OK);
		done += (size_t)got;
	}
	*ret_sum = XXH3_64bits_digest(&state);
	return 0;
}

/* Pages of a chunk that are in the page cache; -1: nobody knows. */
static int chunk_resident(const struct store *store, const struct store_place *place, int *ret_all)
{
	size_t pages = (place->bytes.n + DB_PAGE_HEADER + DB_PAGE - 1) / DB_PAGE;
	unsigned char resident[(CONFIG_CHUNK_BYTES + DB_PAGE_HEADER + DB_PAGE - 1) / DB_PAGE];
	const uint8_t *first = store->db.base + (place->offset & ~(off_t)(DB_PAGE - 1));
	int n = 0;

	*ret_all = (int)pages;
	if (pages > sizeof(resident) ||
	    mincore((void *)(uintptr_t)first, pages * DB_PAGE, resident) < 0)
		return -1;
	for (size_t i = 0; i < pages; i++)
		n += resident[i] & 1;
	return n;
}

/*
 * The map has no readahead (it would cost lookups too much): a chunk that fell out of the page cache would be
 * read page by page, by whoever copies it. So it is asked for as a whole, which that one then waits for. The kernel
 * reads ahead by itself for who sends from the file.
 */
static void chunk_read_ahead(const struct store *store, const struct store_place *place)
{
	int all, n;

	if (place->bytes.n < READ_AHEAD_PAGES * DB_PAGE - DB_PAGE)
		return;
	n = chunk_resident(store, place, &all);
	if (n >= 0 && n < all)
		(void)!posix_fadvise(store->db.fd, place->offset, (off_t)place->bytes.n,
				     POSIX_FADV_WILLNEED);
}

/* Compares the file's bytes with the sum. The id is leased: nothing about the chunk changes meanwhile. */
static int chunk_compare(struct store_reader *reader, const struct found_chunk *chunk)
{
	struct store *store = reader->store;
	uint64_t sum = 0;
	int rc;

	if (!reader->scratch)
		reader->scratch = malloc(SCRATCH_BYTES);
	if (!reader->scratch)
		return -ENOMEM;
	rc = file_sum(store->db.fd, chunk->place.offset, chunk->place.bytes.n, reader->scratch,
		      &sum);
	if (rc == 0 && sum == chunk->key.sum) {
		chunk_set_verified(store, chunk);
		return 0;
	}
	/* It may have been right before: devices must not get it until it is dropped. */
	store_unverify(store, store->db.base + chunk->place.offset);
	STORE_FIGURE_ADD(store, bad_chunks, 1);
	STAT_INC(STAT_STORE_BAD_CHUNKS);
	store_damaged(store,
		      &(struct store_damage){ .id = chunk->key.id, .index = chunk->key.index });
	return rc ? -EIO : -EBADMSG;
}

static int chunk_verify(struct store_reader *reader, const struct found_chunk *chunk)
{
	return UNLIKELY(!chunk_verified(reader->store, chunk)) ? chunk_compare(reader, chunk) : 0;
}

/* ---- finding chunks -------------------------------------------------------------------------- */

/* The cursor for chunks, in the transaction that is open. */
static int chunks_cursor(struct store_reader *reader)
{
	if (LIKELY(reader->chunks))
		return mdb_cursor_renew(reader->txn, reader->chunks);
	return mdb_cursor_open(reader->txn, reader->store->db.dbi[DB_CHUNKS], &reader->chunks);
}

static int chunk_find(struct store_reader *reader, uint64_t id, uint32_t index,
		      struct found_chunk *ret_chunk)
{
	struct store *store = reader->store;
	struct db_chunk_key want = { .id = id, .index = index }, got;
	uint8_t bytes[DB_CHUNK_BYTES];
	MDB_val key = db_val(bytes, sizeof(bytes)), value;
	int rc = chunks_cursor(reader);

	db_chunk_key(&want, bytes);
	if (rc == 0)
		rc = mdb_cursor_get(reader->chunks, &key, &value, MDB_SET_RANGE);
	if (rc)
		return rc == MDB_NOTFOUND ? -ENOENT : store_read_failed(store, rc);
	if (db_read_chunk(&key, &value, &got) < 0)
		return -EBADMSG;
	if (got.id != id || got.index != index)
		return -ENOENT;
	ret_chunk->key = got;
	ret_chunk->place.bytes = span_make(value.mv_data, got.bytes);
	ret_chunk->place.offset = (off_t)((const uint8_t *)value.mv_data - store->db.base);
	return 0;
}

static int chunk_place(struct store_reader *reader, uint64_t id, uint32_t index,
		       struct store_place *ret_place)
{
	struct found_chunk chunk;
	int rc = store_enter(reader);

	if (rc)
		return rc;
	rc = chunk_find(reader, id, index, &chunk);
	store_leave(reader);
	if (rc == 0)
		rc = chunk_verify(reader, &chunk);
	if (rc == 0)
		*ret_place = chunk.place;
	return rc;
}

int store_chunk(struct store_reader *reader, uint64_t id, uint32_t index,
		struct store_place *ret_place)
{
	int rc = chunk_place(reader, id, index, ret_place);

	if (rc == 0)
		chunk_read_ahead(reader->store, ret_place);
	return rc;
}

int store_chunk_check(struct store_reader *reader, uint64_t id, uint32_t index, size_t *ret_bytes)
{
	struct found_chunk chunk;
	int resident, all;
	int rc = store_enter(reader);

	if (rc)
		return rc;
	rc = chunk_find(reader, id, index, &chunk);
	store_leave(reader);
	if (rc)
		return rc;
	resident = chunk_resident(reader->store, &chunk.place, &all);
	rc = chunk_compare(reader, &chunk);
	if (resident == 0)
		(void)!posix_fadvise(reader->store->db.fd, chunk.place.offset,
				     (off_t)chunk.place.bytes.n, POSIX_FADV_DONTNEED);
	*ret_bytes = chunk.place.bytes.n;
	return rc;
}

static bool chunk_is_known(const struct stored *stored, uint32_t index)
{
	return stored->has_known && stored->known.key.index == index;
}

int stored_place(struct store_reader *reader, const struct stored *stored, uint32_t index,
		 struct store_place *ret_place)
{
	int rc;

	if (!chunk_is_known(stored, index))
		return chunk_place(reader, stored->object.id, index, ret_place);
	rc = chunk_verify(reader, &stored->known);
	if (rc == 0)
		*ret_place = stored->known.place;
	return rc;
}

int stored_chunk(struct store_reader *reader, const struct stored *stored, uint32_t index,
		 struct store_place *ret_place)
{
	int rc = stored_place(reader, stored, index, ret_place);

	if (rc == 0)
		chunk_read_ahead(reader->store, ret_place);
	return rc;
}

int stored_sound(struct store_reader *reader, struct stored *stored, uint32_t index)
{
	int rc = 0;

	if (!chunk_is_known(stored, index)) {
		rc = store_enter(reader);
		if (rc)
			return rc;
		rc = chunk_find(reader, stored->object.id, index, &stored->known);
		stored->has_known = rc == 0;
		store_leave(reader);
	}
	if (rc == 0 && UNLIKELY(!chunk_verified(reader->store, &stored->known)))
		rc = chunk_compare(reader, &stored->known);
	return rc;
}

struct span stored_bytes(struct store_reader *reader, const struct stored *stored)
{
	const struct object *object = &stored->object;
	struct store_place place;

	if (object->body.n)
		return object->body;
	if (stored_chunk(reader, stored, 0, &place) < 0 || place.bytes.n != (size_t)object->length)
		return (struct span){ 0 };
	return place.bytes;
}

/* ---- finding objects ------------------------------------------------------------------------- */

/* A record that can't be read is dropped like one of another key is not: it can never be right again. */
void store_record_bad(struct store *store, const uint8_t *hash)
{
	struct store_damage damage = { .index = DB_ALL_CHUNKS };

	memcpy(damage.hash, hash, sizeof(damage.hash));
	STORE_FIGURE_ADD(store, bad_records, 1);
	STAT_INC(STAT_STORE_BAD_RECORDS);
	store_damaged(store, &damage);
}

/* Is it the one that is looked for: of this text or, if that is NULL, of this id (0: any)? */
static bool record_is(const struct object *o, const struct span *text, uint64_t id)
{
	return text ? span_eq(o->key, *text) : !id || o->id == id;
}

/* In the transaction: what is under this hash, if it is the right one. The lease comes last. */
static int record_copy(struct store_reader *reader, const uint8_t *hash, const struct span *text,
		       uint64_t id, struct stored **ret_stored)
{
	struct store *store = reader->store;
	MDB_val key = db_val(hash, CACHE_KEY_HASH_BYTES), value;
	struct stored *s;
	int rc = mdb_get(reader->txn, store->db.dbi[DB_OBJECTS], &key, &value);

	if (rc)
		return rc == MDB_NOTFOUND ? -ENOENT : store_read_failed(store, rc);
	s = malloc(sizeof(*s) + value.mv_size);
	if (!s)
		return -ENOMEM;
	memcpy(s->record, value.mv_data, value.mv_size);
	s->has_known = false;
	s->lease = NULL;
	rc = object_decode(span_make(s->record, value.mv_size), &s->object);
	if (rc)
		store_record_bad(store, hash);
	if (rc || !record_is(&s->object, text, id))
		rc = -ENOENT;
	if (rc == 0) {
		s->lease = lease_take(reader->leases, s->object.id);
		rc = s->lease ? 0 : -ENOMEM;
	}
	if (rc)
		free(s);
	else
		*ret_stored = s;
	return rc;
}

/* The hash under which the object of an id stands. */
static int id_hash(struct store_reader *reader, uint64_t id, uint8_t *ret_hash)
{
	uint8_t bytes[DB_ID_BYTES];
	MDB_val key = db_val(bytes, sizeof(bytes)), value;
	int rc;

	db_id_key(id, bytes);
	rc = mdb_get(reader->txn, reader->store->db.dbi[DB_IDS], &key, &value);
	if (rc)
		return rc == MDB_NOTFOUND ? -ENOENT : store_read_failed(reader->store, rc);
	if (value.mv_size != CACHE_KEY_HASH_BYTES)
		return -ENOENT;
	memcpy(ret_hash, value.mv_data, CACHE_KEY_HASH_BYTES);
	return 0;
}

int store_find(struct store_reader *reader, uint64_t id, struct stored **ret_stored)
{
	uint8_t hash[CACHE_KEY_HASH_BYTES];
	struct stored *s = NULL;
	int rc = store_enter(reader);

	if (rc)
		return -ENOENT;
	rc = id_hash(reader, id, hash);
	if (rc == 0)
		rc = record_copy(reader, hash, NULL, id, &s);
	store_leave(reader);
	if (rc)
		return rc == -ENOMEM ? rc : -ENOENT;
	*ret_stored = s;
	return 0;
}

int store_peek(struct store_reader *reader, const struct cache_key *key, struct stored **ret_stored)
{
	struct stored *s = NULL;
	int rc = store_enter(reader);

	if (rc)
		return -ENOENT;
	rc = record_copy(reader, key->hash, &key->text, 0, &s);
	if (rc == 0 && object_chunks(&s->object) == 1)
		s->has_known = chunk_find(reader, s->object.id, 0, &s->known) == 0;
	store_leave(reader);
	if (rc)
		return rc == -ENOMEM ? rc : -ENOENT;
	*ret_stored = s;
	return 0;
}

int store_lookup(struct store_reader *reader, const struct cache_key *key,
		 struct stored **ret_stored)
{
	int rc = store_peek(reader, key, ret_stored);

	if (rc == 0)
		evict_mark(reader->store->marks, (*ret_stored)->object.id);
	return rc;
}

int store_variant(struct store_reader *reader, const struct object *marker, unsigned nth,
		  struct stored **ret_stored)
{
	size_t back = ((size_t)nth + 1) * CACHE_KEY_HASH_BYTES;
	uint8_t hash[CACHE_KEY_HASH_BYTES];
	struct stored *s = NULL;
	int rc;

	if (marker->kind != OBJECT_VARY || back > marker->body.n)
		return -ERANGE;
	memcpy(hash, marker->body.p + marker->body.n - back, sizeof(hash));
	rc = store_enter(reader);
	if (rc)
		return -ENOENT;
	rc = record_copy(reader, hash, NULL, 0, &s);
	store_leave(reader);
	if (rc)
		return rc == -ENOMEM ? rc : -ENOENT;
	if (s->object.kind == OBJECT_RESPONSE && s->object.id > marker->id &&
	    span_starts(s->object.key, marker->key)) {
		*ret_stored = s;
		return 0;
	}
	stored_free(&s);
	return -ENOENT;
}

const struct object *stored_object(const struct stored *stored)
{
	return &stored->object;
}

struct lease *stored_lease(const struct stored *stored)
{
	return stored->lease;
}

void stored_free(struct stored **stored)
{
	if (!*stored)
		return;
	lease_unref(&(*stored)->lease);
	free(*stored);
	*stored = NULL;
}

int store_record(struct store *store, MDB_txn *txn, const uint8_t *hash, struct object *ret_object)
{
	MDB_val key = db_val(hash, CACHE_KEY_HASH_BYTES), value;
	int rc = mdb_get(txn, store->db.dbi[DB_OBJECTS], &key, &value);

	if (rc)
		return db_error(rc);
	return object_decode(db_span(&value), ret_object) ? -EBADMSG : 0;
}

/* ---- state rows ------------------------------------------------------------------------------ */

int store_state_get(struct store_reader *reader, struct span name, void *buf, size_t size,
		    size_t *ret_n)
{
	MDB_val key = db_val(name.p, name.n), value;
	int rc = store_enter(reader);

	if (rc)
		return -ENOENT;
	rc = mdb_get(reader->txn, reader->store->db.dbi[DB_STATE], &key, &value);
	if (rc)
		rc = rc == MDB_NOTFOUND ? -ENOENT : store_read_failed(reader->store, rc);
	else if (value.mv_size > size)
		rc = -ENOSPC;
	if (rc == 0) {
		memcpy(buf, value.mv_data, value.mv_size);
		*ret_n = value.mv_size;
	}
	store_leave(reader);
	return rc;
}
