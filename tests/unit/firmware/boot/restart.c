/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/restart.c: times of day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "firmware/boot/restart.h"

#define DAY  86400000LL
#define NOON (20000 * DAY + DAY / 2)

static void test_times(void **state)
{
	int64_t at;

	(void)state;
	assert_int_equal(restart_time("now", NOON, &at), 0);
	assert_int_equal(at, NOON);
	assert_int_equal(restart_time("no", NOON, &at), 0);
	assert_int_equal(at, RESTART_NEVER);
	assert_int_equal(restart_time("13:30", NOON, &at), 0);
	assert_int_equal(at, NOON + 5400000);
	assert_int_equal(restart_time("03:00", NOON, &at), 0);
	assert_int_equal(at, NOON + 15 * 3600000);
	assert_int_equal(restart_time("12:00", NOON, &at), 0);
	assert_int_equal(at, NOON + DAY);
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = { "",     "soon",  "24:00", "12:60",
					     "3:00", "03.00", "03:0x", "03:000" };
	int64_t at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(restart_time(wrong[i], NOON, &at), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
