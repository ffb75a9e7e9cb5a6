/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/boot/qr.h: the shape of a code on the screen. That it says what it should: tests/image/qemu/screen.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "firmware/boot/qr.h"

/* Characters, not bytes. */
static size_t characters(const char *line, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += (line[i] & 0xc0) != 0x80;
	return count;
}

static unsigned shape_is_right(const char *word)
{
	char text[QR_TEXT_MAX];
	unsigned width = 0, rows = 0;

	assert_int_equal(qr_text(word, text, &width), 0);
	for (const char *line = text; *line; line = strchr(line, '\n') + 1, rows++)
		assert_int_equal(characters(line, (size_t)(strchr(line, '\n') - line)), width);
	assert_int_equal(rows, (width + 1) / 2);
	/* The quiet zone above: one whole line of light. */
	for (size_t i = 0; i < width; i++)
		assert_memory_equal(text + 3 * i, "\u2588", 3);
	return width;
}

static void addresses_fit(void **state)
{
	(void)state;
	assert_int_equal(shape_is_right("https://10.7.0.1/"), 21 + 4);
	assert_int_equal(shape_is_right("https://192.168.100.200/"), 25 + 4);
	assert_int_equal(shape_is_right("https://[2001:db8:7:0:5054:ff:fe07:1]/"), 29 + 4);
}

static void the_longest_fits_and_no_longer_one(void **state)
{
	char word[200], text[QR_TEXT_MAX];
	unsigned width = 7;

	(void)state;
	memset(word, 'a', sizeof(word));
	word[78] = 0;
	assert_int_equal(shape_is_right(word), 33 + 4);
	word[78] = 'a';
	word[79] = 0;
	assert_int_equal(qr_text(word, text, &width), -EMSGSIZE);
	assert_int_equal(width, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_fit),
		cmocka_unit_test(the_longest_fits_and_no_longer_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
