/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache directives. In doubt the reading wins that caches less: of two values the more
 * restrictive, of an argument that is broken 0, of a field list that is broken the whole response.
 * What lengthens storage (public, immutable, must-understand) counts only if it is well-formed.
 */
#include "proxy/http/cachectl.h"

#include "proxy/http/chars.h"
#include "proxy/http/sfv.h"

enum argument {
	ARG_NONE,
	ARG_SECONDS,
	ARG_FIELDS,
	ARG_SECONDS_OR_NONE,
};

struct directive {
	struct span name;
	enum argument argument;
};

static const struct directive directives[CACHECTL_COUNT] = {
#define X(id, name_, argument_) [CACHECTL_##id] = { { name_, sizeof(name_) - 1 }, argument_ },
	CACHECTL_DIRECTIVES(X)
#undef X
};

struct cachectl cachectl_none(void)
{
	return (struct cachectl){ .max_age = -1,
				  .s_maxage = -1,
				  .min_fresh = -1,
				  .max_stale = -1,
				  .stale_while_revalidate = -1,
				  .stale_if_error = -1 };
}

static void set_present(struct cachectl *cc, enum cachectl_directive d)
{
	cc->present |= UINT32_C(1) << d;
}

/* CACHECTL_COUNT if there is none of this name. */
static enum cachectl_directive directive_find(struct span name)
{
	unsigned d = 0;

	while (d < CACHECTL_COUNT && !span_ieq(name, directives[d].name))
		d++;
	return d;
}

/* ---- seconds ------------------------------------------------------------------------------------- */

static int64_t *seconds_of(struct cachectl *cc, enum cachectl_directive d)
{
	switch (d) {
	case CACHECTL_MAX_AGE:
		return &cc->max_age;
	case CACHECTL_S_MAXAGE:
		return &cc->s_maxage;
	case CACHECTL_MIN_FRESH:
		return &cc->min_fresh;
	case CACHECTL_MAX_STALE:
		return &cc->max_stale;
	case CACHECTL_STALE_WHILE_REVALIDATE:
		return &cc->stale_while_revalidate;
	case CACHECTL_STALE_IF_ERROR:
		return &cc->stale_if_error;
	default:
		CHECK(directives[d].argument == ARG_SECONDS);
		return NULL;
	}
}

/* delta-seconds (RFC 9111 1.2.2); -EINVAL if it is none. */
static int seconds_parse(struct span s, int64_t *ret_seconds)
{
	uint64_t value;
	int rc = span_u64(s, &value);

	if (rc == -EINVAL)
		return rc;
	if (rc == -ERANGE || value > (uint64_t)CACHECTL_SECONDS_MAX)
		value = (uint64_t)CACHECTL_SECONDS_MAX;
	*ret_seconds = (int64_t)value;
	return 0;
}

/* @seconds -1: max-stale without a limit, which any limit restricts. */
static void seconds_add(struct cachectl *cc, enum cachectl_directive d, int64_t seconds)
{
	int64_t *slot = seconds_of(cc, d);
	bool first = !cachectl_has(cc, d);

	set_present(cc, d);
	if (first || *slot == -1)
		*slot = seconds;
	else if (seconds == -1)
		return;
	else if (d == CACHECTL_MIN_FRESH ? seconds > *slot : seconds < *slot)
		*slot = seconds;
}

/* ---- one directive --------------------------------------------------------------------------------- */

/* Without the quotes of a quoted string; -EINVAL if they are not a pair at both ends. */
static int unquote(struct span s, struct span *ret)
{
	if (s.n > 0 && s.p[0] == '"') {
		if (s.n < 2 || s.p[s.n - 1] != '"')
			return -EINVAL;
		s = span_sub(s, 1, s.n - 1);
	}
	if (span_find(s, '"') < s.n || span_find(s, '\\') < s.n)
		return -EINVAL;
	*ret = s;
	return 0;
}

