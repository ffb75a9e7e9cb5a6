/* SPDX-License-Identifier: Apache-2.0 */
/* What goes when the store is full. That it stays within its limit for long: tests/crash/churn.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cache/evict.h"
#include "tests/unit/cache/each.h"

/* Four chunks of the default size. */
#define MIB (UINT64_C(4) * 262128)

static void put(const char *prefix, unsigned i, uint64_t length)
{
	char key[32];

	(void)snprintf(key, sizeof(key), "%s %u", prefix, i);
	body_put(&rig, key, length, i + 1);
	if (i % 4 == 3) {
		assert_int_equal(rig_commit(&rig), 0);
		rig_sweep(&rig);
	}
}

static bool has(const char *prefix, unsigned i, uint64_t length)
{
	char key[32];

	(void)snprintf(key, sizeof(key), "%s %u", prefix, i);
	return body_check(rig.reader, key, length, i + 1) == 0;
}

static void marks_are_cleared_once(void **state)
{
	struct evict_marks *marks;

	(void)state;
	assert_int_equal(evict_marks_new(&marks), 0);
	assert_false(evict_mark_clear(marks, 70));
	evict_mark(marks, 70);
	evict_mark(marks, 70);
	assert_false(evict_mark_clear(marks, 71));
	assert_true(evict_mark_clear(marks, 70));
	assert_false(evict_mark_clear(marks, 70));
	evict_marks_free(&marks);
}

static void the_oldest_unused_goes_first(void **state)
{
	unsigned kept = 0;

	(void)state;
	for (unsigned i = 0; i < 80; i++) /* 80 MiB into 64 */
		put("k", i, MIB);
	assert_true(stat_now().evicted > 0);
	assert_false(has("k", 0, MIB));
	assert_true(has("k", 79, MIB));
	for (unsigned i = 0; i < 80; i++)
		kept += has("k", i, MIB);
	assert_in_range(kept, 45, 63);
	assert_true(stat_now().live <= RIG_LIMIT);
}

/* What is used stays while a long row of things passes that nobody asks for again. */
static void a_scan_does_not_push_out_what_is_used(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		put("hot", i, MIB);
	for (unsigned i = 0; i < 200; i++) {
		put("scan", i, MIB);
		for (unsigned hot = i % 4; hot < 20; hot += 4)
			assert_true(has("hot", hot, MIB));
	}
	assert_false(has("scan", 10, MIB));
}

/* Is it there? Without using it. */
static bool is_there(const char *prefix, unsigned i)
{
	struct stored *stored;
	struct cache_key k;
	char key[32];

	(void)snprintf(key, sizeof(key), "%s %u", prefix, i);
	k = key_of(span_of(key));
	if (store_peek(rig.reader, &k, &stored) < 0)
		return false;
	stored_free(&stored);
	return true;
}

/* What was asked for once, and is not any more, goes before what has just come. */
static void what_is_new_outlives_what_was_used(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 44; i++)
		put("used", i, MIB);
	for (unsigned i = 0; i < 44; i++)
		assert_true(has("used", i, MIB));
	for (unsigned i = 0; i < 40; i++) {
		put("new", i, MIB);
		for (unsigned back = 0; i % 4 == 3 && back < 8 && back <= i; back++)
			assert_true(is_there("new", i - back));
	}
	assert_false(is_there("used", 0));
}

static void what_is_in_use_is_not_evicted(void **state)
{
	struct cache_key key = key_of(SPAN("held 3"));
	struct store_place place;
	struct stored *stored;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		put("held", i, MIB);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	for (unsigned i = 0; i < 200; i++)
		put("k", i, MIB);
	assert_false(has("held", 2, MIB));
	for (uint32_t i = 0; i * RIG_CHUNK < MIB; i++) {
		assert_int_equal(stored_chunk(rig.reader, stored, i, &place), 0);
		assert_true(body_is(4, i * RIG_CHUNK, place.bytes));
	}
	stored_free(&stored);
	assert_true(has("held", 3, MIB));
}

