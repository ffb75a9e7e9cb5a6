/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl slots, update, rollback, restart: the appliance's systems. They need no other program: an update is
 * installed with tarnd and tarn-proxy down, too. Elsewhere than on an appliance they refuse.
 */
#include "firmware/ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/history.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/screen.h"
#include "firmware/boot/update.h"

#define BOOT_DEVICE DISK_LINKS "/boot"
#define CALM	    "03:00"

/* What pid 1 says of the machine. NULL, and it is said: this is none. */
static json_t *appliance(void)
{
	json_t *document = json_load_file(APPLIANCE_PATH, 0, NULL);

	if (!document)
		fprintf(stderr,
			"tarnctl: this is no appliance that runs Tarn's image (there is no "
			"%s)\n",
			APPLIANCE_PATH);
	return document;
}

static bool is_root(void)
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
	if (!machine || !is_root()) {
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

static void history_put(enum update_fate fate, const struct update *update)
{
	struct now now = clock_read();
	const char *version = *update->version ? update->version : "unknown";

	boot_history_add(HISTORY_PATH, now.wall_ms, fate ? "refused" : "installed", version,
			 fate ? update_text(fate) : "");
	if (!fate)
		attempt_note(HISTORY_PATH, version, "installed: its own init was never reached");
}

static int update_say(const struct ctl_options *options, enum update_fate fate,
		      const struct update *update, const char *when)
{
	if (options->json) {
		json_t *answer = json_pack("{s:b, s:s, s:s, s:s, s:s}", "installed", !fate, "fate",
					   update_word(fate), "text", update_text(fate), "version",
					   update->version, "restart", when);

		ctl_print_json(answer);
	} else if (fate) {
		fprintf(stderr, "tarnctl: not installed: %s\n", update_text(fate));
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
	history_put(fate, &update);
	rc = update_say(options, fate, &update, when);
	return rc ? rc : restart_want(when);
}

static int update(const struct ctl_options *options, char **args)
{
	const char *when = ctl_option(options, "restart");
	json_t *machine;
	int fd, rc;

	if (!when)
		when = CALM;
	if (!when_known(when))
		return CTL_USAGE;
	if (!is_root())
		return CTL_NOT_ALLOWED;
	machine = appliance();
	if (!machine)
		return CTL_REFUSED;
	fd = open(*args, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "tarnctl: %s: %s\n", *args, strerror(errno));
		json_decref(machine);
		return CTL_REFUSED;
	}
	rc = update_file(options, machine, fd, when);
	close(fd);
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
	json_t *machine = is_root() ? appliance() : NULL;
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
	  "FILE",
	  1,
	  1,
	  update,
	  "install a signed update of the appliance",
	  "Nothing is touched before signature, version, space and every byte are known to be "
	  "right. The new system has three starts to become healthy; else the box returns to the "
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
