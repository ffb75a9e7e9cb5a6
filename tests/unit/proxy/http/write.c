/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads that we write: what is copied and what is not, and that nothing bad or too long gets out.
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/write.h"

#include <stdlib.h>

static char buf[4096];

static struct span ended(struct head_out *o)
{
	assert_int_equal(head_out_end(o), 0);
	return span_make(o->buf, o->len);
}

#define ASSERT_TEXT(got, want)                                                                     \
	do {                                                                                       \
		struct span got_ = (got);                                                          \
		if (!span_eq(got_, span_of(want)))                                                 \
			fail_msg("got:\n%.*s\nwanted:\n%s", SPAN_FMT(got_), want);                 \
	} while (0)

static void test_lines(void **state)
{
	struct head_out o = head_out_init(buf, sizeof(buf));

	(void)state;
	head_out_status(&o, 206, SPAN(""));
	head_out_field(&o, SPAN("X-Own"), SPAN(""));
	head_out_number(&o, HTTP_FIELD_CONTENT_LENGTH, 0);
	head_out_number(&o, HTTP_FIELD_AGE, UINT64_MAX);
	head_out_date(&o, HTTP_FIELD_DATE, 784111777);
	head_out_content_range(&o, &(struct content_range){ false, { 0, 4 }, 5 });
	head_out_raw(&o, SPAN("ETag: \"a\"\r\n"));
	ASSERT_TEXT(ended(&o), "HTTP/1.1 206 Partial Content\r\n"
			       "X-Own: \r\n"
			       "Content-Length: 0\r\n"
			       "Age: 18446744073709551615\r\n"
			       "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
			       "Content-Range: bytes 0-4/5\r\n"
			       "ETag: \"a\"\r\n\r\n");

	o = head_out_init(buf, sizeof(buf));
	head_out_request(&o, SPAN("GET"), SPAN("/a?b"));
	ASSERT_TEXT(ended(&o), "GET /a?b HTTP/1.1\r\n\r\n");

	o = head_out_init(buf, sizeof(buf));
	head_out_status(&o, 299, SPAN("As received"));
	ASSERT_TEXT(ended(&o), "HTTP/1.1 299 As received\r\n\r\n");
}

struct bad_row {
	const char *rfc;
	const char *text;
	struct span name, value;
};

static const struct bad_row bad_rows[] = {
	{ "RFC 9112 11.1", "CR LF in a value", TEXT("A"), TEXT("b\r\nC: d") },
	{ "RFC 9112 11.1", "LF in a value", TEXT("A"), TEXT("b\nC") },
	{ "RFC 9112 11.1", "CR in a value", TEXT("A"), TEXT("b\rC") },
	{ "RFC 9110 5.5", "NUL in a value", TEXT("A"), TEXT("b\0") },
	{ "RFC 9110 5.5", "space before a value", TEXT("A"), TEXT(" b") },
	{ "RFC 9110 5.5", "space behind a value", TEXT("A"), TEXT("b ") },
	{ "RFC 9110 5.1", "empty name", TEXT(""), TEXT("b") },
	{ "RFC 9110 5.1", "colon in a name", TEXT("A:"), TEXT("b") },
	{ "RFC 9110 5.1", "LF in a name", TEXT("A\n"), TEXT("b") },
};

static void test_bad_fields_stop_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		struct head_out o = head_out_init(buf, sizeof(buf));

		head_out_status(&o, 200, SPAN(""));
		head_out_field(&o, bad_rows[i].name, bad_rows[i].value);
		head_out_field(&o, SPAN("Good"), SPAN("x"));
		ROW_NUMBER(&bad_rows[i], "end", head_out_end(&o), -EINVAL);
		ROW_SPAN(&bad_rows[i], "kept", span_make(buf, o.len), SPAN("HTTP/1.1 200 OK\r\n"));
	}
}

static void test_bad_start_lines_stop_it(void **state)
{
	static const struct span targets[] = { TEXT(""), TEXT("/a b"), TEXT("/a\r\nX: y"),
					       TEXT("/\0"), TEXT("/a#b") };
	struct head_out o;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		o = head_out_init(buf, sizeof(buf));
		head_out_request(&o, SPAN("GET"), targets[i]);
		assert_int_equal(head_out_end(&o), -EINVAL);
		assert_int_equal(o.len, 0);
	}
	o = head_out_init(buf, sizeof(buf));
	head_out_request(&o, SPAN("GET "), SPAN("/"));
	assert_int_equal(head_out_end(&o), -EINVAL);
	o = head_out_init(buf, sizeof(buf));
	head_out_status(&o, 200, SPAN("OK\r\nX: y"));
	assert_int_equal(head_out_end(&o), -EINVAL);
	o = head_out_init(buf, sizeof(buf));
	head_out_status(&o, 99, SPAN(""));
	assert_int_equal(head_out_end(&o), -EINVAL);
}

