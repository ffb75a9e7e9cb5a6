/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Range, Content-Range and If-Range (RFC 9110 13.1.5, 14).
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/range.h"

#define NO  RANGE_UNSATISFIABLE
#define YES RANGE_SATISFIABLE
#define IGN RANGE_IGNORE

struct range_row {
	const char *rfc;
	const char *text;
	struct span in;
	uint64_t complete;
	enum range_verdict want;
	const char *set; /* "first-last first-last" */
};

static const struct range_row rows[] = {
	{ "RFC 9110 14.1.2", "first 500 bytes", TEXT("bytes=0-499"), 10000, YES, "0-499" },
	{ "RFC 9110 14.1.2", "one byte", TEXT("bytes=0-0"), 10000, YES, "0-0" },
	{ "RFC 9110 14.1.2", "last 500 bytes", TEXT("bytes=-500"), 10000, YES, "9500-9999" },
	{ "RFC 9110 14.1.2", "open end", TEXT("bytes=9500-"), 10000, YES, "9500-9999" },
	{ "RFC 9110 14.1.2", "end behind the end", TEXT("bytes=9500-20000"), 10000, YES,
	  "9500-9999" },
	{ "RFC 9110 14.1.2", "suffix longer than all", TEXT("bytes=-20000"), 10000, YES, "0-9999" },
	{ "RFC 9110 14.1.2", "first and last byte", TEXT("bytes=0-0,-1"), 10000, YES,
	  "0-0 9999-9999" },
	{ "RFC 9110 14.1.2", "order is kept", TEXT("bytes=500-600, 0-1"), 10000, YES,
	  "500-600 0-1" },
	{ "RFC 9110 14.1.1", "unsatisfiable ones are left out", TEXT("bytes=20000-,5-6"), 10000,
	  YES, "5-6" },
	{ "RFC 9110 14.1.1", "none is satisfiable", TEXT("bytes=10000-,20000-30000"), 10000, NO,
	  "" },
	{ "RFC 9110 14.1.1", "suffix of 0", TEXT("bytes=-0"), 10000, NO, "" },
	{ "RFC 9110 14.1.1", "of an empty representation", TEXT("bytes=0-"), 0, NO, "" },
	{ "RFC 9110 14.1.1", "last byte of an empty representation", TEXT("bytes=-1"), 0, IGN, "" },
	{ "RFC 9110 14.1", "unit in another case", TEXT("BYTES=0-1"), 10, YES, "0-1" },
	{ "RFC 9110 5.6.1", "empty elements", TEXT("bytes=,0-1 ,\t, 4-5,"), 10, YES, "0-1 4-5" },
	{ "RFC 9110 15.3.7.2", "overlapping are joined", TEXT("bytes=5-9,0-6"), 100, YES, "0-9" },
	{ "RFC 9110 15.3.7.2", "touching are joined", TEXT("bytes=0-4,5-9"), 100, YES, "0-9" },
	{ "RFC 9110 15.3.7.2", "not touching are not", TEXT("bytes=0-4,6-9"), 100, YES, "0-4 6-9" },
	{ "RFC 9110 15.3.7.2", "joined by a third", TEXT("bytes=0-4,10-14,4-10"), 100, YES,
	  "0-14" },
	{ "RFC 9110 15.3.7.2", "the joined stands first", TEXT("bytes=50-59,0-4,20-24,60-61"), 100,
	  YES, "50-61 0-4 20-24" },
	{ "RFC 9110 14.2", "sixteen",
	  TEXT("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,"
	       "22-22,24-24,26-26,28-28,30-30"),
	  100, YES,
	  "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 26-26 28-28 30-30" },
	{ "RFC 9110 14.2", "seventeen",
	  TEXT("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,"
	       "22-22,24-24,26-26,28-28,30-30,32-32"),
	  100, IGN, "" },
	{ "RFC 9110 14.1.2", "64 bits", TEXT("bytes=18446744073709551614-18446744073709551615"),
	  UINT64_MAX - 1, NO, "" },
	{ "RFC 9110 14.1.2", "more than 64 bits", TEXT("bytes=0-99999999999999999999999"), 10, YES,
	  "0-9" },
	{ "RFC 9110 14.1.2", "first of more than 64 bits", TEXT("bytes=99999999999999999999999-"),
	  10, NO, "" },
	{ "RFC 9110 14.1.2", "suffix of more than 64 bits", TEXT("bytes=-99999999999999999999999"),
	  10, YES, "0-9" },
	{ "RFC 9110 14.2", "another unit", TEXT("items=0-1"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "last before first", TEXT("bytes=5-4"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "one bad among good", TEXT("bytes=0-1,x"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "no range", TEXT("bytes="), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "commas only", TEXT("bytes=,,"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "a dash only", TEXT("bytes=-"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "no dash", TEXT("bytes=5"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "two dashes", TEXT("bytes=1--2"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "sign", TEXT("bytes=+1-2"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "space inside", TEXT("bytes=1 -2"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "space around '='", TEXT("bytes = 1-2"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "no '='", TEXT("bytes"), 10, IGN, "" },
	{ "RFC 9110 14.1.1", "empty", TEXT(""), 10, IGN, "" },
};

static void set_print(const struct range_set *set, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < set->n; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%llu-%llu", i ? " " : "",
				      (unsigned long long)set->range[i].first,
				      (unsigned long long)set->range[i].last);
}

static void test_range(void **state)
{
	(void)state;
	for (const struct range_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		char *copy = exact_copy(row->in), text[512];
		struct range_set set = { .n = 0 };

		ROW_NUMBER(row, "verdict",
			   http_range_apply(span_make(copy, row->in.n), row->complete, &set),
			   row->want);
		set_print(&set, text, sizeof(text));
		ROW_SPAN(row, "set", span_of(text), span_of(row->set));
		test_free(copy);
	}
}

/* Every set of three small ranges: what comes out is disjoint and covers the same bytes. */
static void test_join_keeps_every_byte(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1 << 18; bits += 7) {
		struct range_specs specs = { .n = 0 };
		unsigned want = 0, got = 0;
		struct range_set set;

		for (unsigned i = 0; i < 3; i++) {
			unsigned a = bits >> (6 * i) & 7, b = bits >> (6 * i + 3) & 7;

			if (a > b)
				continue;
			specs.spec[specs.n++] = (struct range_spec){ .first = a, .last = b };
			want |= (2u << b) - (1u << a);
		}
		if (specs.n == 0)
			continue;
		assert_int_equal(http_range_resolve(&specs, 8, &set), RANGE_SATISFIABLE);
		for (unsigned i = 0; i < set.n; i++) {
			unsigned mask = (2u << set.range[i].last) - (1u << set.range[i].first);

			assert_int_equal(got & mask, 0);
			got |= mask;
		}
		assert_int_equal(got, want);
	}
}

struct request_row {
	const char *rfc;
	const char *text;
	struct span head;
	int want;
};

static const struct request_row request_rows[] = {
	{ "RFC 9110 14.2", "GET", TEXT("GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n"), 0 },
	{ "RFC 9110 14.2", "none", TEXT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), -ENOENT },
	{ "RFC 9110 14.2", "HEAD", TEXT("HEAD / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n"),
	  -EINVAL },
	{ "RFC 9110 14.2", "two lines",
	  TEXT("GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\nRange: bytes=1-\r\n\r\n"),
	  -EINVAL },
};

static void test_range_of_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(request_rows); i++) {
		struct range_specs specs;

		ROW_NUMBER(&request_rows[i], "result",
			   http_range_of(head_of(request_rows[i].head), &specs),
			   request_rows[i].want);
	}
}

struct content_row {
	const char *rfc;
	const char *text;
	struct span in;
	int want;
	struct content_range cr;
};

static const struct content_row content_rows[] = {
	{ "RFC 9110 14.4", "first 500", TEXT("bytes 0-499/1234"), 0, { false, { 0, 499 }, 1234 } },
	{ "RFC 9110 14.4",
	  "unknown length",
	  TEXT("bytes 42-1233/*"),
	  0,
	  { false, { 42, 1233 }, RANGE_UNKNOWN } },
	{ "RFC 9110 14.4", "unsatisfied", TEXT("bytes */1234"), 0, { true, { 0, 0 }, 1234 } },
	{ "RFC 9110 14.4",
	  "last byte",
	  TEXT("bytes 1233-1233/1234"),
	  0,
	  { false, { 1233, 1233 }, 1234 } },
#define BROKEN(what, value)                                                                        \
	{                                                                                          \
		"RFC 9110 14.4", what, TEXT(value), -EINVAL,                                       \
		{                                                                                  \
			false, { 0, 0 }, 0                                                         \
		}                                                                                  \
	}
	BROKEN("last before first", "bytes 5-4/10"),
	BROKEN("complete equals last", "bytes 0-10/10"),
	BROKEN("complete below last", "bytes 0-10/5"),
	BROKEN("neither known", "bytes */*"),
	BROKEN("no complete", "bytes 0-1"),
	BROKEN("no complete behind the slash", "bytes 0-1/"),
	BROKEN("another unit", "items 0-1/2"),
	BROKEN("'=' for the space", "bytes=0-1/2"),
	BROKEN("two spaces", "bytes  0-1/2"),
	BROKEN("open end", "bytes 0-/2"),
	BROKEN("more than 64 bits", "bytes 0-99999999999999999999/*"),
	BROKEN("largest position", "bytes 0-18446744073709551615/*"),
	BROKEN("sign", "bytes +0-1/2"),
	BROKEN("empty", ""),
};

static void test_content_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(content_rows); i++) {
		const struct content_row *row = &content_rows[i];
		char *copy = exact_copy(row->in), printed[HTTP_CONTENT_RANGE_MAX];
		struct content_range cr;
		int rc = http_content_range_parse(span_make(copy, row->in.n), &cr);

		ROW_NUMBER(row, "result", rc, row->want);
		if (rc == 0) {
			ROW_NUMBER(row, "unsatisfied", cr.unsatisfied, row->cr.unsatisfied);
			ROW_NUMBER(row, "first", cr.range.first, row->cr.range.first);
			ROW_NUMBER(row, "last", cr.range.last, row->cr.range.last);
			ROW_NUMBER(row, "complete", cr.complete, row->cr.complete);
			ROW_SPAN(row, "printed",
				 span_make(printed, http_content_range_print(&cr, printed)),
				 row->in);
		}
		test_free(copy);
	}
}

struct if_range_row {
	const char *rfc;
	const char *text;
	struct span in;
	struct span etag;
	bool weak;
	bool date_is_strong;
	bool want;
};

#define D "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct if_range_row if_range_rows[] = {
	{ "RFC 9110 13.1.5", "same tag", TEXT("\"a\""), TEXT("\"a\""), false, true, true },
	{ "RFC 9110 13.1.5", "another tag", TEXT("\"b\""), TEXT("\"a\""), false, true, false },
	{ "RFC 9110 13.1.5", "weak in the request", TEXT("W/\"a\""), TEXT("\"a\""), false, true,
	  false },
	{ "RFC 9110 13.1.5", "weak in the response", TEXT("\"a\""), TEXT("\"a\""), true, true,
	  false },
	{ "RFC 9110 13.1.5", "same date", TEXT(D), TEXT(""), false, true, true },
	{ "RFC 9110 13.1.5", "same date, but weak", TEXT(D), TEXT(""), false, false, false },
	{ "RFC 9110 13.1.5", "later date", TEXT("Sun, 06 Nov 1994 08:49:38 GMT"), TEXT(""), false,
	  true, false },
	{ "RFC 9110 13.1.5", "earlier date", TEXT("Sun, 06 Nov 1994 08:49:36 GMT"), TEXT(""), false,
	  true, false },
	{ "RFC 9110 13.1.5", "neither", TEXT("a"), TEXT("\"a\""), false, true, false },
	{ "RFC 9110 13.1.5", "empty", TEXT(""), TEXT("\"a\""), false, true, false },
};

static void test_if_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(if_range_rows); i++) {
		const struct if_range_row *row = &if_range_rows[i];
		struct validators v = { .has_last_modified = true,
					.last_modified = 784111777,
					.date_is_strong = row->date_is_strong };

		if (row->etag.n > 0)
			v.etag = (struct etag){ row->etag, row->weak };
		ROW_NUMBER(row, "match", http_if_range_matches(row->in, &v, 1000000000), row->want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_join_keeps_every_byte),
		cmocka_unit_test(test_range_of_request),
		cmocka_unit_test(test_content_range),
		cmocka_unit_test(test_if_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
