/* SPDX-License-Identifier: Apache-2.0 */
/* Servers as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "firmware/base/origin.h"

static void test_origins(void **unused)
{
	static const char *const good[][2] = {
		{ "http://192.0.2.1", "http://192.0.2.1:80" },
		{ "HTTPS://Cache.Example/", "https://cache.example:443" },
		{ "http://[2001:DB8::1]:3128", "http://[2001:db8::1]:3128" },
		{ "https://[2001:db8::1]", "https://[2001:db8::1]:443" },
	};
	static const char *const bad[] = {
		"",
		"192.0.2.1:80",
		"ftp://x",
		"http://",
		"http://x:0",
		"http://x:65536",
		"http://x:",
		"http://x/path",
		"http://[x]:80",
		"http://[::1]x",
		"http://2001:db8::1",
		"http://a b",
		"http://[::1",
		"http://u:p@h:80",
	};
	char text[ORIGIN_TEXT_MAX];
	struct origin origin;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(origin_parse(span_of(good[i][0]), &origin), 0);
		assert_string_equal(origin_format(&origin, text), good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (origin_parse(span_of(bad[i]), &origin) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_origins) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
