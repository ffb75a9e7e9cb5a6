/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/health.c: what a system on trial lacks to be good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "firmware/boot/health.h"

#define READY "\"proxy\": {\"ready\": true}"
#define BRIDGE                                                                                     \
	"\"mode\": \"bridge\", \"state\": \"armed\", \"armed\": true, \"why_not_armed\": \"\""
#define TEST(s) "\"selftest\": {\"state\": \"" s "\", \"text\": \"lan0: lost\", \"ways\": 2}"

static const char *lacks(const char *text, bool settings_wrong)
{
	static char buf[HEALTH_WHY];
	struct health h = { 0 };
	const char *why;

	assert_int_equal(health_parse(text, strlen(text), &h), 0);
	why = health_lacks(&h, settings_wrong, buf);
	return why ? why : "nothing";
}

static void test_good(void **state)
{
	(void)state;
	assert_string_equal(lacks("{" BRIDGE ", " READY ", " TEST("ok") "}", false), "nothing");
	/* One arm, or switched off: there is nothing to steer. */
	assert_string_equal(lacks("{\"mode\": \"off\", " READY ", " TEST("off") "}", false),
			    "nothing");
	/* A line that is down is not the update's fault. */
	assert_string_equal(lacks("{\"mode\": \"bridge\", \"armed\": false, \"why_not_armed\": "
				  "\"no upstream\", " READY ", " TEST("ok") "}",
				  false),
			    "nothing");
}

static void test_lacking(void **state)
{
	struct health none = { 0 };
	char buf[HEALTH_WHY];

	(void)state;
	assert_string_equal(health_lacks(&none, false, buf), "tarnd does not answer");
	assert_string_equal(
		lacks("{" BRIDGE ", \"proxy\": {\"ready\": false}, " TEST("ok") "}", false),
		"tarn-proxy is not ready");
	assert_string_equal(lacks("{" BRIDGE ", " READY ", " TEST("failed") "}", false),
			    "the selftest fails: lan0: lost");
	assert_string_equal(lacks("{" BRIDGE ", " READY ", " TEST("ok") "}", true),
			    "it does not take this box's settings (tarn.conf)");
}

/* The same as a failure: that it runs is what is asked for. */
static void test_not_run(void **state)
{
	(void)state;
	assert_string_equal(lacks("{" BRIDGE ", " READY ", " TEST("off") "}", false),
			    "the selftest can't run: lan0: lost");
	assert_string_equal(lacks("{\"mode\": \"bridge\", \"why_not_armed\": \"no ports\", " READY
				  ", " TEST("none") "}",
				  false),
			    "the selftest has not run: no ports");
	/* A tarnd without one. */
	assert_string_equal(lacks("{" BRIDGE ", " READY "}", false), "the selftest can't run: ");
}

static void test_no_document(void **state)
{
	static const char *const wrong[] = { "", "[]", "{", "null", "{\"proxy\": }" };
	struct health h = { .ways = 7 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(health_parse(wrong[i], strlen(wrong[i]), &h), -EBADMSG);
	assert_int_equal(h.ways, 7);
	assert_int_equal(health_ask("/nonexistent/keeper.sock", &h), -ENOENT);
	assert_false(h.answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_lacking),
		cmocka_unit_test(test_not_run),
		cmocka_unit_test(test_no_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
