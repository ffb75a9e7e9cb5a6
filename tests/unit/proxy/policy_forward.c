/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes upstream, and what an unsafe request takes with it: RFC 9110 7.6, 9.2, 13.1, 14.2; RFC 9111 4.3.1,
 * 4.4; RFC 9112 3.2, 6.1.
 */
#include "tests/unit/proxy/policy_table.h"

#define STORED_TAG  "Cache-Control: max-age=60\nETag: \"a\"\n"
#define STORED_WEAK "Cache-Control: max-age=60\nETag: W/\"a\"\n"
#define STORED_DATE "Cache-Control: max-age=60\nLast-Modified: {-5000}\n"
#define STORED_BOTH STORED_TAG "Last-Modified: {-5000}\n"

struct forward {
	const char *sentence;
	const char *what, *req;
	bool relay;
	enum policy_cond cond;
	const char *stored;
	const char *expect;
	const char *range; /* "first-last" or "first-" */
	const char *others[2];
};

#define NONE   POLICY_COND_NONE
#define OURS   POLICY_COND_OURS
#define DEVICE POLICY_COND_DEVICE

static const struct forward forward_rows[] = {
	/* the line and Host */
	{ "RFC 9112 3.2.1: the target goes in origin-form", "GET http://updates.example.com/x",
	  NULL, false, NONE, NULL, "GET /target HTTP/1.1\nHost: updates.example.com\n" },
	{ "RFC 9110 7.6.3: Via says that we were there", NULL, NULL, false, NONE, NULL,
	  "\nVia: 1.1 tarn\n" },
	{ "RFC 9110 7.6.3: ... behind those that were before", NULL, "Via: 1.0 other\n", false,
	  NONE, NULL, "\nVia: 1.0 other\nVia: 1.1 tarn\n" },
	{ "RFC 9112 3.2: one Host field, first", NULL, NULL, true, NONE, NULL,
	  "HTTP/1.1\nHost: updates.example.com\n|!Host: updates.example.com\nHost" },

/* hop-by-hop */
#define DROPPED(name, value)                                                                       \
	{                                                                                          \
		"RFC 9110 7.6.1: " name " stays here", NULL, name ": " value "\n", true, NONE,     \
			NULL, "!\n" name                                                           \
	}
#define PASSED(name, value)                                                                        \
	{                                                                                          \
		"RFC 9110 7.6: " name " is passed on", NULL, name ": " value "\n", false, NONE,    \
			NULL, "\n" name ": " value "\n"                                            \
	}
	DROPPED("Connection", "close"),
	DROPPED("Keep-Alive", "timeout=3"),
	DROPPED("Proxy-Connection", "keep-alive"),
	DROPPED("TE", "trailers"),
	DROPPED("Trailer", "X"),
	DROPPED("Upgrade", "h2c"),
	DROPPED("Proxy-Authorization", "Basic eDp5"),
	{ "RFC 9110 7.6.1: what Connection names stays here", NULL,
	  "Connection: close, X-Mine\nX-Mine: 1\nX-Other: 2\n", true, NONE, NULL,
	  "!X-Mine|X-Other: 2" },
	{ "RFC 9110 7.6.1: ... Connection can't take Host away", NULL, "Connection: Host\n", true,
	  NONE, NULL, "\nHost: updates.example.com\n" },
	PASSED("X-Unknown", "1"),
	PASSED("User-Agent", "u/1"),
	PASSED("Accept-Encoding", "gzip"),
	PASSED("Authorization", "Basic eDp5"),
	PASSED("Cookie", "a=b"),
	PASSED("Cache-Control", "no-cache"),
	PASSED("Pragma", "no-cache"),
	{ "RFC 9110 5.3: several lines keep their order", NULL, "X: 1\nX: 2\n", false, NONE, NULL,
	  "X: 1\nX: 2\n" },

	/* for the cache: a resource, not a part or a condition */
	{ "RFC 9111 4: for the cache, the device's range stays here", NULL,
	  "Range: bytes=0-1\nIf-Range: \"x\"\n", false, NONE, NULL, "!Range" },
	{ "RFC 9111 4: for the cache, the device's conditions stay here", NULL,
	  "If-None-Match: \"x\"\nIf-Modified-Since: {0}\n", false, NONE, NULL,
	  "!If-None-Match|!If-Modified-Since" },
	{ "RFC 9111 4.3.2: nothing stored: the device's conditions are for the origin", NULL,
	  "If-None-Match: \"x\"\nIf-Modified-Since: {0}\nRange: bytes=0-1\n", false, DEVICE, NULL,
	  "If-None-Match: \"x\"\n|If-Modified-Since: {0}\n|!Range" },
	{ "RFC 9111 4.3.1: the stored tag is the condition", NULL, NULL, false, OURS, STORED_TAG,
	  "If-None-Match: \"a\"\n|!If-Modified-Since" },
	{ "RFC 9111 4.3.1: a weak tag, too", NULL, NULL, false, OURS, STORED_WEAK,
	  "If-None-Match: W/\"a\"\n" },
	{ "RFC 9111 4.3.1: the stored date is the condition", NULL, NULL, false, OURS, STORED_DATE,
	  "If-Modified-Since: {-5000}\n|!If-None-Match" },
	{ "RFC 9111 4.3.1: both, if there are both", NULL, NULL, false, OURS, STORED_BOTH,
	  "If-None-Match: \"a\"\nIf-Modified-Since: {-5000}\n" },
	{ "RFC 9111 4.3.1: ours, not the device's", NULL,
	  "If-None-Match: \"x\"\nIf-Modified-Since: {0}\n", false, OURS, STORED_BOTH,
	  "If-None-Match: \"a\"|!\"x\"|!{0}" },
	{ "RFC 9111 4.3.1: the tags of other variants", NULL, NULL, false, OURS, NULL,
	  "\nIf-None-Match: \"b\", W/\"c\"\n|!If-Modified-Since",
	  .others = { STORED_DATE "ETag: \"b\"\n", STORED_DATE "ETag: W/\"c\"\n" } },
	{ "RFC 9111 4.3.1: ... each once", NULL, NULL, false, OURS, NULL,
	  "\nIf-None-Match: \"a\"\n", .others = { STORED_TAG, STORED_BOTH } },
	{ "RFC 9111 4.3.1: ... in the place of the device's", NULL, "If-Modified-Since: {0}\n",
	  false, OURS, NULL, "\nIf-None-Match: \"a\"\n|!If-Modified-Since",
	  .others = { STORED_TAG } },
	{ "RFC 9111 4.3.1: without validators no condition", NULL, NULL, false, OURS,
	  "Cache-Control: max-age=60\n", "!If-" },
	{ "RFC 9110 8.8.3: what is no tag is no condition", NULL, NULL, false, OURS,
	  "Cache-Control: max-age=60\nETag: a\n", "!If-" },

	/* ranges of ours */
	{ "RFC 9110 14.2: a range of ours", NULL, NULL, false, NONE, NULL,
	  "Range: bytes=10-19\n|!If-", "10-19" },
	{ "RFC 9110 14.2: a range of ours with an open end", NULL, NULL, false, NONE, NULL,
	  "Range: bytes=10-\n", "10-" },
	{ "RFC 9110 14.2: ours, not the device's", NULL, "Range: bytes=0-1\n", false, NONE, NULL,
	  "Range: bytes=10-19\n|!0-1\n", "10-19" },
	{ "RFC 9110 13.1.5: of the stored object, or else the whole", NULL, NULL, false, NONE,
	  STORED_TAG, "Range: bytes=10-19\nIf-Range: \"a\"\n", "10-19" },
	{ "RFC 9110 13.1.5: a strong date does as well", NULL, NULL, false, NONE, STORED_DATE,
	  "If-Range: {-5000}\n", "10-19" },
	{ "RFC 9110 13.1.5: the tag, if there are both", NULL, NULL, false, NONE, STORED_BOTH,
	  "If-Range: \"a\"\n", "10-19" },
	{ "RFC 9110 13.1.5: the device's tag, if nothing is stored", NULL,
	  "Range: bytes=12-\nIf-Range: \"x\"\n", false, NONE, NULL,
	  "Range: bytes=10-19\nIf-Range: \"x\"\n", "10-19" },
	{ "RFC 9110 13.1.5: the device's date, too", NULL, "Range: bytes=12-\nIf-Range: {-5000}\n",
	  false, NONE, NULL, "Range: bytes=10-19\nIf-Range: {-5000}\n", "10-19" },
	{ "RFC 9110 13.1.5: nothing that is neither", NULL,
	  "Range: bytes=12-\nIf-Range: Wed, 1 Jan\n", false, NONE, NULL, "!If-Range", "10-19" },
	{ "RFC 9110 13.1.5: not the device's beside what is stored", NULL,
	  "Range: bytes=12-\nIf-Range: \"x\"\n", false, NONE, STORED_TAG,
	  "If-Range: \"a\"\n|!\"x\"", "10-19" },
	{ "RFC 9110 13.1.5: no weak tag of the device's", NULL,
	  "Range: bytes=12-\nIf-Range: W/\"x\"\n", false, NONE, NULL, "!If-Range", "10-19" },
	{ "RFC 9110 13.1.5: two lines of If-Range are none", NULL,
	  "Range: bytes=12-\nIf-Range: \"x\"\nIf-Range: \"x\"\n", false, NONE, NULL, "!If-Range",
	  "10-19" },
	{ "RFC 9110 13.1.5: a weak tag is never sent in If-Range", NULL, NULL, false, NONE,
	  STORED_WEAK, "!If-Range", "10-19" },

	/* relayed: what the device said */
	{ "RFC 9110 7.6: relayed, ranges and conditions are passed on", NULL,
	  "Range: bytes=0-1\nIf-Range: \"x\"\nIf-None-Match: \"y\"\nIf-Match: \"z\"\n"
	  "If-Unmodified-Since: {0}\n",
	  true, NONE, NULL,
	  "Range: bytes=0-1\n|If-Range: \"x\"\n|If-None-Match: \"y\"\n|If-Match: "
	  "\"z\"\n|If-Unmodified-Since: {0}\n" },
	{ "RFC 9110 8.6: relayed, Content-Length is passed on", "POST", "Content-Length: 3\n", true,
	  NONE, NULL, "POST /target HTTP/1.1\n|Content-Length: 3\n" },
	{ "RFC 9112 6.1: relayed, chunked stays chunked", "POST", "Transfer-Encoding: chunked\n",
	  true, NONE, NULL, "Transfer-Encoding: chunked\n|!Content-Length" },
	{ "RFC 9110 10.1.1: relayed, an expectation is passed on", "POST",
	  "Content-Length: 3\nExpect: 100-continue\n", true, NONE, NULL, "Expect: 100-continue\n" },
	{ "RFC 9110 9.1: an unknown method is passed on", "M-SEARCH", NULL, true, NONE, NULL,
	  "M-SEARCH /target HTTP/1.1\n" },
	{ "RFC 9110 7.6.2: Max-Forwards counts down (TRACE)", "TRACE", "Max-Forwards: 5\n", true,
	  NONE, NULL, "Max-Forwards: 4\n" },
	{ "RFC 9110 7.6.2: Max-Forwards counts down (OPTIONS)", "OPTIONS", "Max-Forwards: 1\n",
	  true, NONE, NULL, "Max-Forwards: 0\n" },
	{ "RFC 9110 14.5: a part that is put goes on as a part", "PUT",
	  "Content-Range: bytes 0-1/4\nContent-Length: 2\n", true, NONE, NULL,
	  "Content-Range: bytes 0-1/4\n" },
	{ "RFC 9110 7.6.2: in other methods it is passed on as it is", "POST", "Max-Forwards: 5\n",
	  true, NONE, NULL, "Max-Forwards: 5\n" },
};

