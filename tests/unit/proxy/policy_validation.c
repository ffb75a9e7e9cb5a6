/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation and what it changes: RFC 9111 3.2, 4.3.1, 4.3.3, 4.3.4, 4.3.5; RFC 5861 4. `resp` is stored at T0;
 * it is stale 100 seconds later, when `answer` comes to its validation.
 */
#include "tests/unit/proxy/policy_table.h"

#define LATER 100

struct validation {
	const char *sentence;
	const char *resp;
	unsigned status; /* of the answer; 0: none came */
	const char *answer;
	const char *expect; /* outcome, then the new record */
	const char *req;
	const struct profile_class *class;
};

#define STALE  "Cache-Control: max-age=60\n"
#define TAGGED STALE "ETag: \"a\"\n"
#define DATED  STALE "Last-Modified: {-5000}\n"

static const struct profile_class keep_class = { PROFILE_OBJECT, -1, -1, -1, 50000 };
static const struct profile_class never_class = { PROFILE_OBJECT, -1, -1, -1, 0 };

static const struct validation select_rows[] = {
	/* what may not be kept is not updated */
	{ "RFC 9111 5.2.2.5: no-store in a 304 forbids keeping what is stored", TAGGED, 304,
	  "ETag: \"a\"\nCache-Control: no-store, max-age=60\n", "again" },
	{ "RFC 9111 5.2.2.7: private in a 304 does, too", TAGGED, 304,
	  "ETag: \"a\"\nCache-Control: private, max-age=60\n", "again" },
	{ "RFC 9111 5.2.2.7: private with field names in a 304 does not", TAGGED, 304,
	  "ETag: \"a\"\nCache-Control: private=\"x\", max-age=60\n", "updated" },
	{ "RFC 9111 3.5: a 304 to an authorized request that takes public away",
	  "Cache-Control: public, max-age=60\nETag: \"a\"\n", 304,
	  "ETag: \"a\"\nCache-Control: max-age=60\n", "again", "Authorization: Basic eDp5\n" },
	{ "RFC 9111 3.5: ... and one that leaves it",
	  "Cache-Control: public, max-age=60\nETag: \"a\"\n", 304, "ETag: \"a\"\n", "updated",
	  "Authorization: Basic eDp5\n" },
	/* 4.3.4: which */
	{ "RFC 9111 4.3.4: the same strong tag confirms", TAGGED, 304, "ETag: \"a\"\n", "updated" },
	{ "RFC 9111 4.3.4: another strong tag does not", TAGGED, 304, "ETag: \"b\"\n", "again" },
	{ "RFC 9111 4.3.4: tags are compared with their case", TAGGED, 304, "ETag: \"A\"\n",
	  "again" },
	{ "RFC 9111 4.3.4: a strong tag does not confirm a weak one", STALE "ETag: W/\"a\"\n", 304,
	  "ETag: \"a\"\n", "again" },
	{ "RFC 9111 4.3.4: a weak tag confirms the same weak one", STALE "ETag: W/\"a\"\n", 304,
	  "ETag: W/\"a\"\n", "updated" },
	{ "RFC 9111 4.3.4: a weak tag confirms the corresponding strong one", TAGGED, 304,
	  "ETag: W/\"a\"\n", "updated" },
	{ "RFC 9111 4.3.4: another weak tag does not", TAGGED, 304, "ETag: W/\"b\"\n", "again" },
	{ "RFC 9111 4.3.4: the same Last-Modified confirms", DATED, 304, "Last-Modified: {-5000}\n",
	  "updated" },
	{ "RFC 9111 4.3.4: another Last-Modified does not", DATED, 304, "Last-Modified: {-4000}\n",
	  "again" },
	{ "RFC 9111 4.3.4: the same tag confirms beside another Last-Modified",
	  TAGGED "Last-Modified: {-5000}\n", 304, "ETag: \"a\"\nLast-Modified: {-4000}\n",
	  "updated" },
	{ "RFC 9111 4.3.4: another tag does not, beside the same Last-Modified",
	  TAGGED "Last-Modified: {-5000}\n", 304, "ETag: \"b\"\nLast-Modified: {-5000}\n",
	  "again" },
	{ "RFC 9111 4.3.4: a tag for what has none does not confirm by itself", DATED, 304,
	  "ETag: \"a\"\n", "again" },
	{ "RFC 9111 4.3.4: ... but with the same, strong Last-Modified", DATED, 304,
	  "ETag: \"a\"\nLast-Modified: {-5000}\n", "updated" },
	{ "RFC 9111 4.3.4: ... not with the same, weak Last-Modified",
	  STALE "Last-Modified: {-10}\n", 304, "ETag: \"a\"\nLast-Modified: {-10}\nDate: {0}\n",
	  "again" },
	{ "RFC 9111 4.3.4: a 304 without validators means what was asked about", TAGGED, 304, "",
	  "updated" },
	{ "RFC 9111 4.3.4: ... also if only a date was", DATED, 304, "", "updated" },
	{ "RFC 9111 4.3.4: ... also if what is stored has none", "Cache-Control: max-age=60\n", 304,
	  "", "updated" },

	/* 4.3.3: other answers */
	{ "RFC 9111 4.3.3: a full response replaces", TAGGED, 200, "ETag: \"b\"\n", "new" },
	{ "RFC 9111 4.3.3: a full response with the same tag is a full response", TAGGED, 200,
	  "ETag: \"a\"\n", "new" },
	{ "RFC 9111 4.3.3: a 404 is a full response", TAGGED, 404, "", "new" },
	{ "RFC 9111 4.3.3: a 410 is a full response", TAGGED, 410, "", "new" },
	{ "RFC 9111 4.3.3: a redirect is a full response", TAGGED, 301, "Location: /b\n", "new" },
	{ "RFC 9110 15.5.13: a 412 is passed on, too", TAGGED, 412, "", "new" },

/* errors */
#define ERRORS(status, name)                                                                       \
	{ "RFC 5861 4: stale-if-error, and " name ": the stored response",                         \
	  "Cache-Control: max-age=60, stale-if-error=60\nETag: \"a\"\n", status, "", "stale" },    \
		{ "RFC 9111 4.3.3: " name " without leave to be stale: the error", TAGGED, status, \
		  "", "error" },                                                                   \
	{                                                                                          \
		"profile: stale_if_error, and " name ": the stored response", TAGGED, status, "",  \
			"stale", NULL, &keep_class                                                 \
	}
	ERRORS(500, "500"),
	ERRORS(502, "502"),
	ERRORS(503, "503"),
	ERRORS(504, "504"),
	ERRORS(0, "no answer"),
	{ "RFC 5861 4: 501 is no error in this sense",
	  "Cache-Control: max-age=60, stale-if-error=60\nETag: \"a\"\n", 501, "", "new" },
	{ "RFC 5861 4: 404 is no error in this sense",
	  "Cache-Control: max-age=60, stale-if-error=60\nETag: \"a\"\n", 404, "", "new" },
	{ "RFC 5861 4: not beyond its time",
	  "Cache-Control: max-age=60, stale-if-error=39\nETag: \"a\"\n", 503, "", "error" },
	{ "RFC 5861 4: to the end of its time",
	  "Cache-Control: max-age=60, stale-if-error=40\nETag: \"a\"\n", 503, "", "stale" },
	{ "RFC 5861 4: a request may allow it", TAGGED, 503, "", "stale",
	  "Cache-Control: stale-if-error=40\n" },
	{ "RFC 5861 4: ... for as long as it says", TAGGED, 503, "", "error",
	  "Cache-Control: stale-if-error=39\n" },
	{ "RFC 5861 4: the origin's word goes before the profile's",
	  "Cache-Control: max-age=60, stale-if-error=10\nETag: \"a\"\n", 503, "", "error", NULL,
	  &keep_class },
	{ "RFC 5861 4: stale-if-error=0 is a word of the origin",
	  "Cache-Control: max-age=60, stale-if-error=0\nETag: \"a\"\n", 503, "", "error", NULL,
	  &keep_class },
	{ "profile: stale_if_error only for as long as it says", STALE "ETag: \"a\"\nAge: 20\n",
	  503, "", "error", NULL, &keep_class },
	{ "profile: stale_if_error = 0 is never", TAGGED, 503, "", "error", NULL, &never_class },
	{ "RFC 9111 4.2.4: must-revalidate goes before stale-if-error",
	  "Cache-Control: max-age=60, must-revalidate, stale-if-error=60\nETag: \"a\"\n", 503, "",
	  "error" },
	{ "RFC 9111 4.2.4: must-revalidate goes before the profile",
	  "Cache-Control: max-age=60, must-revalidate\nETag: \"a\"\n", 0, "", "error", NULL,
	  &keep_class },
	{ "RFC 9111 4.2.4: proxy-revalidate, too",
	  "Cache-Control: max-age=60, proxy-revalidate\nETag: \"a\"\n", 0, "", "error", NULL,
	  &keep_class },
	{ "RFC 9111 4.2.4: s-maxage, too", "Cache-Control: s-maxage=60\nETag: \"a\"\n", 0, "",
	  "error", NULL, &keep_class },
	{ "RFC 9111 4.2.4: no-cache, too", "Cache-Control: max-age=600, no-cache\nETag: \"a\"\n", 0,
	  "", "error", NULL, &keep_class },
	{ "RFC 9111 4.2.4: what is still fresh may be used, if the request wanted better",
	  "Cache-Control: max-age=600, must-revalidate\nETag: \"a\"\n", 503, "", "stale",
	  "Cache-Control: no-cache\n" },
};

