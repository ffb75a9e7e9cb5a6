/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why. The way of a request through the rooms of proxy/client (request.c, cached.c), walked without doing anything:
 *
 *	head --- refused ---------------------------------------------> refuse
 *	  |  \--- TLS, Upgrade, CONNECT ------------------------------> splice, tunnel, refuse (TLS)
 *	host --- nobody's, never ------------------------------------> splice (asked as a proxy: relay)
 *	class, method, fields --- not for the store -----------------> relay
 *	key --- none can be made ------------------------------------> relay
 *	store --- what policy_lookup() says -------------------------> hit, validate, fetch, relay, refuse (504)
 *
 * Members of the answer: url, method, does, sentence, status (of a refusal, or of what the device gets), rules[];
 * host {name, port, profile, title, file, group, never}; class {kind, pattern}; key, vary, variant; store_seen;
 * stored {status, age, lifetime, ttl, etag, last_modified, strong, complete, length, bytes, generation,
 * generation_now, received, flags[]}; condition; reach {checked, reachable, state, via, resolver}.
 *
 * A NULL of jansson is carried through to `bad`, so that one look at the end tells whether there was memory.
 */
#include "proxy/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/http/date.h"
#include "proxy/http/frame.h"
#include "proxy/http/refusal.h"
#include "proxy/http/uri.h"
#include "proxy/policy/policy.h"
#include "proxy/tls/decide.h"

#define LINE_MAX_CHARS 640

struct why {
	const struct why_ask *ask;
	const struct why_world *world;
	json_t *top, *rules;
	bool bad;

	char text[POLICY_HEAD_MAX];
	struct http_head head;
	bool tls;
	uint16_t port;
	struct span path;
	struct profile_match match;
	struct policy_req policy;
	struct policy_trace trace;
	char key_text[CACHE_KEY_TEXT_MAX], variant_text[CACHE_KEY_TEXT_MAX];
	struct cache_key key, variant;
	struct object *marker, *stored;
	struct policy_env env;
	struct policy_verdict verdict;
	char fields[2 * POLICY_HEAD_MAX];
};

/* ---- what is said ------------------------------------------------------------------------------- */

static void put(struct why *w, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		w->bad = true;
}

static void put_text(struct why *w, json_t *object, const char *name, struct span text)
{
	/* What is no UTF-8 can't be said in JSON: left out. */
	json_t *value = json_stringn(text.p ? text.p : "", text.n);

	if (value)
		put(w, object, name, value);
}

static json_t *part(struct why *w, const char *name)
{
	json_t *object = json_object();

	put(w, w->top, name, object);
	return json_object_get(w->top, name);
}

/* Printable ASCII of a text: bytes of a URL and of fields may be anything. */
static void clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void put_rule(struct why *w, const char *about, const char *source, const char *token,
		     const char *text)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s*}", "about", about, "source", source, "text",
				text, "token", token);

	if (json_array_append_new(w->rules, row) < 0)
		w->bad = true;
}

__attribute__((format(printf, 4, 5))) static void rule(struct why *w, const char *about,
						       const char *source, const char *format, ...)
{
	char text[LINE_MAX_CHARS];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	clean(text);
	put_rule(w, about, source, NULL, text);
}

/* A reason of policy's, in its own words. */
static void rule_reason(struct why *w, const char *about, enum policy_reason reason)
{
	const struct policy_reason_info *info = policy_reason_info(reason);

	put_rule(w, about, info->source, info->token, info->text);
}

static void rule_trace(struct why *w, const char *about)
{
	for (unsigned i = 0; i < w->trace.n; i++)
		rule_reason(w, about, w->trace.reason[i]);
	w->trace.n = 0;
}

__attribute__((format(printf, 3, 4))) static void decide(struct why *w, const char *does,
							 const char *format, ...)
{
	char text[LINE_MAX_CHARS];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	clean(text);
	put(w, w->top, "does", json_string(does));
	put(w, w->top, "sentence", json_string(text));
}

static void refuse(struct why *w, int refusal)
{
	const struct http_refusal_info *info = http_refusal_info(refusal);

	put_rule(w, "request", info->rfc, info->label, info->text);
	put(w, w->top, "status", json_integer(info->status));
	decide(w, "refuse", "refused with %d: %s", info->status, info->text);
}

