/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message body length: each step of RFC 9112 6.3, and each way to smuggle that is known.
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/frame.h"

#define GET   "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST  "POST / HTTP/1.1\r\nHost: a\r\n"
#define POST0 "POST / HTTP/1.0\r\nHost: a\r\n"
#define CON   "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n"
#define OK    "HTTP/1.1 200 OK\r\n"
#define OK0   "HTTP/1.0 200 OK\r\n"
#define CL(v) "Content-Length: " v "\r\n"
#define TE(v) "Transfer-Encoding: " v "\r\n"

struct frame_row {
	const char *rfc;
	const char *text;
	struct span head;
	int refusal;
	enum framing_kind kind;
	uint64_t length;
	enum http_method method; /* of the request, for a response; 0: GET */
	bool close;
};

#define BAD(x) HTTP_REFUSED_##x, 0, 0, 0, false

static const struct frame_row rows[] = {
	{ "RFC 9112 6.3 (7)", "request without either", TEXT(GET "\r\n"), 0, FRAMING_NONE, 0, 0,
	  false },
	{ "RFC 9112 6.3 (6)", "request with a length", TEXT(POST CL("5") "\r\n"), 0, FRAMING_LENGTH,
	  5, 0, false },
	{ "RFC 9112 6.3 (6)", "length 0", TEXT(POST CL("0") "\r\n"), 0, FRAMING_NONE, 0, 0, false },
	{ "RFC 9112 6.3 (6)", "leading zeros", TEXT(POST CL("007") "\r\n"), 0, FRAMING_LENGTH, 7, 0,
	  false },
	{ "RFC 9112 6.3 (4)", "request in chunks", TEXT(POST TE("chunked") "\r\n"), 0,
	  FRAMING_CHUNKED, 0, 0, false },
	{ "RFC 9112 7", "coding in another case", TEXT(POST TE("ChUnKeD") "\r\n"), 0,
	  FRAMING_CHUNKED, 0, 0, false },
	{ "RFC 9110 5.6.1", "empty list elements", TEXT(POST TE(" , chunked ,") "\r\n"), 0,
	  FRAMING_CHUNKED, 0, 0, false },
	{ "RFC 9112 6.3 (5)", "largest length", TEXT(POST CL("9223372036854775807") "\r\n"), 0,
	  FRAMING_LENGTH, INT64_MAX, 0, false },
	{ "RFC 9110 8.6", "length above 2^63", TEXT(POST CL("9223372036854775808") "\r\n"),
	  BAD(CL_INVALID) },
	{ "RFC 9110 8.6", "length above 2^64", TEXT(POST CL("18446744073709551621") "\r\n"),
	  BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (5)", "negative", TEXT(POST CL("-5") "\r\n"), BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (5)", "with sign", TEXT(POST CL("+5") "\r\n"), BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (5)", "hexadecimal", TEXT(POST CL("0x5") "\r\n"), BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (5)", "fraction", TEXT(POST CL("5.0") "\r\n"), BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (5)", "space inside", TEXT(POST CL("5 6") "\r\n"), BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (5)", "empty", TEXT(POST CL("") "\r\n"), BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (5)", "two values", TEXT(POST CL("5") CL("6") "\r\n"), BAD(CL_CONFLICT) },
	{ "RFC 9112 6.3 (5)", "twice the same", TEXT(POST CL("5") CL("5") "\r\n"),
	  BAD(CL_CONFLICT) },
	{ "RFC 9112 6.3 (5)", "a list", TEXT(POST CL("5, 5") "\r\n"), BAD(CL_CONFLICT) },
	{ "RFC 9112 6.3 (3)", "both", TEXT(POST CL("5") TE("chunked") "\r\n"), BAD(CL_AND_TE) },
	{ "RFC 9112 6.3 (3)", "both, other order and case",
	  TEXT(POST "tRANSFER-ENCODING: chunked\r\ncONTENT-LENGTH: 5\r\n\r\n"), BAD(CL_AND_TE) },
	{ "RFC 9112 6.3 (4)", "chunked not last", TEXT(POST TE("chunked, gzip") "\r\n"),
	  BAD(TE_INVALID) },
	{ "RFC 9112 6.1", "chunked twice", TEXT(POST TE("chunked, chunked") "\r\n"),
	  BAD(TE_INVALID) },
	{ "RFC 9112 6.1", "chunked on two lines", TEXT(POST TE("chunked") TE("chunked") "\r\n"),
	  BAD(TE_INVALID) },
	{ "RFC 9112 6.1", "an empty line beside it", TEXT(POST TE("chunked") TE("") "\r\n"),
	  BAD(TE_INVALID) },
	{ "RFC 9112 6.3 (4)", "identity", TEXT(POST TE("identity") "\r\n"), BAD(TE_INVALID) },
	{ "RFC 9112 6.3 (4)", "a look-alike", TEXT(POST TE("xchunked") "\r\n"), BAD(TE_INVALID) },
	{ "RFC 9112 6.3 (4)", "in quotes", TEXT(POST TE("\"chunked\"") "\r\n"), BAD(TE_INVALID) },
	{ "RFC 9112 7", "chunked with a parameter", TEXT(POST TE("chunked;q=1") "\r\n"),
	  BAD(TE_INVALID) },
	{ "RFC 9112 6.1", "empty", TEXT(POST TE("") "\r\n"), BAD(TE_INVALID) },
	{ "RFC 9112 6.1", "unknown coding before chunked", TEXT(POST TE("gzip, chunked") "\r\n"),
	  BAD(TE_UNKNOWN) },
	{ "RFC 9112 6.1", "in HTTP/1.0", TEXT(POST0 TE("chunked") "\r\n"), BAD(TE_IN_HTTP10) },
	{ "RFC 9112 6.1", "both in HTTP/1.0", TEXT(POST0 CL("5") TE("chunked") "\r\n"),
	  BAD(TE_IN_HTTP10) },
	{ "RFC 9110 9.3.6", "CONNECT", TEXT(CON "\r\n"), 0, FRAMING_NONE, 0, 0, false },
	{ "RFC 9110 9.3.6", "CONNECT with length 0", TEXT(CON CL("0") "\r\n"), 0, FRAMING_NONE, 0,
	  0, false },
	{ "RFC 9110 9.3.6", "CONNECT with content", TEXT(CON CL("5") "\r\n"), BAD(CL_INVALID) },
	{ "RFC 9110 9.3.6", "CONNECT in chunks", TEXT(CON TE("chunked") "\r\n"), BAD(TE_INVALID) },
	{ "RFC 9112 9.3", "HTTP/1.0 closes", TEXT(POST0 CL("5") "\r\n"), 0, FRAMING_LENGTH, 5, 0,
	  true },
	{ "RFC 9112 9.3", "close closes", TEXT(GET "Connection: x, Close\r\n\r\n"), 0, FRAMING_NONE,
	  0, 0, true },

	{ "RFC 9112 6.3 (1)", "answer to HEAD", TEXT(OK CL("5") "\r\n"), 0, FRAMING_NONE, 5,
	  HTTP_METHOD_HEAD, false },
	{ "RFC 9112 6.3 (1)", "answer to HEAD in chunks", TEXT(OK TE("chunked") "\r\n"), 0,
	  FRAMING_NONE, 0, HTTP_METHOD_HEAD, false },
	{ "RFC 9112 6.3 (1)", "100", TEXT("HTTP/1.1 100 Continue\r\n\r\n"), 0, FRAMING_NONE, 0, 0,
	  false },
	{ "RFC 9112 6.3 (1)", "204", TEXT("HTTP/1.1 204 No Content\r\n\r\n"), 0, FRAMING_NONE, 0, 0,
	  false },
	{ "RFC 9110 8.6", "204 that announces content", TEXT("HTTP/1.1 204 x\r\n" CL("5") "\r\n"),
	  0, FRAMING_NONE, 5, 0, true },
	{ "RFC 9112 6.3 (1)", "304 with a length", TEXT("HTTP/1.1 304 x\r\n" CL("5") "\r\n"), 0,
	  FRAMING_NONE, 5, 0, false },
	{ "RFC 9112 6.3 (2)", "2xx to CONNECT", TEXT(OK CL("5") "\r\n"), 0, FRAMING_TUNNEL, 5,
	  HTTP_METHOD_CONNECT, true },
	{ "RFC 9112 6.3 (2)", "4xx to CONNECT", TEXT("HTTP/1.1 403 x\r\n" CL("5") "\r\n"), 0,
	  FRAMING_LENGTH, 5, HTTP_METHOD_CONNECT, false },
	{ "RFC 9110 15.2.2", "101", TEXT("HTTP/1.1 101 x\r\n\r\n"), 0, FRAMING_TUNNEL, 0, 0, true },
	{ "RFC 9112 6.3 (4)", "response in chunks", TEXT(OK TE("chunked") "\r\n"), 0,
	  FRAMING_CHUNKED, 0, 0, false },
	{ "RFC 9112 6.3 (6)", "response with a length", TEXT(OK CL("5") "\r\n"), 0, FRAMING_LENGTH,
	  5, 0, false },
	{ "RFC 9112 6.3 (6)", "response of length 0", TEXT(OK CL("0") "\r\n"), 0, FRAMING_LENGTH, 0,
	  0, false },
	{ "RFC 9112 6.3 (8)", "response without either", TEXT(OK "\r\n"), 0, FRAMING_UNTIL_CLOSE, 0,
	  0, true },
	{ "RFC 9112 6.3 (3)", "response with both", TEXT(OK CL("5") TE("chunked") "\r\n"),
	  BAD(CL_AND_TE) },
	{ "RFC 9112 6.3 (3)", "answer to HEAD with both", TEXT(OK CL("5") TE("chunked") "\r\n"),
	  HTTP_REFUSED_CL_AND_TE, 0, 0, HTTP_METHOD_HEAD, false },
	{ "RFC 9112 6.3 (5)", "response with two lengths", TEXT(OK CL("5") CL("6") "\r\n"),
	  BAD(CL_CONFLICT) },
	{ "RFC 9112 6.3 (5)", "304 with a bad length", TEXT("HTTP/1.1 304 x\r\n" CL("x") "\r\n"),
	  BAD(CL_INVALID) },
	{ "RFC 9112 6.3 (4)", "response, chunked not last", TEXT(OK TE("chunked, gzip") "\r\n"),
	  BAD(TE_INVALID) },
	{ "RFC 9112 6.1", "response of HTTP/1.0 in chunks", TEXT(OK0 TE("chunked") "\r\n"),
	  BAD(TE_IN_HTTP10) },
	{ "RFC 9112 9.3", "HTTP/1.0 that keeps alive",
	  TEXT(OK0 CL("5") "Connection: keep-alive\r\n\r\n"), 0, FRAMING_LENGTH, 5, 0, false },
};

static void test_framing(void **state)
{
	(void)state;
	for (const struct frame_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		struct framing f = { .kind = 99 };
		int rc = http_framing(head_of(row->head),
				      row->method ? row->method : HTTP_METHOD_GET, &f);

		ROW_RC(row, rc, -row->refusal);
		if (rc < 0) {
			ROW_NUMBER(row, "kind on refusal", f.kind, 99);
			continue;
		}
		ROW_NUMBER(row, "kind", f.kind, row->kind);
		ROW_NUMBER(row, "length", f.length, row->length);
		ROW_NUMBER(row, "close", f.close, row->close);
	}
}

struct rc_row {
	const char *rfc;
	const char *text;
	struct span head;
	int want;
};

static const struct rc_row expect_rows[] = {
	{ "RFC 9110 10.1.1", "none", TEXT(POST "\r\n"), 0 },
	{ "RFC 9110 10.1.1", "100-continue", TEXT(POST "Expect: 100-Continue\r\n\r\n"), 1 },
	{ "RFC 9110 10.1.1", "HTTP/1.0", TEXT(POST0 "Expect: 100-continue\r\n\r\n"), 0 },
	{ "RFC 9110 10.1.1", "another", TEXT(POST "Expect: 200-ok\r\n\r\n"),
	  -HTTP_REFUSED_EXPECT_UNKNOWN },
	{ "RFC 9110 10.1.1", "another beside it", TEXT(POST "Expect: 100-continue, x=y\r\n\r\n"),
	  -HTTP_REFUSED_EXPECT_UNKNOWN },
};

static void test_expect(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expect_rows); i++)
		ROW_RC(&expect_rows[i], http_expects_continue(head_of(expect_rows[i].head)),
		       expect_rows[i].want);
}