static void seconds_argument_add(struct cachectl *cc, enum cachectl_directive d, struct span arg)
{
	int64_t seconds = 0;

	if (!arg.p && directives[d].argument == ARG_SECONDS_OR_NONE) {
		seconds_add(cc, d, -1);
		return;
	}
	if (!arg.p || unquote(arg, &arg) < 0 || seconds_parse(arg, &seconds) < 0) {
		cc->malformed = true;
		seconds = 0;
	}
	seconds_add(cc, d, seconds);
}

/* Is @s a list of field names, with at least one in it? */
static bool is_field_list(struct span s)
{
	unsigned count = 0;
	struct span name;

	for (; span_cut(&s, ',', &name); count += span_trim(name).n > 0)
		if (span_trim(name).n > 0 && !http_is_token(span_trim(name)))
			return false;
	return count > 0;
}

static void fields_argument_add(struct cachectl *cc, enum cachectl_directive d, struct span arg)
{
	struct span *slot = d == CACHECTL_NO_CACHE ? &cc->no_cache_fields : &cc->private_fields;
	bool first = !cachectl_has(cc, d);

	set_present(cc, d);
	if (arg.p && (unquote(arg, &arg) < 0 || !is_field_list(arg))) {
		cc->malformed = true;
		arg = (struct span){ NULL, 0 };
	}
	*slot = first ? arg : (struct span){ NULL, 0 };
}

static bool is_permissive(enum cachectl_directive d)
{
	return d == CACHECTL_PUBLIC || d == CACHECTL_IMMUTABLE || d == CACHECTL_MUST_UNDERSTAND;
}

/* @arg.p is NULL if there was no '='. */
static void directive_add(struct cachectl *cc, struct span name, struct span arg)
{
	enum cachectl_directive d = directive_find(name);

	if (d == CACHECTL_COUNT)
		return;
	switch (directives[d].argument) {
	case ARG_SECONDS:
	case ARG_SECONDS_OR_NONE:
		seconds_argument_add(cc, d, arg);
		break;
	case ARG_FIELDS:
		fields_argument_add(cc, d, arg);
		break;
	case ARG_NONE:
		cc->malformed |= arg.p != NULL;
		if (!arg.p || !is_permissive(d))
			set_present(cc, d);
		break;
	}
}

static bool takes_seconds(struct span name)
{
	enum cachectl_directive d = directive_find(span_trim(name));

	return d != CACHECTL_COUNT && (directives[d].argument == ARG_SECONDS ||
				       directives[d].argument == ARG_SECONDS_OR_NONE);
}

/* ---- lines ------------------------------------------------------------------------------------------- */

/* Space around '=' is an error: what restricts is plain all the same, a number of seconds is none. */
static void element_add(struct cachectl *cc, struct span element)
{
	size_t equals = span_find(element, '=');
	struct span name = span_head(element, equals), arg = { NULL, 0 };
	bool spaced;

	if (equals < element.n)
		arg = span_drop(element, equals + 1);
	spaced = !http_is_token(name) || span_trim(arg).n != arg.n;
	cc->malformed |= spaced;
	directive_add(cc, span_trim(name),
		      spaced && takes_seconds(name) ? SPAN("") : span_trim(arg));
}

/* Does a quoted string begin in @s that does not end? */
static bool has_open_quote(struct span s)
{
	bool open = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			open = !open;
		else if (s.p[i] == '\\' && open)
			i++;
	}
	return open;
}

void cachectl_add(struct cachectl *cc, struct span value)
{
	struct span element;

	if (!has_open_quote(value)) {
		while (http_list_next(&value, &element))
			element_add(cc, element);
		return;
	}
	/* An open quote would hide the directives behind it, no-store among them maybe. */
	cc->malformed = true;
	while (span_cut(&value, ',', &element))
		element_add(cc, span_trim(element));
}