/* "40 s", "5 min", "3 h 05 min", "2 d 07 h"; the sign is the caller's. */
static const char *duration(int64_t s, char buf[48])
{
	s = s < 0 ? -s : s;
	if (s < 60)
		(void)snprintf(buf, 48, "%jd s", (intmax_t)s);
	else if (s < 3600)
		(void)snprintf(buf, 48, "%jd min", (intmax_t)(s / 60));
	else if (s < 86400)
		(void)snprintf(buf, 48, "%jd h %02jd min", (intmax_t)(s / 3600),
			       (intmax_t)(s / 60 % 60));
	else
		(void)snprintf(buf, 48, "%jd d %02jd h", (intmax_t)(s / 86400),
			       (intmax_t)(s / 3600 % 24));
	return buf;
}

/* "3600 s (1 h 00 min)", "40 s". */
static const char *seconds(int64_t s, char buf[96])
{
	char words[48];

	s = s < 0 ? -s : s;
	if (s < 60)
		(void)snprintf(buf, 96, "%jd s", (intmax_t)s);
	else
		(void)snprintf(buf, 96, "%jd s (%s)", (intmax_t)s, duration(s, words));
	return buf;
}

/* ---- the question --------------------------------------------------------------------------------- */

/* Printable ASCII, with or without spaces. */
static bool is_plain(const char *text, char lowest)
{
	for (; *text; text++)
		if (*text < lowest || *text > '~')
			return false;
	return true;
}

static int add(struct why *w, size_t *n, struct span text)
{
	if (text.n > sizeof(w->text) - *n)
		return -EMSGSIZE;
	memcpy(w->text + *n, text.p, text.n);
	*n += text.n;
	return 0;
}

/* The request as the device would send it to a proxy. The URL's authority gives Host unless a field does. */
static int request_write(struct why *w, struct span url, size_t *ret_n)
{
	struct span method = span_of(w->ask->method ? w->ask->method : "GET");
	struct span rest = span_drop(url, w->tls ? 8 : 7);
	size_t end = 0, n = 0;
	bool host = false;
	int rc;

	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	rc = add(w, &n, method) ?: add(w, &n, SPAN(" "));
	if (rc == 0)
		rc = add(w, &n, span_eq(method, SPAN("CONNECT")) ? span_head(rest, end) : url);
	rc = rc ?: add(w, &n, SPAN(" HTTP/1.1\r\n"));
	for (size_t i = 0; rc == 0 && i < w->ask->fields_n; i++) {
		struct span field = span_of(w->ask->fields[i]);

		host |= span_ieq(span_head(field, span_find(field, ':')), SPAN("Host"));
		rc = add(w, &n, field) ?: add(w, &n, SPAN("\r\n"));
	}
	if (rc == 0 && !host)
		rc = add(w, &n, SPAN("Host: ")) ?: add(w, &n, span_head(rest, end)) ?:
			add(w, &n, SPAN("\r\n"));
	rc = rc ?: add(w, &n, SPAN("\r\n"));
	*ret_n = n;
	return rc;
}

static bool has_scheme(struct span url, struct span scheme)
{
	return span_ieq(span_head(url, scheme.n), scheme);
}

const char *why_nonsense(const struct why_ask *ask)
{
	struct span url = span_of(ask->url);
	size_t sum = url.n;
	struct addr device;

	if (!is_plain(ask->url, '!'))
		return "a URL is one word of ASCII";
	if (!has_scheme(url, SPAN("http://")) && !has_scheme(url, SPAN("https://")))
		return "a URL begins with http:// or https://";
	if (ask->method && (!ask->method[0] || !is_plain(ask->method, '!')))
		return "a method is one word";
	for (size_t i = 0; i < ask->fields_n; i++) {
		if (!is_plain(ask->fields[i], ' ') || !strchr(ask->fields[i], ':'))
			return "a header field is one line: Name: value";
		sum += strlen(ask->fields[i]) + 2;
	}
	if (ask->from && addr_parse(span_of(ask->from), 0, &device) < 0)
		return "the device is no IP address";
	return sum > CONFIG_HEAD_MAX ? "the request is too long" : NULL;
}

