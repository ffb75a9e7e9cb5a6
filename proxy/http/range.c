/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte ranges: what a client may ask, what it gets, and how that is announced.
 */
#include "proxy/http/range.h"

#include <inttypes.h>
#include <stdio.h>

#include "proxy/http/date.h"

/* ---- Range --------------------------------------------------------------------------------- */

/* Digits only; too many of them mean a place behind every end. */
static int position_parse(struct span s, uint64_t *ret_value)
{
	uint64_t value;
	int rc = span_u64(s, &value);

	if (rc == -EINVAL)
		return rc;
	*ret_value = rc == -ERANGE ? UINT64_MAX : value;
	return 0;
}

static int spec_parse(struct span s, struct range_spec *ret)
{
	size_t dash = span_find(s, '-');
	struct span first = span_head(s, dash), last = span_drop(s, dash + 1);
	struct range_spec spec = { .suffix = first.n == 0, .last = RANGE_UNKNOWN };

	if (dash == s.n)
		return -EINVAL;
	if (spec.suffix || last.n > 0) {
		if (position_parse(last, &spec.last) < 0)
			return -EINVAL;
	}
	if (!spec.suffix && position_parse(first, &spec.first) < 0)
		return -EINVAL;
	if (!spec.suffix && spec.last < spec.first)
		return -EINVAL;
	*ret = spec;
	return 0;
}

int http_range_parse(struct span value, struct range_specs *ret)
{
	size_t equals = span_find(value, '=');
	struct span list = span_drop(value, equals + 1), part;
	struct range_specs specs = { .n = 0 };

	if (equals == value.n || !span_ieq(span_head(value, equals), SPAN("bytes")))
		return -EINVAL;
	while (span_cut(&list, ',', &part)) {
		part = span_trim(part);
		if (part.n == 0)
			continue;
		if (specs.n == CONFIG_HTTP_RANGES_MAX || spec_parse(part, &specs.spec[specs.n]) < 0)
			return -EINVAL;
		specs.n++;
	}
	if (specs.n == 0)
		return -EINVAL;
	*ret = specs;
	return 0;
}

int http_range_of(const struct http_head *req, struct range_specs *ret)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_RANGE);

	if (!f)
		return -ENOENT;
	if (req->method != HTTP_METHOD_GET || http_field_count(req, HTTP_FIELD_RANGE) > 1)
		return -EINVAL;
	return http_range_parse(f->value, ret);
}

/* ---- against a representation ----------------------------------------------------------------- */

static bool spec_resolve(const struct range_spec *spec, uint64_t complete, struct byte_range *ret)
{
	if (spec->suffix) {
		if (spec->last == 0)
			return false;
		ret->first = spec->last < complete ? complete - spec->last : 0;
		ret->last = complete - 1;
		return true;
	}
	if (spec->first >= complete)
		return false;
	ret->first = spec->first;
	ret->last = spec->last < complete ? spec->last : complete - 1;
	return true;
}

/* No last is UINT64_MAX here: both lie below a complete length. */
static bool ranges_touch(const struct byte_range *a, const struct byte_range *b)
{
	return a->first <= b->last + 1 && b->first <= a->last + 1;
}

static void set_remove(struct range_set *set, unsigned i)
{
	set->n--;
	memmove(&set->range[i], &set->range[i + 1], (set->n - i) * sizeof(set->range[0]));
}

/*
 * Joins @r with all that it touches. Those of the set do not touch each other, so what the joined
 * one touches is what @r touched.
 */
static void set_add(struct range_set *set, struct byte_range r)
{
	unsigned at = set->n;

	for (unsigned i = 0; i < set->n;) {
		struct byte_range *other = &set->range[i];

		if (!ranges_touch(other, &r)) {
			i++;
			continue;
		}
		r.first = other->first < r.first ? other->first : r.first;
		r.last = other->last > r.last ? other->last : r.last;
		set_remove(set, i);
		if (i < at)
			at = i;
	}
	memmove(&set->range[at + 1], &set->range[at], (set->n - at) * sizeof(r));
	set->range[at] = r;
	set->n++;
}

