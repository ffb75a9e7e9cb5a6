/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl cache ls, show, rm, verify and stat: what is stored. Lists come in pages, so that neither side holds a million
 * objects at once; what runs meanwhile is served meanwhile.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "firmware/ctl/ctl.h"

#define PAGE	1000
#define LOOK_MS 250

/* ---- ls --------------------------------------------------------------------------------------- */

static char *list_path(const struct ctl_options *options, const char *pattern, double after)
{
	char number[32];
	char *path = strdup("/api/v1/objects");

	(void)snprintf(number, sizeof(number), "%d", PAGE);
	path = ctl_path_query(path, "limit", number);
	path = ctl_path_query(path, "match", pattern);
	path = ctl_path_query(path, "profile", ctl_option(options, "vendor"));
	path = ctl_path_query(path, "state", ctl_option(options, "state"));
	path = ctl_path_query(path, "order", ctl_option(options, "oldest") ? "oldest" : NULL);
	(void)snprintf(number, sizeof(number), "%.0f", after);
	return ctl_path_query(path, "after", after > 0 ? number : NULL);
}

static void print_name(const json_t *row)
{
	ctl_put_text(ctl_text(row, "group"), stdout);
	ctl_put_text(ctl_text(row, "host"), stdout);
	ctl_put_text(ctl_text(row, "path"), stdout);
}

static void print_object(const json_t *row)
{
	char bytes[32], at[40];
	double size = ctl_number(row, "size");

	printf("%10.0f  %10s  %s  %-5s  %-6s  ", ctl_number(row, "id"),
	       size < 0 ? "-" : ctl_bytes(size, bytes), ctl_time(ctl_number(row, "stored_at"), at),
	       ctl_text(row, "state"), ctl_text(row, "class"));
	print_name(row);
	if (!json_is_true(json_object_get(row, "complete")))
		printf(" (in part)");
	if (*ctl_text(row, "role"))
		printf(" (%s)", ctl_text(row, "role"));
	putchar('\n');
}

static void print_head(void)
{
	printf("%10s  %10s  %-19s  %-5s  %-6s  %s\n", "ID", "SIZE", "STORED", "STATE", "CLASS",
	       "WHAT");
}

/* As JSON it is one document a line: that of a million objects needs no memory here either. */
static void print_rows(const struct ctl_options *options, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (!options->json) {
			print_object(row);
			continue;
		}
		CHECK_OK(json_dumpf(row, stdout, JSON_COMPACT));
		putchar('\n');
	}
}

static int ls_command(const struct ctl_options *options, char **args)
{
	double after = 0, n = 0, size = 0;
	bool more = true;
	char bytes[32], count[60];

	while (more) {
		char *path = list_path(options, args[0], after);
		const json_t *rows, *row;
		json_t *answer;
		size_t i;
		int rc = ctl_ask(options, "GET", path, NULL, &answer);

		free(path);
		if (rc != CTL_WORKING)
			return rc;
		rows = json_object_get(answer, "objects");
		if (!options->json && n < 0.5 && json_array_size(rows))
			print_head();
		print_rows(options, rows);
		json_array_foreach(rows, i, row)
		{
			n++;
			size += ctl_number(row, "size") > 0 ? ctl_number(row, "size") : 0;
		}
		after = ctl_number(answer, "next");
		more = json_is_true(json_object_get(answer, "more")) && after > 0;
		json_decref(answer);
	}
	if (!options->json)
		printf("%s, %s\n", ctl_count(n, "object", "objects", count),
		       ctl_bytes(size, bytes));
	return CTL_WORKING;
}

/* ---- show ------------------------------------------------------------------------------------- */

static void line_number(const json_t *object, const char *label, const char *name, bool is_bytes)
{
	double value = ctl_number(object, name);
	char text[40];

	if (is_bytes)
		(void)ctl_bytes(value, text);
	else
		(void)snprintf(text, sizeof(text), "%.0f", value);
	ctl_line(label, value < 0 ? "-" : text);
}

static void line_time(const json_t *object, const char *label, const char *name)
{
	char text[40];

	ctl_line(label, ctl_time(ctl_number(object, name), text));
}

static void print_all(const json_t *o)
{
	const json_t *field;
	char left[40], text[80];
	double ttl = ctl_number(o, "left_s");
	size_t i;

	print_name(o);
	putchar('\n');
	ctl_line("vendor", ctl_text(o, "profile"));
	ctl_line("class", ctl_text(o, "class"));
	line_number(o, "status", "status", false);
	line_number(o, "size", "size", true);
	line_number(o, "stored", "stored_bytes", true);
	line_number(o, "chunks", "chunks", false);
	line_number(o, "generation", "generation", false);
	line_time(o, "received", "stored_at");
	line_time(o, "modified", "last_modified");
	(void)snprintf(text, sizeof(text), "%s%s%s", ctl_text(o, "state"), ttl > 0 ? ", for " : "",
		       ttl > 0 ? ctl_duration(ttl, left) : "");
	ctl_line("state", text);
	ctl_line("sha256", ctl_text(o, "sha256"));
	ctl_line("variant", ctl_text(o, "variant"));
	json_array_foreach(json_object_get(o, "fields"), i, field)
	{
		printf("  ");
		ctl_put_text(json_string_value(field), stdout);
		putchar('\n');
	}
}

