/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tables of this folder have in common. A row names the rule it comes from first, so that
 * a failure reads "RFC 9112 5.1: space before the colon: got ok".
 */
#ifndef TARN_TEST_HTTP_ROWS_H
#define TARN_TEST_HTTP_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/http/head.h"

/* A constant initialiser, also of text with NULs inside. */
#define TEXT(literal)                                                                              \
	{                                                                                          \
		"" literal, sizeof(literal) - 1                                                    \
	}

static inline const char *rc_text(int rc)
{
	static char number[16];

	if (rc == 0)
		return "ok";
	if (http_is_refusal(rc))
		return http_refusal_info(rc)->name;
	snprintf(number, sizeof(number), "%d", rc);
	return number;
}

#define ROW_FAIL(row, what, ...) fail_msg("%s: %s: " what, (row)->rfc, (row)->text, __VA_ARGS__)

#define ROW_RC(row, got, want)                                                                     \
	do {                                                                                       \
		if ((got) != (want)) {                                                             \
			char got_[32];                                                             \
			snprintf(got_, sizeof(got_), "%s", rc_text(got));                          \
			ROW_FAIL(row, "got %s instead of %s", got_, rc_text(want));                \
		}                                                                                  \
	} while (0)

#define ROW_SPAN(row, what, got, want)                                                             \
	do {                                                                                       \
		struct span g_ = (got), w_ = (want);                                               \
		if (!span_eq(g_, w_))                                                              \
			ROW_FAIL(row, what " is '%.*s' instead of '%.*s'", SPAN_FMT(g_),           \
				 SPAN_FMT(w_));                                                    \
	} while (0)

#define ROW_NUMBER(row, what, got, want)                                                           \
	do {                                                                                       \
		long long g_ = (long long)(got), w_ = (long long)(want);                           \
		if (g_ != w_)                                                                      \
			ROW_FAIL(row, what " is %lld instead of %lld", g_, w_);                    \
	} while (0)

/* The text in memory of its own, exactly as large: a read behind its end is seen by `make asan`. */
static inline char *exact_copy(struct span s)
{
	char *copy = test_malloc(s.n ? s.n : 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

/* A head that must parse. Not reentrant: one at a time. */
static inline const struct http_head *head_of(struct span text)
{
	static struct http_head head;
	int rc = span_starts(text, SPAN("HTTP/")) ? http_response_parse(&head, text.p, text.n)
						  : http_request_parse(&head, text.p, text.n);

	if (rc < 0)
		fail_msg("'%.*s' was refused: %s", SPAN_FMT(text), rc_text(rc));
	return &head;
}

#endif
