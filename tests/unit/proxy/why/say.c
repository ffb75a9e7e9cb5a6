/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences: their text, and their form and values for other languages; whatever bytes the values are of. */
#include "tests/unit/proxy/rig.h"

#include "proxy/why/why_priv.h"

static json_t *row_of(struct why *w)
{
	return json_array_get(w->rules, json_array_size(w->rules) - 1);
}

static void assert_member(const json_t *row, const char *name, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(row, name)), text);
}

static void test_form_and_values(void **state)
{
	struct why w = { .rules = json_array() };
	const json_t *values;

	(void)state;
	why_rule(&w, "a", "s", "%s has %d of %u", "x", 2, 3U);
	assert_member(row_of(&w), "text", "x has 2 of 3");
	assert_member(row_of(&w), "form", "{0} has {1} of {2}");
	values = json_object_get(row_of(&w), "values");
	assert_int_equal(json_array_size(values), 3);
	assert_string_equal(json_string_value(json_array_get(values, 1)), "2");
	why_rule(&w, "a", "s", "nothing");
	assert_member(row_of(&w), "text", "nothing");
	assert_null(json_object_get(row_of(&w), "form"));
	assert_false(w.bad);
	json_decref(w.rules);
}

/* The marks that stand around values, in values: the sentence is told as it is, in one language. */
static void test_hostile_values(void **state)
{
	struct why w = { .rules = json_array() };
	char hostile[600];

	(void)state;
	for (int mark = 1; mark <= 2; mark++) {
		memset(hostile, mark, sizeof(hostile));
		hostile[sizeof(hostile) - 1] = 0;
		why_rule(&w, "a", "s", "<%s>", hostile);
		memset(hostile, '?', sizeof(hostile) - 1);
		assert_memory_equal(json_string_value(json_object_get(row_of(&w), "text")) + 1,
				    hostile, sizeof(hostile) - 1);
		assert_null(json_object_get(row_of(&w), "form"));
	}
	why_rule(&w, "a", "s", "<%s>", "a\2b\1c");
	assert_member(row_of(&w), "text", "<a?b?c>");
	assert_null(json_object_get(row_of(&w), "form"));
	assert_false(w.bad);
	json_decref(w.rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form_and_values),
		cmocka_unit_test(test_hostile_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
