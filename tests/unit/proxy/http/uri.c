/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URI normalisation: spellings of one resource meet, resources that may differ do not.
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/uri.h"

struct uri_row {
	const char *rfc;
	const char *text;
	struct span in;
	const char *want; /* NULL: -EINVAL */
};

static const struct uri_row path_rows[] = {
	{ "RFC 9110 4.2.3", "empty path", TEXT(""), "/" },
	{ "RFC 3986 6.2.2.1", "escapes in upper case", TEXT("/a%2fb%c3%a4"), "/a%2Fb%C3%A4" },
	{ "RFC 3986 6.2.2.2", "unreserved are decoded", TEXT("/%7Eu%41%2d%2E%5f%30"), "/~uA-._0" },
	{ "RFC 3986 6.2.2.2", "reserved are not", TEXT("/a%3Fb%23c%2Fd%3B%40"),
	  "/a%3Fb%23c%2Fd%3B%40" },
	{ "RFC 3986 6.2.2.2", "an escaped percent stays", TEXT("/%2541"), "/%2541" },
	{ "RFC 3986 5.2.4", "one dot", TEXT("/a/./b"), "/a/b" },
	{ "RFC 3986 5.2.4", "two dots", TEXT("/a/b/c/./../../g"), "/a/g" },
	{ "RFC 3986 5.2.4", "two dots at the end", TEXT("/a/b/.."), "/a/" },
	{ "RFC 3986 5.2.4", "one dot at the end", TEXT("/a/b/."), "/a/b/" },
	{ "RFC 3986 5.2.4", "above the root", TEXT("/../../a"), "/a" },
	{ "RFC 3986 5.2.4", "nothing but dots", TEXT("/.."), "/" },
	{ "RFC 3986 5.2.4", "root and dot", TEXT("/."), "/" },
	{ "RFC 3986 5.2.4", "escaped dots are dots", TEXT("/a/%2e%2E/b"), "/b" },
	{ "RFC 3986 5.2.4", "three dots are a name", TEXT("/a/.../b/.c/d."), "/a/.../b/.c/d." },
	{ "RFC 3986 5.2.4", "an empty segment counts", TEXT("/a//../b"), "/a/b" },
	{ "RFC 3986 6.2.3", "empty segments stay", TEXT("//a///b//"), "//a///b//" },
	{ "RFC 3986 6.2.3", "the case of a path stays", TEXT("/A/b"), "/A/b" },
	{ "RFC 3986 3.3", "every sub-delim", TEXT("/!$&'()*+,;=:@"), "/!$&'()*+,;=:@" },
	{ "RFC 3986 3.3", "what browsers leave", TEXT("/[a]|b"), "/[a]|b" },
	{ "RFC 3986 3.3", "encoded controls stay encoded", TEXT("/%0d%0A%20"), "/%0D%0A%20" },
	{ "RFC 3986 3.3", "no slash first", TEXT("a"), NULL },
	{ "RFC 3986 3.3", "asterisk", TEXT("*"), NULL },
	{ "RFC 3986 2.1", "percent at the end", TEXT("/a%"), NULL },
	{ "RFC 3986 2.1", "one digit", TEXT("/a%4"), NULL },
	{ "RFC 3986 2.1", "not a digit", TEXT("/a%4g"), NULL },
	{ "RFC 3986 2.1", "double percent", TEXT("/%%41"), NULL },
	{ "RFC 3986 7.3", "encoded NUL", TEXT("/a%00"), NULL },
	{ "RFC 3986 3.3", "NUL", TEXT("/a\0b"), NULL },
	{ "RFC 3986 3.3", "space", TEXT("/a b"), NULL },
	{ "RFC 3986 3.3", "tab", TEXT("/a\tb"), NULL },
	{ "RFC 3986 3.3", "octet above 127", TEXT("/\xe4"), NULL },
	{ "RFC 3986 3.3", "DEL", TEXT("/\177"), NULL },
	{ "RFC 3986 3.3", "backslash", TEXT("/a\\..\\b"), NULL },
	{ "RFC 3986 3.3", "quote", TEXT("/\""), NULL },
	{ "RFC 3986 3.3", "query mark", TEXT("/a?b"), NULL },
	{ "RFC 3986 3.3", "fragment", TEXT("/a#b"), NULL },
};

static const struct uri_row query_rows[] = {
	{ "RFC 3986 3.4", "empty", TEXT(""), "" },
	{ "RFC 3986 6.2.2.1", "escapes in upper case only", TEXT("a=%2f%7e&&b=&=c"),
	  "a=%2F%7E&&b=&=c" },
	{ "RFC 3986 3.4", "order stays", TEXT("b=2&a=1"), "b=2&a=1" },
	{ "RFC 3986 3.4", "slash, mark, dots", TEXT("/../?a"), "/../?a" },
	{ "RFC 3986 3.4", "what browsers leave", TEXT("a[]={b}|`^"), "a[]={b}|`^" },
	{ "RFC 3986 2.1", "bad escape", TEXT("a=%zz"), NULL },
	{ "RFC 3986 7.3", "encoded NUL", TEXT("%00"), NULL },
	{ "RFC 3986 3.4", "space", TEXT("a b"), NULL },
	{ "RFC 3986 3.4", "fragment", TEXT("a#b"), NULL },
	{ "RFC 3986 3.4", "less than", TEXT("<a"), NULL },
};

