/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the reader of records. The first byte says what the rest is: 0 mod 2, a record as it stands; 1 mod
 * 2, one whose checksum is put right first, so that the checks behind it are reached as well. What is accepted must be
 * consistent, and come out the same when it is written and read again.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "cache/db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Within the record, which lies at exactly its size: a byte too far is seen. */
static void check_span(struct span part, struct span record)
{
	CHECK(part.n <= record.n);
	CHECK(part.n == 0 || (part.p >= record.p && part.p + part.n <= record.p + record.n));
}

static void check_object(const struct object *o, struct span record)
{
	uint64_t until;
	struct object *copy;

	check_span(o->key, record);
	check_span(o->etag, record);
	check_span(o->fields, record);
	check_span(o->map, record);
	check_span(o->body, record);
	CHECK(o->key.n > 0 && o->key.n <= CACHE_KEY_TEXT_MAX);
	CHECK(o->length >= OBJECT_LENGTH_UNKNOWN);
	CHECK(o->body.n == 0 || o->length == (int64_t)o->body.n);
	until = object_stored_until(o, 0);
	CHECK(o->length < 0 || until <= (uint64_t)o->length);
	CHECK(until == 0 || object_complete(o) || object_has_chunk(o, 0));
	copy = object_dup(o);
	CHECK(copy != NULL && span_eq(copy->fields, o->fields) && span_eq(copy->map, o->map));
	object_free(&copy);
}

/* Written again it is the same but for the bytes that mean nothing. */
static void check_again(const struct object *o)
{
	size_t n = object_record_size(o, o->body.n) + o->map.n;
	uint8_t *record = malloc(n);
	struct object again;

	CHECK(record != NULL);
	CHECK_OK(object_encode(o, record, n));
	CHECK_OK(object_decode(span_make(record, n), &again));
	CHECK(again.id == o->id && again.flags == o->flags && again.length == o->length);
	CHECK(span_eq(again.key, o->key) && span_eq(again.etag, o->etag));
	CHECK(span_eq(again.fields, o->fields) && span_eq(again.body, o->body));
	CHECK(span_eq(again.map, o->map));
	free(record);
}

/* As object.c computes it: over bytes 16 to end, seeded with the first eight. */
static void put_sum_right(uint8_t *record, size_t n)
{
	struct cursor c = cursor_make(record, n);
	uint64_t seed, sum;
	uint32_t end;

	if (n < 20 || cursor_u64be(&c, &seed) < 0 || cursor_skip(&c, 8) < 0 ||
	    cursor_u32be(&c, &end) < 0 || end > n || end < 16)
		return;
	sum = XXH3_64bits_withSeed(record + 16, end - 16, seed);
	db_put_u64(record + 8, sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct object o;
	uint8_t *record;
	int rc;

	if (n == 0)
		return 0;
	record = malloc(n > 1 ? n - 1 : 1);
	CHECK(record != NULL);
	memcpy(record, data + 1, n - 1);
	if (data[0] & 1)
		put_sum_right(record, n - 1);
	rc = object_decode(span_make(record, n - 1), &o);
	CHECK(rc == 0 || rc == -EBADMSG || rc == -EPROTONOSUPPORT);
	if (rc == 0) {
		check_object(&o, span_make(record, n - 1));
		check_again(&o);
	}
	free(record);
	return 0;
}
