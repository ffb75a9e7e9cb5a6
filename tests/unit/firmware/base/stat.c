/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "firmware/base/stat.h"

#define THREADS 4
#define ROUNDS	20000

static void counts(void **state)
{
	int64_t before = stat_read(STAT_REQUESTS);

	(void)state;
	STAT_INC(STAT_REQUESTS);
	STAT_ADD(STAT_REQUESTS, 41);
	assert_int_equal(stat_read(STAT_REQUESTS) - before, 42);
}

static void *count_much(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		STAT_INC(STAT_CONN_ACCEPTED);
		STAT_INC(STAT_CONN_OPEN);
	}
	return NULL;
}

static void sums_over_threads_also_dead_ones(void **state)
{
	pthread_t threads[THREADS];
	int64_t seen = 0;

	(void)state;
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, count_much, NULL), 0);
		for (unsigned i = 0; i < 100; i++) { /* a sum never goes back while they count */
			int64_t now = stat_read(STAT_CONN_ACCEPTED);

			assert_true(now >= seen);
			seen = now;
		}
		for (unsigned i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(stat_read(STAT_CONN_ACCEPTED), (int64_t)round * THREADS * ROUNDS);
	}
}

static void *my_block(void *arg)
{
	(void)arg;
	STAT_INC(STAT_CONN_ABORTED);
	return stat_block;
}

static void a_dead_threads_block_is_used_again(void **state)
{
	void *first, *second;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, my_block, NULL), 0);
	assert_int_equal(pthread_join(thread, &first), 0);
	assert_int_equal(pthread_create(&thread, NULL, my_block, NULL), 0);
	assert_int_equal(pthread_join(thread, &second), 0);
	assert_ptr_equal(first, second);
	assert_int_equal(stat_read(STAT_CONN_ABORTED), 2);
}

static void gauges_go_down_on_another_thread(void **state)
{
	int64_t open = stat_read(STAT_CONN_OPEN);

	(void)state;
	assert_int_equal(open, 3 * THREADS * ROUNDS);
	STAT_SUB(STAT_CONN_OPEN, open); /* added by threads that are gone */
	assert_int_equal(stat_read(STAT_CONN_OPEN), 0);
	STAT_DEC(STAT_CONN_OPEN);
	assert_int_equal(stat_read(STAT_CONN_OPEN), -1);
	STAT_SET(STAT_STORE_BYTES, 5);
	STAT_SET(STAT_STORE_BYTES, 3);
	assert_int_equal(stat_read(STAT_STORE_BYTES), 3);
}

struct found {
	unsigned rows;
	unsigned labelled;
	int64_t value;
	char last[64];
};

static void find(const struct stat_view *view, void *arg)
{
	struct found *found = arg;

	found->rows++;
	assert_non_null(view->name);
	assert_non_null(view->help);
	assert_true(view->help[0] != '\0');
	if (view->label) {
		found->labelled++;
		assert_string_equal(view->name, "http.refused");
		assert_string_equal(view->label, "bad_chunk");
		assert_string_equal(view->help, "why");
		assert_int_equal(view->kind, STAT_KIND_COUNTER);
		found->value = view->value;
	}
}

static void ranges_show_what_is_labelled(void **state)
{
	struct found found = { 0 };
	unsigned rows;

	(void)state;
	stat_each(find, &found);
	assert_int_equal(found.labelled, 0);
	rows = found.rows;
#define ONE(id, kind, name, help)
#define MANY(id, count, kind, name, help) +(count)
	assert_int_equal(rows, STAT_MAX - (0 STATS(ONE, MANY)));
#undef ONE
#undef MANY
	stat_label(STAT_HTTP_REFUSED_FIRST, 3, "bad_chunk", "why");
	STAT_ADD(STAT_HTTP_REFUSED_FIRST + 3, 7);
	found = (struct found){ 0 };
	stat_each(find, &found);
	assert_int_equal(found.rows, rows + 1);
	assert_int_equal(found.labelled, 1);
	assert_int_equal(found.value, 7);
}

static const char *names[STAT_MAX];

static void collect(const struct stat_view *view, void *arg)
{
	unsigned *n = arg;

	for (unsigned i = 0; i < *n; i++)
		assert_string_not_equal(names[i], view->name);
	for (const char *p = view->name; *p; p++)
		assert_true((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '.' ||
			    *p == '_');
	if (!view->label)
		names[(*n)++] = view->name;
}

static void names_are_unique_and_plain(void **state)
{
	unsigned n = 0;

	(void)state;
	stat_each(collect, &n);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(sums_over_threads_also_dead_ones),
		cmocka_unit_test(a_dead_threads_block_is_used_again),
		cmocka_unit_test(gauges_go_down_on_another_thread),
		cmocka_unit_test(ranges_show_what_is_labelled),
		cmocka_unit_test(names_are_unique_and_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
