/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache-Control, Pragma and CDN-Cache-Control. A row's expectation is written as the directives
 * that must come out, in the table's order: "max-age=5 no-cache(a, b) no-store".
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/cachectl.h"

static const char *const names[CACHECTL_COUNT] = {
#define X(id, name, argument) [CACHECTL_##id] = name,
	CACHECTL_DIRECTIVES(X)
#undef X
};

static size_t put_seconds(char *at, const char *name, int64_t seconds)
{
	return (size_t)(seconds < 0 ? sprintf(at, "%s", name)
				    : sprintf(at, "%s=%lld", name, (long long)seconds));
}

static size_t put_fields(char *at, const char *name, struct span fields)
{
	return (size_t)(fields.p ? sprintf(at, "%s(%.*s)", name, SPAN_FMT(fields))
				 : sprintf(at, "%s", name));
}

static void print(const struct cachectl *cc, char *buf)
{
	const int64_t seconds[] = { cc->max_age,
				    cc->s_maxage,
				    cc->min_fresh,
				    cc->max_stale,
				    cc->stale_while_revalidate,
				    cc->stale_if_error };
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned d = 0; d < CACHECTL_COUNT; d++) {
		if (!cachectl_has(cc, d)) {
			if (d < ARRAY_LEN(seconds))
				assert_int_equal(seconds[d], -1);
			continue;
		}
		if (n > 0)
			buf[n++] = ' ';
		if (d < ARRAY_LEN(seconds))
			n += put_seconds(buf + n, names[d], seconds[d]);
		else if (d == CACHECTL_NO_CACHE)
			n += put_fields(buf + n, names[d], cc->no_cache_fields);
		else if (d == CACHECTL_PRIVATE)
			n += put_fields(buf + n, names[d], cc->private_fields);
		else
			n += (size_t)sprintf(buf + n, "%s", names[d]);
	}
}

struct cc_row {
	const char *rfc;
	const char *text;
	struct span in;
	const char *want;
	bool malformed;
};

