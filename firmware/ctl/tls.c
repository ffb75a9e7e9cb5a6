/* SPDX-License-Identifier: Apache-2.0 */
/* tarnctl tls distrust: which devices do not take the box's certificate. */
#include <stdlib.h>
#include <string.h>

#include "firmware/ctl/ctl.h"

static const struct ctl_option option_reset = { 0, "reset", NULL,
						"forgets them: they are tried again" };
static const struct ctl_option option_host = { 0, "host", "HOST", "of this host alone" };

static int reset(const struct ctl_options *options, const char *device)
{
	char *path = strdup("/api/v1/tls/distrust");
	json_t *answer;
	int status;

	path = ctl_path_query(path, "device", device);
	path = ctl_path_query(path, "host", ctl_option(options, "host"));
	status = ctl_ask(options, "DELETE", path, NULL, &answer);
	free(path);
	if (status == CTL_WORKING)
		json_decref(answer);
	return status;
}

/* Of one device, or one host. */
static json_t *chosen(const json_t *answer, const char *device, const char *host)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "entries"), i, row)
	{
		if ((!device || !strcmp(device, ctl_text(row, "device"))) &&
		    (!host || !strcmp(host, ctl_text(row, "host"))))
			CHECK_OK(json_array_append(rows, row));
	}
	return rows;
}

static int tls_distrust(const struct ctl_options *options, char **args)
{
	static const struct ctl_column columns[] = {
		{ "device", "device", CTL_TEXT },  { "host", "host", CTL_TEXT },
		{ "reason", "reason", CTL_TEXT },  { "since", "since", CTL_MS_TIME },
		{ "until", "until", CTL_MS_TIME },
	};
	json_t *answer, *rows;
	int status;

	if (ctl_option(options, "reset"))
		return reset(options, args[0]);
	status = ctl_ask(options, "GET", "/api/v1/tls/distrust", NULL, &answer);
	if (status != CTL_WORKING)
		return status;
	rows = chosen(answer, args[0], ctl_option(options, "host"));
	json_decref(answer);
	if (options->json)
		return ctl_print_json(rows);
	ctl_print_table(rows, columns, ARRAY_LEN(columns),
			"no device is known not to trust the box's certificate");
	json_decref(rows);
	return CTL_WORKING;
}

static const struct ctl_command commands[] = {
	{ "tls distrust",
	  "[DEVICE]",
	  0,
	  1,
	  tls_distrust,
	  "which devices do not trust the box's certificate, and for which hosts",
	  "Their TLS is carried through to the vendor. With --reset they are tried once more.",
	  { &option_reset, &option_host } },
};
CTL_TABLE(tls, commands);
