/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "tests/unit/firmware/base/log_pipe.h"

static void writes_one_line(void **state)
{
	const char *got;

	(void)state;
	LOG(LOG_L_NOTICE, "flight.start", "key=%s bytes=%d", LOG_QUOTE(SPAN("/a b")), 3);
	got = drain();
	assert_int_equal(lines(got), 1);
	assert_memory_equal(got, "ts=2", 4);
	assert_int_equal(got[26], 'Z');
	assert_string_equal(got + 27,
			    " level=notice prog=unit event=flight.start key=\"/a b\" bytes=3\n");
	LOG(LOG_L_ERROR, "bare");
	assert_string_equal(drain() + 27, " level=error prog=unit event=bare\n");
}

static int calls;

static int called(void)
{
	return ++calls;
}

static void drops_what_is_above_the_level(void **state)
{
	(void)state;
	LOG(LOG_L_DEBUG, "x", "n=%d", called());
	assert_string_equal(drain(), "");
	assert_int_equal(calls, 0);
	log_level_set(LOG_L_DEBUG);
	LOG(LOG_L_DEBUG, "x", "n=%d", called());
	assert_int_equal(lines(drain()), 1);
	assert_int_equal(calls, 1);
}

static void no_argument_forges_a_line(void **state)
{
	const char *got;

	(void)state;
	LOG(LOG_L_INFO, "x", "raw=%s", "a\nts=2026 level=error event=forged\r\x1b[2J\x7f");
	got = drain();
	assert_int_equal(lines(got), 1);
	for (const char *p = got; p[1]; p++)
		assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
}

static void long_lines_are_cut(void **state)
{
	static char big[5000];
	const char *got;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	LOG(LOG_L_INFO, "x", "v=%s", big);
	got = drain();
	assert_int_equal(strlen(got), 2047);
	assert_int_equal(got[2046], '\n');
}

static void quotes(void **state)
{
	char buf[16];

	(void)state;
#define assert_quoted(in, out) assert_string_equal(log_quote(buf, sizeof(buf), SPAN(in)), out)
	assert_quoted("plain/1", "plain/1");
	assert_quoted("123456789012345", "123456789012345");
	assert_quoted("", "\"\"");
	assert_quoted("a b", "\"a b\"");
	assert_quoted("a=b", "\"a=b\"");
	assert_quoted("\"\\", "\"\\\"\\\\\"");
	assert_quoted("\n\0\xff", "\"\\x0a\\x00\\xff\"");
	assert_quoted("1 3456789012345", "\"1 34567890...\"");
	assert_quoted("1 34567890123", "\"1 34567890123\""); /* just fits */
	assert_quoted("1234567890123456", "\"1234567890...\"");
	assert_quoted("\n\n\n\n\n\n\n\n", "\"\\x0a\\x0a...\"");
#undef assert_quoted
}

static void levels_have_names(void **state)
{
	enum log_level level = LOG_L_ERROR;

	(void)state;
	assert_int_equal(log_level_parse(SPAN("debug"), &level), 0);
	assert_int_equal(level, LOG_L_DEBUG);
	assert_int_equal(log_level_parse(SPAN("loud"), &level), -EINVAL);
	assert_int_equal(level, LOG_L_DEBUG);
	assert_string_equal(log_level_name(LOG_L_NOTICE), "notice");
}

static uint64_t second(void)
{
	return clock_mono_ns() / 1000000000u;
}

/* One site; returns after the call. */
static void burst(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		LOG(LOG_L_INFO, "burst");
}

static void a_site_is_limited_by_the_second(void **state)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	uint64_t began;

	(void)state;
	do { /* a burst that lies within one second; a machine that stalls makes another try */
		uint64_t next = second() + 1;

		while (second() < next)
			(void)nanosleep(&nap, NULL);
		burst(1); /* opens the window and tells what the last try left out */
		(void)drain();
		began = second();
		burst(99);
	} while (second() != began);
	assert_int_equal(lines(drain()), LOG_SITE_PER_S - 1);
	LOG(LOG_L_INFO, "elsewhere"); /* another site is not held back */
	assert_int_equal(lines(drain()), 1);
	while (second() == began)
		(void)nanosleep(&nap, NULL);
	burst(1);
	assert_non_null(strstr(drain(), " event=burst suppressed=90\n"));
}

