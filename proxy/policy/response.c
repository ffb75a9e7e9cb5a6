/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May a response be stored (RFC 9111 3)? A list of questions; the first answer "no" ends it.
 *
 * The profile's force_ttl is the operator's word against the origin's: it overrules no-store, no-cache and
 * private, for statuses that last. It never overrules Authorization, Vary: *, or a request's no-store.
 */
#include "proxy/http/cachectl.h"
#include "proxy/policy/policy_priv.h"

bool status_is_heuristic(unsigned status)
{
	switch (status) {
	case 200:
	case 203:
	case 204:
	case 206:
	case 300:
	case 301:
	case 308:
	case 404:
	case 405:
	case 410:
	case 414:
	case 501:
		return true;
	default:
		return false;
	}
}

/* Statuses whose meaning for a cache we know and follow (RFC 9111 3, 5.2.2.3): all of RFC 9110's. */
static bool status_is_understood(unsigned status)
{
	static const uint16_t known[] = { 200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303,
					  304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406,
					  407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417,
					  421, 422, 426, 500, 501, 502, 503, 504, 505 };

	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (known[i] == status)
			return true;
	return false;
}

/* What a decision looks at. */
struct question {
	const struct policy_req *req;
	const struct http_head *resp;
	const struct cachectl *cc;
	struct policy_trace *trace;
};

static bool is_forced(const struct question *q)
{
	return q->req->class && q->req->class->force_ttl >= 0 &&
	       status_is_heuristic(q->resp->status) && q->resp->status < 400;
}

/* WHY_NONE from here on: no objection. */
static enum policy_reason ask_request(const struct question *q)
{
	if (q->req->route != POLICY_ROUTE_CACHE)
		return q->req->reason;
	if (q->req->method != HTTP_METHOD_GET)
		return WHY_NO_METHOD;
	return q->req->may_store ? WHY_NONE : WHY_REQUEST_NO_STORE;
}

static enum policy_reason ask_status(const struct question *q)
{
	unsigned status = q->resp->status;

	if (status < 200)
		return WHY_NO_INTERIM;
	if (status == 304 || status == 412 || status == 416)
		return WHY_NO_NOT_MODIFIED;
	if (cachectl_has(q->cc, CACHECTL_MUST_UNDERSTAND) && !status_is_understood(status))
		return WHY_NO_UNDERSTANDING;
	return WHY_NONE;
}

static enum policy_reason ask_directives(const struct question *q)
{
	if (is_forced(q))
		return WHY_NONE;
	if (cachectl_has(q->cc, CACHECTL_NO_STORE)) {
		if (!cachectl_has(q->cc, CACHECTL_MUST_UNDERSTAND))
			return WHY_NO_STORE;
		policy_trace_add(q->trace, WHY_STORE_MUST_UNDERSTAND);
	}
	if (cachectl_has(q->cc, CACHECTL_PRIVATE) && !q->cc->private_fields.p)
		return WHY_NO_PRIVATE;
	return WHY_NONE;
}

static enum policy_reason ask_authorization(const struct question *q)
{
	if (!q->req->authorized)
		return WHY_NONE;
	if (!cachectl_has(q->cc, CACHECTL_PUBLIC) && !cachectl_has(q->cc, CACHECTL_S_MAXAGE) &&
	    !cachectl_has(q->cc, CACHECTL_MUST_REVALIDATE))
		return WHY_NO_AUTHORIZATION;
	policy_trace_add(q->trace, WHY_STORE_AUTHORIZED);
	return WHY_NONE;
}

/* At least one ground for storing (the last of RFC 9111 3's list). */
static enum policy_reason ask_ground(const struct question *q)
{
	if (cachectl_has(q->cc, CACHECTL_PUBLIC) || cachectl_has(q->cc, CACHECTL_MAX_AGE) ||
	    cachectl_has(q->cc, CACHECTL_S_MAXAGE))
		return WHY_NONE;
	if (http_has(q->resp, HTTP_FIELD_EXPIRES) && !q->cc->from_cdn)
		return WHY_NONE;
	return status_is_heuristic(q->resp->status) ? WHY_NONE : WHY_NO_STATUS;
}

