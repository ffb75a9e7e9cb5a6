/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is there: the response that is stored for the key, as what it was stored, and how fresh it is.
 */
#include "proxy/why/why_priv.h"

#include "cache/variants.h"
#include "proxy/http/date.h"

static void explain_variants(struct why *w)
{
	size_t n = w->marker->body.n / CACHE_KEY_HASH_BYTES;

	why_put(w, w->top, "variants", json_integer((json_int_t)n));
	why_rule(w, "store", "RFC 9111 4.1",
		 "%zu of them were stored; of one URI %u are kept, then the oldest goes", n,
		 VARIANTS_MAX);
}

int why_look(struct why *w)
{
	const struct why_world *world = w->world;
	int rc = world->look(world->arg, &w->key, &w->stored);

	if (rc < 0 || w->stored->kind != OBJECT_VARY)
		return rc;
	w->marker = w->stored;
	w->stored = NULL;
	why_put_text(w, w->top, "vary", w->marker->fields);
	why_rule(w, "store", "RFC 9111 4.1", "responses for this URI vary with the request's %.*s",
		 SPAN_FMT(span_head(w->marker->fields, 400)));
	explain_variants(w);
	memcpy(w->variant_text, w->key.text.p, w->key.text.n);
	w->variant = key_of(span_make(w->variant_text, w->key.text.n));
	rc = policy_vary_key(w->marker->fields, &w->head, w->variant_text, sizeof(w->variant_text),
			     &w->variant);
	if (rc < 0)
		return rc;
	why_put_text(w, w->top, "variant", w->variant.text);
	return world->look(world->arg, &w->variant, &w->stored);
}

int why_look_part(struct why *w)
{
	struct span key = w->variant.text.n ? w->variant.text : w->key.text;
	int rc = policy_part_key(key, w->key.text.n, w->part_text, sizeof(w->part_text),
				 &w->part_key);

	return rc < 0 ? rc : w->world->look(w->world->arg, &w->part_key, &w->part);
}

static void explain_body(struct why *w, json_t *json, const struct object *o)
{
	uint64_t bytes = object_stored_bytes(o);

	why_put(w, json, "length", o->length < 0 ? json_null() : json_integer(o->length));
	why_put(w, json, "bytes", json_integer((json_int_t)bytes));
	why_put(w, json, "complete", json_boolean(object_complete(o)));
	if (object_complete(o))
		why_rule(w, "store", "RFC 9111 4", "a %u response is stored, complete: %ju bytes",
			 o->status, (uintmax_t)bytes);
	else
		why_rule(w, "store", "RFC 9111 3.3",
			 "a %u response is stored, with holes: %ju of %jd bytes", o->status,
			 (uintmax_t)bytes, (intmax_t)o->length);
}

static void explain_validators(struct why *w, json_t *json, const struct object *o)
{
	char date[HTTP_DATE_LEN + 1] = "";

	if (o->last_modified != OBJECT_TIME_UNKNOWN)
		http_date_print(o->last_modified, date);
	why_put_text(w, json, "etag", o->etag);
	why_put(w, json, "last_modified", json_string(date));
	why_put(w, json, "strong", json_boolean(policy_strong(o)));
	if (!o->etag.n && !date[0])
		why_rule(w, "store", "RFC 9110 8.8",
			 "it has no validator: once stale it is fetched anew");
	else
		why_rule(w, "store", "RFC 9110 8.8", "its %s validator: %s%.*s%s%s",
			 policy_strong(o) ? "strong" : "weak", o->etag.n ? "ETag " : "",
			 SPAN_FMT(span_head(o->etag, 200)),
			 !date[0]    ? ""
			 : o->etag.n ? ", Last-Modified "
				     : "Last-Modified ",
			 date);
}

/* As what it was stored, told by its flags. */
static void explain_lifetime(struct why *w, json_t *json, const struct object *o)
{
	struct fresh f = policy_fresh(o);
	char buf[96];

	why_put(w, json, "lifetime", json_integer(f.lifetime));
	why_put(w, json, "received", json_integer(o->received));
	why_rule_reason(w, "stored as",
			f.flags & FRESH_FORCED	    ? WHY_STORE_FORCED
			: f.flags & FRESH_HEURISTIC ? WHY_STORE_HEURISTIC
			: f.lifetime == 0	    ? WHY_STORE_TO_VALIDATE
						    : WHY_STORE_EXPLICIT);
	why_rule(w, "stored as", "RFC 9111 4.2.1", "its freshness lifetime is %s",
		 why_seconds(f.lifetime, buf));
	if (f.flags & FRESH_NO_CACHE)
		why_rule_reason(w, "stored as", WHY_NO_CACHE);
	if (f.flags & FRESH_MUST_REVALIDATE)
		why_rule(w, "stored as", "RFC 9111 4.2.4",
			 "it must not be used stale (must-revalidate, proxy-revalidate or "
			 "s-maxage)");
	if (f.flags & FRESH_IMMUTABLE)
		why_rule(w, "stored as", "RFC 8246 2", "it is said to be immutable while fresh");
	if (f.stale_while_revalidate != FRESH_UNSET)
		why_rule(w, "stored as", "RFC 5861 3", "stale-while-revalidate for %s",
			 why_duration(f.stale_while_revalidate, buf));
	if (f.stale_if_error != FRESH_UNSET)
		why_rule(w, "stored as", "RFC 5861 4", "stale-if-error for %s",
			 why_duration(f.stale_if_error, buf));
}

void why_explain_stored(struct why *w)
{
	const struct object *o = w->stored;
	struct fresh f = policy_fresh(o);
	int64_t ttl = fresh_ttl(&f, w->env.now), age = fresh_age(&f, w->env.now);
	json_t *json = why_part(w, "stored");
	char a[96], b[96];

	why_put(w, json, "status", json_integer(o->status));
	explain_body(w, json, o);
	explain_validators(w, json, o);
	explain_lifetime(w, json, o);
	why_put(w, json, "age", json_integer(age));
	why_put(w, json, "ttl", json_integer(ttl));
	why_put(w, json, "generation", json_integer((json_int_t)o->generation));
	why_put(w, json, "generation_now", json_integer((json_int_t)w->env.generation));
	why_rule(w, "freshness", "RFC 9111 4.2.3", "its age is %s; %s %s", why_seconds(age, a),
		 ttl > 0 ? "it stays fresh for" : "it is stale for", why_seconds(ttl, b));
	if (w->policy.class->kind == PROFILE_OBJECT)
		why_rule(w, "freshness", "profile",
			 o->generation == w->env.generation
				 ? "no index of the vendor has changed since it was stored or "
				   "confirmed"
				 : "an index of the vendor has changed since it was stored or "
				   "confirmed");
}
