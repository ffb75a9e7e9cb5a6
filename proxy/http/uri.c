/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URI normalisation. Invariant of every writer: bytes written never outnumber bytes read plus one,
 * and nothing is written behind `cap`.
 */
#include "proxy/http/uri.h"

#include "proxy/http/chars.h"

struct out {
	char *buf;
	size_t cap;
	size_t len;
	bool overflow;
};

static void put(struct out *o, char c)
{
	if (o->len == o->cap)
		o->overflow = true;
	else
		o->buf[o->len++] = c;
}

static void put_span(struct out *o, struct span s)
{
	if (s.n > o->cap - o->len) {
		o->overflow = true;
	} else if (s.n > 0) {
		memcpy(o->buf + o->len, s.p, s.n);
		o->len += s.n;
	}
}

static int finish(const struct out *o, size_t *ret_len)
{
	if (o->overflow)
		return -EMSGSIZE;
	*ret_len = o->len;
	return 0;
}

/* ---- octets ---------------------------------------------------------------------------------- */

/* The octet that the "%xy" at s.p means, or -EINVAL. */
static int escape_value(struct span s)
{
	unsigned value;

	if (s.n < 3 || !http_char_is(s.p[1], HTTP_C_HEX) || !http_char_is(s.p[2], HTTP_C_HEX))
		return -EINVAL;
	value = http_hex_value(s.p[1]) << 4 | http_hex_value(s.p[2]);
	return value == 0 ? -EINVAL : (int)value;
}

static void put_escape(struct out *o, unsigned value)
{
	put(o, '%');
	put(o, "0123456789ABCDEF"[value >> 4]);
	put(o, "0123456789ABCDEF"[value & 15]);
}

/* @decode: unreserved octets stand for themselves. */
static int put_text(struct out *o, struct span s, unsigned class, bool decode)
{
	while (s.n > 0) {
		int value;

		if (s.p[0] != '%') {
			if (!http_char_is(s.p[0], class))
				return -EINVAL;
			put(o, s.p[0]);
			s = span_drop(s, 1);
			continue;
		}
		value = escape_value(s);
		if (value < 0)
			return value;
		if (decode && http_char_is((char)value, HTTP_C_UNRESERVED))
			put(o, (char)value);
		else
			put_escape(o, (unsigned)value);
		s = span_drop(s, 3);
	}
	return 0;
}

/* ---- paths ------------------------------------------------------------------------------------ */

/* Where the last segment of buf[0..len) starts, at its '/'. */
static size_t segment_start(const char *buf, size_t len)
{
	while (len > 0 && buf[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : 0;
}

/* RFC 3986 5.2.4 in place, on a path that starts with '/'. Returns the new length. */
static size_t dots_remove(char *p, size_t n)
{
	size_t in = 0, out = 0;

	while (in < n) {
		struct span rest = span_make(p + in, n - in);
		size_t segment = 1 + span_find(span_drop(rest, 1), '/');
		bool last = segment == rest.n;
		bool one = segment == 2 && rest.p[1] == '.';
		bool two = segment == 3 && rest.p[1] == '.' && rest.p[2] == '.';

		if (two)
			out = segment_start(p, out);
		if (one || two) {
			if (last)
				p[out++] = '/';
		} else {
			memmove(p + out, p + in, segment);
			out += segment;
		}
		in += segment;
	}
	return out;
}

static int put_path(struct out *o, struct span path)
{
	size_t start = o->len;
	int rc;

	if (path.n == 0) {
		put(o, '/');
		return 0;
	}
	if (path.p[0] != '/')
		return -EINVAL;
	rc = put_text(o, path, HTTP_C_PATH, true);
	if (rc == 0 && !o->overflow)
		o->len = start + dots_remove(o->buf + start, o->len - start);
	return rc;
}

int uri_path_normalise(struct span path, char *buf, size_t cap, size_t *ret_len)
{
	struct out o = { buf, cap, 0, false };
	int rc = put_path(&o, path);

	return rc < 0 ? rc : finish(&o, ret_len);
}

/* ---- queries ----------------------------------------------------------------------------------- */

int uri_query_normalise(struct span query, char *buf, size_t cap, size_t *ret_len)
{
	struct out o = { buf, cap, 0, false };
	int rc = put_text(&o, query, HTTP_C_QUERY, false);

	return rc < 0 ? rc : finish(&o, ret_len);
}

bool uri_query_next(struct span *rest, struct span *ret_name, struct span *ret_value)
{
	struct span part;
	size_t equals;

	if (!rest->p)
		return false;
	equals = span_find(*rest, '&');
	part = span_head(*rest, equals);
	*rest = equals < rest->n ? span_drop(*rest, equals + 1) : (struct span){ NULL, 0 };
	equals = span_find(part, '=');
	*ret_name = span_head(part, equals);
	*ret_value = equals < part.n ? span_drop(part, equals + 1) : (struct span){ NULL, 0 };
	return true;
}

/* ---- hosts and the whole ------------------------------------------------------------------------ */

static int put_host(struct out *o, struct span host)
{
	bool is_ip6 = span_find(host, ':') < host.n;

	if (host.n > 0 && memmem(host.p, host.n, "..", 2))
		return -EINVAL;
	if (!is_ip6 && host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	if (host.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (is_ip6 ? !http_char_is(c, HTTP_C_HEX) && c != ':' && c != '.'
			   : !http_char_is(c, HTTP_C_HOST))
			return -EINVAL;
		put(o, span_lower(c));
	}
	return 0;
}

int uri_host_normalise(struct span host, char *buf, size_t cap, size_t *ret_len)
{
	struct out o = { buf, cap, 0, false };
	int rc = put_host(&o, host);

	return rc < 0 ? rc : finish(&o, ret_len);
}

uint16_t uri_default_port(struct span scheme)
{
	if (span_ieq(scheme, SPAN("http")))
		return 80;
	return span_ieq(scheme, SPAN("https")) ? 443 : 0;
}

static void put_port(struct out *o, uint16_t port)
{
	char digits[5];
	size_t i = sizeof(digits);

	for (; port > 0; port /= 10)
		digits[--i] = (char)('0' + port % 10);
	put(o, ':');
	put_span(o, span_make(digits + i, sizeof(digits) - i));
}

static int put_authority(struct out *o, const struct uri *u)
{
	bool is_ip6 = span_find(u->host, ':') < u->host.n;
	int rc;

	if (is_ip6)
		put(o, '[');
	rc = put_host(o, u->host);
	if (is_ip6)
		put(o, ']');
	if (u->port != 0 && u->port != uri_default_port(u->scheme))
		put_port(o, u->port);
	return rc;
}

static int put_scheme(struct out *o, struct span scheme)
{
	if (uri_default_port(scheme) == 0)
		return -EINVAL;
	for (size_t i = 0; i < scheme.n; i++)
		put(o, span_lower(scheme.p[i]));
	put_span(o, SPAN("://"));
	return 0;
}

int uri_normalise(const struct uri *u, char *buf, size_t cap, size_t *ret_len)
{
	struct out o = { buf, cap, 0, false };
	int rc = put_scheme(&o, u->scheme);

	if (rc == 0)
		rc = put_authority(&o, u);
	if (rc == 0)
		rc = put_path(&o, u->path);
	if (rc == 0 && u->has_query) {
		put(&o, '?');
		rc = put_text(&o, u->query, HTTP_C_QUERY, false);
	}
	return rc < 0 ? rc : finish(&o, ret_len);
}