static enum policy_reason ask(const struct question *q)
{
	static enum policy_reason (*const questions[])(const struct question *) = {
		ask_request, ask_status, ask_directives, ask_authorization, ask_ground,
	};
	enum policy_reason why = WHY_NONE;

	for (unsigned i = 0; i < ARRAY_LEN(questions) && why == WHY_NONE; i++)
		why = questions[i](q);
	return why;
}

enum policy_reason response_forbids(const struct policy_req *req, const struct http_head *resp)
{
	struct cachectl cc = cachectl_of_response(resp);
	struct question q = { req, resp, &cc, NULL };
	enum policy_reason why = ask_directives(&q);

	return why == WHY_NONE ? ask_authorization(&q) : why;
}

/* ---- questions about the record that would be --------------------------------------------------- */

static bool is_guess(enum policy_reason source)
{
	return source == WHY_STORE_HEURISTIC || source == WHY_STORE_DEFAULT;
}

/* Is there any request that it could ever answer? */
static bool is_useful(const struct policy_req *req, const struct object *o)
{
	struct fresh f = policy_fresh(o);
	struct fresh_want any = FRESH_WANT_NONE;
	int64_t limit = req->class->stale_if_error;

	/* What profiles keep for bad days are things that are there. */
	limit = limit > 0 && o->status < 400 ? limit / 1000 : FRESH_UNSET;
	if (o->etag.n || (o->last_modified != OBJECT_TIME_UNKNOWN))
		return true;
	if (f.flags & FRESH_NO_CACHE)
		return false;
	/* Stale already, but it was fresh once: there may be a max-stale, if it does not object. */
	if (o->lifetime > 0 && !(f.flags & FRESH_MUST_REVALIDATE))
		return true;
	return fresh_ttl(&f, o->received) > 0 || f.stale_while_revalidate > 0 ||
	       fresh_usable_on_error(&f, &any, limit, o->received);
}

/* The 206's place in the whole (RFC 9110 14.4, 15.3.7). */
static enum policy_reason partial_fill(const struct policy_req *req, const struct http_head *resp,
				       struct policy_stored *s)
{
	const struct http_field *f = http_field_first(resp, HTTP_FIELD_CONTENT_RANGE);
	struct content_range cr;
	uint64_t n;

	if (!f || http_field_count(resp, HTTP_FIELD_CONTENT_RANGE) != 1 ||
	    http_content_range_parse(f->value, &cr) < 0 || cr.unsatisfied ||
	    cr.complete == RANGE_UNKNOWN || cr.complete > INT64_MAX)
		return WHY_NO_PARTIAL;
	n = cr.range.last - cr.range.first + 1;
	if (s->object.length != OBJECT_LENGTH_UNKNOWN && (uint64_t)s->object.length != n)
		return WHY_NO_PARTIAL;
	s->partial = true;
	s->range = cr.range;
	if (req->part) {
		s->object.length = (int64_t)n;
		return WHY_NONE;
	}
	s->object.status = 200;
	s->object.length = (int64_t)cr.complete;
	if (!policy_strong(&s->object))
		s->object.flags |= POLICY_F_NO_COMBINE;
	return WHY_NONE;
}

static enum policy_reason vary_fill(const struct http_head *resp, char *buf, size_t cap,
				    struct policy_stored *s)
{
	switch (policy_vary(resp, buf, cap, &s->vary)) {
	case 0:
		return WHY_NONE;
	case -EOPNOTSUPP:
		return WHY_NO_VARY_STAR;
	default:
		return WHY_NO_VARY_LONG;
	}
}

static enum policy_reason ask_record(const struct question *q, char *rest, size_t cap,
				     struct policy_stored *s)
{
	enum policy_reason why = vary_fill(q->resp, rest, cap, s);

