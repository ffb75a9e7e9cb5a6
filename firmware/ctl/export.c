/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl export: each profile's generation to a folder, as files, with a signed manifest. It writes as who calls it;
 * the proxy, who has no rights to do so, gives the bytes over its socket.
 */
#include "firmware/ctl/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/carry/export.h"
#include "firmware/ctl/carried.h"

struct run {
	const struct ctl_options *options;
	struct tarn_settings settings;
	struct asker *asker;
	struct seal *seal;
	int top;
	json_t *rows;
	struct ctl_progress bar;
	const char *profile; /* NULL: all */
	const char *dir;
	bool key;
};

static void progress(const struct carry_progress *p, void *arg)
{
	struct run *run = arg;

	ctl_progress_show(&run->bar, (double)p->bytes, (double)p->bytes_all);
}

/* ---- what came of it ------------------------------------------------------------------------------- */

static const char *error_text(int rc, const struct export_result *r, char buf[256])
{
	char need[32], room[32];

	if (rc == -ENOSPC && r->need)
		(void)snprintf(buf, 256,
			       "too small: %s are needed, %s are free; nothing was written",
			       ctl_bytes((double)r->need, need), ctl_bytes((double)r->room, room));
	else if (rc == -ENOSPC)
		(void)snprintf(buf, 256, "it is full; the next run goes on from here");
	else if (rc == -EBUSY)
		(void)snprintf(buf, 256, "another export or import is at work there");
	else if (rc == -ENOENT)
		(void)snprintf(buf, 256, "nothing of it is stored");
	else if (rc == -EIO && r->place[0])
		(void)snprintf(buf, 256, "%.150s does not read back as it was written", r->place);
	else if (rc == -ECONNREFUSED || rc == -ETIMEDOUT || rc == -EBADMSG)
		(void)snprintf(buf, 256, "%s; the next run goes on from here",
			       asker_error_text(rc));
	else
		(void)snprintf(buf, 256, "%.150s%s%s", r->place, r->place[0] ? ": " : "",
			       strerror(-rc));
	return buf;
}

static void print_words(const char *profile, int rc, const struct export_result *r)
{
	char text[256], bytes[32], written[32];

	if (rc < 0) {
		printf("%s: not exported: %s\n", profile, error_text(rc, r, text));
		return;
	}
	printf("%s: generation %llu, %zu files, %s; written %zu (%s), kept %zu, removed %zu\n",
	       profile, (unsigned long long)r->number, r->files, ctl_bytes((double)r->bytes, bytes),
	       r->written, ctl_bytes((double)r->bytes_written, written), r->kept, r->removed);
	if (!r->whole)
		printf("%s: not whole: %zu files are not in the store; import will refuse it\n",
		       profile, r->missing);
	if (r->left_out)
		printf("%s: %zu objects are no files (a query, a name that can't be) and left "
		       "out\n",
		       profile, r->left_out);
}

static json_t *result_json(const char *profile, int rc, const struct export_result *r)
{
	char text[256];
	json_t *json = json_pack(
		"{s:s, s:b, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "profile", profile,
		"exported", rc == 0, "number", (json_int_t)r->number, "whole", r->whole, "files",
		(json_int_t)r->files, "written", (json_int_t)r->written, "kept",
		(json_int_t)r->kept, "removed", (json_int_t)r->removed, "missing",
		(json_int_t)r->missing, "left_out", (json_int_t)r->left_out, "bytes",
		(json_int_t)r->bytes, "bytes_written", (json_int_t)r->bytes_written);

	CHECK(json != NULL);
	if (rc < 0)
		CHECK_OK(json_object_set_new(json, "error", json_string(error_text(rc, r, text))));
	return json;
}

static void tell(const struct run *run, const char *profile, int rc, const struct export_result *r)
{
	char text[256];
	const struct ctl_carried carried = {
		.way = "export",
		.profile = profile,
		.dir = run->dir,
		.why = rc < 0 ? error_text(rc, r, text) : NULL,
		.generation = r->number,
		.objects = r->files,
		.bytes = r->bytes,
		.moved = r->bytes_written,
		.missing = r->missing,
	};

	ctl_carried_tell(run->asker, &carried);
}

/* ---- the command ------------------------------------------------------------------------------------- */

