/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl flows: what goes on just now. On a terminal a table that is drawn anew, like top's, until q or ^C; elsewhere
 * once. Speeds come of two looks, by what a row's id has moved between them.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/ctl/ctl.h"

#define INTERVAL_MS 1000
#define FRAME_LINES 5 /* beside the rows: the sum, two heads, two gaps */
#define ROWS_PIPED  1000
#define ROWS_MIN    2

/* ---- rows for people ------------------------------------------------------------------------------ */

static void set(json_t *row, const char *name, json_t *value)
{
	CHECK_OK(json_object_set_new(row, name, value));
}

/* host/path, or what is known of it. */
static void set_what(json_t *row)
{
	const char *host = ctl_text(row, "host"), *path = ctl_text(row, "path");

	set(row, "what", json_sprintf("%s%s", host[0] ? host : path[0] ? "" : "-", path));
}

static void set_done(json_t *row)
{
	double length = ctl_number(row, "length"), bytes = ctl_number(row, "bytes");
	double part = length > 0 ? bytes * 100 / length : 0;

	set(row, "age_s", json_real(ctl_number(row, "age_ms") / 1000));
	set(row, "done",
	    length > 0 ? json_sprintf("%.0f %%", part > 100 ? 100 : part) : json_null());
	if (ctl_number(row, "status") == 0)
		set(row, "status", json_null());
}

static double moved(const json_t *row)
{
	double up = ctl_number(row, "bytes_up");

	return ctl_number(row, "bytes") + (up > 0 ? up : 0);
}

/* Bytes a second since the look before; over its whole life for a row that is new. */
static void set_rate(json_t *row, const json_t *before, double ms)
{
	const json_t *then = json_object_get(before, ctl_text(row, "id"));
	double age = ctl_number(row, "age_ms"), n = moved(row);

	if (then) {
		n -= json_number_value(then);
		age = ms;
	}
	set(row, "rate", age >= 1 && n >= 0 ? json_real(n * 1000 / age) : json_null());
	set(row, "speed",
	    age >= 1 && n >= 0 ? json_integer((json_int_t)(n * 1000 / age)) : json_null());
}

static void prepare(json_t *rows, const json_t *before, double ms)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		set_what(row);
		set_done(row);
		set_rate(row, before, ms);
	}
}

static int faster(const void *a, const void *b)
{
	json_t *const *x = (json_t *const *)a, *const *y = (json_t *const *)b;
	double d = ctl_number(*y, "rate") - ctl_number(*x, "rate");

	return d > 0 ? 1 : d < 0 ? -1 : 0;
}

/* The fastest first, `limit` of them. */
static json_t *fastest(json_t *rows, size_t limit)
{
	size_t n = json_array_size(rows), i;
	json_t **sorted = calloc(n + 1, sizeof(*sorted)), *row, *made = json_array();

	CHECK(sorted && made);
	json_array_foreach(rows, i, row) sorted[i] = row;
	qsort(sorted, n, sizeof(*sorted), faster);
	for (i = 0; i < n && i < limit; i++)
		CHECK_OK(json_array_append(made, sorted[i]));
	free(sorted);
	return made;
}

/* What to compare the next look with: bytes by id. */
static json_t *remember(const json_t *answer)
{
	static const char *const lists[] = { "flows", "fetches" };
	json_t *made = json_object(), *row;
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
		json_array_foreach(json_object_get(answer, lists[k]), i, row) CHECK_OK(
			json_object_set_new(made, ctl_text(row, "id"), json_real(moved(row))));
	}
	return made;
}

/* ---- a look --------------------------------------------------------------------------------------- */

static void print_sum(const json_t *answer)
{
	const json_t *flows = json_object_get(answer, "flows");
	const json_t *fetches = json_object_get(answer, "fetches");
	double out = 0, in = 0;
	char a[32], b[32], n[3][60];
	json_t *row;
	size_t i;

	json_array_foreach(flows, i, row) out +=
		ctl_number(row, "rate") > 0 ? ctl_number(row, "rate") : 0;
	json_array_foreach(fetches, i, row) in +=
		ctl_number(row, "rate") > 0 ? ctl_number(row, "rate") : 0;
	printf("%s, %s/s; %s, %s/s; %s of devices, %.0f of them idle%s\n",
	       ctl_count((double)json_array_size(flows), "flow", "flows", n[0]), ctl_bytes(out, a),
	       ctl_count((double)json_array_size(fetches), "fetch", "fetches", n[1]),
	       ctl_bytes(in, b),
	       ctl_count(ctl_number(answer, "connections"), "HTTP connection", "HTTP connections",
			 n[2]),
	       ctl_number(answer, "idle"),
	       json_is_true(json_object_get(answer, "more")) ? "; there are more" : "");
}

