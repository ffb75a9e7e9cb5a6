/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a response's head to a record: which of its fields are kept (RFC 9111 3.1), and the numbers
 * of its freshness (4.2). Whether it may be stored at all is response.c's.
 *
 * The buffer, in this order: the field block, the lines for one device alone, the names of Vary.
 */
#include "proxy/http/cachectl.h"
#include "proxy/http/date.h"
#include "proxy/policy/policy_priv.h"

/* ---- blocks ------------------------------------------------------------------------------------ */

bool block_next(struct span *block, struct span *ret_name, struct span *ret_value)
{
	struct span line, rest = *block;
	size_t colon;

	if (!span_cut(&rest, '\n', &line))
		return false;
	colon = span_find(line, ':');
	*ret_name = span_head(line, colon);
	line = span_drop(line, colon + 1);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	*ret_value = span_trim(line);
	*block = rest;
	return true;
}

/* ---- fields ------------------------------------------------------------------------------------ */

enum share {
	SHARE_NONE, /* this connection's, or told by the record's numbers */
	SHARE_ONE,  /* for the device that asked, not for the store */
	SHARE_ALL,
};

static bool named(const struct cachectl *cc, enum cachectl_directive d, struct span fields,
		  struct span name)
{
	return cachectl_has(cc, d) && fields.p && cachectl_names_field(fields, name);
}

static enum share share_of(const struct http_head *resp, const struct http_field *f,
			   const struct cachectl *cc, enum record_for use)
{
	if (http_hop_by_hop(resp, f))
		return SHARE_NONE;
	if (f->id == HTTP_FIELD_CONTENT_LENGTH || f->id == HTTP_FIELD_AGE ||
	    f->id == HTTP_FIELD_DATE)
		return SHARE_NONE;
	/* A part becomes part of the whole; whose range it was is not said again. */
	if (use == RECORD_STORED && f->id == HTTP_FIELD_CONTENT_RANGE && resp->status == 206)
		return SHARE_NONE;
	if (use != RECORD_PASSED && (named(cc, CACHECTL_NO_CACHE, cc->no_cache_fields, f->name) ||
				     named(cc, CACHECTL_PRIVATE, cc->private_fields, f->name)))
		return SHARE_ONE;
	return SHARE_ALL;
}

static void fields_write(struct head_out *o, const struct http_head *resp,
			 const struct cachectl *cc, enum record_for use, enum share which,
			 struct object *object)
{
	for (unsigned i = 0; i < resp->nfields; i++) {
		const struct http_field *f = &resp->fields[i];

		if (share_of(resp, f, cc, use) != which)
			continue;
		head_out_field(o, f->name, f->value);
		if (which == SHARE_ALL && f->id == HTTP_FIELD_ETAG && !object->etag.n &&
		    !o->overflow)
			object->etag = span_make(o->buf + o->len - 2 - f->value.n, f->value.n);
	}
}

/* A tag that is none is passed on as it came, but means nothing. */
static void etag_check(struct object *object)
{
	struct etag tag;

	if (object->etag.n && etag_parse(object->etag, &tag) < 0)
		object->etag = (struct span){ "", 0 };
}

/* ---- numbers ----------------------------------------------------------------------------------- */

/* A date field. False if absent; an unreadable one is INT64_MIN. */
static bool date_of(const struct http_head *resp, enum http_field_id id, int64_t now,
		    int64_t *ret_time)
{
	const struct http_field *f = http_field_first(resp, id);

	if (f && http_date_parse(f->value, now, ret_time) < 0)
		*ret_time = INT64_MIN;
	return f != NULL;
}

/* The first member of Age, if it is a number (RFC 9111 5.1). */
static int64_t age_of(const struct http_head *resp)
{
	struct http_list l = http_list_of(resp, HTTP_FIELD_AGE);
	struct span first;
	uint64_t age;
	int rc;

	if (!http_list_element(&l, &first))
		return 0;
	rc = span_u64(first, &age);
	if (rc == -EINVAL)
		return 0;
	return rc == -ERANGE || age > (uint64_t)FRESH_MAX ? FRESH_MAX : (int64_t)age;
}

