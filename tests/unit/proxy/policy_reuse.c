/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stored response may be used for: RFC 9111 4, 4.2.4, 5.2.1, 5.4; RFC 5861; RFC 8246; and the
 * generations of a profile. `resp` is stored at T0 and asked for `after` seconds later.
 */
#include "tests/unit/proxy/policy_table.h"

struct reuse {
	const char *sentence;
	const char *resp; /* NULL: nothing is stored */
	int after;
	const char *what, *req; /* the second request */
	const char *expect;	/* use: reason, fwd=, cond=, ttl= */
	uint64_t generation;	/* of the stored object, if not 0 */
	const struct profile_class *class;
	unsigned status;
};

#define FRESH "Cache-Control: max-age=60\nETag: \"a\"\n"

static const struct profile_class index_class = { PROFILE_INDEX, -1, -1, -1, -1 };

static const struct reuse rows[] = {
	/* 4: plain use */
	{ "RFC 9111 4: a fresh stored response answers", FRESH, 30, NULL, NULL,
	  "hit: fresh|fwd=none|ttl=30 |detail=-" },
	{ "RFC 9111 4: nothing stored: the origin is asked", NULL, 0, NULL, NULL,
	  "fetch: not-stored|fwd=uri-miss|cond=none" },
	{ "RFC 9111 4: a stale stored response is validated", FRESH, 100, NULL, NULL,
	  "validate: stale|fwd=stale|cond=ours|ttl=-40 |detail=stale" },
	{ "RFC 9111 4: a GET's response answers HEAD", FRESH, 30, "HEAD", NULL, "hit: fresh" },
	{ "RFC 9111 4.3.5: HEAD with nothing stored is passed on as HEAD", NULL, 0, "HEAD", NULL,
	  "relay: not-stored|cond=device" },
	{ "RFC 9111 4.3.5: HEAD with something stale is passed on as HEAD", FRESH, 100, "HEAD",
	  NULL, "relay: stale|fwd=stale" },
	{ "RFC 9110 15.4.9: a stored redirect answers", FRESH, 30, NULL, NULL, "hit: fresh", 0,
	  NULL, 308 },
	{ "RFC 9110 15.5.5: a stored 404 answers", FRESH, 30, NULL, NULL, "hit: fresh", 0, NULL,
	  404 },
	{ "RFC 9110 15.6.4: a stored 503 answers while fresh", FRESH, 30, NULL, NULL, "hit: fresh",
	  0, NULL, 503 },

	/* 4.2.4: staleness */
	{ "RFC 9111 5.2.2.2: must-revalidate, stale: validated in spite of max-stale",
	  "Cache-Control: max-age=60, must-revalidate\n" FRESH, 100, NULL,
	  "Cache-Control: max-stale=1000\n", "validate: stale" },
	{ "RFC 9111 5.2.2.8: proxy-revalidate, stale: validated in spite of max-stale",
	  "Cache-Control: proxy-revalidate\n" FRESH, 100, NULL, "Cache-Control: max-stale\n",
	  "validate: stale" },
	{ "RFC 9111 5.2.2.10: s-maxage, stale: validated in spite of max-stale",
	  "Cache-Control: s-maxage=60\nETag: \"a\"\n", 100, NULL, "Cache-Control: max-stale\n",
	  "validate: stale" },
	{ "RFC 9111 5.2.2.4: no-cache: validated in spite of max-stale",
	  "Cache-Control: no-cache\n" FRESH, 30, NULL, "Cache-Control: max-stale\n",
	  "validate: no-cache|fwd=stale" },

	/* 5.2.1: requests */
	{ "RFC 9111 5.2.1.4: no-cache asks for validation", FRESH, 30, NULL,
	  "Cache-Control: no-cache\n", "validate: request-no-cache|fwd=request|cond=ours" },
	{ "RFC 9111 5.2.1.4: No-Cache, too", FRESH, 30, NULL, "Cache-Control: No-Cache\n",
	  "validate: request-no-cache" },
	{ "RFC 9111 5.4: Pragma: no-cache without Cache-Control is no-cache", FRESH, 30, NULL,
	  "Pragma: no-cache\n", "validate: request-no-cache" },
	{ "RFC 9111 5.4: Pragma in any case, in a list", FRESH, 30, NULL, "Pragma: x, NO-CACHE\n",
	  "validate: request-no-cache" },
	{ "RFC 9111 5.4: Pragma beside Cache-Control is ignored", FRESH, 30, NULL,
	  "Pragma: no-cache\nCache-Control: max-age=600\n", "hit: fresh" },
	{ "RFC 9111 5.4: another Pragma is ignored", FRESH, 30, NULL, "Pragma: foo\n",
	  "hit: fresh" },
	{ "RFC 9111 5.2.1.1: max-age takes what is as old", FRESH, 30, NULL,
	  "Cache-Control: max-age=30\n", "hit: fresh" },
	{ "RFC 9111 5.2.1.1: max-age does not take what is older", FRESH, 31, NULL,
	  "Cache-Control: max-age=30\n", "validate: request-max-age|fwd=request" },
	{ "RFC 9111 5.2.1.1: max-age=0 takes only what has just come", FRESH, 1, NULL,
	  "Cache-Control: max-age=0\n", "validate: request-max-age" },
	{ "RFC 9111 5.2.1.1: the age that counts is the current age", FRESH "Age: 20\n", 20, NULL,
	  "Cache-Control: max-age=30\n", "validate: request-max-age" },
	{ "RFC 9111 5.2.1.1: max-age does not make the stale fresh", FRESH, 100, NULL,
	  "Cache-Control: max-age=1000\n", "validate: stale" },
	{ "RFC 9111 5.2.1.1: max-age and max-stale: stale, but young enough", FRESH, 100, NULL,
	  "Cache-Control: max-age=1000, max-stale=100\n", "hit: max-stale" },
	{ "RFC 9111 5.2.1.1: max-age and max-stale: too old all the same", FRESH, 100, NULL,
	  "Cache-Control: max-age=30, max-stale=100\n", "validate: request-max-age" },
	{ "RFC 9111 5.2.1.1: an invalid max-age is taken as the strictest", FRESH, 30, NULL,
	  "Cache-Control: max-age=x\n", "validate: request-max-age" },
	{ "RFC 9111 5.2.1.2: max-stale takes what is not staler", FRESH, 100, NULL,
	  "Cache-Control: max-stale=40\n", "hit: max-stale|fwd=none|ttl=-40 " },
	{ "RFC 9111 5.2.1.2: max-stale does not take what is staler", FRESH, 101, NULL,
	  "Cache-Control: max-stale=40\n", "validate: stale" },
	{ "RFC 9111 5.2.1.2: max-stale without a number takes anything", FRESH, 100000, NULL,
	  "Cache-Control: max-stale\n", "hit: max-stale" },
	{ "RFC 9111 5.2.1.2: max-stale leaves the fresh fresh", FRESH, 30, NULL,
	  "Cache-Control: max-stale=40\n", "hit: fresh" },
	{ "RFC 9111 5.2.1.3: min-fresh takes what stays fresh for as long", FRESH, 30, NULL,
	  "Cache-Control: min-fresh=30\n", "hit: fresh" },
	{ "RFC 9111 5.2.1.3: min-fresh does not take what turns stale earlier", FRESH, 31, NULL,
	  "Cache-Control: min-fresh=30\n", "validate: min-fresh|fwd=request" },
	{ "RFC 9111 5.2.1.3: ... counting the Age it came with", FRESH "Age: 40\n", 0, NULL,
	  "Cache-Control: min-fresh=30\n", "validate: min-fresh" },
	{ "RFC 9111 5.2.1.3: min-fresh=0 is no demand", FRESH, 30, NULL,
	  "Cache-Control: min-fresh=0\n", "hit: fresh" },
	{ "RFC 9111 5.2.1.5: no-store may be answered by what is stored", FRESH, 30, NULL,
	  "Cache-Control: no-store\n", "hit: fresh" },
	{ "RFC 9111 5.2.1.5: no-store with nothing stored is fetched for it alone", NULL, 0, NULL,
	  "Cache-Control: no-store\n", "relay: not-stored" },
	{ "RFC 9111 5.2.1.5: no-store with something stale is fetched for it alone", FRESH, 100,
	  NULL, "Cache-Control: no-store\n", "relay: stale" },
	{ "RFC 9111 5.2.1.7: only-if-cached with nothing stored: 504", NULL, 0, NULL,
	  "Cache-Control: only-if-cached\n", "504: not-cached|cond=none" },
	{ "RFC 9111 5.2.1.7: only-if-cached with something fresh: that", FRESH, 30, NULL,
	  "Cache-Control: only-if-cached\n", "hit: fresh" },
	{ "RFC 9111 5.2.1.7: only-if-cached with something stale: 504", FRESH, 100, NULL,
	  "Cache-Control: only-if-cached\n", "504: not-cached" },
	{ "RFC 9111 5.2.1.7: only-if-cached with max-stale: the stale", FRESH, 100, NULL,
	  "Cache-Control: only-if-cached, max-stale\n", "hit: max-stale" },
	{ "RFC 9111 5.2.1.7: only-if-cached and no-cache contradict each other: 504", FRESH, 30,
	  NULL, "Cache-Control: only-if-cached, no-cache\n", "504: not-cached" },
	{ "RFC 9111 5.2.1.7: only-if-cached by HEAD with nothing stored: 504", NULL, 0, "HEAD",
	  "Cache-Control: only-if-cached\n", "504: not-cached" },
	{ "RFC 9111 5.2.1: unknown request directives are ignored", FRESH, 30, NULL,
	  "Cache-Control: foo=1\n", "hit: fresh" },
	{ "RFC 9111 5.2.1: response directives in requests are ignored", FRESH, 30, NULL,
	  "Cache-Control: private, must-revalidate\n", "hit: fresh" },
	{ "RFC 9111 3.5: an authorized request is answered by what may be shared",
	  "Cache-Control: public, max-age=60\n", 30, NULL, "Authorization: x\n", "hit: fresh" },

	/* RFC 5861 3 */
	{ "RFC 5861 3: stale-while-revalidate: used, and revalidated meanwhile",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\n", 80, NULL, NULL,
	  "refresh: stale-while-revalidate|fwd=none|ttl=-20 " },
	{ "RFC 5861 3: not while it is fresh",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\n", 30, NULL, NULL, "hit: fresh" },
	{ "RFC 5861 3: not beyond its time",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\n", 90, NULL, NULL,
	  "validate: stale" },
	{ "RFC 5861 3: an invalid time is none",
	  "Cache-Control: max-age=60, stale-while-revalidate=x\n", 80, NULL, NULL,
	  "validate: stale" },
	{ "RFC 9111 4.2.4: must-revalidate goes before stale-while-revalidate",
	  "Cache-Control: max-age=60, must-revalidate, stale-while-revalidate=30\n", 80, NULL, NULL,
	  "validate: stale" },
	{ "RFC 9111 5.2.2.10: s-maxage goes before stale-while-revalidate",
	  "Cache-Control: s-maxage=60, stale-while-revalidate=30\n", 80, NULL, NULL,
	  "validate: stale" },
	{ "RFC 9111 5.2.1.4: no-cache goes before stale-while-revalidate",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\n", 80, NULL,
	  "Cache-Control: no-cache\n", "validate: request-no-cache" },
	{ "RFC 9111 5.2.1.1: a request with max-age wants no stale response",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\n", 80, NULL,
	  "Cache-Control: max-age=1000\n", "validate: stale" },
	{ "RFC 5861 3: only-if-cached is answered by it",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\n", 80, NULL,
	  "Cache-Control: only-if-cached\n", "refresh: stale-while-revalidate" },
	{ "profile: a stale index is never used while it is revalidated",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\nETag: \"a\"\n", 80, NULL, NULL,
	  "validate: stale", 0, &index_class },

	/* generations, RFC 8246 */
	{ "profile: what was confirmed for the next generation is used", FRESH, 30, NULL, NULL,
	  "hit: fresh", GENERATION + 1 },
	{ "profile: what is of the current generation is used", FRESH, 30, NULL, NULL, "hit: fresh",
	  GENERATION },
	{ "profile: an object stored before the index changed is validated", FRESH, 30, NULL, NULL,
	  "validate: generation|fwd=stale|cond=ours", GENERATION - 1 },
	{ "profile: ... also if it could be used while being revalidated",
	  "Cache-Control: max-age=60, stale-while-revalidate=30\n", 80, NULL, NULL,
	  "validate: generation", GENERATION - 1 },
	{ "profile: ... also if the request takes the stale", FRESH, 80, NULL,
	  "Cache-Control: max-stale\n", "validate: generation", GENERATION - 1 },
	{ "profile: ... and a stale one is stale anyway", FRESH, 80, NULL, NULL, "validate: stale",
	  GENERATION - 1 },
	{ "profile: an index does not depend on itself", FRESH, 30, NULL, NULL, "hit: fresh",
	  GENERATION - 1, &index_class },
	{ "RFC 8246 2: what is fresh and immutable needs no second look",
	  "Cache-Control: max-age=60, immutable\nETag: \"a\"\n", 30, NULL, NULL,
	  "hit: fresh|trace=cacheable,immutable,fresh", GENERATION - 1 },
	{ "RFC 8246 2: immutable counts only while it is fresh",
	  "Cache-Control: max-age=60, immutable\nETag: \"a\"\n", 80, NULL,
	  "Cache-Control: max-stale\n", "validate: generation", GENERATION - 1 },
	{ "RFC 8246 2: stale and immutable is validated as ever",
	  "Cache-Control: max-age=60, immutable\nETag: \"a\"\n", 80, NULL, NULL,
	  "validate: stale" },
	{ "RFC 8246 2: a request's no-cache is a sign that validation is wanted",
	  "Cache-Control: max-age=60, immutable\nETag: \"a\"\n", 30, NULL,
	  "Cache-Control: no-cache\n", "validate: request-no-cache" },

	/* what goes upstream when nothing is stored */
	{ "RFC 9111 4.3.2: conditions on what is not stored are for the origin", NULL, 0, NULL,
	  "If-None-Match: \"x\"\n", "fetch: not-stored|cond=device" },
	{ "RFC 9111 4.3.2: ... dates as well", NULL, 0, NULL, "If-Modified-Since: {-5}\n",
	  "fetch: not-stored|cond=device" },
	{ "profile: an index is fetched whole, for all", NULL, 0, NULL, "If-None-Match: \"x\"\n",
	  "fetch: not-stored|cond=none", 0, &index_class },
	{ "RFC 9111 4.3.1: conditions on what is stored and stale become ours", FRESH, 100, NULL,
	  "If-None-Match: \"x\"\n", "validate: stale|cond=ours" },
};

static const char *fwd_name(enum cache_status_fwd fwd)
{
	static const char *const names[] = { "none", "bypass",	"method", "uri-miss", "vary-miss",
					     "miss", "request", "stale",  "partial" };

	return names[fwd];
}

static void say_verdict(struct text *t, const struct policy_verdict *v,
			const struct policy_trace *trace)
{
	static const char *const conds[] = { "none", "ours", "device" };
	struct cache_status cs;

	policy_cache_status(v, &cs);
	say(t, "%s: %s fwd=%s cond=%s ttl=%lld detail=%s trace=", use_name(v->use),
	    policy_reason_info(v->reason)->token, fwd_name(cs.fwd), conds[v->cond],
	    (long long)v->ttl, cs.detail ? cs.detail : "-");
	for (unsigned i = 0; i < trace->n; i++)
		say(t, "%s%s", i ? "," : "", policy_reason_info(trace->reason[i])->token);
}

static void reuse_run(void **state)
{
	static struct exchange x;
	static struct message again;
	const struct reuse *row = *state;
	const struct profile_class *class = row->class ? row->class : &plain_class;
	struct policy_env env = env_at(row->after);
	struct policy_trace trace = { 0 };
	struct policy_req req;
	struct policy_verdict v;
	struct text got = { 0 };

	if (row->resp) {
		exchange_run(&x, class, NULL, NULL, row->status, row->resp);
		assert_true(x.stored.store);
		if (row->generation)
			x.stored.object.generation = row->generation;
	}
	policy_request(make_request(&again, row->what, row->req), class, &req, &trace);
	policy_lookup(&req, row->resp ? &x.stored.object : NULL, false, &env, &v, &trace);
	say_verdict(&got, &v, &trace);
	expect_text(&got, row->expect);
}

/* ---- routes -------------------------------------------------------------------------------------- */

struct route {
	const char *sentence;
	const char *what, *req;
	const char *expect;
	const struct profile_class *class;
};

static const struct profile_class pass_class = { PROFILE_PASS, -1, -1, -1, -1 };
static const struct profile_class no_class; /* stands for none */

static const struct route route_rows[] = {
	{ "RFC 9111 2: GET goes to the store", "GET", NULL, "cache: cacheable may-store" },
	{ "RFC 9111 2: HEAD goes to the store, and stores nothing", "HEAD", NULL,
	  "cache: cacheable|!may-store" },
	{ "RFC 9111 4: POST is written through", "POST", NULL, "relay: unsafe-method invalidates" },
	{ "RFC 9111 4: PUT is written through", "PUT", NULL, "relay: unsafe-method invalidates" },
	{ "RFC 9111 4: DELETE is written through", "DELETE", NULL,
	  "relay: unsafe-method invalidates" },
	{ "RFC 9111 4: PATCH is written through", "PATCH", NULL,
	  "relay: unsafe-method invalidates" },
	{ "RFC 9111 4.4: an unknown method is taken as unsafe", "M-SEARCH", NULL,
	  "relay: unsafe-method invalidates" },
	{ "RFC 9110 9.2.1: OPTIONS is safe, and not cached", "OPTIONS", NULL,
	  "relay: method|!invalidates" },
	{ "RFC 9110 9.2.1: TRACE is safe, and not cached", "TRACE", NULL,
	  "relay: method|!invalidates" },
	{ "RFC 9110 9.3.6: CONNECT is a tunnel", "CONNECT updates.example.com:443", NULL,
	  "tunnel: connect|!invalidates" },
	{ "RFC 9110 7.6.2: OPTIONS with Max-Forwards: 0 is answered here", "OPTIONS",
	  "Max-Forwards: 0\n", "answer: max-forwards" },
	{ "RFC 9110 7.6.2: TRACE with Max-Forwards: 0 is answered here", "TRACE",
	  "Max-Forwards: 0\n", "answer: max-forwards" },
	{ "RFC 9110 7.6.2: TRACE with Max-Forwards: 1 goes on", "TRACE", "Max-Forwards: 1\n",
	  "relay: method" },
	{ "RFC 9110 7.6.2: Max-Forwards may be ignored in a GET", "GET", "Max-Forwards: 0\n",
	  "cache: cacheable" },
	{ "RFC 9110 9.3.1: a GET with chunked content is relayed", "GET",
	  "Transfer-Encoding: chunked\n", "relay: request-body" },
	{ "RFC 9110 9.3.2: a HEAD with content is relayed", "HEAD", "Content-Length: 1\n",
	  "relay: request-body" },
	{ "RFC 9111 4.3.2: If-Match is relayed", "GET", "If-Match: *\n", "relay: if-match" },
	{ "RFC 9111 4.3.2: If-Unmodified-Since is relayed", "GET", "If-Unmodified-Since: {0}\n",
	  "relay: if-match" },
	{ "profile: what the profile passes is relayed", "GET", NULL, "relay: profile-pass",
	  &pass_class },
	{ "profile: ... but a success of an unsafe method there counts", "POST", NULL,
	  "relay: unsafe-method invalidates", &pass_class },
	{ "profile: a host of none is relayed", "GET", NULL, "relay: no-profile", &no_class },
	{ "RFC 9111 5.2.1.5: no-store stores nothing", "GET", "Cache-Control: no-store\n",
	  "cache: cacheable|!may-store" },
	{ "RFC 9110 14.2: a Range that can be read counts", "GET", "Range: bytes=0-1\n",
	  "cache: cacheable|ranged" },
	{ "RFC 9110 14.2: a Range in HEAD is ignored", "HEAD", "Range: bytes=0-1\n",
	  "cache: cacheable|!ranged" },
	{ "RFC 9110 14.2: an unknown unit is ignored", "GET", "Range: lines=0-1\n",
	  "cache: cacheable|!ranged" },
	{ "RFC 9110 14.2: a malformed Range is ignored", "GET", "Range: bytes=x\n",
	  "cache: cacheable|!ranged" },
	{ "RFC 9110 14.2: two Range lines are ignored", "GET",
	  "Range: bytes=0-1\nRange: bytes=2-3\n", "cache: cacheable|!ranged" },
	{ "RFC 9110 7.8: Upgrade may be ignored", "GET", "Connection: upgrade\nUpgrade: h2c\n",
	  "cache: cacheable" },
};

static void route_run(void **state)
{
	static const char *const routes[] = { "cache", "relay", "tunnel", "answer" };
	static struct message m;
	const struct route *row = *state;
	const struct profile_class *class = row->class == &no_class ? NULL
					    : row->class	    ? row->class
								    : &plain_class;
	struct policy_req req;
	struct text got = { 0 };

	policy_request(make_request(&m, row->what, row->req), class, &req, NULL);
	say(&got, "%s: %s%s%s%s", routes[req.route], policy_reason_info(req.reason)->token,
	    req.invalidates ? " invalidates" : "", req.may_store ? " may-store" : "",
	    req.ranged ? " ranged" : "");
	expect_text(&got, row->expect);
}

/* ---- others -------------------------------------------------------------------------------------- */

/* RFC 9211 2.4: ttl is of the response that is sent; a stored one that was not used has none to tell. */
static void ttl_is_for_hits(void **state)
{
	struct policy_verdict hit = { .reason = WHY_FRESH, .has_ttl = true, .ttl = 5 };
	struct policy_verdict stale = {
		.reason = WHY_STALE, .fwd = CACHE_FWD_STALE, .has_ttl = true, .ttl = -5
	};
	struct cache_status cs;

	(void)state;
	policy_cache_status(&hit, &cs);
	assert_true(cs.has_ttl && cs.ttl == 5 && !cs.detail);
	policy_cache_status(&stale, &cs);
	assert_false(cs.has_ttl);
	assert_string_equal(cs.detail, "stale");
}

static void variant_is_missing(void **state)
{
	static struct message m;
	struct policy_env env = env_at(0);
	struct policy_req req;
	struct policy_verdict v;

	(void)state;
	policy_request(make_request(&m, NULL, NULL), &plain_class, &req, NULL);
	policy_lookup(&req, NULL, true, &env, &v, NULL);
	assert_int_equal(v.use, POLICY_USE_FETCH);
	assert_int_equal(v.fwd, CACHE_FWD_VARY_MISS);
}

/* Tokens are sf-tokens, so Cache-Status can always be written; sections are named. */
static void reasons_are_complete(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WHY_COUNT; i++) {
		const struct policy_reason_info *info = policy_reason_info(i);
		char buf[256];
		struct head_out o = head_out_init(buf, sizeof(buf));
		struct cache_status cs = { .detail = info->token };

		head_out_cache_status(&o, NULL, SPAN(POLICY_CACHE_NAME), &cs);
		assert_int_equal(head_out_end(&o), 0);
		assert_true(i == WHY_NONE || info->source[0]);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(info->token, policy_reason_info(j)->token);
	}
}

