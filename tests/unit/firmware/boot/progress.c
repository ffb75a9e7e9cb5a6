/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/progress.c: how far an update is, and who is at it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/boot/progress.h"

static char folder[64];

static int folder_make(void **state)
{
	(void)state;
	memcpy(folder, "/tmp/tarn-progress.XXXXXX", sizeof("/tmp/tarn-progress.XXXXXX"));
	return mkdtemp(folder) ? 0 : -1;
}

static int folder_end(void **state)
{
	static const char *const names[] = { "update.lock", "update.json" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

static void assert_is(const char *state, const char *version, int done, const char *why)
{
	json_t *json = progress_json(folder);

	assert_string_equal(json_string_value(json_object_get(json, "state")), state);
	assert_string_equal(json_string_value(json_object_get(json, "version")), version);
	assert_int_equal(json_integer_value(json_object_get(json, "done")), done);
	assert_string_equal(json_string_value(json_object_get(json, "text")), why);
	json_decref(json);
}

static void one_at_a_time(void **state)
{
	int fd;

	(void)state;
	assert_false(progress_claimed(folder));
	fd = progress_claim(folder);
	assert_true(fd >= 0);
	assert_true(progress_claimed(folder));
	assert_int_equal(progress_claim(folder), -EBUSY);
	close(fd);
	assert_false(progress_claimed(folder));
	fd = progress_claim(folder);
	assert_true(fd >= 0);
	close(fd);
}

static void it_is_told_as_it_stands(void **state)
{
	struct progress p = { .state = PROGRESS_FETCHING, .done = 3, .total = 9 };
	int fd = progress_claim(folder);

	(void)state;
	assert_is("idle", "", 0, "");
	assert_int_equal(progress_put(folder, &p), 0);
	assert_is("fetching", "", 3, "");
	p = (struct progress){ PROGRESS_INSTALLED, 9, 9, "2.1", "" };
	assert_int_equal(progress_put(folder, &p), 0);
	close(fd);
	assert_is("installed", "2.1", 9, "");
}

/* Whoever was at it is gone, and has not said what came of it. */
static void what_was_cut_off_is_refused(void **state)
{
	struct progress p = { PROGRESS_WRITING, 3, 9, "2.1", "" };
	int fd = progress_claim(folder);

	(void)state;
	assert_int_equal(progress_put(folder, &p), 0);
	assert_is("writing", "2.1", 3, "");
	close(fd);
	assert_is("refused", "2.1", 3, "it was cut off before its end");
}

static void without_a_folder_nothing_is_noted(void **state)
{
	struct progress p = { .state = PROGRESS_WRITING };

	(void)state;
	assert_int_equal(progress_claim("/nowhere/at/all"), -ENOENT);
	assert_false(progress_claimed("/nowhere/at/all"));
	assert_int_equal(progress_put("/nowhere/at/all", &p), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_at_a_time, folder_make, folder_end),
		cmocka_unit_test_setup_teardown(it_is_told_as_it_stands, folder_make, folder_end),
		cmocka_unit_test_setup_teardown(what_was_cut_off_is_refused, folder_make,
						folder_end),
		cmocka_unit_test(without_a_folder_nothing_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
