/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache-Control, Pragma (RFC 9111 5.2, 5.4; RFC 5861; RFC 8246) and CDN-Cache-Control (RFC 9213)
 * as one plain struct. What follows from it is decided by cache/fresh, not here.
 */
#ifndef TARN_HTTP_CACHECTL_H
#define TARN_HTTP_CACHECTL_H

#include "proxy/http/head.h"

/* X(id, name, argument: 0 none, 1 seconds, 2 optional field list, 3 optional seconds) */
#define CACHECTL_DIRECTIVES(X)                                                                     \
	X(MAX_AGE, "max-age", 1)                                                                   \
	X(S_MAXAGE, "s-maxage", 1)                                                                 \
	X(MIN_FRESH, "min-fresh", 1)                                                               \
	X(MAX_STALE, "max-stale", 3)                                                               \
	X(STALE_WHILE_REVALIDATE, "stale-while-revalidate", 1)                                     \
	X(STALE_IF_ERROR, "stale-if-error", 1)                                                     \
	X(NO_CACHE, "no-cache", 2)                                                                 \
	X(PRIVATE, "private", 2)                                                                   \
	X(NO_STORE, "no-store", 0)                                                                 \
	X(NO_TRANSFORM, "no-transform", 0)                                                         \
	X(ONLY_IF_CACHED, "only-if-cached", 0)                                                     \
	X(MUST_REVALIDATE, "must-revalidate", 0)                                                   \
	X(PROXY_REVALIDATE, "proxy-revalidate", 0)                                                 \
	X(MUST_UNDERSTAND, "must-understand", 0)                                                   \
	X(PUBLIC, "public", 0)                                                                     \
	X(IMMUTABLE, "immutable", 0)

enum cachectl_directive {
#define X(id, name, arg) CACHECTL_##id,
	CACHECTL_DIRECTIVES(X)
#undef X
	CACHECTL_COUNT
};

#define CACHECTL_SECONDS_MAX INT64_C(2147483648) /* 2^31, RFC 9111 1.2.2 */

/*
 * Seconds are 0 .. 2^31; -1 if absent or, for max_stale alone, without a limit. Fields that are
 * not `present` hold -1 or an empty span.
 */
struct cachectl {
	uint32_t present; /* bit 1 << enum cachectl_directive; use cachectl_has() */
	int64_t max_age;
	int64_t s_maxage;
	int64_t min_fresh;
	int64_t max_stale;
	int64_t stale_while_revalidate;
	int64_t stale_if_error;
	/*
	 * The argument of no-cache="..." and private="...", without quotes, as a list of field
	 * names (p NULL: the directive is unqualified and means the whole response). If a
	 * directive is there both ways, or with two lists, it counts as unqualified.
	 */
	struct span no_cache_fields;
	struct span private_fields;
	bool from_cdn;	/* this is CDN-Cache-Control; Cache-Control and Expires are to be ignored */
	bool malformed; /* some directive was broken; what could be read safely, was */
};

static inline bool cachectl_has(const struct cachectl *cc, enum cachectl_directive d)
{
	return cc->present >> d & 1;
}

/* Nothing present. */
struct cachectl cachectl_none(void);

/*
 * Adds one line's value. Names in any case; arguments as token or quoted string; a number that
 * is none makes the directive 0, i.e. stale (RFC 9111 4.2.1), one that overflows 2^31; of
 * several the most restrictive wins: the smallest, but the largest min-fresh. Unknown ones
 * are ignored.
 */
void cachectl_add(struct cachectl *cc, struct span value);

/* All Cache-Control lines of a head. */
struct cachectl cachectl_of(const struct http_head *h);

/*
 * What a request asks: its Cache-Control, or if there is none, Pragma: no-cache as no-cache
 * (RFC 9111 5.4).
 */
struct cachectl cachectl_of_request(const struct http_head *req);

/*
 * What applies to this cache in a response: CDN-Cache-Control if there is one and it is a valid
 * non-empty RFC 8941 dictionary, else Cache-Control.
 */
struct cachectl cachectl_of_response(const struct http_head *resp);

/* Is @name in a list of field names such as no_cache_fields? */
bool cachectl_names_field(struct span fields, struct span name);

#endif
