/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte ranges (RFC 9110 14): Range, If-Range and Content-Range.
 */
#ifndef TARN_HTTP_RANGE_H
#define TARN_HTTP_RANGE_H

#include "proxy/http/etag.h"
#include "proxy/http/limits.h"

#define RANGE_UNKNOWN UINT64_MAX /* an open end, or an unknown complete length */

/* Bytes first..last, both included, as in the protocol. */
struct byte_range {
	uint64_t first;
	uint64_t last;
};

/* What the Range field says, before the complete length is known. */
struct range_spec {
	bool suffix; /* the last `last` bytes; first is 0 */
	uint64_t first;
	uint64_t last; /* RANGE_UNKNOWN: to the end */
};

struct range_specs {
	unsigned n;
	struct range_spec spec[CONFIG_HTTP_RANGES_MAX];
};

struct range_set {
	unsigned n; /* 1 .. max */
	struct byte_range range[CONFIG_HTTP_RANGES_MAX];
};

enum range_verdict {
	RANGE_IGNORE,	     /* answer as if there were no Range: 200 */
	RANGE_SATISFIABLE,   /* 206 with the set */
	RANGE_UNSATISFIABLE, /* 416 */
};

/*
 * Parses the value of a Range field. 0; or -EINVAL: to be ignored (RFC 9110 14.2), because the
 * unit is not bytes, it is malformed, or has more ranges than CONFIG_HTTP_RANGES_MAX.
 * Numbers that do not fit 64 bits count as the largest (they lie behind every end).
 */
MUST_USE int http_range_parse(struct span value, struct range_specs *ret);

/*
 * The Range field of a request: 0; -ENOENT: there is none; -EINVAL: to be ignored, also because
 * the method is not GET (RFC 9110 14.2) or there is more than one line.
 */
MUST_USE int http_range_of(const struct http_head *req, struct range_specs *ret);

/*
 * Applies specs to a representation of @complete (known) bytes: unsatisfiable ones are left out, ends
 * are cut, overlapping and touching ones joined (the joined one stands where its first stood).
 * *ret is set only if SATISFIABLE. RANGE_IGNORE is said only of an empty representation asked
 * for its last bytes: that is satisfiable, but no 206 could describe it.
 */
enum range_verdict http_range_resolve(const struct range_specs *specs, uint64_t complete,
				      struct range_set *ret);

/* Both at once. */
enum range_verdict http_range_apply(struct span value, uint64_t complete, struct range_set *ret);

/* ---- Content-Range ----------------------------------------------------------------------- */

struct content_range {
	bool unsatisfied; /* "bytes * / complete", of a 416; no range then */
	struct byte_range range;
	uint64_t complete; /* RANGE_UNKNOWN for an asterisk */
};

#define HTTP_CONTENT_RANGE_MAX 72

/* 0, or -EINVAL: malformed, another unit, last < first, complete <= last. */
MUST_USE int http_content_range_parse(struct span value, struct content_range *ret);

/* Writes the value, with a NUL; returns its length. */
size_t http_content_range_print(const struct content_range *cr, char buf[HTTP_CONTENT_RANGE_MAX]);

/* ---- If-Range ---------------------------------------------------------------------------- */

struct validators {
	struct etag etag; /* opaque.p NULL: none */
	bool has_last_modified;
	int64_t last_modified; /* seconds */
	bool date_is_strong;   /* Last-Modified is a strong validator (RFC 9110 8.8.2.2) */
};

/*
 * Does the If-Range value match, so that Range is to be honoured (RFC 9110 13.1.5)? A strong
 * entity tag by strong comparison, or exactly the Last-Modified date if that is strong. Anything
 * else, malformed included, does not: send the whole.
 */
bool http_if_range_matches(struct span value, const struct validators *v, int64_t now);

#endif