static void print_rows(const json_t *answer, size_t limit)
{
	static const struct ctl_column flows[] = {
		{ "DEVICE", "device", CTL_TEXT },   { "AGE", "age_s", CTL_SECONDS },
		{ "B/S", "speed", CTL_BYTES },	    { "BYTES", "bytes", CTL_BYTES },
		{ "DONE", "done", CTL_TEXT },	    { "STATUS", "status", CTL_NUMBER },
		{ "OUTCOME", "outcome", CTL_TEXT }, { "STATE", "state", CTL_TEXT },
		{ "VENDOR", "vendor", CTL_TEXT },   { "WHAT", "what", CTL_TEXT },
	};
	static const struct ctl_column fetches[] = {
		{ "FROM", "address", CTL_TEXT }, { "AGE", "age_s", CTL_SECONDS },
		{ "B/S", "speed", CTL_BYTES },	 { "BYTES", "bytes", CTL_BYTES },
		{ "DONE", "done", CTL_TEXT },	 { "STATUS", "status", CTL_NUMBER },
		{ "STATE", "state", CTL_TEXT },	 { "VENDOR", "vendor", CTL_TEXT },
		{ "WHAT", "what", CTL_TEXT },
	};
	size_t asked = json_array_size(json_object_get(answer, "fetches"));
	size_t half = asked < limit / 3 ? asked : limit / 3;
	json_t *some;

	if (half < 1)
		half = 1;
	print_sum(answer);
	putchar('\n');
	some = fastest(json_object_get(answer, "flows"), limit - half);
	ctl_print_table(some, flows, ARRAY_LEN(flows), "No device is being served just now");
	json_decref(some);
	putchar('\n');
	some = fastest(json_object_get(answer, "fetches"), half);
	ctl_print_table(some, fetches, ARRAY_LEN(fetches), "Nothing is being fetched just now");
	json_decref(some);
}

struct looks {
	json_t *before; /* remember(); NULL at first */
	uint64_t at_ms;
};

static int look(const struct ctl_options *options, struct looks *looks, json_t **ret_answer)
{
	char target[64];
	json_t *answer;
	uint64_t now;
	int rc;

	(void)snprintf(target, sizeof(target), "/api/v1/flows?limit=%d", ROWS_PIPED);
	rc = ctl_ask(options, "GET", target, NULL, &answer);
	if (rc != CTL_WORKING)
		return rc;
	now = clock_read().mono_ms;
	*ret_answer = answer;
	if (options->json)
		return rc;
	json_t *next = remember(answer);

	prepare(json_object_get(answer, "flows"), looks->before, (double)(now - looks->at_ms));
	prepare(json_object_get(answer, "fetches"), looks->before, (double)(now - looks->at_ms));
	json_decref(looks->before);
	looks->before = next;
	looks->at_ms = now;
	return rc;
}

/* ---- like top ------------------------------------------------------------------------------------- */

struct screen {
	struct termios before;
	bool keys; /* they are read one by one, and the terminal is to be set back */
};

static void screen_begin(struct screen *screen)
{
	struct termios raw;

	screen->keys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->keys) {
		raw = screen->before;
		/* ^C stays a signal's; it ends us as q does, for it is read as a key. */
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?25l\033[?7l", stdout); /* no cursor; long lines are cut */
}

static void screen_end(const struct screen *screen)
{
	if (screen->keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
	fputs("\033[?7h\033[?25h", stdout);
	(void)fflush(stdout);
}

static size_t screen_rows(void)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < FRAME_LINES + ROWS_MIN + 1)
		return size.ws_row ? ROWS_MIN : 24 - FRAME_LINES - 1;
	return (size_t)(size.ws_row - FRAME_LINES - 1);
}

/* Waits; true: q, ^C, ^D or the terminal's end was read. */
static bool is_over(const struct screen *screen)
{
	struct pollfd fd = { .fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN };
	uint64_t now = clock_read().mono_ms, due = now + INTERVAL_MS;
	char key;

	for (; now < due; now = clock_read().mono_ms) {
		if (poll(&fd, 1, (int)(due - now)) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1 || strchr("qQ\003\004", key))
			return true;
	}
	return false;
}

/* Drawn in memory first, so that it neither flickers nor stands half. */
static void draw(const json_t *answer)
{
	fputs("\033[H\033[2J", stdout);
	print_rows(answer, screen_rows());
	(void)fflush(stdout);
}

static int watch(const struct ctl_options *options, struct looks *looks)
{
	static char buffer[1 << 18];
	struct screen screen;
	json_t *answer = NULL;
	int rc;

	(void)setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	screen_begin(&screen);
	do {
		rc = look(options, looks, &answer);
		if (rc != CTL_WORKING)
			break;
		draw(answer);
		json_decref(answer);
	} while (!is_over(&screen));
	screen_end(&screen);
	return rc;
}

static int flows(const struct ctl_options *options, char **args)
{
	struct looks looks = { 0 };
	json_t *answer = NULL;
	int rc;

	(void)args;
	if (!options->json && !ctl_option(options, "once") && isatty(STDOUT_FILENO) == 1) {
		rc = watch(options, &looks);
		json_decref(looks.before);
		return rc;
	}
	rc = look(options, &looks, &answer);
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	print_rows(answer, 2 * ROWS_PIPED);
	json_decref(answer);
	json_decref(looks.before);
	return rc;
}

static const struct ctl_option once = { '1', "once", NULL, "on a terminal, too: print it and end" };

static const struct ctl_command commands[] = {
	{ "flows",
	  "",
	  0,
	  0,
	  flows,
	  "what goes on just now: requests, connections carried through, fetches",
	  "On a terminal it is drawn anew each second, the fastest first, until q is pressed. B/S "
	  "is the "
	  "speed since the look before, or on average for a flow that is new. A splice is a "
	  "connection that is "
	  "carried through whole; its OUTCOME says why.",
	  { &once } },
};
CTL_TABLE(flows, commands);
