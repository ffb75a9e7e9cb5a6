/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy, from a request's fields to a validated record. Input: two bytes, then field lines of the request, of its
 * response, and of the answer to a validation, apart by NUL; LF ends a line. Held to: whatever is stored or sent is a
 * well-formed head without anything of a connection, numbers stay in their bounds, nothing forbidden is used.
 */
#include <stdio.h>

#include "proxy/policy/policy.h"
#include "tests/fuzz/fuzz.h"

#define T0 INT64_C(1700000000)

static char buf[3][2 * POLICY_HEAD_MAX];

struct text {
	char p[CONFIG_HEAD_MAX];
	size_t n;
};

static void put(struct text *t, struct span s)
{
	if (s.n > sizeof(t->p) - t->n)
		s.n = sizeof(t->p) - t->n;
	if (s.n)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

static void head_put(struct text *t, const char *line, struct span fields)
{
	struct span field;

	t->n = 0;
	put(t, span_of(line));
	while (span_cut(&fields, '\n', &field)) {
		put(t, field);
		put(t, SPAN("\r\n"));
	}
	put(t, SPAN("\r\n"));
}

/* A block that is stored or sent: can be read again, and says nothing of a connection. */
static void check_block(struct span block, bool stored)
{
	static struct text t;
	static struct http_head head;

	if (block.n > sizeof(t.p) - 64)
		return;
	t.n = 0;
	put(&t, SPAN("HTTP/1.1 200 OK\r\n"));
	put(&t, block);
	put(&t, SPAN("\r\n"));
	if (http_response_parse(&head, t.p, t.n) < 0) {
		CHECK(block.n > 1024); /* our Date may be the one field too many */
		return;
	}
	for (unsigned i = 0; i < head.nfields; i++)
		CHECK(!(http_field_flags(head.fields[i].id) & HTTP_F_HOP));
	CHECK(http_field_count(&head, HTTP_FIELD_DATE) == (stored ? 1 : 0) || !stored);
	CHECK(!http_has(&head, HTTP_FIELD_CONTENT_LENGTH));
	CHECK(!http_has(&head, HTTP_FIELD_AGE));
}

static void check_record(const struct object *o)
{
	struct fresh f = policy_fresh(o);

	CHECK(f.lifetime >= 0 && f.lifetime <= FRESH_MAX);
	CHECK(policy_age(o, T0) >= 0 && policy_age(o, T0) <= FRESH_MAX);
	CHECK(o->etag.n == 0 || span_lies_in(o->etag, o->fields));
	check_block(o->fields, true);
}

static void try_answer(const struct http_head *req, const struct object *o, int64_t length)
{
	struct policy_answer a;
	size_t n;

	policy_answer(req, o, length, T0, &a);
	CHECK(o->status == 200 || a.kind == POLICY_ANSWER_WHOLE);
	if (a.kind == POLICY_ANSWER_PARTIAL) {
		CHECK(a.ranges.n > 0 && a.ranges.n <= CONFIG_HTTP_RANGES_MAX);
		for (unsigned i = 0; i < a.ranges.n && length >= 0; i++)
			CHECK(a.ranges.range[i].first <= a.ranges.range[i].last &&
			      a.ranges.range[i].last < (uint64_t)length);
	}
	if (policy_fields_304(o, buf[2], sizeof(buf[2]), &n) == 0)
		check_block(span_make(buf[2], n), true);
}

static void try_lookup(const struct policy_req *req, const struct object *o, int64_t after)
{
	struct policy_env env = { .now = T0 + after, .heuristic_max = FRESH_UNSET };
	struct fresh f = policy_fresh(o);
	struct policy_verdict v;

	policy_lookup(req, o, false, &env, &v, NULL);
	if (v.use != POLICY_USE_HIT && v.use != POLICY_USE_REVALIDATE)
		return;
	CHECK(!(f.flags & FRESH_NO_CACHE) && !req->want.no_cache);
	CHECK(v.ttl > 0 || !(f.flags & FRESH_MUST_REVALIDATE));
	CHECK(req->want.max_age < 0 || v.age <= req->want.max_age);
}

static void try_forward(const struct http_head *req, const struct object *o, unsigned how)
{
	static struct http_head head;
	struct policy_forward what = {
		.request = req,
		.target = SPAN("/x"),
		.pseudonym = SPAN("tarn"),
		.relay = how & 1,
		.cond = how >> 1 & 1 ? POLICY_COND_OURS : POLICY_COND_DEVICE,
		.stored = o,
		.has_range = how >> 2 & 1,
		.range = { 5, how },
	};
	size_t n;

	if (policy_forward(&what, buf[2], sizeof(buf[2]), &n) < 0)
		return;
	if (http_request_parse(&head, buf[2], n) < 0) {
		CHECK(n > 1024);
		return;
	}
	CHECK(http_field_count(&head, HTTP_FIELD_HOST) == 1);
	CHECK(http_has(&head, HTTP_FIELD_VIA));
	CHECK(!http_has(&head, HTTP_FIELD_CONNECTION));
}

static void try_validated(const struct policy_req *req, const struct object *o,
			  const struct http_head *resp)
{
	struct policy_times times = { T0 + 50, T0 + 50 };
	struct policy_env env = { .now = T0 + 50, .heuristic_max = FRESH_UNSET };
	enum policy_outcome outcome;
	struct object updated;

	if (policy_validated(req, o, resp, &times, &env, buf[1], sizeof(buf[1]), &outcome, &updated,
			     NULL) == 0 &&
	    outcome == POLICY_OUTCOME_UPDATED)
		check_record(&updated);
	if (policy_head_response(req, o, resp, &times, &env, buf[1], sizeof(buf[1]), &updated,
				 NULL))
		check_record(&updated);
}

static void try_vary(const struct http_head *req, struct span names)
{
	static char key_buf[CACHE_KEY_TEXT_MAX];
	struct cache_key key;

	CHECK_OK(key_build(SPAN("p"), SPAN("g"), SPAN("/"), SPAN(""), key_buf, sizeof(key_buf),
			   &key));
	if (policy_vary_key(names, req, key_buf, sizeof(key_buf), &key) == 0)
		CHECK(key.text.p == key_buf && key.text.n <= sizeof(key_buf));
}

static void try_all(unsigned how, const struct http_head *req, const struct http_head *resp,
		    const struct http_head *again)
{
	static const struct profile_class classes[] = {
		{ PROFILE_OBJECT, -1, -1, -1, -1 },
		{ PROFILE_INDEX, 5000, 9000, -1, 100000 },
		{ PROFILE_OBJECT, -1, -1, 70000, 0 },
		{ PROFILE_PASS, -1, -1, -1, -1 },
	};
	struct policy_times times = { T0, T0 };
	struct policy_env env = { .now = T0, .heuristic_max = FRESH_UNSET };
	struct policy_req policy;
	struct policy_stored s;
	struct policy_origin origin = policy_origin(SPAN("http"), req, (struct span){ 0 });
	struct policy_invalid gone;

	policy_request(req, &classes[how % 4], &policy, NULL);
	policy_invalidate(req, &origin, resp, buf[2], sizeof(buf[2]), &gone, NULL);
	CHECK(gone.n <= POLICY_INVALIDATES_MAX);
	if (policy_response(&policy, resp, &times, &env, buf[0], sizeof(buf[0]), &s, NULL) < 0)
		return;
	check_record(&s.object);
	try_answer(req, &s.object, s.object.length);
	try_answer(req, &s.object, how);
	try_forward(req, &s.object, how);
	try_vary(req, s.vary);
	if (!s.store)
		return;
	CHECK(policy.may_store && (!policy.authorized || policy.route == POLICY_ROUTE_CACHE));
	try_lookup(&policy, &s.object, how);
	try_validated(&policy, &s.object, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = { 200, 206, 304, 404, 302, 503, 299, 204 };
	static const char *const methods[] = { "GET /d/x?q HTTP/1.1\r\nHost: a.example\r\n",
					       "HEAD / HTTP/1.1\r\nHost: a.example\r\n",
					       "POST /d/ HTTP/1.1\r\nHost: a.example\r\n",
					       "GET /d/x HTTP/1.0\r\nHost: a.example\r\n" };
	static struct text text[3];
	static struct http_head head[3];
	struct span in = span_make(data, size), part[3] = { { 0 } };
	unsigned how = fuzz_byte(&in), what = fuzz_byte(&in);
	char line[64];

	for (unsigned i = 0; i < 3; i++)
		if (!span_cut(&in, 0, &part[i]))
			part[i] = SPAN("");
	head_put(&text[0], methods[what / 8 % 4], part[0]);
	(void)snprintf(line, sizeof(line), "HTTP/1.1 %u X\r\n", statuses[what % 8]);
	head_put(&text[1], line, part[1]);
	head_put(&text[2], what & 128 ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 304 X\r\n", part[2]);
	if (http_request_parse(&head[0], text[0].p, text[0].n) == 0 &&
	    http_response_parse(&head[1], text[1].p, text[1].n) == 0 &&
	    http_response_parse(&head[2], text[2].p, text[2].n) == 0)
		try_all(how, &head[0], &head[1], &head[2]);
	return 0;
}
