/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of the log as JSON: key=value pairs become members of one object, in their order. What log_quote() wrote
 * is read back. Any bytes give a valid line, in ASCII: what is no pair is left out, what has no room as well.
 */
#include "firmware/base/log_priv.h"

#include <stdio.h>

#define CLOSE 2 /* "}" and the NUL */

struct json_out {
	char *buf;
	size_t room, n;
	bool full;
};

static void put_bytes(struct json_out *o, const char *bytes, size_t n)
{
	if (o->full || o->n + n + CLOSE > o->room) {
		o->full = true;
		return;
	}
	memcpy(o->buf + o->n, bytes, n);
	o->n += n;
}

static void put_char(struct json_out *o, unsigned char c)
{
	char escaped[8];

	if (c == '"' || c == '\\') {
		escaped[0] = '\\';
		escaped[1] = (char)c;
		put_bytes(o, escaped, 2);
	} else if (c < ' ' || c >= 0x7f) {
		/* Readers in C stop at a NUL. */
		(void)snprintf(escaped, sizeof(escaped), "\\u%04x", c ? c : 0xfffdu);
		put_bytes(o, escaped, 6);
	} else {
		put_bytes(o, (const char *)&c, 1);
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The inside of what log_quote() put in quotes; gives what follows the closing one. */
static struct span put_quoted(struct json_out *o, struct span rest)
{
	size_t i = 1;

	put_bytes(o, "\"", 1);
	for (; i < rest.n && rest.p[i] != '"'; i++) {
		unsigned char c = (unsigned char)rest.p[i];

		if (c == '\\' && i + 3 < rest.n && rest.p[i + 1] == 'x' &&
		    hex(rest.p[i + 2]) >= 0 && hex(rest.p[i + 3]) >= 0) {
			c = (unsigned char)(hex(rest.p[i + 2]) * 16 + hex(rest.p[i + 3]));
			i += 3;
		} else if (c == '\\' && i + 1 < rest.n) {
			c = (unsigned char)rest.p[++i];
		}
		put_char(o, c);
	}
	put_bytes(o, "\"", 1);
	return span_drop(rest, i + 1);
}

/* As JSON has numbers, and small enough for all who read them. */
static bool is_number(struct span value)
{
	size_t sign = value.n && value.p[0] == '-';

	if (value.n <= sign || value.n > 15 || (value.p[sign] == '0' && value.n > sign + 1))
		return false;
	for (size_t i = sign; i < value.n; i++)
		if (value.p[i] < '0' || value.p[i] > '9')
			return false;
	return true;
}

static struct span put_plain(struct json_out *o, struct span rest)
{
	struct span value = span_head(rest, span_find(rest, ' '));

	if (is_number(value)) {
		put_bytes(o, value.p, value.n);
		return span_drop(rest, value.n);
	}
	put_bytes(o, "\"", 1);
	for (size_t i = 0; i < value.n; i++)
		put_char(o, (unsigned char)value.p[i]);
	put_bytes(o, "\"", 1);
	return span_drop(rest, value.n);
}

size_t log_json(struct span line, char *buf, size_t room)
{
	struct json_out o = { .buf = buf, .room = room };

	CHECK(room > CLOSE + 1);
	o.buf[o.n++] = '{';
	while (line.n && !o.full) {
		size_t before = o.n, equals = span_find(line, '='), blank = span_find(line, ' ');

		if (equals >= blank || equals == 0) { /* no pair */
			line = span_drop(line, blank + 1);
			continue;
		}
		put_bytes(&o, o.n > 1 ? ",\"" : "\"", o.n > 1 ? 2 : 1);
		for (size_t i = 0; i < equals; i++)
			put_char(&o, (unsigned char)line.p[i]);
		put_bytes(&o, "\":", 2);
		line = span_drop(line, equals + 1);
		line = line.n && line.p[0] == '"' ? put_quoted(&o, line) : put_plain(&o, line);
		if (o.full)
			o.n = before;
		line = span_drop(line, line.n && line.p[0] == ' ');
	}
	o.buf[o.n++] = '}';
	o.buf[o.n] = 0;
	return o.n;
}
