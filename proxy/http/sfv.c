/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured fields. Each x_take() takes what it names off the front of *s; after -EINVAL *s is of
 * no more use.
 */
#include "proxy/http/sfv.h"

#include "proxy/http/chars.h"

static bool starts_with(struct span s, char c)
{
	return s.n > 0 && s.p[0] == c;
}

static bool char_take(struct span *s, char c)
{
	if (!starts_with(*s, c))
		return false;
	*s = span_drop(*s, 1);
	return true;
}

static void spaces_skip(struct span *s)
{
	while (char_take(s, ' '))
		;
}

static bool is_key_start(char c)
{
	return (c >= 'a' && c <= 'z') || c == '*';
}

static bool is_key(char c)
{
	return is_key_start(c) || http_char_is(c, HTTP_C_DIGIT) || c == '_' || c == '-' || c == '.';
}

static bool is_token(char c)
{
	return http_char_is(c, HTTP_C_TOKEN) || c == ':' || c == '/';
}

static bool is_base64(char c)
{
	return http_char_is(c, HTTP_C_ALPHA | HTTP_C_DIGIT) || c == '+' || c == '/' || c == '=';
}

typedef bool is_f(char c);

/* The octets at the front for which @is is true. */
static struct span run_take(struct span *s, is_f *is)
{
	struct span run = { s->p, 0 };

	while (run.n < s->n && is(s->p[run.n]))
		run.n++;
	*s = span_drop(*s, run.n);
	return run;
}

static bool is_digit(char c)
{
	return http_char_is(c, HTTP_C_DIGIT);
}

/* ---- items ------------------------------------------------------------------------------------ */

/* At most 15 digits, or 12 and 1..3 behind a point (RFC 8941 4.2.4). */
static int number_take(struct span *s, struct sfv_item *ret)
{
	bool minus = char_take(s, '-');
	struct span whole = run_take(s, is_digit), part;
	uint64_t value;

	if (whole.n == 0 || whole.n > 15 || span_u64(whole, &value) < 0)
		return -EINVAL;
	ret->type = SFV_INTEGER;
	ret->integer = minus ? -(int64_t)value : (int64_t)value;
	if (!char_take(s, '.'))
		return 0;
	part = run_take(s, is_digit);
	ret->type = SFV_DECIMAL;
	return whole.n <= 12 && part.n >= 1 && part.n <= 3 ? 0 : -EINVAL;
}

static int string_take(struct span *s, struct sfv_item *ret)
{
	size_t i = 1;

	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && (++i == s->n || (s->p[i] != '"' && s->p[i] != '\\')))
			return -EINVAL;
		if (s->p[i] < 0x20 || s->p[i] >= 0x7f) /* obs-text is negative */
			return -EINVAL;
	}
	if (i >= s->n)
		return -EINVAL;
	ret->type = SFV_STRING;
	ret->text = span_sub(*s, 1, i);
	*s = span_drop(*s, i + 1);
	return 0;
}

static int bytes_take(struct span *s, struct sfv_item *ret)
{
	*s = span_drop(*s, 1);
	ret->type = SFV_BYTES;
	ret->text = run_take(s, is_base64);
	return char_take(s, ':') ? 0 : -EINVAL;
}

static int boolean_take(struct span *s, struct sfv_item *ret)
{
	*s = span_drop(*s, 1);
	ret->type = SFV_BOOLEAN;
	ret->integer = starts_with(*s, '1');
	return char_take(s, '0') || char_take(s, '1') ? 0 : -EINVAL;
}

static int bare_item_take(struct span *s, struct sfv_item *ret)
{
	if (s->n == 0)
		return -EINVAL;
	if (starts_with(*s, '-') || is_digit(s->p[0]))
		return number_take(s, ret);
	if (starts_with(*s, '"'))
		return string_take(s, ret);
	if (starts_with(*s, ':'))
		return bytes_take(s, ret);
	if (starts_with(*s, '?'))
		return boolean_take(s, ret);
	if (!http_char_is(s->p[0], HTTP_C_ALPHA) && s->p[0] != '*')
		return -EINVAL;
	ret->type = SFV_TOKEN;
	ret->text = run_take(s, is_token);
	return 0;
}

static int key_take(struct span *s, struct span *ret_key)
{
	if (s->n == 0 || !is_key_start(s->p[0]))
		return -EINVAL;
	*ret_key = run_take(s, is_key);
	return 0;
}

static int params_skip(struct span *s)
{
	struct sfv_item unused;
	struct span key;

	while (char_take(s, ';')) {
		spaces_skip(s);
		if (key_take(s, &key) < 0)
			return -EINVAL;
		if (char_take(s, '=') && bare_item_take(s, &unused) < 0)
			return -EINVAL;
	}
	return 0;
}

static int inner_list_take(struct span *s, struct sfv_item *ret)
{
	struct sfv_item unused;

	*s = span_drop(*s, 1);
	ret->type = SFV_INNER_LIST;
	for (;;) {
		spaces_skip(s);
		if (char_take(s, ')'))
			return 0;
		if (bare_item_take(s, &unused) < 0 || params_skip(s) < 0)
			return -EINVAL;
		if (!starts_with(*s, ' ') && !starts_with(*s, ')'))
			return -EINVAL;
	}
}

/* ---- dictionaries ------------------------------------------------------------------------------- */

static int value_take(struct span *s, struct sfv_item *ret)
{
	if (!char_take(s, '=')) {
		ret->type = SFV_BOOLEAN;
		ret->integer = 1;
		return 0;
	}
	return starts_with(*s, '(') ? inner_list_take(s, ret) : bare_item_take(s, ret);
}

int sfv_member_next(struct span *dictionary, struct span *ret_key, struct sfv_item *ret_value)
{
	struct sfv_item value = { .text = { NULL, 0 } };
	struct span s = *dictionary, key;

	if (s.n == 0)
		return 0;
	if (key_take(&s, &key) < 0 || value_take(&s, &value) < 0 || params_skip(&s) < 0)
		return -EINVAL;
	while (char_take(&s, ' ') || char_take(&s, '\t'))
		;
	if (s.n > 0) {
		if (!char_take(&s, ','))
			return -EINVAL;
		while (char_take(&s, ' ') || char_take(&s, '\t'))
			;
		if (s.n == 0)
			return -EINVAL;
	}
	*dictionary = s;
	*ret_key = key;
	*ret_value = value;
	return 1;
}

bool sfv_is_token(struct span s)
{
	if (s.n == 0 || (!http_char_is(s.p[0], HTTP_C_ALPHA) && s.p[0] != '*'))
		return false;
	return run_take(&s, is_token).n > 0 && s.n == 0;
}
