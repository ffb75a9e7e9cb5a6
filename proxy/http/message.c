/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to a parsed head: methods, fields by id or name, lists over several lines, and what
 * Connection says.
 */
#include "proxy/http/head.h"

/* ---- methods ----------------------------------------------------------------------------- */

static const struct span methods[HTTP_METHOD_COUNT] = { [HTTP_METHOD_OTHER] = { "OTHER", 5 },
#define X(id) [HTTP_METHOD_##id] = { #id, sizeof(#id) - 1 },
							HTTP_METHODS(X)
#undef X
};

/* Methods are told by case (RFC 9110 9.1). */
enum http_method http_method_id(struct span name)
{
	for (unsigned m = HTTP_METHOD_OTHER + 1; m < HTTP_METHOD_COUNT; m++)
		if (span_eq(name, methods[m]))
			return m;
	return HTTP_METHOD_OTHER;
}

const char *http_method_text(enum http_method m)
{
	CHECK(m < HTTP_METHOD_COUNT);
	return methods[m].p;
}

bool http_method_is_safe(enum http_method m)
{
	return m == HTTP_METHOD_GET || m == HTTP_METHOD_HEAD || m == HTTP_METHOD_OPTIONS ||
	       m == HTTP_METHOD_TRACE;
}

bool http_method_is_idempotent(enum http_method m)
{
	return http_method_is_safe(m) || m == HTTP_METHOD_PUT || m == HTTP_METHOD_DELETE;
}

/* ---- fields ------------------------------------------------------------------------------ */

const struct http_field *http_field_next(const struct http_head *h, enum http_field_id id,
					 unsigned *iter)
{
	if (!http_has(h, id))
		return NULL;
	while (*iter < h->nfields) {
		const struct http_field *f = &h->fields[(*iter)++];

		if (f->id == id)
			return f;
	}
	return NULL;
}

const struct http_field *http_field_first(const struct http_head *h, enum http_field_id id)
{
	unsigned iter = 0;

	return http_field_next(h, id, &iter);
}

unsigned http_field_count(const struct http_head *h, enum http_field_id id)
{
	unsigned iter = 0, count = 0;

	while (http_field_next(h, id, &iter))
		count++;
	return count;
}

const struct http_field *http_field_named(const struct http_head *h, struct span name,
					  unsigned *iter)
{
	enum http_field_id id = http_field_id(name);

	if (!http_has(h, id))
		return NULL;
	while (*iter < h->nfields) {
		const struct http_field *f = &h->fields[(*iter)++];

		if (f->id == id && (id != HTTP_FIELD_UNKNOWN || span_ieq(f->name, name)))
			return f;
	}
	return NULL;
}

struct http_list http_list_of(const struct http_head *h, enum http_field_id id)
{
	return (struct http_list){ .head = h, .id = id };
}

bool http_list_element(struct http_list *l, struct span *ret_element)
{
	for (;;) {
		const struct http_field *f;

		if (http_list_next(&l->rest, ret_element))
			return true;
		f = http_field_next(l->head, l->id, &l->iter);
		if (!f)
			return false;
		l->rest = f->value;
	}
}

bool http_list_has(const struct http_head *h, enum http_field_id id, struct span token)
{
	struct http_list l = http_list_of(h, id);
	struct span element;

	while (http_list_element(&l, &element))
		if (span_ieq(element, token))
			return true;
	return false;
}

/* ---- connection -------------------------------------------------------------------------- */

bool http_hop_by_hop(const struct http_head *h, const struct http_field *f)
{
	unsigned flags = http_field_flags(f->id);

	if (flags & HTTP_F_HOP)
		return true;
	if (flags & HTTP_F_KEEP)
		return false;
	return http_list_has(h, HTTP_FIELD_CONNECTION, f->name);
}

bool http_persistent(const struct http_head *h)
{
	if (http_list_has(h, HTTP_FIELD_CONNECTION, SPAN("close")))
		return false;
	if (h->minor > 0)
		return true;
	if (h->is_request && h->form == HTTP_TARGET_ABSOLUTE)
		return false;
	return http_list_has(h, HTTP_FIELD_CONNECTION, SPAN("keep-alive"));
}

bool http_wants_upgrade(const struct http_head *h)
{
	return h->minor > 0 && http_has(h, HTTP_FIELD_UPGRADE) &&
	       http_list_has(h, HTTP_FIELD_CONNECTION, SPAN("upgrade"));
}