	if (why == WHY_NONE && http_has(q->resp, HTTP_FIELD_SET_COOKIE) && is_guess(s->reason) &&
	    !cachectl_has(q->cc, CACHECTL_PUBLIC))
		why = WHY_NO_COOKIE;
	if (why == WHY_NONE && !is_useful(q->req, &s->object))
		why = WHY_NO_USE;
	if (why == WHY_NONE && q->resp->status == 206)
		why = partial_fill(q->req, q->resp, s);
	return why;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

static int refuse(const struct question *q, enum policy_reason why,
		  const struct policy_times *times, const struct policy_env *env, char *buf,
		  size_t cap, struct policy_stored *ret)
{
	int rc = record_build(q->resp, q->req->class, times, env, RECORD_PASSED, buf, cap, ret,
			      NULL);

	if (rc < 0)
		return rc;
	ret->reason = why;
	policy_trace_add(q->trace, why);
	return 0;
}

int policy_response(const struct policy_req *req, const struct http_head *resp,
		    const struct policy_times *times, const struct policy_env *env, char *buf,
		    size_t cap, struct policy_stored *ret, struct policy_trace *trace)
{
	struct cachectl cc = cachectl_of_response(resp);
	struct question q = { req, resp, &cc, trace };
	enum policy_reason why = ask(&q);
	struct policy_stored s;
	size_t used;
	int rc;

	if (why != WHY_NONE)
		return refuse(&q, why, times, env, buf, cap, ret);
	rc = record_build(resp, req->class, times, env, req->part ? RECORD_PART : RECORD_STORED,
			  buf, cap, &s, trace);
	if (rc < 0)
		return rc;
	used = s.object.fields.n + s.private_fields.n;
	why = ask_record(&q, buf + used, cap - used, &s);
	if (why != WHY_NONE)
		return refuse(&q, why, times, env, buf, cap, ret);
	if (s.partial)
		policy_trace_add(trace, WHY_STORE_PARTIAL);
	*ret = s;
	return 0;
}

bool policy_shares_304(const struct policy_req *req, const struct http_head *resp)
{
	struct cachectl cc = cachectl_of_response(resp);

	return resp->status == 304 && !req->authorized && !http_has(resp, HTTP_FIELD_VARY) &&
	       !http_has(resp, HTTP_FIELD_SET_COOKIE) && !cachectl_has(&cc, CACHECTL_PRIVATE) &&
	       !cachectl_has(&cc, CACHECTL_NO_STORE);
}

/* ---- POST (RFC 9110 9.3.3) ------------------------------------------------------------------------ */

bool policy_post_response(const struct policy_req *req, const struct http_head *request,
			  const struct policy_origin *origin, struct span target,
			  const struct http_head *resp, const struct policy_times *times,
			  const struct policy_env *env, char *buf, size_t cap,
			  struct policy_stored *ret, struct policy_trace *trace)
{
	const struct http_field *at = http_field_first(resp, HTTP_FIELD_CONTENT_LOCATION);
	struct cachectl cc = cachectl_of_request(request);
	struct policy_req as_get = *req;
	struct policy_stored s;
	struct fresh f;

	if (request->method != HTTP_METHOD_POST || resp->status != 200 || !req->class ||
	    req->class->kind == PROFILE_PASS || cachectl_has(&cc, CACHECTL_NO_STORE) || !at ||
	    http_field_count(resp, HTTP_FIELD_CONTENT_LOCATION) != 1 ||
	    !policy_names_target(origin, target, at->value))
		return false;
	as_get.route = POLICY_ROUTE_CACHE;
	as_get.method = HTTP_METHOD_GET;
	as_get.may_store = true;
	if (policy_response(&as_get, resp, times, env, buf, cap, &s, trace) < 0 || !s.store ||
	    s.reason != WHY_STORE_EXPLICIT)
		return false;
	f = policy_fresh(&s.object);
	if (fresh_ttl(&f, times->received) <= 0)
		return false;
	*ret = s;
	return true;
}