static const struct validation update_rows[] = {
	{ "RFC 9111 4.3.4: after a 304 it is fresh again", TAGGED, 304,
	  "Cache-Control: max-age=60\nETag: \"a\"\n", "updated|hit lifetime=60 age=0 " },
	{ "RFC 9111 4.3.4: ... by what is stored, if the 304 says nothing", TAGGED, 304, "",
	  "updated|hit lifetime=60 age=0 " },
	{ "RFC 9111 4.3.4: ... by the new lifetime, if it does", TAGGED, 304,
	  "Cache-Control: max-age=5\n", "hit lifetime=5 age=0 " },
	{ "RFC 9111 4.3.4: a 304 that came old is old", TAGGED, 304, "Age: 10\n",
	  "hit lifetime=60 age=10 |!Age:" },
	{ "RFC 9111 4.2.3: the stored Age does not count any more", TAGGED "Age: 30\n", 304, "",
	  "hit lifetime=60 age=0 " },
	{ "RFC 9111 4.2.3: the stored Date does not count any more", TAGGED "Date: {-20}\n", 304,
	  "", "hit lifetime=60 age=0 |Date: {100}|!Date: {-20}" },
	{ "RFC 9111 3.2: the 304's Date becomes the Date", TAGGED "Date: {-20}\n", 304,
	  "Date: {98}\n", "age=2 |Date: {98}|!Date: {-20}" },
	{ "RFC 9111 3.2: a new Cache-Control takes the old one's place", TAGGED, 304,
	  "Cache-Control: max-age=5, must-revalidate\n",
	  "Cache-Control: max-age=5, must-revalidate|!max-age=60" },
	{ "RFC 9111 3.2: ... all its lines", "Cache-Control: public\n" TAGGED, 304,
	  "Cache-Control: max-age=5\n", "lifetime=5 |!public|!max-age=60" },
	{ "RFC 9111 3.2: no-cache in a 304 counts from now on", TAGGED, 304,
	  "Cache-Control: no-cache, max-age=60\n", "updated|validate lifetime=60 " },
	{ "RFC 9111 3.2: a new Expires counts", "Expires: {60}\nETag: \"a\"\n", 304,
	  "Expires: {160}\nDate: {100}\n", "hit lifetime=60 |Expires: {160}|!{60}" },
	{ "RFC 9111 3.2: a stored Expires that is past is past", "Expires: {60}\nETag: \"a\"\n",
	  304, "", "validate lifetime=0 " },
	{ "RFC 9111 3.2: a heuristic is made anew", "Last-Modified: {-1000}\n", 304,
	  "Last-Modified: {-1000}\nDate: {100}\n", "hit lifetime=110 " },
	{ "RFC 9111 3.2: a field that is new is added", TAGGED, 304, "X-New: 1\n", "X-New: 1" },
	{ "RFC 9111 3.2: a field that was there is replaced", TAGGED "X-Old: 1\n", 304,
	  "X-Old: 2\n", "X-Old: 2|!X-Old: 1" },
	{ "RFC 9111 3.2: ... in any case of its name", TAGGED "X-Old: 1\n", 304, "x-old: 2\n",
	  "x-old: 2|!X-Old: 1" },
	{ "RFC 9111 3.2: a field that the 304 lacks stays", TAGGED "X-Old: 1\n", 304, "",
	  "X-Old: 1" },
	{ "RFC 9111 3.2: all lines of a name are replaced",
	  TAGGED "Set-Cookie: a=1\nSet-Cookie: b=1\n", 304, "Set-Cookie: c=1\n",
	  "Set-Cookie: c=1|!a=1|!b=1" },
#define REPLACED(name, old, new)                                                                   \
	{                                                                                          \
		"RFC 9111 3.2: replaced by a 304: " name, TAGGED name ": " old "\n", 304,          \
			name ": " new "\n", name ": " new "|!" name ": " old                       \
	}
	REPLACED("Content-Type", "text/plain", "text/html"),
	REPLACED("Content-Location", "/b", "/c"),
	REPLACED("Content-MD5", "b2xk", "bmV3"),
	REPLACED("Content-Disposition", "inline", "attachment"),
	REPLACED("Content-Language", "de", "en"),
	REPLACED("Server", "b", "c"),
	REPLACED("Vary", "b", "c"),
	REPLACED("Content-Security-Policy", "b", "c"),
	REPLACED("X-Frame-Options", "b", "c"),
	REPLACED("Set-Cookie", "b=b", "c=c"),
	{ "RFC 9111 3.2: Content-Length does not change", TAGGED "Content-Length: 50\n", 304,
	  "Content-Length: 9\n", "length=50 |!Content-Length" },
	{ "RFC 9111 3.2: Content-Encoding does not, the stored bytes depend on it",
	  TAGGED "Content-Encoding: gzip\n", 304, "Content-Encoding: br\n",
	  "Content-Encoding: gzip|!br" },
	{ "RFC 9111 3.2: ... nor is one added", TAGGED, 304, "Content-Encoding: br\n",
	  "!Content-Encoding" },
	{ "RFC 9111 3.2: Content-Range is never added", TAGGED, 304, "Content-Range: bytes 0-1/2\n",
	  "!Content-Range" },
	{ "RFC 9111 3.2: Transfer-Encoding is of the connection", TAGGED, 304,
	  "Transfer-Encoding: chunked\n", "!Transfer-Encoding" },
	{ "RFC 9111 3.2: what the 304's Connection names does not update", TAGGED "X-Old: 1\n", 304,
	  "Connection: X-Old\nX-Old: 2\n", "X-Old: 1|!X-Old: 2" },
	{ "RFC 9111 3.2: Keep-Alive is of the connection", TAGGED, 304, "Keep-Alive: timeout=1\n",
	  "!Keep-Alive" },
	{ "RFC 9111 3.1: Proxy-Authenticate is never stored", TAGGED, 304,
	  "Proxy-Authenticate: Basic realm=x\n", "!Proxy-Authenticate" },
	{ "RFC 9111 3.2: a weak tag takes the strong one's place only by name", TAGGED, 304,
	  "ETag: W/\"a\"\n", "etag=W/\"a\" " },
	{ "RFC 9111 3.2: a tag may come by an update", DATED, 304,
	  "ETag: \"n\"\nLast-Modified: {-5000}\n", "etag=\"n\" " },
	{ "RFC 9111 5.2.2.4: fields that the new no-cache names are dropped", TAGGED "X-Old: 1\n",
	  304, "Cache-Control: max-age=60, no-cache=\"X-Old\"\n", "hit|!X-Old: 1" },
	{ "RFC 9213 2.2: CDN-Cache-Control in a 304 counts", TAGGED, 304,
	  "CDN-Cache-Control: max-age=7\n", "lifetime=7 " },
	{ "profile: a validated object is of the current generation", TAGGED, 304, "",
	  "generation=7 " },
	{ "RFC 9110 15.4.5: the status stays the stored one's", TAGGED, 304, "", "status=200 " },
};

