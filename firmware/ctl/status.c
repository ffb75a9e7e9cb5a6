/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl status: is it working, and if not, why; in words on one screen, or as JSON.
 *
 * What is wrong and what to do is judge.c's. What is not known is not claimed. Who writes the answers: firmware/keeper,
 * proxy/admin.
 */
#include "firmware/ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/base/span.h"
#include "firmware/ctl/ask.h"
#include "firmware/ctl/judge.h"

#define TLS_HOSTS_SHOWN 3
#define SCOPE_SHOWN	6

static const char *verdict_name(const struct status *s)
{
	switch (s->verdict) {
	case CTL_WORKING:
		return "working";
	case CTL_DEGRADED:
		return "degraded";
	case CTL_NOT_ALLOWED:
		return "unknown";
	default:
		return s->keeper_rc == -ETIMEDOUT ? "not answering" : "not running";
	}
}

/* "eth0 lan, eth1 wan" */
static void print_ports(const struct status *s)
{
	const json_t *ports = json_object_get(s->keeper, "ports");
	char text[400] = "";
	size_t i, n = 0;
	json_t *port;

	json_array_foreach(ports, i, port)
	{
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.20s %.20s",
					      i ? ", " : "", ctl_text(port, "name"),
					      ctl_text(port, "role"));
	}
	ctl_line("Ports", text);
}

static void print_keeper(const struct status *s)
{
	const json_t *proxy = json_object_get(s->keeper, "proxy");
	double restarts = ctl_number(proxy, "restarts"), kills = ctl_number(proxy, "hang_kills");
	double vendors = ctl_number(s->keeper, "vendors");
	const char *mode = ctl_text(s->keeper, "mode");
	char text[300];

	if (!s->keeper) {
		ctl_line("Interception",
			 "none (tarnd is not there; the proxy serves those that ask it)");
		return;
	}
	(void)snprintf(text, sizeof(text), "%s%s%.40s%s", judge_is_armed(s) ? "armed" : "not armed",
		       mode[0] ? ", mode " : "", mode,
		       judge_is_offline(s) ? ", offline: what is stored is served" : "");
	ctl_line("Interception", text);
	print_ports(s);
	if (vendors >= 0) {
		(void)snprintf(text, sizeof(text), "%.0f known to be a vendor's", vendors);
		ctl_line("Addresses", text);
	}
	if (restarts > 0) {
		(void)snprintf(text, sizeof(text),
			       "%.0f, %.0f of them because it hung; last: %.100s", restarts,
			       kills > 0 ? kills : 0, ctl_text(proxy, "last_exit"));
		ctl_line("Restarts", text);
	}
}

static void print_proxy(const struct status *s)
{
	char since[40], count[60];
	double up = ctl_number(s->proxy, "uptime_s"), workers = ctl_number(s->proxy, "workers");
	double open = judge_counter(s, "conn.open"), accepted = judge_counter(s, "conn.accepted");
	double requests = judge_counter(s, "requests");
	char text[300];
	int n;

	n = snprintf(text, sizeof(text), "%.40s", ctl_text(s->proxy, "version"));
	if (up >= 0 && up < 1e15)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%sup %s", n ? ", " : "",
			      ctl_duration(up, since));
	if (workers >= 0)
		(void)snprintf(text + n, sizeof(text) - (size_t)n, "%s%s", n ? ", " : "",
			       ctl_count(workers, "worker", "workers", count));
	ctl_line("tarn-proxy", text);
	if (open >= 0) {
		(void)snprintf(text, sizeof(text), "%.0f open, %.0f accepted, %.0f requests", open,
			       accepted > 0 ? accepted : 0, requests > 0 ? requests : 0);
		ctl_line("Connections", text);
	}
}

/* Who is served and who is not, where the settings tell devices apart. */
static void print_scope(const struct status *s)
{
	static const char *const rows[][2] = {
		{ "intercept", "serves these alone" },
		{ "straight", "straight to the vendor" },
		{ "ahead", "fetches ahead for these alone" },
		{ "not_ahead", "fetches nothing ahead for" },
	};
	const json_t *scope = json_object_get(s->proxy, "scope");
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const json_t *list = json_object_get(scope, rows[i][0]);
		size_t at, all = json_array_size(list);
		char text[600];
		json_t *entry;
		int n;

		if (!all)
			continue;
		n = snprintf(text, sizeof(text), "%s:", rows[i][1]);
		json_array_foreach(list, at, entry)
		{
			if (at < SCOPE_SHOWN)
				n += snprintf(text + n, sizeof(text) - (size_t)n, "%s %.60s",
					      at ? "," : "", json_string_value(entry));
		}
		if (all > SCOPE_SHOWN)
			(void)snprintf(text + n, sizeof(text) - (size_t)n, " and %zu more",
				       all - SCOPE_SHOWN);
		ctl_line(any ? "" : "Scope", text);
		any = true;
	}
}

static void print_saved(const struct status *s)
{
	const json_t *saved = json_object_get(s->proxy, "saved");
	double to = ctl_number(saved, "to_devices"), from = ctl_number(saved, "from_vendor");
	char a[32], b[32], c[32], text[160];

	if (to < 0 || from < 0)
		return;
	/* From the vendor may come more than went out, as what is fetched ahead or for a slow device does. */
	if (to > from)
		(void)snprintf(text, sizeof(text), "%s (%.1f %%)", ctl_bytes(to - from, a),
			       100 * (to - from) / to);
	else
		(void)snprintf(text, sizeof(text), "nothing yet");
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
		       ": %s to devices, %s from vendors", ctl_bytes(to, b), ctl_bytes(from, c));
	ctl_line("Saved", text);
}

