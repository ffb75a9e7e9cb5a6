/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of an object. Pure functions over bytes; any thread.
 *
 * All numbers are big-endian, times are seconds since 1970 (INT64_MIN: unknown).
 *
 *	 0  u8   version, 1			 88  u64  generation
 *	 1  u8   kind				 96  u32  age
 *	 2  u16  status				100  u32  lifetime
 *	 4  u32  flags				104  u32  stale_while_revalidate
 *	 8  u64  XXH3-64 of bytes 16 to end	108  u32  stale_if_error
 *	16  u32  end: bytes of the record	112  32 bytes of digest (zero without OBJECT_DIGEST)
 *	20  u8   class				144  u16  bytes of key
 *	21  3 bytes of zero			146  u16  bytes of etag
 *	24  u64  id				148  u32  bytes of fields
 *	32  i64  length (-1: unknown)		152  u32  bytes of map
 *	40  i64  requested			156  u32  bytes of body
 *	48  i64  received			160  key, etag, fields, map, body, in this order
 *	56  i64  date				end  anything: padding to a page class (store only)
 *	64  i64  last_modified
 *	72  i64  expires
 *	80  8 bytes of zero
 *
 * The checksum covers what can be served or decided upon, so version, kind, status and flags are
 * mixed into its seed. Another version is refused, never guessed at.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "cache/object.h"

#define RECORD_FIXED	160
#define RECORD_SUM_FROM 16

struct record_writer {
	uint8_t *p;
};

static void write_uint(struct record_writer *w, size_t width, uint64_t value)
{
	for (size_t i = width; i-- > 0; value >>= 8)
		w->p[i] = (uint8_t)value;
	w->p += width;
}

static void write_span(struct record_writer *w, struct span s)
{
	if (s.n)
		memcpy(w->p, s.p, s.n);
	w->p += s.n;
}

/* The first eight bytes are the seed: nothing of the record is left unprotected. */
static uint64_t record_sum(const uint8_t *record, size_t end)
{
	struct cursor c = cursor_make(record, 8);
	uint64_t seed = 0;

	CHECK_OK(cursor_u64be(&c, &seed));
	return XXH3_64bits_withSeed(record + RECORD_SUM_FROM, end - RECORD_SUM_FROM, seed);
}

static size_t record_parts(const struct object *o, size_t body)
{
	return o->key.n + o->etag.n + o->fields.n + body;
}

size_t object_record_size(const struct object *object, size_t body)
{
	return RECORD_FIXED + record_parts(object, body);
}

bool object_fits_inline(const struct object *object, uint64_t body)
{
	return body <= OBJECT_RECORD_INLINE &&
	       object_record_size(object, (size_t)body) <= OBJECT_RECORD_INLINE;
}

/* What holds for every object, whether it comes from a caller or from the disk. */
static bool object_sane(const struct object *o)
{
	if (o->kind != OBJECT_RESPONSE && o->kind != OBJECT_VARY)
		return false;
	if (o->length < OBJECT_LENGTH_UNKNOWN || o->key.n == 0 || o->key.n > CACHE_KEY_TEXT_MAX)
		return false;
	if (o->body.n && (o->map.n || o->length != (int64_t)o->body.n))
		return false;
	if ((o->flags & OBJECT_COMPLETE) && (o->map.n || o->length < 0))
		return false;
	return o->map.n <= UINT32_MAX / 8 &&
	       (o->length < 0 || o->length / CONFIG_CHUNK_BYTES < UINT32_MAX);
}

