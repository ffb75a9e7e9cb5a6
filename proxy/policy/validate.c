/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validation: what the origin's answer to our conditions means for what is stored (RFC 9111 4.3.3 to
 * 4.3.5), and the updating of stored fields (3.2).
 *
 *	304, ours ---------------------> UPDATED  stored fields, overwritten by the 304's
 *	304 of another validator ------> AGAIN
 *	304 that forbids storing ------> AGAIN    what comes instead is for the one who asked
 *	500, 502, 503, 504, no answer -> STALE if that may be, else ERROR
 *	anything else -----------------> NEW
 *
 * An updated record is made as that of any response: the merged head is written as text, parsed, and
 * judged. So what a 304 says of freshness counts just as if it had come with the body.
 */
#include <stdio.h>

#include "proxy/policy/policy_priv.h"

/* ---- is it about this object? ------------------------------------------------------------------- */

static struct validators validators_of(const struct http_head *resp, int64_t received)
{
	const struct http_field *tag = http_field_first(resp, HTTP_FIELD_ETAG);
	const struct http_field *lm = http_field_first(resp, HTTP_FIELD_LAST_MODIFIED);
	const struct http_field *date = http_field_first(resp, HTTP_FIELD_DATE);
	struct validators v = { 0 };
	int64_t sent = received;

	if (tag && etag_parse(tag->value, &v.etag) < 0)
		v.etag = (struct etag){ 0 };
	if (date && http_date_parse(date->value, received, &sent) < 0)
		sent = received;
	if (lm && http_date_parse(lm->value, received, &v.last_modified) == 0) {
		v.has_last_modified = true;
		v.date_is_strong = last_modified_is_strong(v.last_modified, sent);
	}
	return v;
}

static bool same_date(const struct validators *a, const struct validators *b)
{
	return a->has_last_modified && b->has_last_modified && a->last_modified == b->last_modified;
}

/* RFC 9111 4.3.4: does a 304 with these validators select the stored response? */
static bool selects(const struct validators *got, const struct validators *have)
{
	bool dates = same_date(got, have);

	if (got->etag.opaque.p && !got->etag.weak)
		return etag_equal_strong(&got->etag, &have->etag) ||
		       (!have->etag.opaque.p && dates && got->date_is_strong);
	if (got->etag.opaque.p)
		return have->etag.opaque.p ? etag_equal_weak(&got->etag, &have->etag) : dates;
	/* Without any, it can only mean the one that was asked about. */
	return !got->has_last_modified || dates;
}

/* ---- updating (3.2) ------------------------------------------------------------------------------ */

/*
 * Fields that stay as stored whatever an update says: those that describe the stored bytes as they lie
 * here. (RFC 9111 3.2 excludes Content-Length, and lets a cache leave out what it depends on.)
 */
static bool is_kept(enum http_field_id id)
{
	return id == HTTP_FIELD_CONTENT_LENGTH || id == HTTP_FIELD_CONTENT_ENCODING ||
	       id == HTTP_FIELD_CONTENT_RANGE;
}

static bool updates(const struct http_head *resp, const struct http_field *f)
{
	return !is_kept(f->id) && !http_hop_by_hop(resp, f);
}

static bool is_replaced(const struct http_head *resp, struct span name)
{
	unsigned iter = 0;
	const struct http_field *f = http_field_named(resp, name, &iter);

	/* The stored Date is that of the stored head: an update without one was made now. */
	return span_ieq(name, SPAN("Date")) || (f && updates(resp, f));
}

static int merged_write(const struct object *stored, const struct http_head *resp, char *buf,
			size_t cap, size_t *ret_len)
{
	struct head_out o = head_out_init(buf, cap);
	struct span rest = stored->fields, name, value;
	int rc;

	head_out_status(&o, stored->status, SPAN("Stored"));
	while (block_next(&rest, &name, &value))
		if (!is_replaced(resp, name))
			head_out_field(&o, name, value);
	for (unsigned i = 0; i < resp->nfields; i++)
		if (updates(resp, &resp->fields[i]))
			head_out_field(&o, resp->fields[i].name, resp->fields[i].value);
	rc = head_out_end(&o);
	if (rc == 0)
		*ret_len = o.len;
	return rc;
}

/* The new record of the same body. -EACCES: it may not be stored any more. */
static int merge(const struct policy_req *req, const struct object *stored,
		 const struct http_head *resp, const struct policy_times *times,
		 const struct policy_env *env, char *buf, size_t cap, struct object *ret_object,
		 struct policy_trace *trace)
{
	struct http_head head;
	struct policy_stored s;
	struct object o;
	size_t n = 0;
	int rc = merged_write(stored, resp, buf, cap / 2, &n);

