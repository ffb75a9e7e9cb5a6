/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl import: what tarnctl export wrote on another box becomes this one's generation. It reads as who calls it; the
 * proxy takes the bytes over its socket.
 */
#include "firmware/ctl/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/tarn_conf.h"
#include "firmware/carry/import.h"
#include "firmware/ctl/carried.h"

struct run {
	const struct ctl_options *options;
	struct tarn_settings settings;
	struct profiles *profiles;
	struct asker *asker;
	const char *dir;
	struct string_list trust; /* the settings', the options', our own */
	char own[SEAL_KEY_TEXT];
	int top;
	json_t *rows;
	struct ctl_progress bar;
};

static void progress(const struct carry_progress *p, void *arg)
{
	struct run *run = arg;

	ctl_progress_show(&run->bar, (double)p->bytes, (double)p->bytes_all);
}

/* ---- what came of it ------------------------------------------------------------------------------- */

#define TEXT_MAX 1100

static const char *error_text(int rc, const struct import_result *r, char buf[TEXT_MAX])
{
	const struct verify_fault *f = &r->fault;

	if (rc == -EKEYREJECTED && r->key[0])
		(void)snprintf(
			buf, TEXT_MAX,
			"its manifest is not signed by a box that is trusted here. It names the "
			"key %s: if that is what tarnctl export --key shows on the box that you "
			"have it from, put it into [repository] trust; if it is there already, "
			"the manifest has been altered",
			r->key);
	else if (rc == -EKEYREJECTED)
		(void)snprintf(buf, TEXT_MAX, "its manifest is damaged: it names no key");
	else if (rc == -ENOENT)
		(void)snprintf(buf, TEXT_MAX, "there is no manifest of it");
	else if (rc == -EBUSY)
		(void)snprintf(buf, TEXT_MAX, "another export or import is at work there");
	else if (f->why[0])
		(void)snprintf(buf, TEXT_MAX, "%s%s%s", f->place, f->place[0] ? ": " : "", f->why);
	else
		(void)snprintf(buf, TEXT_MAX, "%s; the next run goes on from here",
			       asker_error_text(rc));
	return buf;
}

static void print_words(const char *profile, int rc, const struct import_result *r)
{
	char text[TEXT_MAX], bytes[32], sent[32], at[40];

	if (rc < 0) {
		printf("%s: not imported, nothing has changed: ", profile);
		ctl_put_text(error_text(rc, r, text), stdout);
		putchar('\n');
		return;
	}
	if (r->unchanged)
		printf("%s: that is what is here already: %zu files of %s\n", profile, r->files,
		       ctl_time((double)r->published_ms, at));
	else
		printf("%s: imported what was published %s: generation %llu here, %zu files, %s; "
		       "read %zu (%s), here already %zu\n",
		       profile, ctl_time((double)r->published_ms, at),
		       (unsigned long long)r->number, r->files, ctl_bytes((double)r->bytes, bytes),
		       r->sent, ctl_bytes((double)r->bytes_sent, sent), r->had);
}

static json_t *result_json(const char *profile, int rc, const struct import_result *r)
{
	char text[TEXT_MAX];
	json_t *json = json_pack(
		"{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "profile", profile,
		"imported", rc == 0, "unchanged", r->unchanged, "number", (json_int_t)r->number,
		"published_ms", (json_int_t)r->published_ms, "files", (json_int_t)r->files, "sent",
		(json_int_t)r->sent, "had", (json_int_t)r->had, "bytes", (json_int_t)r->bytes,
		"bytes_sent", (json_int_t)r->bytes_sent, "key", r->key);

	CHECK(json != NULL);
	if (rc < 0) {
		CHECK_OK(json_object_set_new(json, "error", json_string(error_text(rc, r, text))));
		CHECK_OK(json_object_set_new(json, "file", json_string(r->fault.place)));
	}
	return json;
}

static void tell(const struct run *run, const char *profile, int rc, const struct import_result *r)
{
	char text[TEXT_MAX];
	const struct ctl_carried carried = {
		.way = "import",
		.profile = profile,
		.dir = run->dir,
		.why = rc < 0 ? error_text(rc, r, text) : NULL,
		.generation = r->number,
		.objects = r->files,
		.bytes = r->bytes,
		.moved = r->bytes_sent,
	};

	ctl_carried_tell(run->asker, &carried);
}

static int status_of(int rc)
{
	switch (rc) {
	case 0:
		return CTL_WORKING;
	case -EACCES:
	case -EPERM:
		return CTL_NOT_ALLOWED;
	case -ECONNREFUSED:
	case -ETIMEDOUT:
		return CTL_NOT_RUNNING;
	case -ENOMEM:
		return CTL_SOFTWARE;
	default:
		return CTL_REFUSED;
	}
}

/* ---- the command ------------------------------------------------------------------------------------- */