static int export_one(struct run *run, const char *profile)
{
	const struct export_config config = {
		.asker = run->asker,
		.profile = profile,
		.top = run->top,
		.seal = run->seal,
		.now_s = clock_read().wall_ms / 1000,
		.progress = run->options->json ? NULL : progress,
		.arg = run,
	};
	struct export_result result;
	int rc;

	if (!run->options->json)
		ctl_progress_begin(&run->bar, profile);
	rc = export_run(&config, &result);
	if (!run->options->json)
		ctl_progress_end(&run->bar);
	if (rc == -ENOENT && !run->profile)
		return CTL_WORKING; /* of all, those that there is something of */
	tell(run, profile, rc, &result);
	if (run->rows)
		CHECK_OK(json_array_append_new(run->rows, result_json(profile, rc, &result)));
	else
		print_words(profile, rc, &result);
	if (rc == -EACCES || rc == -EPERM)
		return CTL_NOT_ALLOWED;
	if (rc == -ECONNREFUSED || rc == -ETIMEDOUT || rc == -EBADMSG)
		return CTL_NOT_RUNNING;
	return rc < 0 ? CTL_SOFTWARE : result.whole ? CTL_WORKING : CTL_DEGRADED;
}

static int export_all(struct run *run)
{
	char **names = NULL;
	int status = CTL_WORKING, rc;

	if (run->profile)
		return export_one(run, run->profile);
	rc = repository_names(run->asker, &names);
	if (rc < 0) {
		fprintf(stderr, "tarnctl: %s\n", asker_error_text(rc));
		return rc == -EACCES ? CTL_NOT_ALLOWED : CTL_NOT_RUNNING;
	}
	for (size_t i = 0; names[i]; i++) {
		int one = export_one(run, names[i]);

		status = one > status ? one : status;
	}
	repository_names_free(&names);
	return status;
}

static int key_print(const struct run *run)
{
	char text[SEAL_KEY_TEXT];

	seal_key_text(run->seal, text);
	printf(run->options->json ? "{\"key\": \"%s\"}\n" : "%s\n", text);
	return CTL_WORKING;
}

static int prepare(struct run *run, const char *dir)
{
	int rc = seal_open(run->settings.keeper.state, &run->seal);

	if (rc < 0) {
		fprintf(stderr, "tarnctl: %s/%s: %s\n", run->settings.keeper.state, SEAL_FILE,
			rc == -EBADMSG ? "this is no Ed25519 key" : strerror(-rc));
		return rc == -EACCES ? CTL_NOT_ALLOWED : CTL_SOFTWARE;
	}
	if (run->key)
		return CTL_WORKING;
	rc = asker_new(run->options->proxy_socket ? run->options->proxy_socket
						  : run->settings.proxy.admin_socket,
		       &run->asker);
	if (rc == 0)
		rc = tree_open(dir, true, &run->top);
	if (rc < 0) {
		fprintf(stderr, "tarnctl: %s: %s\n", dir, strerror(-rc));
		return rc == -EACCES ? CTL_NOT_ALLOWED : CTL_SOFTWARE;
	}
	return CTL_WORKING;
}

static int export_command(const struct ctl_options *options, char **args)
{
	struct run run = {
		.options = options,
		.top = -1,
		.profile = ctl_option(options, "profile"),
		.key = ctl_option(options, "key") != NULL,
		.dir = args[0],
	};
	struct settings_error error;
	char text[1024];
	int status;

	if (!args[0] == !run.key) {
		fprintf(stderr, "tarnctl: export DIR, or export --key\n");
		return CTL_USAGE;
	}
	if (tarn_conf_load(options->config, &run.settings, &error) < 0) {
		fprintf(stderr, "tarnctl: %s\n", settings_error_text(&error, text, sizeof(text)));
		return CTL_CONFIG;
	}
	run.rows = options->json ? json_array() : NULL;
	status = prepare(&run, args[0]);
	if (status == CTL_WORKING)
		status = run.key ? key_print(&run) : export_all(&run);
	if (run.rows && !run.key)
		(void)ctl_print_json(json_incref(run.rows));
	json_decref(run.rows);
	if (run.top >= 0)
		(void)close(run.top);
	asker_free(&run.asker);
	seal_free(&run.seal);
	tarn_conf_free(&run.settings);
	return status;
}

static const struct ctl_option option_key = { 0, "key", NULL,
					      "only show the key that exports are signed with" };
static const struct ctl_option option_profile = { 'p', "profile", "NAME", "not all of them" };

static const struct ctl_command commands[] = {
	{ "export",
	  "[DIR]",
	  0,
	  1,
	  export_command,
	  "the repository as files, with a signed manifest",
	  "Writes the current generation of each profile to DIR/<profile>, in the vendor's own "
	  "folders: a client can "
	  "take it as a local source. Only what is new is "
	  "written, and read "
	  "back from the medium; a run that was cut short is gone on with. DIR/TARN holds the "
	  "manifest.",
	  { &option_profile, &option_key } },
};
CTL_TABLE(export, commands);
