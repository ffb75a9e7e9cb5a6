/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invalidation (RFC 9111 4.4): an unsafe request that went well makes what is stored for its target
 * worthless; also for Location and Content-Location, but only on the same host and port: a host can't
 * reach into another's content.
 */
#include "proxy/http/uri.h"
#include "proxy/policy/policy.h"

/* ---- references (RFC 3986 4.1, 5.2) --------------------------------------------------------------- */

struct reference {
	struct span scheme, authority; /* p NULL: none */
	struct policy_uri uri;
};

static bool is_scheme(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = span_lower(s.p[i]);
		bool alpha = c >= 'a' && c <= 'z';
		bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

		if (!alpha && !(other && i > 0))
			return false;
	}
	return s.n > 0;
}

static void reference_parse(struct span s, struct reference *ret)
{
	struct reference r = { 0 };
	size_t i = span_find(s, ':');

	s = span_head(s, span_find(s, '#'));
	if (i < s.n && is_scheme(span_head(s, i))) {
		r.scheme = span_head(s, i);
		s = span_drop(s, i + 1);
	}
	if (span_starts(s, SPAN("//"))) {
		s = span_drop(s, 2);
		for (i = 0; i < s.n && s.p[i] != '/' && s.p[i] != '?'; i++)
			;
		r.authority = span_head(s, i);
		s = span_drop(s, i);
	}
	i = span_find(s, '?');
	r.uri.path = span_head(s, i);
	r.uri.has_query = i < s.n;
	r.uri.query = span_drop(s, i + 1);
	*ret = r;
}

/* The part of the base's path up to and with its last slash, and the reference's behind it. */
static int path_join(struct span base, struct span path, struct span *buf, struct span *ret_path)
{
	char *out = (char *)buf->p;

	while (base.n && base.p[base.n - 1] != '/')
		base.n--;
	if (base.n == 0)
		base = SPAN("/");
	if (base.n + path.n > buf->n)
		return -ENOSPC;
	memcpy(out, base.p, base.n);
	memcpy(out + base.n, path.p, path.n);
	*ret_path = span_make(out, base.n + path.n);
	*buf = span_drop(*buf, base.n + path.n);
	return 0;
}

static uint16_t port_or_default(uint16_t port, struct span scheme)
{
	return port ? port : uri_default_port(scheme);
}

/* Same scheme, host and port as the request's target, as the origin knows it? (RFC 9110 4.3.1) */
static bool same_origin(const struct policy_origin *origin, const struct reference *r)
{
	struct span host, scheme = origin->scheme;
	uint16_t port;
	bool ip6;

	if (r->scheme.p && !span_ieq(r->scheme, scheme))
		return false;
	if (!r->authority.p)
		return !r->scheme.p;
	if (http_authority_split(r->authority, &host, &port, &ip6) < 0)
		return false;
	return span_ieq(host, origin->host) &&
	       port_or_default(port, scheme) == port_or_default(origin->port, scheme);
}

/* 0 and the resource that a field of the response names, if it is on the request's host. */
static int resolve(const struct http_head *req, const struct policy_origin *origin,
		   struct span value, struct span *buf, struct policy_uri *ret)
{
	struct reference r;

	reference_parse(span_trim(value), &r);
	if (!same_origin(origin, &r))
		return -EXDEV;
	if (r.authority.p || span_starts(r.uri.path, SPAN("/"))) {
		*ret = r.uri;
		return 0;
	}
	if (r.uri.path.n == 0) {
		r.uri.path = req->path;
		if (!r.uri.has_query) {
			r.uri.has_query = req->has_query;
			r.uri.query = req->query;
		}
		*ret = r.uri;
		return 0;
	}
	if (path_join(req->path, r.uri.path, buf, &r.uri.path) < 0)
		return -ENOSPC;
	*ret = r.uri;
	return 0;
}

struct policy_origin policy_origin(struct span scheme, const struct http_head *req,
				   struct span authority)
{
	struct policy_origin origin = { scheme, req->host, req->port };
	struct span host;
	uint16_t port;
	bool ip6;

	if (authority.n && http_authority_split(authority, &host, &port, &ip6) == 0) {
		origin.host = host;
		origin.port = port;
	}
	return origin;
}

void policy_invalidate(const struct http_head *req, const struct policy_origin *origin,
		       const struct http_head *resp, char *buf, size_t cap,
		       struct policy_invalid *ret, struct policy_trace *trace)
{
	static const enum http_field_id fields[] = { HTTP_FIELD_LOCATION,
						     HTTP_FIELD_CONTENT_LOCATION };
	struct span room = span_make(buf, cap);

	ret->n = 0;
	if (http_method_is_safe(req->method) || resp->status < 200 || resp->status >= 400)
		return;
	ret->uri[ret->n++] = (struct policy_uri){ req->path, req->has_query, req->query };
	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		const struct http_field *f = http_field_first(resp, fields[i]);

		if (f && resolve(req, origin, f->value, &room, &ret->uri[ret->n]) == 0)
			ret->n++;
	}
	policy_trace_add(trace, WHY_INVALIDATED);
}

bool policy_names_target(const struct policy_origin *origin, struct span target, struct span value)
{
	struct reference r, t;

	reference_parse(span_trim(value), &r);
	reference_parse(target, &t);
	return same_origin(origin, &r) && span_starts(r.uri.path, SPAN("/")) &&
	       span_eq(r.uri.path, t.uri.path) && r.uri.has_query == t.uri.has_query &&
	       span_eq(r.uri.query, t.uri.query);
}
