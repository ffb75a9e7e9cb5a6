/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl slots, update, rollback, restart: the appliance's systems. They need no other program: an update is
 * installed with tarnd and tarn-proxy down, too, unless it is fetched from a URL. Elsewhere than on an appliance they refuse.
 */
#include "firmware/ctl/appliance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/history.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/screen.h"
#include "firmware/boot/update.h"
#include "firmware/ctl/ask.h"
#include "firmware/boot/download.h"

#define BOOT_DEVICE DISK_LINKS "/boot"
#define CALM	    "03:00"

json_t *appliance(void)
{
	json_t *document = json_load_file(APPLIANCE_PATH, 0, NULL);

	if (!document)
		fprintf(stderr,
			"tarnctl: this is no appliance that runs Tarn's image (there is no "
			"%s)\n",
			APPLIANCE_PATH);
	return document;
}

bool appliance_root(void)
{
	if (geteuid() == 0)
		return true;
	fprintf(stderr, "tarnctl: only root may do this\n");
	return false;
}

/* ---- slots ------------------------------------------------------------------------------------ */

static const struct ctl_column slot_columns[] = {
	{ "version", "version", CTL_TEXT },
	{ "state", "state", CTL_TEXT },
	{ "tries left", "tries_left", CTL_NUMBER },
	{ "running", "running", CTL_YES_NO },
};

static const struct ctl_column history_columns[] = {
	{ "when", "at", CTL_MS_TIME },
	{ "what", "event", CTL_TEXT },
	{ "version", "version", CTL_TEXT },
	{ "why", "reason", CTL_TEXT },
};

static int slots(const struct ctl_options *options, char **args)
{
	json_t *machine = appliance(), *history;

	(void)args;
	if (!machine)
		return CTL_REFUSED;
	history = boot_history_load(HISTORY_PATH);
	if (options->json) {
		json_t *all = json_pack("{s:O, s:O, s:O, s:O, s:o}", "version",
					json_object_get(machine, "version"), "factory",
					json_object_get(machine, "factory"), "on_trial",
					json_object_get(machine, "on_trial"), "slots",
					json_object_get(machine, "slots"), "history", history);

		json_decref(machine);
		return all ? ctl_print_json(all) : CTL_SOFTWARE;
	}
	ctl_line("running", ctl_text(machine, "version"));
	ctl_line("factory", ctl_text(machine, "factory"));
	putchar('\n');
	ctl_print_table(json_object_get(machine, "slots"), slot_columns, ARRAY_LEN(slot_columns),
			"no slot but the factory's");
	putchar('\n');
	ctl_print_table(history, history_columns, ARRAY_LEN(history_columns),
			"nothing happened yet");
	json_decref(history);
	json_decref(machine);
	return CTL_WORKING;
}

/* ---- restart ---------------------------------------------------------------------------------- */

/* "now", "no" or "HH:MM". False, and it is said. */
static bool when_known(const char *when)
{
	int64_t at;

	if (!restart_time(when, clock_read().wall_ms, &at))
		return true;
	fprintf(stderr, "tarnctl: --restart is now, no, or a time of day as 03:00 (UTC)\n");
	return false;
}

static int restart_want(const char *when)
{
	int64_t at;
	int rc = restart_time(when, clock_read().wall_ms, &at);

	if (!rc)
		rc = restart_note(at);
	if (rc)
		fprintf(stderr, "tarnctl: the restart can't be noted: %s\n", strerror(-rc));
	return rc ? CTL_SOFTWARE : CTL_WORKING;
}

static int restart(const struct ctl_options *options, char **args)
{
	json_t *machine = appliance();

	(void)options;
	if (!machine || !appliance_root()) {
		json_decref(machine);
		return machine ? CTL_NOT_ALLOWED : CTL_REFUSED;
	}
	json_decref(machine);
	if (*args && !when_known(*args))
		return CTL_USAGE;
	return restart_want(*args ? *args : "now");
}

/* ---- update ----------------------------------------------------------------------------------- */

struct bar {
	struct ctl_progress progress;
	const char *stage;
};