static struct exchange x;
static char buf[2 * POLICY_HEAD_MAX];

static void say_record(struct text *t, const struct policy_req *req, const struct object *o)
{
	struct policy_env env = env_at(LATER);
	struct policy_req plain = *req;
	struct policy_verdict v;

	plain.want = FRESH_WANT_NONE;
	policy_lookup(&plain, o, false, &env, &v, NULL);
	say(t, "%s lifetime=%u age=%lld etag=%.*s length=%lld generation=%llu status=%u \r\n%.*s",
	    use_name(v.use), o->lifetime, (long long)v.age, SPAN_FMT(o->etag), (long long)o->length,
	    (unsigned long long)o->generation, o->status, SPAN_FMT(o->fields));
}

static void validation_run(void **state)
{
	static const char *const outcomes[] = { "updated", "new", "again", "stale", "error" };
	static struct message again, answer;
	const struct validation *row = *state;
	struct policy_env env = env_at(LATER);
	struct policy_times times = { T0 + LATER, T0 + LATER };
	struct policy_req req;
	struct object updated;
	enum policy_outcome outcome;
	struct text got = { 0 };
	const struct http_head *head = NULL;

	exchange_run(&x, row->class, NULL, NULL, 200, row->resp);
	assert_true(x.stored.store);
	x.stored.object.generation = GENERATION - 1;
	policy_request(make_request(&again, NULL, row->req), row->class ? row->class : &plain_class,
		       &req, NULL);
	if (row->status)
		head = make_response(&answer, row->status, row->answer);
	assert_int_equal(policy_validated(&req, &x.stored.object, head, &times, &env, buf,
					  sizeof(buf), &outcome, &updated, NULL),
			 0);
	say(&got, "%s ", outcomes[outcome]);
	if (outcome == POLICY_OUTCOME_UPDATED)
		say_record(&got, &req, &updated);
	expect_text(&got, row->expect);
}

