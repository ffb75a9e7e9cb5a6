/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to: the class of the path, the route of the request, the key under which it would be stored.
 */
#include "proxy/why/why_priv.h"

static const char *kind_name(enum profile_kind kind)
{
	return kind == PROFILE_INDEX ? "index" : kind == PROFILE_PASS ? "pass" : "object";
}

static void explain_ttl(struct why *w, const char *name, int64_t ms, const char *meaning)
{
	char buf[48];

	if (ms >= 0)
		why_rule(w, "class", profile_file(w->match.profile), "%s = %s: %s", name,
			 why_duration(ms / 1000, buf), meaning);
}

void why_explain_class(struct why *w)
{
	const struct profile *profile = w->match.profile;
	const struct profile_class *class = profile_classify(profile, w->path);
	const char *pattern = profile_pattern(profile, w->path);
	json_t *json = why_part(w, "class");

	why_put(w, json, "kind", json_string(kind_name(class->kind)));
	why_put(w, json, "pattern", pattern ? json_string(pattern) : json_null());
	if (pattern)
		why_rule(w, "class", profile_file(profile), "the path matches %s of class %s",
			 pattern, kind_name(class->kind));
	else
		why_rule(w, "class", profile_file(profile),
			 "the path matches no pattern of the profile: class object");
	explain_ttl(w, "force_ttl", class->force_ttl,
		    "fresh for exactly so long, whatever the origin states");
	explain_ttl(w, "default_ttl", class->default_ttl,
		    "fresh for so long where the origin states nothing");
	explain_ttl(w, "max_ttl", class->max_ttl, "fresh for at most so long");
	explain_ttl(w, "stale_if_error", class->stale_if_error,
		    "used for so long past its freshness while the origin fails");
	policy_request(&w->head, class, &w->policy, &w->trace);
	why_rule_trace(w, "request");
}

/* True: it goes to the store. */
bool why_explain_route(struct why *w)
{
	switch (w->policy.route) {
	case POLICY_ROUTE_CACHE:
		return true;
	case POLICY_ROUTE_TUNNEL:
		why_decide(w, "tunnel", "a tunnel to the host, if the device may use this proxy");
		return false;
	case POLICY_ROUTE_ANSWER:
		why_decide(w, "answer", "answered here: Max-Forwards is used up");
		return false;
	case POLICY_ROUTE_RELAY:
		break;
	}
	why_decide(w, "relay", "relayed to the origin and back, nothing is stored: %s",
		   policy_reason_info(w->policy.reason)->text);
	if (w->policy.invalidates)
		why_rule(w, "request", "RFC 9111 4.4",
			 "if it succeeds, what is stored for this URI is removed");
	return false;
}

bool why_explain_key(struct why *w)
{
	struct policy_target target = {
		.profile = w->match.profile,
		.group = w->match.group,
		.secure = w->tls,
		.port = w->port,
		.path = w->path,
		.has_query = w->head.has_query,
		.query = w->head.query,
	};
	struct span query;

	if (policy_key(&target, w->key_text, sizeof(w->key_text), &w->key) < 0) {
		why_put(w, w->top, "key", json_null());
		why_rule(w, "key", "RFC 3986 2", "no key can be made of this URI");
		why_decide(w, "relay",
			   "relayed to the origin and back: no key can be made of its URI");
		return false;
	}
	why_put_text(w, w->top, "key", w->key.text);
	why_rule(w, "key", "RFC 9111 2", "stored under \"%.*s\"",
		 SPAN_FMT(span_head(w->key.text, 500)));
	query = span_drop(w->key.text, span_find(w->key.text, '?'));
	if (w->head.has_query && w->head.query.n && query.n < w->head.query.n + 1)
		why_rule(w, "key", profile_file(w->match.profile),
			 "parameters of the query that the profile drops are no part of it, and "
			 "never "
			 "logged");
	return true;
}
