/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vary (RFC 9111 4.1): which request fields select, and their values in a form that is equal for
 * values of equal meaning:
 *
 *	all fields		lines joined by ",", no white space around commas
 *	Accept-Encoding, Accept-Language, Accept-Charset
 *				also: lower case, weights in one spelling, sorted, "x-gzip" is "gzip"
 *	known fields that are no lists (User-Agent, Cookie ...)
 *				as they are, lines joined by ","
 */
#include <stdlib.h>

#include "proxy/policy/policy.h"

/* ---- names ------------------------------------------------------------------------------------- */

/* A sorted set of lower-case names. */
struct names {
	unsigned n;
	char buf[POLICY_VARY_MAX];
	size_t used;
	struct span name[POLICY_VARY_FIELDS_MAX];
};

static int span_cmp(struct span a, struct span b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int names_add(struct names *set, struct span name)
{
	struct span lower = span_make(set->buf + set->used, name.n);
	unsigned at = 0;

	if (name.n > sizeof(set->buf) - set->used)
		return -E2BIG;
	for (size_t i = 0; i < name.n; i++)
		set->buf[set->used + i] = span_lower(name.p[i]);
	while (at < set->n && span_cmp(set->name[at], lower) < 0)
		at++;
	if (at < set->n && span_eq(set->name[at], lower))
		return 0;
	if (set->n == POLICY_VARY_FIELDS_MAX)
		return -E2BIG;
	memmove(&set->name[at + 1], &set->name[at], (set->n - at) * sizeof(set->name[0]));
	set->name[at] = lower;
	set->n++;
	set->used += name.n;
	return 0;
}

static int names_write(const struct names *set, char *buf, size_t size, struct span *ret_names)
{
	size_t n = 0;

	for (unsigned i = 0; i < set->n; i++) {
		if (set->name[i].n + 1 > size - n)
			return -E2BIG;
		if (i > 0)
			buf[n++] = ',';
		memcpy(buf + n, set->name[i].p, set->name[i].n);
		n += set->name[i].n;
	}
	*ret_names = span_make(buf, n);
	return 0;
}

/* A content coding that Vary does not account for. */
static bool forgets_encoding(const struct http_head *resp)
{
	struct http_list l = http_list_of(resp, HTTP_FIELD_CONTENT_ENCODING);
	struct span coding;

	while (http_list_element(&l, &coding))
		if (!span_ieq(coding, SPAN("identity")))
			return true;
	return false;
}

int policy_vary(const struct http_head *resp, char *buf, size_t size, struct span *ret_names)
{
	struct http_list l = http_list_of(resp, HTTP_FIELD_VARY);
	struct names set = { 0 };
	struct span name;
	int rc = 0;

	while (rc == 0 && http_list_element(&l, &name)) {
		/* "*" itself, and what is no name: who knows what it varies on. */
		if (span_eq(name, SPAN("*")) || !http_is_token(name))
			return -EOPNOTSUPP;
		rc = names_add(&set, name);
	}
	if (rc == 0 && forgets_encoding(resp))
		rc = names_add(&set, SPAN("accept-encoding"));
	return rc < 0 ? rc : names_write(&set, buf, size, ret_names);
}

int policy_vary_join(struct span a, struct span b, char *buf, size_t size, struct span *ret_names)
{
	struct names set = { 0 };
	struct span name;
	int rc = 0;

	while (rc == 0 && span_cut(&a, ',', &name))
		rc = names_add(&set, name);
	while (rc == 0 && span_cut(&b, ',', &name))
		rc = names_add(&set, name);
	return rc < 0 ? rc : names_write(&set, buf, size, ret_names);
}

bool policy_vary_within(const struct http_head *resp, struct span names)
{
	char own_buf[POLICY_VARY_MAX], all_buf[2 * POLICY_VARY_MAX];
	struct span own, all;

	if (!http_has(resp, HTTP_FIELD_VARY))
		return true;
	return policy_vary(resp, own_buf, sizeof(own_buf), &own) == 0 &&
	       policy_vary_join(own, names, all_buf, sizeof(all_buf), &all) == 0 &&
	       span_eq(all, names);
}

/* ---- values ------------------------------------------------------------------------------------ */

/* A value under construction; `overflow` once it does not fit. */
struct value {
	char *buf;
	size_t size;
	size_t n;
	bool overflow;
};

static void put(struct value *v, struct span s)
{
	if (s.n > v->size - v->n) {
		v->overflow = true;
		return;
	}
	if (s.n)
		memcpy(v->buf + v->n, s.p, s.n);
	v->n += s.n;
}

static void put_lower(struct value *v, struct span s)
{
	size_t start = v->n;

	put(v, s);
	for (; start < v->n; start++)
		v->buf[start] = span_lower(v->buf[start]);
}

/* Takes the part before the next comma outside quotes off *rest, trimmed, even if empty. */
static bool comma_cut(struct span *rest, struct span *ret_part)
{
	bool quoted = false;
	size_t i = 0;

	if (!rest->p)
		return false;
	for (; i < rest->n && (quoted || rest->p[i] != ','); i++) {
		if (rest->p[i] == '"')
			quoted = !quoted;
		else if (rest->p[i] == '\\' && quoted)
			i++;
	}
	*ret_part = span_trim(span_head(*rest, i));
	*rest = i < rest->n ? span_drop(*rest, i + 1) : (struct span){ NULL, 0 };
	return true;
}

/* All lines of a field, joined; with the commas' white space if it is known not to be a list. */
static bool put_lines(struct value *v, const struct http_head *req, struct span name)
{
	const struct http_field *f;
	unsigned iter = 0, lines = 0;
	struct span rest, part;

	for (; (f = http_field_named(req, name, &iter)); lines++) {
		if (lines > 0)
			put(v, SPAN(","));
		if (f->id != HTTP_FIELD_UNKNOWN && !(http_field_flags(f->id) & HTTP_F_LIST)) {
			put(v, f->value);
			continue;
		}
		rest = f->value;
		for (unsigned i = 0; comma_cut(&rest, &part); i++) {
			if (i > 0)
				put(v, SPAN(","));
			put(v, part);
		}
	}
	return lines > 0;
}

/* ---- preferences: coding or range, each with a weight -------------------------------------------- */

#define PREFERENCES_MAX 64

struct preference {
	struct span name;
	unsigned weight; /* 0..1000 */
	unsigned place;
};

/* qvalue (RFC 9110 12.4.2) in thousandths, or -EINVAL. */
static int weight_parse(struct span s)
{
	static const unsigned scale[] = { 0, 100, 10, 1 };
	unsigned weight;

	if (s.n < 1 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') || (s.n > 1 && s.p[1] != '.'))
		return -EINVAL;
	weight = s.p[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
		weight += (unsigned)(s.p[i] - '0') * scale[i - 1];
	}
	return weight <= 1000 ? (int)weight : -EINVAL;
}

static int preference_parse(struct span element, struct preference *ret)
{
	size_t end = span_find(element, ';');
	struct span params = span_drop(element, end), name, value;
	int weight = 1000, rc;

	ret->name = span_trim(span_head(element, end));
	if (span_ieq(ret->name, SPAN("x-gzip"))) /* RFC 9110 8.4.1.3 */
		ret->name = SPAN("gzip");
	while ((rc = http_param_next(&params, &name, &value)) == 1) {
		if (!span_ieq(name, SPAN("q")) || !value.p)
			return -EINVAL;
		weight = weight_parse(value);
		if (weight < 0)
			return weight;
	}
	ret->weight = (unsigned)weight;
	return rc;
}

static int icmp(struct span a, struct span b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++)
		if (span_lower(a.p[i]) != span_lower(b.p[i]))
			return span_lower(a.p[i]) < span_lower(b.p[i]) ? -1 : 1;
	return (a.n > b.n) - (a.n < b.n);
}

static int preference_cmp(const void *a, const void *b)
{
	const struct preference *x = a, *y = b;
	int c = icmp(x->name, y->name);

	if (c)
		return c;
	return x->weight != y->weight ? (x->weight < y->weight ? -1 : 1)
				      : (x->place > y->place) - (x->place < y->place);
}

static void put_preference(struct value *v, const struct preference *p)
{
	char weight[8];

	put_lower(v, p->name);
	if (p->weight == 1000)
		return;
	weight[0] = '0';
	weight[1] = '.';
	weight[2] = (char)('0' + p->weight / 100);
	weight[3] = (char)('0' + p->weight / 10 % 10);
	weight[4] = (char)('0' + p->weight % 10);
	put(v, SPAN(";q="));
	put(v, span_make(weight, 5));
}

/* False if it is not of this form: then nothing was written. */
static bool put_preferences(struct value *v, const struct http_head *req, enum http_field_id id)
{
	struct preference p[PREFERENCES_MAX];
	struct http_list l = http_list_of(req, id);
	struct span element;
	unsigned n = 0;

	while (http_list_element(&l, &element)) {
		if (n == PREFERENCES_MAX || preference_parse(element, &p[n]) < 0)
			return false;
		p[n].place = n;
		n++;
	}
	/* cppcheck-suppress uninitvar ; the first n are set */
	qsort(p, n, sizeof(p[0]), preference_cmp);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			put(v, SPAN(","));
		put_preference(v, &p[i]);
	}
	return true;
}

