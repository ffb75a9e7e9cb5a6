/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line an event, key=value or JSON, to stderr or syslog, by one write(2) each. Any thread.
 *
 *	LOG(LOG_L_INFO, "flight.start", "key=%s bytes=%zu", LOG_QUOTE(key), bytes);
 *	ts=2026-01-31T12:00:00.000Z level=info prog=tarn-proxy event=flight.start key=/a bytes=3
 *
 * A call site that repeats more than LOG_SITE_PER_S times a second is cut off until the next
 * second, whose first line then carries suppressed=N. Control characters never reach the output,
 * whatever the arguments hold; bytes from outside also go through LOG_QUOTE so that they cannot
 * forge a key.
 */
#ifndef FIRMWARE_BASE_LOG_H
#define FIRMWARE_BASE_LOG_H

#include <stdatomic.h>

#include "firmware/base/span.h"

#define LOG_SITE_PER_S 10

enum log_level {
	LOG_L_ERROR,
	LOG_L_WARN,
	LOG_L_NOTICE,
	LOG_L_INFO,
	LOG_L_DEBUG
};

/* One call site's rate limit. */
struct log_site {
	_Atomic uint64_t second; /* of CLOCK_MONOTONIC, the window in which `count` counts */
	_Atomic unsigned count;
};

/* The level above which events are dropped; read by LOG before it evaluates its arguments. */
extern _Atomic int log_level_now;

/* `event` and the format are literals; the format may be left out. */
#define LOG(level, event, ...)                                                                     \
	do {                                                                                       \
		static struct log_site log_site_;                                                  \
		if ((int)(level) <= atomic_load_explicit(&log_level_now, memory_order_relaxed))    \
			log_event(&log_site_, level, event, " " __VA_ARGS__);                      \
	} while (0)

/* A span quoted into a buffer of the calling statement. */
#define LOG_QUOTE_MAX	200
#define LOG_QUOTE(span) log_quote((char[LOG_QUOTE_MAX]){ 0 }, LOG_QUOTE_MAX, (span))

/* `program` goes into every line and must live as long as the process. */
void log_open(const char *program, enum log_level level);
void log_level_set(enum log_level level);

enum log_format {
	LOG_TEXT, /* key=value */
	LOG_JSON  /* an object a line */
};
enum log_to {
	LOG_STDERR,
	LOG_SYSLOG /* /dev/log; what it does not take goes to stderr */
};
/* How and where to; at any time. Syslog's socket is opened here. */
void log_output(enum log_format format, enum log_to to);

/* "error", "warn", "notice", "info", "debug". 0 or -EINVAL. */
MUST_USE int log_level_parse(struct span text, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

/*
 * Writes `value` to `buf` so that it is one word of a log line: as it is when it is plain printable
 * ASCII without space, quote, backslash or '='; otherwise in double quotes with \xNN, \" and \\.
 * What does not fit is cut and marked with "...". Gives `buf` back, NUL-terminated. `size` is at
 * least 8.
 */
const char *log_quote(char *buf, size_t size, struct span value);

/* What LOG calls. Without a site there is no rate limit, and no level either: for lines that were asked for. */
__attribute__((format(printf, 4, 5))) void log_event(struct log_site *site, enum log_level level,
						     const char *event, const char *format, ...);

/*
 * From now on the calling thread gathers its lines without a site and writes them together: at log_flush(), when there
 * is no more room, and before any other line of this thread. Who calls it calls log_flush() before it sleeps. A crash
 * loses what is gathered.
 */
#define LOG_GATHER_MAX 16384
void log_gather(void);
/* Bytes that wait. */
size_t log_gathered(void);
void log_flush(void);

/*
 * Shows what is logged, but for lines without a site, to one more: the event's name and the rest of its line. On any
 * thread; it must not log. NULL: to nobody any more, once those who are in it have come back (they may still be in it
 * when this returns).
 */
typedef void log_tap_f(enum log_level level, const char *event, const char *text);
void log_tap_set(log_tap_f *tap);

/* Where lines go; 2 (stderr) unless a test says otherwise. */
void log_fd_set(int fd);

#endif