static void *shout(void *arg)
{
	for (unsigned i = 0; i < 5; i++)
		LOG(LOG_L_INFO, "shout", "who=%s", (const char *)arg);
	return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
	static const char *const names[] = { "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb" };
	pthread_t threads[2];
	struct span rest, line;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, shout, (void *)names[i]), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	rest = span_of(drain());
	assert_true(rest.n > 0);
	while (span_cut(&rest, '\n', &line))
		assert_true(span_starts(line, SPAN("ts=")) && (span_ends(line, span_of(names[0])) ||
							       span_ends(line, span_of(names[1]))));
}

static void as_json(const char *line, const char *want)
{
	char buf[400];

	assert_int_equal(log_json(span_of(line), buf, sizeof(buf)), strlen(want));
	assert_string_equal(buf, want);
}

static void a_line_as_json(void **state)
{
	const char *got;

	(void)state;
	as_json("", "{}");
	as_json("a=1 b=-20 c=007 d=1.5 e= f=x", "{\"a\":1,\"b\":-20,\"c\":\"007\",\"d\":\"1.5\","
						"\"e\":\"\",\"f\":\"x\"}");
	as_json("k=\"a b=c \\\"q\\\" \\\\ \\x0a\\xff\" z=1",
		"{\"k\":\"a b=c \\\"q\\\" \\\\ \\u000a\\u00ff\",\"z\":1}");
	as_json("stray a=\"open", "{\"a\":\"open\"}");
	as_json("big=1234567890123456 raw=\xe3\\",
		"{\"big\":\"1234567890123456\",\"raw\":\"\\u00e3\\\\\"}");
	log_output(LOG_JSON, LOG_STDERR);
	LOG(LOG_L_NOTICE, "flight.start", "key=%s bytes=%d", LOG_QUOTE(SPAN("/a b")), 3);
	log_output(LOG_TEXT, LOG_STDERR);
	got = drain();
	assert_int_equal(lines(got), 1);
	assert_non_null(strstr(got,
			       "\"level\":\"notice\",\"prog\":\"unit\",\"event\":\"flight.start\","
			       "\"key\":\"/a b\",\"bytes\":3}\n"));
}

/* Whatever a line holds, JSON is JSON; with the room that is promised, nothing is left out. */
static void any_bytes_are_json(void **state)
{
	static const char letters[] = "a=\"\\ x0f9-\x01\x7f\xc3";
	char line[200], buf[2 * sizeof(line) + 64];

	(void)state;
	srand(7);
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = (size_t)rand() % sizeof(line);
		size_t room = round % 2 ? sizeof(buf) : (size_t)rand() % 60 + 4;
		size_t made;
		json_t *json;

		for (size_t i = 0; i < n; i++)
			line[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
		made = log_json(span_make(line, n), buf, room);
		assert_int_equal(made, strlen(buf));
		assert_true(made < room);
		json = json_loads(buf, 0, NULL);
		if (!json)
			fail_msg("no JSON: %s", buf);
		json_decref(json);
	}
}

static void to_syslog(void **state)
{
	char dir[] = "/tmp/tarn-log.XXXXXX", got[500] = "", want[80];
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s/log", dir);
	log_syslog_at(at.sun_path);
	log_output(LOG_TEXT, LOG_SYSLOG);
	LOG(LOG_L_WARN, "nobody.there");
	assert_non_null(strstr(drain(), "event=nobody.there\n"));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	LOG(LOG_L_WARN, "now.there", "n=%d", 1); /* connects again by itself */
	assert_string_equal(drain(), "");
	assert_true(recv(fd, got, sizeof(got) - 1, 0) > 0);
	(void)snprintf(want, sizeof(want), "<28>unit[%d]: ts=", (int)getpid());
	assert_memory_equal(got, want, strlen(want));
	assert_non_null(strstr(got, "event=now.there n=1"));
	assert_null(strchr(got, '\n'));
	(void)close(fd);
	(void)unlink(at.sun_path);
	(void)rmdir(dir);
	LOG(LOG_L_WARN, "gone.again");
	assert_non_null(strstr(drain(), "event=gone.again\n"));
	log_output(LOG_TEXT, LOG_STDERR);
}

