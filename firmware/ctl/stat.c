/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl stat: every counter of both programs, one a line; with -v its meaning; or as JSON. A
 * program that does not answer is told on stderr; the other's counters are shown all the same.
 */
#include "firmware/ctl/ctl.h"

#include <inttypes.h>
#include <string.h>

#include "bpf/abi.h"
#include "firmware/base/span.h"
#include "firmware/ctl/ask.h"

/* What the BPF programs count, as the keeper names it: the ABI's names in lower case. */
static const char *steer_help(const char *name)
{
	static const struct {
		const char *name, *help;
	} table[] = {
#define X(name, help) { #name, help },
		TARN_STATS(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (span_ieq(span_of(table[i].name), span_of(name)))
			return table[i].help;
	return "";
}

/* The keeper's {"name": value, ...} as rows like the proxy's. */
static json_t *keeper_rows_of(const json_t *keeper)
{
	json_t *counters = json_object_get(keeper, "counters"), *rows = json_array(), *value;
	const char *name;

	CHECK(rows != NULL);
	json_object_foreach(counters, name, value)
	{
		char full[100];

		(void)snprintf(full, sizeof(full), "steer.%.80s", name);
		CHECK_OK(json_array_append_new(rows, json_pack("{s:s, s:s, s:O, s:s}", "name", full,
							       "kind", "counter", "value", value,
							       "help", steer_help(name))));
	}
	return rows;
}

/* The widest name, so that values stand in a column. */
static int width_of(const json_t *counters, int width)
{
	json_t *row;
	size_t i;

	json_array_foreach(counters, i, row)
	{
		int n = (int)strlen(ctl_text(row, "name"));

		if (n > width && n < 60)
			width = n;
	}
	return width;
}

static void print_rows(const json_t *counters, int width, bool verbose)
{
	json_t *row;
	size_t i;

	json_array_foreach(counters, i, row)
	{
		const char *name = ctl_text(row, "name");
		int pad = width - (int)strlen(name);

		ctl_put_text(name, stdout);
		printf("%*s %20" PRId64, pad > 0 ? pad : 0, "",
		       (int64_t)json_integer_value(json_object_get(row, "value")));
		if (verbose) {
			printf("  %-7s  ", ctl_text(row, "kind")[0] == 'g' ? "gauge" : "counter");
			ctl_put_text(ctl_text(row, "help"), stdout);
		}
		putchar('\n');
	}
}

static void print_json(json_t *proxy, json_t *keeper)
{
	json_t *document = json_pack("{s:O?, s:O?}", "proxy", proxy, "keeper", keeper);

	CHECK(document != NULL);
	CHECK_OK(json_dumpf(document, stdout, JSON_INDENT(2)));
	putchar('\n');
	json_decref(document);
}

static int stat_command(const struct ctl_options *options, char **args)
{
	json_t *proxy = NULL, *keeper = NULL;
	json_t *proxy_rows, *keeper_rows;
	int proxy_rc, keeper_rc, width;

	(void)args;
	proxy_rc = ask_proxy(options->proxy_socket, "/api/v1/stat", &proxy);
	keeper_rc = ask_keeper(options->keeper_socket, &keeper);
	proxy_rows = json_object_get(proxy, "counters");
	keeper_rows = keeper_rows_of(keeper);
	if (proxy_rc < 0)
		fprintf(stderr, "tarnctl: tarn-proxy: %s\n", ask_error_text(proxy_rc));
	if (keeper_rc < 0)
		fprintf(stderr, "tarnctl: tarnd: %s\n", ask_error_text(keeper_rc));
	if (options->json) {
		print_json(proxy_rows, keeper_rows);
	} else {
		width = width_of(keeper_rows, width_of(proxy_rows, 0));
		print_rows(proxy_rows, width, options->verbose);
		print_rows(keeper_rows, width, options->verbose);
	}
	json_decref(keeper_rows);
	json_decref(proxy);
	json_decref(keeper);
	if (proxy_rc == 0 || keeper_rc == 0)
		return CTL_WORKING;
	return proxy_rc == -EACCES || keeper_rc == -EACCES ? CTL_NOT_ALLOWED : CTL_NOT_RUNNING;
}

static const struct ctl_command commands[] = {
	{ "stat",
	  "",
	  0,
	  0,
	  stat_command,
	  "every counter; -v: with its meaning",
	  "Counters of tarn-proxy, then those of the BPF programs, each a line with name and "
	  "value. They begin "
	  "with 0 when the program starts.",
	  { NULL } },
};
CTL_TABLE(stat, commands);