static void forward_run(void **state)
{
	static struct exchange x;
	static struct message m;
	static char buf[POLICY_HEAD_MAX];
	const struct forward *row = *state;
	struct policy_forward what = {
		.request = make_request(&m, row->what, row->req),
		.target = SPAN("/target"),
		.pseudonym = SPAN("tarn"),
		.relay = row->relay,
		.cond = row->cond,
	};
	struct text got = { 0 };
	size_t n;

	if (row->stored) {
		exchange_run(&x, NULL, NULL, NULL, 200, row->stored);
		what.stored = &x.stored.object;
	}
	for (; what.others_n < ARRAY_LEN(row->others) && row->others[what.others_n];
	     what.others_n++) {
		static struct exchange y[2];

		exchange_run(&y[what.others_n], NULL, NULL, NULL, 200, row->others[what.others_n]);
		what.others[what.others_n] = &y[what.others_n].stored.object;
	}
	if (row->range) {
		char *end;

		what.has_range = true;
		what.range.first = strtoull(row->range, &end, 10);
		what.range.last = end[1] ? strtoull(end + 1, NULL, 10) : RANGE_UNKNOWN;
	}
	assert_int_equal(policy_forward(&what, buf, sizeof(buf), &n), 0);
	say(&got, "%.*s", (int)n, buf);
	expect_text(&got, row->expect);
	assert_int_equal(http_request_parse(&m.head, buf, n), 0);
}

