/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What does a device speak? Whatever is not surely HTTP/1 or TLS counts as something else: that is carried
 * through untouched, so a wrong "other" costs a cache hit, a wrong "HTTP" would cost a device its connection.
 */
#include "proxy/sniff.h"

/* tchar of RFC 9110, 5.6.2, without the lower-case letters: no method in use has any. */
static bool is_method_byte(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* The longest registered method (IANA) is UPDATEREDIRECTREF with 17 bytes. */
#define METHOD_MAX 24

/* An HTTP/1 request line: method SP target, where the target starts as one of RFC 9112, 3.2. */
static enum sniff sniff_http(struct span s)
{
	static const char scheme[] = "http";
	struct span rest;
	size_t n = 0;

	while (n < s.n && n <= METHOD_MAX && is_method_byte(s.p[n]))
		n++;
	if (n == s.n)
		return n <= METHOD_MAX ? SNIFF_MORE : SNIFF_OTHER;
	if (n == 0 || n > METHOD_MAX || s.p[n] != ' ')
		return SNIFF_OTHER;
	rest = span_drop(s, n + 1);
	/* The preface of HTTP/2 (RFC 9113, 3.4) looks like a request, but is none for us. */
	if (span_starts(s, SPAN("PRI * HTTP/2")))
		return SNIFF_OTHER;
	if (span_starts(SPAN("PRI * HTTP/2"), s))
		return SNIFF_MORE;
	/* The target of CONNECT is an authority: host:port. */
	if (span_starts(s, SPAN("CONNECT ")))
		return SNIFF_HTTP;
	if (rest.n && (rest.p[0] == '/' || rest.p[0] == '*'))
		return SNIFF_HTTP;
	for (size_t i = 0; i < sizeof(scheme) - 1; i++) {
		if (i == rest.n)
			return SNIFF_MORE;
		if (span_lower(rest.p[i]) != scheme[i])
			return SNIFF_OTHER;
	}
	return SNIFF_HTTP;
}

/* TLSPlaintext (RFC 8446, 5.1): type 22, version 3.x, length <= 2^14, then handshake type 1. */
static enum sniff sniff_tls(struct span s)
{
	const uint8_t *b = (const uint8_t *)s.p;

	if (s.n >= 2 && b[1] != 3)
		return SNIFF_OTHER;
	if (s.n >= 3 && b[2] > 4)
		return SNIFF_OTHER;
	if (s.n < 6)
		return SNIFF_MORE;
	if ((b[3] << 8 | b[4]) > 1 << 14 || (b[3] << 8 | b[4]) < 4)
		return SNIFF_OTHER;
	return b[5] == 1 ? SNIFF_TLS : SNIFF_OTHER;
}

enum sniff sniff_bytes(struct span peeked)
{
	/* Empty lines before a request line are ignored (RFC 9112, 2.2). */
	while (peeked.n >= 2 && peeked.p[0] == '\r' && peeked.p[1] == '\n')
		peeked = span_drop(peeked, 2);
	if (!peeked.n || (peeked.n == 1 && peeked.p[0] == '\r'))
		return SNIFF_MORE;
	if (peeked.p[0] == 22)
		return sniff_tls(peeked);
	return sniff_http(peeked);
}

enum sniff sniff_waited(struct span peeked, uint64_t waited_ms, uint64_t wait_ms)
{
	enum sniff sniff = sniff_bytes(peeked);

	if (sniff != SNIFF_MORE || waited_ms < wait_ms)
		return sniff;
	return peeked.n ? SNIFF_OTHER : SNIFF_SILENT;
}

const char *sniff_name(enum sniff sniff)
{
	static const char *const names[] = {
		[SNIFF_MORE] = "more",	 [SNIFF_HTTP] = "http",	    [SNIFF_TLS] = "tls",
		[SNIFF_OTHER] = "other", [SNIFF_SILENT] = "silent",
	};

	CHECK((size_t)sniff < ARRAY_LEN(names));
	return names[sniff];
}