static const struct cc_row rows[] = {
	{ "RFC 9111 5.2", "one", TEXT("max-age=60"), "max-age=60", false },
	{ "RFC 9111 5.2", "any case", TEXT("Max-AGE=60, NO-Store"), "max-age=60 no-store", false },
	{ "RFC 9111 5.2", "quoted where a token is usual", TEXT("max-age=\"60\""), "max-age=60",
	  false },
	{ "RFC 9111 5.2", "all without argument",
	  TEXT("no-cache, private, no-store, no-transform, only-if-cached, must-revalidate, "
	       "proxy-revalidate, must-understand, public, immutable"),
	  "no-cache private no-store no-transform only-if-cached must-revalidate proxy-revalidate "
	  "must-understand public immutable",
	  false },
	{ "RFC 9111 5.2", "all with seconds",
	  TEXT("max-age=1,s-maxage=2,min-fresh=3,max-stale=4,stale-while-revalidate=5,stale-if-"
	       "error=6"),
	  "max-age=1 s-maxage=2 min-fresh=3 max-stale=4 stale-while-revalidate=5 stale-if-error=6",
	  false },
	{ "RFC 9111 5.2.3", "unknown is ignored", TEXT("foo, bar=\"a, max-age=9\", max-age=1"),
	  "max-age=1", false },
	{ "RFC 9110 5.6.1", "empty elements", TEXT(" , ,max-age=1,, "), "max-age=1", false },
	{ "RFC 9111 5.2", "empty", TEXT(""), "", false },
	{ "RFC 9111 1.2.2", "overflow of 31 bits", TEXT("max-age=2147483649"), "max-age=2147483648",
	  false },
	{ "RFC 9111 1.2.2", "overflow of 64 bits", TEXT("max-age=99999999999999999999999"),
	  "max-age=2147483648", false },
	{ "RFC 9111 1.2.2", "leading zeros", TEXT("max-age=0000000000000000000000007"), "max-age=7",
	  false },
	{ "RFC 9111 4.2.1", "not a number is stale", TEXT("max-age=abc"), "max-age=0", true },
	{ "RFC 9111 4.2.1", "negative is stale", TEXT("max-age=-5"), "max-age=0", true },
	{ "RFC 9111 4.2.1", "fraction is stale", TEXT("max-age=1.5"), "max-age=0", true },
	{ "RFC 9111 4.2.1", "no argument is stale", TEXT("max-age"), "max-age=0", true },
	{ "RFC 9111 4.2.1", "empty argument is stale", TEXT("s-maxage="), "s-maxage=0", true },
	{ "RFC 9111 4.2.1", "number and text is stale", TEXT("max-age=5s"), "max-age=0", true },
	{ "RFC 9111 4.2.1", "smallest of several", TEXT("max-age=5, max-age=3, max-age=9"),
	  "max-age=3", false },
	{ "RFC 9111 5.2.1.3", "largest min-fresh", TEXT("min-fresh=5, min-fresh=9"), "min-fresh=9",
	  false },
	{ "RFC 9111 5.2.1.2", "max-stale without limit", TEXT("max-stale"), "max-stale", false },
	{ "RFC 9111 5.2.1.2", "max-stale with and without", TEXT("max-stale, max-stale=5"),
	  "max-stale=5", false },
	{ "RFC 9111 5.2.1.2", "other order", TEXT("max-stale=5, max-stale"), "max-stale=5", false },
	{ "RFC 9111 5.2.1.2", "max-stale with text", TEXT("max-stale=x"), "max-stale=0", true },
	{ "RFC 9111 5.2.2.4", "no-cache with fields", TEXT("no-cache=\"Set-Cookie, X\""),
	  "no-cache(Set-Cookie, X)", false },
	{ "RFC 9111 5.2.2.4", "as a token", TEXT("no-cache=Set-Cookie"), "no-cache(Set-Cookie)",
	  false },
	{ "RFC 9111 5.2.2.4", "with and without: without", TEXT("no-cache=\"a\", no-cache"),
	  "no-cache", false },
	{ "RFC 9111 5.2.2.4", "without and with: without", TEXT("no-cache, no-cache=\"a\""),
	  "no-cache", false },
	{ "RFC 9111 5.2.2.4", "two lists: without", TEXT("no-cache=\"a\", no-cache=\"b\""),
	  "no-cache", false },
	{ "RFC 9111 5.2.2.4", "empty list: without", TEXT("no-cache=\"\""), "no-cache", true },
	{ "RFC 9111 5.2.2.4", "not names: without", TEXT("no-cache=\"a b\""), "no-cache", true },
	{ "RFC 9111 5.2.2.4", "text behind the quotes: without", TEXT("no-cache=\"a\"b"),
	  "no-cache", true },
	{ "RFC 9111 5.2", "escapes hide nothing", TEXT("x=\"\\\", no-store, \", max-age=\"\\5\""),
	  "max-age=0", true },
	{ "RFC 9111 5.2.2.7", "private with fields", TEXT("private=\"a\""), "private(a)", false },
	{ "RFC 9111 5.2", "restrictive with an argument counts",
	  TEXT("no-store=1, must-revalidate=x"), "no-store must-revalidate", true },
	{ "RFC 9111 5.2", "permissive with an argument does not", TEXT("public=1, immutable=x"), "",
	  true },
	{ "RFC 9111 5.2", "space around '=': no number", TEXT("max-age = 5"), "max-age=0", true },
	{ "RFC 9111 5.2", "space around '=': it restricts", TEXT("no-cache = a"), "no-cache(a)",
	  true },
	{ "RFC 9111 5.2", "open quote hides nothing", TEXT("no-cache=\"a, no-store"),
	  "no-cache no-store", true },
	{ "RFC 9111 5.2", "semicolons", TEXT("max-age=5; no-store"), "max-age=0", true },
};

static void test_directives(void **state)
{
	(void)state;
	for (const struct cc_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		struct cachectl cc = cachectl_none();
		char *copy = exact_copy(row->in), got[512];

		cachectl_add(&cc, span_make(copy, row->in.n));
		print(&cc, got);
		ROW_SPAN(row, "result", span_of(got), span_of(row->want));
		ROW_NUMBER(row, "malformed", cc.malformed, row->malformed);
		test_free(copy);
	}
}

struct head_row {
	const char *rfc;
	const char *text;
	struct span head;
	bool from_cdn;
	const char *want;
};

#define Q "GET / HTTP/1.1\r\nHost: a\r\n"
#define R "HTTP/1.1 200 OK\r\n"

