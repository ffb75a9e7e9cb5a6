/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker was told of names: how long, how many, and in whose place. */
#include "tests/unit/proxy/rig.h"

#include "proxy/dns/recent.h"
#include "proxy/loop.h"

struct fixture {
	struct worker worker;
	struct addr addrs[RESOLVE_ADDRS_MAX];
	unsigned turn;
};

static void fixture_make(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(recent_new(&f->worker), 0);
}

static void told(struct fixture *f, const char *host, const char *addr, uint64_t now, uint64_t left)
{
	struct addr one;

	assert_int_equal(addr_parse(span_of(addr), 0, &one), 0);
	recent_told(f->worker.recent, host, &one, 1, now, left);
}

static size_t find(struct fixture *f, const char *host, uint64_t now)
{
	return recent_find(f->worker.recent, host, now, f->addrs, &f->turn);
}

static void test_a_second_or_what_is_left(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f);
	assert_int_equal(find(&f, "a.example", 5000), 0);
	told(&f, "a.example", "192.0.2.1", 5000, 300000);
	told(&f, "b.example", "192.0.2.2", 5000, 10);
	assert_int_equal(find(&f, "a.example", 5000 + RECENT_MS - 1), 1);
	assert_int_equal(find(&f, "a.example", 5000 + RECENT_MS), 0);
	assert_int_equal(find(&f, "b.example", 5009), 1);
	assert_int_equal(find(&f, "b.example", 5010), 0);
	recent_free(&f.worker);
	assert_null(f.worker.recent);
}

static void test_turns_and_replacement(void **state)
{
	struct fixture f;
	struct addr want;
	unsigned first;

	(void)state;
	fixture_make(&f);
	told(&f, "a.example", "192.0.2.1", 5000, 300000);
	assert_int_equal(find(&f, "a.example", 5001), 1);
	first = f.turn;
	told(&f, "a.example", "192.0.2.9", 5002, 300000);
	assert_int_equal(find(&f, "a.example", 5003), 1);
	assert_int_equal(f.turn, first + 1);
	assert_int_equal(addr_parse(SPAN("192.0.2.9"), 0, &want), 0);
	assert_true(addr_eq(&f.addrs[0], &want));
	recent_free(&f.worker);
}

static void test_the_oldest_goes(void **state)
{
	struct fixture f;
	char host[16];

	(void)state;
	fixture_make(&f);
	for (unsigned i = 0; i <= RECENT_NAMES; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		told(&f, host, "192.0.2.1", 5000, 300000);
	}
	assert_int_equal(find(&f, "h0.example", 5001), 0);
	for (unsigned i = 1; i <= RECENT_NAMES; i++) {
		snprintf(host, sizeof(host), "h%u.example", i);
		assert_int_equal(find(&f, host, 5001), 1);
	}
	recent_free(&f.worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second_or_what_is_left),
		cmocka_unit_test(test_turns_and_replacement),
		cmocka_unit_test(test_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