/* 0 or a refusal: the request itself is at fault. */
static int request_make(struct why *w)
{
	struct span url = span_of(w->ask->url);
	struct framing framing;
	uint64_t left;
	size_t n;
	int rc;

	url = span_head(url, span_find(url, '#'));
	w->tls = has_scheme(url, SPAN("https://"));
	if (request_write(w, url, &n) < 0)
		return -HTTP_REFUSED_HEAD_TOO_LARGE;
	rc = http_request_parse(&w->head, w->text, n);
	if (rc == 0)
		rc = http_framing(&w->head, w->head.method, &framing);
	if (rc == 0)
		rc = http_expects_continue(&w->head);
	return rc < 0 ? rc : http_max_forwards(&w->head, &left);
}

/* ---- whose? --------------------------------------------------------------------------------------- */

/* May that device ask us as a proxy? Not knowing the device is neither. */
static void explain_device(struct why *w)
{
	struct addr device;
	bool allowed = false;

	if (!w->ask->from || !w->world->allow)
		return;
	if (addr_parse(span_of(w->ask->from), 0, &device) < 0)
		return;
	for (size_t i = 0; i < w->world->allow->n; i++)
		allowed |= net_contains(&w->world->allow->v[i], &device);
	put(w, w->top, "may_use_proxy", json_boolean(allowed));
	rule(w, "device", "setting proxy.allow",
	     allowed ? "%s may also use this box as a configured proxy"
		     : "%s may not use this box as a configured proxy (403); what it sends to a "
		       "vendor is intercepted all the same",
	     w->ask->from);
}

static void explain_host(struct why *w, bool ours)
{
	json_t *host = part(w, "host");
	const struct profile_match *m = &w->match;

	put_text(w, host, "name", m->profile ? span_of(m->host) : w->head.host);
	put(w, host, "port", json_integer(w->port));
	put(w, host, "never", json_boolean(m->profile && m->never));
	if (!m->profile) {
		put(w, host, "profile", json_null());
		rule(w, "host", "profile", "%.*s belongs to no vendor profile",
		     SPAN_FMT(span_head(w->head.host, 260)));
		return;
	}
	put_text(w, host, "profile", span_of(profile_name(m->profile)));
	put_text(w, host, "title", span_of(profile_title(m->profile)));
	put_text(w, host, "file", span_of(profile_file(m->profile)));
	put_text(w, host, "group", span_of(m->group));
	if (!ours)
		rule(w, "host", profile_file(m->profile),
		     "%s is in [hosts] never of vendor %s: never intercepted, never cached",
		     m->host, profile_name(m->profile));
	else if (m->group[0] == '@')
		rule(w, "host", profile_file(m->profile),
		     "%s belongs to vendor %s, as a mirror of group %s: they share what is stored",
		     m->host, profile_name(m->profile), m->group + 1);
	else
		rule(w, "host", profile_file(m->profile),
		     "%s belongs to vendor %s, and to no group: what is stored is its own", m->host,
		     profile_name(m->profile));
}

/* The profile would have it ended here: do the device and the vendor's certificate agree? */
static void explain_objection(struct why *w, struct tls_verdict *verdict)
{
	struct addr device;
	bool known = w->ask->from && addr_parse(span_of(w->ask->from), 0, &device) == 0;
	const char *text = "";

	if (!w->world->objection)
		return;
	verdict->reason =
		w->world->objection(w->world->arg, known ? &device : NULL, &verdict->match, &text);
	verdict->action = tls_reason_action(verdict->reason);
	if (verdict->reason != TLS_ENDED_HERE)
		put_rule(w, "TLS", "", tls_reason_name(verdict->reason),
			 tls_reason_help(verdict->reason));
	else if (known)
		rule(w, "TLS", "", "%s: %s", w->ask->from, text);
}

