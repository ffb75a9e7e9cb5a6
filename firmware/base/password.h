/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords: scrypt (RFC 7914; N = 2^14, r = 8, p = 1: 16 MiB and some 50 ms a check), kept as text
 * "scrypt$14$8$1$<salt, 16 bytes in hex>$<hash, 32 bytes in hex>".
 */
#ifndef FIRMWARE_BASE_PASSWORD_H
#define FIRMWARE_BASE_PASSWORD_H

#include <stdbool.h>

#include "firmware/base/span.h"

#define PASSWORD_MIN	  10  /* bytes */
#define PASSWORD_MAX	  256 /* bytes */
#define PASSWORD_TEXT_MAX 128 /* of the kept text, with its NUL */
#define PASSWORD_MADE	  20  /* bytes of one of ours, with its NUL */

/* 0, -EINVAL (too short or too long) or -ENOMEM. */
MUST_USE int password_hash(struct span password, char ret_text[PASSWORD_TEXT_MAX]);
/* Is it such a text? */
bool password_hash_valid(const char *text);
/* A text that makes no sense fits nothing. */
bool password_fits(struct span password, const char *text);
/* One to show: "xxxx-xxxx-xxxx-xxxx", 80 random bits without letters that look alike. */
void password_make(char ret_password[PASSWORD_MADE]);

#endif
