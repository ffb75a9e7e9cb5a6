/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/keeper/folder.c: what is made, and what is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/keeper/folder.h"

/* Another user's, where this process may give things away. */
#define OTHER (geteuid() ? geteuid() : 65534)
#define GROUP (geteuid() ? getegid() : 65534)

static char top[] = "/tmp/tarn-folder.XXXXXX";

static const char *in_top(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void test_made(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(folder_make(in_top("a/b"), OTHER, GROUP), 0);
	assert_int_equal(stat(in_top("a"), &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(stat(in_top("a/b"), &st), 0);
	assert_int_equal(st.st_uid, OTHER);
	assert_int_equal(st.st_mode & 0777, 0750);
}

static void test_left_alone(void **state)
{
	char target[128];
	struct stat st;

	(void)state;
	(void)snprintf(target, sizeof(target), "%s", in_top("there"));
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(folder_make(target, OTHER, GROUP), 0);
	assert_int_equal(symlink(target, in_top("link")), 0);
	assert_int_equal(folder_make(in_top("link"), OTHER, GROUP), 0);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_impossible(void **state)
{
	(void)state;
	assert_int_equal(folder_make(in_top("no/such/folder"), OTHER, GROUP), -ENOENT);
}

static int begin(void **state)
{
	(void)state;
	umask(022);
	return mkdtemp(top) ? 0 : -1;
}

static int end(void **state)
{
	static const char *const folders[] = { "a/b", "a", "there", "" };

	(void)state;
	(void)unlink(in_top("link"));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		(void)rmdir(in_top(folders[i]));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_left_alone),
		cmocka_unit_test(test_impossible),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