static const struct uri_row host_rows[] = {
	{ "RFC 3986 6.2.2.1", "lower case", TEXT("WwW.Example"), "www.example" },
	{ "RFC 1034 3.1", "final dot", TEXT("a.example."), "a.example" },
	{ "RFC 1034 3.1", "a dot only", TEXT("."), NULL },
	{ "RFC 1034 3.1", "two final dots", TEXT("a.."), NULL },
	{ "RFC 1034 3.1", "empty label", TEXT("a..b"), NULL },
	{ "RFC 3986 3.2.2", "IPv4", TEXT("192.0.2.1"), "192.0.2.1" },
	{ "RFC 5952 4.3", "IPv6", TEXT("2001:DB8::1"), "2001:db8::1" },
	{ "RFC 3986 3.2.2", "empty", TEXT(""), NULL },
	{ "RFC 3986 3.2.2", "slash", TEXT("a/b"), NULL },
	{ "RFC 3986 3.2.2", "escape", TEXT("a%2eb"), NULL },
	{ "RFC 3986 3.2.2", "at", TEXT("u@a"), NULL },
	{ "RFC 3986 3.2.2", "brackets", TEXT("[::1]"), NULL },
	{ "RFC 3986 3.2.2", "zone", TEXT("fe80::1%25eth0"), NULL },
};

typedef int normalise_f(struct span in, char *buf, size_t cap, size_t *ret_len);

/* The result; that it does not change when normalised again; and what happens without room. */
static void row_run(const struct uri_row *row, normalise_f *normalise)
{
	char *copy = exact_copy(row->in), out[128], again[128];
	size_t len = 0, len_again = 0, cap = row->in.n ? row->in.n : 1;
	int rc = normalise(span_make(copy, row->in.n), out, cap, &len);

	ROW_NUMBER(row, "result", rc, row->want ? 0 : -EINVAL);
	if (rc == 0) {
		ROW_SPAN(row, "result", span_make(out, len), span_of(row->want));
		ROW_NUMBER(row, "second time",
			   normalise(span_make(out, len), again, 128, &len_again), 0);
		ROW_SPAN(row, "second time", span_make(again, len_again), span_make(out, len));
		for (size_t small = 0; small < len; small++) {
			size_t untouched = 77;

			ROW_NUMBER(row, "small buffer",
				   normalise(row->in, again, small, &untouched), -EMSGSIZE);
			assert_int_equal(untouched, 77);
		}
	}
	test_free(copy);
}

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(path_rows); i++)
		row_run(&path_rows[i], uri_path_normalise);
}

static void test_queries(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(query_rows); i++)
		row_run(&query_rows[i], uri_query_normalise);
}

static void test_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(host_rows); i++)
		row_run(&host_rows[i], uri_host_normalise);
}

struct whole_row {
	const char *rfc;
	const char *text;
	struct uri uri;
	const char *want;
};

static const struct whole_row whole_rows[] = {
	{ "RFC 9110 4.2.3",
	  "default port of http",
	  { TEXT("HTTP"), TEXT("A.Example"), 80, TEXT(""), false, TEXT("") },
	  "http://a.example/" },
	{ "RFC 9110 4.2.3",
	  "no port",
	  { TEXT("https"), TEXT("a"), 0, TEXT("/b"), false, TEXT("") },
	  "https://a/b" },
	{ "RFC 9110 4.2.3",
	  "default port of https",
	  { TEXT("https"), TEXT("a"), 443, TEXT("/"), true, TEXT("") },
	  "https://a/?" },
	{ "RFC 9110 4.2.3",
	  "another port",
	  { TEXT("http"), TEXT("a"), 443, TEXT("/"), true, TEXT("b=%aa") },
	  "http://a:443/?b=%AA" },
	{ "RFC 3986 3.2.2",
	  "IPv6",
	  { TEXT("http"), TEXT("::1"), 65535, TEXT("/../%41"), false, TEXT("") },
	  "http://[::1]:65535/A" },
	{ "RFC 9110 4.2",
	  "another scheme",
	  { TEXT("ftp"), TEXT("a"), 0, TEXT("/"), false, TEXT("") },
	  NULL },
	{ "RFC 9110 4.2.1",
	  "no host",
	  { TEXT("http"), TEXT(""), 0, TEXT("/"), false, TEXT("") },
	  NULL },
	{ "RFC 9110 4.2.1",
	  "bad path",
	  { TEXT("http"), TEXT("a"), 0, TEXT("x"), false, TEXT("") },
	  NULL },
};

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whole_rows); i++) {
		const struct whole_row *row = &whole_rows[i];
		char out[128];
		size_t len = 0;
		int rc = uri_normalise(&row->uri, out, sizeof(out), &len);

		ROW_NUMBER(row, "result", rc, row->want ? 0 : -EINVAL);
		if (rc < 0)
			continue;
		ROW_SPAN(row, "result", span_make(out, len), span_of(row->want));
		for (size_t small = 0; small < len; small++)
			assert_int_equal(uri_normalise(&row->uri, out, small, &len), -EMSGSIZE);
	}
}

static void test_parameters(void **state)
{
	struct span rest = SPAN("a=1&b&&c=&=d&e=f=g"), name, value;
	static const char *const want[][2] = { { "a", "1" }, { "b", NULL }, { "", NULL },
					       { "c", "" },  { "", "d" },   { "e", "f=g" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(uri_query_next(&rest, &name, &value));
		assert_true(span_eq(name, span_of(want[i][0])));
		assert_int_equal(value.p != NULL, want[i][1] != NULL);
		assert_true(span_eq(value, span_of(want[i][1])));
	}
	assert_false(uri_query_next(&rest, &name, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),	   cmocka_unit_test(test_queries),
		cmocka_unit_test(test_hosts),	   cmocka_unit_test(test_whole),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
