/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each octet may be, as one table of bits (RFC 9110 5.5, 5.6; RFC 3986 2). For this folder.
 */
#ifndef TARN_HTTP_CHARS_H
#define TARN_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum http_char_class {
	HTTP_C_TOKEN = 1 << 0, /* tchar */
	HTTP_C_VALUE = 1 << 1, /* field value: HTAB, SP, VCHAR, obs-text */
	HTTP_C_DIGIT = 1 << 2,
	HTTP_C_HEX = 1 << 3,
	HTTP_C_UNRESERVED = 1 << 4, /* RFC 3986 2.3 */
	HTTP_C_PATH = 1 << 5,	    /* pchar, '/', and what browsers leave as it is: [ ] | */
	HTTP_C_QUERY = 1 << 6,	    /* visible, but none of " # < > \ */
	HTTP_C_TARGET = 1 << 7,	    /* visible, but no fragment: # */
	HTTP_C_HOST = 1 << 8,	    /* what DNS can carry; narrower than reg-name */
	HTTP_C_ETAG = 1 << 9,	    /* etagc */
	HTTP_C_ALPHA = 1 << 10,
};

extern const uint16_t http_chars[256];

static inline bool http_char_is(char c, unsigned class)
{
	return http_chars[(unsigned char)c] & class;
}

/* The value of a hexadecimal digit. */
static inline unsigned http_hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

#endif
