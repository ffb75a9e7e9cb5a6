/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device gets of a stored response: RFC 9110 8.8, 13.1, 13.2.2, 14, 15.3.7, 15.4.5, 15.5.17;
 * RFC 9111 4.3.2. `resp` is stored; its body has 1000 bytes, unless `length` says otherwise.
 */
#include "tests/unit/proxy/policy_table.h"

struct conditional {
	const char *sentence;
	const char *resp;
	const char *req;
	const char *expect; /* 200, 206 first-last,..., 304, 416; the reason */
	const char *what;   /* NULL: GET */
	int64_t length;	    /* 0: 1000, -1: unknown, -2: 0 */
	unsigned status;
};

#define FRESH  "Cache-Control: max-age=60\n"
#define TAGGED FRESH "ETag: \"a\"\n"
#define WEAK   FRESH "ETag: W/\"a\"\n"
#define DATED  FRESH "Last-Modified: {-5000}\n"
#define BOTH   TAGGED "Last-Modified: {-5000}\n"

static const struct conditional tag_rows[] = {
	{ "RFC 9110 13.1.2: a matching tag: 304", TAGGED, "If-None-Match: \"a\"\n",
	  "304 client-validated" },
	{ "RFC 9110 13.1.2: another tag: 200", TAGGED, "If-None-Match: \"b\"\n", "200 whole" },
	{ "RFC 9110 13.1.2: a list with the tag: 304", TAGGED,
	  "If-None-Match: \"b\", \"a\", \"c\"\n", "304" },
	{ "RFC 9110 13.1.2: a list without white space: 304", TAGGED,
	  "If-None-Match: \"b\",\"a\"\n", "304" },
	{ "RFC 9110 13.1.2: a list in several lines: 304", TAGGED,
	  "If-None-Match: \"b\"\nIf-None-Match: \"a\"\n", "304" },
	{ "RFC 9110 5.6.1: a list with empty elements: 304", TAGGED,
	  "If-None-Match: , \"b\",, \"a\",\n", "304" },
	{ "RFC 9110 13.1.2: a list without the tag: 200", TAGGED, "If-None-Match: \"b\", \"c\"\n",
	  "200" },
	{ "RFC 9110 8.8.3: a comma inside a tag does not end it", FRESH "ETag: \"a,b\"\n",
	  "If-None-Match: \"x\", \"a,b\"\n", "304" },
	{ "RFC 9110 8.8.3: ... and its parts are not tags", FRESH "ETag: \"a\"\n",
	  "If-None-Match: \"x,\"a\"\n", "200" },
	{ "RFC 9110 13.1.2: * matches whatever is stored", TAGGED, "If-None-Match: *\n", "304" },
	{ "RFC 9110 13.1.2: * matches what has no tag", DATED, "If-None-Match: *\n", "304" },
	{ "RFC 9110 13.1.2: a quoted asterisk is a tag", TAGGED, "If-None-Match: \"*\"\n", "200" },
	{ "RFC 9110 8.8.3.2: the comparison is weak: weak stored, strong asked", WEAK,
	  "If-None-Match: \"a\"\n", "304" },
	{ "RFC 9110 8.8.3.2: the comparison is weak: strong stored, weak asked", TAGGED,
	  "If-None-Match: W/\"a\"\n", "304" },
	{ "RFC 9110 8.8.3.2: the comparison is weak: both weak", WEAK, "If-None-Match: W/\"a\"\n",
	  "304" },
	{ "RFC 9110 8.8.3.2: weak and different: 200", WEAK, "If-None-Match: W/\"b\"\n", "200" },
	{ "RFC 9110 8.8.3: tags have case", TAGGED, "If-None-Match: \"A\"\n", "200" },
	{ "RFC 9110 8.8.3: W/ has case", WEAK, "If-None-Match: w/\"a\"\n", "200" },
	{ "RFC 9110 8.8.3: without quotes it is no tag", TAGGED, "If-None-Match: a\n", "200" },
	{ "RFC 9110 8.8.3: an empty tag is a tag", FRESH "ETag: \"\"\n", "If-None-Match: \"\"\n",
	  "304" },
	{ "RFC 9110 8.8.3: without quotes on both sides, the same octets", FRESH "ETag: a\n",
	  "If-None-Match: a\n", "304" },
	{ "RFC 9110 8.8.3: without quotes, others", FRESH "ETag: a\n", "If-None-Match: b\n",
	  "200" },
	{ "RFC 9110 8.8.3: without quotes on one side", FRESH "ETag: a\n", "If-None-Match: \"a\"\n",
	  "200" },
	{ "RFC 9110 13.1.2: a tag does not match what has none", DATED, "If-None-Match: \"a\"\n",
	  "200" },
	{ "RFC 9110 13.1.2: HEAD, too", TAGGED, "If-None-Match: \"a\"\n", "304", "HEAD" },
	{ "RFC 9111 4.3.2: a stored 404 has no conditions evaluated", TAGGED,
	  "If-None-Match: \"a\"\n", "200", NULL, 0, 404 },
	{ "RFC 9111 4.3.2: a stored redirect has no conditions evaluated", TAGGED,
	  "If-None-Match: *\n", "200", NULL, 0, 301 },
};

