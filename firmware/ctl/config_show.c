/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl config show and diff: what each setting is by the file, and which line says so. Neither asks a program:
 * they read the file as the programs will at their next start or reload.
 */
#include <stdlib.h>
#include <string.h>

#include "firmware/base/tarn_conf.h"
#include "firmware/ctl/ctl.h"

#define VALUE_END 28 /* column of what says where a value is from */
#define LIST_LINE 120

struct shown {
	const char *path;
	struct tarn_settings settings, defaults;
	unsigned *lines; /* of each row; 0: the default */
};

static int shown_load(const struct ctl_options *options, struct shown *s)
{
	struct settings_error error;
	char text[1024];

	s->path = options->config ? options->config : TARN_CONF_PATH;
	s->lines = calloc(tarn_conf_table.n, sizeof(*s->lines));
	CHECK(s->lines != NULL);
	if (settings_load_lines(s->path, options->config == NULL, &tarn_conf_table, &s->settings,
				s->lines, &error) < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		free(s->lines);
		return CTL_CONFIG;
	}
	CHECK_OK(settings_load(NULL, true, &tarn_conf_table, &s->defaults, &error));
	return CTL_WORKING;
}

static void shown_free(struct shown *s)
{
	tarn_conf_free(&s->settings);
	tarn_conf_free(&s->defaults);
	free(s->lines);
}

static char *value_of(size_t i, const struct tarn_settings *settings)
{
	char *text = setting_text(&tarn_conf_table, i, settings);

	CHECK(text != NULL);
	return text;
}

/* "section" or "section.key"; NULL: all. */
static bool is_meant(const struct setting *row, const char *name)
{
	size_t n = strlen(row->section);

	if (!name)
		return true;
	if (strncmp(name, row->section, n) != 0)
		return false;
	return !name[n] || (name[n] == '.' && strcmp(name + n + 1, row->key) == 0);
}

static json_t *row_json(const struct shown *s, size_t i)
{
	const struct setting *row = &tarn_conf_table.rows[i];
	char *value = value_of(i, &s->settings), *fallback = value_of(i, &s->defaults);
	json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "section", row->section, "key",
				 row->key, "value", value, "default", fallback, "help", row->help,
				 "at_next_start", tarn_conf_at_start(row));

	CHECK(json != NULL);
	if (s->lines[i]) {
		CHECK_OK(json_object_set_new(json, "file", json_string(s->path)));
		CHECK_OK(json_object_set_new(json, "line", json_integer(s->lines[i])));
	}
	free(value);
	free(fallback);
	return json;
}

static bool is_changed(const struct shown *s, size_t i)
{
	char *value = value_of(i, &s->settings), *fallback = value_of(i, &s->defaults);
	bool changed = strcmp(value, fallback) != 0;

	free(value);
	free(fallback);
	return changed;
}

static int print_settings_json(const struct shown *s, const char *name, bool changed_only)
{
	json_t *all = json_array();

	CHECK(all != NULL);
	for (size_t i = 0; i < tarn_conf_table.n; i++)
		if (is_meant(&tarn_conf_table.rows[i], name) && (!changed_only || is_changed(s, i)))
			CHECK_OK(json_array_append_new(all, row_json(s, i)));
	return ctl_print_json(json_pack("{s:o}", "settings", all));
}

/* One "key = value ; where". */
static void print_line(const struct shown *s, size_t i, struct span value)
{
	const char *key = tarn_conf_table.rows[i].key;
	int pad = (int)strlen(key) + (int)value.n < VALUE_END ? VALUE_END - (int)strlen(key) : 0;

	if (s->lines[i] && strlen(key) + value.n + strlen(s->path) + 16 > SETTINGS_LINE_MAX)
		printf("; %s:%u\n%s = %.*s\n", s->path, s->lines[i], key, SPAN_FMT(value));
	else if (s->lines[i])
		printf("%s = %-*.*s ; %s:%u\n", key, pad, SPAN_FMT(value), s->path, s->lines[i]);
	else
		printf("%s = %-*.*s ; default\n", key, pad, SPAN_FMT(value));
}

/* Only a list can be longer than a line may be; its key is repeated. */
static void print_value(const struct shown *s, size_t i)
{
	char *text = value_of(i, &s->settings);
	struct span rest = span_of(text);

	while (rest.n > LIST_LINE) {
		size_t n = LIST_LINE;

		while (n && rest.p[n] != ' ')
			n--;
		if (!n)
			break;
		print_line(s, i, span_head(rest, n));
		rest = span_drop(rest, n + 1);
	}
	print_line(s, i, rest);
	free(text);
}

/* Lines that are a configuration file themselves. */
static void print_settings(const struct shown *s, const char *name)
{
	const char *section = "";

	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];

		if (!is_meant(row, name))
			continue;
		if (strcmp(section, row->section) != 0)
			printf("%s[%s]\n", section[0] ? "\n" : "", row->section);
		section = row->section;
		print_value(s, i);
	}
}

static void print_changes(const struct shown *s)
{
	bool any = false;

	for (size_t i = 0; i < tarn_conf_table.n; i++) {
		const struct setting *row = &tarn_conf_table.rows[i];
		char *value, *fallback;

		if (!is_changed(s, i))
			continue;
		value = value_of(i, &s->settings);
		fallback = value_of(i, &s->defaults);
		printf("%s:%u: [%s] %s\n  - %s\n  + %s\n", s->path, s->lines[i], row->section,
		       row->key, fallback[0] ? fallback : "(empty)", value[0] ? value : "(empty)");
		free(value);
		free(fallback);
		any = true;
	}
	if (!any)
		printf("%s changes nothing: every setting is its default\n", s->path);
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < tarn_conf_table.n; i++)
		if (is_meant(&tarn_conf_table.rows[i], name))
			return true;
	return false;
}

static int show(const struct ctl_options *options, char **args)
{
	struct shown s = { 0 };
	int rc;

	if (!is_known(args[0])) {
		fputs("tarnctl: no such setting: ", stderr);
		ctl_put_text(args[0], stderr);
		fputs("; allowed: SECTION or SECTION.KEY, as `tarnctl config help` lists them\n",
		      stderr);
		return CTL_USAGE;
	}
	rc = shown_load(options, &s);
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		rc = print_settings_json(&s, args[0], false);
	else
		print_settings(&s, args[0]);
	shown_free(&s);
	return rc;
}

static int diff(const struct ctl_options *options, char **args)
{
	struct shown s = { 0 };
	int rc = shown_load(options, &s);

	(void)args;
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		rc = print_settings_json(&s, NULL, true);
	else
		print_changes(&s);
	shown_free(&s);
	return rc;
}

static const struct ctl_command commands[] = {
	{ "config show",
	  "[SECTION[.KEY]]",
	  0,
	  1,
	  show,
	  "every setting's value, and the line that sets it",
	  "What is printed is a valid tarn.conf. It is what the file says now; a program that runs "
	  "has read "
	  "it at its start or its last reload.",
	  { NULL } },
	{ "config diff",
	  "",
	  0,
	  0,
	  diff,
	  "what the file changes: default and value, by line",
	  "A setting that the file sets to its default is no change.",
	  { NULL } },
};
CTL_TABLE(config_show, commands);