static void authority_is_replaced(void **state)
{
	static struct message m;
	char buf[512];
	struct policy_forward what = {
		.request = make_request(&m, NULL, NULL),
		.target = SPAN("/"),
		.authority = SPAN("m2.example.net:8080"),
		.pseudonym = SPAN("tarn"),
	};
	struct text got = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(policy_forward(&what, buf, sizeof(buf), &n), 0);
	say(&got, "%.*s", (int)n, buf);
	expect_text(&got, "\nHost: m2.example.net:8080\n|!updates.example.com");
	assert_int_equal(policy_forward(&what, buf, n - 1, &n), -EMSGSIZE);
	what.target = SPAN("/a b");
	assert_int_equal(policy_forward(&what, buf, sizeof(buf), &n), -EINVAL);
}

/* ---- invalidation (RFC 9111 4.4) --------------------------------------------------------------------- */

struct invalidation {
	const char *sentence;
	const char *what; /* NULL: POST; the target is /dir/a?v=1 */
	unsigned status;
	const char *resp;
	const char *expect; /* all that is invalid, in <> */
};

#define TARGET "</dir/a?v=1>"

static const struct invalidation invalid_rows[] = {
#define INVALIDATES(method)                                                                        \
	{                                                                                          \
		"RFC 9111 4.4: a success of " method " invalidates its target", method, 200, NULL, \
			TARGET                                                                     \
	}
	INVALIDATES("POST"),
	INVALIDATES("PUT"),
	INVALIDATES("DELETE"),
	INVALIDATES("PATCH"),
	INVALIDATES("M-SEARCH"),
#define HARMLESS(method)                                                                           \
	{                                                                                          \
		"RFC 9110 9.2.1: " method " is safe and invalidates nothing", method, 200, NULL,   \
			"none"                                                                     \
	}
	HARMLESS("GET"),
	HARMLESS("HEAD"),
	HARMLESS("OPTIONS"),
	HARMLESS("TRACE"),
#define BY_STATUS(status, outcome)                                                                 \
	{                                                                                          \
		"RFC 9111 4.4: by a non-error status alone (" #status ")", NULL, status, NULL,     \
			outcome                                                                    \
	}
	BY_STATUS(201, TARGET),
	BY_STATUS(204, TARGET),
	BY_STATUS(299, TARGET),
	BY_STATUS(302, TARGET),
	BY_STATUS(303, TARGET),
	BY_STATUS(399, TARGET),
	BY_STATUS(100, "none"),
	BY_STATUS(400, "none"),
	BY_STATUS(404, "none"),
	BY_STATUS(409, "none"),
	BY_STATUS(500, "none"),
	BY_STATUS(503, "none"),
	{ "RFC 9111 4.4: Location goes, too", NULL, 201,
	  "Location: http://updates.example.com/new\n", TARGET "</new>" },
	{ "RFC 9111 4.4: Content-Location goes, too", NULL, 200,
	  "Content-Location: http://updates.example.com/new\n", TARGET "</new>" },
	{ "RFC 9111 4.4: both", NULL, 201, "Location: /l\nContent-Location: /c\n",
	  TARGET "</l></c>" },
	{ "RFC 9111 4.4: not on another host", NULL, 201,
	  "Location: http://other.example.com/new\n", "!/new|" TARGET },
	{ "RFC 9111 4.4: not on a host that starts alike", NULL, 201,
	  "Location: http://updates.example.com.evil.test/new\n", "!/new" },
	{ "RFC 9111 4.4: not with user information before the host", NULL, 201,
	  "Location: http://updates.example.com@evil.test/new\n", "!/new" },
	{ "RFC 9111 4.4: not on another port", NULL, 201,
	  "Location: http://updates.example.com:8080/new\n", "!/new" },
	{ "RFC 9111 4.4: not by another scheme", NULL, 201,
	  "Location: https://updates.example.com/new\n", "!/new" },
	{ "RFC 9110 4.2.3: the default port may be written", NULL, 201,
	  "Location: http://updates.example.com:80/new\n", "</new>" },
	{ "RFC 9110 4.2.3: scheme and host have no case", NULL, 201,
	  "Location: HTTP://Updates.EXAMPLE.com/new\n", "</new>" },
	{ "RFC 3986 4.2: a reference without a scheme", NULL, 201,
	  "Location: //updates.example.com/new\n", "</new>" },
	{ "RFC 3986 4.2: a path", NULL, 201, "Location: /new?x=1\n", "</new?x=1>" },
	{ "RFC 3986 5.2.3: a relative path", NULL, 201, "Location: new?x=1\n", "</dir/new?x=1>" },
	{ "RFC 3986 5.2.3: a relative path upwards", NULL, 201, "Location: ../new\n",
	  "</dir/../new>" },
	{ "RFC 3986 5.2.2: a query alone", NULL, 201, "Location: ?v=2\n", "</dir/a?v=2>" },
	{ "RFC 3986 5.2.2: a fragment alone is the target", NULL, 201, "Location: #f\n",
	  TARGET TARGET },
	{ "RFC 3986 3.5: a fragment is no part of it", NULL, 201, "Location: /new#f?x\n",
	  "</new>" },
	{ "RFC 3986 3: a host without path", NULL, 201, "Location: http://updates.example.com\n",
	  "<>" },
	{ "RFC 3986 3.1: another kind of URI is none of ours", NULL, 201, "Location: urn:a:b\n",
	  TARGET "|!urn" },
	{ "RFC 9111 4.4: Location in an error counts for nothing", NULL, 400, "Location: /new\n",
	  "none" },
	{ "RFC 9111 4.4: Location in the answer to a GET counts for nothing", "GET", 302,
	  "Location: /new\n", "none" },
};

