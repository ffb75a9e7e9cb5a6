/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of freshness at its edges; what it means in messages is tested with policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cache/fresh.h"
#include "firmware/base/check.h"

#define T0 INT64_C(1700000000)

/* Received at T0, just made, fresh for a minute. */
static struct fresh minute(void)
{
	return (struct fresh){ .requested = T0,
			       .received = T0,
			       .date = T0,
			       .lifetime = 60,
			       .stale_while_revalidate = FRESH_UNSET,
			       .stale_if_error = FRESH_UNSET };
}

static void sums_saturate(void **state)
{
	(void)state;
	assert_int_equal(fresh_sum(2, 3), 5);
	assert_int_equal(fresh_sum(-2, 3), 1);
	assert_int_equal(fresh_sum(FRESH_MAX, 1), FRESH_MAX);
	assert_int_equal(fresh_sum(FRESH_MAX, FRESH_MAX), FRESH_MAX);
	assert_int_equal(fresh_sum(-FRESH_MAX, -1), -FRESH_MAX);
	assert_int_equal(fresh_sum(INT64_MAX, INT64_MAX), FRESH_MAX);
	assert_int_equal(fresh_sum(INT64_MIN, INT64_MIN), -FRESH_MAX);
	assert_int_equal(fresh_sum(INT64_MAX, INT64_MIN), 0);
}

/* RFC 9111 4.2.3 */
static void initial_age(void **state)
{
	struct fresh f = minute();

	(void)state;
	assert_int_equal(fresh_initial_age(&f), 0);
	f.date = T0 - 10; /* apparent age */
	assert_int_equal(fresh_initial_age(&f), 10);
	f.age = 8; /* the larger one counts, they are not added */
	assert_int_equal(fresh_initial_age(&f), 10);
	f.requested = T0 - 5; /* corrected age: Age and the delay */
	assert_int_equal(fresh_initial_age(&f), 13);
	f.date = T0 + 1000;
	assert_int_equal(fresh_initial_age(&f), 13);
	f.requested = T0 + 9; /* the clock stepped back in between */
	assert_int_equal(fresh_initial_age(&f), 8);
	f.age = -7;
	assert_int_equal(fresh_initial_age(&f), 0);
	f.age = INT64_MAX;
	assert_int_equal(fresh_initial_age(&f), FRESH_MAX);
	f.age = 0;
	f.date = INT64_MIN;
	assert_int_equal(fresh_initial_age(&f), FRESH_MAX);
	f.date = INT64_MAX;
	assert_int_equal(fresh_initial_age(&f), 0);
}

static void current_age(void **state)
{
	struct fresh f = minute();

	(void)state;
	f.age = 10;
	assert_int_equal(fresh_age(&f, T0), 10);
	assert_int_equal(fresh_age(&f, T0 + 5), 15);
	assert_int_equal(fresh_ttl(&f, T0 + 5), 45);
	assert_int_equal(fresh_ttl(&f, T0 + 50), 0);
	assert_int_equal(fresh_ttl(&f, T0 + 51), -1);
	assert_int_equal(fresh_age(&f, INT64_MAX), FRESH_MAX);
	f.lifetime = FRESH_MAX;
	assert_int_equal(fresh_ttl(&f, INT64_MAX), 0);
}

static void clock_steps_back(void **state)
{
	struct fresh f = minute();

	(void)state;
	assert_int_equal(fresh_age(&f, T0 - FRESH_CLOCK_SLACK), 0);
	assert_int_equal(fresh_age(&f, T0 - FRESH_CLOCK_SLACK - 1), FRESH_MAX);
	assert_int_equal(fresh_age(&f, 0), FRESH_MAX);
	assert_int_equal(fresh_age(&f, INT64_MIN), FRESH_MAX);
	f.lifetime = FRESH_MAX;
	assert_true(fresh_ttl(&f, 0) <= 0);
}

static struct fresh_given nothing(void)
{
	return (struct fresh_given){ .s_maxage = FRESH_UNSET,
				     .max_age = FRESH_UNSET,
				     .date = T0,
				     .heuristic_ok = true,
				     .heuristic_max = FRESH_UNSET,
				     .force_ttl = FRESH_UNSET,
				     .default_ttl = FRESH_UNSET,
				     .max_ttl = FRESH_UNSET };
}

#define assert_lifetime(g, seconds, from)                                                          \
	do {                                                                                       \
		enum fresh_source source_;                                                         \
		assert_int_equal(fresh_lifetime((g), &source_), (seconds));                        \
		assert_int_equal(source_, (from));                                                 \
	} while (0)