/* ---- HEAD (4.3.5) -------------------------------------------------------------------------------- */

static const struct validation head_rows[] = {
	{ "RFC 9111 4.3.5: a HEAD response that agrees renews what is stored", TAGGED, 200,
	  "ETag: \"a\"\nCache-Control: max-age=60\n", "changed|hit lifetime=60 age=0 " },
	{ "RFC 9111 4.3.5: ... and its fields", TAGGED "X: 1\n", 200, "ETag: \"a\"\nX: 2\n",
	  "changed|X: 2|!X: 1" },
	{ "RFC 9111 4.3.5: another tag makes it stale", TAGGED, 200, "ETag: \"b\"\n",
	  "changed|lifetime=0 |etag=\"a\" " },
	{ "RFC 9111 4.3.5: a weak tag is not the strong one's value", TAGGED, 200,
	  "ETag: W/\"a\"\n", "changed|lifetime=0 " },
	{ "RFC 9111 4.3.5: another Last-Modified makes it stale", DATED, 200,
	  "Last-Modified: {-4000}\n", "changed|lifetime=0 " },
	{ "RFC 9111 4.3.5: another length makes it stale", TAGGED "Content-Length: 50\n", 200,
	  "ETag: \"a\"\nContent-Length: 51\n", "changed|lifetime=0 " },
	{ "RFC 9111 4.3.5: the same length agrees", TAGGED "Content-Length: 50\n", 200,
	  "ETag: \"a\"\nContent-Length: 50\n", "changed|lifetime=60 |length=50 " },
	{ "RFC 9111 4.3.5: without any validator, the length alone decides",
	  STALE "Content-Length: 50\n", 200, "Content-Length: 50\n", "changed|lifetime=60 " },
	{ "RFC 9111 4.3.5: a HEAD response with a tag that is not stored disagrees", DATED, 200,
	  "ETag: \"a\"\n", "changed|lifetime=0 " },
	{ "RFC 9111 5.2.2.5: no-store in a HEAD response makes it stale", TAGGED, 200,
	  "ETag: \"a\"\nCache-Control: no-store, max-age=60\n", "changed|lifetime=0 " },
	{ "RFC 9111 5.2.2.7: private in a HEAD response, too", TAGGED, 200,
	  "ETag: \"a\"\nCache-Control: private, max-age=60\n", "changed|lifetime=0 " },
	{ "RFC 9111 4.3.5: other statuses than 200 say nothing", TAGGED, 404, "", "same" },
	{ "RFC 9111 4.3.5: an error says nothing", TAGGED, 503, "", "same" },
	{ "RFC 9111 4.3.5: 304 to a device's own condition says nothing", TAGGED, 304,
	  "ETag: \"a\"\n", "same" },
};

