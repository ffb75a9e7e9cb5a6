/* SPDX-License-Identifier: Apache-2.0 */
/* Editing a settings file's text: what changes, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "firmware/base/settings_edit.h"
#include "firmware/base/tarn_conf.h"

static const struct setting *row_of(const char *section, const char *key)
{
	for (size_t i = 0; i < tarn_conf_table.n; i++)
		if (!strcmp(tarn_conf_table.rows[i].section, section) &&
		    !strcmp(tarn_conf_table.rows[i].key, key))
			return &tarn_conf_table.rows[i];
	fail_msg("no setting %s.%s", section, key);
	return NULL;
}

struct edit_case {
	const char *what, *before, *section, *key, *value, *after;
};

static void test_edits(void **state)
{
	static const struct edit_case cases[] = {
		{ "an empty file", "", "log", "level", "warn", "[log]\nlevel = warn\n" },
		{ "a value", "[log]\nlevel = info\n", "log", "level", "warn",
		  "[log]\nlevel = warn\n" },
		{ "comments stay", "# mine\n[log]\n; why\nlevel=info ; loud\naccess = no\n", "log",
		  "level", "warn", "# mine\n[log]\n; why\nlevel = warn ; loud\naccess = no\n" },
		{ "gone", "[log]\nlevel = info\naccess = no\n", "log", "level", NULL,
		  "[log]\naccess = no\n" },
		{ "gone that was not there", "[log]\naccess = no\n", "log", "level", NULL,
		  "[log]\naccess = no\n" },
		{ "after its example", "[log]\n#level = info\n\n# x\n#access = no\n", "log",
		  "level", "warn", "[log]\n#level = info\nlevel = warn\n\n# x\n#access = no\n" },
		{ "at its section's end", "[log]\naccess = no\n\n[dns]\npublic = no\n", "log",
		  "level", "warn", "[log]\naccess = no\nlevel = warn\n\n[dns]\npublic = no\n" },
		{ "a section of its own", "[dns]\npublic = no\n", "log", "level", "warn",
		  "[dns]\npublic = no\n\n[log]\nlevel = warn\n" },
		{ "the same key elsewhere", "[proxy]\nlisten =\n[admin]\nlisten = ::1\n", "admin",
		  "listen", "", "[proxy]\nlisten =\n[admin]\nlisten =\n" },
		{ "a list of several lines", "[admin]\nnames = a\nnames = b\nallow = ::1\n",
		  "admin", "names", "c d", "[admin]\nnames = c d\nallow = ::1\n" },
		{ "CRLF, and no end of the last line", "[log]\r\nlevel = info", "log", "level",
		  "warn", "[log]\r\nlevel = warn\r\n" },
		{ "a section that comes twice", "[log]\naccess = no\n[dns]\n[log]\nlevel = info\n",
		  "log", "level", "warn", "[log]\naccess = no\n[dns]\n[log]\nlevel = warn\n" },
		{ "no end of the last line", "[log]\naccess = no", "log", "level", "warn",
		  "[log]\naccess = no\nlevel = warn\n" },
		{ "a byte order mark", "\xef\xbb\xbf[log]\nlevel = info\n", "log", "level", "warn",
		  "\xef\xbb\xbf[log]\nlevel = warn\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct edit_case *c = &cases[i];
		char *text = NULL;

		assert_int_equal(settings_edit(span_of(c->before), row_of(c->section, c->key),
					       c->value, &text),
				 0);
		if (strcmp(text, c->after) != 0)
			fail_msg("%s:\n%s", c->what, text);
		free(text);
	}
}

static void test_refused(void **state)
{
	static const char *const values[] = { "a\nlevel = x", "a\r", "; none", "a ;b", " a", "a " };
	char long_word[SETTINGS_LINE_MAX + 1], *text = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_int_equal(settings_edit(SPAN("[log]\n"), row_of("sync", "product_id"),
					       values[i], &text),
				 -EINVAL);
	memset(long_word, 'x', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = 0;
	assert_int_equal(settings_edit(SPAN(""), row_of("sync", "product_id"), long_word, &text),
			 -EINVAL);
	assert_null(text);
}

static int load_line(void *arg, struct span section, struct span key, struct span value,
		     unsigned line, struct settings_error *error)
{
	size_t *n = arg;

	(void)section, (void)line, (void)error;
	assert_true(span_eq(key, SPAN("allow")));
	assert_true(key.n + 3 + value.n <= SETTINGS_LINE_MAX);
	*n += value.n;
	return 0;
}

/* A list that no line can hold. */
static void test_long_list(void **state)
{
	struct settings_error error;
	char list[1024] = "", *text = NULL;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s10.0.%u.0/24",
			 i ? " " : "", i);
	assert_int_equal(settings_edit(SPAN("[admin]\nallow = ::1\n"), row_of("admin", "allow"),
				       list, &text),
			 0);
	assert_int_equal(settings_read_text(span_of(text), "text", load_line, &n, &error), 0);
	assert_true(n > 700);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
