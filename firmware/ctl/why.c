/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl why: what would be done with a request, rule by rule. The running proxy says it (proxy/why/why.h
 * has the members of its answer); without one it is told from the configuration, which can't see the
 * store.
 *
 *	Request        GET http://updates.example.com/a
 *	Decision       hit: answered with 200 from the store
 *	host           ...                                            [where that is written]
 */
#include "firmware/ctl/ctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/base/tarn_conf.h"
#include "firmware/ctl/ask.h"
#include "proxy/why/why.h"

#define TARGET_MAX 61440 /* of the proxy's socket */

/* ---- asking the proxy --------------------------------------------------------------------------- */

struct target {
	char *text;
	size_t n;
	bool full;
};

static void add_char(struct target *t, char c)
{
	if (t->n + 1 < TARGET_MAX)
		t->text[t->n++] = c;
	else
		t->full = true;
	t->text[t->n] = 0;
}

static void add_text(struct target *t, const char *text)
{
	while (*text)
		add_char(t, *text++);
}

/* "&name=value", percent-encoded; nothing for NULL. */
static void add_word(struct target *t, const char *name, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";

	if (!value)
		return;
	add_text(t, strchr(t->text, '?') ? "&" : "?");
	add_text(t, name);
	add_char(t, '=');
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if ((*p | 32) >= 'a' && (*p | 32) <= 'z') {
			add_char(t, (char)*p);
		} else {
			add_char(t, '%');
			add_char(t, hex[*p >> 4]);
			add_char(t, hex[*p & 15]);
		}
	}
}

static int ask_it(const struct ctl_options *options, const struct why_ask *ask, json_t **ret_json)
{
	struct target target = { .text = malloc(TARGET_MAX + 1) };
	int rc;

	CHECK(target.text != NULL);
	target.text[0] = 0;
	add_text(&target, "/api/v1/why");
	add_word(&target, "url", ask->url);
	add_word(&target, "method", ask->method);
	add_word(&target, "from", ask->from);
	for (size_t i = 0; i < ask->fields_n; i++)
		add_word(&target, "header", ask->fields[i]);
	rc = target.full ? -E2BIG : ask_proxy(options->proxy_socket, target.text, ret_json);
	free(target.text);
	return rc;
}

/* ---- or the configuration ------------------------------------------------------------------------ */

static int complain(const char *what)
{
	fprintf(stderr, "tarnctl: %s\n", what);
	return CTL_USAGE;
}

static int explain_alone(const struct ctl_options *options, const struct why_ask *ask,
			 json_t **ret_json)
{
	struct tarn_settings settings;
	struct profiles *profiles = NULL;
	struct settings_error error;
	struct why_world world = { 0 };
	const char *unused;
	char text[1024];
	int rc = tarn_conf_load(options->config, &settings, &error);

	if (rc < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		return CTL_CONFIG;
	}
	rc = profiles_load(settings.vendors.dir, &profiles, &error);
	if (rc < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		rc = CTL_CONFIG;
	} else {
		world.profiles = profiles;
		world.allow = &settings.proxy.allow;
		world.settings = &settings;
		rc = why_explain(ask, &world, ret_json, &unused) < 0 ? CTL_SOFTWARE : 0;
	}
	profiles_unref(&profiles);
	tarn_conf_free(&settings);
	return rc;
}

/* ---- what is printed ------------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void print_line(const char *label, const char *format,
							     ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	CHECK(n >= 0);
	ctl_line(label, text);
	free(text);
}

static void print_rule(const json_t *rule, const char *before)
{
	const char *about = ctl_text(rule, "about"), *source = ctl_text(rule, "source");

	print_line(strcmp(about, before) != 0 ? about : "", "%s%s%s%s", ctl_text(rule, "text"),
		   source[0] ? "  [" : "", source, source[0] ? "]" : "");
}

static void print_words(const json_t *json)
{
	const char *before = "";
	json_t *rule;
	size_t i;

	print_line("Request", "%s %s", ctl_text(json, "method"), ctl_text(json, "url"));
	print_line("Decision", "%s: %s", ctl_text(json, "does"), ctl_text(json, "sentence"));
	json_array_foreach(json_object_get(json, "rules"), i, rule)
	{
		print_rule(rule, before);
		before = ctl_text(rule, "about");
	}
}

static int why(const struct ctl_options *options, char **args)
{
	struct why_ask ask = { .url = args[0],
			       .method = ctl_option(options, "method"),
			       .from = ctl_option(options, "from") };
	const char *field;
	json_t *json = NULL;
	int rc;

	while ((field = ctl_option_at(options, "header", ask.fields_n))) {
		if (ask.fields_n == WHY_FIELDS_MAX)
			return complain("why: too many headers");
		ask.fields[ask.fields_n++] = field;
	}
	if (why_nonsense(&ask))
		return complain(why_nonsense(&ask));
	rc = ask_it(options, &ask, &json);
	if (rc == -EACCES || rc == -EPERM) {
		fprintf(stderr, "tarnctl: tarn-proxy: %s\n", ask_error_text(rc));
		return CTL_NOT_ALLOWED;
	}
	if (rc < 0) {
		const char *unseen = ask_error_text(rc);

		rc = explain_alone(options, &ask, &json);
		if (rc != 0)
			return rc;
		fprintf(stderr, "tarnctl: tarn-proxy: %s; this is from the configuration alone\n",
			unseen);
	}
	if (options->json) {
		CHECK_OK(json_dumpf(json, stdout, JSON_INDENT(2)));
		putchar('\n');
	} else {
		print_words(json);
	}
	json_decref(json);
	return CTL_WORKING;
}

static const struct ctl_option header = { 'H', "header", "'N: V'",
					  "a field of the request (several)" };
static const struct ctl_option method = { 'M', "method", "METHOD", "instead of GET" };
static const struct ctl_option from = { 'F', "from", "ADDRESS", "the device's address" };

static const struct ctl_command commands[] = {
	{ "why",
	  "URL",
	  1,
	  1,
	  why,
	  "what would be done with a request, rule by rule",
	  "The running proxy says it and does nothing of it; without one it is told from the "
	  "configuration alone, "
	  "which can't see the store.",
	  { &header, &method, &from } },
};
CTL_TABLE(why, commands);
