/* SPDX-License-Identifier: Apache-2.0 */
/* cache/variants.c: so many variants of a URI are kept, and they go with their marker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/cache/each.h"

#include "firmware/base/stat.h"

#define MOST 64

static uint64_t put_marker(const char *key, const char *names)
{
	struct object marker = {
		.kind = OBJECT_VARY,
		.id = store_id_new(rig.store),
		.key = span_make(key, strlen(key)),
		.fields = span_make(names, strlen(names)),
		.date = OBJECT_TIME_UNKNOWN,
		.last_modified = OBJECT_TIME_UNKNOWN,
		.expires = OBJECT_TIME_UNKNOWN,
	};

	assert_int_equal(writer_put_object(rig.writer, &marker, NULL, NULL), 0);
	return marker.id;
}

static const char *variant(char buf[64], unsigned i)
{
	(void)snprintf(buf, 64, "v g /a\na:%u", i);
	return buf;
}

static void put_variants(unsigned from, unsigned n)
{
	char key[64];

	for (unsigned i = from; i < from + n; i++)
		body_put(&rig, variant(key, i), 10 + (i % 3) * RIG_CHUNK, i);
	assert_int_equal(rig_commit(&rig), 0);
}

static bool is_there(unsigned i)
{
	char key[64];
	int rc = body_check(rig.reader, variant(key, i), 10 + (i % 3) * RIG_CHUNK, i);

	assert_true(rc == 0 || rc == -ENOENT);
	return rc == 0;
}

static unsigned count(unsigned n)
{
	unsigned there = 0;

	for (unsigned i = 0; i < n; i++)
		there += is_there(i);
	return there;
}

static void the_oldest_goes(void **state)
{
	int64_t dropped = stat_read(STAT_STORE_VARIANTS_DROPPED);

	(void)state;
	put_marker("v g /a", "a");
	put_variants(0, MOST);
	assert_int_equal(count(MOST), MOST);
	assert_int_equal(stat_read(STAT_STORE_VARIANTS_DROPPED), dropped);
	put_variants(5, 1); /* one that is there: in its place */
	assert_int_equal(count(MOST), MOST);
	put_variants(MOST, 2);
	assert_int_equal(count(MOST + 2), MOST);
	assert_false(is_there(0));
	assert_false(is_there(1));
	assert_true(is_there(2));
	assert_true(is_there(MOST + 1));
	assert_int_equal(stat_read(STAT_STORE_VARIANTS_DROPPED), dropped + 2);
	rig_close(&rig); /* it stands in the store, not in memory */
	rig_open(&rig);
	put_variants(MOST + 2, 1);
	assert_int_equal(count(MOST + 3), MOST);
	assert_false(is_there(2));
}

static void the_newest_are_listed_first(void **state)
{
	struct stored *marker, *stored;
	struct cache_key key = key_of(SPAN("v g /a"));
	char name[64];

	(void)state;
	put_variants(9, 1); /* of an older marker: to be asked of nobody */
	put_marker("v g /a", "a");
	put_variants(0, 3);
	assert_int_equal(store_peek(rig.reader, &key, &marker), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(store_variant(rig.reader, stored_object(marker), i, &stored), 0);
		assert_true(span_eq(stored_object(stored)->key, span_of(variant(name, 2 - i))));
		stored_free(&stored);
	}
	assert_int_equal(store_variant(rig.reader, stored_object(marker), 3, &stored), -ERANGE);
	key = key_of(span_of(variant(name, 2)));
	assert_int_equal(writer_remove(rig.writer, &key, 0, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_variant(rig.reader, stored_object(marker), 0, &stored), -ENOENT);
	stored_free(&marker);
}

static void others_are_left_alone(void **state)
{
	(void)state;
	put_marker("v g /a", "a");
	body_put(&rig, "v g /a\n:staged\na:0", 10, 1000);
	body_put(&rig, "v g /ab\na:0", 10, 1001);
	put_variants(0, MOST + 20);
	assert_int_equal(body_check(rig.reader, "v g /a\n:staged\na:0", 10, 1000), 0);
	assert_int_equal(body_check(rig.reader, "v g /ab\na:0", 10, 1001), 0);
}

static void they_go_with_their_marker(void **state)
{
	struct cache_key key = key_of(SPAN("v g /a"));
	uint64_t live = stat_now().live;

	(void)state;
	put_marker("v g /a", "a");
	put_variants(0, 9);
	assert_int_equal(writer_remove(rig.writer, &key, 0, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(count(9), 0);
	put_marker("v g /a", "a");
	put_variants(0, 9);
	put_marker("v g /a",
		   "a,b"); /* names more: what stood behind the other is not found any more */
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(count(9), 0);
	put_variants(0, 1);
	body_put(&rig, "v g /a", 10, 7); /* no variants any more */
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(count(1), 0);
	rig_sweep(&rig);
	assert_in_range(stat_now().live, 0, live + (256 << 10));
}

/* Two fetches at once, each of which saw no marker. */
static void the_same_marker_stays(void **state)
{
	struct cache_key key = key_of(SPAN("v g /a"));
	uint64_t first = put_marker("v g /a", "a");
	struct stored *stored;

	(void)state;
	put_variants(0, 1);
	put_marker("v g /a", "a");
	put_variants(1, 1);
	assert_int_equal(count(2), 2);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	assert_int_equal(stored_object(stored)->id, first);
	stored_free(&stored);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(the_newest_are_listed_first, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(they_go_with_their_marker, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_marker_stays, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
