/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/history.c: what becomes of updates is told to those who boot later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/boot/history.h"

static char dir[48];

static int dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tarn-history-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_end(void **state)
{
	static const char *const names[] = { "history", "attempt", "attempt.new", "history.new" };
	char path[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static void test_events(void **state)
{
	json_t *all;

	(void)state;
	all = boot_history_load(dir);
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
	for (int i = 0; i < HISTORY_LINES + 3; i++)
		boot_history_add(dir, i, "refused", "2", "it says \"no\"\nand more");
	all = boot_history_load(dir);
	assert_int_equal(json_array_size(all), HISTORY_LINES);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(all, 0), "at")), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(all, 7), "reason")),
			    "it says \"no\"\nand more");
	json_decref(all);
}

/* A power cut may leave anything behind the last line that was synced. */
static void test_damaged(void **state)
{
	char path[80];
	json_t *all;
	FILE *file;

	(void)state;
	boot_history_add(dir, 1, "good", "2", "");
	(void)snprintf(path, sizeof(path), "%s/history", dir);
	file = fopen(path, "a");
	assert_non_null(file);
	(void)fputs("{\"at\": 2, \"eve\n[]\n\n", file);
	(void)fclose(file);
	all = boot_history_load(dir);
	assert_int_equal(json_array_size(all), 1);
	json_decref(all);
	boot_history_add(dir, 3, "installed", "3", "");
	all = boot_history_load(dir);
	assert_int_equal(json_array_size(all), 2);
	json_decref(all);
}

/* What a channel gives again and again is noted once: the newest event alone counts, and all of it. */
static void test_ends(void **state)
{
	(void)state;
	assert_false(boot_history_ends(dir, "refused", "2", "why"));
	boot_history_add(dir, 1000, "refused", "2", "why");
	assert_true(boot_history_ends(dir, "refused", "2", "why"));
	assert_false(boot_history_ends(dir, "installed", "2", "why"));
	assert_false(boot_history_ends(dir, "refused", "3", "why"));
	assert_false(boot_history_ends(dir, "refused", "2", "why not"));
	boot_history_add(dir, 2000, "good", "1", "");
	assert_false(boot_history_ends(dir, "refused", "2", "why"));
	boot_history_add(dir, 3000, "refused", "2", "why");
	assert_true(boot_history_ends(dir, "refused", "2", "why"));
}

static void test_attempt(void **state)
{
	char version[32] = "", stage[ATTEMPT_STAGE] = "", long_one[400];

	(void)state;
	assert_int_equal(attempt_load(dir, version, stage), -ENOENT);
	attempt_note(dir, "0.4~rc1", "not healthy in 120s: the selftest fails: lan0, IPv4: lost");
	assert_int_equal(attempt_load(dir, version, stage), 0);
	assert_string_equal(version, "0.4~rc1");
	assert_string_equal(stage, "not healthy in 120s: the selftest fails: lan0, IPv4: lost");
	memset(long_one, 'x', sizeof(long_one));
	long_one[sizeof(long_one) - 1] = '\0';
	attempt_note(dir, "5", long_one);
	assert_int_equal(attempt_load(dir, version, stage), 0);
	assert_int_equal(strlen(stage), ATTEMPT_STAGE - 1);
	attempt_end(dir);
	assert_int_equal(attempt_load(dir, version, stage), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events, dir_make, dir_end),
		cmocka_unit_test_setup_teardown(test_damaged, dir_make, dir_end),
		cmocka_unit_test_setup_teardown(test_ends, dir_make, dir_end),
		cmocka_unit_test_setup_teardown(test_attempt, dir_make, dir_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
