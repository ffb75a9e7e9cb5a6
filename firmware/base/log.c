/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log. A line is made in a buffer on the caller's stack (as JSON in a second one) and leaves in one piece
 * (log_out.c), so lines of different threads never mix. What a thread gathers (log_gather) is its own, too. The log
 * reads the clock itself: a line tells when it was made, not when its loop's turn began.
 *
 * Rate limit of a site: `second` is the window, `count` the events in it. Threads may race for a
 * new window; then a few events more or fewer pass, and the suppressed count may be off by as many.
 * No more is needed.
 */
#include "firmware/base/log_priv.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/stat.h"

#define JSON_MAX_BYTES (2 * LOG_LINE_MAX + 64)
#define SYSLOG_PATH    "/dev/log"
#define SYSLOG_DAEMON  3 /* facility; RFC 5424, 6.2.1 */
#define SYSLOG_ERROR   3 /* severity of LOG_L_ERROR; those below it follow in order */

_Atomic int log_level_now = LOG_L_INFO;
static _Atomic int log_format = LOG_TEXT;
static _Atomic int log_to = LOG_STDERR;
static _Atomic int syslog_fd = -1; /* opened once, connected again when syslog was restarted */
static _Atomic(log_tap_f *) log_tap;
static const char *program_name = "?";
static const char *syslog_path = SYSLOG_PATH;

static const char *const level_names[] = {
	[LOG_L_ERROR] = "error", [LOG_L_WARN] = "warn",	  [LOG_L_NOTICE] = "notice",
	[LOG_L_INFO] = "info",	 [LOG_L_DEBUG] = "debug",
};

void log_open(const char *program, enum log_level level)
{
	program_name = program;
	log_level_set(level);
	log_out_look();
}

void log_level_set(enum log_level level)
{
	atomic_store_explicit(&log_level_now, (int)level, memory_order_relaxed);
}

void log_tap_set(log_tap_f *tap)
{
	atomic_store_explicit(&log_tap, tap, memory_order_release);
}

const char *log_level_name(enum log_level level)
{
	CHECK((size_t)level < ARRAY_LEN(level_names));
	return level_names[level];
}

int log_level_parse(struct span text, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (span_eq(text, span_of(level_names[i]))) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* One byte as it stands inside quotes; its length. */
static size_t escape(char c, char out[5])
{
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = c;
		return 2;
	}
	if (c >= ' ' && c < 0x7f) {
		out[0] = c;
		return 1;
	}
	(void)snprintf(out, 5, "\\x%02x", (unsigned char)c);
	return 4;
}

/* What a value needs, in bits of its bytes. */
#define NEEDS_QUOTES  1u
#define NEEDS_ESCAPES 2u

static const uint8_t needs[256] = {
	[0 ... 0x1f] = NEEDS_ESCAPES, [' '] = NEEDS_QUOTES,   ['='] = NEEDS_QUOTES,
	['"'] = NEEDS_ESCAPES,	      ['\\'] = NEEDS_ESCAPES, [0x7f ... 0xff] = NEEDS_ESCAPES,
};

static unsigned needs_of(struct span value)
{
	unsigned bits = value.n ? 0 : NEEDS_QUOTES;

	for (size_t i = 0; i < value.n; i++)
		bits |= needs[(unsigned char)value.p[i]];
	return bits;
}

size_t log_quotes(struct span value)
{
	unsigned bits = needs_of(value);

	return bits & NEEDS_ESCAPES ? SIZE_MAX / 2 : 2 * (bits & NEEDS_QUOTES);
}

/* Bytes that `value` takes inside quotes, counted no further than `enough`. */
static size_t escaped_length(struct span value, size_t enough)
{
	char piece[5];
	size_t n = 0;

	for (size_t i = 0; i < value.n && n < enough; i++)
		n += escape(value.p[i], piece);
	return n;
}

/* The slow way: escapes, or a value that has to be cut. */
static void quote_bytes(char *buf, size_t size, struct span value)
{
	static const char cut[] = "...\"";
	bool fits = escaped_length(value, size) + 3 <= size; /* two quotes and the NUL */
	size_t room = size - (fits ? 2 : sizeof(cut)), n = 0;

	buf[n++] = '"';
	for (size_t i = 0; i < value.n; i++) {
		char piece[5];
		size_t length = escape(value.p[i], piece);

		if (n + length > room)
			break;
		memcpy(buf + n, piece, length);
		n += length;
	}
	memcpy(buf + n, fits ? "\"" : cut, fits ? 2 : sizeof(cut));
}

const char *log_quote(char *buf, size_t size, struct span value)
{
	unsigned bits = needs_of(span_head(value, size));
	size_t quote = bits & NEEDS_QUOTES;

	CHECK(size >= 8);
	if (bits & NEEDS_ESCAPES || value.n + 2 * quote >= size) {
		quote_bytes(buf, size, value);
		return buf;
	}
	buf[0] = '"';
	memcpy(buf + quote, value.p, value.n);
	memcpy(buf + quote + value.n, quote ? "\"" : "", 1 + quote);
	return buf;
}

/* May this event be written? Says how many were left out in the window that just ended. */
static bool site_allows(struct log_site *site, unsigned *ret_suppressed)
{
	uint64_t second = clock_mono_ns() / 1000000000u + 1; /* 0 is a site never used */
	uint64_t before;
	unsigned count;

	*ret_suppressed = 0;
	if (!site)
		return true;
	before = atomic_load_explicit(&site->second, memory_order_relaxed);
	if (before != second && atomic_compare_exchange_strong(&site->second, &before, second)) {
		count = atomic_exchange(&site->count, 1);
		*ret_suppressed = count > LOG_SITE_PER_S ? count - LOG_SITE_PER_S : 0;
		return true;
	}
	count = atomic_fetch_add(&site->count, 1);
	if (count < LOG_SITE_PER_S)
		return true;
	STAT_INC(STAT_LOG_SUPPRESSED);
	return false;
}