static const struct conditional date_rows[] = {
	{ "RFC 9110 8.8: without validator nothing is the same: 200", FRESH,
	  "If-None-Match: \"a\"\n", "200 whole" },
	{ "RFC 9110 8.8.1: a weak tag is no ground for a part: the whole", FRESH "ETag: W/\"a\"\n",
	  "Range: bytes=0-1\nIf-Range: W/\"a\"\n", "200 if-range" },
	{ "RFC 9110 8.8.2: the stored Last-Modified is a validator: 304", DATED,
	  "If-Modified-Since: {-5000}\n", "304" },
	{ "RFC 9110 13.2.1: an answer that is no success is given whatever the condition", TAGGED,
	  "If-None-Match: \"a\"\n", "200 whole", NULL, 0, 404 },
	{ "RFC 9110 13.1.3: the same date: 304", DATED, "If-Modified-Since: {-5000}\n", "304" },
	{ "RFC 9110 13.1.3: a later date: 304", DATED, "If-Modified-Since: {-4999}\n", "304" },
	{ "RFC 9110 13.1.3: an earlier date: 200", DATED, "If-Modified-Since: {-5001}\n", "200" },
	{ "RFC 9110 13.1.3: a date in the future: 304", DATED, "If-Modified-Since: {5000}\n",
	  "304" },
	{ "RFC 9110 13.1.3: an invalid date is ignored", DATED, "If-Modified-Since: soon\n",
	  "200" },
	{ "RFC 9110 13.1.3: 0 is no date", DATED, "If-Modified-Since: 0\n", "200" },
	{ "RFC 9110 13.1.3: two lines are no date", DATED,
	  "If-Modified-Since: {-5000}\nIf-Modified-Since: {-5000}\n", "200" },
	{ "RFC 9110 5.6.7: the form of RFC 850 is read", DATED,
	  "If-Modified-Since: Tuesday, 14-Nov-23 22:13:20 GMT\n", "304" },
	{ "RFC 9110 5.6.7: the form of asctime is read", DATED,
	  "If-Modified-Since: Tue Nov 14 22:13:20 2023\n", "304" },
	{ "RFC 9111 4.3.2: without Last-Modified, Date takes its place (same)",
	  TAGGED "Date: {-50}\n", "If-Modified-Since: {-50}\n", "304" },
	{ "RFC 9111 4.3.2: without Last-Modified, Date takes its place (earlier)",
	  TAGGED "Date: {-50}\n", "If-Modified-Since: {-51}\n", "200" },
	{ "RFC 9111 4.3.2: without Date either, the time of receipt", TAGGED,
	  "If-Modified-Since: {0}\n", "304" },
	{ "RFC 9111 4.3.2: without Date either, before the time of receipt", TAGGED,
	  "If-Modified-Since: {-1}\n", "200" },
	{ "RFC 9110 13.1.3: HEAD, too", DATED, "If-Modified-Since: {-5000}\n", "304", "HEAD" },
	{ "RFC 9110 13.2.2: If-None-Match goes before If-Modified-Since (no match)", BOTH,
	  "If-None-Match: \"b\"\nIf-Modified-Since: {-5000}\n", "200" },
	{ "RFC 9110 13.2.2: If-None-Match goes before If-Modified-Since (match)", BOTH,
	  "If-None-Match: \"a\"\nIf-Modified-Since: {-9000}\n", "304" },
	{ "RFC 9110 13.1.3: ... even if it can't be read", BOTH,
	  "If-None-Match: a\nIf-Modified-Since: {-5000}\n", "200" },
	{ "RFC 9111 4.3.2: a stored 404 has no dates evaluated", DATED,
	  "If-Modified-Since: {-5000}\n", "200", NULL, 0, 404 },
};