static const struct head_row head_rows[] = {
	{ "RFC 9110 5.3", "several lines",
	  TEXT(Q "Cache-Control: max-age=5\r\ncache-control: no-store\r\n\r\n"), false,
	  "max-age=5 no-store" },
	{ "RFC 9111 5.4", "Pragma alone", TEXT(Q "Pragma: x, No-Cache\r\n\r\n"), false,
	  "no-cache" },
	{ "RFC 9111 5.4", "Pragma beside Cache-Control",
	  TEXT(Q "Pragma: no-cache\r\nCache-Control: max-age=5\r\n\r\n"), false, "max-age=5" },
	{ "RFC 9111 5.4", "Pragma beside an empty Cache-Control",
	  TEXT(Q "Pragma: no-cache\r\nCache-Control:\r\n\r\n"), false, "" },
	{ "RFC 9111 5.4", "Pragma means nothing in a response", TEXT(R "Pragma: no-cache\r\n\r\n"),
	  false, "" },
	{ "RFC 9213 2.1", "targeted field wins",
	  TEXT(R "Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60\r\n\r\n"), true,
	  "max-age=60" },
	{ "RFC 9213 2.1", "several lines",
	  TEXT(R "CDN-Cache-Control: max-age=60\r\nCDN-Cache-Control: must-revalidate\r\n\r\n"),
	  true, "max-age=60 must-revalidate" },
	{ "RFC 9213 2.1", "empty: fall back",
	  TEXT(R "Cache-Control: no-store\r\nCDN-Cache-Control:\r\n\r\n"), false, "no-store" },
	{ "RFC 9213 2.1", "malformed: fall back",
	  TEXT(R "Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60,\r\n\r\n"), false,
	  "no-store" },
	{ "RFC 9213 2.1", "malformed on its second line: fall back",
	  TEXT(R "Cache-Control: no-store\r\nCDN-Cache-Control: max-age=60\r\nCDN-Cache-Control: "
		 "&\r\n\r\n"),
	  false, "no-store" },
	{ "RFC 8941 3.2", "keys are in lower case: fall back",
	  TEXT(R "Cache-Control: no-store\r\nCDN-Cache-Control: Max-Age=60\r\n\r\n"), false,
	  "no-store" },
	{ "RFC 9213 2.1", "not for requests", TEXT(Q "CDN-Cache-Control: no-store\r\n\r\n"), false,
	  "" },
};

static void test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(head_rows); i++) {
		const struct head_row *row = &head_rows[i];
		const struct http_head *h = head_of(row->head);
		struct cachectl cc =
			h->is_request ? cachectl_of_request(h) : cachectl_of_response(h);
		char got[512];

		print(&cc, got);
		ROW_SPAN(row, "result", span_of(got), span_of(row->want));
		ROW_NUMBER(row, "from_cdn", cc.from_cdn, row->from_cdn);
	}
}

/* Values of CDN-Cache-Control; NULL: no dictionary, so that Cache-Control: no-transform counts. */
struct targeted_row {
	const char *rfc;
	const char *text;
	const char *in;
	const char *want;
};

