/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cache/object.h"

static struct object sample(void)
{
	return (struct object){
		.kind = OBJECT_RESPONSE,
		.status = 200,
		.class = 2,
		.flags = OBJECT_DIGEST | 1u << OBJECT_POLICY_SHIFT,
		.id = 0x0102030405060708,
		.key = SPAN("vendor @updates /a/b.cab?v=1"),
		.fields = SPAN("Content-Type: text/plain\r\nETag: \"x\"\r\n"),
		.etag = SPAN("\"x\""),
		.requested = 1700000000,
		.received = 1700000001,
		.date = 1700000002,
		.last_modified = -1,
		.expires = OBJECT_TIME_UNKNOWN,
		.age = 3,
		.lifetime = UINT32_MAX,
		.stale_while_revalidate = 4,
		.stale_if_error = 5,
		.generation = UINT64_MAX,
		.length = 3 * (int64_t)CONFIG_CHUNK_BYTES + 1,
		.digest = { 1, [31] = 2 },
		.map = SPAN("\x05"),
	};
}

static size_t encode(const struct object *o, uint8_t *buf, size_t pad)
{
	size_t n = object_record_size(o, o->body.n) + o->map.n;

	assert_int_equal(object_encode(o, buf, n + pad), 0);
	return n;
}

static void assert_same(const struct object *a, const struct object *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->class, b->class);
	assert_int_equal(a->flags, b->flags);
	assert_true(a->id == b->id && a->length == b->length && a->generation == b->generation);
	assert_true(a->requested == b->requested && a->received == b->received);
	assert_true(a->date == b->date && a->last_modified == b->last_modified);
	assert_true(a->expires == b->expires && a->age == b->age && a->lifetime == b->lifetime);
	assert_int_equal(a->stale_while_revalidate, b->stale_while_revalidate);
	assert_int_equal(a->stale_if_error, b->stale_if_error);
	assert_memory_equal(a->digest, b->digest, OBJECT_DIGEST_BYTES);
	assert_true(span_eq(a->key, b->key) && span_eq(a->etag, b->etag));
	assert_true(span_eq(a->fields, b->fields) && span_eq(a->body, b->body));
	assert_true(span_eq(a->map, b->map));
}

static void comes_back_as_it_was(void **state)
{
	struct object o = sample(), got;
	uint8_t buf[1024];
	size_t n = encode(&o, buf, 0);

	(void)state;
	assert_int_equal(object_decode(span_make(buf, n), &got), 0);
	assert_same(&o, &got);
}

static void padding_is_not_read(void **state)
{
	struct object o = sample(), got;
	uint8_t buf[4080];
	size_t n = encode(&o, buf, 500);

	(void)state;
	for (size_t i = 0; i < 500; i++)
		assert_int_equal(buf[n + i], 0);
	memset(buf + n, 0xff, 500);
	assert_int_equal(object_decode(span_make(buf, n + 500), &got), 0);
	assert_same(&o, &got);
}

