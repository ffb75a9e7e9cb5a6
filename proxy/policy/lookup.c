/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups: what a stored response is good for, now and for this request (RFC 9111 4).
 *
 *	nothing stored --------------------------------> FETCH (HEAD, no-store: RELAY)
 *	cache/fresh says: usable ----------------------> HIT, or HIT + REVALIDATE
 *	... but the profile's index has changed since -> VALIDATE, once
 *	not usable ------------------------------------> VALIDATE (HEAD, no-store: RELAY)
 *	only-if-cached, and any of those but a hit ----> 504
 */
#include "proxy/policy/policy.h"
#include "proxy/policy/policy_priv.h"

struct fresh policy_fresh(const struct object *o)
{
	return (struct fresh){
		.requested = o->requested,
		.received = o->received,
		.date = o->date == OBJECT_TIME_UNKNOWN ? o->received : o->date,
		.age = o->age,
		.lifetime = o->lifetime,
		.stale_while_revalidate =
			o->stale_while_revalidate ? o->stale_while_revalidate : FRESH_UNSET,
		.stale_if_error =
			o->flags & POLICY_F_STALE_IF_ERROR ? o->stale_if_error : FRESH_UNSET,
		.flags = o->flags >> OBJECT_POLICY_SHIFT & POLICY_FRESH_MASK,
	};
}

int64_t policy_age(const struct object *object, int64_t now)
{
	struct fresh f = policy_fresh(object);

	return fresh_age(&f, now);
}

struct validators policy_validators(const struct object *o)
{
	struct validators v = { 0 };

	if (o->etag.n && etag_parse(o->etag, &v.etag) < 0)
		v.etag = (struct etag){ 0 };
	if (o->last_modified != OBJECT_TIME_UNKNOWN) {
		int64_t date = o->date == OBJECT_TIME_UNKNOWN ? o->received : o->date;

		v.has_last_modified = true;
		v.last_modified = o->last_modified;
		v.date_is_strong = last_modified_is_strong(o->last_modified, date);
	}
	return v;
}

bool policy_same_version(const struct object *a, const struct object *b)
{
	struct validators x = policy_validators(a), y = policy_validators(b);

	if (x.etag.opaque.p || y.etag.opaque.p)
		return etag_equal_strong(&x.etag, &y.etag);
	return x.has_last_modified && y.has_last_modified && x.last_modified == y.last_modified &&
	       x.date_is_strong;
}

bool policy_strong(const struct object *object)
{
	struct validators v = policy_validators(object);

	return v.etag.opaque.p ? !v.etag.weak : v.date_is_strong;
}

/* ---- the verdict ------------------------------------------------------------------------------- */

struct row {
	enum policy_use use;
	enum policy_reason reason;
	enum cache_status_fwd fwd;
};

static const struct row rows[] = {
	[FRESH_USE] = { POLICY_USE_HIT, WHY_FRESH, CACHE_FWD_NONE },
	[FRESH_USE_STALE] = { POLICY_USE_HIT, WHY_MAX_STALE, CACHE_FWD_NONE },
	[FRESH_USE_REVALIDATE] = { POLICY_USE_REVALIDATE, WHY_STALE_WHILE_REVALIDATE,
				   CACHE_FWD_NONE },
	[FRESH_VALIDATE_ASKED] = { POLICY_USE_VALIDATE, WHY_REQUEST_NO_CACHE, CACHE_FWD_REQUEST },
	[FRESH_VALIDATE_ALWAYS] = { POLICY_USE_VALIDATE, WHY_NO_CACHE, CACHE_FWD_STALE },
	[FRESH_VALIDATE_OLD] = { POLICY_USE_VALIDATE, WHY_MAX_AGE_REQUEST, CACHE_FWD_REQUEST },
	[FRESH_VALIDATE_SHORT] = { POLICY_USE_VALIDATE, WHY_MIN_FRESH, CACHE_FWD_REQUEST },
	[FRESH_VALIDATE_STALE] = { POLICY_USE_VALIDATE, WHY_STALE, CACHE_FWD_STALE },
};