/* All is in use: what comes is refused, and the store is well; when it is given back there is room. */
static void a_store_full_of_leases_refuses(void **state)
{
	struct stored *stored[80] = { 0 };
	unsigned held = 0;

	(void)state;
	for (unsigned i = 0; i < 80; i++) {
		char text[32];
		struct cache_key key;

		(void)snprintf(text, sizeof(text), "k %u", i);
		body_put(&rig, text, MIB, i + 1);
		(void)!rig_commit(&rig);
		rig_sweep(&rig);
		key = key_of(span_of(text));
		if (store_lookup(rig.reader, &key, &stored[i]) == 0)
			held++;
	}
	assert_in_range(held, 45, 64);
	assert_int_equal(rig.rc, -ENOSPC);
	assert_int_equal(store_state(rig.store), STORE_SERVING);
	assert_true(stat_now().live <= RIG_LIMIT);
	for (unsigned i = 0; i < 80; i++)
		stored_free(&stored[i]);
	put("new", 3, 10 * MIB);
	assert_true(has("new", 3, 10 * MIB));
}

static void take_away(const char *text)
{
	struct cache_key key = key_of(span_of(text));

	assert_int_equal(writer_remove(rig.writer, &key, 0, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
}

/* What a transaction sweeps is more than all that stays: nothing else has to go for that. */
static void a_large_sweep_evicts_nothing(void **state)
{
	(void)state;
	body_put(&rig, "kept", 20000, 1);
	body_put(&rig, "first", 20000, 2);
	body_put(&rig, "large", 8 * MIB, 3);
	assert_int_equal(rig_commit(&rig), 0);
	take_away("first"); /* swept in this turn: the next sweep of its own is 100 ms off */
	take_away("large");
	body_put(&rig, "new", 20000, 4);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "kept", 20000, 1), 0);
	assert_int_equal(body_check(rig.reader, "new", 20000, 4), 0);
	assert_int_equal(stat_now().evicted, 0);
}

/* The limit may change at any opening; a smaller one is reached with the next writes. */
static void the_limit_may_change(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		put("k", i, MIB);
	assert_true(stat_now().live > 38u << 20);
	rig_close(&rig);
	rig.config.limit = 16 << 20;
	rig_open(&rig);
	assert_true(has("k", 0, MIB));
	for (unsigned i = 0; i < 12; i++)
		put("new", i, MIB);
	assert_true(stat_now().live <= 16u << 20);
	assert_true(has("new", 11, MIB));
	rig_close(&rig);
	rig.config.limit = 128 << 20;
	rig_open(&rig);
	for (unsigned i = 0; i < 100; i++)
		put("big", i, MIB);
	assert_true(stat_now().live > 90u << 20);
	assert_true(has("big", 0, MIB));
}

/* As many small ones as take several transactions to evict. */
static void a_lower_limit_with_many_objects(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 24000; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "small %u", i);
		body_put(&rig, key, 1500, i + 1);
	}
	assert_int_equal(rig_commit(&rig), 0);
	assert_true(stat_now().objects > 10000);
	rig_close(&rig);
	rig.config.limit = 16 << 20;
	rig_open(&rig);
	put("new", 3, MIB);
	assert_true(has("new", 3, MIB));
	assert_true(stat_now().live <= 16u << 20);
	assert_in_range(stat_now().objects, 1000, 10000);
}

/* The eviction order survives a restart: the hand goes on where it was. */
static void a_restart_keeps_the_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 56; i++)
		put("k", i, MIB);
	rig_close(&rig);
	rig_open(&rig);
	for (unsigned i = 0; i < 20; i++)
		put("n", i, MIB);
	assert_false(has("k", 0, MIB));
	assert_true(has("k", 55, MIB));
	assert_true(has("n", 0, MIB));
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_cleared_once),
		RIGGED(the_oldest_unused_goes_first),
		RIGGED(a_scan_does_not_push_out_what_is_used),
		RIGGED(what_is_new_outlives_what_was_used),
		RIGGED(what_is_in_use_is_not_evicted),
		RIGGED(a_store_full_of_leases_refuses),
		RIGGED(a_large_sweep_evicts_nothing),
		RIGGED(the_limit_may_change),
		RIGGED(a_lower_limit_with_many_objects),
		RIGGED(a_restart_keeps_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