/* The format is what object.c draws: a change of it needs another version. */
static void bytes_are_as_drawn(void **state)
{
	struct object o = sample();
	uint8_t buf[1024];
	size_t n = encode(&o, buf, 0);

	(void)state;
	assert_memory_equal(buf, "\x01\x01\x00\xc8\x00\x01\x00\x02", 8);
	assert_int_equal(buf[19] | buf[18] << 8, n);
	assert_int_equal(buf[20], 2);
	assert_memory_equal(buf + 24, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_memory_equal(buf + 40, "\0\0\0\0\x65\x53\xf1\x00", 8);
	assert_memory_equal(buf + 100, "\xff\xff\xff\xff", 4);
	assert_int_equal(buf[112], 1);
	assert_int_equal(buf[143], 2);
	assert_memory_equal(buf + 160, o.key.p, o.key.n);
	assert_memory_equal(buf + n - 1, "\x05", 1);
}

/* Any one bit: the record is refused. */
static void every_flipped_bit_is_found(void **state)
{
	struct object o = sample(), got;
	uint8_t buf[1024];
	size_t n = encode(&o, buf, 0);

	(void)state;
	for (size_t bit = 0; bit < n * 8; bit++) {
		int rc;

		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rc = object_decode(span_make(buf, n), &got);
		assert_int_equal(rc, bit / 8 == 0 ? -EPROTONOSUPPORT : -EBADMSG);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void every_cut_is_found(void **state)
{
	struct object o = sample(), got;
	uint8_t buf[1024];
	size_t n = encode(&o, buf, 0);

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1); /* so that a sanitizer sees a byte too far */

		assert_non_null(copy);
		memcpy(copy, buf, cut);
		assert_int_equal(object_decode(span_make(copy, cut), &got), -EBADMSG);
		free(copy);
	}
}

static void refuses_what_contradicts_itself(void **state)
{
	struct object o;
	uint8_t buf[1024];

	(void)state;
	o = sample();
	o.kind = 3;
	assert_int_equal(object_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = sample();
	o.key = SPAN("");
	assert_int_equal(object_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = sample();
	o.length = -2;
	assert_int_equal(object_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = sample();
	o.map = SPAN("");
	o.body = SPAN("abc"); /* but the length says more */
	assert_int_equal(object_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = sample();
	o.flags |= OBJECT_COMPLETE; /* but there is a map */
	assert_int_equal(object_encode(&o, buf, sizeof(buf)), -EINVAL);
	o = sample();
	assert_int_equal(object_encode(&o, buf, 10), -ENOSPC);
}

static void knows_what_is_stored(void **state)
{
	const uint64_t chunk = CONFIG_CHUNK_BYTES;
	struct object o = sample(); /* four chunks, 0 and 2 are there */

	(void)state;
	assert_false(object_complete(&o));
	assert_int_equal(object_chunks(&o), 4);
	assert_true(object_has_chunk(&o, 0) && !object_has_chunk(&o, 1) && object_has_chunk(&o, 2));
	assert_false(object_has_chunk(&o, 3) || object_has_chunk(&o, 8) ||
		     object_has_chunk(&o, UINT32_MAX));
	assert_int_equal(object_stored_until(&o, 0), chunk);
	assert_int_equal(object_stored_until(&o, 5), chunk);
	assert_int_equal(object_stored_until(&o, chunk), chunk);
	assert_int_equal(object_stored_until(&o, 2 * chunk + 9), 3 * chunk);
	o.map = SPAN("\x0f");
	assert_int_equal(object_stored_until(&o, 7), 3 * chunk + 1);
	assert_int_equal(object_stored_until(&o, 4 * chunk), 4 * chunk);
	o.map = SPAN("");
	o.flags |= OBJECT_COMPLETE;
	assert_true(object_has_chunk(&o, 3) && !object_has_chunk(&o, 4));
	assert_int_equal(object_stored_until(&o, 1), 3 * chunk + 1);
	assert_int_equal(object_stored_until(&o, 3 * chunk + 1), 3 * chunk + 1);
	o.length = OBJECT_LENGTH_UNKNOWN;
	o.flags = 0;
	o.map = SPAN("\x01");
	assert_int_equal(object_chunks(&o), 0);
	assert_int_equal(object_stored_until(&o, 0), chunk);
}

static void a_copy_stands_alone(void **state)
{
	struct object o = sample(), *copy;
	uint8_t buf[1024];
	struct object borrowed;
	size_t n = encode(&o, buf, 0);

	(void)state;
	assert_int_equal(object_decode(span_make(buf, n), &borrowed), 0);
	copy = object_dup(&borrowed);
	assert_non_null(copy);
	memset(buf, 0xee, sizeof(buf));
	assert_same(&o, copy);
	object_free(&copy);
	assert_null(copy);
}

static void small_bodies_fit_in_the_record(void **state)
{
	struct object o = sample();
	size_t most = OBJECT_RECORD_INLINE - object_record_size(&o, 0);

	(void)state;
	assert_true(object_fits_inline(&o, most));
	assert_false(object_fits_inline(&o, most + 1));
	assert_false(object_fits_inline(&o, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(padding_is_not_read),
		cmocka_unit_test(bytes_are_as_drawn),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(every_cut_is_found),
		cmocka_unit_test(refuses_what_contradicts_itself),
		cmocka_unit_test(knows_what_is_stored),
		cmocka_unit_test(a_copy_stands_alone),
		cmocka_unit_test(small_bodies_fit_in_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