static void write_fixed(struct record_writer *w, const struct object *o, size_t end)
{
	static const uint8_t no_digest[OBJECT_DIGEST_BYTES];
	const void *digest = o->flags & OBJECT_DIGEST ? o->digest : no_digest;

	write_uint(w, 1, OBJECT_VERSION);
	write_uint(w, 1, o->kind);
	write_uint(w, 2, o->status);
	write_uint(w, 4, o->flags);
	write_uint(w, 8, 0); /* the checksum, when all is there */
	write_uint(w, 4, end);
	write_uint(w, 1, o->class);
	write_uint(w, 3, 0);
	write_uint(w, 8, o->id);
	write_uint(w, 8, (uint64_t)o->length);
	write_uint(w, 8, (uint64_t)o->requested);
	write_uint(w, 8, (uint64_t)o->received);
	write_uint(w, 8, (uint64_t)o->date);
	write_uint(w, 8, (uint64_t)o->last_modified);
	write_uint(w, 8, (uint64_t)o->expires);
	write_uint(w, 8, 0);
	write_uint(w, 8, o->generation);
	write_uint(w, 4, o->age);
	write_uint(w, 4, o->lifetime);
	write_uint(w, 4, o->stale_while_revalidate);
	write_uint(w, 4, o->stale_if_error);
	write_span(w, span_make(digest, OBJECT_DIGEST_BYTES));
	write_uint(w, 2, o->key.n);
	write_uint(w, 2, o->etag.n);
	write_uint(w, 4, o->fields.n);
	write_uint(w, 4, o->map.n);
	write_uint(w, 4, o->body.n);
}

int object_encode(const struct object *o, uint8_t *buf, size_t size)
{
	struct record_writer w = { .p = buf };
	size_t end;

	if (!object_sane(o) || o->etag.n > UINT16_MAX || o->fields.n > UINT32_MAX / 8 ||
	    o->body.n > UINT32_MAX / 8)
		return -EINVAL;
	end = RECORD_FIXED + record_parts(o, o->body.n) + o->map.n;
	if (size < end)
		return -ENOSPC;
	write_fixed(&w, o, end);
	CHECK(w.p == buf + RECORD_FIXED);
	write_span(&w, o->key);
	write_span(&w, o->etag);
	write_span(&w, o->fields);
	write_span(&w, o->map);
	write_span(&w, o->body);
	CHECK(w.p == buf + end);
	memset(w.p, 0, size - end);
	w.p = buf + 8;
	write_uint(&w, 8, record_sum(buf, end));
	return 0;
}

static int read_i64(struct cursor *c, int64_t *ret)
{
	uint64_t value;
	int rc = cursor_u64be(c, &value);

	if (rc == 0)
		*ret = (int64_t)value;
	return rc;
}

/* Lengths of the parts that follow the fixed bytes. */
struct record_lengths {
	uint16_t key, etag;
	uint32_t fields, map, body;
};

static int read_fixed(struct cursor *c, struct object *o, struct record_lengths *n)
{
	struct span digest;
	int rc = 0;

	rc |= cursor_u8(c, &o->class);
	rc |= cursor_skip(c, 3);
	rc |= cursor_u64be(c, &o->id);
	rc |= read_i64(c, &o->length);
	rc |= read_i64(c, &o->requested);
	rc |= read_i64(c, &o->received);
	rc |= read_i64(c, &o->date);
	rc |= read_i64(c, &o->last_modified);
	rc |= read_i64(c, &o->expires);
	rc |= cursor_skip(c, 8);
	rc |= cursor_u64be(c, &o->generation);
	rc |= cursor_u32be(c, &o->age);
	rc |= cursor_u32be(c, &o->lifetime);
	rc |= cursor_u32be(c, &o->stale_while_revalidate);
	rc |= cursor_u32be(c, &o->stale_if_error);
	if (rc || cursor_bytes(c, OBJECT_DIGEST_BYTES, &digest) < 0)
		return -EBADMSG;
	memcpy(o->digest, digest.p, sizeof(o->digest));
	rc |= cursor_u16be(c, &n->key);
	rc |= cursor_u16be(c, &n->etag);
	rc |= cursor_u32be(c, &n->fields);
	rc |= cursor_u32be(c, &n->map);
	rc |= cursor_u32be(c, &n->body);
	return rc ? -EBADMSG : 0;
}

static int read_parts(struct cursor *c, struct object *o, const struct record_lengths *n)
{
	int rc = 0;

	rc |= cursor_bytes(c, n->key, &o->key);
	rc |= cursor_bytes(c, n->etag, &o->etag);
	rc |= cursor_bytes(c, n->fields, &o->fields);
	rc |= cursor_bytes(c, n->map, &o->map);
	rc |= cursor_bytes(c, n->body, &o->body);
	return rc || cursor_remaining(c) ? -EBADMSG : 0;
}