static void on_progress(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	struct bar *bar = arg;

	if (bar->stage != stage) {
		if (bar->stage)
			ctl_progress_end(&bar->progress);
		bar->stage = stage;
		ctl_progress_begin(&bar->progress, stage);
	}
	ctl_progress_show(&bar->progress, (double)done, (double)total);
}

/* With the boot partition at hand. */
static enum update_fate install(int fd, const json_t *machine, bool force, bool quiet,
				struct update *update)
{
	struct bar bar = { .stage = NULL };
	struct update_place place = {
		.folder = BOOT_SLOTS,
		.keys = UPDATE_KEYS,
		.running = ctl_text(machine, "version"),
		.factory = ctl_text(machine, "factory"),
		.force = force,
		.progress = quiet ? NULL : on_progress,
		.arg = &bar,
	};
	enum update_fate fate = update_install(fd, &place, update);

	if (bar.stage)
		ctl_progress_end(&bar.progress);
	/* Older than what runs: the boot loader would never take it before that. */
	if (!fate && version_compare(update->version, place.running) < 0 &&
	    slot_mark_bad(BOOT_SLOTS, place.running))
		fate = UPDATE_NOT_WRITTEN;
	return fate;
}

/* A channel's file that can't be had is asked for again and again: that is one thing that happened. */
static bool history_has(const char *version, const char *reason)
{
	json_t *all = boot_history_load(HISTORY_PATH);
	const json_t *last = json_array_get(all, json_array_size(all) - 1);
	bool same = !strcmp(ctl_text(last, "event"), "refused") &&
		    !strcmp(ctl_text(last, "version"), version) &&
		    !strcmp(ctl_text(last, "reason"), reason);

	json_decref(all);
	return same;
}

/* `detail`: of why it was refused, beyond the fate's own words; "". */
static void history_put(enum update_fate fate, const struct update *update, const char *detail)
{
	struct now now = clock_read();
	const char *version = *update->version ? update->version : "unknown";
	char reason[400];

	(void)snprintf(reason, sizeof(reason), "%s%s%s", fate ? update_text(fate) : "",
		       *detail ? ": " : "", detail);
	if (!fate || !history_has(version, reason))
		boot_history_add(HISTORY_PATH, now.wall_ms, fate ? "refused" : "installed", version,
				 reason);
	if (!fate)
		attempt_note(HISTORY_PATH, version, "installed: its own init was never reached");
}

static int update_say(const struct ctl_options *options, enum update_fate fate,
		      const struct update *update, const char *when, const char *detail)
{
	if (options->json) {
		json_t *answer =
			json_pack("{s:b, s:s, s:s, s:s, s:s, s:s}", "installed", !fate, "fate",
				  update_word(fate), "text", update_text(fate), "version",
				  update->version, "restart", when, "detail", detail);

		ctl_print_json(answer);
	} else if (fate) {
		fprintf(stderr, "tarnctl: not installed: %s%s", update_text(fate),
			*detail ? ": " : "");
		ctl_put_text(detail, stderr);
		fputc('\n', stderr);
	} else {
		printf("%s is installed; signed by %s. Restart: %s.\n", update->version,
		       update->key, when);
	}
	return fate ? CTL_REFUSED : CTL_WORKING;
}

static int update_file(const struct ctl_options *options, const json_t *machine, int fd,
		       const char *when)
{
	struct update update = { 0 };
	enum update_fate fate;
	int rc = boot_mount(BOOT_DEVICE, false);

	if (rc) {
		fprintf(stderr, "tarnctl: the boot partition: %s\n",
			rc == -EBUSY ? "somebody works on it just now" : strerror(-rc));
		return CTL_REFUSED;
	}
	fate = install(fd, machine, ctl_option(options, "force") != NULL, options->json, &update);
	boot_unmount();
	history_put(fate, &update, "");
	rc = update_say(options, fate, &update, when, "");
	return rc ? rc : restart_want(when);
}

/* ---- from a URL --------------------------------------------------------------------------------- */

struct url_run {
	const struct ctl_options *options;
	struct bar bar;
	struct update update;
	enum update_fate fate; /* of its head */
};