static void invalid_run(void **state)
{
	static struct message m, answer;
	const struct invalidation *row = *state;
	struct policy_origin origin;
	struct policy_invalid invalid;
	char buf[1024];
	struct text got = { 0 };

	make_request(&m, row->what ? row->what : "POST", NULL);
	origin = policy_origin(SPAN("http"), &m.head, (struct span){ 0 });
	policy_invalidate(&m.head, &origin, make_response(&answer, row->status, row->resp), buf,
			  sizeof(buf), &invalid, NULL);
	for (unsigned i = 0; i < invalid.n; i++)
		say(&got, "<%.*s%s%.*s>", SPAN_FMT(invalid.uri[i].path),
		    invalid.uri[i].has_query ? "?" : "", SPAN_FMT(invalid.uri[i].query));
	say(&got, "%s", invalid.n ? "" : "none");
	expect_text(&got, row->expect);
}

static void little_room_keeps_the_target(void **state)
{
	static struct message m, answer;
	struct policy_origin origin;
	struct policy_invalid invalid;
	char buf[4];

	(void)state;
	make_request(&m, "POST", NULL);
	origin = policy_origin(SPAN("http"), &m.head, (struct span){ 0 });
	policy_invalidate(&m.head, &origin, make_response(&answer, 201, "Location: relative\n"),
			  buf, sizeof(buf), &invalid, NULL);
	assert_int_equal(invalid.n, 1);
}