static unsigned shown;

static void show(enum log_level level, const char *event, const char *words)
{
	(void)level, (void)event, (void)words;
	shown++;
}

/* Else each request of an access log would push an important event out of the ring. */
static void what_was_asked_for_is_shown_to_nobody(void **state)
{
	(void)state;
	shown = 0;
	log_tap_set(show);
	log_event(NULL, LOG_L_NOTICE, "request", " n=%d", 1);
	assert_int_equal(shown, 0);
	LOG(LOG_L_NOTICE, "important");
	log_tap_set(NULL);
	assert_int_equal(shown, 1);
	assert_int_equal(lines(drain()), 2);
}

/* On a thread of its own, as gathering does not end. */
static void *gather(void *unused)
{
	log_gather();
	log_event(NULL, LOG_L_NOTICE, "request", " n=%d", 1);
	log_event(NULL, LOG_L_NOTICE, "request", " n=%d", 2);
	assert_string_equal(drain(), "");
	LOG(LOG_L_NOTICE, "between"); /* in order */
	assert_int_equal(lines(drain()), 3);
	assert_true(strstr(text, "n=2") < strstr(text, "event=between"));
	log_event(NULL, LOG_L_NOTICE, "request", " n=%d", 3);
	log_flush();
	assert_int_equal(lines(drain()), 1);
	log_flush();
	assert_string_equal(drain(), "");
	return unused;
}

static void lines_are_gathered(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, gather, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	log_event(NULL, LOG_L_NOTICE, "request", " n=%d", 4); /* this thread gathers nothing */
	assert_int_equal(lines(drain()), 1);
}

/* What was gathered goes when there is no more room, in pieces of whole lines that a pipe takes whole. */
static void *gather_many(void *unused)
{
	unsigned n = 0, most = 0, pieces = 0;

	log_gather();
	for (unsigned i = 0; i <= 400; i++) {
		const char *got;

		if (i < 400)
			log_event(NULL, LOG_L_NOTICE, "request", " n=%u path=%0100d", i, 0);
		else
			log_flush();
		assert_true(log_gathered() <= LOG_GATHER_MAX);
		for (got = drain(); got[0]; got = drain()) { /* a datagram each */
			assert_true(strlen(got) <= PIPE_BUF);
			assert_true(got[strlen(got) - 1] == '\n');
			n += lines(got);
			most = lines(got) > most ? lines(got) : most;
			pieces++;
		}
	}
	assert_int_equal(n, 400);
	assert_true(most > 10 && pieces > 10);
	assert_int_equal(log_gathered(), 0);
	return unused;
}

static void much_is_gathered(void **state)
{
	pthread_t thread;

	(void)state;
	(void)close(pipe_fd[0]);
	(void)close(pipe_fd[1]);
	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pipe_fd), 0);
	log_fd_set(pipe_fd[1]);
	assert_int_equal(pthread_create(&thread, NULL, gather_many, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(writes_one_line),
		T(drops_what_is_above_the_level),
		T(no_argument_forges_a_line),
		T(long_lines_are_cut),
		T(quotes),
		T(levels_have_names),
		T(a_site_is_limited_by_the_second),
		T(threads_do_not_mix_lines),
		T(a_line_as_json),
		T(any_bytes_are_json),
		T(to_syslog),
		T(what_was_asked_for_is_shown_to_nobody),
		T(lines_are_gathered),
		T(much_is_gathered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
