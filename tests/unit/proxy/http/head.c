/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads: one row for each rule of RFC 9110 and RFC 9112 that decides whether a head is good.
 */
#include "tests/unit/proxy/http/rows.h"

#define H "Host: a\r\n"
#define E "\r\n"

struct refusal_row {
	const char *rfc;
	const char *text;
	struct span head;
	int want; /* 0 or HTTP_REFUSED_x */
};

static const struct refusal_row request_rows[] = {
	{ "RFC 9112 3", "plain", TEXT("GET / HTTP/1.1\r\n" H E), 0 },
	{ "RFC 9112 3", "empty line as request", TEXT("\r\n"), HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "no version", TEXT("GET /\r\n" H E), HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "two spaces before the target", TEXT("GET  / HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "two spaces before the version", TEXT("GET /  HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "leading space", TEXT(" GET / HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "trailing space", TEXT("GET / HTTP/1.1 \r\n" H E),
	  HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "space inside the target", TEXT("GET /a b HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "tab instead of space", TEXT("GET\t/\tHTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9112 3", "NUL in the line", TEXT("GET /\0 HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_REQUEST_LINE },
	{ "RFC 9110 9.1", "method of our own", TEXT("BREW / HTTP/1.1\r\n" H E), 0 },
	{ "RFC 9110 9.1", "method with a colon", TEXT("GE:T / HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_METHOD },
	{ "RFC 9110 9.1", "method of 33 letters",
	  TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" H E), HTTP_REFUSED_BAD_METHOD },

	{ "RFC 9112 2.3", "lower case http", TEXT("GET / http/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_VERSION },
	{ "RFC 9112 2.3", "two digits", TEXT("GET / HTTP/1.10\r\n" H E), HTTP_REFUSED_BAD_VERSION },
	{ "RFC 9112 2.3", "no digit", TEXT("GET / HTTP/1.\r\n" H E), HTTP_REFUSED_BAD_VERSION },
	{ "RFC 9112 2.3", "letter", TEXT("GET / HTTP/1.x\r\n" H E), HTTP_REFUSED_BAD_VERSION },
	{ "RFC 9110 2.5", "minor version above ours", TEXT("GET / HTTP/1.9\r\n" H E), 0 },
	{ "RFC 9110 15.6.6", "major version above ours", TEXT("GET / HTTP/2.0\r\n" H E),
	  HTTP_REFUSED_VERSION_UNSUPPORTED },
	{ "RFC 9110 15.6.6", "major version 0", TEXT("GET / HTTP/0.9\r\n" H E),
	  HTTP_REFUSED_VERSION_UNSUPPORTED },
	{ "RFC 9113 3.4", "preface of HTTP/2", TEXT("PRI * HTTP/2.0\r\n\r\n"),
	  HTTP_REFUSED_HTTP2_PREFACE },

	{ "RFC 9112 2.2", "LF alone after the request line", TEXT("GET / HTTP/1.1\n" H E),
	  HTTP_REFUSED_BARE_LF },
	{ "RFC 9112 2.2", "LF alone after a field", TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"),
	  HTTP_REFUSED_BARE_LF },
	{ "RFC 9112 2.2", "LF alone as empty line", TEXT("GET / HTTP/1.1\r\n" H "\n"),
	  HTTP_REFUSED_BARE_LF },
	{ "RFC 9112 2.2", "LF alone before the request line", TEXT("\n"), HTTP_REFUSED_BARE_LF },
	{ "RFC 9112 2.2", "CR alone in the request line", TEXT("GET /\r HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BARE_CR },
	{ "RFC 9112 2.2", "CR alone in a value", TEXT("GET / HTTP/1.1\r\n" H "A: b\rc\r\n" E),
	  HTTP_REFUSED_BARE_CR },
	{ "RFC 9112 2.2", "CR CR LF", TEXT("GET / HTTP/1.1\r\n" H "A: b\r\r\n" E),
	  HTTP_REFUSED_BARE_CR },
	{ "RFC 9112 2.2", "CR alone as a line", TEXT("GET / HTTP/1.1\r\n" H "\rA: b\r\n" E),
	  HTTP_REFUSED_BARE_CR },
	{ "RFC 9112 2.2", "CR alone behind a name", TEXT("GET / HTTP/1.1\r\n" H "A\rB: b\r\n" E),
	  HTTP_REFUSED_BARE_CR },
	{ "RFC 9112 2.2", "space before the first field", TEXT("GET / HTTP/1.1\r\n " H E),
	  HTTP_REFUSED_LEADING_SPACE },

	{ "RFC 9112 5", "no colon", TEXT("GET / HTTP/1.1\r\n" H "abc\r\n" E),
	  HTTP_REFUSED_FIELD_NO_COLON },
	{ "RFC 9112 5", "no colon but a space", TEXT("GET / HTTP/1.1\r\n" H "abc \r\n" E),
	  HTTP_REFUSED_FIELD_NO_COLON },
	{ "RFC 9112 5", "empty name", TEXT("GET / HTTP/1.1\r\n" H ": x\r\n" E),
	  HTTP_REFUSED_FIELD_NAME_EMPTY },
	{ "RFC 9112 5.1", "space before the colon", TEXT("GET / HTTP/1.1\r\nHost : a\r\n" E),
	  HTTP_REFUSED_FIELD_NAME_SPACE },
	{ "RFC 9112 5.1", "tab before the colon", TEXT("GET / HTTP/1.1\r\n" H "A\t: a\r\n" E),
	  HTTP_REFUSED_FIELD_NAME_SPACE },
	{ "RFC 9110 5.1", "space inside a name", TEXT("GET / HTTP/1.1\r\n" H "A b: c\r\n" E),
	  HTTP_REFUSED_FIELD_NAME_INVALID },
	{ "RFC 9110 5.1", "bracket in a name", TEXT("GET / HTTP/1.1\r\n" H "A[: c\r\n" E),
	  HTTP_REFUSED_FIELD_NAME_INVALID },
	{ "RFC 9110 5.1", "NUL in a name", TEXT("GET / HTTP/1.1\r\n" H "A\0: c\r\n" E),
	  HTTP_REFUSED_FIELD_NAME_INVALID },
	{ "RFC 9110 5.1", "octet above 127 in a name",
	  TEXT("GET / HTTP/1.1\r\n" H "A\xe4: c\r\n" E), HTTP_REFUSED_FIELD_NAME_INVALID },
	{ "RFC 9112 5.2", "obs-fold by space", TEXT("GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n" E),
	  HTTP_REFUSED_OBS_FOLD },
	{ "RFC 9112 5.2", "obs-fold by tab", TEXT("GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n" E),
	  HTTP_REFUSED_OBS_FOLD },
	{ "RFC 9112 5.2", "obs-fold as last line", TEXT("GET / HTTP/1.1\r\n" H " \r\n" E),
	  HTTP_REFUSED_OBS_FOLD },
	{ "RFC 9110 5.5", "NUL in a value", TEXT("GET / HTTP/1.1\r\n" H "A: b\0c\r\n" E),
	  HTTP_REFUSED_FIELD_VALUE_INVALID },
	{ "RFC 9110 5.5", "octet 1 in a long value",
	  TEXT("GET / HTTP/1.1\r\n" H "A: 0123456789abcdef\001\r\n" E),
	  HTTP_REFUSED_FIELD_VALUE_INVALID },
	{ "RFC 9110 5.5", "DEL in a value", TEXT("GET / HTTP/1.1\r\n" H "A: b\177c\r\n" E),
	  HTTP_REFUSED_FIELD_VALUE_INVALID },
	{ "RFC 9110 5.5", "form feed before a value", TEXT("GET / HTTP/1.1\r\n" H "A:\fb\r\n" E),
	  HTTP_REFUSED_FIELD_VALUE_INVALID },
	{ "RFC 9110 5.5", "tab and obs-text in a value",
	  TEXT("GET / HTTP/1.1\r\n" H "A: b\tc \xff\x80z\r\n" E), 0 },
	{ "RFC 9110 5.5", "empty value", TEXT("GET / HTTP/1.1\r\n" H "A:\r\n" E), 0 },

	{ "RFC 9112 2.1", "no empty line", TEXT("GET / HTTP/1.1\r\n" H),
	  HTTP_REFUSED_HEAD_INCOMPLETE },
	{ "RFC 9112 2.1", "cut in a name", TEXT("GET / HTTP/1.1\r\nHos"),
	  HTTP_REFUSED_HEAD_INCOMPLETE },
	{ "RFC 9112 2.1", "cut in a value", TEXT("GET / HTTP/1.1\r\nHost: a"),
	  HTTP_REFUSED_HEAD_INCOMPLETE },
	{ "RFC 9112 2.1", "cut between CR and LF", TEXT("GET / HTTP/1.1\r\nHost: a\r"),
	  HTTP_REFUSED_HEAD_INCOMPLETE },
	{ "RFC 9112 2.1", "nothing at all", TEXT(""), HTTP_REFUSED_HEAD_INCOMPLETE },
	{ "RFC 9112 2.1", "bytes behind the empty line", TEXT("GET / HTTP/1.1\r\n" H E "x"),
	  HTTP_REFUSED_HEAD_INCOMPLETE },

	{ "RFC 9112 3.2", "no Host", TEXT("GET / HTTP/1.1\r\n\r\n"), HTTP_REFUSED_HOST_MISSING },
	{ "RFC 9112 3.2", "no Host, absolute-form", TEXT("GET http://a/ HTTP/1.1\r\n\r\n"),
	  HTTP_REFUSED_HOST_MISSING },
	{ "RFC 9112 3.2", "no Host in HTTP/1.0", TEXT("GET / HTTP/1.0\r\n\r\n"), 0 },
	{ "RFC 9112 3.2", "two Hosts", TEXT("GET / HTTP/1.1\r\n" H H E),
	  HTTP_REFUSED_HOST_DUPLICATE },
	{ "RFC 9112 3.2", "two Hosts in HTTP/1.0", TEXT("GET / HTTP/1.0\r\n" H "hOST: b\r\n" E),
	  HTTP_REFUSED_HOST_DUPLICATE },
	{ "RFC 9112 3.2", "Host is a list", TEXT("GET / HTTP/1.1\r\nHost: a, b\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 9110 4.2.1", "empty Host", TEXT("GET / HTTP/1.1\r\nHost:\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 9110 4.2.4", "user info in Host", TEXT("GET / HTTP/1.1\r\nHost: u@a\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 9112 3.2", "slash in Host", TEXT("GET / HTTP/1.1\r\nHost: a/b\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 9112 3.2", "bad Host beside absolute-form",
	  TEXT("GET http://a/ HTTP/1.1\r\nHost: a b\r\n" E), HTTP_REFUSED_HOST_INVALID },
	{ "RFC 9110 4.2", "port 0", TEXT("GET / HTTP/1.1\r\nHost: a:0\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 9110 4.2", "port 65536", TEXT("GET / HTTP/1.1\r\nHost: a:65536\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 9110 4.2", "port with sign", TEXT("GET / HTTP/1.1\r\nHost: a:+80\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 1034 3.1", "empty label", TEXT("GET / HTTP/1.1\r\nHost: a..\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 3986 3.2.2", "open bracket", TEXT("GET / HTTP/1.1\r\nHost: [::1\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 3986 3.2.2", "not an IPv6 address", TEXT("GET / HTTP/1.1\r\nHost: [::g]\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },
	{ "RFC 3986 3.2.2", "text behind the bracket", TEXT("GET / HTTP/1.1\r\nHost: [::1]a\r\n" E),
	  HTTP_REFUSED_HOST_INVALID },

	{ "RFC 9112 3.2.1", "relative path", TEXT("GET a HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2", "fragment", TEXT("GET /a#b HTTP/1.1\r\n" H E), HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2", "octet above 127", TEXT("GET /\xe4 HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2.2", "absolute-form without authority",
	  TEXT("GET http:///a HTTP/1.1\r\n" H E), HTTP_REFUSED_BAD_AUTHORITY },
	{ "RFC 9110 4.2.4", "user info in the target", TEXT("GET http://u:p@a/ HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_AUTHORITY },
	{ "RFC 9112 3.2.2", "one slash", TEXT("GET http:/a HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2.2", "scheme with a digit first", TEXT("GET 1tp://a/ HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2.2", "scheme with every character", TEXT("GET a1+-.://a/ HTTP/1.1\r\n" H E),
	  0 },
	{ "RFC 9112 3.2.2", "scheme with another", TEXT("GET ht_p://a/ HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2.3", "CONNECT to a path", TEXT("CONNECT /a HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_AUTHORITY },
	{ "RFC 9110 9.3.6", "CONNECT without port", TEXT("CONNECT a HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_AUTHORITY },
	{ "RFC 9110 9.3.6", "CONNECT with an empty port", TEXT("CONNECT a: HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_AUTHORITY },
	{ "RFC 9112 3.2.3", "authority-form without CONNECT", TEXT("GET a:80 HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2.4", "asterisk-form without OPTIONS", TEXT("GET * HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
	{ "RFC 9112 3.2.4", "asterisk and more", TEXT("OPTIONS *a HTTP/1.1\r\n" H E),
	  HTTP_REFUSED_BAD_TARGET },
};

static const struct refusal_row response_rows[] = {
	{ "RFC 9112 4", "plain", TEXT("HTTP/1.1 200 OK\r\n\r\n"), 0 },
	{ "RFC 9112 4", "empty reason", TEXT("HTTP/1.1 200 \r\n\r\n"), 0 },
	{ "RFC 9112 4", "no space behind the status", TEXT("HTTP/1.1 200\r\n\r\n"), 0 },
	{ "RFC 9112 4", "obs-text in the reason", TEXT("HTTP/1.1 200 Gr\xfc\xdf\r\n\r\n"), 0 },
	{ "RFC 9112 4", "NUL in the reason", TEXT("HTTP/1.1 200 O\0K\r\n\r\n"),
	  HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9112 4", "two digits", TEXT("HTTP/1.1 20 OK\r\n\r\n"),
	  HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9112 4", "four digits", TEXT("HTTP/1.1 2000 OK\r\n\r\n"),
	  HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9110 15", "status 099", TEXT("HTTP/1.1 099 OK\r\n\r\n"),
	  HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9110 15", "status 600", TEXT("HTTP/1.1 600 OK\r\n\r\n"),
	  HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9112 4", "two spaces", TEXT("HTTP/1.1  200 OK\r\n\r\n"),
	  HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9112 4", "leading empty line", TEXT("\r\n"), HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9112 2.3", "not HTTP", TEXT("ICY/1.1 200 OK\r\n\r\n"),
	  HTTP_REFUSED_BAD_STATUS_LINE },
	{ "RFC 9112 2.3", "lower case", TEXT("http/1.1 200 OK\r\n\r\n"), HTTP_REFUSED_BAD_VERSION },
	{ "RFC 9110 15.6.6", "version 2.0", TEXT("HTTP/2.0 200 OK\r\n\r\n"),
	  HTTP_REFUSED_VERSION_UNSUPPORTED },
	{ "RFC 9112 2.2", "LF alone", TEXT("HTTP/1.1 200 OK\nA: b\r\n\r\n"), HTTP_REFUSED_BARE_LF },
	{ "RFC 9112 2.2", "CR alone", TEXT("HTTP/1.1 200 O\rK\r\n\r\n"), HTTP_REFUSED_BARE_CR },
	{ "RFC 9112 5.2", "obs-fold", TEXT("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
	  HTTP_REFUSED_OBS_FOLD },
	{ "RFC 9112 5.1", "space before the colon", TEXT("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
	  HTTP_REFUSED_FIELD_NAME_SPACE },
	{ "RFC 9112 3.2", "Host means nothing", TEXT("HTTP/1.1 200 OK\r\n" H H E), 0 },
};

typedef int parse_f(struct http_head *head, const char *buf, size_t n);

static void rows_run(const struct refusal_row *rows, size_t n, parse_f *parse)
{
	static struct http_head head;

	for (const struct refusal_row *row = rows; row < rows + n; row++) {
		char *copy = exact_copy(row->head);

		ROW_RC(row, parse(&head, copy, row->head.n), -row->want);
		test_free(copy);
	}
}

static void test_requests(void **state)
{
	(void)state;
	rows_run(request_rows, ARRAY_LEN(request_rows), http_request_parse);
}

static void test_responses(void **state)
{
	(void)state;
	rows_run(response_rows, ARRAY_LEN(response_rows), http_response_parse);
}

/* A head that is cut anywhere is refused, and never as something else than cut. */
static void test_every_prefix_is_incomplete(void **state)
{
	static struct http_head head;
	struct span whole = SPAN("POST /a?b HTTP/1.1\r\nHost: a.example\r\nX: y\r\nA:\r\n\r\n");

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		char *copy = exact_copy(span_head(whole, n));
		int rc = http_request_parse(&head, copy, n);

		if (rc != -HTTP_REFUSED_HEAD_INCOMPLETE)
			fail_msg("%zu bytes: %s", n, rc_text(rc));
		test_free(copy);
	}
	assert_int_equal(http_request_parse(&head, whole.p, whole.n), 0);
}

struct target_row {
	const char *rfc;
	const char *text;
	struct span head;
	enum http_target_form form;
	const char *authority;
	const char *host;
	unsigned port;
	const char *path;
	const char *query; /* NULL: none */
	bool differs;
};

static const struct target_row target_rows[] = {
	{ "RFC 9112 3.2.1", "origin-form",
	  TEXT("GET /a/b?c=d HTTP/1.1\r\nHost: Ex.Example:8080\r\n\r\n"), HTTP_TARGET_ORIGIN,
	  "Ex.Example:8080", "Ex.Example", 8080, "/a/b", "c=d", false },
	{ "RFC 9112 3.2.1", "empty query", TEXT("GET /? HTTP/1.1\r\nHost: a\r\n\r\n"),
	  HTTP_TARGET_ORIGIN, "a", "a", 0, "/", "", false },
	{ "RFC 9112 3.2.1", "two slashes are a path", TEXT("GET //x/y HTTP/1.1\r\nHost: a\r\n\r\n"),
	  HTTP_TARGET_ORIGIN, "a", "a", 0, "//x/y", NULL, false },
	{ "RFC 9112 3.2.1", "a URI in the query",
	  TEXT("GET /?u=http://b/?x HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_TARGET_ORIGIN, "a", "a", 0,
	  "/", "u=http://b/?x", false },
	{ "RFC 9112 3.2.2", "absolute-form wins over Host",
	  TEXT("GET http://b.example/c HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_TARGET_ABSOLUTE,
	  "b.example", "b.example", 0, "/c", NULL, true },
	{ "RFC 9112 3.2.2", "absolute-form, the same host",
	  TEXT("GET HTTP://A.example:80/c HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n"),
	  HTTP_TARGET_ABSOLUTE, "A.example:80", "A.example", 80, "/c", NULL, false },
	{ "RFC 9112 3.2.2", "absolute-form, another port",
	  TEXT("GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_TARGET_ABSOLUTE, "a:81", "a",
	  81, "/", NULL, true },
	{ "RFC 9112 3.2.2", "absolute-form without path",
	  TEXT("GET http://a?b/c HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_TARGET_ABSOLUTE, "a", "a", 0,
	  "", "b/c", false },
	{ "RFC 9112 3.2.2", "absolute-form in HTTP/1.0", TEXT("GET http://a/ HTTP/1.0\r\n\r\n"),
	  HTTP_TARGET_ABSOLUTE, "a", "a", 0, "/", NULL, false },
	{ "RFC 9112 3.2.3", "authority-form", TEXT("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
	  HTTP_TARGET_AUTHORITY, "a:443", "a", 443, "", NULL, false },
	{ "RFC 9112 3.2.4", "asterisk-form", TEXT("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
	  HTTP_TARGET_ASTERISK, "a", "a", 0, "", NULL, false },
	{ "RFC 3986 3.2.2", "IPv6 literal",
	  TEXT("GET / HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\r\n"), HTTP_TARGET_ORIGIN,
	  "[2001:db8::1]:81", "2001:db8::1", 81, "/", NULL, false },
	{ "RFC 3986 3.2.3", "empty port", TEXT("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"),
	  HTTP_TARGET_ORIGIN, "a:", "a", 0, "/", NULL, false },
	{ "RFC 9112 3.2", "HTTP/1.0 without Host", TEXT("GET / HTTP/1.0\r\n\r\n"),
	  HTTP_TARGET_ORIGIN, "", "", 0, "/", NULL, false },
};

static void test_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(target_rows); i++) {
		const struct target_row *row = &target_rows[i];
		const struct http_head *h = head_of(row->head);

		ROW_NUMBER(row, "form", h->form, row->form);
		ROW_SPAN(row, "authority", h->authority, span_of(row->authority));
		ROW_SPAN(row, "host", h->host, span_of(row->host));
		ROW_NUMBER(row, "port", h->port, row->port);
		ROW_SPAN(row, "path", h->path, span_of(row->path));
		ROW_NUMBER(row, "has_query", h->has_query, row->query != NULL);
		ROW_SPAN(row, "query", h->query, span_of(row->query));
		ROW_NUMBER(row, "host_differs", h->host_differs, row->differs);
		ROW_NUMBER(row, "size", h->size, row->head.n);
	}
}

static void test_fields_are_trimmed_and_known(void **state)
{
	const struct http_head *h = head_of(SPAN("GET / HTTP/1.1\r\nhOsT:a\r\nX-Own: \t b\tc \t\r\n"
						 "ACCEPT:\r\nx-own:d\r\n\r\n"));
	unsigned iter = 0;

	(void)state;
	assert_int_equal(h->nfields, 4);
	assert_int_equal(h->fields[0].id, HTTP_FIELD_HOST);
	assert_int_equal(h->fields[1].id, HTTP_FIELD_UNKNOWN);
	assert_true(span_eq(h->fields[1].value, SPAN("b\tc")));
	assert_int_equal(h->fields[2].id, HTTP_FIELD_ACCEPT);
	assert_int_equal(h->fields[2].value.n, 0);
	assert_true(http_has(h, HTTP_FIELD_ACCEPT));
	assert_false(http_has(h, HTTP_FIELD_VIA));
	assert_ptr_equal(http_field_named(h, SPAN("X-OWN"), &iter), &h->fields[1]);
	assert_ptr_equal(http_field_named(h, SPAN("X-OWN"), &iter), &h->fields[3]);
	assert_null(http_field_named(h, SPAN("X-OWN"), &iter));
}

/* RFC 6585 5: as many fields as there is room for, and one more. */
static void test_field_limit(void **state)
{
	static struct http_head head;
	static char buf[64 + 5 * (CONFIG_FIELDS_MAX + 1)];

	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		size_t n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\nHost: a\r\n");

		for (unsigned i = 1; i < CONFIG_FIELDS_MAX + extra; i++)
			n += (size_t)sprintf(buf + n, "A:b\r\n");
		n += (size_t)sprintf(buf + n, "\r\n");
		assert_int_equal(http_request_parse(&head, buf, n),
				 extra ? -HTTP_REFUSED_TOO_MANY_FIELDS : 0);
	}
	assert_int_equal(head.nfields, CONFIG_FIELDS_MAX);
}

/* RFC 9112 3: a request line of the largest length, and one octet more. */
static void test_line_limit(void **state)
{
	static struct http_head head;
	static char buf[CONFIG_HTTP_LINE_MAX + 64];
	size_t path = CONFIG_HTTP_LINE_MAX - strlen("GET / HTTP/1.1") + 1;

	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		size_t n = (size_t)sprintf(buf, "GET ");

		memset(buf + n, '/', path + extra);
		n += path + extra;
		n += (size_t)sprintf(buf + n, " HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_int_equal(http_request_parse(&head, buf, n),
				 extra ? -HTTP_REFUSED_LINE_TOO_LONG : 0);
	}
}

/* Over all lines, as many octets as there may be, and one more. */
static void test_connection_limit(void **state)
{
	static struct http_head head;
	static char buf[CONFIG_HTTP_CONNECTION_MAX + 128];

	(void)state;
	for (unsigned extra = 0; extra < 2; extra++) {
		size_t n = (size_t)sprintf(buf,
					   "HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: ");

		memset(buf + n, 'x', CONFIG_HTTP_CONNECTION_MAX - 5 + extra);
		n += CONFIG_HTTP_CONNECTION_MAX - 5 + extra;
		n += (size_t)sprintf(buf + n, "\r\n\r\n");
		assert_int_equal(http_response_parse(&head, buf, n),
				 extra ? -HTTP_REFUSED_CONNECTION_TOO_LONG : 0);
	}
}

/* Each octet at each of 17 places of a value: only controls but HTAB are refused (RFC 9110 5.5). */
static void test_every_octet_everywhere_in_a_value(void **state)
{
	static struct http_head head;
	char text[] = "GET / HTTP/1.1\r\nHost: a\r\nA: 0123456789abcdefg\r\n\r\n";
	size_t value = (size_t)(strstr(text, "0123") - text), n = sizeof(text) - 1;

	(void)state;
	for (size_t at = 1; at < 16; at++) {
		char old = text[value + at];

		for (unsigned c = 0; c < 256; c++) {
			int want = c == '\n'   ? -HTTP_REFUSED_BARE_LF
				   : c == '\r' ? -HTTP_REFUSED_BARE_CR
				   : (c < 32 && c != '\t') || c == 127
					   ? -HTTP_REFUSED_FIELD_VALUE_INVALID
					   : 0;
			int rc;

			text[value + at] = (char)c;
			rc = http_request_parse(&head, text, n);
			if (rc != want)
				fail_msg("octet %u at %zu: %s", c, at, rc_text(rc));
		}
		text[value + at] = old;
	}
}

static void test_oversize(void **state)
{
	char line[CONFIG_HTTP_LINE_MAX + 1];

	(void)state;
	memset(line, 'a', sizeof(line));
	assert_int_equal(http_oversize(line, sizeof(line)), -HTTP_REFUSED_LINE_TOO_LONG);
	line[0] = '\r';
	line[1] = '\n';
	assert_int_equal(http_oversize(line, sizeof(line)), -HTTP_REFUSED_LINE_TOO_LONG);
	line[20] = '\n';
	assert_int_equal(http_oversize(line, sizeof(line)), -HTTP_REFUSED_HEAD_TOO_LARGE);
	assert_int_equal(http_refusal_info(-HTTP_REFUSED_LINE_TOO_LONG)->status, 414);
	assert_int_equal(http_refusal_info(-HTTP_REFUSED_HEAD_TOO_LARGE)->status, 431);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_every_prefix_is_incomplete),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_fields_are_trimmed_and_known),
		cmocka_unit_test(test_field_limit),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_connection_limit),
		cmocka_unit_test(test_every_octet_everywhere_in_a_value),
		cmocka_unit_test(test_oversize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
