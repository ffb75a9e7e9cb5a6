/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request that goes upstream. For the cache it asks for a resource, so the device's own conditions and
 * range stay behind (policy_answer() honours them when the resource is here); relayed, it says all that the
 * device said, but for what belongs to the connection.
 */
#include <stdio.h>

#include "proxy/http/date.h"
#include "proxy/http/etag.h"
#include "proxy/http/frame.h"
#include "proxy/policy/policy.h"

static void drop_conditions(struct http_field_set *drop)
{
	http_field_set_add(drop, HTTP_FIELD_IF_NONE_MATCH);
	http_field_set_add(drop, HTTP_FIELD_IF_MODIFIED_SINCE);
}

static struct http_field_set drops(const struct policy_forward *w)
{
	struct http_field_set drop = { 0 };

	http_field_set_add(&drop, HTTP_FIELD_VIA);
	http_field_set_add(&drop, HTTP_FIELD_HOST);
	http_field_set_add(&drop, HTTP_FIELD_MAX_FORWARDS);
	if (w->relay)
		return drop;
	if (!w->as_asked)
		http_field_set_add(&drop, HTTP_FIELD_RANGE);
	http_field_set_add(&drop, HTTP_FIELD_IF_RANGE);
	http_field_set_add(&drop, HTTP_FIELD_IF_MATCH);
	http_field_set_add(&drop, HTTP_FIELD_IF_UNMODIFIED_SINCE);
	http_field_set_add(&drop, HTTP_FIELD_CONTENT_LENGTH);
	http_field_set_add(&drop, HTTP_FIELD_EXPECT);
	if (w->cond != POLICY_COND_DEVICE)
		drop_conditions(&drop);
	return drop;
}

/* A list of entity tags, each once; what does not fit is not offered. */
struct tags {
	char buf[1024];
	size_t n;
	struct span seen[POLICY_OTHERS_MAX];
	unsigned seen_n;
};

static void tags_add(struct tags *t, struct span tag)
{
	if (!tag.n || tag.n + 2 > sizeof(t->buf) - t->n)
		return;
	for (unsigned i = 0; i < t->seen_n; i++)
		if (span_eq(t->seen[i], tag))
			return;
	if (t->n) {
		t->buf[t->n++] = ',';
		t->buf[t->n++] = ' ';
	}
	memcpy(t->buf + t->n, tag.p, tag.n);
	t->n += tag.n;
	t->seen[t->seen_n++] = tag;
}

/* RFC 9111 4.3.1: the entity tag if there is one, and Last-Modified. */
static void put_conditions(struct head_out *o, const struct object *stored)
{
	if (stored->etag.n)
		head_out_known(o, HTTP_FIELD_IF_NONE_MATCH, stored->etag);
	if (stored->last_modified != OBJECT_TIME_UNKNOWN)
		head_out_date(o, HTTP_FIELD_IF_MODIFIED_SINCE, stored->last_modified);
}

/* Of several a 304 says by its tag which it means, so no date is offered with them. */
static void put_others(struct head_out *o, const struct policy_forward *w)
{
	struct tags tags = { 0 };

	for (unsigned i = 0; i < w->others_n; i++)
		tags_add(&tags, w->others[i]->etag);
	if (tags.n)
		head_out_known(o, HTTP_FIELD_IF_NONE_MATCH, span_make(tags.buf, tags.n));
}

struct span policy_if_range(const struct http_head *req)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_IF_RANGE);
	struct etag tag;
	int64_t date; /* its century is the origin's to tell */

	if (!f || http_field_count(req, HTTP_FIELD_IF_RANGE) != 1 ||
	    (http_date_parse(f->value, 0, &date) < 0 &&
	     (etag_parse(f->value, &tag) < 0 || tag.weak)))
		return (struct span){ 0 };
	return f->value;
}

/* RFC 9110 14.2, 13.1.5: a range, of that object or else the whole. */
static void put_range(struct head_out *o, const struct policy_forward *w)
{
	char value[64];
	struct validators v;
	int n;

	if (w->range.last == RANGE_UNKNOWN)
		n = snprintf(value, sizeof(value), "bytes=%llu-",
			     (unsigned long long)w->range.first);
	else
		n = snprintf(value, sizeof(value), "bytes=%llu-%llu",
			     (unsigned long long)w->range.first, (unsigned long long)w->range.last);
	head_out_known(o, HTTP_FIELD_RANGE, span_make(value, (size_t)n));
	if (!w->stored && policy_if_range(w->request).n)
		head_out_known(o, HTTP_FIELD_IF_RANGE, policy_if_range(w->request));
	if (!w->stored || !policy_strong(w->stored))
		return;
	v = policy_validators(w->stored);
	if (v.etag.opaque.p)
		head_out_known(o, HTTP_FIELD_IF_RANGE, w->stored->etag);
	else
		head_out_date(o, HTTP_FIELD_IF_RANGE, w->stored->last_modified);
}

/* RFC 9110 7.6.2: one less, where it means something; as it is elsewhere. */
static void put_max_forwards(struct head_out *o, const struct http_head *req)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_MAX_FORWARDS);
	uint64_t left;

	if (!f)
		return;
	if (http_max_forwards(req, &left) == 0 && left != UINT64_MAX && left > 0)
		head_out_number(o, HTTP_FIELD_MAX_FORWARDS, left - 1);
	else
		head_out_known(o, HTTP_FIELD_MAX_FORWARDS, f->value);
}

int policy_forward(const struct policy_forward *w, char *buf, size_t cap, size_t *ret_len)
{
	struct head_out o = head_out_init(buf, cap);
	struct http_field_set drop = drops(w);
	int rc;

	head_out_request(&o, w->request->method_name, w->target);
	if (w->authority.n || w->request->authority.n)
		head_out_known(&o, HTTP_FIELD_HOST,
			       w->authority.n ? w->authority : w->request->authority);
	head_out_copy(&o, w->request, &drop);
	if (!w->relay && w->cond == POLICY_COND_OURS && w->stored)
		put_conditions(&o, w->stored);
	else if (!w->relay && w->cond == POLICY_COND_OURS)
		put_others(&o, w);
	if (!w->relay && w->has_range)
		put_range(&o, w);
	if (w->relay && http_has(w->request, HTTP_FIELD_TRANSFER_ENCODING))
		head_out_text(&o, HTTP_FIELD_TRANSFER_ENCODING, "chunked");
	if (w->end_to_end && !http_has(w->request, HTTP_FIELD_CACHE_CONTROL))
		head_out_text(&o, HTTP_FIELD_CACHE_CONTROL, "max-age=0");
	put_max_forwards(&o, w->request);
	head_out_via(&o, w->request, w->pseudonym);
	rc = head_out_end(&o);
	if (rc == 0)
		*ret_len = o.len;
	return rc;
}