static int64_t seconds_of_ms(int64_t ms)
{
	return ms < 0 ? FRESH_UNSET : ms / 1000 + (ms % 1000 > 0);
}

/* Does the status name something that lasts, for which a profile may state a lifetime? */
static bool profile_may_say(unsigned status)
{
	return status_is_heuristic(status) && status < 400;
}

static struct fresh_given given_of(const struct http_head *resp, const struct profile_class *class,
				   const struct cachectl *cc, const struct object *o,
				   const struct policy_env *env)
{
	bool profile = class && profile_may_say(resp->status);
	struct fresh_given g = {
		.s_maxage = cc->s_maxage,
		.max_age = cc->max_age,
		.has_expires = http_has(resp, HTTP_FIELD_EXPIRES) && !cc->from_cdn,
		.expires = o->expires,
		.date = o->date,
		.has_last_modified = o->last_modified != OBJECT_TIME_UNKNOWN,
		.last_modified = o->last_modified,
		.heuristic_ok =
			status_is_heuristic(resp->status) || cachectl_has(cc, CACHECTL_PUBLIC),
		.heuristic_max = env->heuristic_max,
		.force_ttl = profile ? seconds_of_ms(class->force_ttl) : FRESH_UNSET,
		.default_ttl = profile ? seconds_of_ms(class->default_ttl) : FRESH_UNSET,
		.max_ttl = class ? seconds_of_ms(class->max_ttl) : FRESH_UNSET,
	};

	return g;
}

static uint32_t flags_of(const struct cachectl *cc, enum fresh_source source)
{
	uint32_t flags = 0;

	if (cachectl_has(cc, CACHECTL_NO_CACHE) && !cc->no_cache_fields.p &&
	    source != FRESH_FROM_FORCE)
		flags |= FRESH_NO_CACHE;
	if (cachectl_has(cc, CACHECTL_MUST_REVALIDATE) ||
	    cachectl_has(cc, CACHECTL_PROXY_REVALIDATE) || cachectl_has(cc, CACHECTL_S_MAXAGE))
		flags |= FRESH_MUST_REVALIDATE;
	if (cachectl_has(cc, CACHECTL_IMMUTABLE))
		flags |= FRESH_IMMUTABLE;
	if (source == FRESH_FROM_HEURISTIC)
		flags |= FRESH_HEURISTIC;
	if (source == FRESH_FROM_FORCE)
		flags |= FRESH_FORCED;
	return flags << OBJECT_POLICY_SHIFT;
}

static const enum policy_reason source_reasons[] = {
	[FRESH_FROM_FORCE] = WHY_STORE_FORCED,	      [FRESH_FROM_S_MAXAGE] = WHY_STORE_EXPLICIT,
	[FRESH_FROM_MAX_AGE] = WHY_STORE_EXPLICIT,    [FRESH_FROM_EXPIRES] = WHY_STORE_EXPLICIT,
	[FRESH_FROM_DEFAULT] = WHY_STORE_DEFAULT,     [FRESH_FROM_HEURISTIC] = WHY_STORE_HEURISTIC,
	[FRESH_FROM_NOTHING] = WHY_STORE_TO_VALIDATE,
};

static void freshness(const struct http_head *resp, const struct profile_class *class,
		      const struct cachectl *cc, const struct policy_env *env,
		      struct policy_stored *s, struct policy_trace *trace)
{
	struct object *o = &s->object;
	struct fresh_given g = given_of(resp, class, cc, o, env);
	enum fresh_source source;
	int64_t lifetime = fresh_lifetime(&g, &source);

