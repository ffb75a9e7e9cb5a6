/* SPDX-License-Identifier: Apache-2.0 */
/* What may be stored, and which of its fields: RFC 9111 3, 3.1, 3.3, 3.5, 5.2.2; RFC 9110 15.1. */
#include "tests/unit/proxy/policy_table.h"

/* ---- may it be stored? ---------------------------------------------------------------------------- */

struct storing {
	const char *sentence;
	const char *what; /* NULL: GET */
	const char *req;
	unsigned status; /* 0: 200 */
	const char *resp;
	const char *expect; /* "stored" or "not: <token>" */
	const struct profile_class *class;
};

#define LM "Last-Modified: {-100000}\n"

static const struct profile_class pass_class = { PROFILE_PASS, -1, -1, -1, -1 };
static const struct profile_class forced_class = { PROFILE_OBJECT, -1, -1, 3600000, -1 };
static const struct profile_class default_class = { PROFILE_OBJECT, 600000, -1, -1, -1 };
static const struct profile_class keep_class = { PROFILE_OBJECT, -1, -1, -1, 86400000 };

static const struct storing storing_rows[] = {
	/* the method */
	{ "RFC 9111 3: a GET with explicit freshness is stored", NULL, NULL, 0,
	  "Cache-Control: max-age=60\n", "stored", NULL },
	{ "RFC 9111 3: a response to HEAD is not stored as a GET's", "HEAD", NULL, 0,
	  "Cache-Control: max-age=60\n", "not: not-get", NULL },
	{ "RFC 9111 3: a response to POST is not stored", "POST", NULL, 0,
	  "Cache-Control: max-age=60\nContent-Location: /dir/a?v=1\n", "not: unsafe-method", NULL },
	{ "RFC 9111 3: a response to PUT is not stored", "PUT", NULL, 0,
	  "Cache-Control: max-age=60\n", "not: unsafe-method", NULL },
	{ "RFC 9111 3: a response to DELETE is not stored", "DELETE", NULL, 0,
	  "Cache-Control: max-age=60\n", "not: unsafe-method", NULL },
	{ "RFC 9110 9.3.7: a response to OPTIONS is not cacheable", "OPTIONS", NULL, 0,
	  "Cache-Control: max-age=60\n", "not: method", NULL },
	{ "RFC 9110 9.3.8: a response to TRACE is not cacheable", "TRACE", NULL, 0,
	  "Cache-Control: max-age=60\n", "not: method", NULL },
	{ "RFC 9111 3: an unknown method is not understood, so not stored", "BREW", NULL, 0,
	  "Cache-Control: max-age=60\n", "not: unsafe-method", NULL },
	{ "RFC 9110 9.3.1: a GET with content is no request for a stored response", NULL,
	  "Content-Length: 3\n", 0, "Cache-Control: max-age=60\n", "not: request-body", NULL },
	{ "RFC 9110 9.3.1: a GET with Content-Length: 0 has no content", NULL,
	  "Content-Length: 0\n", 0, "Cache-Control: max-age=60\n", "stored", NULL },

	/* the status */
	{ "RFC 9111 3: an interim response is not stored (103)", NULL, NULL, 103,
	  "Cache-Control: max-age=60\n", "not: interim", NULL },
#define EXPLICIT(status)                                                                           \
	{                                                                                          \
		"RFC 9111 3: explicit freshness lets any final status be stored (" #status ")",    \
			NULL, NULL, status, "Cache-Control: max-age=60\n", "stored", NULL          \
	}
	EXPLICIT(200),
	EXPLICIT(201),
	EXPLICIT(202),
	EXPLICIT(203),
	EXPLICIT(204),
	EXPLICIT(205),
	EXPLICIT(226),
	EXPLICIT(299),
	EXPLICIT(300),
	EXPLICIT(301),
	EXPLICIT(302),
	EXPLICIT(303),
	EXPLICIT(305),
	EXPLICIT(306),
	EXPLICIT(307),
	EXPLICIT(308),
	EXPLICIT(399),
	EXPLICIT(400),
	EXPLICIT(401),
	EXPLICIT(403),
	EXPLICIT(404),
	EXPLICIT(405),
	EXPLICIT(406),
	EXPLICIT(408),
	EXPLICIT(409),
	EXPLICIT(410),
	EXPLICIT(411),
	EXPLICIT(413),
	EXPLICIT(414),
	EXPLICIT(415),
	EXPLICIT(417),
	EXPLICIT(418),
	EXPLICIT(421),
	EXPLICIT(422),
	EXPLICIT(426),
	EXPLICIT(429),
	EXPLICIT(451),
	EXPLICIT(499),
	EXPLICIT(500),
	EXPLICIT(501),
	EXPLICIT(502),
	EXPLICIT(503),
	EXPLICIT(504),
	EXPLICIT(505),
	EXPLICIT(599),
#define BY_DEFINITION(status)                                                                      \
	{                                                                                          \
		"RFC 9110 15.1: heuristically cacheable by definition (" #status ")", NULL, NULL,  \
			status, LM, "stored: heuristic", NULL                                      \
	}
	BY_DEFINITION(200),
	BY_DEFINITION(203),
	BY_DEFINITION(204),
	BY_DEFINITION(300),
	BY_DEFINITION(301),
	BY_DEFINITION(308),
	BY_DEFINITION(404),
	BY_DEFINITION(405),
	BY_DEFINITION(410),
	BY_DEFINITION(414),
	BY_DEFINITION(501),
#define NOT_BY_DEFINITION(status)                                                                  \
	{                                                                                          \
		"RFC 9110 15.1: not cacheable without explicit freshness (" #status ")", NULL,     \
			NULL, status, LM, "not: status", NULL                                      \
	}
	NOT_BY_DEFINITION(201),
	NOT_BY_DEFINITION(202),
	NOT_BY_DEFINITION(205),
	NOT_BY_DEFINITION(299),
	NOT_BY_DEFINITION(302),
	NOT_BY_DEFINITION(303),
	NOT_BY_DEFINITION(307),
	NOT_BY_DEFINITION(399),
	NOT_BY_DEFINITION(400),
	NOT_BY_DEFINITION(401),
	NOT_BY_DEFINITION(403),
	NOT_BY_DEFINITION(406),
	NOT_BY_DEFINITION(408),
	NOT_BY_DEFINITION(409),
	NOT_BY_DEFINITION(429),
	NOT_BY_DEFINITION(499),
	NOT_BY_DEFINITION(500),
	NOT_BY_DEFINITION(502),
	NOT_BY_DEFINITION(503),
	NOT_BY_DEFINITION(504),
	NOT_BY_DEFINITION(599),
	{ "RFC 9111 3: Expires alone is ground for storing any status", NULL, NULL, 302,
	  "Expires: {60}\n", "stored: explicit", NULL },
	{ "RFC 9111 3: s-maxage alone is ground for storing any status", NULL, NULL, 302,
	  "Cache-Control: s-maxage=60\n", "stored: explicit", NULL },
	{ "RFC 9111 4.2.2: public lets a heuristic be used for any status", NULL, NULL, 302,
	  "Cache-Control: public\n" LM, "stored: heuristic", NULL },
	{ "RFC 9111 3: must-revalidate alone is no ground for storing", NULL, NULL, 302,
	  "Cache-Control: must-revalidate\n" LM, "not: status", NULL },
	{ "RFC 9111 3: an unknown directive alone is no ground for storing", NULL, NULL, 302,
	  "Cache-Control: foo=1\n" LM, "not: status", NULL },
	{ "RFC 9111 3: a 304 is no response of its own", NULL, NULL, 304,
	  "Cache-Control: max-age=60\n", "not: not-modified", NULL },
	{ "RFC 9110 15.5.13: a 412 is about a condition", NULL, NULL, 412,
	  "Cache-Control: max-age=60\n", "not: not-modified", NULL },
	{ "RFC 9110 15.5.17: a 416 is about a range", NULL, "Range: bytes=9-\n", 416,
	  "Cache-Control: max-age=60\nContent-Range: bytes */5\n", "not: not-modified", NULL },

	/* no-store */
	{ "RFC 9111 5.2.2.5: no-store forbids storing", NULL, NULL, 0, "Cache-Control: no-store\n",
	  "not: no-store", NULL },
	{ "RFC 9111 5.2.2.5: no-store counts beside max-age", NULL, NULL, 0,
	  "Cache-Control: max-age=60, no-store\n", "not: no-store", NULL },
	{ "RFC 9111 5.2.2.5: no-store counts in another line", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nCache-Control: no-store\n", "not: no-store", NULL },
	{ "RFC 9111 5.2: directive names have no case (NO-STORE)", NULL, NULL, 0,
	  "Cache-Control: max-age=60, NO-STORE\n", "not: no-store", NULL },
	{ "RFC 9111 5.2: directive names have no case (No-StOrE)", NULL, NULL, 0,
	  "Cache-Control: No-StOrE, max-age=60\n", "not: no-store", NULL },
	{ "RFC 9111 5.2.2.5: no-store counts even with an argument it should not have", NULL, NULL,
	  0, "Cache-Control: no-store=1, max-age=60\n", "not: no-store", NULL },
	{ "RFC 9110 5.6.1: empty elements hide no directive", NULL, NULL, 0,
	  "Cache-Control: ,, no-store ,max-age=60\n", "not: no-store", NULL },
	{ "RFC 9111 5.2: no-store inside a quoted argument is not a directive", NULL, NULL, 0,
	  "Cache-Control: max-age=60, foo=\"a, no-store, b\"\n", "stored", NULL },
	{ "RFC 9111 5.2: a directive that only starts like no-store is another one", NULL, NULL, 0,
	  "Cache-Control: max-age=60, no-storex\n", "stored", NULL },
	{ "RFC 9111 5.2.1.5: a request's no-store forbids storing the response", NULL,
	  "Cache-Control: no-store\n", 0, "Cache-Control: max-age=60\n", "not: request-no-store",
	  NULL },
	{ "RFC 9111 5.4: Pragma: no-cache in a response means nothing", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nPragma: no-cache\n", "stored", NULL },

	/* must-understand */
	{ "RFC 9111 5.2.2.3: must-understand overrules no-store if the status is understood", NULL,
	  NULL, 0, "Cache-Control: no-store, must-understand, max-age=60\n", "stored", NULL },
	{ "RFC 9111 5.2.2.3: must-understand forbids storing a status not understood", NULL, NULL,
	  499, "Cache-Control: must-understand, max-age=60\n", "not: status-not-understood", NULL },
	{ "RFC 9111 5.2.2.3: no-store with must-understand and a status not understood", NULL, NULL,
	  299, "Cache-Control: no-store, must-understand, max-age=60\n",
	  "not: status-not-understood", NULL },
	{ "RFC 9111 5.2.2.3: must-understand alone lets an understood status be stored", NULL, NULL,
	  404, "Cache-Control: must-understand, max-age=60\n", "stored", NULL },

	/* private */
	{ "RFC 9111 5.2.2.7: a shared cache stores nothing private", NULL, NULL, 0,
	  "Cache-Control: private, max-age=60\n", "not: private", NULL },
	{ "RFC 9111 5.2.2.7: private counts in any case", NULL, NULL, 0,
	  "Cache-Control: Private, max-age=60\n", "not: private", NULL },
	{ "RFC 9111 5.2.2.7: private overrules public", NULL, NULL, 0,
	  "Cache-Control: public, private, max-age=60\n", "not: private", NULL },
	{ "RFC 9111 5.2.2.7: private overrules s-maxage", NULL, NULL, 0,
	  "Cache-Control: private, s-maxage=60\n", "not: private", NULL },
	{ "RFC 9111 5.2.2.7: private with field names lets the rest be stored", NULL, NULL, 0,
	  "Cache-Control: private=\"Set-Cookie\", max-age=60\nSet-Cookie: a=b\n", "stored", NULL },
	{ "RFC 9111 5.2.2.7: private with and without names is private", NULL, NULL, 0,
	  "Cache-Control: private=\"X\", private, max-age=60\n", "not: private", NULL },
	{ "RFC 9111 5.2.2.7: private with an empty list is private", NULL, NULL, 0,
	  "Cache-Control: private=\"\", max-age=60\n", "not: private", NULL },

	/* Authorization (3.5) */
	{ "RFC 9111 3.5: the response to an authorized request is not shared", NULL,
	  "Authorization: Basic eDp5\n", 0, "Cache-Control: max-age=60\n", "not: authorization",
	  NULL },
	{ "RFC 9111 3.5: ... not by Expires either", NULL, "Authorization: Basic eDp5\n", 0,
	  "Expires: {60}\n", "not: authorization", NULL },
	{ "RFC 9111 3.5: ... not by no-cache", NULL, "Authorization: Basic eDp5\n", 0,
	  "Cache-Control: no-cache, max-age=60\nETag: \"a\"\n", "not: authorization", NULL },
	{ "RFC 9111 3.5: ... not by proxy-revalidate", NULL, "Authorization: Basic eDp5\n", 0,
	  "Cache-Control: proxy-revalidate, max-age=60\n", "not: authorization", NULL },
	{ "RFC 9111 3.5: public allows sharing it", NULL, "Authorization: Basic eDp5\n", 0,
	  "Cache-Control: public, max-age=60\n", "stored", NULL },
	{ "RFC 9111 3.5: must-revalidate allows sharing it", NULL, "Authorization: Basic eDp5\n", 0,
	  "Cache-Control: must-revalidate, max-age=60\n", "stored", NULL },
	{ "RFC 9111 3.5: s-maxage allows sharing it", NULL, "Authorization: Basic eDp5\n", 0,
	  "Cache-Control: s-maxage=60\n", "stored", NULL },
	{ "RFC 9111 3.5: s-maxage=0 allows storing it for validation", NULL,
	  "Authorization: Basic eDp5\n", 0, "Cache-Control: s-maxage=0\nETag: \"a\"\n", "stored",
	  NULL },

	/* Vary, cookies, use */
	{ "RFC 9111 4.1: Vary: * matches nothing, so is not stored", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nVary: *\n", "not: vary-star", NULL },
	{ "RFC 9111 4.1: an asterisk among names is an asterisk", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nVary: Accept, *\n", "not: vary-star", NULL },
	{ "RFC 9111 4.1: an asterisk in another line is one, too", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nVary: Accept\nVary: *\n", "not: vary-star", NULL },
	{ "RFC 9111 4.1: an asterisk behind empty elements is one, too", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nVary: , , *\n", "not: vary-star", NULL },
	{ "RFC 9110 12.5.5: what is no field name in Vary counts as an asterisk", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nVary: a b\n", "not: vary-star", NULL },
	{ "RFC 9111 7.3: Set-Cookie does not keep explicit freshness from being stored", NULL, NULL,
	  0, "Cache-Control: max-age=60\nSet-Cookie: a=b\n", "stored", NULL },
	{ "RFC 9111 7.3: Set-Cookie and a guessed lifetime: prudence says no", NULL, NULL, 0,
	  LM "Set-Cookie: a=b\n", "not: set-cookie", NULL },
	{ "RFC 9111 4.3: stale from the start, with a validator: stored to be validated", NULL,
	  NULL, 0, "Cache-Control: max-age=0\nETag: \"a\"\n", "stored", NULL },
	{ "RFC 9111 4: stale from the start, without a validator: of no use", NULL, NULL, 0,
	  "Cache-Control: max-age=0\n", "not: no-use", NULL },
	{ "RFC 9111 4: no-cache without a validator: of no use", NULL, NULL, 0,
	  "Cache-Control: no-cache, max-age=60\n", "not: no-use", NULL },
	{ "RFC 9111 4: 200 without freshness and validator: of no use", NULL, NULL, 0, NULL,
	  "not: no-use", NULL },
	{ "RFC 5861 3: stale from the start, but usable while revalidating: stored", NULL, NULL, 0,
	  "Cache-Control: max-age=0, stale-while-revalidate=60\n", "stored", NULL },
	{ "RFC 5861 4: stale from the start, but usable on errors: stored", NULL, NULL, 0,
	  "Cache-Control: max-age=0, stale-if-error=60\n", "stored", NULL },
	{ "profile: stale from the start, but usable on errors: stored", NULL, NULL, 0,
	  "Cache-Control: max-age=0\n", "stored", &keep_class },
	{ "profile: an error without lifetime is not kept for errors", NULL, NULL, 404, NULL,
	  "not: no-use", &keep_class },

	/* parts */
	{ "RFC 9111 3.3: a 206 with a strong validator is stored as a part", NULL,
	  "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\nContent-Range: bytes 0-9/100\nContent-Length: "
	  "10\n",
	  "stored|part 0-9 of 100|status 200|strong", NULL },
	{ "RFC 9110 15.3.7: a 206 is cacheable by definition", NULL, "Range: bytes=0-9\n", 206,
	  LM "Content-Range: bytes 0-9/100\n", "stored: heuristic|part 0-9 of 100", NULL },
	{ "RFC 9111 3.4: a part with a weak validator is never combined", NULL,
	  "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: W/\"a\"\nContent-Range: bytes 0-9/100\n",
	  "stored|no-combine", NULL },
	{ "RFC 9111 3.4: a part without any validator is never combined", NULL,
	  "Range: bytes=0-9\n", 206, "Cache-Control: max-age=60\nContent-Range: bytes 0-9/100\n",
	  "stored|no-combine", NULL },
	{ "RFC 9110 15.3.7: a 206 must say which part it is", NULL, "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\n", "not: bad-partial", NULL },
	{ "RFC 9110 14.4: a Content-Range that ends before it begins is invalid", NULL,
	  "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\nContent-Range: bytes 9-0/100\n",
	  "not: bad-partial", NULL },
	{ "RFC 9110 14.4: a Content-Range behind the complete length is invalid", NULL,
	  "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\nContent-Range: bytes 0-100/100\n",
	  "not: bad-partial", NULL },
	{ "RFC 9110 14.4: another unit than bytes can't be placed", NULL, "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\nContent-Range: lines 0-9/100\n",
	  "not: bad-partial", NULL },
	{ "RFC 9110 14.4: a part of something of unknown length is not stored", NULL,
	  "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\nContent-Range: bytes 0-9/*\n",
	  "not: bad-partial", NULL },
	{ "RFC 9110 14.4: Content-Length must fit Content-Range", NULL, "Range: bytes=0-9\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\nContent-Range: bytes 0-9/100\nContent-Length: "
	  "11\n",
	  "not: bad-partial", NULL },
	{ "RFC 9110 14.6: multipart/byteranges has no Content-Range and is not stored", NULL,
	  "Range: bytes=0-1,4-5\n", 206,
	  "Cache-Control: max-age=60\nETag: \"a\"\nContent-Type: multipart/byteranges; "
	  "boundary=b\n",
	  "not: bad-partial", NULL },
	{ "RFC 9111 5.2.2.5: a part that forbids storing is not stored", NULL, "Range: bytes=0-9\n",
	  206, "Cache-Control: no-store\nETag: \"a\"\nContent-Range: bytes 0-9/100\n",
	  "not: no-store", NULL },

	/* the profile */
	{ "profile: what it passes through is not stored", NULL, NULL, 0,
	  "Cache-Control: max-age=60\n", "not: profile-pass", &pass_class },
	{ "profile: force_ttl overrules no-store", NULL, NULL, 0, "Cache-Control: no-store\n",
	  "stored: force-ttl", &forced_class },
	{ "profile: force_ttl overrules private", NULL, NULL, 0,
	  "Cache-Control: private, max-age=0\n", "stored: force-ttl", &forced_class },
	{ "profile: force_ttl overrules no-cache", NULL, NULL, 0, "Cache-Control: no-cache\n",
	  "stored: force-ttl|!no-cache", &forced_class },
	{ "profile: force_ttl does not overrule Vary: *", NULL, NULL, 0, "Vary: *\n",
	  "not: vary-star", &forced_class },
	{ "profile: force_ttl does not share what was authorized", NULL, "Authorization: a\n", 0,
	  NULL, "not: authorization", &forced_class },
	{ "profile: force_ttl does not overrule a request's no-store", NULL,
	  "Cache-Control: no-store\n", 0, NULL, "not: request-no-store", &forced_class },
	{ "profile: force_ttl is not for errors", NULL, NULL, 404, "Cache-Control: no-store\n",
	  "not: no-store", &forced_class },
	{ "profile: default_ttl where the origin says nothing", NULL, NULL, 0, NULL,
	  "stored: default-ttl", &default_class },
	{ "profile: default_ttl is not for errors", NULL, NULL, 404, NULL, "not: no-use",
	  &default_class },
	{ "profile: default_ttl gives way to the origin", NULL, NULL, 0,
	  "Cache-Control: max-age=60\n", "stored: explicit", &default_class },

	/* requests that are not for the store */
	{ "RFC 9111 5.2.1.6: no-transform of a request: nothing is transformed here", NULL,
	  "Cache-Control: no-transform\n", 0, "Cache-Control: max-age=60\n", "stored", NULL },
	{ "RFC 9111 5.2.2.6: no-transform of a response: stored as it came", NULL, NULL, 0,
	  "Cache-Control: no-transform, max-age=60\n", "stored: explicit", NULL },
	{ "RFC 9111 5.5: Warning says nothing about storing", NULL, NULL, 0,
	  "Cache-Control: max-age=60\nWarning: 110 - \"stale\"\n", "stored: explicit", NULL },
	{ "RFC 9110 13.1.1: If-Match is for the origin", NULL, "If-Match: \"a\"\n", 0,
	  "Cache-Control: max-age=60\n", "not: if-match", NULL },
	{ "RFC 9110 13.1.4: If-Unmodified-Since is for the origin", NULL,
	  "If-Unmodified-Since: {-5}\n", 0, "Cache-Control: max-age=60\n", "not: if-match", NULL },
};

static void storing_run(void **state)
{
	static struct exchange x;
	const struct storing *row = *state;
	struct text got = { 0 };

	exchange_run(&x, row->class, row->what, row->req, row->status, row->resp);
	say(&got, "%s: %s ", x.stored.store ? "stored" : "not",
	    policy_reason_info(x.stored.reason)->token);
	if (x.stored.partial)
		say(&got, "part %llu-%llu of %lld ", (unsigned long long)x.stored.range.first,
		    (unsigned long long)x.stored.range.last, (long long)x.stored.object.length);
	if (x.stored.store && policy_fresh(&x.stored.object).flags & FRESH_NO_CACHE)
		say(&got, "no-cache ");
	say(&got, "status %u %s", x.stored.object.status,
	    x.stored.object.flags & POLICY_F_NO_COMBINE ? "no-combine"
	    : policy_strong(&x.stored.object)		? "strong"
							: "weak");
	expect_text(&got, row->expect);
}

/* ---- which fields (3.1) ---------------------------------------------------------------------------- */

struct fields {
	const char *sentence;
	unsigned status;
	const char *resp; /* behind Cache-Control: max-age=60 unless it has its own */
	const char *expect;
};

static const struct fields fields_rows[] = {
#define STORED(name, value)                                                                        \
	{                                                                                          \
		"RFC 9111 3.1: every field is stored, " name " among them", 0,                     \
			name ": " value "\n", "\n" name ": " value "\n"                            \
	}
#define OMITTED(name, value, why)                                                                  \
	{                                                                                          \
		why ": " name " is not stored", 0, name ": " value "\n", "!" name ":"              \
	}
	STORED("X-Unknown", "1"),
	STORED("Content-Type", "text/plain"),
	STORED("Content-Encoding", "gzip"),
	STORED("Content-Language", "en"),
	STORED("Content-Location", "/b"),
	STORED("Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ=="),
	STORED("Content-Disposition", "attachment"),
	STORED("Content-Security-Policy", "default-src 'self'"),
	STORED("Clear-Site-Data", "\"cache\""),
	STORED("ETag", "\"a\""),
	STORED("Last-Modified", "{-100}"),
	STORED("Expires", "{100}"),
	STORED("Set-Cookie", "a=b"),
	STORED("Set-Cookie2", "a=b"),
	STORED("Server", "s"),
	STORED("Link", "</x>; rel=next"),
	STORED("Allow", "GET"),
	STORED("Retry-After", "3"),
	STORED("Vary", "Accept"),
	STORED("Via", "1.1 other"),
	STORED("Warning", "199 - \"x\""),
	STORED("Strict-Transport-Security", "max-age=5"),
	STORED("Accept-Ranges", "bytes"),
	STORED("X-Frame-Options", "DENY"),
	STORED("Access-Control-Allow-Origin", "*"),
	STORED("WWW-Authenticate", "Basic realm=\"x\""),
	STORED("Pragma", "no-cache"),
	OMITTED("Connection", "close", "RFC 9110 7.6.1"),
	OMITTED("Keep-Alive", "timeout=5", "RFC 9110 7.6.1"),
	OMITTED("Proxy-Connection", "keep-alive", "RFC 9110 7.6.1"),
	OMITTED("TE", "trailers", "RFC 9110 7.6.1"),
	OMITTED("Transfer-Encoding", "chunked", "RFC 9110 7.6.1"),
	OMITTED("Upgrade", "h2c", "RFC 9110 7.6.1"),
	OMITTED("Trailer", "X-Sum", "RFC 9110 6.6.2 (trailers are not kept)"),
	OMITTED("Proxy-Authenticate", "Basic realm=\"x\"", "RFC 9111 3.1"),
	OMITTED("Proxy-Authentication-Info", "x", "RFC 9111 3.1"),
	OMITTED("Proxy-Authorization", "Basic eDp5", "RFC 9111 3.1"),
	OMITTED("Content-Length", "5", "the record's length says it"),
	OMITTED("Age", "5", "RFC 9111 5.1 (made anew at each use)"),
	{ "RFC 9110 7.6.1: a field that Connection names is not stored", 0,
	  "Connection: X-Mine\nX-Mine: 1\nX-Other: 2\n", "!X-Mine|X-Other: 2" },
	{ "RFC 9110 7.6.1: ... named in any case, in a list, in a second line", 0,
	  "Connection: a\nConnection: close, x-mine\nX-Mine: 1\nA: 2\nB: 3\n",
	  "!X-Mine|!\nA: 2|B: 3" },
	{ "RFC 9110 7.6.1: Connection can't take Cache-Control away", 0,
	  "Connection: Cache-Control\n", "Cache-Control: max-age=60" },
	{ "RFC 9110 5.3: several lines of one name are all stored, in their order", 0,
	  "Set-Cookie: a=1\nSet-Cookie: b=2\n", "Set-Cookie: a=1\nSet-Cookie: b=2\n" },
	{ "RFC 9111 5.2.2.4: fields that no-cache names are left out", 0,
	  "Cache-Control: max-age=60, no-cache=\"a, B\"\nA: 1\nB: 2\nC: 3\n",
	  "B\"\nC: 3\n|private A: 1\nB: 2" },
	{ "RFC 9111 5.2.2.4: ... also a single one, not quoted", 0,
	  "Cache-Control: max-age=60, no-cache=a\nA: 1\nC: 3\n", "!\nA: 1|C: 3" },
	{ "RFC 9111 5.2.2.7: fields that private names are not stored", 0,
	  "Cache-Control: max-age=60, private=\"set-cookie\"\nSet-Cookie: 1\nC: 3\n",
	  "!\nSet-Cookie|C: 3|private Set-Cookie: 1" },
	{ "RFC 9110 6.6.1: a response without Date gets the time it came", 0, "X: 1\n",
	  "Date: {0}\n" },
	{ "RFC 9110 6.6.1: the origin's Date is kept", 0, "Date: {-50}\n", "Date: {-50}\n|!{0}" },
	{ "RFC 9110 6.6.1: an invalid Date is replaced", 0, "Date: yesterday\n",
	  "Date: {0}\n|!yesterday" },
	{ "RFC 9111 3.3: the Content-Range of a part is not stored with the whole", 206,
	  "Content-Range: bytes 0-1/5\nETag: \"a\"\n", "!Content-Range" },
	{ "RFC 9110 14.4: a Content-Range in a 200 means nothing, and stays", 0,
	  "Content-Range: bytes 0-1/5\n", "Content-Range: bytes 0-1/5|whole-only" },
	{ "RFC 9110 8.8.3: an entity tag is taken as it is", 0, "ETag: W/\"x\"\n", "etag W/\"x\"" },
	{ "RFC 9110 8.8.3: a tag without quotes is none", 0, "ETag: abc\n", "etag -|ETag: abc" },
	{ "RFC 9112 6: the length is known by Content-Length", 0, "Content-Length: 12\n",
	  "length 12" },
	{ "RFC 9112 6: without Content-Length it is not known", 0, "X: 1\n", "length -1" },
};

static void fields_run(void **state)
{
	static struct exchange x;
	const struct fields *row = *state;
	struct text lines = { 0 }, got = { 0 };
	const struct object *o = &x.stored.object;

	if (!strstr(row->resp, "Cache-Control: "))
		say(&lines, "Cache-Control: max-age=60\n");
	say(&lines, "%s", row->resp);
	exchange_run(&x, NULL, NULL, NULL, row->status, lines.p);
	assert_true(x.stored.store);
	say(&got, "\r\n%.*setag %.*s length %lld %s private %.*s", SPAN_FMT(o->fields),
	    SPAN_FMT(o->etag.n ? o->etag : SPAN("-")), (long long)o->length,
	    o->flags & POLICY_F_WHOLE_ONLY ? "whole-only" : "", SPAN_FMT(x.stored.private_fields));
	expect_text(&got, row->expect);
}

/* What is not stored is passed on with all that is end-to-end. */
static void not_stored_keeps_fields(void **state)
{
	static struct exchange x;
	struct text got = { 0 };

	(void)state;
	exchange_run(&x, NULL, NULL, NULL, 200,
		     "Cache-Control: no-store, private=\"a\"\nA: 1\nConnection: x\nX: 1\n");
	assert_false(x.stored.store);
	say(&got, "%.*s", SPAN_FMT(x.stored.object.fields));
	expect_text(&got, "A: 1\n|!X: 1|!Connection");
	assert_int_equal(x.stored.private_fields.n, 0);
}

static void too_small_buffer_is_told(void **state)
{
	static struct exchange x;
	struct policy_env env = env_at(0);
	char small[60];

	(void)state;
	exchange_run(&x, NULL, NULL, NULL, 200, "Cache-Control: max-age=60\nX-Long: 12345678\n");
	assert_int_equal(policy_response(&x.policy, &x.resp.head, &times_first, &env, small,
					 sizeof(small), &x.stored, NULL),
			 -EMSGSIZE);
}

int main(void)
{
	static struct tables all;
	static const struct CMUnitTest others[] = {
		{ "RFC 9110 7.6: what is not stored is passed on, end-to-end fields alone",
		  not_stored_keeps_fields, NULL, NULL, NULL },
		{ "a head too large for the buffer is an error, not cut", too_small_buffer_is_told,
		  NULL, NULL, NULL },
	};

	TABLE(&all, storing_rows, storing_run);
	TABLE(&all, fields_rows, fields_run);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		all.tests[all.n++] = others[i];
	return tables_run("policy_storing", &all);
}
