/* SPDX-License-Identifier: Apache-2.0 */
/* Steered connections that arrive, and that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "firmware/keeper/silence.h"

static void what_arrives_is_well(void **state)
{
	struct silence s = { 0 };

	(void)state;
	for (uint64_t i = 1; i < 100; i++)
		assert_false(silence_see(&s, 3 * i, 2 * i, i * 1000));
}

static void few_prove_nothing(void **state)
{
	struct silence s = { 0 };

	(void)state;
	for (uint64_t i = 1; i < 100; i++)
		assert_false(silence_see(&s, SILENCE_SYNS - 1, 0, i * 1000));
}

static void silence_ends_it_for_ever_longer(void **state)
{
	struct silence s = { 0 };
	uint64_t now = 1000, steered = 10, wait = SILENCE_TRY_MS;

	(void)state;
	assert_false(silence_see(&s, steered, 5, now)); /* the window begins */
	for (unsigned i = 0; i < 10; i++) {
		steered += SILENCE_SYNS;
		assert_true(silence_see(&s, steered, 5, now));
		assert_true(silence_see(&s, steered, 5, now + wait - 1));
		now += wait;
		assert_false(silence_see(&s, steered, 5, now)); /* tried again */
		wait = wait * 2 > SILENCE_TRY_MAX_MS ? SILENCE_TRY_MAX_MS : wait * 2;
	}
	assert_false(silence_see(&s, steered + 2, 6, now)); /* one arrived: all is well */
	assert_true(silence_see(&s, steered + 2 + SILENCE_SYNS, 6, now));
	assert_false(silence_see(&s, steered, 6, now + SILENCE_TRY_MS));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_arrives_is_well),
		cmocka_unit_test(few_prove_nothing),
		cmocka_unit_test(silence_ends_it_for_ever_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