static void everything_write(struct head_out *o, const struct http_head *h)
{
	const struct cache_status cs = { .fwd = CACHE_FWD_STALE, .fwd_status = 304, .detail = "x" };

	head_out_status(o, 200, SPAN(""));
	head_out_copy(o, h, NULL);
	head_out_number(o, HTTP_FIELD_AGE, 5);
	head_out_date(o, HTTP_FIELD_DATE, 0);
	head_out_via(o, h, SPAN("tarn"));
	head_out_cache_status(o, h, SPAN("tarn"), &cs);
}

/* In a buffer of every size: all of it, or -EMSGSIZE with whole lines only and not a byte behind. */
static void test_every_capacity(void **state)
{
	struct span in = SPAN("HTTP/1.1 200 OK\r\nA: b\r\nVia: 1.0 x\r\nCache-Status: y\r\n\r\n");
	const struct http_head *h = head_of(in);
	struct head_out whole = head_out_init(buf, sizeof(buf));

	(void)state;
	everything_write(&whole, h);
	assert_int_equal(head_out_end(&whole), 0);
	for (size_t cap = 0; cap < whole.len; cap++) {
		char *small = test_malloc(cap ? cap : 1);
		struct head_out o = head_out_init(small, cap);

		everything_write(&o, h);
		assert_int_equal(head_out_end(&o), -EMSGSIZE);
		assert_true(o.len <= cap);
		assert_true(o.len == 0 || small[o.len - 1] == '\n');
		assert_memory_equal(small, buf, o.len);
		test_free(small);
	}
}

struct copy_row {
	const char *rfc;
	const char *text;
	struct span in;
	const char *want; /* the fields */
};

#define Q "GET / HTTP/1.1\r\nHost: a\r\n"
#define R "HTTP/1.1 200 OK\r\n"

static const struct copy_row copy_rows[] = {
	{ "RFC 9110 7.6.1", "end-to-end fields in their order",
	  TEXT(R "B: 1\r\nA: 2\r\nb: 3\r\n\r\n"), "B: 1\r\nA: 2\r\nb: 3\r\n" },
	{ "RFC 9110 7.6.1", "hop-by-hop fields",
	  TEXT(R "Connection: close\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: y\r\nTrailer: "
		 "z\r\n"
		 "Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nProxy-Authenticate: q\r\n\r\n"),
	  "" },
	{ "RFC 9110 7.6.1", "fields that Connection names",
	  TEXT(R "Connection: close, X-Hop ,y\r\nx-HOP: 1\r\nY: 2\r\nZ: 3\r\n\r\n"), "Z: 3\r\n" },
	{ "RFC 9110 7.6.1", "on several lines",
	  TEXT(R "X: 1\r\nConnection: y\r\nConnection: x\r\nY: 2\r\n\r\n"), "" },
	{ "RFC 9110 7.6.1", "Connection can't remove what keeps a message whole",
	  TEXT(R "Connection: Cache-Control, Content-Length, ETag, Date, Vary\r\nCache-Control: "
		 "no-store\r\n"
		 "Content-Length: 5\r\nETag: \"a\"\r\nDate: x\r\nVary: y\r\n\r\n"),
	  "Cache-Control: no-store\r\nContent-Length: 5\r\nETag: \"a\"\r\nDate: x\r\nVary: y\r\n" },
	{ "RFC 9110 7.6.1", "nor Host", TEXT(Q "Connection: Host\r\n\r\n"), "Host: a\r\n" },
	{ "RFC 9110 7.2", "Host comes first", TEXT("GET / HTTP/1.1\r\nX: y\r\nhost:  a\r\n\r\n"),
	  "Host: a\r\nX: y\r\n" },
	{ "RFC 9112 3.2.2", "Host is replaced by the target's",
	  TEXT("GET http://b:81/ HTTP/1.1\r\nHost: a\r\n\r\n"), "Host: b:81\r\n" },
	{ "RFC 9112 3.2.2", "and added", TEXT("GET http://b/ HTTP/1.0\r\n\r\n"), "Host: b\r\n" },
	{ "RFC 9112 3.2", "no Host known", TEXT("GET / HTTP/1.0\r\nX: y\r\n\r\n"), "X: y\r\n" },
	{ "RFC 9110 7.2", "in a response it is a field like others", TEXT(R "Host: x\r\n\r\n"),
	  "Host: x\r\n" },
};