static int import_one(struct run *run, const char *name)
{
	const struct import_config config = {
		.asker = run->asker,
		.profile = profiles_by_name(run->profiles, span_of(name)),
		.top = run->top,
		.trust = &run->trust,
		.older = ctl_option(run->options, "older") != NULL,
		.progress = run->options->json ? NULL : progress,
		.arg = run,
	};
	struct import_result result = { 0 };
	int rc = -EPROTO;

	if (!config.profile) {
		(void)snprintf(result.fault.why, sizeof(result.fault.why),
			       "there is no such profile here");
	} else {
		if (!run->options->json)
			ctl_progress_begin(&run->bar, name);
		rc = import_run(&config, &result);
		if (!run->options->json)
			ctl_progress_end(&run->bar);
	}
	tell(run, name, rc, &result);
	if (run->rows)
		CHECK_OK(json_array_append_new(run->rows, result_json(name, rc, &result)));
	else
		print_words(name, rc, &result);
	return status_of(rc);
}

static int import_all(struct run *run, const char *dir)
{
	const char *one = ctl_option(run->options, "profile");
	char **names = NULL;
	int status = CTL_WORKING, rc;

	if (one)
		return import_one(run, one);
	rc = import_names(run->top, &names);
	if (rc < 0 || !names[0]) {
		fprintf(stderr, "tarnctl: %s: %s\n", dir,
			rc == 0 || rc == -ENOENT
				? "there is no TARN/*.manifest: nothing that tarnctl "
				  "export has written"
				: strerror(-rc));
		status = rc == 0 || rc == -ENOENT ? CTL_REFUSED : status_of(rc);
	}
	for (size_t i = 0; rc == 0 && names[i]; i++) {
		int given = import_one(run, names[i]);

		status = given > status ? given : status;
	}
	if (rc == 0)
		repository_names_free(&names);
	return status;
}

/* The settings' keys, --trust, and our own if it can be read. */
static int trust_gather(struct run *run)
{
	const struct string_list *set = &run->settings.repository.trust;
	char *path = NULL;
	struct seal *seal;
	const char *key;

	run->trust.v = calloc(set->n + CTL_GIVEN_MAX + 1, sizeof(*run->trust.v));
	if (!run->trust.v)
		return CTL_SOFTWARE;
	for (size_t i = 0; i < set->n; i++)
		run->trust.v[run->trust.n++] = set->v[i];
	for (size_t i = 0; (key = ctl_option_at(run->options, "trust", i)); i++)
		run->trust.v[run->trust.n++] = (char *)(uintptr_t)key;
	for (size_t i = 0; i < run->trust.n; i++)
		if (!seal_key_valid(span_of(run->trust.v[i]))) {
			fprintf(stderr,
				"tarnctl: trust: %s is no key: tarnctl export --key shows one\n",
				run->trust.v[i]);
			return CTL_CONFIG;
		}
	if (asprintf(&path, "%s/%s", run->settings.keeper.state, SEAL_FILE) < 0)
		return CTL_SOFTWARE;
	if (access(path, R_OK) == 0 && seal_open(run->settings.keeper.state, &seal) == 0) {
		seal_key_text(seal, run->own);
		seal_free(&seal);
		run->trust.v[run->trust.n++] = run->own;
	}
	free(path);
	return CTL_WORKING;
}

static int prepare(struct run *run, const char *dir)
{
	struct settings_error error;
	char text[1024];
	int rc;

	if (tarn_conf_load(run->options->config, &run->settings, &error) < 0 ||
	    profiles_load(run->settings.vendors.dir, &run->profiles, &error) < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		return CTL_CONFIG;
	}
	rc = trust_gather(run);
	if (rc != CTL_WORKING)
		return rc;
	rc = asker_new(run->options->proxy_socket ? run->options->proxy_socket
						  : run->settings.proxy.admin_socket,
		       &run->asker);
	if (rc == 0)
		rc = tree_open(dir, false, &run->top);
	if (rc < 0) {
		fprintf(stderr, "tarnctl: %s: %s\n", dir, strerror(-rc));
		return rc == -EACCES ? CTL_NOT_ALLOWED : CTL_REFUSED;
	}
	return CTL_WORKING;
}

static int import_command(const struct ctl_options *options, char **args)
{
	struct run run = { .options = options, .top = -1, .dir = args[0] };
	int status = prepare(&run, args[0]);

	run.rows = options->json ? json_array() : NULL;
	if (status == CTL_WORKING)
		status = import_all(&run, args[0]);
	if (run.rows)
		(void)ctl_print_json(run.rows);
	if (run.top >= 0)
		(void)close(run.top);
	asker_free(&run.asker);
	free(run.trust.v);
	profiles_unref(&run.profiles);
	tarn_conf_free(&run.settings);
	return status;
}

static const struct ctl_option option_profile = { 'p', "profile", "NAME", "not all of them" };
static const struct ctl_option option_trust = { 0, "trust", "KEY",
						"take also what this key has signed, this time" };
static const struct ctl_option option_older = {
	0, "older", NULL, "also what was published before that which is here"
};

static const struct ctl_command commands[] = {
	{ "import",
	  "DIR",
	  1,
	  1,
	  import_command,
	  "take in what tarnctl export has written on another box",
	  "Each profile's manifest must be signed by a box whose key stands in [repository] trust; "
	  "each file must be "
	  "what the manifest says, and what the indexes name must be these files. It then is "
	  "published at once: all of it, "
	  "or nothing has changed. A run that was cut short is gone on with. Where the vendor "
	  "can't be reached, devices get "
	  "what was imported for as long as that lasts.",
	  { &option_profile, &option_trust, &option_older } },
};
CTL_TABLE(import, commands);
