/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names, values and lists (RFC 9110 5), and the table of octets under them.
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/chars.h"

/* Every name of the table is found in any case, and nothing that is like one. */
static void test_every_known_name(void **state)
{
	(void)state;
	for (unsigned id = 1; id < HTTP_FIELD_COUNT; id++) {
		struct span name = http_field_name(id);
		char other[64];

		assert_true(http_is_token(name));
		assert_int_equal(http_field_id(name), id);
		for (size_t i = 0; i < name.n; i++)
			other[i] = (char)(name.p[i] >= 'a' && name.p[i] <= 'z'
						  ? name.p[i] - 32
						  : span_lower(name.p[i]));
		assert_int_equal(http_field_id(span_make(other, name.n)), id);
		assert_int_not_equal(http_field_id(span_head(name, name.n - 1)), id);
		other[name.n] = 'x';
		assert_int_equal(http_field_id(span_make(other, name.n + 1)), HTTP_FIELD_UNKNOWN);
		other[name.n / 2] ^= 1;
		assert_int_not_equal(http_field_id(span_make(other, name.n)), id);
	}
	assert_int_equal(http_field_id(SPAN("")), HTTP_FIELD_UNKNOWN);
	assert_int_equal(http_field_id(SPAN("a-name-that-is-much-longer-than-any-known-one")),
			 HTTP_FIELD_UNKNOWN);
}

/* '^' | 0x20 is '~', '_' | 0x20 is DEL: a known name can't be imitated by such. */
static void test_names_are_not_imitated(void **state)
{
	(void)state;
	assert_int_equal(http_field_id(SPAN("Content_Length")), HTTP_FIELD_UNKNOWN);
	assert_int_equal(http_field_id(SPAN("Content\rLength")), HTTP_FIELD_CONTENT_LENGTH);
	/* ... which is why only tokens may be asked for; head.c sees to that. */
	assert_false(http_is_token(SPAN("Content\rLength")));
}

struct class_row {
	const char *rfc;
	const char *text;
	unsigned class;
	const char *extra; /* besides letters and digits */
};

static const struct class_row class_rows[] = {
	{ "RFC 9110 5.6.2", "token", HTTP_C_TOKEN, "!#$%&'*+-.^_`|~" },
	{ "RFC 3986 2.3", "unreserved", HTTP_C_UNRESERVED, "-._~" },
	{ "RFC 3986 3.3", "path", HTTP_C_PATH, "-._~!$&'()*+,;=:@/%[]|" },
	{ "RFC 3986 3.4", "query", HTTP_C_QUERY, "-._~!$&'()*+,;=:@/?%[]|{}^`" },
	{ "RFC 9112 3.2", "target", HTTP_C_TARGET, "-._~!$&'()*+,;=:@/?%[]|{}^`\"<>\\" },
	{ "RFC 1034 3.5", "host", HTTP_C_HOST, "-._" },
};

static void test_octets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(class_rows); i++)
		for (int c = 0; c < 256; c++) {
			bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
				     (c >= 'a' && c <= 'z');
			bool want = alnum || (c && strchr(class_rows[i].extra, c) && c < 128);

			if (http_char_is((char)c, class_rows[i].class) != want)
				ROW_FAIL(&class_rows[i], "octet %d is %s", c, want ? "out" : "in");
		}
	for (int c = 0; c < 256; c++) {
		assert_int_equal(http_char_is((char)c, HTTP_C_VALUE),
				 c == '\t' || (c >= ' ' && c != 127));
		assert_int_equal(http_char_is((char)c, HTTP_C_ETAG),
				 c > ' ' && c != '"' && c != 127);
		assert_int_equal(http_char_is((char)c, HTTP_C_DIGIT), c >= '0' && c <= '9');
		assert_int_equal(http_char_is((char)c, HTTP_C_HEX),
				 c && strchr("0123456789abcdefABCDEF", c) != NULL && c < 128);
	}
}

struct list_row {
	const char *rfc;
	const char *text;
	struct span in;
	const char *want; /* the elements, each between '<' and '>' */
};

static const struct list_row list_rows[] = {
	{ "RFC 9110 5.6.1", "plain", TEXT("a, b ,c"), "<a><b><c>" },
	{ "RFC 9110 5.6.1", "empty elements", TEXT(",, a ,\t,b, ,"), "<a><b>" },
	{ "RFC 9110 5.6.1", "nothing", TEXT(""), "" },
	{ "RFC 9110 5.6.1", "commas only", TEXT(" , ,"), "" },
	{ "RFC 9110 5.6.4", "comma in quotes", TEXT("a=\"b, c\", d"), "<a=\"b, c\"><d>" },
	{ "RFC 9110 5.6.4", "escaped quote", TEXT("a=\"\\\", b\", c"), "<a=\"\\\", b\"><c>" },
	{ "RFC 9110 5.6.4", "escaped backslash", TEXT("a=\"\\\\\", b"), "<a=\"\\\\\"><b>" },
	{ "RFC 9110 5.6.4", "open quote", TEXT("a, \"b, c"), "<a><\"b, c>" },
	{ "RFC 9110 5.6.4", "escape at the end", TEXT("\"a\\"), "<\"a\\>" },
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(list_rows); i++) {
		const struct list_row *row = &list_rows[i];
		char *copy = exact_copy(row->in), got[128] = "";
		struct span rest = span_make(copy, row->in.n), element;
		size_t n = 0;

		while (http_list_next(&rest, &element))
			n += (size_t)sprintf(got + n, "<%.*s>", SPAN_FMT(element));
		ROW_SPAN(row, "list", span_of(got), span_of(row->want));
		test_free(copy);
	}
}

static const struct list_row param_rows[] = {
	{ "RFC 9110 5.6.6", "plain", TEXT("a=b; c = \"d;\" ;e"), "<a=b><c=\"d;\"><e>" },
	{ "RFC 9110 5.6.6", "empty ones", TEXT(";; a=b;"), "<a=b>" },
	{ "RFC 9110 5.6.6", "nothing", TEXT(""), "" },
	{ "RFC 9110 5.6.6", "no value", TEXT("a="), "!" },
	{ "RFC 9110 5.6.6", "no name", TEXT("=b"), "!" },
	{ "RFC 9110 5.6.6", "two words", TEXT("a b"), "!" },
	{ "RFC 9110 5.6.6", "open quote", TEXT("a=\"b"), "!" },
	{ "RFC 9110 5.6.6", "text behind quotes", TEXT("a=\"b\"c"), "!" },
};

static void test_parameters(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(param_rows); i++) {
		const struct list_row *row = &param_rows[i];
		char *copy = exact_copy(row->in), got[128] = "";
		struct span rest = span_make(copy, row->in.n), name, value;
		size_t n = 0;
		int rc;

		while ((rc = http_param_next(&rest, &name, &value)) > 0)
			n += (size_t)sprintf(got + n, "<%.*s%s%.*s>", SPAN_FMT(name),
					     value.p ? "=" : "", SPAN_FMT(value));
		if (rc < 0)
			strcpy(got + n, "!");
		ROW_SPAN(row, "parameters", span_of(got), span_of(row->want));
		test_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_known_name),
		cmocka_unit_test(test_names_are_not_imitated),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