static int show_command(const struct ctl_options *options, char **args)
{
	char *path = ctl_path("/api/v1/objects/", args[0]);
	json_t *answer;
	int rc = ctl_ask(options, "GET", path, NULL, &answer);

	free(path);
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	print_all(answer);
	json_decref(answer);
	return CTL_WORKING;
}

/* ---- rm --------------------------------------------------------------------------------------- */

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static int rm_command(const struct ctl_options *options, char **args)
{
	bool one = is_number(args[0]);
	char *path = one ? ctl_path("/api/v1/objects/", args[0])
			 : ctl_path_query(strdup("/api/v1/objects"), "match", args[0]);
	char bytes[32];
	json_t *answer;
	int rc;

	if (!one)
		path = ctl_path_query(path, "profile", ctl_option(options, "vendor"));
	rc = ctl_ask(options, "DELETE", path, NULL, &answer);
	free(path);
	if (rc != CTL_WORKING)
		return rc;
	if (one) {
		json_decref(answer);
		answer = json_pack("{s:i, s:i}", "removed", 1, "failed", 0);
	}
	if (options->json)
		return ctl_print_json(answer);
	printf("%.0f removed", ctl_number(answer, "removed"));
	if (ctl_number(answer, "bytes") >= 0)
		printf(", %s", ctl_bytes(ctl_number(answer, "bytes"), bytes));
	if (ctl_number(answer, "failed") > 0)
		printf(", %.0f could not be", ctl_number(answer, "failed"));
	putchar('\n');
	rc = ctl_number(answer, "failed") > 0 ? CTL_REFUSED : CTL_WORKING;
	json_decref(answer);
	return rc;
}

/* ---- verify ----------------------------------------------------------------------------------- */

/* The pass that was asked for: its last state, when it is over. */
static int verify_wait(const struct ctl_options *options, bool all, json_t **ret_pass)
{
	struct ctl_progress progress;
	bool running = true;
	int rc = CTL_WORKING;

	ctl_progress_begin(&progress, "verifying");
	while (running) {
		const json_t *scrub, *now;
		json_t *answer;

		rc = ctl_ask(options, "GET", "/api/v1/cache", NULL, &answer);
		if (rc != CTL_WORKING)
			break;
		scrub = json_object_get(answer, "scrub");
		now = json_object_get(scrub, "now");
		running = json_is_true(json_object_get(scrub, "running")) ||
			  json_is_true(json_object_get(scrub, "waiting"));
		if (running) {
			ctl_progress_show(&progress, ctl_number(now, "bytes"),
					  all ? ctl_number(scrub, "total_bytes") : 0);
			(void)nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000 }, NULL);
		} else {
			*ret_pass = json_incref(json_object_get(scrub, "last"));
		}
		json_decref(answer);
	}
	ctl_progress_end(&progress);
	return rc;
}

static int verify_command(const struct ctl_options *options, char **args)
{
	const char *rate = ctl_option(options, "rate");
	json_t *body = json_pack("{s:s*, s:I}", "match", args[0], "rate",
				 (json_int_t)(rate ? strtoll(rate, NULL, 10) * (1 << 20) : 0));
	json_t *answer, *pass = NULL;
	char bytes[32];
	double bad;
	int rc = ctl_ask(options, "POST", "/api/v1/cache/verify", body, &answer);

	json_decref(body);
	if (rc != CTL_WORKING)
		return rc;
	json_decref(answer);
	rc = verify_wait(options, !args[0], &pass);
	if (rc != CTL_WORKING)
		return rc;
	bad = ctl_number(pass, "bad");
	if (options->json) {
		(void)ctl_print_json(pass);
	} else {
		printf("%.0f objects, %s read: ", ctl_number(pass, "objects"),
		       ctl_bytes(ctl_number(pass, "bytes"), bytes));
		if (bad > 0)
			printf("%.0f damaged and dropped; they are fetched again when somebody "
			       "asks\n",
			       bad);
		else
			printf("all is as it was stored%s%s\n",
			       *ctl_text(pass, "error") ? ", but it ended early: " : "",
			       ctl_text(pass, "error"));
		json_decref(pass);
	}
	return bad > 0 ? CTL_DEGRADED : CTL_WORKING;
}

/* ---- stat ------------------------------------------------------------------------------------- */