enum range_verdict http_range_resolve(const struct range_specs *specs, uint64_t complete,
				      struct range_set *ret)
{
	struct range_set set = { .n = 0 };
	bool suffix = false;

	CHECK(specs->n > 0 && complete != RANGE_UNKNOWN);
	for (unsigned i = 0; i < specs->n; i++) {
		struct byte_range r;

		suffix |= specs->spec[i].suffix && specs->spec[i].last > 0;
		if (complete > 0 && spec_resolve(&specs->spec[i], complete, &r))
			set_add(&set, r);
	}
	if (complete == 0 && suffix)
		return RANGE_IGNORE;
	if (set.n == 0)
		return RANGE_UNSATISFIABLE;
	*ret = set;
	return RANGE_SATISFIABLE;
}

enum range_verdict http_range_apply(struct span value, uint64_t complete, struct range_set *ret)
{
	struct range_specs specs;

	if (http_range_parse(value, &specs) < 0)
		return RANGE_IGNORE;
	return http_range_resolve(&specs, complete, ret);
}

/* ---- Content-Range ------------------------------------------------------------------------------ */

static int range_resp_parse(struct span s, struct byte_range *ret)
{
	size_t dash = span_find(s, '-');

	if (span_u64(span_head(s, dash), &ret->first) < 0 ||
	    span_u64(span_drop(s, dash + 1), &ret->last) < 0 || ret->last < ret->first ||
	    ret->last == UINT64_MAX)
		return -EINVAL;
	return 0;
}

int http_content_range_parse(struct span value, struct content_range *ret)
{
	struct span unit = SPAN("bytes "), range, complete;
	struct content_range cr = { .complete = RANGE_UNKNOWN };
	size_t slash;

	if (!span_istarts(value, unit))
		return -EINVAL;
	value = span_drop(value, unit.n);
	slash = span_find(value, '/');
	range = span_head(value, slash);
	complete = span_drop(value, slash + 1);
	cr.unsatisfied = span_eq(range, SPAN("*"));
	if (!cr.unsatisfied && range_resp_parse(range, &cr.range) < 0)
		return -EINVAL;
	if (cr.unsatisfied || !span_eq(complete, SPAN("*"))) {
		if (span_u64(complete, &cr.complete) < 0 || cr.complete == RANGE_UNKNOWN)
			return -EINVAL;
	}
	if (!cr.unsatisfied && cr.range.last >= cr.complete)
		return -EINVAL;
	*ret = cr;
	return 0;
}

size_t http_content_range_print(const struct content_range *cr, char buf[HTTP_CONTENT_RANGE_MAX])
{
	char complete[24] = "*";
	int n;

	if (cr->complete != RANGE_UNKNOWN)
		snprintf(complete, sizeof(complete), "%" PRIu64, cr->complete);
	if (cr->unsatisfied)
		n = snprintf(buf, HTTP_CONTENT_RANGE_MAX, "bytes */%s", complete);
	else
		n = snprintf(buf, HTTP_CONTENT_RANGE_MAX, "bytes %" PRIu64 "-%" PRIu64 "/%s",
			     cr->range.first, cr->range.last, complete);
	CHECK(n > 0 && n < HTTP_CONTENT_RANGE_MAX);
	return (size_t)n;
}

/* ---- If-Range ------------------------------------------------------------------------------------ */

bool http_if_range_matches(struct span value, const struct validators *v, int64_t now)
{
	struct etag tag;
	int64_t date;

	if (etag_parse(value, &tag) == 0)
		return etag_equal_strong(&tag, &v->etag);
	return v->has_last_modified && v->date_is_strong &&
	       http_date_parse(value, now, &date) == 0 && date == v->last_modified;
}