/* As for a hello that names the URL's host; an address is not named in one (RFC 6066, 3). */
static void explain_tls(struct why *w)
{
	struct hello hello = { .name = HELLO_NAME_ODD, .http1 = true, .ecdsa = true };
	struct tls_verdict verdict;
	struct addr addr;

	if (addr_parse(w->head.host, 0, &addr) == 0)
		hello.name = HELLO_NAME_NONE;
	else if (host_normalise(w->head.host, hello.host) == 0)
		hello.name = HELLO_NAME_HOST;
	tls_decide(w->world->profiles, &hello, &verdict);
	put_rule(w, "request", verdict.ours ? profile_file(w->match.profile) : "",
		 tls_reason_name(verdict.reason), tls_reason_help(verdict.reason));
	if (verdict.action == TLS_INTERCEPT)
		explain_objection(w, &verdict);
	if (verdict.action == TLS_REFUSE)
		decide(w, "refuse",
		       "reset at once, so that the device comes by HTTP (asked as a configured "
		       "proxy: a tunnel): it is TLS");
	else if (verdict.action == TLS_INTERCEPT)
		decide(w, "intercept",
		       "ended here for devices that trust the box's certificate, once the vendor's "
		       "own is found good; carried through for all others (asked as a configured "
		       "proxy: a tunnel): it is TLS");
	else
		decide(w, "splice",
		       "carried through untouched: it is TLS, nobody here looks inside");
}

/* True: it is a vendor's, to be looked into. */
static bool explain_whose(struct why *w)
{
	bool ours;

	w->port = w->head.port ? w->head.port : w->tls ? 443 : 80;
	w->path = w->head.path.n ? w->head.path : SPAN("/");
	ours = profile_match_host(w->world->profiles, w->head.host, &w->match) && !w->match.never;
	explain_host(w, ours);
	explain_device(w);
	if (w->tls) {
		explain_tls(w);
		return false;
	}
	if (w->world->pseudonym && http_via_loops(&w->head, span_of(w->world->pseudonym))) {
		rule(w, "request", "RFC 9110 7.6.3", "its Via says that it has been here before");
		put(w, w->top, "status", json_integer(508));
		decide(w, "refuse", "refused with 508 (intercepted: carried through): a loop");
		return false;
	}
	if (http_wants_upgrade(&w->head)) {
		rule(w, "request", "RFC 9110 7.8", "the device asks for another protocol");
		decide(w, "splice", "carried through untouched: an upgrade is asked for");
		return false;
	}
	if (ours)
		return true;
	decide(w, "splice",
	       "carried through untouched to where it was going, nothing is stored; asked as a "
	       "configured proxy, it would be relayed uncached");
	return false;
}

/* ---- where to? ------------------------------------------------------------------------------------ */

static const char *kind_name(enum profile_kind kind)
{
	return kind == PROFILE_INDEX ? "index" : kind == PROFILE_PASS ? "pass" : "object";
}

static void explain_ttl(struct why *w, const char *name, int64_t ms, const char *meaning)
{
	char buf[48];

	if (ms >= 0)
		rule(w, "class", profile_file(w->match.profile), "%s = %s: %s", name,
		     duration(ms / 1000, buf), meaning);
}

static void explain_class(struct why *w)
{
	const struct profile *profile = w->match.profile;
	const struct profile_class *class = profile_classify(profile, w->path);
	const char *pattern = profile_pattern(profile, w->path);
	json_t *json = part(w, "class");

	put(w, json, "kind", json_string(kind_name(class->kind)));
	put(w, json, "pattern", pattern ? json_string(pattern) : json_null());
	if (pattern)
		rule(w, "class", profile_file(profile), "the path matches %s of class %s", pattern,
		     kind_name(class->kind));
	else
		rule(w, "class", profile_file(profile),
		     "the path matches no pattern of the profile: class object");
	explain_ttl(w, "force_ttl", class->force_ttl,
		    "fresh for exactly so long, whatever the origin states");
	explain_ttl(w, "default_ttl", class->default_ttl,
		    "fresh for so long where the origin states nothing");
	explain_ttl(w, "max_ttl", class->max_ttl, "fresh for at most so long");
	explain_ttl(w, "stale_if_error", class->stale_if_error,
		    "used for so long past its freshness while the origin fails");
	policy_request(&w->head, class, &w->policy, &w->trace);
	rule_trace(w, "request");
}

