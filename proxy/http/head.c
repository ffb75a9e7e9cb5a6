/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a complete head, once, from front to back. Whatever two recipients could read in two
 * ways is refused (RFC 9112 11.2): lines end with CR LF and nothing else, no folding, no space
 * before a colon, no control octets. `struct reader` is the only thing that moves over bytes; it
 * never looks at or behind `end`.
 */
#include "proxy/http/head.h"

#include <endian.h>

#include "proxy/http/chars.h"
#include "proxy/http/target.h"

#define METHOD_MAX 32

struct reader {
	const char *p;
	const char *end;
};

/* ---- lines ------------------------------------------------------------------------------- */

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/*
 * Marks octets below 0x20 or equal 0x7f by their highest bit. An octet behind (above) a marked one
 * may be marked wrongly, by the borrow; the lowest mark is always right.
 */
static uint64_t controls_in(uint64_t w)
{
	uint64_t below = (w - ONES * 0x20) & ~w & HIGHS;
	uint64_t del = w ^ ONES * 0x7f;

	return below | ((del - ONES) & ~del & HIGHS);
}

/* The first octet from r->p on that can't be in a field value, or r->end. */
static const char *value_end(const struct reader *r)
{
	const char *p = r->p;
	uint64_t w;

	while (r->end - p >= 8) {
		memcpy(&w, p, 8);
		w = controls_in(le64toh(w));
		if (!w) {
			p += 8;
			continue;
		}
		p += __builtin_ctzll(w) / 8;
		if (*p != '\t')
			return p;
		p++;
	}
	while (p < r->end && http_char_is(*p, HTTP_C_VALUE))
		p++;
	return p;
}

/* Steps over the CR LF at r->p; @otherwise is the refusal if another octet stands there. */
static int line_end(struct reader *r, int otherwise)
{
	if (r->p == r->end)
		return -HTTP_REFUSED_HEAD_INCOMPLETE;
	if (*r->p == '\n')
		return -HTTP_REFUSED_BARE_LF;
	if (*r->p != '\r')
		return otherwise;
	if (r->end - r->p < 2)
		return -HTTP_REFUSED_HEAD_INCOMPLETE;
	if (r->p[1] != '\n')
		return -HTTP_REFUSED_BARE_CR;
	r->p += 2;
	return 0;
}

/* The start line without its CR LF; @otherwise if it has a control octet. */
static int start_line_take(struct reader *r, int otherwise, struct span *ret_line)
{
	struct span line = { r->p, 0 };
	int rc;

	r->p = value_end(r);
	line.n = (size_t)(r->p - line.p);
	rc = line_end(r, otherwise);
	if (rc < 0)
		return rc;
	if (line.n > CONFIG_HTTP_LINE_MAX)
		return -HTTP_REFUSED_LINE_TOO_LONG;
	*ret_line = line;
	return 0;
}

/* ---- start lines ------------------------------------------------------------------------- */

static int version_parse(struct span s, uint8_t *ret_minor)
{
	if (s.n != 8 || !span_starts(s, SPAN("HTTP/")) || s.p[6] != '.' ||
	    !http_char_is(s.p[5], HTTP_C_DIGIT) || !http_char_is(s.p[7], HTTP_C_DIGIT))
		return -HTTP_REFUSED_BAD_VERSION;
	if (s.p[5] != '1')
		return -HTTP_REFUSED_VERSION_UNSUPPORTED;
	*ret_minor = (uint8_t)(s.p[7] - '0');
	return 0;
}

static int request_line_parse(struct http_head *h, struct span line)
{
	size_t first = span_find(line, ' ');
	struct span rest = span_drop(line, first + 1);
	size_t second = span_find(rest, ' ');
	int rc;

	if (span_eq(line, SPAN("PRI * HTTP/2.0")))
		return -HTTP_REFUSED_HTTP2_PREFACE;
	if (second == rest.n || first == 0 || second == 0)
		return -HTTP_REFUSED_BAD_REQUEST_LINE;
	h->method_name = span_head(line, first);
	h->target = span_head(rest, second);
	if (h->method_name.n > METHOD_MAX || !http_is_token(h->method_name))
		return -HTTP_REFUSED_BAD_METHOD;
	rest = span_drop(rest, second + 1);
	if (span_find(rest, ' ') != rest.n)
		return -HTTP_REFUSED_BAD_REQUEST_LINE;
	rc = version_parse(rest, &h->minor);
	if (rc < 0)
		return rc;
	h->method = http_method_id(h->method_name);
	return http_target_parse(h);
}

/* The space behind the status may be missing with the reason: harmless, and often seen. */
static int status_line_parse(struct http_head *h, struct span line)
{
	uint64_t status;
	int rc;

	if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
		return -HTTP_REFUSED_BAD_STATUS_LINE;
	rc = version_parse(span_head(line, 8), &h->minor);
	if (rc < 0)
		return rc;
	if (span_u64(span_sub(line, 9, 12), &status) < 0 || status < 100 || status > 599)
		return -HTTP_REFUSED_BAD_STATUS_LINE;
	h->status = (uint16_t)status;
	h->reason = span_drop(line, 13);
	return 0;
}

/* ---- fields ------------------------------------------------------------------------------ */

