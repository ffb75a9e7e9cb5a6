/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl upstreams and dns: the way to the vendors as the running proxy sees it.
 */
#include <string.h>

#include "firmware/ctl/ctl.h"

static int upstreams(const struct ctl_options *options, char **args)
{
	static const struct ctl_column columns[] = {
		{ "VENDOR", "vendor", CTL_TEXT },     { "HOST", "host", CTL_TEXT },
		{ "ADDRESS", "address", CTL_TEXT },   { "STATE", "state", CTL_TEXT },
		{ "FAILED", "failures", CTL_NUMBER }, { "RESTS", "rests_s", CTL_SECONDS },
	};
	static const struct ctl_column parents[] = {
		{ "PARENT", "parent", CTL_TEXT },     { "AS", "mode", CTL_TEXT },
		{ "STATE", "state", CTL_TEXT },	      { "ASKED", "requests", CTL_NUMBER },
		{ "FAILED", "failures", CTL_NUMBER }, { "RESTS", "rests_s", CTL_SECONDS },
		{ "BECAUSE", "why", CTL_TEXT },
	};
	json_t *answer = NULL;
	int rc = ctl_ask(options, "GET", "/api/v1/upstreams", NULL, &answer);

	(void)args;
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	if (json_array_size(json_object_get(answer, "parents"))) {
		ctl_print_table(json_object_get(answer, "parents"), parents, ARRAY_LEN(parents),
				"");
		putchar('\n');
	}
	ctl_print_table(
		json_object_get(answer, "upstreams"), columns, ARRAY_LEN(columns),
		"No address of a vendor is known: nothing has been resolved yet (see tarnctl dns)");
	json_decref(answer);
	return rc;
}

/* Why a name has no address, in words. */
static const char *error_words(const char *error)
{
	static const char *const words[][2] = {
		{ "ENOENT", "there is no such name" },
		{ "ENODATA", "it has no address" },
		{ "ETIMEDOUT", "the resolvers did not answer" },
		{ "EHOSTUNREACH", "the resolvers refused or failed" },
		{ "EADDRNOTAVAIL",
		  "a private address, which can't be true ([steer] allow_private_vendor)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(error, words[i][0]) == 0)
			return words[i][1];
	return error;
}

/* A vendor that was not checked is neither reachable nor not. */
static void blank_unchecked(json_t *vendors)
{
	json_t *row;
	size_t i;

	json_array_foreach(vendors, i, row)
	{
		if (json_is_false(json_object_get(row, "checked")))
			CHECK_OK(json_object_set_new(row, "reachable", json_null()));
	}
}

/* Arrays of words become one, for a cell. */
static void join_addresses(json_t *names)
{
	json_t *row, *address;
	size_t i, k;

	json_array_foreach(names, i, row)
	{
		char text[200] = "";
		size_t n = 0;

		json_array_foreach(json_object_get(row, "addresses"), k, address)
		{
			if (n < sizeof(text))
				n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.60s",
						      k ? " " : "", json_string_value(address));
		}
		CHECK_OK(json_object_set_new(
			row, "addresses",
			json_string(text[0] ? text : error_words(ctl_text(row, "error")))));
		if (!ctl_text(row, "server")[0])
			CHECK_OK(json_object_set_new(row, "server", json_string("system")));
	}
}

static void print_servers(const json_t *servers)
{
	char text[400] = "";
	json_t *row;
	size_t i, n = 0;

	json_array_foreach(servers, i, row)
	{
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.60s", i ? ", " : "",
					      ctl_text(row, "address"));
	}
	ctl_line("System's", text[0] ? text : "none known");
}

static int dns(const struct ctl_options *options, char **args)
{
	static const struct ctl_column vendors[] = {
		{ "VENDOR", "vendor", CTL_TEXT },     { "REACHABLE", "reachable", CTL_YES_NO },
		{ "STATE", "state", CTL_TEXT },	      { "DNS", "via", CTL_TEXT },
		{ "RESOLVER", "resolver", CTL_TEXT }, { "SINCE", "since_s", CTL_SECONDS },
	};
	static const struct ctl_column names[] = {
		{ "NAME", "name", CTL_TEXT },		{ "ASKED OF", "server", CTL_TEXT },
		{ "STATE", "state", CTL_TEXT },		{ "FOR", "ttl_s", CTL_SECONDS },
		{ "ADDRESSES", "addresses", CTL_TEXT },
	};
	json_t *answer = NULL;
	int rc = ctl_ask(options, "GET", "/api/v1/dns", NULL, &answer);

	(void)args;
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	print_servers(json_object_get(answer, "servers"));
	putchar('\n');
	blank_unchecked(json_object_get(answer, "vendors"));
	ctl_print_table(json_object_get(answer, "vendors"), vendors, ARRAY_LEN(vendors),
			"There is no vendor's profile");
	putchar('\n');
	join_addresses(json_object_get(answer, "names"));
	ctl_print_table(json_object_get(answer, "names"), names, ARRAY_LEN(names),
			"No name has been resolved yet");
	json_decref(answer);
	return rc;
}

static const struct ctl_command commands[] = {
	{ "upstreams",
	  "",
	  0,
	  0,
	  upstreams,
	  "the vendors' hosts and addresses and the parents, and which of them rest after failures",
	  "An address that failed is tried last until its rest is over; it rests for twice as long "
	  "each time it fails "
	  "again, up to two minutes. FAILED counts its failures in a row. A parent ([parent] "
	  "servers) that rests, is down, leads back here (loop) or has this box for its own parent "
	  "(mutual) is not asked: what it would be asked goes to the next one, or to the vendor.",
	  { NULL } },
	{ "dns",
	  "",
	  0,
	  0,
	  dns,
	  "whose DNS is used for each vendor, and what each name resolved to",
	  "A vendor is looked up through the system's resolvers as long as what they say can be "
	  "connected, else through "
	  "the public ones of its profile ([dns] public = no forbids them). A name that is stale "
	  "is asked again when it "
	  "is needed.",
	  { NULL } },
};
CTL_TABLE(upstreams, commands);
