/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entity tags (RFC 9110 8.8.3) and lists of them (13.1.1, 13.1.2).
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/etag.h"

struct etag_row {
	const char *rfc;
	const char *text;
	struct span in;
	int want;
	bool weak;
	const char *opaque;
};

static const struct etag_row rows[] = {
	{ "RFC 9110 8.8.3", "strong", TEXT("\"xyzzy\""), 0, false, "\"xyzzy\"" },
	{ "RFC 9110 8.8.3", "weak", TEXT("W/\"xyzzy\""), 0, true, "\"xyzzy\"" },
	{ "RFC 9110 8.8.3", "empty tag", TEXT("\"\""), 0, false, "\"\"" },
	{ "RFC 9110 8.8.3", "backslash, comma and obs-text", TEXT("\"a\\,\xe4\""), 0, false,
	  "\"a\\,\xe4\"" },
	{ "RFC 9110 8.8.3", "lower case w", TEXT("w/\"a\""), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "no quotes", TEXT("a"), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "one quote", TEXT("\""), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "open", TEXT("\"a"), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "text behind it", TEXT("\"a\"b"), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "space inside", TEXT("\"a b\""), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "DEL inside", TEXT("\"a\177\""), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "space behind W/", TEXT("W/ \"a\""), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "empty", TEXT(""), -EINVAL, false, "" },
	{ "RFC 9110 8.8.3", "W/ alone", TEXT("W/"), -EINVAL, false, "" },
};

static void test_parse(void **state)
{
	(void)state;
	for (const struct etag_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		char *copy = exact_copy(row->in);
		struct etag tag = { .weak = false };

		ROW_NUMBER(row, "result", etag_parse(span_make(copy, row->in.n), &tag), row->want);
		ROW_NUMBER(row, "weak", tag.weak, row->weak);
		ROW_SPAN(row, "opaque", tag.opaque, span_of(row->opaque));
		test_free(copy);
	}
}

/* The table of RFC 9110 8.8.3.2. */
static void test_compare(void **state)
{
	static const struct {
		struct etag a, b;
		bool strong, weak;
	} table[] = {
		{ { TEXT("\"1\""), true }, { TEXT("\"1\""), true }, false, true },
		{ { TEXT("\"1\""), true }, { TEXT("\"2\""), true }, false, false },
		{ { TEXT("\"1\""), true }, { TEXT("\"1\""), false }, false, true },
		{ { TEXT("\"1\""), false }, { TEXT("\"1\""), false }, true, true },
		{ { { NULL, 0 }, false }, { { NULL, 0 }, false }, false, false },
		{ { TEXT("\"1\""), false }, { { NULL, 0 }, false }, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_int_equal(etag_equal_strong(&table[i].a, &table[i].b), table[i].strong);
		assert_int_equal(etag_equal_weak(&table[i].a, &table[i].b), table[i].weak);
		assert_int_equal(etag_equal_weak(&table[i].b, &table[i].a), table[i].weak);
	}
}

struct list_row {
	const char *rfc;
	const char *text;
	const char *fields; /* %s is the field's name */
	bool weak_current;
	bool exists;
	bool strong; /* If-Match */
	bool weak;   /* If-None-Match */
};

/* The current tag is "b", or W/"b". */
static const struct list_row list_rows[] = {
	{ "RFC 9110 13.1.1", "one", "%s: \"b\"\r\n", false, true, true, true },
	{ "RFC 9110 13.1.1", "last of three", "%s: \"a\", W/\"x\",\"b\"\r\n", false, true, true,
	  true },
	{ "RFC 9110 13.1.1", "none of two", "%s: \"a\",\"c\"\r\n", false, true, false, false },
	{ "RFC 9110 13.1.1", "weak in the list", "%s: W/\"b\"\r\n", false, true, false, true },
	{ "RFC 9110 13.1.1", "weak here", "%s: \"b\"\r\n", true, true, false, true },
	{ "RFC 9110 5.3", "on the second line", "%s: \"a\"\r\nX: y\r\n%s: \"b\"\r\n", false, true,
	  true, true },
	{ "RFC 9110 8.8.3", "comma inside a tag", "%s: \"a,\"\r\n%s: \"x,\"b\",y\"\r\n", false,
	  true, false, false },
	{ "RFC 9110 8.8.3", "looks like it inside another", "%s: \"a,b\"\r\n", false, true, false,
	  false },
	{ "RFC 9110 5.6.1", "empty elements", "%s: , ,\"b\",,\r\n", false, true, true, true },
	{ "RFC 9110 13.1.1", "asterisk", "%s: *\r\n", false, true, true, true },
	{ "RFC 9110 13.1.1", "asterisk, nothing there", "%s: *\r\n", false, false, false, false },
	{ "RFC 9110 13.1.1", "tag, nothing there", "%s: \"b\"\r\n", false, false, false, false },
	{ "RFC 9110 13.1.1", "asterisk is not alone", "%s: *, \"a\"\r\n", false, true, false,
	  false },
	{ "RFC 9110 13.1.1", "asterisk on two lines", "%s: *\r\n%s: *\r\n", false, true, false,
	  false },
	{ "RFC 9110 8.8.3", "match before the fault", "%s: \"b\", x\r\n", false, true, true, true },
	{ "RFC 9110 8.8.3", "match behind the fault", "%s: x, \"b\"\r\n", false, true, false,
	  false },
	{ "RFC 9110 5.6.1", "no comma", "%s: \"a\" \"b\"\r\n", false, true, false, false },
	{ "RFC 9110 13.1.1", "empty", "%s:\r\n", false, true, false, false },
};

static bool list_matches(const struct list_row *row, enum http_field_id id)
{
	struct etag current = { SPAN("\"b\""), row->weak_current };
	char fields[256], head[512];
	const char *name = http_field_name(id).p;

	snprintf(fields, sizeof(fields), row->fields, name, name);
	snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
	return etag_list_matches(head_of(span_of(head)), id, &current, row->exists);
}

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(list_rows); i++) {
		const struct list_row *row = &list_rows[i];

		ROW_NUMBER(row, "If-Match", list_matches(row, HTTP_FIELD_IF_MATCH), row->strong);
		ROW_NUMBER(row, "If-None-Match", list_matches(row, HTTP_FIELD_IF_NONE_MATCH),
			   row->weak);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
