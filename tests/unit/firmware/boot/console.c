/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/console.c: what is typed, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "firmware/boot/console.h"

static enum typed_word take(struct typed *t, const char *text, uint64_t now_ms)
{
	return typed_take(t, span_of(text), now_ms);
}

static void test_twice(void **state)
{
	struct typed t = { 0 };

	(void)state;
	assert_int_equal(take(&t, "factory-", 1000), TYPED_NOTHING);
	assert_int_equal(take(&t, "reset", 1000), TYPED_NOTHING);
	assert_int_equal(take(&t, "\n", 1000), TYPED_ASK);
	assert_int_equal(take(&t, "\n", 1500), TYPED_NOTHING);
	assert_int_equal(take(&t, " factory-reset\r\n", 1000 + CONSOLE_AGAIN_MS), TYPED_RESET);
	/* A third is a first one again. */
	assert_int_equal(take(&t, "factory-reset\r", 2000 + CONSOLE_AGAIN_MS), TYPED_ASK);
	/* Both at once, by a serial line's program. */
	t = (struct typed){ 0 };
	assert_int_equal(take(&t, "factory-reset\nfactory-reset\n", 1000), TYPED_RESET);
}

static void test_not(void **state)
{
	struct typed t = { 0 };
	char noise[CONSOLE_LINE * 3];

	(void)state;
	/* Too late. */
	assert_int_equal(take(&t, "factory-reset\n", 1000), TYPED_ASK);
	assert_int_equal(take(&t, "factory-reset\n", 1001 + CONSOLE_AGAIN_MS), TYPED_ASK);
	/* Something else between. */
	assert_int_equal(take(&t, "no\n", 32000), TYPED_NOTHING);
	assert_int_equal(take(&t, "factory-reset\n", 33000), TYPED_ASK);
	/* Not alone in its line. */
	assert_int_equal(take(&t, "factory-reset now\n", 34000), TYPED_NOTHING);
	assert_int_equal(take(&t, "TARN factory-reset\n", 34000), TYPED_NOTHING);
	assert_int_equal(take(&t, "Factory-Reset\n", 34000), TYPED_NOTHING);
	/* A line that is longer than the room for it, and ends with the word. */
	memset(noise, 0xff, sizeof(noise));
	assert_int_equal(typed_take(&t, span_make(noise, sizeof(noise)), 35000), TYPED_NOTHING);
	assert_int_equal(take(&t, "factory-reset\n", 35000), TYPED_NOTHING);
	memset(noise, ' ', sizeof(noise));
	assert_int_equal(take(&t, "factory-reset", 35000), TYPED_NOTHING);
	assert_int_equal(typed_take(&t, span_make(noise, sizeof(noise)), 35000), TYPED_NOTHING);
	assert_int_equal(take(&t, "\n", 35000), TYPED_NOTHING);
	assert_int_equal(take(&t, "factory-reset\n", 36000), TYPED_ASK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