int object_decode(struct span record, struct object *ret_object)
{
	struct cursor c = cursor_make(record.p, record.n);
	struct object o = { 0 };
	struct record_lengths n = { 0 };
	uint8_t version, kind;
	uint64_t sum;
	uint32_t end;

	if (cursor_u8(&c, &version) < 0)
		return -EBADMSG;
	if (version != OBJECT_VERSION)
		return -EPROTONOSUPPORT;
	if (cursor_u8(&c, &kind) < 0 || cursor_u16be(&c, &o.status) < 0 ||
	    cursor_u32be(&c, &o.flags) < 0 || cursor_u64be(&c, &sum) < 0 ||
	    cursor_u32be(&c, &end) < 0)
		return -EBADMSG;
	if (end < RECORD_FIXED || end > record.n ||
	    sum != record_sum((const uint8_t *)record.p, end))
		return -EBADMSG;
	o.kind = (enum object_kind)kind;
	c = cursor_make(record.p + 20, end - 20);
	if (read_fixed(&c, &o, &n) < 0 || read_parts(&c, &o, &n) < 0 || !object_sane(&o))
		return -EBADMSG;
	*ret_object = o;
	return 0;
}

/* ---- what is there --------------------------------------------------------------------------- */

bool object_complete(const struct object *o)
{
	return o->flags & OBJECT_COMPLETE;
}

uint32_t object_chunks(const struct object *o)
{
	if (o->body.n || o->length <= 0)
		return 0;
	return (uint32_t)(((uint64_t)o->length + CONFIG_CHUNK_BYTES - 1) / CONFIG_CHUNK_BYTES);
}

bool object_has_chunk(const struct object *o, uint32_t index)
{
	if (object_complete(o))
		return index < object_chunks(o);
	return index / 8 < o->map.n && ((uint8_t)o->map.p[index / 8] >> (index % 8) & 1);
}

uint64_t object_stored_bytes(const struct object *o)
{
	uint32_t chunks = object_chunks(o);
	uint64_t sum = 0;

	if (object_complete(o) || !chunks)
		return o->length > 0 ? (uint64_t)o->length : o->body.n;
	for (uint32_t i = 0; i < chunks; i++) {
		uint64_t left = (uint64_t)o->length - (uint64_t)i * CONFIG_CHUNK_BYTES;

		if (object_has_chunk(o, i))
			sum += left < CONFIG_CHUNK_BYTES ? left : CONFIG_CHUNK_BYTES;
	}
	return sum;
}

uint64_t object_stored_until(const struct object *o, uint64_t from)
{
	uint64_t at = from;

	if (object_complete(o))
		return o->length > 0 && from < (uint64_t)o->length ? (uint64_t)o->length : from;
	for (uint64_t i = from / CONFIG_CHUNK_BYTES; i <= UINT32_MAX; i++) {
		if (!object_has_chunk(o, (uint32_t)i))
			break;
		at = (i + 1) * CONFIG_CHUNK_BYTES;
	}
	if (o->length >= 0 && at > (uint64_t)o->length)
		at = (uint64_t)o->length > from ? (uint64_t)o->length : from;
	return at;
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void move_span(struct span *s, char **to)
{
	if (s->n)
		memcpy(*to, s->p, s->n);
	s->p = *to;
	*to += s->n;
}

struct object *object_dup(const struct object *object)
{
	size_t parts = record_parts(object, object->body.n) + object->map.n;
	struct object *copy = malloc(sizeof(*copy) + parts);
	char *to;

	if (!copy)
		return NULL;
	*copy = *object;
	to = (char *)(copy + 1);
	move_span(&copy->key, &to);
	move_span(&copy->fields, &to);
	move_span(&copy->etag, &to);
	move_span(&copy->body, &to);
	move_span(&copy->map, &to);
	return copy;
}

void object_free(struct object **object)
{
	free(*object);
	*object = NULL;
}
