/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl log: the important events that tarn-proxy keeps; with -f those to come, as they come. And the log's level.
 */
#include <stdlib.h>
#include <string.h>

#include "firmware/ctl/ctl.h"

#define LINE_MAX_BYTES 4096

struct follower {
	bool json;
	char line[LINE_MAX_BYTES];
	size_t n;
};

static void print_event(const json_t *event)
{
	char when[40];

	printf("%s  %-6s  ", ctl_time(ctl_number(event, "at"), when), ctl_text(event, "level"));
	ctl_put_text(ctl_text(event, "what"), stdout);
	fputs("  ", stdout);
	ctl_put_text(ctl_text(event, "text"), stdout);
	putchar('\n');
}

static void take_line(struct follower *follower)
{
	json_t *event = json_loadb(follower->line, follower->n, 0, NULL);

	if (follower->json && event)
		(void)json_dumpf(event, stdout, JSON_COMPACT), putchar('\n');
	else if (event)
		print_event(event);
	json_decref(event);
	follower->n = 0;
}

static int take(void *arg, const char *bytes, size_t n)
{
	struct follower *follower = arg;

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			take_line(follower);
		else if (follower->n < LINE_MAX_BYTES)
			follower->line[follower->n++] = bytes[i];
	}
	return fflush(stdout) == 0 ? 0 : -EPIPE;
}

static int follow(const struct ctl_options *options, json_int_t after)
{
	struct follower follower = { .json = options->json };
	char target[80];

	(void)snprintf(target, sizeof(target), "/api/v1/events/follow?after=%lld",
		       (long long)after);
	return ctl_ask_stream(options, target, take, &follower);
}

static int show(const struct ctl_options *options, char **args)
{
	const char *lines = ctl_option(options, "lines");
	bool follows = ctl_option(options, "follow") != NULL;
	json_t *answer = NULL, *events, *event;
	json_int_t last = 0;
	char *target;
	size_t i;
	int rc;

	(void)args;
	target = ctl_path_query(ctl_path("/api/v1/events", ""), "limit", lines ? lines : "100");
	rc = ctl_ask(options, "GET", target, NULL, &answer);
	free(target);
	if (rc != CTL_WORKING)
		return rc;
	if (options->json && !follows)
		return ctl_print_json(answer);
	events = json_object_get(answer, "events");
	json_array_foreach(events, i, event)
	{
		if (options->json)
			(void)json_dumpf(event, stdout, JSON_COMPACT), putchar('\n');
		else
			print_event(event);
		last = json_integer_value(json_object_get(event, "id"));
	}
	(void)fflush(stdout);
	json_decref(answer);
	return follows ? follow(options, last) : CTL_WORKING;
}

static int level(const struct ctl_options *options, char **args)
{
	json_t *body = args[0] ? json_pack("{s:s}", "level", args[0]) : NULL, *answer = NULL;
	int rc = ctl_ask(options, body ? "PUT" : "GET", "/api/v1/log", body, &answer);

	json_decref(body);
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	ctl_put_text(ctl_text(answer, "level"), stdout);
	putchar('\n');
	json_decref(answer);
	return CTL_WORKING;
}

static const struct ctl_option follow_option = { 'f', "follow", NULL, "go on with those to come" };
static const struct ctl_option lines_option = { 'n', "lines", "N",
						"the last N (100; at most 1000)" };

static const struct ctl_command commands[] = {
	{ "log",
	  "",
	  0,
	  0,
	  show,
	  "the last important events, kept over restarts",
	  "Errors, warnings and notices of tarn-proxy, of which it keeps 10,000. The whole log is "
	  "where its stderr goes.",
	  { &follow_option, &lines_option } },
	{ "log level",
	  "[LEVEL]",
	  0,
	  1,
	  level,
	  "what tarn-proxy logs: show it, or set it until the next reload",
	  "One of error, warn, notice, info, debug.",
	  { NULL } },
};
CTL_TABLE(log, commands);
