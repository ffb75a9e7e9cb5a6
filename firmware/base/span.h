/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes with a length. A span borrows: it owns nothing and is not NUL-terminated.
 * `struct cursor` is the one length-checked reader of binary input (records, DNS, bundles).
 */
#ifndef FIRMWARE_BASE_SPAN_H
#define FIRMWARE_BASE_SPAN_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "firmware/base/check.h"

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })
/* For printf's "%.*s". */
#define SPAN_FMT(s) (int)(s).n, (s).p

static inline struct span span_make(const void *p, size_t n)
{
	return (struct span){ (const char *)p, n };
}

/* A NUL-terminated string as a span; NULL is the empty span. */
static inline struct span span_of(const char *text)
{
	return (struct span){ text ? text : "", text ? strlen(text) : 0 };
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII lower case of one byte; no locale. */
static inline char span_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters. */
static inline bool span_ieq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (span_lower(a.p[i]) != span_lower(b.p[i]))
			return false;
	return true;
}

/* Bytes i..j-1, both clamped to the span. */
static inline struct span span_sub(struct span s, size_t i, size_t j)
{
	if (j > s.n)
		j = s.n;
	if (i > j)
		i = j;
	return (struct span){ s.p + i, j - i };
}

/* The first n bytes (or all), and what is left after them. */
static inline struct span span_head(struct span s, size_t n)
{
	return span_sub(s, 0, n);
}

static inline struct span span_drop(struct span s, size_t n)
{
	return span_sub(s, n, s.n);
}

static inline bool span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_eq(span_head(s, prefix.n), prefix);
}

static inline bool span_istarts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_ieq(span_head(s, prefix.n), prefix);
}

static inline bool span_ends(struct span s, struct span suffix)
{
	return s.n >= suffix.n && span_eq(span_drop(s, s.n - suffix.n), suffix);
}

/* Index of the first `c`, or s.n. */
static inline size_t span_find(struct span s, char c)
{
	const char *hit = s.n ? (const char *)memchr(s.p, (unsigned char)c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : s.n;
}

/* Without spaces and tabs at both ends (OWS of RFC 9110, section 5.6.3). */
static inline struct span span_trim(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_drop(s, 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/*
 * Takes the part before the next `sep` off *rest. False when nothing is left; "a,,b" has an empty
 * part in the middle, "a," has one part, "" has none:
 *	while (span_cut(&rest, ',', &part)) ...
 */
static inline bool span_cut(struct span *rest, char sep, struct span *ret_part)
{
	size_t i;

	if (rest->n == 0)
		return false;
	i = span_find(*rest, sep);
	*ret_part = span_head(*rest, i);
	*rest = span_drop(*rest, i + 1);
	return true;
}

#define SPAN_DIGITS_MAX 20

/* Strict unsigned decimal: digits only, at least one. 0, -EINVAL, or -ERANGE (does not fit). */
MUST_USE int span_u64(struct span s, uint64_t *ret_value);

/* Strict hexadecimal without prefix, 1 to 16 digits. 0, -EINVAL, or -ERANGE (more than 16). */
MUST_USE int span_hex(struct span s, uint64_t *ret_value);

/* Decimal digits of a number; how many. */
size_t span_digits(uint64_t value, char buf[SPAN_DIGITS_MAX]);

/* "<name>:<number>", NUL-terminated, in `buf`, which must have room for it. */
struct span span_numbered(struct span name, uint64_t number, char *buf, size_t size);

/* Copies and NUL-terminates. 0, -ENOSPC (size too small), or -EINVAL (a NUL inside). */
MUST_USE int span_copy(struct span s, char *buf, size_t size);

/* A malloc'd NUL-terminated copy, or NULL without memory. */
MUST_USE char *span_dup(struct span s);

struct cursor {
	const uint8_t *p;
	size_t n; /* bytes that remain */
};

static inline struct cursor cursor_make(const void *p, size_t n)
{
	return (struct cursor){ (const uint8_t *)p, n };
}

static inline size_t cursor_remaining(const struct cursor *c)
{
	return c->n;
}

/* Each reader: 0, or -EBADMSG with nothing consumed and the output untouched. */
MUST_USE static inline int cursor_bytes(struct cursor *c, size_t n, struct span *ret_bytes)
{
	if (UNLIKELY(c->n < n))
		return -EBADMSG;
	*ret_bytes = span_make(c->p, n);
	c->p += n;
	c->n -= n;
	return 0;
}

MUST_USE static inline int cursor_skip(struct cursor *c, size_t n)
{
	struct span unused;

	return cursor_bytes(c, n, &unused);
}

/* Unsigned big-endian number of `width` (1 to 8) bytes. */
MUST_USE static inline int cursor_uint_be(struct cursor *c, size_t width, uint64_t *ret_value)
{
	struct span bytes;
	uint64_t value = 0;

	if (UNLIKELY(cursor_bytes(c, width, &bytes) < 0))
		return -EBADMSG;
	for (size_t i = 0; i < width; i++)
		value = value << 8 | (uint8_t)bytes.p[i];
	*ret_value = value;
	return 0;
}

#define CURSOR_READER_(name, type, host)                                                           \
	MUST_USE static inline int cursor_##name(struct cursor *c, type *ret_value)                \
	{                                                                                          \
		struct span bytes;                                                                 \
		type value;                                                                        \
                                                                                                   \
		if (UNLIKELY(cursor_bytes(c, sizeof(value), &bytes) < 0))                          \
			return -EBADMSG;                                                           \
		memcpy(&value, bytes.p, sizeof(value));                                            \
		*ret_value = host(value);                                                          \
		return 0;                                                                          \
	}

CURSOR_READER_(u8, uint8_t, )		 /* cursor_u8 */
CURSOR_READER_(u16be, uint16_t, be16toh) /* cursor_u16be */
CURSOR_READER_(u32be, uint32_t, be32toh) /* cursor_u32be */
CURSOR_READER_(u64be, uint64_t, be64toh) /* cursor_u64be */
#undef CURSOR_READER_

#endif
