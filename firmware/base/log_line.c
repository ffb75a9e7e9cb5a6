/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines by hand. How a line begins is printed once a second, thread and kind of line; all else is copied. A line belongs to
 * its caller, its beginning to its thread.
 */
#include "firmware/base/log_line.h"

#include <stdio.h>
#include <time.h>

#include "firmware/base/log_priv.h"

#define MS_AT (sizeof("ts=2026-01-31T12:00:00.") - 1)

static _Thread_local struct {
	int64_t second;
	enum log_level level;
	const char *event; /* NULL: never printed */
	size_t n;
	char text[160];
} beginning;

static void beginning_print(enum log_level level, const char *event, int64_t second)
{
	char date[24] = "0000-00-00T00:00:00";
	time_t t = (time_t)second;
	struct tm tm;
	int n;

	if (gmtime_r(&t, &tm))
		(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	n = snprintf(beginning.text, sizeof(beginning.text), "ts=%s.000Z level=%s prog=%s event=%s",
		     date, log_level_name(level), log_program(), event);
	beginning.n = n < (int)sizeof(beginning.text) ? (size_t)n : sizeof(beginning.text) - 1;
	beginning.second = second;
	beginning.level = level;
	beginning.event = event;
}

void log_line_begin(struct log_line *line, enum log_level level, const char *event, int64_t wall_ms)
{
	unsigned ms = (unsigned)(wall_ms % 1000);

	if (beginning.event != event || beginning.second != wall_ms / 1000 ||
	    beginning.level != level)
		beginning_print(level, event, wall_ms / 1000);
	line->level = level;
	line->n = 0;
	log_line_put(line, span_make(beginning.text, beginning.n));
	line->text[MS_AT] = (char)('0' + ms / 100);
	line->text[MS_AT + 1] = (char)('0' + ms / 10 % 10);
	line->text[MS_AT + 2] = (char)('0' + ms % 10);
}

void log_line_quoted(struct log_line *line, struct span key, struct span value, size_t size)
{
	size_t quotes = log_quotes(value);
	char quoted[LOG_LINE_MAX];

	CHECK(size <= sizeof(quoted));
	if (value.n + quotes >= size) {
		log_line_word(line, key, span_of(log_quote(quoted, size, value)));
		return;
	}
	log_line_put(line, key);
	log_line_put(line, span_make("\"", quotes / 2));
	log_line_put(line, value);
	log_line_put(line, span_make("\"", quotes / 2));
}

void log_line_number(struct log_line *line, struct span key, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	log_line_word(line, key, span_make(digits + at, sizeof(digits) - at));
}

void log_line_end(struct log_line *line)
{
	log_put(line, false);
}