/* What HTTPS keeps from the cache, and where most of it comes from. */
static void print_tls(const struct status *s)
{
	const json_t *tls = json_object_get(s->proxy, "tls"),
		     *hosts = json_object_get(tls, "hosts");
	double down = ctl_number(tls, "bytes_down"), connections = ctl_number(tls, "connections");
	double refused = ctl_number(tls, "refused");
	char bytes[32], text[400];
	json_t *row;
	size_t i;

	if (connections <= 0 && refused <= 0)
		return;
	(void)snprintf(text, sizeof(text),
		       "%s from vendors uncached in %.0f connections; %.0f refused",
		       ctl_bytes(down > 0 ? down : 0, bytes), connections > 0 ? connections : 0,
		       refused > 0 ? refused : 0);
	ctl_line("HTTPS", text);
	json_array_foreach(hosts, i, row)
	{
		if (i == TLS_HOSTS_SHOWN)
			break;
		down = ctl_number(row, "bytes_down");
		refused = ctl_number(row, "refused");
		(void)snprintf(text, sizeof(text), "%.253s: %s, %.0f refused, mode %.20s",
			       ctl_text(row, "host"), ctl_bytes(down > 0 ? down : 0, bytes),
			       refused > 0 ? refused : 0,
			       ctl_text(row, "mode")[0] ? ctl_text(row, "mode") : "-");
		ctl_line("", text);
	}
}

static void print_cache(const struct status *s)
{
	const json_t *cache = json_object_get(s->proxy, "cache");
	double bytes = ctl_number(cache, "bytes"), limit = ctl_number(cache, "limit");
	double objects = ctl_number(cache, "objects");
	char a[32], b[32], count[60], text[160];
	int n;

	if (bytes < 0)
		return;
	n = snprintf(text, sizeof(text), "%s", ctl_bytes(bytes, a));
	if (limit > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " of %s (%.1f %%)",
			      ctl_bytes(limit, b), 100 * bytes / limit);
	if (objects >= 0)
		(void)snprintf(text + n, sizeof(text) - (size_t)n, ", %s",
			       ctl_count(objects, "object", "objects", count));
	ctl_line("Cache", text);
}

static const char *reach_word(const json_t *row)
{
	const json_t *reachable = json_object_get(row, "reachable");

	if (!judge_reach_known(row) || !json_is_boolean(reachable))
		return "not known yet";
	return json_is_true(reachable) ? "reachable" : "not reachable";
}

static void print_reach(const struct status *s)
{
	const json_t *reach = json_object_get(s->proxy, "reach");
	json_t *row;
	size_t i;

	json_array_foreach(reach, i, row)
	{
		const char *via = ctl_text(row, "via"), *resolver = ctl_text(row, "resolver");
		char text[300];

		(void)snprintf(text, sizeof(text), "%.60s: %s%s%.60s%s%s%.60s",
			       ctl_text(row, "vendor"), reach_word(row), via[0] ? ", DNS: " : "",
			       via, via[0] ? " resolver" : "", resolver[0] ? " " : "", resolver);
		ctl_line(i ? "" : "Vendors", text);
	}
}

static void print_list(const char *label, const json_t *texts)
{
	json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
	{
		ctl_line(i ? "" : label, json_string_value(text));
	}
}

static void print_words(const struct status *s)
{
	ctl_line("Tarn is", verdict_name(s));
	print_list("Because", s->problems);
	print_list("To do", s->todo);
	print_list("Note", s->notes);
	if (s->keeper || s->proxy)
		print_keeper(s);
	if (!s->proxy)
		return;
	print_proxy(s);
	print_scope(s);
	print_saved(s);
	print_tls(s);
	print_cache(s);
	print_reach(s);
}

static void print_json(const struct status *s)
{
	json_t *document = json_pack("{s:s, s:O, s:O, s:O, s:O?, s:O?}", "state", verdict_name(s),
				     "problems", s->problems, "todo", s->todo, "notes", s->notes,
				     "keeper", s->keeper, "proxy", s->proxy);

	CHECK(document != NULL);
	CHECK_OK(json_dumpf(document, stdout, JSON_INDENT(2)));
	putchar('\n');
	json_decref(document);
}

static int status(const struct ctl_options *options, char **args)
{
	struct status s = { .problems = json_array(), .todo = json_array(), .notes = json_array() };

	(void)args;
	CHECK(s.problems && s.todo && s.notes);
	s.keeper_rc = ask_keeper(options->keeper_socket, &s.keeper);
	s.proxy_rc = ask_proxy(options->proxy_socket, "/api/v1/status", &s.proxy);
	if (s.proxy && ask_proxy(options->proxy_socket, "/api/v1/stat", &s.counters) < 0)
		s.counters = NULL; /* the lines that need them are left out */
	status_judge(&s);
	if (options->json)
		print_json(&s);
	else
		print_words(&s);
	json_decref(s.keeper);
	json_decref(s.proxy);
	json_decref(s.counters);
	json_decref(s.problems);
	json_decref(s.todo);
	json_decref(s.notes);
	return s.verdict;
}

static const struct ctl_command commands[] = {
	{ "status",
	  "",
	  0,
	  0,
	  status,
	  "is it working, why not, and what was saved",
	  "One screen in words: what is wrong (Because), what to do about it (To do), what else is "
	  "worth "
	  "knowing (Note). The exit status alone tells a script: 0 working, 1 degraded, 2 nothing "
	  "runs, 77 not "
	  "allowed to ask. With --json all that both programs say of themselves. Why a device did "
	  "not get "
	  "something from the store: `tarnctl why URL`.",
	  { NULL } },
};
CTL_TABLE(status, commands);