static const struct conditional range_rows[] = {
	{ "RFC 9110 14.3: what the origin does with ranges is nothing to what is stored",
	  TAGGED "Accept-Ranges: none\n", "Range: bytes=0-499\n", "206 0-499 range" },
	/* 14.1.2, 14.2 */
	{ "RFC 9110 14.2: a range: 206", TAGGED, "Range: bytes=0-499\n", "206 0-499 range" },
	{ "RFC 9110 14.1.2: both ends are included", TAGGED, "Range: bytes=5-5\n", "206 5-5 " },
	{ "RFC 9110 14.1.2: an open end is the end", TAGGED, "Range: bytes=500-\n",
	  "206 500-999 " },
	{ "RFC 9110 14.1.2: an end behind the end is the end", TAGGED, "Range: bytes=500-5000\n",
	  "206 500-999 " },
	{ "RFC 9110 14.1.2: a suffix is the last bytes", TAGGED, "Range: bytes=-100\n",
	  "206 900-999 " },
	{ "RFC 9110 14.1.2: a suffix longer than all is all", TAGGED, "Range: bytes=-5000\n",
	  "206 0-999 " },
	{ "RFC 9110 14.2: from the first byte on is a range as well", TAGGED, "Range: bytes=0-\n",
	  "206 0-999 " },
	{ "RFC 9110 14.1.2: the last byte alone", TAGGED, "Range: bytes=999-\n", "206 999-999 " },
	{ "RFC 9110 14.1.2: two ranges", TAGGED, "Range: bytes=0-1,10-11\n", "206 0-1,10-11 " },
	{ "RFC 9110 14.1.2: in the order of the request", TAGGED, "Range: bytes=10-11,0-1\n",
	  "206 10-11,0-1 " },
	{ "RFC 9110 14.1.2: white space and empty elements", TAGGED,
	  "Range: bytes= 0-1 , , 10-11\n", "206 0-1,10-11 " },
	{ "RFC 9110 15.3.7.2: overlapping ranges may be joined", TAGGED, "Range: bytes=0-10,5-20\n",
	  "206 0-20 " },
	{ "RFC 9110 14.2: of several the unsatisfiable are left out", TAGGED,
	  "Range: bytes=0-1,5000-\n", "206 0-1 " },
	{ "RFC 9110 15.5.17: behind the end: 416", TAGGED, "Range: bytes=1000-\n",
	  "416 range-unsatisfiable" },
	{ "RFC 9110 15.5.17: a suffix of nothing: 416", TAGGED, "Range: bytes=-0\n", "416" },
	{ "RFC 9110 15.5.17: none of several: 416", TAGGED, "Range: bytes=1000-,2000-\n", "416" },
	{ "RFC 9110 15.5.17: of an empty resource from its first byte: 416", TAGGED,
	  "Range: bytes=0-\n", "416", NULL, -2 },
	{ "RFC 9110 14.2: the unit has no case", TAGGED, "Range: Bytes=0-1\n", "206 0-1 " },
	{ "RFC 9110 14.2: an unknown unit: 200", TAGGED, "Range: lines=0-1\n", "200" },
	{ "RFC 9110 14.2: what can't be read: 200", TAGGED, "Range: bytes=a-b\n", "200" },
	{ "RFC 9110 14.1.1: an end before the beginning is invalid: 200", TAGGED,
	  "Range: bytes=5-4\n", "200" },
	{ "RFC 9110 14.1.1: nothing on both sides is invalid: 200", TAGGED, "Range: bytes=-\n",
	  "200" },
	{ "RFC 9110 14.1.1: no range at all is invalid: 200", TAGGED, "Range: bytes=\n", "200" },
	{ "RFC 9110 14.1.1: one invalid makes all invalid: 200", TAGGED, "Range: bytes=0-1,x\n",
	  "200" },
	{ "RFC 9110 14.1.2: numbers beyond 2^64 are large: 416", TAGGED,
	  "Range: bytes=99999999999999999999-\n", "416" },
	{ "RFC 9110 14.2: two Range lines: 200", TAGGED, "Range: bytes=0-1\nRange: bytes=5-6\n",
	  "200" },
	{ "RFC 9110 14.2: a Range in HEAD is ignored", TAGGED, "Range: bytes=0-1\n", "200",
	  "HEAD" },
	{ "RFC 9110 17.15: very many ranges are ignored", TAGGED,
	  "Range: bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,"
	  "28-28,30-30,32-32,34-34,36-36\n",
	  "200" },
	{ "RFC 9110 14.2: only a 200 is given in parts", TAGGED, "Range: bytes=0-1\n", "200", NULL,
	  0, 404 },
	{ "RFC 9110 14.2: without any validator, too", FRESH, "Range: bytes=0-1\n", "206 0-1 " },
	{ "RFC 9110 14.4: what came as 200 with a Content-Range is given whole",
	  TAGGED "Content-Range: bytes 0-1/5\n", "Range: bytes=0-1\n", "200" },

	/* length unknown: a flight that has just begun */
	{ "RFC 9110 14.4: length unknown: a range from a first byte on can be given", TAGGED,
	  "Range: bytes=5-9\n", "206 5-9 ", NULL, -1 },
	{ "RFC 9110 14.4: length unknown: an open end stays open", TAGGED, "Range: bytes=5-\n",
	  "206 5-open ", NULL, -1 },
	{ "RFC 9110 14.4: length unknown: a suffix can't be known: 200", TAGGED,
	  "Range: bytes=-5\n", "200", NULL, -1 },
	{ "RFC 9110 14.4: length unknown: several: 200", TAGGED, "Range: bytes=0-1,5-6\n", "200",
	  NULL, -1 },

	/* 13.2.2 */
	{ "RFC 9110 13.2.2: If-None-Match goes before Range (match)", TAGGED,
	  "Range: bytes=0-1\nIf-None-Match: \"a\"\n", "304" },
	{ "RFC 9110 13.2.2: If-None-Match goes before Range (no match)", TAGGED,
	  "Range: bytes=0-1\nIf-None-Match: \"b\"\n", "206 0-1 " },
	{ "RFC 9110 13.2.2: If-Modified-Since goes before Range", DATED,
	  "Range: bytes=0-1\nIf-Modified-Since: {-5000}\n", "304" },

	/* 13.1.5: If-Range */
	{ "RFC 9110 13.1.5: If-Range with the strong tag: 206", TAGGED,
	  "Range: bytes=0-1\nIf-Range: \"a\"\n", "206 0-1 " },
	{ "RFC 9110 13.1.5: If-Range with another tag: 200", TAGGED,
	  "Range: bytes=0-1\nIf-Range: \"b\"\n", "200 if-range" },
	{ "RFC 9110 13.1.5: weak tags never match (asked)", TAGGED,
	  "Range: bytes=0-1\nIf-Range: W/\"a\"\n", "200 if-range" },
	{ "RFC 9110 13.1.5: weak tags never match (stored)", WEAK,
	  "Range: bytes=0-1\nIf-Range: \"a\"\n", "200 if-range" },
	{ "RFC 9110 13.1.5: weak tags never match (both)", WEAK,
	  "Range: bytes=0-1\nIf-Range: W/\"a\"\n", "200 if-range" },
	{ "RFC 9110 13.1.5: If-Range with the exact date: 206", DATED,
	  "Range: bytes=0-1\nIf-Range: {-5000}\n", "206 0-1 " },
	{ "RFC 9110 13.1.5: a later date is not exact: 200", DATED,
	  "Range: bytes=0-1\nIf-Range: {-4999}\n", "200 if-range" },
	{ "RFC 9110 13.1.5: an earlier date is not exact: 200", DATED,
	  "Range: bytes=0-1\nIf-Range: {-5001}\n", "200 if-range" },
	{ "RFC 9110 8.8.2.2: a date next to Date is weak: 200", FRESH "Last-Modified: {-30}\n",
	  "Range: bytes=0-1\nIf-Range: {-30}\n", "200 if-range" },
	{ "RFC 9110 13.1.5: a tag does not match what has none", DATED,
	  "Range: bytes=0-1\nIf-Range: \"a\"\n", "200 if-range" },
	{ "RFC 9110 13.1.5: a date does not match what has none", TAGGED,
	  "Range: bytes=0-1\nIf-Range: {-5000}\n", "200 if-range" },
	{ "RFC 9110 13.1.5: what can't be read does not match", TAGGED,
	  "Range: bytes=0-1\nIf-Range: a\n", "200 if-range" },
	{ "RFC 9110 13.1.5: a list is no validator", TAGGED,
	  "Range: bytes=0-1\nIf-Range: \"a\", \"b\"\n", "200 if-range" },
	{ "RFC 9110 13.1.5: * is no validator", TAGGED, "Range: bytes=0-1\nIf-Range: *\n",
	  "200 if-range" },
	{ "RFC 9110 13.1.5: without Range it is ignored", TAGGED, "If-Range: \"b\"\n",
	  "200 whole" },
	{ "RFC 9110 13.1.5: it does not make a range satisfiable", TAGGED,
	  "Range: bytes=1000-\nIf-Range: \"a\"\n", "416" },
	{ "RFC 9110 13.1.5: it goes before the range's being satisfiable", TAGGED,
	  "Range: bytes=1000-\nIf-Range: \"b\"\n", "200 if-range" },
};

