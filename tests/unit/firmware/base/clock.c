/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "firmware/base/clock.h"

static void clocks_agree(void **state)
{
	uint64_t before_ns = clock_mono_ns();
	time_t before = time(NULL);
	struct now now = clock_read();
	uint64_t after_ns = clock_mono_ns();
	time_t after = time(NULL);

	(void)state;
	assert_true(now.mono_ms >= before_ns / 1000000 && now.mono_ms <= after_ns / 1000000);
	assert_true(now.wall_ms / 1000 >= before && now.wall_ms / 1000 <= after);
}

static void later_is_both(void **state)
{
	struct now later = now_after((struct now){ 10, 20 }, 5);

	(void)state;
	assert_true(later.wall_ms == 15 && later.mono_ms == 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_agree),
		cmocka_unit_test(later_is_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
