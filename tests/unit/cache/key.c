/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cache/key.h"

static void builds_one_text(void **state)
{
	struct cache_key key, same;
	char buf[64];

	(void)state;
	assert_int_equal(
		key_build(SPAN("v"), SPAN("@g"), SPAN("/a b"), SPAN("x=1"), buf, sizeof(buf), &key),
		0);
	assert_true(span_eq(key.text, SPAN("v @g /a b?x=1")));
	same = key_of(SPAN("v @g /a b?x=1"));
	assert_true(key_eq(&key, &same));
	assert_int_equal(
		key_build(SPAN("v"), SPAN("h"), SPAN(""), SPAN(""), buf, sizeof(buf), &key), 0);
	assert_true(span_eq(key.text, SPAN("v h /")));
}

/* Big-endian XXH3-128, as other tools print it: stored on disk, so it may not change. */
static void the_hash_is_fixed(void **state)
{
	struct cache_key key = key_of(SPAN("v @g /"));

	(void)state;
	assert_false(key_eq(&key, &(struct cache_key){ 0 }));
	key = key_of(SPAN(""));
	assert_memory_equal(key.hash,
			    "\x99\xaa\x06\xd3\x01\x47\x98\xd8\x60\x01\xc3\x24\x46\x8d\x49\x7f", 16);
}

static void refuses_what_would_make_two_keys_one(void **state)
{
	struct cache_key key;
	char buf[64];

	(void)state;
	assert_int_equal(key_build(SPAN("v"), SPAN("a b"), SPAN("/"), SPAN(""), buf, 64, &key),
			 -EINVAL);
	assert_int_equal(key_build(SPAN("v"), SPAN("a"), SPAN("/\n"), SPAN(""), buf, 64, &key),
			 -EINVAL);
	assert_int_equal(key_build(SPAN("v"), SPAN("a"), SPAN("/"), SPAN("\n"), buf, 64, &key),
			 -EINVAL);
	assert_int_equal(key_build(SPAN("v"), SPAN("a"), SPAN("/12"), SPAN(""), buf, 6, &key),
			 -ENOSPC);
	assert_int_equal(key_build(SPAN("v"), SPAN("a"), SPAN("/12"), SPAN(""), buf, 7, &key), 0);
}

static void variants_differ(void **state)
{
	struct cache_key none, empty, gzip;
	char buf[3][64];
	struct cache_key *keys[] = { &none, &empty, &gzip };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			key_build(SPAN("v"), SPAN("h"), SPAN("/"), SPAN(""), buf[i], 64, keys[i]),
			0);
	assert_int_equal(key_vary(&none, SPAN("Accept-Encoding"), (struct span){ 0 }, buf[0], 64),
			 0);
	assert_int_equal(key_vary(&empty, SPAN("accept-encoding"), SPAN(""), buf[1], 64), 0);
	assert_int_equal(key_vary(&gzip, SPAN("accept-encoding"), SPAN("gzip"), buf[2], 64), 0);
	assert_true(span_eq(none.text, SPAN("v h /\naccept-encoding")));
	assert_true(span_eq(empty.text, SPAN("v h /\naccept-encoding:")));
	assert_true(span_eq(gzip.text, SPAN("v h /\naccept-encoding:gzip")));
	assert_false(key_eq(&none, &empty) || key_eq(&empty, &gzip));
	assert_int_equal(key_vary(&gzip, SPAN("a"), SPAN("b\nc"), buf[2], 64), -EINVAL);
	assert_int_equal(key_vary(&gzip, SPAN("a:b"), SPAN("c"), buf[2], 64), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_one_text),
		cmocka_unit_test(the_hash_is_fixed),
		cmocka_unit_test(refuses_what_would_make_two_keys_one),
		cmocka_unit_test(variants_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