/* What tarn-proxy says is no file: not now, or never? */
static int ask_failed(int rc, int status, const json_t *document, char why[DOWNLOAD_WHY])
{
	const char *word = ctl_text(document, "error");
	bool later = !strcmp(word, "no_connection") || !strcmp(word, "no_answer") ||
		     !strcmp(word, "no_memory");

	(void)snprintf(why, DOWNLOAD_WHY, "%s",
		       status && document ? ctl_text(document, "text") : ask_error_text(rc));
	return later || !status ? -EAGAIN : -EPROTO;
}

static int on_ask(void *arg, const char *url, uint64_t from, const char *etag,
		  download_piece_f *piece, void *piece_arg, char why[DOWNLOAD_WHY])
{
	struct url_run *run = arg;
	char *path = strdup("/api/v1/download"), number[24];
	json_t *document = NULL;
	int status = 0, rc;

	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)from);
	path = ctl_path_query(path, "url", url);
	path = ctl_path_query(path, "from", from ? number : NULL);
	path = ctl_path_query(path, "match", from ? etag : NULL);
	rc = ask_proxy_stream(run->options->proxy_socket, path, piece, piece_arg, &status,
			      &document);
	/* What a piece gave says why itself. */
	if (rc < 0 && !*why)
		rc = ask_failed(rc, status, document, why);
	json_decref(document);
	free(path);
	return rc;
}

static void on_fetched(void *arg, uint64_t done, uint64_t total)
{
	struct url_run *run = arg;

	if (!run->options->json)
		on_progress(&run->bar, "fetch", done, total);
}

/* Nobody waits for 36 MB that nobody has signed. */
static int on_head(void *arg, int fd)
{
	struct url_run *run = arg;

	run->fate = update_head(fd, UPDATE_KEYS, &run->update);
	return run->fate ? 1 : 0;
}

static void on_rest(void *arg, unsigned seconds)
{
	(void)arg;
	(void)sleep(seconds);
}

/* In the cache's folder: state has no room for it. */
static int url_path(const struct ctl_options *options, char ret_path[200])
{
	struct tarn_settings settings;
	struct settings_error error;
	int rc = tarn_conf_load(options->config, &settings, &error);

	if (rc) {
		fprintf(stderr, "tarnctl: the settings are wrong: see tarnctl config check\n");
		return CTL_CONFIG;
	}
	rc = snprintf(ret_path, 200, "%s/update.part", settings.cache.path) < 200 ? 0 : CTL_CONFIG;
	tarn_conf_free(&settings);
	return rc;
}

int appliance_update_url(const struct ctl_options *options, const json_t *machine, const char *url,
			 const char *when)
{
	struct url_run run = { .options = options };
	char path[200], why[DOWNLOAD_WHY];
	struct download d = { .url = url,
			      .path = path,
			      .limit = UPDATE_BYTES_MAX,
			      .ask = on_ask,
			      .progress = on_fetched,
			      .early = on_head,
			      .early_bytes = UPDATE_HEAD,
			      .rest = on_rest,
			      .arg = &run };
	int fd, rc = url_path(options, path);

	if (rc)
		return rc;
	rc = download(&d, &fd, why);
	if (run.bar.stage)
		ctl_progress_end(&run.bar.progress);
	if (!rc) {
		rc = update_file(options, machine, fd, when);
		close(fd);
		download_forget(path);
		return rc;
	}
	if (run.fate || rc == -EFBIG)
		download_forget(path);
	if (!run.fate)
		run.fate = UPDATE_NOT_FETCHED;
	history_put(run.fate, &run.update, why);
	return update_say(options, run.fate, &run.update, when, why);
}

static bool is_url(const char *what)
{
	return !strncmp(what, "https://", 8) || !strncmp(what, "http://", 7);
}

static int update_path(const struct ctl_options *options, const json_t *machine, const char *path,
		       const char *when)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0) {
		fprintf(stderr, "tarnctl: %s: %s\n", path, strerror(errno));
		return CTL_REFUSED;
	}
	rc = update_file(options, machine, fd, when);
	close(fd);
	return rc;
}