/* Stored before the profile's index changed? Fresh and immutable needs no second look (RFC 8246). */
static bool outdated(const struct policy_req *req, const struct object *o,
		     const struct policy_env *env, enum policy_reason reason,
		     struct policy_trace *trace)
{
	if (req->class->kind != PROFILE_OBJECT || o->generation >= env->generation)
		return false;
	if (reason == WHY_FRESH && policy_fresh(o).flags & FRESH_IMMUTABLE) {
		policy_trace_add(trace, WHY_IMMUTABLE);
		return false;
	}
	return true;
}

static bool is_hit(const struct policy_verdict *v)
{
	return v->use == POLICY_USE_HIT || v->use == POLICY_USE_REVALIDATE;
}

static void judge(const struct policy_req *req, const struct object *o,
		  const struct policy_env *env, struct policy_verdict *v,
		  struct policy_trace *trace)
{
	struct fresh f = policy_fresh(o);
	const struct row *row = &rows[fresh_judge(&f, &req->want, env->now)];

	v->has_ttl = true;
	v->ttl = fresh_ttl(&f, env->now);
	v->age = fresh_age(&f, env->now);
	v->use = row->use;
	v->reason = row->reason;
	v->fwd = row->fwd;
	if (is_hit(v) && outdated(req, o, env, v->reason, trace)) {
		v->use = POLICY_USE_VALIDATE;
		v->reason = WHY_GENERATION;
		v->fwd = CACHE_FWD_STALE;
	}
	v->cond = v->use == POLICY_USE_VALIDATE ? POLICY_COND_OURS : POLICY_COND_NONE;
}

static void absent(const struct policy_req *req, bool variants, struct policy_verdict *v)
{
	v->use = POLICY_USE_FETCH;
	v->reason = variants ? WHY_NO_VARIANT : WHY_NOT_STORED;
	v->fwd = variants ? CACHE_FWD_VARY_MISS : CACHE_FWD_URI_MISS;
	/* An index is small and wanted by all: fetched whole, and judged when it is here. */
	v->cond = req->conditional && req->class->kind != PROFILE_INDEX ? POLICY_COND_DEVICE
									: POLICY_COND_NONE;
}

/* What can't be stored is no business of the others: HEAD, and requests that forbid it. */
static void relay_instead(const struct policy_req *req, struct policy_verdict *v,
			  struct policy_trace *trace)
{
	v->use = POLICY_USE_RELAY;
	v->cond = POLICY_COND_DEVICE;
	if (req->method == HTTP_METHOD_HEAD)
		policy_trace_add(trace, WHY_HEAD_NOT_STORED);
}

void policy_lookup(const struct policy_req *req, const struct object *object, bool variants,
		   const struct policy_env *env, struct policy_verdict *ret,
		   struct policy_trace *trace)
{
	struct policy_verdict v = { 0 };

	CHECK(req->route == POLICY_ROUTE_CACHE && req->class);
	if (object)
		judge(req, object, env, &v, trace);
	else
		absent(req, variants, &v);
	policy_trace_add(trace, v.reason);
	if (!is_hit(&v) && req->only_if_cached) {
		v.use = POLICY_USE_504;
		v.reason = WHY_GATEWAY_TIMEOUT;
		v.cond = POLICY_COND_NONE;
		policy_trace_add(trace, v.reason);
	} else if (!is_hit(&v) && !req->may_store) {
		relay_instead(req, &v, trace);
	}
	*ret = v;
}

void policy_cache_status(const struct policy_verdict *v, struct cache_status *ret)
{
	/* What was stored says nothing of the freshness of what comes in its place. */
	*ret = (struct cache_status){
		.fwd = v->fwd,
		.has_ttl = v->has_ttl && v->fwd == CACHE_FWD_NONE,
		.ttl = v->ttl,
		.detail = v->reason == WHY_FRESH ? NULL : policy_reason_info(v->reason)->token,
	};
}