static void trace_is_bounded(void **state)
{
	struct policy_trace trace = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3 * POLICY_TRACE_MAX; i++)
		policy_trace_add(&trace, WHY_FRESH);
	policy_trace_add(&trace, WHY_STALE);
	assert_int_equal(trace.n, POLICY_TRACE_MAX);
	assert_true(policy_trace_has(&trace, WHY_FRESH));
	assert_false(policy_trace_has(&trace, WHY_STALE));
	policy_trace_add(NULL, WHY_FRESH);
}

int main(void)
{
	static struct tables all;
	static const struct CMUnitTest others[] = {
		{ "RFC 9111 4.1: a missing variant is told from a missing resource",
		  variant_is_missing, NULL, NULL, NULL },
		{ "RFC 9211 2.4: ttl is told of hits alone", ttl_is_for_hits, NULL, NULL, NULL },
		{ "RFC 9211 2.8: every reason is a token of its own, with its source",
		  reasons_are_complete, NULL, NULL, NULL },
		{ "a trace leaves out what does not fit", trace_is_bounded, NULL, NULL, NULL },
	};

	TABLE(&all, route_rows, route_run);
	TABLE(&all, rows, reuse_run);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		all.tests[all.n++] = others[i];
	return tables_run("policy_reuse", &all);
}