/* True: it goes to the store. */
static bool explain_route(struct why *w)
{
	switch (w->policy.route) {
	case POLICY_ROUTE_CACHE:
		return true;
	case POLICY_ROUTE_TUNNEL:
		decide(w, "tunnel", "a tunnel to the host, if the device may use this proxy");
		return false;
	case POLICY_ROUTE_ANSWER:
		decide(w, "answer", "answered here: Max-Forwards is used up");
		return false;
	case POLICY_ROUTE_RELAY:
		break;
	}
	decide(w, "relay", "relayed to the origin and back, nothing is stored: %s",
	       policy_reason_info(w->policy.reason)->text);
	if (w->policy.invalidates)
		rule(w, "request", "RFC 9111 4.4",
		     "if it succeeds, what is stored for this URI is removed");
	return false;
}

static bool explain_key(struct why *w)
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
		put(w, w->top, "key", json_null());
		rule(w, "key", "RFC 3986 2", "no key can be made of this URI");
		decide(w, "relay", "relayed to the origin and back: no key can be made of its URI");
		return false;
	}
	put_text(w, w->top, "key", w->key.text);
	rule(w, "key", "RFC 9111 2", "stored under \"%.*s\"",
	     SPAN_FMT(span_head(w->key.text, 500)));
	query = span_drop(w->key.text, span_find(w->key.text, '?'));
	if (w->head.has_query && w->head.query.n && query.n < w->head.query.n + 1)
		rule(w, "key", profile_file(w->match.profile),
		     "parameters of the query that the profile drops are no part of it, and never "
		     "logged");
	return true;
}

/* ---- what is there -------------------------------------------------------------------------------- */

static int look(struct why *w)
{
	const struct why_world *world = w->world;
	int rc = world->look(world->arg, &w->key, &w->stored);

	if (rc < 0 || w->stored->kind != OBJECT_VARY)
		return rc;
	w->marker = w->stored;
	w->stored = NULL;
	put_text(w, w->top, "vary", w->marker->fields);
	rule(w, "store", "RFC 9111 4.1", "responses for this URI vary with the request's %.*s",
	     SPAN_FMT(span_head(w->marker->fields, 400)));
	memcpy(w->variant_text, w->key.text.p, w->key.text.n);
	w->variant = key_of(span_make(w->variant_text, w->key.text.n));
	rc = policy_vary_key(w->marker->fields, &w->head, w->variant_text, sizeof(w->variant_text),
			     &w->variant);
	if (rc < 0)
		return rc;
	put_text(w, w->top, "variant", w->variant.text);
	return world->look(world->arg, &w->variant, &w->stored);
}

static uint64_t stored_bytes(const struct object *o)
{
	uint32_t chunks = object_chunks(o);
	uint64_t sum = 0;

	if (object_complete(o) || !chunks)
		return o->length > 0 ? (uint64_t)o->length : o->body.n;
	for (uint32_t i = 0; i < chunks; i++) {
		uint64_t from = (uint64_t)i * CONFIG_CHUNK_BYTES;
		uint64_t left = (uint64_t)o->length - from;

		if (object_has_chunk(o, i))
			sum += left < CONFIG_CHUNK_BYTES ? left : CONFIG_CHUNK_BYTES;
	}
	return sum;
}

static void explain_body(struct why *w, json_t *json, const struct object *o)
{
	uint64_t bytes = stored_bytes(o);

	put(w, json, "length", o->length < 0 ? json_null() : json_integer(o->length));
	put(w, json, "bytes", json_integer((json_int_t)bytes));
	put(w, json, "complete", json_boolean(object_complete(o)));
	if (object_complete(o))
		rule(w, "store", "RFC 9111 4", "a %u response is stored, complete: %ju bytes",
		     o->status, (uintmax_t)bytes);
	else
		rule(w, "store", "RFC 9111 3.3",
		     "a %u response is stored, with holes: %ju of %jd bytes", o->status,
		     (uintmax_t)bytes, (intmax_t)o->length);
}

