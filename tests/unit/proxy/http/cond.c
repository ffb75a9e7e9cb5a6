/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preconditions in their order (RFC 9110 13.2.2).
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/cond.h"

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define SAME   "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

struct cond_row {
	const char *rfc;
	const char *text;
	const char *method;
	const char *fields;
	enum cond_verdict want;
};

/* The representation has ETag "b" and Last-Modified SAME, both strong. */
static const struct cond_row rows[] = {
	{ "RFC 9110 13.2.2", "no condition", "GET", "", COND_PASS },
	{ "RFC 9110 13.1.1", "If-Match holds", "GET", "If-Match: \"b\"\r\n", COND_PASS },
	{ "RFC 9110 13.1.1", "If-Match fails", "GET", "If-Match: \"a\"\r\n", COND_FAILED },
	{ "RFC 9110 13.1.1", "If-Match fails for PUT", "PUT", "If-Match: \"a\"\r\n", COND_FAILED },
	{ "RFC 9110 13.1.4", "unmodified since later", "GET", "If-Unmodified-Since: " AFTER "\r\n",
	  COND_PASS },
	{ "RFC 9110 13.1.4", "unmodified since then", "GET", "If-Unmodified-Since: " SAME "\r\n",
	  COND_PASS },
	{ "RFC 9110 13.1.4", "unmodified since earlier", "GET",
	  "If-Unmodified-Since: " BEFORE "\r\n", COND_FAILED },
	{ "RFC 9110 13.1.4", "not a date", "GET", "If-Unmodified-Since: x\r\n", COND_PASS },
	{ "RFC 9110 13.1.4", "ignored beside If-Match", "GET",
	  "If-Match: \"b\"\r\nIf-Unmodified-Since: " BEFORE "\r\n", COND_PASS },
	{ "RFC 9110 13.1.2", "If-None-Match holds", "GET", "If-None-Match: \"a\"\r\n", COND_PASS },
	{ "RFC 9110 13.1.2", "If-None-Match fails", "GET", "If-None-Match: \"b\"\r\n",
	  COND_NOT_MODIFIED },
	{ "RFC 9110 13.1.2", "weak comparison", "HEAD", "If-None-Match: W/\"b\"\r\n",
	  COND_NOT_MODIFIED },
	{ "RFC 9110 13.1.2", "fails for PUT", "PUT", "If-None-Match: *\r\n", COND_FAILED },
	{ "RFC 9110 13.1.3", "modified since earlier", "GET", "If-Modified-Since: " BEFORE "\r\n",
	  COND_PASS },
	{ "RFC 9110 13.1.3", "modified since then", "GET", "If-Modified-Since: " SAME "\r\n",
	  COND_NOT_MODIFIED },
	{ "RFC 9110 13.1.3", "modified since later", "HEAD", "If-Modified-Since: " AFTER "\r\n",
	  COND_NOT_MODIFIED },
	{ "RFC 9110 13.1.3", "not for POST", "POST", "If-Modified-Since: " AFTER "\r\n",
	  COND_PASS },
	{ "RFC 9110 13.1.3", "not a date", "GET", "If-Modified-Since: yesterday\r\n", COND_PASS },
	{ "RFC 9110 13.1.3", "more than one member", "GET",
	  "If-Modified-Since: " AFTER "\r\nIf-Modified-Since: " AFTER "\r\n", COND_PASS },
	{ "RFC 9110 13.1.3", "ignored beside If-None-Match", "GET",
	  "If-None-Match: \"a\"\r\nIf-Modified-Since: " AFTER "\r\n", COND_PASS },
	{ "RFC 9110 13.2.2", "both steps: 412 before 304", "GET",
	  "If-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n", COND_FAILED },
	{ "RFC 9110 13.1.5", "If-Range holds", "GET", "Range: bytes=0-\r\nIf-Range: \"b\"\r\n",
	  COND_PASS },
	{ "RFC 9110 13.1.5", "If-Range fails", "GET", "Range: bytes=0-\r\nIf-Range: \"a\"\r\n",
	  COND_PASS_WHOLE },
	{ "RFC 9110 13.1.5", "If-Range by date", "GET", "Range: bytes=0-\r\nIf-Range: " SAME "\r\n",
	  COND_PASS },
	{ "RFC 9110 13.1.5", "If-Range without Range", "GET", "If-Range: \"a\"\r\n", COND_PASS },
	{ "RFC 9110 13.1.5", "two lines", "GET",
	  "Range: bytes=0-\r\nIf-Range: \"b\"\r\nIf-Range: \"b\"\r\n", COND_PASS_WHOLE },
	{ "RFC 9110 13.2.2", "304 before If-Range", "GET",
	  "Range: bytes=0-\r\nIf-Range: \"b\"\r\nIf-None-Match: \"b\"\r\n", COND_NOT_MODIFIED },
};

static enum cond_verdict evaluate(const struct cond_row *row, const struct validators *v,
				  bool exists)
{
	char head[512];

	snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", row->method,
		 row->fields);
	return http_cond_evaluate(head_of(span_of(head)), v, exists, 1000000000);
}

static void test_conditions(void **state)
{
	const struct validators v = { .etag = { SPAN("\"b\""), false },
				      .has_last_modified = true,
				      .last_modified = 784111777,
				      .date_is_strong = true };

	(void)state;
	for (const struct cond_row *row = rows; row < rows + ARRAY_LEN(rows); row++)
		ROW_NUMBER(row, "verdict", evaluate(row, &v, true), row->want);
}

/* Without Last-Modified, conditions on dates do not exist (RFC 9110 13.1.3, 13.1.4). */
static void test_without_validators(void **state)
{
	static const struct cond_row bare[] = {
		{ "RFC 9110 13.1.3", "If-Modified-Since", "GET", "If-Modified-Since: " AFTER "\r\n",
		  COND_PASS },
		{ "RFC 9110 13.1.4", "If-Unmodified-Since", "GET",
		  "If-Unmodified-Since: " BEFORE "\r\n", COND_PASS },
		{ "RFC 9110 13.1.2", "If-None-Match", "GET", "If-None-Match: \"b\"\r\n",
		  COND_PASS },
		{ "RFC 9110 13.1.5", "If-Range", "GET", "Range: bytes=0-\r\nIf-Range: " SAME "\r\n",
		  COND_PASS_WHOLE },
	};
	const struct validators none = { .has_last_modified = false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bare); i++)
		ROW_NUMBER(&bare[i], "verdict", evaluate(&bare[i], &none, true), bare[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_without_validators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