	if (rc < 0 || http_response_parse(&head, buf, n) < 0)
		return -EMSGSIZE;
	if (response_forbids(req, &head) != WHY_NONE)
		return -EACCES;
	rc = record_build(&head, req->class, times, env, RECORD_STORED, buf + n, cap - n, &s,
			  trace);
	if (rc < 0)
		return rc;
	o = *stored;
	o.flags = s.object.flags | (stored->flags & (OBJECT_COMPLETE | OBJECT_DIGEST |
						     POLICY_F_NO_COMBINE | POLICY_F_WHOLE_ONLY));
	o.fields = s.object.fields;
	o.etag = s.object.etag;
	o.requested = s.object.requested;
	o.received = s.object.received;
	o.date = s.object.date;
	o.last_modified = s.object.last_modified;
	o.expires = s.object.expires;
	o.age = s.object.age;
	o.lifetime = s.object.lifetime;
	o.stale_while_revalidate = s.object.stale_while_revalidate;
	o.stale_if_error = s.object.stale_if_error;
	o.generation = env->generation;
	*ret_object = o;
	return 0;
}

int policy_combined(const struct policy_req *req, const struct object *stored,
		    const struct http_head *resp, const struct policy_times *times,
		    const struct policy_env *env, char *buf, size_t cap, struct object *ret_object)
{
	return merge(req, stored, resp, times, env, buf, cap, ret_object, NULL);
}

/* ---- outcomes ------------------------------------------------------------------------------------ */

static bool is_failure(const struct http_head *resp)
{
	return !resp || resp->status == 500 || resp->status == 502 || resp->status == 503 ||
	       resp->status == 504;
}

static enum policy_outcome failed(const struct policy_req *req, const struct object *stored,
				  const struct policy_env *env, struct policy_trace *trace)
{
	struct fresh f = policy_fresh(stored);
	int64_t limit = req->class && req->class->stale_if_error >= 0
				? req->class->stale_if_error / 1000
				: FRESH_UNSET;

	if (fresh_usable_on_error(&f, &req->want, limit, env->now)) {
		policy_trace_add(trace, WHY_ERROR_STALE);
		return POLICY_OUTCOME_STALE;
	}
	policy_trace_add(trace, WHY_ERROR_FORWARDED);
	return POLICY_OUTCOME_ERROR;
}

int policy_validated(const struct policy_req *req, const struct object *stored,
		     const struct http_head *resp, const struct policy_times *times,
		     const struct policy_env *env, char *buf, size_t cap,
		     enum policy_outcome *ret_outcome, struct object *ret_object,
		     struct policy_trace *trace)
{
	struct validators have, got;
	int rc;

	if (is_failure(resp)) {
		*ret_outcome = failed(req, stored, env, trace);
		return 0;
	}
	if (resp->status != 304) {
		policy_trace_add(trace, WHY_REPLACED);
		*ret_outcome = POLICY_OUTCOME_NEW;
		return 0;
	}
	have = policy_validators(stored);
	got = validators_of(resp, times->received);
	if (!selects(&got, &have)) {
		policy_trace_add(trace, WHY_VALIDATED_OTHER);
		*ret_outcome = POLICY_OUTCOME_AGAIN;
		return 0;
	}
	rc = merge(req, stored, resp, times, env, buf, cap, ret_object, trace);
	if (rc < 0 && rc != -EACCES)
		return rc;
	policy_trace_add(trace, rc < 0 ? WHY_VALIDATED_FORBIDDEN : WHY_VALIDATED);
	*ret_outcome = rc < 0 ? POLICY_OUTCOME_AGAIN : POLICY_OUTCOME_UPDATED;
	return 0;
}

/* ---- HEAD (4.3.5) -------------------------------------------------------------------------------- */

/* Does it describe the stored response, as far as it says anything? */
static bool head_agrees(const struct object *stored, const struct http_head *resp, int64_t received)
{
	const struct http_field *length = http_field_first(resp, HTTP_FIELD_CONTENT_LENGTH);
	struct validators have = policy_validators(stored), got = validators_of(resp, received);
	uint64_t n;

	if (got.etag.opaque.p &&
	    (!etag_equal_weak(&got.etag, &have.etag) || got.etag.weak != have.etag.weak))
		return false;
	if (got.has_last_modified && !same_date(&got, &have))
		return false;
	return !length || (span_u64(length->value, &n) == 0 && stored->length >= 0 &&
			   n == (uint64_t)stored->length);
}

bool policy_head_response(const struct policy_req *req, const struct object *stored,
			  const struct http_head *resp, const struct policy_times *times,
			  const struct policy_env *env, char *buf, size_t cap,
			  struct object *ret_object, struct policy_trace *trace)
{
	int rc = -EACCES;

	if (resp->status != 200 || stored->status != 200)
		return false;
	if (head_agrees(stored, resp, times->received))
		rc = merge(req, stored, resp, times, env, buf, cap, ret_object, trace);
	if (rc == 0)
		policy_trace_add(trace, WHY_HEAD_UPDATED);
	if (rc != -EACCES)
		return rc == 0;
	policy_trace_add(trace, WHY_HEAD_DIFFERS);
	*ret_object = *stored;
	ret_object->lifetime = 0;
	ret_object->stale_while_revalidate = 0;
	return true;
}
