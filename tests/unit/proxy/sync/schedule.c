/* SPDX-License-Identifier: Apache-2.0 */
/* When the next run begins. TZ is UTC here, so seconds of the day can be read off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "proxy/sync/schedule.h"

#define MIDNIGHT (INT64_C(1700006400)) /* 2023-11-15 00:00:00 UTC */
#define AT(h, m) (MIDNIGHT + (h)*INT64_C(3600) + (m)*INT64_C(60))

static struct tarn_settings set;
static char *times[4], *quiet[4];

static int setup(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	set = (struct tarn_settings){ 0 };
	set.sync.interval = 3600000;
	set.sync.retry = 60000;
	set.sync.times = (struct string_list){ times, 0 };
	set.sync.quiet = (struct string_list){ quiet, 0 };
	return 0;
}

static void add(struct string_list *list, char *text)
{
	list->v[list->n++] = text;
}

static void the_interval_counts_from_the_last_run(void **state)
{
	(void)state;
	assert_int_equal(schedule_next(&set, 0, AT(10, 0), 0), 0);
	assert_int_equal(schedule_next(&set, AT(9, 30), AT(10, 0), 0), 1800);
	assert_int_equal(schedule_next(&set, AT(8, 0), AT(10, 0), 0), 0);
	/* A clock that went back does not put it off for ever. */
	assert_int_equal(schedule_next(&set, AT(23, 0), AT(10, 0), 0), 3600);
}

static void jitter_is_at_most_what_is_set(void **state)
{
	(void)state;
	set.sync.jitter = 300000;
	for (uint32_t random = 0; random < 5000; random += 7) {
		int64_t wait = schedule_next(&set, AT(9, 30), AT(10, 0), random);

		assert_true(wait >= 1800 && wait <= 2100);
	}
	assert_int_equal(schedule_next(&set, AT(9, 30), AT(10, 0), 300), 2100);
}

static void times_of_day_take_the_intervals_place(void **state)
{
	(void)state;
	add(&set.sync.times, "06:00");
	add(&set.sync.times, "18:30");
	assert_int_equal(schedule_next(&set, 0, AT(5, 0), 0), 3600);
	assert_int_equal(schedule_next(&set, 0, AT(6, 0), 0), 12 * 3600 + 1800);
	assert_int_equal(schedule_next(&set, 0, AT(20, 0), 0), 10 * 3600);
}

static void quiet_hours_put_it_off(void **state)
{
	(void)state;
	add(&set.sync.quiet, "22:00-06:00");
	add(&set.sync.quiet, "12:00-13:00");
	assert_false(schedule_is_quiet(&set, AT(21, 59)));
	assert_true(schedule_is_quiet(&set, AT(22, 0)));
	assert_true(schedule_is_quiet(&set, AT(0, 30)));
	assert_false(schedule_is_quiet(&set, AT(6, 0)));
	assert_true(schedule_is_quiet(&set, AT(12, 1)));
	assert_int_equal(schedule_next(&set, 0, AT(23, 0), 0), 7 * 3600);
	assert_int_equal(schedule_next(&set, AT(11, 30), AT(11, 30), 0), 3600 + 1800);
}

static void what_is_no_time_is_left_out(void **state)
{
	(void)state;
	assert_true(schedule_time_ok(SPAN("00:00")));
	assert_true(schedule_time_ok(SPAN("23:59")));
	assert_false(schedule_time_ok(SPAN("24:00")));
	assert_false(schedule_time_ok(SPAN("1:00")));
	assert_false(schedule_time_ok(SPAN("10:60")));
	assert_false(schedule_time_ok(SPAN("ab:cd")));
	assert_true(schedule_quiet_ok(SPAN("22:00-06:00")));
	assert_false(schedule_quiet_ok(SPAN("22:00_06:00")));
	add(&set.sync.times, "nonsense");
	add(&set.sync.quiet, "22-6");
	assert_int_equal(schedule_next(&set, AT(9, 30), AT(10, 0), 0), 1800);
	assert_false(schedule_is_quiet(&set, AT(23, 0)));
}

static void pauses_double_up_to_an_hour(void **state)
{
	(void)state;
	assert_int_equal(schedule_retry(&set, 1), 60000);
	assert_int_equal(schedule_retry(&set, 2), 120000);
	assert_int_equal(schedule_retry(&set, 5), 960000);
	assert_int_equal(schedule_retry(&set, 1000), 3600000);
}

#define T(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_interval_counts_from_the_last_run), T(jitter_is_at_most_what_is_set),
		T(times_of_day_take_the_intervals_place), T(quiet_hours_put_it_off),
		T(what_is_no_time_is_left_out),		  T(pauses_double_up_to_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
