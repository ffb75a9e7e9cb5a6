/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URI normalisation (RFC 3986 6.2.2, 6.2.3; RFC 9110 4.2.3) into the caller's buffer: spellings
 * of one resource become one, resources that may differ stay apart.
 *
 * All return 0 with ret_len, -EINVAL (a space, control or non-ASCII octet, a character no URI
 * has, a '%' without two hex digits, an encoded NUL) or -EMSGSIZE (cap too small). The result
 * never has more bytes than the input, but an empty path becomes "/".
 */
#ifndef TARN_HTTP_URI_H
#define TARN_HTTP_URI_H

#include <stdint.h>
#include "firmware/base/span.h"

/*
 * Path: %xy in upper case, or decoded if it is unreserved; dot segments removed; empty means "/".
 * "//" is kept, an encoded slash stays encoded: servers tell these apart.
 */
MUST_USE int uri_path_normalise(struct span path, char *buf, size_t cap, size_t *ret_len);

/* Query: %xy in upper case, nothing else; order and empty parts are kept. */
MUST_USE int uri_query_normalise(struct span query, char *buf, size_t cap, size_t *ret_len);

/* Host: lower case, a final dot dropped; no empty label. @host as in struct http_head, without brackets. */
MUST_USE int uri_host_normalise(struct span host, char *buf, size_t cap, size_t *ret_len);

/*
 * The whole: scheme://host[:port]path[?query], the port left out if 0 or the scheme's default,
 * brackets around an IPv6 literal (a host with a colon).
 */
struct uri {
	struct span scheme; /* "http" or "https", any case */
	struct span host;
	uint16_t port;
	struct span path;
	bool has_query;
	struct span query;
};

MUST_USE int uri_normalise(const struct uri *u, char *buf, size_t cap, size_t *ret_len);

/* 80, 443, or 0 for another scheme. */
uint16_t uri_default_port(struct span scheme);

/*
 * Walks the '&' separated parameters of a query: true with name and value (value.p NULL
 * without '='), false at the end. Empty parts are given too (both empty).
 */
bool uri_query_next(struct span *rest, struct span *ret_name, struct span *ret_value);

#endif
