/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines by hand. The date is printed once a second and thread; all else is copied. A line belongs to its caller, the
 * printed date to its thread.
 */
#include "firmware/base/log_line.h"

#include <time.h>

#include "firmware/base/log_priv.h"

#define DATE_CHARS 19 /* 2026-01-31T12:00:00 */

static _Thread_local struct {
	time_t second;
	char text[DATE_CHARS + 1]; /* empty: never printed */
} date;

static void put(struct log_line *line, struct span bytes)
{
	size_t room = sizeof(line->text) - 1 - line->n;
	size_t n = bytes.n < room ? bytes.n : room;

	memcpy(line->text + line->n, bytes.p, n);
	line->n += n;
}

static struct span date_of(time_t second)
{
	struct tm tm;

	if (!date.text[0] || date.second != second) {
		if (!gmtime_r(&second, &tm) ||
		    strftime(date.text, sizeof(date.text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
			memcpy(date.text, "?", 2);
		date.second = second;
	}
	return span_of(date.text);
}

void log_line_begin(struct log_line *line, enum log_level level, const char *event)
{
	char ms[] = ".000Z level=";
	struct timespec now = { 0 };
	unsigned n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	n = (unsigned)(now.tv_nsec / 1000000 % 1000);
	ms[1] = (char)('0' + n / 100);
	ms[2] = (char)('0' + n / 10 % 10);
	ms[3] = (char)('0' + n % 10);
	line->level = level;
	line->n = 0;
	log_line_word(line, SPAN("ts="), date_of(now.tv_sec));
	log_line_word(line, span_make(ms, sizeof(ms) - 1), span_of(log_level_name(level)));
	log_line_word(line, SPAN(" prog="), span_of(log_program()));
	log_line_word(line, SPAN(" event="), span_of(event));
}

void log_line_word(struct log_line *line, struct span key, struct span value)
{
	put(line, key);
	put(line, value);
}

void log_line_quoted(struct log_line *line, struct span key, struct span value, size_t size)
{
	char quoted[LOG_LINE_MAX];

	CHECK(size <= sizeof(quoted));
	log_line_word(line, key, span_of(log_quote(quoted, size, value)));
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