static void explain_validators(struct why *w, json_t *json, const struct object *o)
{
	char date[HTTP_DATE_LEN + 1] = "";

	if (o->last_modified != OBJECT_TIME_UNKNOWN)
		http_date_print(o->last_modified, date);
	put_text(w, json, "etag", o->etag);
	put(w, json, "last_modified", json_string(date));
	put(w, json, "strong", json_boolean(policy_strong(o)));
	if (!o->etag.n && !date[0])
		rule(w, "store", "RFC 9110 8.8",
		     "it has no validator: once stale it is fetched anew");
	else
		rule(w, "store", "RFC 9110 8.8", "its %s validator: %s%.*s%s%s",
		     policy_strong(o) ? "strong" : "weak", o->etag.n ? "ETag " : "",
		     SPAN_FMT(span_head(o->etag, 200)),
		     !date[0]	 ? ""
		     : o->etag.n ? ", Last-Modified "
				 : "Last-Modified ",
		     date);
}

/* As what it was stored, told by its flags. */
static void explain_lifetime(struct why *w, json_t *json, const struct object *o)
{
	struct fresh f = policy_fresh(o);
	char buf[96];

	put(w, json, "lifetime", json_integer(f.lifetime));
	put(w, json, "received", json_integer(o->received));
	rule_reason(w, "stored as",
		    f.flags & FRESH_FORCED	? WHY_STORE_FORCED
		    : f.flags & FRESH_HEURISTIC ? WHY_STORE_HEURISTIC
		    : f.lifetime == 0		? WHY_STORE_TO_VALIDATE
						: WHY_STORE_EXPLICIT);
	rule(w, "stored as", "RFC 9111 4.2.1", "its freshness lifetime is %s",
	     seconds(f.lifetime, buf));
	if (f.flags & FRESH_NO_CACHE)
		rule_reason(w, "stored as", WHY_NO_CACHE);
	if (f.flags & FRESH_MUST_REVALIDATE)
		rule(w, "stored as", "RFC 9111 4.2.4",
		     "it must not be used stale (must-revalidate, proxy-revalidate or s-maxage)");
	if (f.flags & FRESH_IMMUTABLE)
		rule(w, "stored as", "RFC 8246 2", "it is said to be immutable while fresh");
	if (f.stale_while_revalidate != FRESH_UNSET)
		rule(w, "stored as", "RFC 5861 3", "stale-while-revalidate for %s",
		     duration(f.stale_while_revalidate, buf));
	if (f.stale_if_error != FRESH_UNSET)
		rule(w, "stored as", "RFC 5861 4", "stale-if-error for %s",
		     duration(f.stale_if_error, buf));
}

static void explain_stored(struct why *w)
{
	const struct object *o = w->stored;
	struct fresh f = policy_fresh(o);
	int64_t ttl = fresh_ttl(&f, w->env.now), age = fresh_age(&f, w->env.now);
	json_t *json = part(w, "stored");
	char a[96], b[96];

	put(w, json, "status", json_integer(o->status));
	explain_body(w, json, o);
	explain_validators(w, json, o);
	explain_lifetime(w, json, o);
	put(w, json, "age", json_integer(age));
	put(w, json, "ttl", json_integer(ttl));
	put(w, json, "generation", json_integer((json_int_t)o->generation));
	put(w, json, "generation_now", json_integer((json_int_t)w->env.generation));
	rule(w, "freshness", "RFC 9111 4.2.3", "its age is %s; %s %s", seconds(age, a),
	     ttl > 0 ? "it stays fresh for" : "it is stale for", seconds(ttl, b));
	if (w->policy.class->kind == PROFILE_OBJECT)
		rule(w, "freshness", "profile",
		     o->generation == w->env.generation
			     ? "no index of the vendor has changed since it was stored or confirmed"
			     : "an index of the vendor has changed since it was stored or "
			       "confirmed");
}

/* ---- what would be done ----------------------------------------------------------------------------- */

/* The first byte of the answer that is not stored, or UINT64_MAX. */
static uint64_t hole_of(const struct policy_answer *answer, const struct object *o)
{
	struct byte_range whole = { 0, o->length > 0 ? (uint64_t)o->length - 1 : 0 };
	const struct byte_range *range = &whole;
	unsigned n = 1;

	if (object_complete(o) || o->length <= 0 || answer->kind == POLICY_ANSWER_NOT_MODIFIED ||
	    answer->kind == POLICY_ANSWER_UNSATISFIABLE)
		return UINT64_MAX;
	if (answer->kind == POLICY_ANSWER_PARTIAL) {
		range = answer->ranges.range;
		n = answer->ranges.n;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t until = object_stored_until(o, range[i].first);

		if (until <= range[i].last)
			return until;
	}
	return UINT64_MAX;
}

