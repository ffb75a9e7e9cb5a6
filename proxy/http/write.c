/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts heads together. Invariant: buf[0..len) is always a whole number of good lines; the first
 * line that does not fit, or is not fit, ends the work and is told by head_out_end().
 */
#include "proxy/http/write.h"

#include <stdio.h>

#include "proxy/http/chars.h"
#include "proxy/http/sfv.h"

/* ---- pieces --------------------------------------------------------------------------------------- */

static bool is_broken(const struct head_out *o)
{
	return o->overflow || o->invalid;
}

static void put(struct head_out *o, struct span s)
{
	if (s.n > o->cap - o->len) {
		o->overflow = true;
	} else if (s.n > 0) {
		memcpy(o->buf + o->len, s.p, s.n);
		o->len += s.n;
	}
}

/* Ends the line that began at @start: takes it back if a piece of it did not fit. */
static void put_line_end(struct head_out *o, size_t start)
{
	put(o, SPAN("\r\n"));
	if (is_broken(o))
		o->len = start;
}

static void put_number(struct head_out *o, uint64_t value)
{
	char digits[SPAN_DIGITS_MAX];

	put(o, span_make(digits, span_digits(value, digits)));
}

struct head_out head_out_init(char *buf, size_t cap)
{
	return (struct head_out){ .buf = buf, .cap = cap };
}

int head_out_end(struct head_out *o)
{
	if (!is_broken(o))
		put(o, SPAN("\r\n"));
	return o->invalid ? -EINVAL : o->overflow ? -EMSGSIZE : 0;
}

/* ---- start lines ------------------------------------------------------------------------------------ */

void head_out_status(struct head_out *o, unsigned status, struct span reason)
{
	size_t start = o->len;

	if (is_broken(o))
		return;
	reason = reason.n ? span_trim(reason) : span_of(http_reason(status));
	if (status < 100 || status > 599 || !http_is_field_value(reason)) {
		o->invalid = true;
		return;
	}
	put(o, SPAN("HTTP/1.1 "));
	put_number(o, status);
	put(o, SPAN(" "));
	put(o, reason);
	put_line_end(o, start);
}

static bool is_target(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!http_char_is(s.p[i], HTTP_C_TARGET))
			return false;
	return s.n > 0;
}

void head_out_request(struct head_out *o, struct span method, struct span target)
{
	size_t start = o->len;

	if (is_broken(o))
		return;
	if (!http_is_token(method) || !is_target(target)) {
		o->invalid = true;
		return;
	}
	put(o, method);
	put(o, SPAN(" "));
	put(o, target);
	put(o, SPAN(" HTTP/1.1"));
	put_line_end(o, start);
}

/* ---- fields ------------------------------------------------------------------------------------------- */

/* Of a name and a value that are known to be good. */
static void put_field(struct head_out *o, struct span name, struct span value)
{
	size_t start = o->len;

	put(o, name);
	put(o, SPAN(": "));
	put(o, value);
	put_line_end(o, start);
}

void head_out_field(struct head_out *o, struct span name, struct span value)
{
	if (is_broken(o))
		return;
	if (http_is_token(name) && http_is_field_value(value))
		put_field(o, name, value);
	else
		o->invalid = true;
}

void head_out_known(struct head_out *o, enum http_field_id id, struct span value)
{
	if (is_broken(o))
		return;
	if (http_is_field_value(value))
		put_field(o, http_field_name(id), value);
	else
		o->invalid = true;
}

void head_out_text(struct head_out *o, enum http_field_id id, const char *value)
{
	head_out_known(o, id, span_of(value));
}

void head_out_number(struct head_out *o, enum http_field_id id, uint64_t value)
{
	char digits[SPAN_DIGITS_MAX];

	if (!is_broken(o))
		put_field(o, http_field_name(id), span_make(digits, span_digits(value, digits)));
}

void head_out_date(struct head_out *o, enum http_field_id id, int64_t time)
{
	char date[HTTP_DATE_LEN + 1];

	http_date_print(time, date);
	head_out_known(o, id, span_make(date, HTTP_DATE_LEN));
}

void head_out_content_range(struct head_out *o, const struct content_range *cr)
{
	char value[HTTP_CONTENT_RANGE_MAX];
	size_t n = http_content_range_print(cr, value);

	head_out_known(o, HTTP_FIELD_CONTENT_RANGE, span_make(value, n));
}

void head_out_raw(struct head_out *o, struct span lines)
{
	if (!is_broken(o))
		put(o, lines);
}

/* ---- copies --------------------------------------------------------------------------------------------- */

