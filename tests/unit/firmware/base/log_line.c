/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/stat.h"
#include "tests/unit/firmware/base/log_pipe.h"

#define NOW INT64_C(1796000000007)

static void it_is_what_printf_would_have_made(void **state)
{
	static const char blob[] = "a b=\"\n\x7f\xff";
	struct log_line line;
	char printed[1024];

	(void)state;
	log_line_begin(&line, LOG_L_NOTICE, "request", NOW);
	log_line_word(&line, SPAN(" method="), SPAN("GET"));
	log_line_quoted(&line, SPAN(" path="), span_of(blob), LOG_QUOTE_MAX);
	log_line_quoted(&line, SPAN(" cut="), span_of(blob), 8);
	log_line_number(&line, SPAN(" zero="), 0);
	log_line_number(&line, SPAN(" most="), UINT64_MAX);
	log_line_end(&line);
	memcpy(printed, drain(), sizeof(printed));
	log_event(NULL, LOG_L_NOTICE, "request", " method=GET path=%s cut=%s zero=0 most=%ju",
		  LOG_QUOTE(span_of(blob)), log_quote((char[8]){ 0 }, 8, span_of(blob)),
		  (uintmax_t)UINT64_MAX);
	assert_string_equal(strchr(printed, ' '), strchr(drain(), ' ')); /* all but the time */
}

/* How a line begins is kept for its second and kind: the next one must not be told as the one before. */
static void the_beginning_goes_on(void **state)
{
	static const struct {
		int64_t ms;
		enum log_level level;
		const char *event, *expect;
	} rows[] = {
		{ NOW, LOG_L_NOTICE, "a",
		  "ts=2026-11-30T00:53:20.007Z level=notice prog=unit event=a\n" },
		{ NOW + 992, LOG_L_NOTICE, "a",
		  "ts=2026-11-30T00:53:20.999Z level=notice prog=unit event=a\n" },
		{ NOW + 993, LOG_L_NOTICE, "a",
		  "ts=2026-11-30T00:53:21.000Z level=notice prog=unit event=a\n" },
		{ NOW + 993, LOG_L_WARN, "a",
		  "ts=2026-11-30T00:53:21.000Z level=warn prog=unit event=a\n" },
		{ NOW + 993, LOG_L_WARN, "b",
		  "ts=2026-11-30T00:53:21.000Z level=warn prog=unit event=b\n" },
		{ NOW, LOG_L_WARN, "b",
		  "ts=2026-11-30T00:53:20.007Z level=warn prog=unit event=b\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct log_line line;

		log_line_begin(&line, rows[i].level, rows[i].event, rows[i].ms);
		log_line_end(&line);
		assert_string_equal(drain(), rows[i].expect);
	}
}

/* log_event() asks the clock. */
static void the_clock_is_asked(void **state)
{
	int64_t before = clock_read().wall_ms, after;
	char stamp[40];
	struct tm tm;
	time_t t;

	(void)state;
	log_event(NULL, LOG_L_INFO, "x", " ");
	after = clock_read().wall_ms;
	t = before / 1000;
	assert_non_null(gmtime_r(&t, &tm));
	assert_true(strftime(stamp, sizeof(stamp), "ts=%Y-%m-%dT%H:%M:%S.", &tm) > 0);
	if (before / 1000 == after / 1000)
		assert_memory_equal(drain(), stamp, strlen(stamp));
}

/* By hand, too, a value is what log_quote() makes of it, with much room and with little. */
static void quoted_as_log_quote_does(void **state)
{
	static const char *const values[] = { "",     "plain",	 "two words", "a=b", "123456",
					      "12 4", "1234567", "12345678",  "a\nb" };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(values); i++) {
		struct span value = span_of(values[i / 2]);
		size_t size = i % 2 ? 8 : 64;
		char want[72];
		struct log_line line;

		log_line_begin(&line, LOG_L_INFO, "x", NOW);
		log_line_quoted(&line, SPAN(" v="), value, size);
		log_line_end(&line);
		(void)log_quote(want, size, value);
		memcpy(want + strlen(want), "\n", 2);
		assert_string_equal(strstr(drain(), " v=") + 3, want);
	}
}