/* snprintf's result as a number of bytes that are really there. */
static size_t clamp(int printed, size_t room)
{
	if (printed < 0)
		return 0;
	return (size_t)printed < room ? (size_t)printed : room - 1;
}

/* May there be a control among 8 bytes? Never a wrong no (Bit Twiddling Hacks, "a byte less than n"). */
static bool has_control(const char *text)
{
	const uint64_t ones = 0x0101010101010101u, highs = ones << 7;
	uint64_t bytes, no_del;

	memcpy(&bytes, text, sizeof(bytes));
	no_del = bytes ^ (ones * 0x7f);
	return ((bytes - ones * ' ') & ~bytes & highs) || ((no_del - ones) & ~no_del & highs);
}

/* A last wall: no argument, quoted or not, may end the line or move the cursor. */
static void disarm_controls(char *text, size_t n)
{
	size_t i = 0;

	while (i + 8 <= n && !has_control(text + i))
		i += 8;
	for (; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

/* ---- where it goes -------------------------------------------------------------------------------- */

void log_syslog_at(const char *path)
{
	syslog_path = path;
}

static int syslog_connect(int fd)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (span_copy(span_of(syslog_path), at.sun_path, sizeof(at.sun_path)) < 0)
		return -1;
	return connect(fd, (struct sockaddr *)&at, sizeof(at));
}

static void syslog_open(void)
{
	int fd;

	if (atomic_load(&syslog_fd) >= 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)syslog_connect(fd);
	atomic_store(&syslog_fd, fd);
}

void log_output(enum log_format format, enum log_to to)
{
	if (to == LOG_SYSLOG)
		syslog_open();
	atomic_store(&log_format, (int)format);
	atomic_store(&log_to, (int)to);
}

/* One datagram. False: syslog does not take it. */
static bool syslog_put(enum log_level level, const char *line, size_t n)
{
	char datagram[JSON_MAX_BYTES + 64];
	int fd = atomic_load_explicit(&syslog_fd, memory_order_relaxed);
	size_t head;

	if (fd < 0)
		return false;
	head = clamp(snprintf(datagram, sizeof(datagram),
			      "<%d>%s[%d]: ", SYSLOG_DAEMON * 8 + SYSLOG_ERROR + (int)level,
			      program_name, (int)getpid()),
		     sizeof(datagram));
	n = n < sizeof(datagram) - head ? n : sizeof(datagram) - head;
	memcpy(datagram + head, line, n);
	return write(fd, datagram, head + n) >= 0 ||
	       (syslog_connect(fd) == 0 && write(fd, datagram, head + n) >= 0);
}

static _Thread_local struct {
	bool on;
	size_t n;
	char lines[LOG_GATHER_MAX];
} gathered;

void log_gather(void)
{
	gathered.on = true;
}

size_t log_gathered(void)
{
	return gathered.n;
}

void log_flush(void)
{
	if (gathered.n)
		log_out(gathered.lines, gathered.n);
	gathered.n = 0;
}

/* `line` has room for a newline. `alone`: it is not to wait for others. */
static void put_out(enum log_level level, char *line, size_t n, bool alone)
{
	if (atomic_load_explicit(&log_to, memory_order_relaxed) == LOG_SYSLOG &&
	    syslog_put(level, line, n))
		return;
	line[n++] = '\n';
	if (alone || n > sizeof(gathered.lines) - gathered.n)
		log_flush();
	if (alone || n > sizeof(gathered.lines)) {
		log_out(line, n);
		return;
	}
	memcpy(gathered.lines + gathered.n, line, n);
	gathered.n += n;
}

static void put_json(enum log_level level, struct span line, bool alone)
{
	char json[JSON_MAX_BYTES + 1];
	size_t n = log_json(line, json, sizeof(json) - 1);

	put_out(level, json, n, alone);
}

const char *log_program(void)
{
	return program_name;
}

void log_put(struct log_line *line, bool alone)
{
	disarm_controls(line->text, line->n);
	alone |= !gathered.on;
	if (atomic_load_explicit(&log_format, memory_order_relaxed) == LOG_JSON)
		put_json(line->level, span_make(line->text, line->n), alone);
	else
		put_out(line->level, line->text, line->n, alone);
}

void log_event(struct log_site *site, enum log_level level, const char *event, const char *format,
	       ...)
{
	log_tap_f *tap = atomic_load_explicit(&log_tap, memory_order_acquire);
	const size_t room = LOG_LINE_MAX - 1; /* the newline */
	struct log_line line;
	unsigned suppressed;
	va_list args;
	size_t head;

	if (!site_allows(site, &suppressed))
		return;
	log_line_begin(&line, level, event, clock_read().wall_ms);
	head = line.n;
	va_start(args, format);
	line.n += clamp(vsnprintf(line.text + head, room - head, format, args), room - head);
	va_end(args);
	while (line.n && line.text[line.n - 1] == ' ')
		line.n--;
	if (suppressed)
		log_line_number(&line, SPAN(" suppressed="), suppressed);
	if (tap && site) {
		disarm_controls(line.text, line.n);
		line.text[line.n] = 0;
		tap(level, event, line.n > head ? line.text + head + 1 : "");
	}
	log_put(&line, site != NULL);
}
