/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of the log put together by hand, for what is written so often that printf would be felt: a line for each
 * request. It comes out as log_event() without a site would have written it: no rate limit, no level, shown to nobody.
 *
 *	struct log_line line;
 *
 *	log_line_begin(&line, LOG_L_NOTICE, "request", now.wall_ms);
 *	log_line_word(&line, SPAN(" method="), SPAN("GET"));
 *	log_line_quoted(&line, SPAN(" path="), path, LOG_QUOTE_MAX);
 *	log_line_number(&line, SPAN(" status="), 200);
 *	log_line_end(&line);
 *
 * Keys come with the blank before and the '=' behind them. What has no room is cut off at LOG_LINE_MAX bytes.
 */
#ifndef FIRMWARE_BASE_LOG_LINE_H
#define FIRMWARE_BASE_LOG_LINE_H

#include "firmware/base/log.h"

#define LOG_LINE_MAX  2048
#define LOG_LINE_ROOM (LOG_LINE_MAX - 1) /* the newline's byte is kept */

struct log_line {
	enum log_level level;
	size_t n;
	char text[LOG_LINE_MAX];
};

/* `wall_ms`: milliseconds since 1970. `event` lives as long as the process. */
void log_line_begin(struct log_line *line, enum log_level level, const char *event,
		    int64_t wall_ms);

/* Inline, so that keys, which are literals, are not copied by a call. */
static inline void log_line_put(struct log_line *line, struct span bytes)
{
	size_t room = LOG_LINE_ROOM - line->n;

	if (__builtin_expect(bytes.n > room, 0))
		bytes.n = room;
	memcpy(line->text + line->n, bytes.p, bytes.n);
	line->n += bytes.n;
}

/* A value of our own, which has no blank, quote or control character. */
static inline void log_line_word(struct log_line *line, struct span key, struct span value)
{
	log_line_put(line, key);
	log_line_put(line, value);
}
/* Any bytes, as log_quote() writes them into `size` bytes, at most LOG_LINE_MAX. */
void log_line_quoted(struct log_line *line, struct span key, struct span value, size_t size);
void log_line_number(struct log_line *line, struct span key, uint64_t value);

/* Writes it (or gathers it: log_gather()). */
void log_line_end(struct log_line *line);

#endif