/* As an update source we ask for /dir/a at another host than the device named: that one knows itself. */
static void a_source_has_its_own_name(void **state)
{
	static struct message m, answer;
	struct policy_origin origin;
	struct policy_invalid invalid;
	char buf[64];

	(void)state;
	make_request(&m, "POST", NULL);
	origin = policy_origin(SPAN("http"), &m.head, SPAN("vendor.example:8080"));
	policy_invalidate(&m.head, &origin,
			  make_response(&answer, 201,
					"Location: http://vendor.example:8080/new\n"
					"Content-Location: http://updates.example.com/old\n"),
			  buf, sizeof(buf), &invalid, NULL);
	assert_int_equal(invalid.n, 2);
	assert_true(span_eq(invalid.uri[1].path, SPAN("/new")));
}

int main(void)
{
	static struct tables all;
	static const struct CMUnitTest others[] = {
		{ "RFC 9110 7.2: the Host field names whom we ask", authority_is_replaced, NULL,
		  NULL, NULL },
		{ "RFC 9111 4.4: the same host is the one that was asked",
		  a_source_has_its_own_name, NULL, NULL, NULL },
		{ "limits: without room the target is invalidated all the same",
		  little_room_keeps_the_target, NULL, NULL, NULL },
	};

	TABLE(&all, forward_rows, forward_run);
	TABLE(&all, invalid_rows, invalid_run);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		all.tests[all.n++] = others[i];
	return tables_run("policy_forward", &all);
}