static void test_copies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(copy_rows); i++) {
		struct head_out o = head_out_init(buf, sizeof(buf));

		head_out_copy(&o, head_of(copy_rows[i].in), NULL);
		ROW_SPAN(&copy_rows[i], "copy", span_make(buf, o.len), span_of(copy_rows[i].want));
	}
}

static void test_copy_drops(void **state)
{
	struct head_out o = head_out_init(buf, sizeof(buf));
	struct http_field_set drop = { { 0 } };

	(void)state;
	http_field_set_add(&drop, HTTP_FIELD_HOST);
	http_field_set_add(&drop, HTTP_FIELD_VIA);
	http_field_set_add(&drop, HTTP_FIELD_X_FORWARDED_FOR);
	head_out_copy(
		&o,
		head_of(SPAN(Q "Via: 1.1 x\r\nA: b\r\nX-Forwarded-For: y\r\nAccept: z\r\n\r\n")),
		&drop);
	ASSERT_TEXT(span_make(buf, o.len), "A: b\r\nAccept: z\r\n");
}

/* Whatever good head we copy, our own parser accepts what comes out, as the same fields. */
static void test_copy_parses_again(void **state)
{
	static struct http_head again;
	const struct http_head *h = head_of(SPAN(Q "A:\r\nB: \xff\tc\r\nC: \"d, \\\"\"\r\n\r\n"));
	struct head_out o = head_out_init(buf, sizeof(buf));

	(void)state;
	head_out_request(&o, h->method_name, h->target);
	head_out_copy(&o, h, NULL);
	ended(&o);
	assert_int_equal(http_request_parse(&again, buf, o.len), 0);
	assert_int_equal(again.nfields, h->nfields);
	for (unsigned i = 0; i < h->nfields; i++)
		assert_true(span_eq(again.fields[i].value, h->fields[i].value));
}

static void test_via(void **state)
{
	struct head_out o = head_out_init(buf, sizeof(buf));

	(void)state;
	head_out_via(&o,
		     head_of(SPAN("HTTP/1.0 200 OK\r\nVia: 1.1 a (b, c)\r\nVia: x/2 d\r\n\r\n")),
		     SPAN("tarn"));
	ASSERT_TEXT(span_make(buf, o.len), "Via: 1.1 a (b, c)\r\nVia: x/2 d\r\nVia: 1.0 tarn\r\n");
	o = head_out_init(buf, sizeof(buf));
	head_out_via(&o, head_of(SPAN(R "\r\n")), SPAN("ta rn"));
	assert_int_equal(head_out_end(&o), -EINVAL);
}

static void test_via_loops(void **state)
{
	(void)state;
	assert_true(http_via_loops(head_of(SPAN(Q "Via: 1.1 a, HTTP/1.1 \t TARN (x)\r\n\r\n")),
				   SPAN("tarn")));
	assert_true(http_via_loops(head_of(SPAN(Q "Via: 1.1 a\r\nVia: 1.0 tarn\r\n\r\n")),
				   SPAN("tarn")));
	assert_false(http_via_loops(head_of(SPAN(Q "Via: 1.1 tarn2, tarn\r\n\r\n")), SPAN("tarn")));
	assert_false(http_via_loops(head_of(SPAN(Q "\r\n")), SPAN("tarn")));
}

struct status_row {
	const char *rfc;
	const char *text;
	struct cache_status cs;
	const char *want;
};

static const struct status_row status_rows[] = {
	{ "RFC 9211 2.1", "hit", { .has_ttl = true, .ttl = 376 }, "tarn; hit; ttl=376" },
	{ "RFC 9211 2.4", "stale hit", { .has_ttl = true, .ttl = -412 }, "tarn; hit; ttl=-412" },
	{ "RFC 9211 2.2",
	  "miss, stored",
	  { .fwd = CACHE_FWD_URI_MISS, .fwd_status = 200, .stored = true },
	  "tarn; fwd=uri-miss; fwd-status=200; stored" },
	{ "RFC 9211 2.6",
	  "collapsed",
	  { .fwd = CACHE_FWD_MISS, .collapsed = true },
	  "tarn; fwd=miss; collapsed" },
	{ "RFC 9211 2.8",
	  "detail",
	  { .fwd = CACHE_FWD_BYPASS, .detail = "profile" },
	  "tarn; fwd=bypass; detail=profile" },
	{ "RFC 8941 3.3.1",
	  "at most 15 digits",
	  { .has_ttl = true, .ttl = INT64_MIN },
	  "tarn; hit; ttl=-999999999999999" },
};