static const char *const kinds[] = { "200", "304", "206", "416" };

static void conditional_run(void **state)
{
	static struct exchange x;
	static struct message again;
	const struct conditional *row = *state;
	struct policy_answer a;
	struct text got = { 0 };

	exchange_run(&x, NULL, NULL, NULL, row->status, row->resp);
	assert_true(x.stored.store);
	policy_answer(make_request(&again, row->what, row->req), &x.stored.object,
		      row->length == 0	  ? 1000
		      : row->length == -2 ? 0
					  : row->length,
		      T0, &a);
	say(&got, "%s", kinds[a.kind]);
	for (unsigned i = 0; a.kind == POLICY_ANSWER_PARTIAL && i < a.ranges.n; i++) {
		const struct byte_range *r = &a.ranges.range[i];

		say(&got, "%c%llu-", i ? ',' : ' ', (unsigned long long)r->first);
		if (r->last == RANGE_UNKNOWN)
			say(&got, "open");
		else
			say(&got, "%llu", (unsigned long long)r->last);
	}
	say(&got, " %s", policy_reason_info(a.reason)->token);
	expect_text(&got, row->expect);
}

/* ---- the fields of a 304 --------------------------------------------------------------------------- */

struct fields304 {
	const char *sentence;
	const char *resp;
	const char *expect;
};

