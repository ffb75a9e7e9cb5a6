/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/channel.c: which boxes take which version, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "firmware/boot/channel.h"

#define HEAD "TARN-CHANNEL 1\nversion=2.1\n"
#define URL  "amd64=https://updates.example/tarn-2.1-amd64.update\n"
#define ID   "0123456789abcdef0123456789abcdef"

static struct channel parsed(const char *text)
{
	struct channel c = { 0 };

	assert_int_equal(channel_parse(span_of(text), "amd64", &c), 0);
	return c;
}

static void test_parse(void **state)
{
	struct channel c = parsed(HEAD URL "share=25\nnews=later versions know what\nnonsense\n");

	(void)state;
	assert_string_equal(c.version, "2.1");
	assert_string_equal(c.url, "https://updates.example/tarn-2.1-amd64.update");
	assert_int_equal(c.share, 2500);
	c = parsed(HEAD "arm64=https://updates.example/arm\n");
	assert_string_equal(c.url, "");
	assert_int_equal(c.share, CHANNEL_PARTS);
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = { "",
					     "<html>\n",
					     "TARN-CHANNEL 2\nversion=2.1\n",
					     "TARN-CHANNEL 1\n",
					     "TARN-CHANNEL 1\n" URL,
					     "TARN-CHANNEL 1\nversion=../2\n",
					     HEAD "amd64=http://updates.example/in-clear\n",
					     HEAD "share=101\n",
					     HEAD "share=-1\n",
					     HEAD "share=half\n" };
	struct channel c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(channel_parse(span_of(wrong[i]), "amd64", &c), -EINVAL);
}

static enum channel_verdict judged(const char *channel, const char *machine, const char *attempt)
{
	struct channel c = parsed(channel);
	json_t *json = json_loads(machine, 0, NULL);
	enum channel_verdict verdict;

	assert_non_null(json);
	verdict = channel_judge(&c, json, attempt, ID);
	json_decref(json);
	return verdict;
}

static void test_judge(void **state)
{
	static const char two[] = "{\"version\": \"2.0\", \"on_trial\": false, \"slots\": []}";
	static const char bad[] =
		"{\"version\": \"2.0\", \"slots\": [{\"version\": \"2.0\", \"state\": \"good\"}, "
		"{\"version\": \"2.1\", \"state\": \"bad\"}]}";

	(void)state;
	assert_int_equal(judged(HEAD URL, two, ""), CHANNEL_TAKE);
	assert_int_equal(judged(HEAD URL, "{\"version\": \"2.1\"}", ""), CHANNEL_NOTHING_NEW);
	assert_int_equal(judged(HEAD URL, "{\"version\": \"2.1.1\"}", ""), CHANNEL_NOTHING_NEW);
	assert_int_equal(judged(HEAD URL, "{\"version\": \"2.0\", \"on_trial\": true}", ""),
			 CHANNEL_ON_TRIAL);
	assert_int_equal(judged(HEAD URL, two, "2.1"), CHANNEL_WAITING);
	assert_int_equal(judged(HEAD URL, two, "1.9"), CHANNEL_TAKE);
	assert_int_equal(judged(HEAD URL, bad, ""), CHANNEL_FAILED);
	assert_int_equal(judged(HEAD, two, ""), CHANNEL_NOT_FOR_US);
	assert_int_equal(judged(HEAD URL "share=0\n", two, ""), CHANNEL_NOT_YET);
}

/* A quarter of many boxes is a quarter, the same one each time, and in it when the share grows. */
static void test_staged(void **state)
{
	unsigned quarter = 0, both = 0;
	char id[40];

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		(void)snprintf(id, sizeof(id), "%032x", i * 2654435761u);
		assert_int_equal(channel_place(id, "2.1"), channel_place(id, "2.1"));
		assert_true(channel_place(id, "2.1") < CHANNEL_PARTS);
		quarter += channel_place(id, "2.1") < 2500;
		both += channel_place(id, "2.1") < 2500 && channel_place(id, "2.2") < 2500;
	}
	assert_in_range(quarter, 900, 1100);
	assert_in_range(both, 180, 320); /* others are first the next time */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_staged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