	o->flags |= flags_of(cc, source);
	s->reason = source_reasons[source];
	policy_trace_add(trace, s->reason);
	if (source != FRESH_FROM_FORCE && g.max_ttl >= 0 && lifetime == g.max_ttl)
		policy_trace_add(trace, WHY_STORE_CAPPED);
	if (source == FRESH_FROM_FORCE) {
		struct fresh f = policy_fresh(o);

		/* For exactly so long from now, however old it came. */
		lifetime = fresh_sum(lifetime, fresh_initial_age(&f));
	}
	o->lifetime = (uint32_t)lifetime;
	if (cc->stale_if_error >= 0) {
		o->stale_if_error = (uint32_t)cc->stale_if_error;
		o->flags |= POLICY_F_STALE_IF_ERROR;
	}
	/* A stale index is asked about before it is served, always. */
	if (cc->stale_while_revalidate > 0 && !(class && class->kind == PROFILE_INDEX))
		o->stale_while_revalidate = (uint32_t)cc->stale_while_revalidate;
}

static void times_fill(const struct http_head *resp, const struct policy_times *times,
		       struct object *o)
{
	o->requested = times->requested;
	o->received = times->received;
	if (!date_of(resp, HTTP_FIELD_DATE, times->received, &o->date) || o->date == INT64_MIN)
		o->date = times->received;
	if (!date_of(resp, HTTP_FIELD_LAST_MODIFIED, times->received, &o->last_modified))
		o->last_modified = OBJECT_TIME_UNKNOWN;
	if (!date_of(resp, HTTP_FIELD_EXPIRES, times->received, &o->expires))
		o->expires = OBJECT_TIME_UNKNOWN;
	o->age = (uint32_t)age_of(resp);
}

static int64_t length_of(const struct http_head *resp)
{
	const struct http_field *f = http_field_first(resp, HTTP_FIELD_CONTENT_LENGTH);
	uint64_t n;

	if (http_has(resp, HTTP_FIELD_TRANSFER_ENCODING) || !f || span_u64(f->value, &n) < 0 ||
	    n > INT64_MAX)
		return OBJECT_LENGTH_UNKNOWN;
	return (int64_t)n;
}

/* ---- the record -------------------------------------------------------------------------------- */

static int blocks_write(const struct http_head *resp, const struct cachectl *cc,
			enum record_for use, char *buf, size_t cap, struct policy_stored *s)
{
	struct head_out all = head_out_init(buf, cap), one;

	head_out_date(&all, HTTP_FIELD_DATE, s->object.date);
	fields_write(&all, resp, cc, use, SHARE_ALL, &s->object);
	etag_check(&s->object);
	s->object.fields = span_make(buf, all.len);
	one = head_out_init(buf + all.len, cap - all.len);
	fields_write(&one, resp, cc, use, SHARE_ONE, &s->object);
	s->private_fields = span_make(one.buf, one.len);
	return all.overflow || all.invalid || one.overflow || one.invalid ? -EMSGSIZE : 0;
}

int record_build(const struct http_head *resp, const struct profile_class *class,
		 const struct policy_times *times, const struct policy_env *env,
		 enum record_for use, char *buf, size_t cap, struct policy_stored *ret,
		 struct policy_trace *trace)
{
	struct cachectl cc = cachectl_of_response(resp);
	struct policy_stored s = {
		.store = use != RECORD_PASSED,
		.object = {
			.kind = OBJECT_RESPONSE,
			.status = resp->status,
			.class = class ? (uint8_t)class->kind : (uint8_t)PROFILE_PASS,
			.generation = env->generation,
			.length = length_of(resp),
			.etag = SPAN(""),
		},
	};
	int rc;

	times_fill(resp, times, &s.object);
	if (cc.from_cdn)
		policy_trace_add(trace, WHY_STORE_CDN);
	freshness(resp, class, &cc, env, &s, trace);
	if (resp->status != 206 && http_has(resp, HTTP_FIELD_CONTENT_RANGE))
		s.object.flags |= POLICY_F_WHOLE_ONLY;
	rc = blocks_write(resp, &cc, use, buf, cap, &s);
	if (rc < 0)
		return rc;
	*ret = s;
	return 0;
}
