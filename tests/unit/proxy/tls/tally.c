/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes by host: sums, order, and a bounded table in which made-up names do not push out real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "proxy/tls/tally.h"

static struct tally *tally;

static int setup(void **state)
{
	(void)state;
	return tally_new(&tally);
}

static int teardown(void **state)
{
	(void)state;
	tally_free(&tally);
	return 0;
}

static struct profile_match match_of(const char *host)
{
	struct profile_match match = { 0 };

	strcpy(match.host, host);
	return match;
}

static struct tally_row *open_host(const char *host)
{
	struct profile_match match = match_of(host);

	return tally_open(tally, &match);
}

static void carry(const char *host, uint64_t up, uint64_t down)
{
	struct tally_row *row = open_host(host);

	tally_bytes(row, up, down);
	tally_close(tally, &row);
	assert_null(row);
}

static void sums_and_order(void **state)
{
	struct profile_match refused = match_of("b.example");
	struct tally_view top[3], sum;
	struct tally_row *none = NULL;

	(void)state;
	assert_int_equal(tally_top(tally, top, 3, &sum), 0);
	assert_int_equal(sum.connections, 0);
	carry("a.example", 1, 10);
	carry("c.example", 2, 300);
	carry("a.example", 4, 30);
	tally_refused(tally, &refused);
	tally_close(tally, &none);
	assert_int_equal(tally_top(tally, top, 3, &sum), 3);
	assert_string_equal(top[0].host, "c.example");
	assert_string_equal(top[1].host, "a.example");
	assert_int_equal(top[1].bytes_up, 5);
	assert_int_equal(top[1].bytes_down, 40);
	assert_int_equal(top[1].connections, 2);
	assert_string_equal(top[2].host, "b.example");
	assert_int_equal(top[2].refused, 1);
	assert_int_equal(top[2].connections, 0);
	assert_string_equal(sum.host, "");
	assert_int_equal(sum.bytes_down, 340);
	assert_int_equal(sum.bytes_up, 7);
	assert_int_equal(sum.connections, 3);
	assert_int_equal(sum.refused, 1);
	assert_int_equal(tally_top(tally, top, 1, &sum), 1);
	assert_string_equal(top[0].host, "c.example");
	assert_int_equal(sum.bytes_down, 340);
}

static void open_ones(void **state)
{
	struct tally_row *a = open_host("a.example"), *b = open_host("a.example");
	struct tally_view top[1], sum;

	(void)state;
	assert_ptr_equal(a, b);
	assert_int_equal(tally_top(tally, top, 1, &sum), 1);
	assert_int_equal(top[0].open, 2);
	tally_close(tally, &a);
	tally_close(tally, &b);
	assert_int_equal(tally_top(tally, top, 1, &sum), 1);
	assert_int_equal(top[0].open, 0);
}

/* Ten thousand made-up names: those with bytes and those in use stay, and nothing is lost of the sum. */
static void made_up_names(void **state)
{
	struct tally_row *quiet = open_host("quiet.example");
	struct tally_view top[2], sum;
	char host[32];

	(void)state;
	carry("big.example", 0, 1000000);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(host, sizeof(host), "%u.example", i);
		carry(host, 1, 7);
	}
	tally_bytes(quiet, 0, 2000000);
	assert_int_equal(tally_top(tally, top, 2, &sum), 2);
	assert_string_equal(top[0].host, "quiet.example");
	assert_int_equal(top[0].bytes_down, 2000000);
	assert_string_equal(top[1].host, "big.example");
	assert_int_equal(sum.bytes_down, 3070000);
	assert_int_equal(sum.bytes_up, 10000);
	assert_int_equal(sum.connections, 10002);
	tally_close(tally, &quiet);
}

/* All rows in use: what comes then is counted together. */
static void all_in_use(void **state)
{
	struct tally_row *rows[TALLY_HOSTS + 2];
	struct tally_view top[1], sum;
	char host[32];

	(void)state;
	for (unsigned i = 0; i < TALLY_HOSTS + 2; i++) {
		snprintf(host, sizeof(host), "%u.example", i);
		rows[i] = open_host(host);
		tally_bytes(rows[i], 0, 1);
	}
	assert_ptr_equal(rows[TALLY_HOSTS], rows[TALLY_HOSTS + 1]);
	assert_int_equal(tally_top(tally, top, 1, &sum), 1);
	assert_int_equal(sum.bytes_down, TALLY_HOSTS + 2);
	assert_int_equal(sum.open, TALLY_HOSTS + 2);
	for (unsigned i = 0; i < TALLY_HOSTS + 2; i++)
		tally_close(tally, &rows[i]);
	assert_int_equal(tally_top(tally, top, 1, &sum), 1);
	assert_int_equal(sum.open, 0);
}

static void *carry_much(void *arg)
{
	char host[32];

	for (unsigned i = 0; i < 5000; i++) {
		snprintf(host, sizeof(host), "%u.example", (i * 7 + *(unsigned *)arg) % 400);
		carry(host, 1, 3);
	}
	return NULL;
}

static void many_threads(void **state)
{
	unsigned numbers[4] = { 0, 1, 2, 3 };
	struct tally_view top[1], sum;
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, carry_much, &numbers[i]), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(tally_top(tally, top, 1, &sum), 1);
	assert_int_equal(sum.connections, 20000);
	assert_int_equal(sum.bytes_up, 20000);
	assert_int_equal(sum.bytes_down, 60000);
	assert_int_equal(sum.open, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sums_and_order, setup, teardown),
		cmocka_unit_test_setup_teardown(open_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(made_up_names, setup, teardown),
		cmocka_unit_test_setup_teardown(all_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(many_threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
