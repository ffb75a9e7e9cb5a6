/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segment by segment into the caller's buffer. A segment is judged as a client or a file system
 * would understand it, so after decoding: "%2e%2e" is "..", "%00" a NUL.
 */
#include "firmware/index/path.h"

struct building {
	char *buf;
	size_t n;
	enum index_refusal *refusal;
};

static int refuse(struct building *b, enum index_refusal refusal)
{
	*b->refusal = refusal;
	return -EINVAL;
}

static int put(struct building *b, char c)
{
	if (b->n == INDEX_PATH_MAX)
		return refuse(b, INDEX_PATH_LONG_);
	b->buf[b->n++] = c;
	return 0;
}

/* The byte that %XX at `i` stands for; -1: this is no such. */
static int decoded(struct span s, size_t i)
{
	uint64_t value;

	if (i + 2 >= s.n || s.p[i] != '%' || span_hex(span_sub(s, i + 1, i + 3), &value) < 0)
		return -1;
	return (int)value;
}

/* Bytes that stand for themselves in a path (RFC 3986, pchar). */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~!$&'()*+,;=:@", c));
}

/* Bytes that no file's name should have, or that would mean something else in a URL. */
static bool is_bad(unsigned char c)
{
	return c < ' ' || c == 0x7f || c == '\\' || c == '/';
}

static int put_encoded(struct building *b, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	int rc = put(b, '%');

	if (rc == 0)
		rc = put(b, digits[c >> 4]);
	return rc < 0 ? rc : put(b, digits[c & 15]);
}

static int put_raw(struct building *b, struct span bytes)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < bytes.n; i++)
		rc = put(b, bytes.p[i]);
	return rc;
}

/* One segment; `dots`: so far it is nothing but dots. */
static int put_segment(struct building *b, struct span segment)
{
	size_t start = b->n, bytes = 0;
	bool dots = true;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < segment.n; i++, bytes++) {
		int value = decoded(segment, i);
		unsigned char c = value < 0 ? (unsigned char)segment.p[i] : (unsigned char)value;

		if (is_bad(c) || (value < 0 && (c == '?' || c == '#')))
			return refuse(b, INDEX_PATH_BYTES_);
		dots = dots && c == '.';
		if (is_plain(c) && value < 0)
			rc = put(b, (char)c);
		else if (value < 0)
			rc = put_encoded(b, c);
		else /* as it came, for so a client asks for it */
			rc = put_raw(b, span_sub(segment, i, i + 3));
		i += value < 0 ? 0 : 2;
	}
	if (rc < 0)
		return rc;
	if (dots && bytes == 2)
		return refuse(b, INDEX_PATH_OUTSIDE_);
	if (dots && bytes == 1)
		b->n = start;
	return b->n - start > INDEX_SEGMENT_MAX ? refuse(b, INDEX_PATH_LONG_) : 0;
}

/* Segments of `text` behind what is there, which ends with '/'. */
static int put_segments(struct building *b, struct span text)
{
	while (text.n) {
		size_t end = span_find(text, '/'), before = b->n;
		int rc = put_segment(b, span_head(text, end));

		if (rc < 0)
			return rc;
		if (end < text.n && b->n > before && put(b, '/') < 0)
			return -EINVAL;
		text = span_drop(text, end + 1);
	}
	return 0;
}

/* "http://host/x" into "/x" if the host is one of ours. */
static int strip_host(struct building *b, struct span *text, const char *const *hosts,
		      size_t hosts_n)
{
	struct span rest = *text, host;
	size_t colon = span_find(*text, ':');

	if (!span_starts(rest, SPAN("//"))) {
		/* A colon before any slash is a scheme's. */
		if (colon > span_find(rest, '/') || colon == rest.n)
			return 0;
		if (!span_istarts(rest, SPAN("http://")) && !span_istarts(rest, SPAN("https://")))
			return refuse(b, INDEX_PATH_FOREIGN_);
		rest = span_drop(rest, colon + 1);
	}
	rest = span_drop(rest, 2);
	host = span_head(rest, span_find(rest, '/'));
	rest = span_drop(rest, host.n);
	for (size_t i = 0; i < hosts_n; i++)
		if (span_ieq(host, span_of(hosts[i]))) {
			*text = rest;
			return 0;
		}
	return refuse(b, INDEX_PATH_FOREIGN_);
}

static int resolve(struct building *b, struct span base, struct span text)
{
	int rc = put(b, '/');

	if (rc == 0 && !(text.n && text.p[0] == '/'))
		rc = put_segments(b, span_drop(base, 1));
	return rc < 0 ? rc : put_segments(b, text);
}

int path_resolve(struct span base, struct span text, const char *const *hosts, size_t hosts_n,
		 char buf[INDEX_PATH_MAX], size_t *ret_n, enum index_refusal *ret_refusal)
{
	struct building b = { buf, 0, ret_refusal };
	int rc = strip_host(&b, &text, hosts, hosts_n);

	if (rc < 0)
		return rc;
	if (!text.n)
		return refuse(&b, INDEX_NO_PATH_);
	rc = resolve(&b, base, text);
	if (rc < 0)
		return rc;
	if (buf[b.n - 1] == '/') /* a folder is no object */
		return refuse(&b, INDEX_NO_PATH_);
	*ret_n = b.n;
	return 0;
}

int path_folder(struct span base, struct span text, char buf[INDEX_PATH_MAX], size_t *ret_n,
		enum index_refusal *ret_refusal)
{
	struct building b = { buf, 0, ret_refusal };
	int rc = strip_host(&b, &text, NULL, 0);

	if (rc == 0)
		rc = resolve(&b, base, text);
	if (rc == 0 && buf[b.n - 1] != '/')
		rc = put(&b, '/');
	if (rc == 0)
		*ret_n = b.n;
	return rc;
}

bool path_is_normal(struct span path)
{
	enum index_refusal refusal;
	char buf[INDEX_PATH_MAX];
	size_t n;

	return path.n && path.p[0] == '/' &&
	       path_resolve(SPAN("/"), path, NULL, 0, buf, &n, &refusal) == 0 &&
	       span_eq(span_make(buf, n), path);
}
