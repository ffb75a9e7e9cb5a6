/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/slots.c: names of slots, the order of versions, marking and clearing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/boot/slots.h"

static char folder[] = "/tmp/tarn-slots-XXXXXX";

static void touch(const char *name)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool there(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return !access(path, F_OK);
}

static int folder_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/tarn-slots-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
	char line[160];

	(void)state;
	(void)snprintf(line, sizeof(line), "rm -rf %s", folder);
	return system(line);
}

static void test_parse(void **state)
{
	static const struct {
		const char *file, *version, *word;
		int left, done;
	} rows[] = {
		{ "tarn-1.efi", "1", "good", -1, 0 },
		{ "tarn-0.10~rc1.efi", "0.10~rc1", "good", -1, 0 },
		{ "tarn-1.2+3.efi", "1.2", "trying", 3, 0 },
		{ "tarn-1.2+2-1.efi", "1.2", "trying", 2, 1 },
		{ "tarn-1.2+0-3.efi", "1.2", "bad", 0, 3 },
	};
	static const char *const wrong[] = { "",
					     "tarn-.efi",
					     "tarn-1",
					     "tarn-1.efi.new",
					     "tarn-a.efi",
					     "tarn-1+.efi",
					     "tarn-1+x.efi",
					     "tarn-1+3-.efi",
					     "other-1.efi",
					     "tarn-1/2.efi",
					     "tarn-1+99999.efi" };
	struct slot slot;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(slot_parse(rows[i].file, &slot), 0);
		assert_string_equal(slot.version, rows[i].version);
		assert_string_equal(slot_state(&slot), rows[i].word);
		assert_int_equal(slot.left, rows[i].left);
		assert_int_equal(slot.done, rows[i].done);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (slot_parse(wrong[i], &slot) != -EINVAL)
			fail_msg("'%s' is taken for a slot", wrong[i]);
}

/* Each before the next. */
static void test_versions(void **state)
{
	static const char *const up[] = { "0.1~rc1", "0.1", "0.1.1", "0.2", "0.9", "0.10", "1~a",
					  "1",	     "1.0", "1.0.0", "2",   "10",  "10a",  "11" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(up); i++)
		for (size_t j = 0; j < ARRAY_LEN(up); j++) {
			int order = version_compare(up[i], up[j]);

			if ((order < 0) != (i < j) || (order > 0) != (i > j))
				fail_msg("%s and %s: %d", up[i], up[j], order);
		}
	assert_int_equal(version_compare("01.002", "1.2"), 0);
	assert_false(version_valid(SPAN("")));
	assert_false(version_valid(SPAN("v1")));
	assert_false(version_valid(SPAN("1 2")));
	assert_false(version_valid(SPAN("1/../2")));
	assert_false(version_valid(SPAN("1234567890123456789012345678901234")));
}

static void test_list(void **state)
{
	struct slot slots[SLOTS_MAX];

	(void)state;
	assert_int_equal(slots_list("/nonexistent", slots), -ENOENT);
	assert_int_equal(slots_list(folder, slots), 0);
	touch("tarn-3+0-3.efi");
	touch("tarn-1.efi");
	touch("tarn-2+1-2.efi");
	touch("notes.txt");
	assert_int_equal(slots_list(folder, slots), 3);
	assert_string_equal(slots[0].version, "2");
	assert_string_equal(slots[1].version, "1");
	assert_string_equal(slots[2].version, "3"); /* bad ones come last */
}

static void test_mark(void **state)
{
	(void)state;
	touch("tarn-2+1-2.efi");
	assert_int_equal(slot_mark_good(folder, "2"), 0);
	assert_true(there("tarn-2.efi"));
	assert_int_equal(slot_mark_good(folder, "2"), 0);
	assert_int_equal(slot_mark_bad(folder, "2"), 0);
	assert_true(there("tarn-2+0.efi"));
	assert_false(there("tarn-2.efi"));
	assert_int_equal(slot_mark_good(folder, "9"), 0);
	assert_int_equal(slot_mark_good("/nonexistent", "2"), -ENOENT);
}

static void test_json(void **state)
{
	static const char *const wanted =
		"[{\"version\":\"3\",\"state\":\"trying\",\"tries_left\":3,\"running\":false},"
		"{\"version\":\"2\",\"state\":\"good\",\"tries_left\":null,\"running\":true}]";
	struct slot slots[SLOTS_MAX];
	json_t *all;
	char *text;

	(void)state;
	touch("tarn-2.efi");
	touch("tarn-3+3.efi");
	assert_int_equal(slots_list(folder, slots), 2);
	all = slots_json(slots, 2, "2");
	text = json_dumps(all, JSON_COMPACT | JSON_PRESERVE_ORDER);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(all);
}

static void test_remove(void **state)
{
	(void)state;
	touch("tarn-1.efi");
	touch("tarn-2+0-3.efi");
	assert_int_equal(slot_remove(folder, "tarn-1.efi"), 0);
	assert_false(there("tarn-1.efi"));
	assert_true(there("tarn-2+0-3.efi"));
	assert_int_equal(slot_remove(folder, "tarn-1.efi"), -ENOENT);
	assert_int_equal(slot_remove("/nonexistent", "tarn-1.efi"), -ENOENT);
}

static void test_clear(void **state)
{
	(void)state;
	touch("tarn-1.efi");
	touch("tarn-2+0-3.efi");
	touch("tarn-3.new");
	assert_int_equal(slots_clear(folder, "1"), 0);
	assert_true(there("tarn-1.efi"));
	assert_false(there("tarn-2+0-3.efi"));
	assert_false(there("tarn-3.new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_versions),
		cmocka_unit_test_setup_teardown(test_list, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(test_mark, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(test_json, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(test_remove, folder_make, folder_remove),
		cmocka_unit_test_setup_teardown(test_clear, folder_make, folder_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