static const struct fields304 fields304_rows[] = {
#define SENT(name, value)                                                                          \
	{                                                                                          \
		"RFC 9110 15.4.5: a 304 has " name, TAGGED name ": " value "\n",                   \
			name ": " value "\n"                                                       \
	}
#define NOT_SENT(name, value)                                                                      \
	{                                                                                          \
		"RFC 9110 15.4.5: a 304 has no " name ", the device has it",                       \
			TAGGED name ": " value "\n", "!" name                                      \
	}
	{ "RFC 9110 15.4.5: a 304 has ETag", TAGGED, "ETag: \"a\"\n" },
	{ "RFC 9110 15.4.5: a 304 has Cache-Control", TAGGED, "Cache-Control: max-age=60\n" },
	{ "RFC 9110 15.4.5: a 304 has Date", TAGGED, "Date: {0}\n" },
	SENT("Expires", "{60}"),
	SENT("Content-Location", "/b"),
	SENT("Vary", "Accept"),
	SENT("CDN-Cache-Control", "max-age=3"),
	NOT_SENT("Content-Type", "text/plain"),
	NOT_SENT("Content-Encoding", "gzip"),
	NOT_SENT("Content-Language", "en"),
	NOT_SENT("Content-Length", "1000"),
	NOT_SENT("X-Other", "1"),
	NOT_SENT("Last-Modified", "{-5000}"),
	{ "RFC 9110 15.4.5: a 304 has Last-Modified where there is no tag", DATED,
	  "Last-Modified: {-5000}\n" },
};

static void fields304_run(void **state)
{
	static struct exchange x;
	static char buf[POLICY_HEAD_MAX];
	const struct fields304 *row = *state;
	struct text got = { 0 };
	size_t n;

	exchange_run(&x, NULL, NULL, NULL, 200, row->resp);
	assert_int_equal(policy_fields_304(&x.stored.object, buf, sizeof(buf), &n), 0);
	say(&got, "%.*s", (int)n, buf);
	expect_text(&got, row->expect);
	assert_int_equal(policy_fields_304(&x.stored.object, buf, n - 1, &n), -EMSGSIZE);
}

int main(void)
{
	static struct tables all;

	TABLE(&all, tag_rows, conditional_run);
	TABLE(&all, date_rows, conditional_run);
	TABLE(&all, range_rows, conditional_run);
	TABLE(&all, fields304_rows, fields304_run);
	return tables_run("policy_conditional", &all);
}