static int update(const struct ctl_options *options, char **args)
{
	const char *when = ctl_option(options, "restart");
	json_t *machine;
	int rc;

	if (!when)
		when = CALM;
	if (!when_known(when))
		return CTL_USAGE;
	if (!appliance_root())
		return CTL_NOT_ALLOWED;
	machine = appliance();
	if (!machine)
		return CTL_REFUSED;
	rc = is_url(*args) ? appliance_update_url(options, machine, *args, when)
			   : update_path(options, machine, *args, when);
	json_decref(machine);
	return rc;
}

/* ---- rollback --------------------------------------------------------------------------------- */

/* Who runs when the running slot is set aside? "" if nobody does, or it can't be set aside. */
static const char *next_version(const json_t *machine)
{
	const char *running = ctl_text(machine, "version");
	json_t *slot;
	size_t i;

	if (!strcmp(running, ctl_text(machine, "factory")))
		return "";
	json_array_foreach(json_object_get(machine, "slots"), i, slot)
	{
		if (!json_is_true(json_object_get(slot, "running")) &&
		    !strcmp(ctl_text(slot, "state"), "good"))
			return ctl_text(slot, "version");
	}
	return ctl_text(machine, "factory");
}

static int rollback(const struct ctl_options *options, char **args)
{
	const char *when = ctl_option(options, "restart");
	json_t *machine = appliance_root() ? appliance() : NULL;
	const char *running = machine ? ctl_text(machine, "version") : "", *next;
	char why[96];
	int rc = machine ? 0 : -EPERM;

	(void)args;
	if (rc)
		return CTL_REFUSED;
	when = when ? when : "now";
	next = next_version(machine);
	if (!when_known(when)) {
		json_decref(machine);
		return CTL_USAGE;
	}
	if (!*next) {
		fprintf(stderr, "tarnctl: the factory's system runs; there is none before it\n");
		json_decref(machine);
		return CTL_REFUSED;
	}
	rc = boot_mount(BOOT_DEVICE, false);
	if (!rc) {
		rc = slot_mark_bad(BOOT_SLOTS, running);
		boot_unmount();
	}
	if (!rc) {
		(void)snprintf(why, sizeof(why), "by hand; %.40s runs next", next);
		boot_history_add(HISTORY_PATH, clock_read().wall_ms, "rolled-back", running, why);
		printf("%s is set aside, %s runs next. Restart: %s.\n", running, next, when);
	} else {
		fprintf(stderr, "tarnctl: the boot partition: %s\n", strerror(-rc));
	}
	json_decref(machine);
	return rc ? CTL_SOFTWARE : restart_want(when);
}

static const struct ctl_option force = { 0, "force", NULL,
					 "also an older version, or one that failed here" };
static const struct ctl_option when = { 0, "restart", "WHEN",
					"now, no, or a time of day as 03:00 (UTC)" };

static const struct ctl_command commands[] = {
	{ "slots",
	  "",
	  0,
	  0,
	  slots,
	  "the appliance's systems, and what became of updates",
	  NULL,
	  { NULL } },
	{ "update",
	  "FILE|URL",
	  1,
	  1,
	  update,
	  "install a signed update of the appliance",
	  "Nothing is touched before signature, version, space and every byte are known to be "
	  "right. From a URL it is fetched by tarn-proxy, as what devices ask for is; a fetch that "
	  "is "
	  "cut goes on where it was, also when tarnctl is run again. The new system has three "
	  "starts to become healthy; else the box returns to the "
	  "one before by itself, and tarnctl slots says why. While the box restarts, the office's "
	  "line is cut for as long as that takes; hence at " CALM " unless --restart says else.",
	  { &force, &when } },
	{ "rollback",
	  "",
	  0,
	  0,
	  rollback,
	  "set the running system aside and return to the one before",
	  "Without one before, to the factory's. Restarts at once unless --restart says else.",
	  { &when } },
	{ "restart",
	  "[WHEN]",
	  0,
	  1,
	  restart,
	  "restart the appliance (now, or at a time of day, UTC)",
	  NULL,
	  { NULL } },
};
CTL_TABLE(appliance, commands);