static void print_scrub(const json_t *scrub)
{
	const json_t *now = json_object_get(scrub, "now"), *last = json_object_get(scrub, "last");
	double total = ctl_number(scrub, "total_bytes"), done = ctl_number(now, "bytes");
	char a[40], b[32], text[200];

	if (json_is_object(now)) {
		(void)snprintf(text, sizeof(text), "%s of %s (%.0f %%), %.0f damaged",
			       ctl_bytes(done, a), ctl_bytes(total, b),
			       total > 0 ? 100 * done / total : 0, ctl_number(now, "bad"));
		ctl_line("verifying", text);
	}
	if (json_is_object(last)) {
		(void)snprintf(
			text, sizeof(text), "%s: %.0f objects, %s, %.0f damaged%s%s",
			ctl_time(ctl_number(last, "ended_at"), a), ctl_number(last, "objects"),
			ctl_bytes(ctl_number(last, "bytes"), b), ctl_number(last, "bad"),
			*ctl_text(last, "error") ? ", ended early: " : "", ctl_text(last, "error"));
		ctl_line("verified", text);
	}
}

static void print_stat(const json_t *s)
{
	char a[32], b[32], text[120];
	double limit = ctl_number(s, "limit"), file = ctl_number(s, "file_bytes");

	ctl_line("state", ctl_text(s, "state"));
	ctl_line("last error", ctl_text(s, "last_error"));
	(void)snprintf(text, sizeof(text), "%s of %s (%.0f %%)", ctl_bytes(file, a),
		       ctl_bytes(limit, b), limit > 0 ? 100 * file / limit : 0);
	ctl_line("file", text);
	line_number(s, "stored", "bytes", true);
	line_number(s, "objects", "objects", false);
	line_number(s, "waiting", "queue_bytes", true);
	(void)snprintf(text, sizeof(text), "%.0f, worst %.0f ms, %.0f failed",
		       ctl_number(s, "commits"), ctl_number(s, "commit_worst_ms"),
		       ctl_number(s, "commit_errors"));
	ctl_line("commits", text);
	(void)snprintf(text, sizeof(text), "%.0f, %s", ctl_number(s, "evicted"),
		       ctl_bytes(ctl_number(s, "evicted_bytes"), a));
	ctl_line("evicted", text);
	(void)snprintf(text, sizeof(text), "%.0f chunks, %.0f records, %.0f files set aside",
		       ctl_number(s, "bad_chunks"), ctl_number(s, "bad_records"),
		       ctl_number(s, "set_aside"));
	ctl_line("damaged", text);
	print_scrub(json_object_get(s, "scrub"));
}

static int stat_command(const struct ctl_options *options, char **args)
{
	json_t *answer;
	int rc = ctl_ask(options, "GET", "/api/v1/cache", NULL, &answer);

	(void)args;
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	print_stat(answer);
	json_decref(answer);
	return CTL_WORKING;
}

/* ---- the table -------------------------------------------------------------------------------- */

#define PATTERN                                                                                    \
	"PATTERN is compared with GROUP/PATH or HOST/PATH; * stands for anything, / too. "         \
	"Without any of * ? [ it is looked for anywhere in it."

static const struct ctl_option vendor = { 0, "vendor", "NAME", "of this vendor's profile alone" },
			       state = { 0, "state", "STATE", "fresh or stale alone" },
			       oldest = { 0, "oldest", NULL, "the oldest first, not the newest" },
			       rate = { 0, "rate", "MIB",
					"MiB a second; without it as fast as the disk is" };

static const struct ctl_command commands[] = {
	{ "cache ls",
	  "[PATTERN]",
	  0,
	  1,
	  ls_command,
	  "what is stored: id, size, when, fresh or stale, name",
	  PATTERN " As JSON each object is a line.",
	  { &vendor, &state, &oldest } },
	{ "objects",
	  "[PATTERN]",
	  0,
	  1,
	  ls_command,
	  "what is stored; the same as cache ls",
	  PATTERN " As JSON each object is a line.",
	  { &vendor, &state, &oldest } },
	{ "cache show", "ID", 1, 1, show_command, "all about one object", NULL, { NULL } },
	{ "cache rm",
	  "ID|PATTERN",
	  1,
	  1,
	  rm_command,
	  "remove what is stored; devices in the middle of it get the rest",
	  PATTERN " '*' removes all.",
	  { &vendor } },
	{ "cache verify",
	  "[PATTERN]",
	  0,
	  1,
	  verify_command,
	  "read again what is stored and compare it with its checksums; what is damaged is dropped",
	  PATTERN " Exit status 1: something was damaged.",
	  { &rate } },
	{ "cache stat",
	  "",
	  0,
	  0,
	  stat_command,
	  "the store: its file and limit, commits, evictions, damage, the progress of verifying",
	  NULL,
	  { NULL } },
};

CTL_TABLE(cache, commands);
