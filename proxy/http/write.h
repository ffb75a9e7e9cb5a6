/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes heads into a bounded buffer. The only place where our own messages are put together,
 * so the only place that can break one: every name is checked to be a token, every value to be
 * free of CR, LF, NUL and other controls.
 */
#ifndef TARN_HTTP_WRITE_H
#define TARN_HTTP_WRITE_H

#include "proxy/http/date.h"
#include "proxy/http/head.h"
#include "proxy/http/range.h"

/* Once a thing did not fit the buffer (overflow) or the protocol (invalid), no more is written. */
struct head_out {
	char *buf;
	size_t cap;
	size_t len;
	bool overflow;
	bool invalid;
};

struct head_out head_out_init(char *buf, size_t cap);

/* Adds the final empty line: 0, -EMSGSIZE if it overflowed, -EINVAL if something was not fit. */
MUST_USE int head_out_end(struct head_out *o);

void head_out_status(struct head_out *o, unsigned status, struct span reason); /* empty: ours */
void head_out_request(struct head_out *o, struct span method, struct span target);

void head_out_field(struct head_out *o, struct span name, struct span value);
void head_out_known(struct head_out *o, enum http_field_id id, struct span value);
void head_out_text(struct head_out *o, enum http_field_id id, const char *value);
void head_out_number(struct head_out *o, enum http_field_id id, uint64_t value);
void head_out_date(struct head_out *o, enum http_field_id id, int64_t time);
void head_out_content_range(struct head_out *o, const struct content_range *cr);
void head_out_raw(struct head_out *o, struct span lines); /* a stored, already written block */

/* A set of known fields. */
struct http_field_set {
	uint64_t bits[2];
};

static inline void http_field_set_add(struct http_field_set *s, enum http_field_id id)
{
	s->bits[id / 64] |= UINT64_C(1) << (id % 64);
}

/*
 * Copies the field lines of @h in their order, but those that are hop-by-hop (head.h) and those
 * in @drop (may be NULL). Host is copied as the effective authority, not as received (RFC 9112
 * 3.2.2); it comes first, and also if the request had none but a known authority. Framing is
 * the caller's: Transfer-Encoding is hop-by-hop and so not copied, Content-Length is copied
 * unless dropped.
 */
void head_out_copy(struct head_out *o, const struct http_head *h,
		   const struct http_field_set *drop);

/*
 * Via for a message received by us and being forwarded (RFC 9110 7.6.3): all received Via
 * elements, then ours: "1.1 tarn-1234abcd". Put VIA into copy's drop set when using this.
 */
void head_out_via(struct head_out *o, const struct http_head *received, struct span pseudonym);

/* True if a Via element of @h was written by @pseudonym: the message went round in a loop. */
bool http_via_loops(const struct http_head *h, struct span pseudonym);

/* ---- Cache-Status (RFC 9211) --------------------------------------------------------------- */

enum cache_status_fwd {
	CACHE_FWD_NONE, /* a hit */
	CACHE_FWD_BYPASS,
	CACHE_FWD_METHOD,
	CACHE_FWD_URI_MISS,
	CACHE_FWD_VARY_MISS,
	CACHE_FWD_MISS,
	CACHE_FWD_REQUEST,
	CACHE_FWD_STALE,
	CACHE_FWD_PARTIAL,
};

struct cache_status {
	enum cache_status_fwd fwd;
	unsigned fwd_status; /* 0: not given */
	bool has_ttl;
	int64_t ttl; /* seconds of freshness left; negative: stale for so long */
	bool stored;
	bool collapsed;
	const char *detail; /* a token, or NULL */
};

/* Received elements of @received (may be NULL), then ours. */
void head_out_cache_status(struct head_out *o, const struct http_head *received,
			   struct span cache_name, const struct cache_status *cs);

/* ---- errors -------------------------------------------------------------------------------- */

/* "Not Found"; "" for an unknown status. */
const char *http_reason(unsigned status);

/*
 * A whole response with a plain text body of one line, Content-Length, Date, no-store, and
 * Connection: close if @close. Without its body if @head_only (answer to HEAD). Returns its
 * length or -EMSGSIZE; 1 KiB is always enough for the refusals' texts.
 */
MUST_USE int http_error_write(char *buf, size_t cap, unsigned status, const char *text, bool close,
			      bool head_only, int64_t now);

/* The answer to a refused request: status and text from the table, always closing. */
MUST_USE int http_refusal_write(char *buf, size_t cap, int rc, int64_t now);

#endif
