/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl config: checking tarn.conf and all vendor profiles as the programs read them; the
 * settings' help.
 */
#include "firmware/ctl/ctl.h"

#include <jansson.h>

#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"

struct findings {
	bool json;
	json_t *errors;
};

static void report(struct findings *f, const struct settings_error *error)
{
	char text[1024];

	if (!f->json) {
		fprintf(stderr, "%s\n", settings_error_text(error, text, sizeof(text)));
		return;
	}
	CHECK_OK(json_array_append_new(f->errors,
				       json_pack("{s:s, s:i, s:s, s:s}", "file", error->file,
						 "line", (int)error->line, "what", error->what,
						 "allowed", error->allowed)));
}

static void count_host(const struct profile *profile, struct span host, void *arg)
{
	size_t *n = arg;

	(void)profile, (void)host;
	(*n)++;
}

static void print_summary(const struct profiles *profiles)
{
	size_t hosts = 0, suffixes = 0;

	profile_each_exact_host(profiles, count_host, &hosts);
	profile_each_suffix(profiles, count_host, &suffixes);
	printf("OK: %zu vendor%s, %zu hosts, %zu suffixes\n", profiles_count(profiles),
	       profiles_count(profiles) == 1 ? "" : "s", hosts, suffixes);
	for (size_t i = 0; i < profiles_count(profiles); i++) {
		const struct profile *p = profiles_at(profiles, i);

		printf("  %s (%s) from %s\n", profile_name(p), profile_title(p), profile_file(p));
	}
}

static void print_json(struct findings *f, bool ok)
{
	json_t *document = json_pack("{s:b, s:O}", "ok", ok, "errors", f->errors);

	CHECK(document != NULL);
	CHECK_OK(json_dumpf(document, stdout, JSON_INDENT(2)));
	putchar('\n');
	json_decref(document);
}

static int config_check(const struct ctl_options *options, char **args)
{
	struct findings f = { .json = options->json, .errors = json_array() };
	struct tarn_settings settings;
	struct profiles *profiles = NULL;
	struct settings_error error;
	bool conf_ok, profiles_ok = false;

	CHECK(f.errors != NULL);
	conf_ok = tarn_conf_load(args[0] ? args[0] : options->config, &settings, &error) == 0;
	if (!conf_ok)
		report(&f, &error); /* which profiles belong to it is then not known */
	if (conf_ok) {
		profiles_ok = profiles_load(settings.vendors.dir, &profiles, &error) == 0;
		if (!profiles_ok)
			report(&f, &error);
		tarn_conf_free(&settings);
	}
	if (options->json)
		print_json(&f, conf_ok && profiles_ok);
	else if (profiles_ok)
		print_summary(profiles);
	profiles_unref(&profiles);
	json_decref(f.errors);
	return profiles_ok ? CTL_WORKING : CTL_CONFIG;
}

static int config_help(const struct ctl_options *options, char **args)
{
	(void)options, (void)args;
	settings_print(&tarn_conf_table, stdout);
	return 0;
}

static const struct ctl_command commands[] = {
	{ "config check",
	  "[FILE]",
	  0,
	  1,
	  config_check,
	  "check tarn.conf and all vendor profiles",
	  "A wrong line is told by file, line, what is wrong and what is allowed.",
	  { NULL } },
	{ "config help",
	  "",
	  0,
	  0,
	  config_help,
	  "every setting of tarn.conf, as a commented file",
	  NULL,
	  { NULL } },
};
CTL_TABLE(config, commands);