static bool is_preferences(enum http_field_id id)
{
	return id == HTTP_FIELD_ACCEPT_ENCODING || id == HTTP_FIELD_ACCEPT_LANGUAGE ||
	       id == HTTP_FIELD_ACCEPT_CHARSET;
}

/* ---- the key ----------------------------------------------------------------------------------- */

/* The value that selects; its p is NULL if the request has no such field. */
static int value_write(const struct http_head *req, struct span name, char *buf, size_t size,
		       struct span *ret_value)
{
	struct value v = { .buf = buf, .size = size };
	enum http_field_id id = http_field_id(name);
	bool present;

	if (is_preferences(id) && http_has(req, id) && put_preferences(&v, req, id))
		present = true;
	else
		present = put_lines(&v, req, name);
	if (v.overflow)
		return -ENOSPC;
	*ret_value = present ? span_make(buf, v.n) : (struct span){ NULL, 0 };
	return 0;
}

int policy_vary_key(struct span names, const struct http_head *req, char *buf, size_t size,
		    struct cache_key *key)
{
	char value_buf[CACHE_KEY_TEXT_MAX];
	struct span name, value;
	int rc = 0;

	while (rc == 0 && span_cut(&names, ',', &name)) {
		rc = value_write(req, name, value_buf, sizeof(value_buf), &value);
		if (rc == 0)
			rc = key_vary(key, name, value, buf, size);
	}
	return rc;
}