static const struct targeted_row targeted_rows[] = {
	{ "RFC 8941 3.2", "members", "max-age=60, s-maxage=5,no-store",
	  "max-age=60 s-maxage=5 no-store" },
	{ "RFC 8941 3.2", "the last of a key counts", "max-age=60, max-age=5, max-age=9",
	  "max-age=9" },
	{ "RFC 8941 3.2", "also if it says less", "no-store, no-store=?0", "" },
	{ "RFC 8941 3.2", "a list, then none", "no-cache=\"a\", no-cache=?1", "no-cache" },
	{ "RFC 8941 3.3.6", "booleans", "no-store=?1, public=?0", "no-store" },
	{ "RFC 8941 3.1.2", "parameters are stepped over", "max-age=60;a;b=1;c=\"x\", no-store;d",
	  "max-age=60 no-store" },
	{ "RFC 8941 3.1.1", "inner lists are stepped over", "foo=(a \"b\" 1;p=2  ?1);q, max-age=1",
	  "max-age=1" },
	{ "RFC 8941 3.3", "every type",
	  "a=1, b=1.5, c=\"x\\\"y\", d=tok/en:*, e=:YWJj:, f=?0, g=-7, max-age=3", "max-age=3" },
	{ "RFC 9213 2.1", "field list", "private=\"a, b\"", "private(a, b)" },
	{ "RFC 9213 2.1", "field list of the wrong type: all fields", "no-cache=5, private=(a b)",
	  "no-cache private" },
	{ "RFC 9213 2.1", "seconds of the wrong type", "max-age=\"60\"", "max-age=0" },
	{ "RFC 9213 2.1", "decimal seconds", "max-age=60.0", "max-age=0" },
	{ "RFC 9213 2.1", "negative seconds", "max-age=-1", "max-age=0" },
	{ "RFC 9213 2.1", "seconds without argument", "s-maxage", "s-maxage=0" },
	{ "RFC 9111 1.2.2", "many seconds", "max-age=999999999999999", "max-age=2147483648" },
	{ "RFC 9213 2.1", "max-stale as a boolean", "max-stale", "max-stale" },
	{ "RFC 8941 4.2.4", "16 digits", "max-age=9999999999999999", NULL },
	{ "RFC 8941 4.2.4", "no digit", "max-age=-", NULL },
	{ "RFC 8941 4.2.3.1", "no item", "a=,b", NULL },
	{ "RFC 8941 4.2.3.1", "not an item", "a=!", NULL },
	{ "RFC 8941 4.2.3.2", "parameter without its value", "a;b=", NULL },
	{ "RFC 8941 4.2.1.2", "bad parameter in an inner list", "a=(b;C)", NULL },
	{ "RFC 8941 4.2.1.2", "no space in an inner list", "a=(b\"c\")", NULL },
	{ "RFC 8941 4.2.4", "point at the end", "a=1.", NULL },
	{ "RFC 8941 4.2.4", "four digits behind the point", "a=1.2345", NULL },
	{ "RFC 8941 4.2.4", "13 digits before the point", "a=1234567890123.1", NULL },
	{ "RFC 8941 4.2.5", "open string", "a=\"b", NULL },
	{ "RFC 8941 4.2.5", "escape of a letter", "a=\"\\b\"", NULL },
	{ "RFC 8941 4.2.5", "escape at the end", "a=\"\\", NULL },
	{ "RFC 8941 4.2.5", "tab in a string", "a=\"\t\"", NULL },
	{ "RFC 8941 4.2.5", "obs-text in a string", "a=\"\xe4\"", NULL },
	{ "RFC 8941 4.2.7", "open bytes", "a=:YWJj", NULL },
	{ "RFC 8941 4.2.8", "boolean 2", "a=?2", NULL },
	{ "RFC 8941 4.2.1.2", "open inner list", "a=(b c", NULL },
	{ "RFC 8941 4.2.1.2", "comma in an inner list", "a=(b, c)", NULL },
	{ "RFC 8941 4.2.2", "no comma", "a b", NULL },
	{ "RFC 8941 4.2.2", "trailing comma", "a,", NULL },
	{ "RFC 8941 4.2.2", "leading comma", ",a", NULL },
	{ "RFC 8941 4.2.2", "two commas", "a,,b", NULL },
	{ "RFC 8941 4.2.2", "space around '='", "max-age = 5", NULL },
	{ "RFC 8941 4.2.2", "no value", "max-age=", NULL },
	{ "RFC 8941 4.2.3.3", "key with a digit first", "1a", NULL },
	{ "RFC 8941 4.2.3.2", "parameter without key", "a;=1", NULL },
};

static void test_targeted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targeted_rows); i++) {
		const struct targeted_row *row = &targeted_rows[i];
		char head[512], got[512];
		struct cachectl cc;

		snprintf(head, sizeof(head),
			 R "Cache-Control: no-transform\r\nCDN-Cache-Control: %s\r\n\r\n", row->in);
		cc = cachectl_of_response(head_of(span_of(head)));
		print(&cc, got);
		ROW_SPAN(row, "result", span_of(got),
			 span_of(row->want ? row->want : "no-transform"));
		ROW_NUMBER(row, "from_cdn", cc.from_cdn, row->want != NULL);
	}
}

static void test_field_lists(void **state)
{
	(void)state;
	assert_true(cachectl_names_field(SPAN("a, Set-Cookie ,b"), SPAN("set-cookie")));
	assert_false(cachectl_names_field(SPAN("a, Set-Cookie2"), SPAN("set-cookie")));
	assert_false(cachectl_names_field(SPAN(""), SPAN("a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directives),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_targeted),
		cmocka_unit_test(test_field_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
