/* SPDX-License-Identifier: Apache-2.0 */
/* tarnctl sync and tarnctl devices: fetching ahead, and who has what. */
#include <stdio.h>
#include <string.h>

#include "firmware/ctl/ctl.h"

#define BAR 24

static void print_bar(const json_t *row)
{
	double total = ctl_number(row, "total_bytes"), done = ctl_number(row, "done_bytes");
	int full = total > 0 ? (int)(done / total * BAR) : 0;
	char bytes[32], rate[32], left[40];

	printf("  [");
	for (int i = 0; i < BAR; i++)
		putchar(i < full ? '#' : '.');
	printf("] %.0f of %.0f, %s, %s/s", ctl_number(row, "done"), ctl_number(row, "total"),
	       ctl_bytes(done, bytes), ctl_bytes(ctl_number(row, "rate"), rate));
	if (ctl_number(row, "left_s") >= 0)
		printf(", %s left", ctl_duration(ctl_number(row, "left_s"), left));
	printf(" (%s)\n", ctl_text(row, "stage"));
}

static void print_profile(const json_t *row)
{
	char published[40], next[40];

	printf("%-16s %-8s published %s, next run %s", ctl_text(row, "profile"),
	       ctl_text(row, "state"), ctl_time(ctl_number(row, "published_at"), published),
	       ctl_time(ctl_number(row, "next_at"), next));
	if (json_is_true(json_object_get(row, "held")))
		printf(", a new index is held back");
	putchar('\n');
	if (*ctl_text(row, "stage"))
		print_bar(row);
	if (*ctl_text(row, "why")) {
		printf("  ");
		ctl_put_text(ctl_text(row, "why"), stdout);
		putchar('\n');
	}
}

static void print_run(const json_t *row)
{
	char at[40], bytes[32];

	printf("%s  %-12s %-9s %5.0f objects %10s %7.1f s  ", ctl_time(ctl_number(row, "at"), at),
	       ctl_text(row, "profile"), ctl_text(row, "result"), ctl_number(row, "objects"),
	       ctl_bytes(ctl_number(row, "bytes"), bytes), ctl_number(row, "took_s"));
	ctl_put_text(ctl_text(row, "why"), stdout);
	if (*ctl_text(row, "trouble"))
		printf(": ");
	ctl_put_text(ctl_text(row, "trouble"), stdout);
	putchar('\n');
}

static int print_sync(const struct ctl_options *options)
{
	json_t *answer, *row;
	size_t i;
	int rc = ctl_ask(options, "GET", "/api/v1/sync", NULL, &answer);

	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	json_array_foreach(json_object_get(answer, "profiles"), i, row) print_profile(row);
	json_array_foreach(json_object_get(answer, "history"), i, row) print_run(row);
	if (!json_array_size(json_object_get(answer, "profiles")))
		puts("Nothing is fetched ahead: no vendor's profile says [sync] ahead = yes");
	json_decref(answer);
	return CTL_WORKING;
}

/* As it went out, line by line. */
static int print_sent(const struct ctl_options *options)
{
	json_t *answer, *row;
	size_t i;
	int rc = ctl_ask(options, "GET", "/api/v1/sync/sent", NULL, &answer);

	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	json_array_foreach(json_object_get(answer, "sent"), i, row)
	{
		for (const char *p = ctl_text(row, "head"); *p; p++)
			if (*p == '\n' || ((unsigned char)*p >= ' ' && *p != 0x7f))
				putchar(*p);
	}
	json_decref(answer);
	return CTL_WORKING;
}

static int sync_command(const struct ctl_options *options, char **args)
{
	static const char *const actions[] = { "now", "pause", "resume", "cancel" };
	json_t *body, *answer;
	int rc;

	if (ctl_option(options, "show-sent"))
		return print_sent(options);
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (!ctl_option(options, actions[i]))
			continue;
		body = json_pack("{s:s, s:s*}", "action", actions[i], "profile", args[0]);
		rc = ctl_ask(options, "POST", "/api/v1/sync", body, &answer);
		json_decref(body);
		if (rc != CTL_WORKING)
			return rc;
		json_decref(answer);
	}
	return print_sync(options);
}

/* What of a row is said in words of more than one member: its network card, and why it is as it is. */
static void device_say(json_t *row)
{
	const char *reason = ctl_text(row, "reason"), *scope = "";
	char card[64] = "", why[256];

	if (*ctl_text(row, "mac"))
		(void)snprintf(card, sizeof(card), "%s", ctl_text(row, "mac"));
	if (ctl_number(row, "vlan") > 0)
		(void)snprintf(card + strlen(card), sizeof(card) - strlen(card), " vlan:%.0f",
			       ctl_number(row, "vlan"));
	if (json_is_true(json_object_get(row, "straight")))
		scope = *reason ? "" : "goes straight";
	else if (json_is_false(json_object_get(row, "ahead")))
		scope = "nothing is fetched ahead for it";
	(void)snprintf(why, sizeof(why), "%s%s%s", reason, *reason && *scope ? "; " : "", scope);
	(void)json_object_set_new(row, "card", json_string(card));
	(void)json_object_set_new(row, "why", json_string(why));
}

static int devices_command(const struct ctl_options *options, char **args)
{
	static const struct ctl_column columns[] = {
		{ "DEVICE", "device", CTL_TEXT },	  { "NAME", "name", CTL_TEXT },
		{ "VENDOR", "profile", CTL_TEXT },	  { "STATE", "state", CTL_TEXT },
		{ "UPDATED", "updated_at", CTL_MS_TIME }, { "RECEIVED", "bytes", CTL_BYTES },
		{ "ASKED", "requests", CTL_NUMBER },	  { "HIT", "hits", CTL_NUMBER },
		{ "FAILED", "errors", CTL_NUMBER },	  { "CARD", "card", CTL_TEXT },
		{ "BECAUSE", "why", CTL_TEXT },
	};
	json_t *answer, *rows, *row;
	size_t i;
	int rc = ctl_ask(options, "GET", "/api/v1/devices", NULL, &answer);

	(void)args;
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	rows = json_object_get(answer, "devices");
	json_array_foreach(rows, i, row) device_say(row);
	ctl_print_table(rows, columns, ARRAY_LEN(columns), "No device has asked for an update yet");
	json_decref(answer);
	return CTL_WORKING;
}

static const struct ctl_option now = { 0, "now", NULL, "begin a run" },
			       pause_it = { 0, "pause", NULL, "begin no more fetches" },
			       resume = { 0, "resume", NULL, "go on" },
			       cancel = { 0, "cancel", NULL, "give the run up" },
			       sent = { 0, "show-sent", NULL,
					"the requests of the last run, exactly as they went out" };

static const struct ctl_command commands[] = {
	{ "sync",
	  "[VENDOR]",
	  0,
	  1,
	  sync_command,
	  "fetching ahead: state, progress, past runs; or begin, pause, cancel one",
	  "Without an option it shows. VENDOR is a profile's name; without one all are meant.",
	  { &now, &pause_it, &resume, &cancel, &sent } },
	{ "devices",
	  "",
	  0,
	  0,
	  devices_command,
	  "each device: its last update, the generation that it has, hits and errors",
	  NULL,
	  { NULL } },
};

CTL_TABLE(sync, commands);
