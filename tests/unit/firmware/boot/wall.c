/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/wall.c: which clocks can't be right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "firmware/boot/wall.h"

#define DAY   86400LL
#define BUILT (20000 * DAY)
#define SEEN  (BUILT + 300 * DAY)

static void test_right(void **state)
{
	(void)state;
	assert_int_equal(wall_judge(BUILT, BUILT, 0), 0);
	assert_int_equal(wall_judge(BUILT + 3650 * DAY, BUILT, 0), 0);
	assert_int_equal(wall_judge(SEEN + 1, BUILT, SEEN), 0);
	/* Seen last with a clock that was wrong, or by an older system. */
	assert_int_equal(wall_judge(BUILT + 1, BUILT, BUILT + 2 * WALL_AHEAD_S), 0);
	assert_int_equal(wall_judge(BUILT + 1, BUILT, BUILT - 300 * DAY), 0);
}

static void test_behind(void **state)
{
	(void)state;
	assert_int_equal(wall_judge(0, BUILT, 0), BUILT);
	assert_int_equal(wall_judge(BUILT - 1, BUILT, 0), BUILT);
	assert_int_equal(wall_judge(BUILT + 1, BUILT, SEEN), SEEN);
}

static void test_ahead(void **state)
{
	(void)state;
	assert_int_equal(wall_judge(BUILT + WALL_AHEAD_S + 1, BUILT, 0), BUILT);
	assert_int_equal(wall_judge(BUILT + WALL_AHEAD_S + 1, BUILT, SEEN), SEEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