/* RFC 9111 4.2.1: each one given goes before all that were given earlier. */
static void lifetimes_have_an_order(void **state)
{
	struct fresh_given g = nothing();

	(void)state;
	assert_lifetime(&g, 0, FRESH_FROM_NOTHING);
	g.has_last_modified = true;
	g.last_modified = T0 - 1000;
	assert_lifetime(&g, 100, FRESH_FROM_HEURISTIC);
	g.default_ttl = 7;
	assert_lifetime(&g, 7, FRESH_FROM_DEFAULT);
	g.has_expires = true;
	g.expires = T0 + 8;
	assert_lifetime(&g, 8, FRESH_FROM_EXPIRES);
	g.max_age = 9;
	assert_lifetime(&g, 9, FRESH_FROM_MAX_AGE);
	g.s_maxage = 10;
	assert_lifetime(&g, 10, FRESH_FROM_S_MAXAGE);
	g.max_ttl = 5;
	assert_lifetime(&g, 5, FRESH_FROM_S_MAXAGE);
	g.force_ttl = 11;
	assert_lifetime(&g, 11, FRESH_FROM_FORCE);
	g.force_ttl = 0;
	assert_lifetime(&g, 0, FRESH_FROM_FORCE);
}

static void guesses_need_leave(void **state)
{
	struct fresh_given g = nothing();

	(void)state;
	g.has_last_modified = true;
	g.last_modified = T0 - 1000;
	g.heuristic_ok = false;
	assert_lifetime(&g, 0, FRESH_FROM_NOTHING);
	g.default_ttl = 5;
	assert_lifetime(&g, 0, FRESH_FROM_NOTHING);
}

static void guesses_are_bounded(void **state)
{
	struct fresh_given g = nothing();

	(void)state;
	g.has_last_modified = true;
	g.last_modified = INT64_MIN;
	assert_lifetime(&g, 86400, FRESH_FROM_HEURISTIC);
	g.heuristic_max = 3;
	assert_lifetime(&g, 3, FRESH_FROM_HEURISTIC);
	g.heuristic_max = 0;
	assert_lifetime(&g, 0, FRESH_FROM_HEURISTIC);
	g.heuristic_max = 1000;
	g.last_modified = T0 + 1;
	assert_lifetime(&g, 0, FRESH_FROM_HEURISTIC);
	g.last_modified = INT64_MAX;
	assert_lifetime(&g, 0, FRESH_FROM_HEURISTIC);
	g.last_modified = T0 - 9;
	assert_lifetime(&g, 0, FRESH_FROM_HEURISTIC);
}

static void lifetimes_saturate(void **state)
{
	struct fresh_given g = nothing();

	(void)state;
	g.has_expires = true;
	g.expires = INT64_MIN;
	assert_lifetime(&g, 0, FRESH_FROM_EXPIRES);
	g.expires = INT64_MAX;
	assert_lifetime(&g, FRESH_MAX, FRESH_FROM_EXPIRES);
	g.date = INT64_MIN;
	assert_lifetime(&g, FRESH_MAX, FRESH_FROM_EXPIRES);
	g.max_age = INT64_MAX;
	assert_lifetime(&g, FRESH_MAX, FRESH_FROM_MAX_AGE);
}

/* Fresh before, stale at and after: the same moment for each way to look at it. */
static void judgement_agrees_with_ttl(void **state)
{
	struct fresh f = minute();
	struct fresh_want want = FRESH_WANT_NONE;

	(void)state;
	for (int64_t now = T0 - 5; now < T0 + 200; now++)
		assert_int_equal(fresh_judge(&f, &want, now) == FRESH_USE, fresh_ttl(&f, now) > 0);
}

static void windows_have_ends(void **state)
{
	struct fresh f = minute();
	struct fresh_want want = FRESH_WANT_NONE;

	(void)state;
	f.stale_while_revalidate = 10;
	f.stale_if_error = 20;
	assert_int_equal(fresh_judge(&f, &want, T0 + 60), FRESH_USE_REVALIDATE);
	assert_int_equal(fresh_judge(&f, &want, T0 + 69), FRESH_USE_REVALIDATE);
	assert_int_equal(fresh_judge(&f, &want, T0 + 70), FRESH_VALIDATE_STALE);
	assert_true(fresh_usable_on_error(&f, &want, FRESH_UNSET, T0 + 80));
	assert_false(fresh_usable_on_error(&f, &want, FRESH_UNSET, T0 + 81));
	assert_false(fresh_usable_on_error(&f, &want, 1000, T0 + 81));
	f.stale_if_error = FRESH_UNSET;
	assert_true(fresh_usable_on_error(&f, &want, 1000, T0 + 81));
	assert_false(fresh_usable_on_error(&f, &want, FRESH_UNSET, T0 + 81));
}

/* A clock that can't be trusted makes stale, never usable for ever. */
static void lost_clock_bounds_errors(void **state)
{
	struct fresh f = minute();
	struct fresh_want want = FRESH_WANT_NONE;

	(void)state;
	assert_false(fresh_usable_on_error(&f, &want, 1000000, T0 - 1000));
	assert_int_equal(fresh_judge(&f, &want, T0 - 1000), FRESH_VALIDATE_STALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_saturate),
		cmocka_unit_test(initial_age),
		cmocka_unit_test(current_age),
		cmocka_unit_test(clock_steps_back),
		cmocka_unit_test(lifetimes_have_an_order),
		cmocka_unit_test(guesses_need_leave),
		cmocka_unit_test(guesses_are_bounded),
		cmocka_unit_test(lifetimes_saturate),
		cmocka_unit_test(judgement_agrees_with_ttl),
		cmocka_unit_test(windows_have_ends),
		cmocka_unit_test(lost_clock_bounds_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
