/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: where one goes, and what it wants of a stored response.
 *
 * Only GET and HEAD without content are answered from the store. A precondition that only an
 * origin can evaluate (If-Match, If-Unmodified-Since) takes its request past the store, so that
 * no 412 is ever ours (RFC 9111 4.3.2).
 */
#include "proxy/http/cachectl.h"
#include "proxy/http/frame.h"
#include "proxy/policy/policy.h"

static bool has_content(const struct http_head *req)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_CONTENT_LENGTH);
	uint64_t length;

	if (http_has(req, HTTP_FIELD_TRANSFER_ENCODING))
		return true;
	return f && (span_u64(f->value, &length) < 0 || length > 0);
}

static bool answered_here(const struct http_head *req)
{
	uint64_t left;

	return http_max_forwards(req, &left) == 0 && left == 0;
}

/* Why a request that is not cacheable is not; REQUEST_CACHEABLE if it is. */
static enum policy_reason hindrance(const struct http_head *req, const struct profile_class *class)
{
	if (!http_method_is_safe(req->method))
		return WHY_REQUEST_UNSAFE;
	if (req->method != HTTP_METHOD_GET && req->method != HTTP_METHOD_HEAD)
		return WHY_REQUEST_METHOD;
	if (!class)
		return WHY_PROFILE_NONE;
	if (class->kind == PROFILE_PASS)
		return WHY_PROFILE_PASS;
	if (has_content(req))
		return WHY_REQUEST_BODY;
	if (http_has(req, HTTP_FIELD_IF_MATCH) || http_has(req, HTTP_FIELD_IF_UNMODIFIED_SINCE))
		return WHY_REQUEST_IF_MATCH;
	return WHY_REQUEST_CACHEABLE;
}

static void route(const struct http_head *req, struct policy_req *r)
{
	r->reason = hindrance(req, r->class);
	r->route = r->reason == WHY_REQUEST_CACHEABLE ? POLICY_ROUTE_CACHE : POLICY_ROUTE_RELAY;
	r->invalidates = r->reason == WHY_REQUEST_UNSAFE;
	if (req->method == HTTP_METHOD_CONNECT) {
		r->route = POLICY_ROUTE_TUNNEL;
		r->reason = WHY_REQUEST_CONNECT;
		r->invalidates = false;
	} else if (answered_here(req)) {
		r->route = POLICY_ROUTE_ANSWER;
		r->reason = WHY_REQUEST_MAX_FORWARDS;
	}
}

/* One Range line that can be read, in a GET; any other is ignored (RFC 9110 14.2). */
static bool has_range(const struct http_head *req, struct policy_trace *trace)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_RANGE);
	struct range_specs specs;

	if (!f)
		return false;
	if (req->method != HTTP_METHOD_GET) {
		policy_trace_add(trace, WHY_REQUEST_RANGE_METHOD);
		return false;
	}
	return http_field_count(req, HTTP_FIELD_RANGE) == 1 &&
	       http_range_parse(f->value, &specs) == 0;
}

static struct fresh_want want_of(const struct cachectl *cc)
{
	return (struct fresh_want){
		.no_cache = cachectl_has(cc, CACHECTL_NO_CACHE),
		.max_age = cc->max_age,
		.min_fresh = cc->min_fresh,
		.has_max_stale = cachectl_has(cc, CACHECTL_MAX_STALE),
		.max_stale = cc->max_stale,
		.stale_if_error = cc->stale_if_error,
	};
}

void policy_request(const struct http_head *req, const struct profile_class *class,
		    struct policy_req *ret, struct policy_trace *trace)
{
	struct cachectl cc = cachectl_of_request(req);
	struct policy_req r = {
		.class = class,
		.method = req->method,
		.only_if_cached = cachectl_has(&cc, CACHECTL_ONLY_IF_CACHED),
		.authorized = http_has(req, HTTP_FIELD_AUTHORIZATION),
		.conditional = http_has(req, HTTP_FIELD_IF_NONE_MATCH) ||
			       http_has(req, HTTP_FIELD_IF_MODIFIED_SINCE),
		.ranged = has_range(req, trace),
		.want = want_of(&cc),
	};

	route(req, &r);
	r.may_store = r.route == POLICY_ROUTE_CACHE && req->method == HTTP_METHOD_GET &&
		      !cachectl_has(&cc, CACHECTL_NO_STORE);
	policy_trace_add(trace, r.reason);
	if (r.want.no_cache && !http_has(req, HTTP_FIELD_CACHE_CONTROL))
		policy_trace_add(trace, WHY_REQUEST_PRAGMA);
	if (cachectl_has(&cc, CACHECTL_NO_STORE))
		policy_trace_add(trace, WHY_REQUEST_NO_STORE);
	if (r.only_if_cached)
		policy_trace_add(trace, WHY_REQUEST_ONLY_IF_CACHED);
	*ret = r;
}
