/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's answer: its preconditions against the stored validators, in the order of RFC 9110 13.2.2,
 * as far as they are a cache's to evaluate (RFC 9111 4.3.2): If-None-Match, else If-Modified-Since; then
 * Range with If-Range. Only what answers with 200 has conditions evaluated.
 */
#include "proxy/http/date.h"
#include "proxy/policy/policy_priv.h"

/* Tags that are none, for want of quotes: the very same octets still mean the same. */
static bool same_octets(const struct http_head *req, const struct object *o)
{
	struct span rest = o->fields, name, value;

	if (http_field_count(req, HTTP_FIELD_IF_NONE_MATCH) != 1)
		return false;
	while (block_next(&rest, &name, &value))
		if (http_field_id(name) == HTTP_FIELD_ETAG)
			return value.n &&
			       span_eq(value,
				       http_field_first(req, HTTP_FIELD_IF_NONE_MATCH)->value);
	return false;
}

static bool tags_match(const struct http_head *req, const struct object *o)
{
	struct validators v = policy_validators(o);

	if (!o->etag.n && same_octets(req, o))
		return true;
	return etag_list_matches(req, HTTP_FIELD_IF_NONE_MATCH, &v.etag, true);
}

/* Not modified since? Without Last-Modified, Date takes its place (RFC 9111 4.3.2). */
static bool unmodified_since(const struct http_head *req, const struct object *o, int64_t now)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_IF_MODIFIED_SINCE);
	int64_t since, changed = o->last_modified;

	if (changed == OBJECT_TIME_UNKNOWN)
		changed = o->date == OBJECT_TIME_UNKNOWN ? o->received : o->date;
	return http_field_count(req, HTTP_FIELD_IF_MODIFIED_SINCE) == 1 &&
	       http_date_parse(f->value, now, &since) == 0 && changed <= since;
}

static bool is_not_modified(const struct http_head *req, const struct object *o, int64_t now)
{
	if (http_has(req, HTTP_FIELD_IF_NONE_MATCH))
		return tags_match(req, o);
	return http_has(req, HTTP_FIELD_IF_MODIFIED_SINCE) && unmodified_since(req, o, now);
}

/* ---- ranges -------------------------------------------------------------------------------------- */

static void whole(struct policy_answer *a, enum policy_reason reason)
{
	*a = (struct policy_answer){ .kind = POLICY_ANSWER_WHOLE, .reason = reason };
}

static void partial(struct policy_answer *a)
{
	a->kind = POLICY_ANSWER_PARTIAL;
	a->reason = WHY_ANSWER_RANGE;
}

/* The length is not known yet: one range from a first byte on is all that can be promised. */
static void range_open(struct span value, struct policy_answer *a)
{
	struct range_specs specs;

	whole(a, WHY_ANSWER_WHOLE);
	if (http_range_parse(value, &specs) < 0 || specs.n != 1 || specs.spec[0].suffix)
		return;
	a->ranges.n = 1;
	a->ranges.range[0] = (struct byte_range){ specs.spec[0].first, specs.spec[0].last };
	partial(a);
}

static void range_of(struct span value, int64_t length, struct policy_answer *a)
{
	if (length < 0) {
		range_open(value, a);
		return;
	}
	switch (http_range_apply(value, (uint64_t)length, &a->ranges)) {
	case RANGE_SATISFIABLE:
		partial(a);
		break;
	case RANGE_UNSATISFIABLE:
		a->kind = POLICY_ANSWER_UNSATISFIABLE;
		a->reason = WHY_ANSWER_UNSATISFIABLE;
		break;
	default:
		whole(a, WHY_ANSWER_WHOLE);
		break;
	}
}

static bool if_range_holds(const struct http_head *req, const struct object *o, int64_t now)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_IF_RANGE);
	struct validators v = policy_validators(o);

	if (!f)
		return true;
	return http_field_count(req, HTTP_FIELD_IF_RANGE) == 1 &&
	       http_if_range_matches(f->value, &v, now);
}

void policy_answer(const struct http_head *req, const struct object *object, int64_t length,
		   int64_t now, struct policy_answer *ret)
{
	const struct http_field *range = http_field_first(req, HTTP_FIELD_RANGE);

	whole(ret, WHY_ANSWER_WHOLE);
	if (object->status != 200)
		return;
	if (is_not_modified(req, object, now)) {
		ret->kind = POLICY_ANSWER_NOT_MODIFIED;
		ret->reason = WHY_ANSWER_NOT_MODIFIED;
		return;
	}
	if (!range || req->method != HTTP_METHOD_GET ||
	    http_field_count(req, HTTP_FIELD_RANGE) != 1 || object->flags & POLICY_F_WHOLE_ONLY)
		return;
	if (!if_range_holds(req, object, now)) {
		whole(ret, WHY_ANSWER_IF_RANGE);
		return;
	}
	range_of(range->value, length, ret);
}

/* ---- 304 (RFC 9110 15.4.5) ------------------------------------------------------------------------ */

static bool is_for_304(enum http_field_id id, bool has_etag)
{
	switch (id) {
	case HTTP_FIELD_CACHE_CONTROL:
	case HTTP_FIELD_CDN_CACHE_CONTROL:
	case HTTP_FIELD_CONTENT_LOCATION:
	case HTTP_FIELD_DATE:
	case HTTP_FIELD_ETAG:
	case HTTP_FIELD_EXPIRES:
	case HTTP_FIELD_VARY:
	/* Of the message, not of the representation. */
	case HTTP_FIELD_CACHE_STATUS:
	case HTTP_FIELD_VIA:
		return true;
	case HTTP_FIELD_LAST_MODIFIED:
		return !has_etag;
	default:
		return false;
	}
}

int policy_fields_304(const struct object *object, char *buf, size_t cap, size_t *ret_len)
{
	struct head_out o = head_out_init(buf, cap);
	struct span rest = object->fields, name, value;

	while (block_next(&rest, &name, &value))
		if (is_for_304(http_field_id(name), object->etag.n > 0))
			head_out_field(&o, name, value);
	if (o.overflow || o.invalid)
		return -EMSGSIZE;
	*ret_len = o.len;
	return 0;
}
