/* SPDX-License-Identifier: Apache-2.0 */
/* Steered connections that arrive and are answered, and those that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "firmware/keeper/silence.h"

static enum silence_kind see(struct silence *s, uint64_t steered, uint64_t arrived, uint64_t sent,
			     uint64_t heard, uint64_t now_ms)
{
	return silence_see(s, &(struct silence_counts){ steered, arrived, sent, heard }, now_ms);
}

static void what_arrives_and_is_heard_is_well(void **state)
{
	struct silence s = { 0 };

	(void)state;
	for (uint64_t i = 1; i < 100; i++)
		assert_int_equal(see(&s, 3 * i, 2 * i, 9 * i, 5 * i, i * 1000), SILENCE_NONE);
}

static void few_prove_nothing(void **state)
{
	struct silence s = { 0 };

	(void)state;
	for (uint64_t i = 1; i < 100; i++) {
		assert_int_equal(see(&s, SILENCE_SYNS - 1, 0, 0, 0, i * 1000), SILENCE_NONE);
		assert_int_equal(see(&s, SILENCE_SYNS - 1, 2, 9, 0, i * 1000), SILENCE_NONE);
	}
}

static void silence_ends_it_for_ever_longer(void **state)
{
	struct silence s = { 0 };
	uint64_t now = 1000, steered = 10, wait = SILENCE_TRY_MS;

	(void)state;
	assert_int_equal(see(&s, steered, 5, 5, 5, now), SILENCE_NONE); /* the windows begin */
	for (unsigned i = 0; i < 10; i++) {
		steered += SILENCE_SYNS;
		assert_int_equal(see(&s, steered, 5, 5, 5, now), SILENCE_LOST);
		assert_int_equal(see(&s, steered, 5, 5, 5, now + wait - 1), SILENCE_LOST);
		now += wait;
		assert_int_equal(see(&s, steered, 5, 5, 5, now), SILENCE_NONE); /* tried again */
		wait = wait * 2 > SILENCE_TRY_MAX_MS ? SILENCE_TRY_MAX_MS : wait * 2;
	}
	/* One came through: all is well. */
	assert_int_equal(see(&s, steered + 2, 6, 9, 6, now), SILENCE_NONE);
	assert_int_equal(see(&s, steered + 2 + SILENCE_SYNS, 6, 9, 6, now), SILENCE_LOST);
	assert_int_equal(see(&s, steered, 6, 9, 6, now + SILENCE_TRY_MS), SILENCE_NONE);
}

/* The selftest arrives meanwhile, and a device's SYN is sent again and again, each with an answer that it does not get. */
static void answers_that_nobody_hears(void **state)
{
	struct silence s = { 0 };
	uint64_t now = 1000;

	(void)state;
	assert_int_equal(see(&s, 10, 10, 90, 50, now), SILENCE_NONE);
	assert_int_equal(see(&s, 11, 11, 91, 50, now += 1000), SILENCE_NONE);
	assert_int_equal(see(&s, 12, 12, 93, 50, now += 1000), SILENCE_NONE);
	assert_int_equal(see(&s, 13, 12, 95, 50, now += 1000), SILENCE_NONE);
	assert_int_equal(see(&s, 13, 12, 95, 50, now += SILENCE_GRACE_MS - 1), SILENCE_NONE);
	assert_int_equal(see(&s, 13, 12, 95, 50, now += 1), SILENCE_UNHEARD);
	assert_int_equal(see(&s, 13, 14, 95, 50, now + SILENCE_TRY_MS - 1), SILENCE_UNHEARD);
	assert_int_equal(see(&s, 13, 14, 95, 50, now += SILENCE_TRY_MS), SILENCE_NONE);
	/* It goes on: twice as long. */
	assert_int_equal(see(&s, 16, 15, 99, 50, now), SILENCE_NONE);
	assert_int_equal(see(&s, 16, 15, 99, 50, now += SILENCE_GRACE_MS), SILENCE_UNHEARD);
	assert_int_equal(see(&s, 16, 15, 99, 50, now + 2 * SILENCE_TRY_MS - 1), SILENCE_UNHEARD);
	assert_int_equal(see(&s, 16, 15, 99, 50, now += 2 * SILENCE_TRY_MS), SILENCE_NONE);
	assert_int_equal(see(&s, 19, 18, 109, 51, now), SILENCE_NONE); /* heard of */
}

/* Looked at between their SYNs and what they say next; and one of long ago that was never heard. */
static void those_who_are_about_to_be_heard_are_waited_for(void **state)
{
	struct silence s = { 0 };
	uint64_t now = 1000;

	(void)state;
	assert_int_equal(see(&s, 10, 10, 90, 50, now), SILENCE_NONE);
	assert_int_equal(see(&s, 11, 11, 95, 50, now += 1000), SILENCE_NONE);
	assert_int_equal(see(&s, 19, 19, 99, 50, now += 3600000), SILENCE_NONE);
	assert_int_equal(see(&s, 19, 19, 120, 70, now += 1000), SILENCE_NONE);
	assert_int_equal(see(&s, 27, 27, 130, 70, now += 1000), SILENCE_NONE);
	assert_int_equal(see(&s, 27, 27, 190, 90, now += 1000), SILENCE_NONE);
}

/* Somebody goes on and on with SYNs of nobody: never more than SILENCE_TRY_MAX_MS without a try. */
static void spoofed_ones_are_bounded(void **state)
{
	struct silence s = { 0 };
	uint64_t now = 1000, steered = 0, quiet = 0, most = 0;

	(void)state;
	for (unsigned i = 0; i < 3600; i++, now += 1000) {
		bool silent = see(&s, steered, steered, steered, 0, now) != SILENCE_NONE;

		quiet = silent ? quiet + 1000 : 0;
		most = quiet > most ? quiet : most;
		steered += silent ? 0 : 100;
	}
	assert_in_range(most, SILENCE_TRY_MS, SILENCE_TRY_MAX_MS);
	/* A device that is heard ends it, and what comes after begins anew. */
	now += SILENCE_TRY_MAX_MS;
	(void)see(&s, steered, steered, steered, 0, now);
	steered += 4;
	assert_int_equal(see(&s, steered, steered, steered, 1, now += 1000), SILENCE_NONE);
	steered += 4;
	(void)see(&s, steered, steered, steered, 1, now += 1000);
	assert_int_equal(see(&s, steered, steered, steered, 1, now += 1000), SILENCE_UNHEARD);
	assert_int_equal(see(&s, steered, steered, steered, 1, now += SILENCE_TRY_MS),
			 SILENCE_NONE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_arrives_and_is_heard_is_well),
		cmocka_unit_test(few_prove_nothing),
		cmocka_unit_test(silence_ends_it_for_ever_longer),
		cmocka_unit_test(answers_that_nobody_hears),
		cmocka_unit_test(those_who_are_about_to_be_heard_are_waited_for),
		cmocka_unit_test(spoofed_ones_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