static void test_cache_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(status_rows); i++) {
		struct head_out o = head_out_init(buf, sizeof(buf));
		char want[128];

		snprintf(want, sizeof(want), "Cache-Status: %s\r\n", status_rows[i].want);
		head_out_cache_status(&o, NULL, SPAN("tarn"), &status_rows[i].cs);
		ROW_SPAN(&status_rows[i], "line", span_make(buf, o.len), span_of(want));
	}
}

/* What is no token can't be written as one (RFC 8941 3.3.4). */
static void test_bad_cache_status(void **state)
{
	const struct cache_status hit = { .fwd = CACHE_FWD_NONE };
	const struct cache_status detail = { .fwd = CACHE_FWD_MISS, .detail = "two words" };
	static const struct span names[] = { TEXT(""), TEXT("1a"), TEXT("a b"), TEXT("a;b") };
	struct head_out o;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		o = head_out_init(buf, sizeof(buf));
		head_out_cache_status(&o, NULL, names[i], &hit);
		assert_int_equal(head_out_end(&o), -EINVAL);
	}
	o = head_out_init(buf, sizeof(buf));
	head_out_cache_status(&o, NULL, SPAN("tarn"), &detail);
	assert_int_equal(head_out_end(&o), -EINVAL);
	assert_int_equal(o.len, 0);
}

/* RFC 9211 2: the cache nearest to the origin comes first. */
static void test_cache_status_behind_others(void **state)
{
	const struct cache_status hit = { .fwd = CACHE_FWD_NONE };
	struct head_out o = head_out_init(buf, sizeof(buf));

	(void)state;
	head_out_cache_status(&o, head_of(SPAN(R "Cache-Status: origin; hit\r\n\r\n")),
			      SPAN("tarn"), &hit);
	ASSERT_TEXT(span_make(buf, o.len),
		    "Cache-Status: origin; hit\r\nCache-Status: tarn; hit\r\n");
}

/* Every refusal has an answer that our own parser accepts, with the status of the table. */
static void test_every_refusal_is_answered(void **state)
{
	static struct http_head head;

	(void)state;
	for (int rc = -HTTP_REFUSAL_BASE; rc > -HTTP_REFUSAL_END_; rc--) {
		const struct http_refusal_info *info = http_refusal_info(rc);
		int n = http_refusal_write(buf, 1024, rc, 784111777);
		const char *body;

		assert_true(n > 0 && n <= 1024);
		body = strstr(buf, "\r\n\r\n") + 4;
		assert_int_equal(http_response_parse(&head, buf, (size_t)(body - buf)), 0);
		assert_int_equal(head.status, info->status);
		assert_true(head.reason.n > 0);
		assert_false(http_persistent(&head));
		assert_int_equal(atoi(http_field_first(&head, HTTP_FIELD_CONTENT_LENGTH)->value.p),
				 buf + n - body);
		assert_non_null(strstr(body, info->text));
	}
}

static void test_errors(void **state)
{
	int n = http_error_write(buf, sizeof(buf), 404, "gone", false, false, 784111777);

	(void)state;
	ASSERT_TEXT(span_make(buf, (size_t)n), "HTTP/1.1 404 Not Found\r\n"
					       "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
					       "Content-Type: text/plain; charset=utf-8\r\n"
					       "Content-Length: 20\r\n"
					       "Cache-Control: no-store\r\n\r\n"
					       "404 Not Found: gone\n");
	for (size_t cap = 0; cap < (size_t)n; cap++)
		assert_int_equal(http_error_write(buf, cap, 404, "gone", false, false, 784111777),
				 -EMSGSIZE);
	n = http_error_write(buf, sizeof(buf), 504, "", true, true, 784111777);
	ASSERT_TEXT(span_make(buf, (size_t)n), "HTTP/1.1 504 Gateway Timeout\r\n"
					       "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
					       "Content-Type: text/plain; charset=utf-8\r\n"
					       "Content-Length: 20\r\n"
					       "Cache-Control: no-store\r\n"
					       "Connection: close\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad_fields_stop_it),
		cmocka_unit_test(test_bad_start_lines_stop_it),
		cmocka_unit_test(test_every_capacity),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_copy_drops),
		cmocka_unit_test(test_copy_parses_again),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_via_loops),
		cmocka_unit_test(test_cache_status),
		cmocka_unit_test(test_bad_cache_status),
		cmocka_unit_test(test_cache_status_behind_others),
		cmocka_unit_test(test_every_refusal_is_answered),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