static void decide_hit(struct why *w, const char *meanwhile)
{
	static const unsigned statuses[] = {
		[POLICY_ANSWER_NOT_MODIFIED] = 304,
		[POLICY_ANSWER_PARTIAL] = 206,
		[POLICY_ANSWER_UNSATISFIABLE] = 416,
	};
	struct policy_answer answer;
	unsigned status;
	uint64_t hole;

	policy_answer(&w->head, w->stored, w->stored->length, w->env.now, &answer);
	rule_reason(w, "answer", answer.reason);
	status = answer.kind == POLICY_ANSWER_WHOLE ? w->stored->status : statuses[answer.kind];
	put(w, w->top, "status", json_integer(status));
	hole = w->head.method == HTTP_METHOD_HEAD ? UINT64_MAX : hole_of(&answer, w->stored);
	if (hole == UINT64_MAX) {
		decide(w, "hit", "answered with %u from the store%s", status, meanwhile);
		return;
	}
	rule(w, "answer", "RFC 9111 3.4",
	     "byte %ju is not stored: the chunks that are missing are fetched, guarded by its "
	     "validator",
	     (uintmax_t)hole);
	decide(w, "fetch", "answered with %u: what is stored, and what is missing of it fetched",
	       status);
}

/* The conditions of the request that would go upstream. */
static void decide_validate(struct why *w)
{
	const struct object *o = w->stored;
	char date[HTTP_DATE_LEN + 1] = "", text[400];

	if (o->last_modified != OBJECT_TIME_UNKNOWN)
		http_date_print(o->last_modified, date);
	(void)snprintf(text, sizeof(text), "%s%.*s%s%s%s", o->etag.n ? "If-None-Match: " : "",
		       SPAN_FMT(span_head(o->etag, 200)), o->etag.n && date[0] ? ", " : "",
		       date[0] ? "If-Modified-Since: " : "", date);
	clean(text);
	put(w, w->top, "condition", json_string(text));
	rule(w, "decision", "RFC 9111 4.3.1", "the origin is asked with %s",
	     text[0] ? text : "no condition, as there is no validator");
	decide(w, "validate", "the origin is asked whether what is stored still holds (%s)",
	       text[0] ? text : "no condition");
}

static void decide_error(struct why *w)
{
	struct policy_times times = { w->env.now, w->env.now };
	enum policy_outcome outcome;
	struct object updated;

	if (!w->stored || policy_validated(&w->policy, w->stored, NULL, &times, &w->env, w->fields,
					   sizeof(w->fields), &outcome, &updated, NULL) < 0)
		return;
	if (outcome == POLICY_OUTCOME_STALE)
		rule_reason(w, "if it fails", WHY_ERROR_STALE);
	else
		rule_reason(w, "if it fails", WHY_ERROR_FORWARDED);
}

static void decide_verdict(struct why *w)
{
	switch (w->verdict.use) {
	case POLICY_USE_HIT:
		decide_hit(w, "");
		break;
	case POLICY_USE_REVALIDATE:
		decide_hit(w, ", and the origin is asked meanwhile whether it still holds");
		break;
	case POLICY_USE_VALIDATE:
		decide_validate(w);
		decide_error(w);
		break;
	case POLICY_USE_FETCH:
		decide(w, "fetch", "fetched from the vendor, once for all who ask meanwhile%s",
		       w->verdict.cond == POLICY_COND_DEVICE ? ", with the device's condition"
							     : "");
		break;
	case POLICY_USE_RELAY:
		decide(w, "relay", "relayed to the origin and back for this request alone%s",
		       w->policy.only_if_cached ? "" : ", nothing is stored");
		break;
	case POLICY_USE_504:
		put(w, w->top, "status", json_integer(504));
		decide(w, "refuse", "refused with 504: only-if-cached, and nothing stored will do");
		break;
	}
	if (w->policy.authorized && w->verdict.use == POLICY_USE_FETCH)
		rule(w, "if fetched", "RFC 9111 3.5",
		     "the request is authorized: the response is stored only if it says public, "
		     "s-maxage or must-revalidate");
	if (w->verdict.use == POLICY_USE_FETCH)
		rule(w, "if fetched", "RFC 9111 3",
		     "whether it is stored, and for how long, the response decides; what forbade "
		     "storing (no-store, private, Vary: *) left nothing here to see");
}