/* Why is what stands at r->p no ':' behind a field name? */
static int name_fault(struct reader *r)
{
	const char *p = r->p;
	int rc;

	while (p < r->end && (*p == ' ' || *p == '\t'))
		p++;
	if (p < r->end && *p == ':')
		return -HTTP_REFUSED_FIELD_NAME_SPACE;
	r->p = p;
	rc = line_end(r, -HTTP_REFUSED_FIELD_NAME_INVALID);
	return rc < 0 ? rc : -HTTP_REFUSED_FIELD_NO_COLON;
}

static int field_name_take(struct reader *r, struct span *ret_name)
{
	const char *start = r->p;

	while (r->p < r->end && http_char_is(*r->p, HTTP_C_TOKEN))
		r->p++;
	if (r->p == r->end)
		return -HTTP_REFUSED_HEAD_INCOMPLETE;
	if (*r->p != ':')
		return name_fault(r);
	if (r->p == start)
		return -HTTP_REFUSED_FIELD_NAME_EMPTY;
	*ret_name = span_make(start, (size_t)(r->p - start));
	r->p++;
	return 0;
}

static int field_value_take(struct reader *r, struct span *ret_value)
{
	const char *start, *end;
	int rc;

	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t'))
		r->p++;
	start = r->p;
	end = r->p = value_end(r);
	rc = line_end(r, -HTTP_REFUSED_FIELD_VALUE_INVALID);
	if (rc < 0)
		return rc;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret_value = span_make(start, (size_t)(end - start));
	return 0;
}

/* One field line. */
static int field_take(struct http_head *h, struct reader *r)
{
	struct http_field *f = &h->fields[h->nfields];
	int rc;

	if (*r->p == ' ' || *r->p == '\t')
		return h->nfields ? -HTTP_REFUSED_OBS_FOLD : -HTTP_REFUSED_LEADING_SPACE;
	if (h->nfields == CONFIG_FIELDS_MAX)
		return -HTTP_REFUSED_TOO_MANY_FIELDS;
	rc = field_name_take(r, &f->name);
	if (rc == 0)
		rc = field_value_take(r, &f->value);
	if (rc < 0)
		return rc;
	f->id = http_field_id(f->name);
	h->present[f->id / 64] |= UINT64_C(1) << (f->id % 64);
	h->nfields++;
	return 0;
}

static int connection_check(const struct http_head *h)
{
	const struct http_field *f;
	unsigned iter = 0;
	size_t n = 0;

	while ((f = http_field_next(h, HTTP_FIELD_CONNECTION, &iter)))
		n += f->value.n;
	return n > CONFIG_HTTP_CONNECTION_MAX ? -HTTP_REFUSED_CONNECTION_TOO_LONG : 0;
}

/* Field lines up to and with the empty line, which must be the last. */
static int fields_take(struct http_head *h, struct reader *r)
{
	int rc = 0;

	while (rc == 0 && r->p < r->end && *r->p != '\r' && *r->p != '\n')
		rc = field_take(h, r);
	if (rc == 0)
		rc = line_end(r, -HTTP_REFUSED_HEAD_INCOMPLETE);
	if (rc == 0 && r->p != r->end)
		rc = -HTTP_REFUSED_HEAD_INCOMPLETE;
	return rc == 0 ? connection_check(h) : rc;
}

static int host_check(struct http_head *h)
{
	unsigned iter = 0;
	const struct http_field *host = http_field_next(h, HTTP_FIELD_HOST, &iter);

	if (host && http_field_next(h, HTTP_FIELD_HOST, &iter))
		return -HTTP_REFUSED_HOST_DUPLICATE;
	return http_host_apply(h, host);
}

/* ---- the two kinds ----------------------------------------------------------------------- */

/* All but the array, which is large, and of which only the first nfields count. */
static void head_clear(struct http_head *h, size_t n)
{
	memset(h, 0, offsetof(struct http_head, fields));
	h->size = n;
}

int http_request_parse(struct http_head *head, const char *buf, size_t n)
{
	struct reader r = { buf, buf + n };
	struct span line;
	int rc;

	head_clear(head, n);
	head->is_request = true;
	rc = start_line_take(&r, -HTTP_REFUSED_BAD_REQUEST_LINE, &line);
	if (rc == 0)
		rc = request_line_parse(head, line);
	if (rc == 0)
		rc = fields_take(head, &r);
	return rc == 0 ? host_check(head) : rc;
}

int http_response_parse(struct http_head *head, const char *buf, size_t n)
{
	struct reader r = { buf, buf + n };
	struct span line;
	int rc;

	head_clear(head, n);
	rc = start_line_take(&r, -HTTP_REFUSED_BAD_STATUS_LINE, &line);
	if (rc == 0)
		rc = status_line_parse(head, line);
	return rc == 0 ? fields_take(head, &r) : rc;
}

int http_oversize(const char *buf, size_t n)
{
	struct span head = span_make(buf, n);
	size_t line;

	if (span_starts(head, SPAN("\r\n")))
		head = span_drop(head, 2);
	line = span_find(head, '\n');
	return line > CONFIG_HTTP_LINE_MAX || line == head.n ? -HTTP_REFUSED_LINE_TOO_LONG
							     : -HTTP_REFUSED_HEAD_TOO_LARGE;
}