static void what_has_no_room_is_cut(void **state)
{
	char much[LOG_LINE_MAX];
	struct log_line line;
	const char *got;

	(void)state;
	memset(much, 'm', sizeof(much));
	log_line_begin(&line, LOG_L_NOTICE, "request", NOW);
	log_line_word(&line, SPAN(" a="), span_make(much, sizeof(much)));
	log_line_quoted(&line, SPAN(" b="), span_make(much, sizeof(much)), LOG_LINE_MAX);
	log_line_number(&line, SPAN(" c="), 7);
	log_line_end(&line);
	got = drain();
	assert_int_equal(strlen(got), LOG_LINE_MAX);
	assert_true(got[LOG_LINE_MAX - 1] == '\n');
}

static void no_control_gets_through(void **state)
{
	struct log_line line;

	(void)state;
	log_line_begin(&line, LOG_L_NOTICE, "request", NOW);
	log_line_word(&line, SPAN(" a="), SPAN("x\n\x1b[2J"));
	log_line_end(&line);
	assert_non_null(strstr(drain(), " a=x??[2J\n"));
}

static void as_json(void **state)
{
	struct log_line line;

	(void)state;
	log_output(LOG_JSON, LOG_STDERR);
	log_line_begin(&line, LOG_L_NOTICE, "request", NOW);
	log_line_quoted(&line, SPAN(" path="), SPAN("a \"b"), LOG_QUOTE_MAX);
	log_line_number(&line, SPAN(" status="), 200);
	log_line_end(&line);
	assert_non_null(
		strstr(drain(), "\"event\":\"request\",\"path\":\"a \\\"b\",\"status\":200}\n"));
	log_output(LOG_TEXT, LOG_STDERR);
}

/*
 * What nobody reads takes some; no thread waits for it, and each line that it does not take whole is counted. The next
 * one that it takes begins a line of its own.
 */
static void nobody_waits(int64_t size)
{
	int64_t before = stat_read(STAT_LOG_LOST), sent = 0, n = 0;
	char blob[900];
	const char *got;

	memset(blob, 'x', sizeof(blob));
	alarm(30); /* ends a run that waits */
	while (stat_read(STAT_LOG_LOST) < before + 3 && sent < 1 << 20) {
		log_event(NULL, LOG_L_NOTICE, "request", " n=%d blob=%.*s", (int)sent, (int)size,
			  blob);
		sent++;
	}
	alarm(0);
	assert_int_equal(stat_read(STAT_LOG_LOST), before + 3);
	for (got = drain(); *got; got = drain())
		n += lines(got);
	assert_int_equal(n, sent - 3);
	log_event(NULL, LOG_L_NOTICE, "again", " ");
	got = drain();
	got += *got == '\n'; /* the end of a line that was cut */
	assert_memory_equal(got, "ts=", 3);
	assert_int_equal(lines(got), 1);
}

static void a_full_pipe_keeps_nobody(void **state)
{
	(void)state;
	assert_return_code(fcntl(pipe_fd[1], F_SETFL, 0), 0); /* as stderr is */
	nobody_waits(1);
	nobody_waits(900);
}

/* As journald's. */
static void a_full_socket_keeps_nobody(void **state)
{
	(void)state;
	(void)close(pipe_fd[0]);
	(void)close(pipe_fd[1]);
	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM, 0, pipe_fd), 0);
	assert_return_code(fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK), 0);
	log_fd_set(pipe_fd[1]);
	nobody_waits(1);
	nobody_waits(900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_what_printf_would_have_made, setup, teardown),
		cmocka_unit_test_setup_teardown(the_beginning_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(the_clock_is_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(quoted_as_log_quote_does, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_no_room_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(no_control_gets_through, setup, teardown),
		cmocka_unit_test_setup_teardown(as_json, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_pipe_keeps_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_socket_keeps_nobody, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