static void head_run(void **state)
{
	static struct message answer;
	const struct validation *row = *state;
	struct policy_env env = env_at(LATER);
	struct policy_times times = { T0 + LATER, T0 + LATER };
	struct object changed;
	struct text got = { 0 };

	exchange_run(&x, NULL, NULL, NULL, 200, row->resp);
	assert_true(x.stored.store);
	if (policy_head_response(&x.policy, &x.stored.object,
				 make_response(&answer, row->status, row->answer), &times, &env,
				 buf, sizeof(buf), &changed, NULL)) {
		say(&got, "changed ");
		say_record(&got, &x.policy, &changed);
	} else {
		say(&got, "same");
	}
	expect_text(&got, row->expect);
}

/* ---- others -------------------------------------------------------------------------------------- */

/* A body that is complete stays so; what policy said of the old fields does not. */
static void flags_survive(void **state)
{
	static struct message answer;
	struct policy_env env = env_at(LATER);
	struct policy_times times = { T0 + LATER, T0 + LATER };
	enum policy_outcome outcome;
	struct object o;

	(void)state;
	exchange_run(&x, NULL, NULL, NULL, 200,
		     "Cache-Control: max-age=60, must-revalidate, stale-if-error=9\nETag: \"a\"\n");
	x.stored.object.flags |= OBJECT_COMPLETE | OBJECT_DIGEST;
	x.stored.object.id = 42;
	assert_int_equal(policy_validated(&x.policy, &x.stored.object,
					  make_response(&answer, 304, "Cache-Control: max-age=9\n"),
					  &times, &env, buf, sizeof(buf), &outcome, &o, NULL),
			 0);
	assert_int_equal(outcome, POLICY_OUTCOME_UPDATED);
	assert_int_equal(o.flags, OBJECT_COMPLETE | OBJECT_DIGEST);
	assert_int_equal(o.id, 42);
	assert_int_equal(o.stale_if_error, 0);
}