/* Not seen: what would be decided depends on what is stored. */
static void explain_unseen(struct why *w)
{
	rule(w, "store", "", "the store can't be seen: no tarn-proxy answers");
	decide(w, "lookup",
	       "looked up in the store; what comes of it only a running tarn-proxy can tell");
}

static int explain_lookup(struct why *w)
{
	const struct why_world *world = w->world;
	int rc;

	w->env = (struct policy_env){
		.now = world->now,
		.heuristic_max = world->heuristic_max,
		.generation = world->generation(world->arg, profile_name(w->match.profile)),
	};
	rc = look(w);
	if (rc == -ENOMEM)
		return rc;
	if (w->stored)
		explain_stored(w);
	else
		put(w, w->top, "stored", json_null());
	policy_lookup(&w->policy, w->stored, w->marker != NULL, &w->env, &w->verdict, &w->trace);
	rule_trace(w, "decision");
	decide_verdict(w);
	return 0;
}

/* ---- the vendor ----------------------------------------------------------------------------------- */

static void explain_reach(struct why *w)
{
	struct why_reach reach;
	json_t *json;

	if (!w->match.profile || !w->world->reach ||
	    !w->world->reach(w->world->arg, profile_name(w->match.profile), &reach))
		return;
	json = part(w, "reach");
	put(w, json, "checked", json_boolean(reach.checked));
	put(w, json, "reachable", json_boolean(reach.reachable));
	put(w, json, "state", json_string(reach.state));
	put(w, json, "via", json_string(reach.via_public ? "public" : "system"));
	if (reach.via_public)
		put(w, json, "resolver", json_string(reach.resolver));
	rule(w, "vendor", profile_file(w->match.profile), "%s %s; names are resolved through %s%s",
	     profile_name(w->match.profile),
	     !reach.checked    ? "is not checked for being reachable"
	     : reach.reachable ? "is reachable"
			       : "can't be reached now",
	     reach.via_public ? "the public resolver " : "the system's resolvers",
	     reach.via_public ? reach.resolver : "");
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static int explain(struct why *w)
{
	int rc = request_make(w);

	if (rc < 0) {
		refuse(w, rc);
		return 0;
	}
	if (w->head.form == HTTP_TARGET_AUTHORITY) {
		rule_reason(w, "request", WHY_REQUEST_CONNECT);
		explain_device(w);
		decide(w, "tunnel", "a tunnel to the host, if the device may use this proxy");
		return 0;
	}
	if (!explain_whose(w)) {
		explain_reach(w);
		return 0;
	}
	explain_class(w);
	if (explain_route(w) && explain_key(w)) {
		put(w, w->top, "store_seen", json_boolean(w->world->look != NULL));
		if (w->world->look)
			rc = explain_lookup(w);
		else
			explain_unseen(w);
	}
	explain_reach(w);
	return rc;
}

int why_explain(const struct why_ask *ask, const struct why_world *world, json_t **ret_json,
		const char **ret_error)
{
	const char *error = why_nonsense(ask);
	struct why *w;
	int rc;

	if (error) {
		*ret_error = error;
		return -EINVAL;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->ask = ask;
	w->world = world;
	w->top = json_object();
	w->rules = json_array();
	rc = explain(w);
	put_text(w, w->top, "url", span_of(ask->url));
	put_text(w, w->top, "method", span_of(ask->method ? ask->method : "GET"));
	put(w, w->top, "rules", w->rules);
	if (rc == 0 && w->bad)
		rc = -ENOMEM;
	if (rc == 0)
		*ret_json = json_incref(w->top);
	json_decref(w->top);
	object_free(&w->marker);
	object_free(&w->stored);
	free(w);
	return rc;
}
