/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entity tags. A list of them can't be cut at commas: a tag may have some inside.
 */
#include "proxy/http/etag.h"

#include "proxy/http/chars.h"

/* Takes one entity tag off the front of *s. */
static int etag_take(struct span *s, struct etag *ret)
{
	bool weak = span_starts(*s, SPAN("W/"));
	struct span t = span_drop(*s, weak ? 2 : 0);
	size_t i = 1;

	if (t.n < 2 || t.p[0] != '"')
		return -EINVAL;
	while (i < t.n && http_char_is(t.p[i], HTTP_C_ETAG))
		i++;
	if (i == t.n || t.p[i] != '"')
		return -EINVAL;
	ret->weak = weak;
	ret->opaque = span_head(t, i + 1);
	*s = span_drop(t, i + 1);
	return 0;
}

int etag_parse(struct span s, struct etag *ret)
{
	struct etag tag;

	if (etag_take(&s, &tag) < 0 || s.n > 0)
		return -EINVAL;
	*ret = tag;
	return 0;
}

bool etag_equal_weak(const struct etag *a, const struct etag *b)
{
	return a->opaque.p && b->opaque.p && span_eq(a->opaque, b->opaque);
}

bool etag_equal_strong(const struct etag *a, const struct etag *b)
{
	return !a->weak && !b->weak && etag_equal_weak(a, b);
}

/* 1: the next tag of the list; 0: its end; -EINVAL. */
static int list_next(struct span *list, struct etag *ret)
{
	while (list->n > 0 && (list->p[0] == ',' || list->p[0] == ' ' || list->p[0] == '\t'))
		*list = span_drop(*list, 1);
	if (list->n == 0)
		return 0;
	if (etag_take(list, ret) < 0)
		return -EINVAL;
	*list = span_trim(*list);
	return list->n == 0 || list->p[0] == ',' ? 1 : -EINVAL;
}

bool etag_list_matches(const struct http_head *head, enum http_field_id id,
		       const struct etag *current, bool exists)
{
	bool strong = id == HTTP_FIELD_IF_MATCH;
	const struct http_field *f;
	unsigned iter = 0;
	struct etag tag;

	f = http_field_first(head, id);
	if (f && span_eq(f->value, SPAN("*")) && http_field_count(head, id) == 1)
		return exists;
	while (exists && (f = http_field_next(head, id, &iter))) {
		struct span list = f->value;
		int rc;

		while ((rc = list_next(&list, &tag)) > 0)
			if (strong ? etag_equal_strong(&tag, current)
				   : etag_equal_weak(&tag, current))
				return true;
		if (rc < 0)
			return false;
	}
	return false;
}
