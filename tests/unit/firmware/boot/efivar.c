/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/efivar.c on files as efivarfs shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/boot/efivar.h"

static char path[] = "/tmp/tarn-efivar-XXXXXX";

static void put(const void *raw, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, raw, n), (ssize_t)n);
	close(fd);
}

static void test_text(void **state)
{
	static const char whole[] = "\x06\0\0\0t\0a\0-\0"
				    "2\0\0\0";
	char text[8];

	(void)state;
	put(whole, sizeof(whole) - 1);
	assert_int_equal(efivar_text(path, text, sizeof(text)), 0);
	assert_string_equal(text, "ta-2");
	put(whole, sizeof(whole) - 3); /* without its zero */
	assert_int_equal(efivar_text(path, text, sizeof(text)), 0);
	assert_string_equal(text, "ta-2");
	put(whole, sizeof(whole) - 4); /* half a letter */
	assert_int_equal(efivar_text(path, text, sizeof(text)), 0);
	assert_string_equal(text, "ta-");
	assert_int_equal(efivar_text(path, text, 4), 0);
	assert_int_equal(efivar_text(path, text, 3), -ENOSPC);
	put(whole, 4);
	assert_int_equal(efivar_text(path, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	put(whole, 0);
	assert_int_equal(efivar_text(path, text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void test_odd(void **state)
{
	char text[8] = "kept", raw[4 + 2 * 300];

	(void)state;
	put("\x06\0\0\0t\0\n\0", 8);
	assert_int_equal(efivar_text(path, text, sizeof(text)), -EILSEQ);
	put("\x06\0\0\0t\0a\1", 8);
	assert_int_equal(efivar_text(path, text, sizeof(text)), -EILSEQ);
	memset(raw, 0, sizeof(raw));
	for (size_t i = 4; i < sizeof(raw); i += 2)
		raw[i] = 'x';
	put(raw, sizeof(raw));
	assert_int_equal(efivar_text(path, text, sizeof(text)), -ENOSPC);
	assert_int_equal(efivar_text("/nowhere/at/all", text, sizeof(text)), -ENOENT);
	assert_string_equal(text, "kept");
}

static void test_raw(void **state)
{
	uint8_t raw[4] = { 9, 9, 9, 9 }, much[600] = { 0 };
	size_t n;

	(void)state;
	put("\x06\0\0\0\1\0\x7f", 7);
	assert_int_equal(efivar_raw(path, raw, 3, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(raw, "\1\0\x7f\x09", 4);
	assert_int_equal(efivar_raw(path, raw, 2, &n), -ENOSPC);
	put("\x06\0", 2);
	assert_int_equal(efivar_raw(path, raw, 3, &n), 0);
	assert_int_equal(n, 0);
	put(much, sizeof(much));
	assert_int_equal(efivar_raw(path, much, sizeof(much), &n), -ENOSPC);
	assert_int_equal(efivar_raw("/nowhere/at/all", raw, 3, &n), -ENOENT);
}

static int path_make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int path_remove(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_raw),
	};

	return cmocka_run_group_tests(tests, path_make, path_remove);
}