/* Many updates in a row: nothing is added twice, nothing is lost. */
static void updates_are_stable(void **state)
{
	static struct message answer;
	static char bufs[2][2 * POLICY_HEAD_MAX];
	enum policy_outcome outcome;
	struct object o, next;
	size_t n = 0;

	(void)state;
	exchange_run(&x, NULL, NULL, NULL, 200, TAGGED "X: 1\nSet-Cookie: a=1\nSet-Cookie: b=1\n");
	o = x.stored.object;
	for (unsigned i = 0; i < 10; i++) {
		struct policy_env env = env_at(LATER * i);
		struct policy_times times = { env.now, env.now };

		make_response(&answer, 304, "ETag: \"a\"\nY: 1\nVary: a\n");
		assert_int_equal(policy_validated(&x.policy, &o, &answer.head, &times, &env,
						  bufs[i % 2], sizeof(bufs[0]), &outcome, &next,
						  NULL),
				 0);
		assert_int_equal(outcome, POLICY_OUTCOME_UPDATED);
		o = next;
		assert_true(i == 0 || o.fields.n == n);
		n = o.fields.n;
	}
}

static void too_large_is_told(void **state)
{
	static struct message answer;
	struct policy_env env = env_at(LATER);
	struct policy_times times = { T0 + LATER, T0 + LATER };
	enum policy_outcome outcome;
	struct object o;
	char small[64];

	(void)state;
	exchange_run(&x, NULL, NULL, NULL, 200, TAGGED);
	assert_int_equal(policy_validated(&x.policy, &x.stored.object,
					  make_response(&answer, 304, "X: 1\n"), &times, &env,
					  small, sizeof(small), &outcome, &o, NULL),
			 -EMSGSIZE);
}

int main(void)
{
	static struct tables all;
	static const struct CMUnitTest others[] = {
		{ "RFC 9111 3.2: the body's state is untouched by an update", flags_survive, NULL,
		  NULL, NULL },
		{ "RFC 9111 3.2: the tenth update changes what the first did", updates_are_stable,
		  NULL, NULL, NULL },
		{ "an update too large for the buffer is an error", too_large_is_told, NULL, NULL,
		  NULL },
	};

	TABLE(&all, select_rows, validation_run);
	TABLE(&all, update_rows, validation_run);
	TABLE(&all, head_rows, head_run);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		all.tests[all.n++] = others[i];
	return tables_run("policy_validation", &all);
}
