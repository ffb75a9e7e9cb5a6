/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/base/access_kept.h: what was written is read, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "firmware/base/access_kept.h"

static const struct access_kept some = {
	.serial = 18446744073709551615ull,
	.operate = "scrypt$14$8$1$00ff$aa",
	.token = "0123456789abcdef",
};

static int parse(const char *text, struct access_kept *kept)
{
	return access_kept_parse(span_of(text), kept);
}

static void what_was_written_is_read(void **state)
{
	struct access_kept kept;
	char text[ACCESS_TEXT_MAX];
	size_t n = access_kept_text(&some, text);

	(void)state;
	assert_true(access_kept_valid(&some));
	assert_int_equal(n, strlen(text));
	assert_int_equal(parse(text, &kept), 0);
	assert_memory_equal(&kept, &some, sizeof(kept));
}

static void the_longest_fits(void **state)
{
	struct access_kept most = { .serial = UINT64_MAX }, kept;
	char text[ACCESS_TEXT_MAX];
	size_t n;

	(void)state;
	memset(most.operate, 'a', ACCESS_HASH_MAX - 1);
	memset(most.view, '$', ACCESS_HASH_MAX - 1);
	memset(most.token, '=', ACCESS_HASH_MAX - 1);
	n = access_kept_text(&most, text);
	assert_int_equal(n, strlen(text));
	assert_int_equal(parse(text, &kept), 0);
	assert_memory_equal(&kept, &most, sizeof(kept));
}

static void cut_short_anywhere_it_is_nothing(void **state)
{
	struct access_kept kept = { .serial = 7 };
	char text[ACCESS_TEXT_MAX];
	size_t n = access_kept_text(&some, text);

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(access_kept_parse(span_make(text, i), &kept), -EBADMSG);
	/* Untouched on failure. */
	assert_int_equal(kept.serial, 7);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"tarn access 1 0\noperate -\nview -\ntoken -\nend\n",
		"tarn access 1 -1\noperate -\nview -\ntoken -\nend\n",
		"tarn access 1 99999999999999999999\noperate -\nview -\ntoken -\nend\n",
		"tarn access 2 1\noperate -\nview -\ntoken -\nend\n",
		"tarn access 1 1\noperate \nview -\ntoken -\nend\n",
		"tarn access 1 1\noperate a b\nview -\ntoken -\nend\n",
		"tarn access 1 1\noperate a\x01\nview -\ntoken -\nend\n",
		"tarn access 1 1\nview -\noperate -\ntoken -\nend\n",
		"tarn access 1 1\noperate -\nview -\ntoken -\nend\nmore\n",
	};
	struct access_kept kept;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(parse(wrong[i], &kept), -EBADMSG);
	assert_int_equal(parse("tarn access 1 1\noperate -\nview -\ntoken -\nend\n", &kept), 0);
}

static void one_that_is_too_long_is_refused(void **state)
{
	struct access_kept kept;
	char text[ACCESS_TEXT_MAX], hash[ACCESS_HASH_MAX + 1];

	(void)state;
	memset(hash, 'a', ACCESS_HASH_MAX);
	hash[ACCESS_HASH_MAX] = 0;
	assert_true(snprintf(text, sizeof(text),
			     "tarn access 1 1\noperate %s\nview -\ntoken -\nend\n", hash) > 0);
	assert_int_equal(parse(text, &kept), -EBADMSG);
}

static void messages_carry_nothing_else(void **state)
{
	struct access_kept kept = some;

	(void)state;
	kept.view[5] = 'x'; /* behind its end */
	assert_false(access_kept_valid(&kept));
	kept = some;
	memset(kept.view, 'x', ACCESS_HASH_MAX);
	assert_false(access_kept_valid(&kept));
	kept = some;
	kept.token[0] = '\n';
	assert_false(access_kept_valid(&kept));
	kept = some;
	kept.serial = 0;
	assert_false(access_kept_valid(&kept));
}

static void files_are_read_from_their_start(void **state)
{
	struct access_kept kept;
	char text[ACCESS_TEXT_MAX];
	size_t n = access_kept_text(&some, text);
	int fd = memfd_create("access", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(access_kept_read(fd, &kept), -ENOENT);
	assert_int_equal(write(fd, text, n), n);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(access_kept_read(fd, &kept), 0);
		assert_memory_equal(&kept, &some, sizeof(kept));
	}
	/* Longer than any of ours. */
	assert_int_equal(ftruncate(fd, 100000), 0);
	assert_int_equal(access_kept_read(fd, &kept), -EBADMSG);
	close(fd);
	assert_int_equal(access_kept_read(fd, &kept), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(cut_short_anywhere_it_is_nothing),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(one_that_is_too_long_is_refused),
		cmocka_unit_test(messages_carry_nothing_else),
		cmocka_unit_test(files_are_read_from_their_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
