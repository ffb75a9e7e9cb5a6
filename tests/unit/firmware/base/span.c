/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "firmware/base/span.h"

#define assert_span(got, text) assert_true(span_eq((got), SPAN(text)))

static void compares(void **state)
{
	(void)state;
	assert_true(span_eq(SPAN(""), span_of(NULL)));
	assert_true(span_eq(SPAN("ab"), span_of("ab")));
	assert_false(span_eq(SPAN("ab"), SPAN("aB")));
	assert_false(span_eq(SPAN("ab"), SPAN("abc")));
	assert_true(span_ieq(SPAN("Host"), SPAN("hOST")));
	/* '@' and '`' differ by the bit that makes letters lower case, and are no letters. */
	assert_false(span_ieq(SPAN("@"), SPAN("`")));
	assert_false(span_ieq(SPAN("\xc0"), SPAN("\xe0")));
	assert_true(span_starts(SPAN("abc"), SPAN("")));
	assert_true(span_starts(SPAN("abc"), SPAN("ab")));
	assert_false(span_starts(SPAN("a"), SPAN("ab")));
	assert_true(span_istarts(SPAN("HTTP/1"), SPAN("http/")));
	assert_true(span_ends(SPAN("a.conf"), SPAN(".conf")));
	assert_false(span_ends(SPAN("conf"), SPAN(".conf")));
}

static void parts_are_clamped(void **state)
{
	(void)state;
	assert_span(span_sub(SPAN("abc"), 1, 2), "b");
	assert_span(span_sub(SPAN("abc"), 2, 99), "c");
	assert_span(span_sub(SPAN("abc"), 3, 1), "");
	assert_span(span_sub(SPAN("abc"), SIZE_MAX, SIZE_MAX), "");
	assert_span(span_drop(SPAN("abc"), 7), "");
	assert_int_equal(span_find(SPAN("a:b"), ':'), 1);
	assert_int_equal(span_find(SPAN("ab"), ':'), 2);
	assert_span(span_trim(SPAN(" \t a b\t ")), "a b");
	assert_span(span_trim(SPAN(" \t ")), "");
}

static void cuts(void **state)
{
	struct span rest = SPAN("a,,b,"), part;

	(void)state;
	assert_true(span_cut(&rest, ',', &part));
	assert_span(part, "a");
	assert_true(span_cut(&rest, ',', &part));
	assert_span(part, "");
	assert_true(span_cut(&rest, ',', &part));
	assert_span(part, "b");
	assert_false(span_cut(&rest, ',', &part));
}

static void numbers(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(span_u64(SPAN("18446744073709551615"), &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(span_u64(SPAN("00"), &value), 0);
	assert_true(value == 0);
	value = 7;
	assert_int_equal(span_u64(SPAN("18446744073709551616"), &value), -ERANGE);
	assert_int_equal(span_u64(SPAN("99999999999999999999999"), &value), -ERANGE);
	assert_int_equal(span_u64(SPAN("99999999999999999999999x"), &value), -EINVAL);
	assert_int_equal(span_u64(SPAN(""), &value), -EINVAL);
	assert_int_equal(span_u64(SPAN("+1"), &value), -EINVAL);
	assert_int_equal(span_u64(SPAN("-1"), &value), -EINVAL);
	assert_int_equal(span_u64(SPAN(" 1"), &value), -EINVAL);
	assert_int_equal(span_u64(SPAN("0x1"), &value), -EINVAL);
	assert_true(value == 7); /* untouched by failures */
	assert_int_equal(span_hex(SPAN("fFffffffFFFFFFFF"), &value), 0);
	assert_true(value == UINT64_MAX);
	value = 7;
	assert_int_equal(span_hex(SPAN("00000000000000001"), &value), -ERANGE);
	assert_int_equal(span_hex(SPAN("g"), &value), -EINVAL);
	assert_int_equal(span_hex(SPAN(""), &value), -EINVAL);
	assert_true(value == 7);
}

static void writes_numbers(void **state)
{
	char digits[SPAN_DIGITS_MAX], buf[8];

	(void)state;
	assert_span(span_make(digits, span_digits(0, digits)), "0");
	assert_span(span_make(digits, span_digits(UINT64_MAX, digits)), "18446744073709551615");
	assert_span(span_numbered(SPAN("a"), 65535, buf, sizeof(buf)), "a:65535"); /* just fits */
	assert_string_equal(buf, "a:65535");
	assert_span(span_numbered(SPAN(""), 8, buf, sizeof(buf)), ":8");
}

static void copies(void **state)
{
	char buf[4] = "zzz";
	char *copy;

	(void)state;
	assert_int_equal(span_copy(SPAN("abcd"), buf, sizeof(buf)), -ENOSPC);
	assert_int_equal(span_copy(SPAN("a\0b"), buf, sizeof(buf)), -EINVAL);
	assert_string_equal(buf, "zzz");
	assert_int_equal(span_copy(SPAN("abc"), buf, sizeof(buf)), 0);
	assert_string_equal(buf, "abc");
	assert_int_equal(span_copy((struct span){ NULL, 0 }, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	copy = span_dup(SPAN("xyz"));
	assert_string_equal(copy, "xyz");
	free(copy);
}

static void cursor_reads_in_order(void **state)
{
	static const uint8_t bytes[] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 'h', 'i'
	};
	struct cursor c = cursor_make(bytes, sizeof(bytes));
	struct span text;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;
	uint8_t u8;

	(void)state;
	assert_int_equal(cursor_u8(&c, &u8), 0);
	assert_int_equal(u8, 1);
	assert_int_equal(cursor_u16be(&c, &u16), 0);
	assert_int_equal(u16, 0x0203);
	assert_int_equal(cursor_u32be(&c, &u32), 0);
	assert_int_equal(u32, 0x04050607);
	assert_int_equal(cursor_u64be(&c, &u64), 0);
	assert_true(u64 == 0x08090a0b0c0d0e0full);
	assert_int_equal(cursor_remaining(&c), 2);
	assert_int_equal(cursor_bytes(&c, 2, &text), 0);
	assert_span(text, "hi");
	assert_int_equal(cursor_remaining(&c), 0);
}

static void cursor_refuses_to_overrun(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct cursor c = cursor_make(bytes, sizeof(bytes));
	struct span text = SPAN("same");
	uint32_t u32 = 7;

	(void)state;
	assert_int_equal(cursor_u32be(&c, &u32), -EBADMSG);
	assert_int_equal(cursor_bytes(&c, 4, &text), -EBADMSG);
	assert_int_equal(cursor_bytes(&c, SIZE_MAX, &text), -EBADMSG);
	assert_int_equal(cursor_skip(&c, 4), -EBADMSG);
	assert_int_equal(u32, 7);
	assert_span(text, "same");
	assert_int_equal(cursor_remaining(&c), 3); /* nothing consumed */
	assert_int_equal(cursor_skip(&c, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(parts_are_clamped),
		cmocka_unit_test(cuts),
		cmocka_unit_test(numbers),
		cmocka_unit_test(writes_numbers),
		cmocka_unit_test(copies),
		cmocka_unit_test(cursor_reads_in_order),
		cmocka_unit_test(cursor_refuses_to_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