#define TRACE "TRACE / HTTP/1.1\r\nHost: a\r\n"

struct forwards_row {
	const char *rfc;
	const char *text;
	struct span head;
	int want;
	uint64_t left;
};

static const struct forwards_row forwards_rows[] = {
	{ "RFC 9110 7.6.2", "absent", TEXT(TRACE "\r\n"), 0, UINT64_MAX },
	{ "RFC 9110 7.6.2", "zero", TEXT(TRACE "Max-Forwards: 0\r\n\r\n"), 0, 0 },
	{ "RFC 9110 7.6.2", "ten",
	  TEXT("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n"), 0, 10 },
	{ "RFC 9110 7.6.2", "not for GET", TEXT(GET "Max-Forwards: 0\r\n\r\n"), 0, UINT64_MAX },
	{ "RFC 9110 7.6.2", "not a number", TEXT(TRACE "Max-Forwards: x\r\n\r\n"),
	  -HTTP_REFUSED_MAX_FORWARDS_INVALID, 7 },
	{ "RFC 9110 7.6.2", "two", TEXT(TRACE "Max-Forwards: 1\r\nMax-Forwards: 2\r\n\r\n"),
	  -HTTP_REFUSED_MAX_FORWARDS_INVALID, 7 },
};

static void test_max_forwards(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forwards_rows); i++) {
		const struct forwards_row *row = &forwards_rows[i];
		uint64_t left = 7;

		ROW_RC(row, http_max_forwards(head_of(row->head), &left), row->want);
		ROW_NUMBER(row, "left", left, row->left);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_max_forwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