static void lines_add(struct cachectl *cc, const struct http_head *h)
{
	const struct http_field *f;
	unsigned iter = 0;

	while ((f = http_field_next(h, HTTP_FIELD_CACHE_CONTROL, &iter)))
		cachectl_add(cc, f->value);
}

struct cachectl cachectl_of(const struct http_head *h)
{
	struct cachectl cc = cachectl_none();

	lines_add(&cc, h);
	return cc;
}

struct cachectl cachectl_of_request(const struct http_head *req)
{
	struct cachectl cc = cachectl_of(req);

	if (!http_has(req, HTTP_FIELD_CACHE_CONTROL) &&
	    http_list_has(req, HTTP_FIELD_PRAGMA, SPAN("no-cache")))
		set_present(&cc, CACHECTL_NO_CACHE);
	return cc;
}

/* ---- CDN-Cache-Control (RFC 9213 2.1) ---------------------------------------------------------------- */

/* The last of several members with one key counts (RFC 8941 3.2). */
static void member_forget(struct cachectl *cc, enum cachectl_directive d)
{
	cc->present &= ~(UINT32_C(1) << d);
	if (d == CACHECTL_NO_CACHE)
		cc->no_cache_fields = (struct span){ NULL, 0 };
	else if (d == CACHECTL_PRIVATE)
		cc->private_fields = (struct span){ NULL, 0 };
	else if (directives[d].argument != ARG_NONE)
		*seconds_of(cc, d) = -1;
}

static bool is_plain(const struct sfv_item *item, int64_t boolean)
{
	return item->type == SFV_BOOLEAN && item->integer == boolean;
}

static void member_seconds_add(struct cachectl *cc, enum cachectl_directive d,
			       const struct sfv_item *item)
{
	int64_t seconds = 0;

	if (is_plain(item, 1) && directives[d].argument == ARG_SECONDS_OR_NONE)
		seconds = -1;
	else if (item->type == SFV_INTEGER && item->integer >= 0)
		seconds =
			item->integer < CACHECTL_SECONDS_MAX ? item->integer : CACHECTL_SECONDS_MAX;
	else
		cc->malformed = true;
	seconds_add(cc, d, seconds);
}

static void member_add(struct cachectl *cc, struct span key, const struct sfv_item *item)
{
	enum cachectl_directive d = directive_find(key);
	struct span arg = { NULL, 0 };

	if (d == CACHECTL_COUNT)
		return;
	member_forget(cc, d);
	switch (directives[d].argument) {
	case ARG_SECONDS:
	case ARG_SECONDS_OR_NONE:
		member_seconds_add(cc, d, item);
		break;
	case ARG_FIELDS:
	case ARG_NONE:
		if (is_plain(item, 0))
			break;
		if (item->type == SFV_STRING || item->type == SFV_TOKEN)
			arg = item->text;
		else if (item->type != SFV_BOOLEAN)
			arg = SPAN("");
		directive_add(cc, key, arg);
		break;
	}
}

/* False: absent, empty or malformed. */
static bool targeted_read(const struct http_head *resp, struct cachectl *cc)
{
	const struct http_field *f;
	unsigned iter = 0, members = 0;
	struct sfv_item item;
	struct span key;

	while ((f = http_field_next(resp, HTTP_FIELD_CDN_CACHE_CONTROL, &iter))) {
		struct span rest = f->value;
		int rc;

		while ((rc = sfv_member_next(&rest, &key, &item)) > 0) {
			member_add(cc, key, &item);
			members++;
		}
		if (rc < 0)
			return false;
	}
	return members > 0;
}

struct cachectl cachectl_of_response(const struct http_head *resp)
{
	struct cachectl cc = cachectl_none();

	cc.from_cdn = true;
	return targeted_read(resp, &cc) ? cc : cachectl_of(resp);
}

bool cachectl_names_field(struct span fields, struct span name)
{
	struct span one;

	while (span_cut(&fields, ',', &one))
		if (span_ieq(span_trim(one), name))
			return true;
	return false;
}