static bool set_has(const struct http_field_set *s, enum http_field_id id)
{
	return s && (s->bits[id / 64] >> (id % 64) & 1);
}

void head_out_copy(struct head_out *o, const struct http_head *h, const struct http_field_set *drop)
{
	if (h->is_request && h->authority.n > 0 && !set_has(drop, HTTP_FIELD_HOST))
		head_out_known(o, HTTP_FIELD_HOST, h->authority);
	for (unsigned i = 0; i < h->nfields && !is_broken(o); i++) {
		const struct http_field *f = &h->fields[i];

		if (h->is_request && f->id == HTTP_FIELD_HOST)
			continue;
		if (f->id != HTTP_FIELD_UNKNOWN && set_has(drop, f->id))
			continue;
		if (!http_hop_by_hop(h, f))
			put_field(o, f->name, f->value);
	}
}

/* The received lines of a list, as they were; ours comes behind them. */
static void lines_copy(struct head_out *o, const struct http_head *h, enum http_field_id id)
{
	const struct http_field *f;
	unsigned iter = 0;

	while (h && !is_broken(o) && (f = http_field_next(h, id, &iter)))
		put_field(o, f->name, f->value);
}

void head_out_via(struct head_out *o, const struct http_head *received, struct span pseudonym)
{
	size_t start;

	lines_copy(o, received, HTTP_FIELD_VIA);
	start = o->len;
	if (is_broken(o))
		return;
	if (!http_is_token(pseudonym)) {
		o->invalid = true;
		return;
	}
	put(o, received && received->minor == 0 ? SPAN("Via: 1.0 ") : SPAN("Via: 1.1 "));
	put(o, pseudonym);
	put_line_end(o, start);
}

/* [protocol-name "/"] protocol-version SP received-by [SP comment] */
bool http_via_loops(const struct http_head *h, struct span pseudonym)
{
	struct http_list l = http_list_of(h, HTTP_FIELD_VIA);
	struct span element, word;

	while (http_list_element(&l, &element)) {
		element = span_trim(span_drop(element, span_find(element, ' ')));
		if (span_cut(&element, ' ', &word) && span_ieq(word, pseudonym))
			return true;
	}
	return false;
}

/* ---- Cache-Status ---------------------------------------------------------------------------------------- */

static const char *const fwd_names[] = {
	[CACHE_FWD_BYPASS] = "bypass",	   [CACHE_FWD_METHOD] = "method",
	[CACHE_FWD_URI_MISS] = "uri-miss", [CACHE_FWD_VARY_MISS] = "vary-miss",
	[CACHE_FWD_MISS] = "miss",	   [CACHE_FWD_REQUEST] = "request",
	[CACHE_FWD_STALE] = "stale",	   [CACHE_FWD_PARTIAL] = "partial",
};

static void put_fwd(struct head_out *o, const struct cache_status *cs)
{
	if (cs->fwd == CACHE_FWD_NONE) {
		put(o, SPAN("; hit"));
		return;
	}
	CHECK(cs->fwd < ARRAY_LEN(fwd_names));
	put(o, SPAN("; fwd="));
	put(o, span_of(fwd_names[cs->fwd]));
	if (cs->fwd_status) {
		put(o, SPAN("; fwd-status="));
		put_number(o, cs->fwd_status);
	}
}

/* Structured integers have at most 15 digits. */
static void put_ttl(struct head_out *o, int64_t ttl)
{
	const int64_t most = INT64_C(999999999999999);
	int64_t size = ttl < 0 ? (ttl < -most ? most : -ttl) : (ttl > most ? most : ttl);

	put(o, ttl < 0 ? SPAN("; ttl=-") : SPAN("; ttl="));
	put_number(o, (uint64_t)size);
}

void head_out_cache_status(struct head_out *o, const struct http_head *received,
			   struct span cache_name, const struct cache_status *cs)
{
	size_t start;

	lines_copy(o, received, HTTP_FIELD_CACHE_STATUS);
	start = o->len;
	if (is_broken(o))
		return;
	if (!sfv_is_token(cache_name) || (cs->detail && !sfv_is_token(span_of(cs->detail)))) {
		o->invalid = true;
		return;
	}
	put(o, SPAN("Cache-Status: "));
	put(o, cache_name);
	put_fwd(o, cs);
	if (cs->has_ttl)
		put_ttl(o, cs->ttl);
	if (cs->stored)
		put(o, SPAN("; stored"));
	if (cs->collapsed)
		put(o, SPAN("; collapsed"));
	if (cs->detail) {
		put(o, SPAN("; detail="));
		put(o, span_of(cs->detail));
	}
	put_line_end(o, start);
}
