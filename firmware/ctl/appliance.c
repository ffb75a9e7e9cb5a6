/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl slots, rollback, restart, factory-reset: the appliance's systems. They need no other program: all of it can be
 * done with tarnd and tarn-proxy down, too. Elsewhere than on an appliance they refuse. The page's buttons are these
 * commands (firmware/keeper/appliance.c).
 */
#include "firmware/ctl/appliance.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/boot/appliance.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/history.h"
#include "firmware/boot/note.h"
#include "firmware/boot/progress.h"
#include "firmware/boot/restart.h"
#include "firmware/boot/screen.h"
#include "firmware/boot/seed.h"

#define BOOT_DEVICE DISK_LINKS "/boot"

static int refuse_none(void)
{
	fprintf(stderr, "tarnctl: this is no appliance that runs Tarn's image (there is no %s)\n",
		APPLIANCE_PATH);
	return CTL_REFUSED;
}

json_t *appliance_of_root(int *ret_status)
{
	json_t *machine;

	if (geteuid() != 0) {
		fprintf(stderr, "tarnctl: only root may do this\n");
		*ret_status = CTL_NOT_ALLOWED;
		return NULL;
	}
	machine = json_load_file(APPLIANCE_PATH, 0, NULL);
	if (!machine)
		*ret_status = refuse_none();
	return machine;
}

int appliance_refuse(const struct ctl_options *options, const char *word, const char *format, ...)
{
	char text[500];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (options->json) {
		(void)ctl_print_json(json_pack("{s:s, s:s}", "error", word, "text", text));
	} else {
		fputs("tarnctl: ", stderr);
		ctl_put_text(text, stderr);
		fputc('\n', stderr);
	}
	return CTL_REFUSED;
}

int appliance_claim(const struct ctl_options *options)
{
	int fd = progress_claim(NOTE_FOLDER);

	if (fd < 0)
		(void)appliance_refuse(options, fd == -EBUSY ? "busy" : "refused", "%s",
				       fd == -EBUSY ? "an update or a rollback is under way"
						    : strerror(-fd));
	return fd;
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

/* Of an update since the machine started; it may run just now. */
static void update_line(const json_t *update)
{
	double done = ctl_number(update, "done"), total = ctl_number(update, "total");
	char text[PROGRESS_TEXT + 80];

	if (!strcmp(ctl_text(update, "state"), "idle"))
		return;
	(void)snprintf(text, sizeof(text), "%s %s%s%s", ctl_text(update, "state"),
		       ctl_text(update, "version"), *ctl_text(update, "text") ? ": " : "",
		       ctl_text(update, "text"));
	if (total > 0 && done < total)
		(void)snprintf(text, sizeof(text), "%s %s, %.0f %%", ctl_text(update, "state"),
			       ctl_text(update, "version"), 100 * done / total);
	ctl_line("update", text);
}

static int slots(const struct ctl_options *options, char **args)
{
	json_t *all = appliance_document(HISTORY_LINES);
	char at[40];

	(void)args;
	if (!all)
		return refuse_none();
	if (options->json)
		return ctl_print_json(all);
	ctl_line("running", ctl_text(all, "version"));
	ctl_line("factory", ctl_text(all, "factory"));
	update_line(json_object_get(all, "update"));
	if (json_is_integer(json_object_get(all, "restart_at")))
		ctl_line("restart", ctl_time(ctl_number(all, "restart_at"), at));
	if (*ctl_text(all, "drive"))
		ctl_line("drive", ctl_text(all, "drive"));
	putchar('\n');
	ctl_print_table(json_object_get(all, "slots"), slot_columns, ARRAY_LEN(slot_columns),
			"no slot but the factory's");
	putchar('\n');
	ctl_print_table(json_object_get(all, "history"), history_columns,
			ARRAY_LEN(history_columns), "nothing happened yet");
	json_decref(all);
	return CTL_WORKING;
}

/* ---- restart ---------------------------------------------------------------------------------- */

bool appliance_when_known(const char *when)
{
	int64_t at;

	if (!restart_time(when, clock_read().wall_ms, &at))
		return true;
	fprintf(stderr, "tarnctl: --restart is now, no, or a time of day as 03:00 (UTC)\n");
	return false;
}

int appliance_restart(const struct ctl_options *options, const char *when)
{
	int64_t at;
	int rc = restart_time(when, clock_read().wall_ms, &at);

	if (!rc)
		rc = restart_note(at);
	if (!rc)
		return CTL_WORKING;
	(void)appliance_refuse(options, "refused", "the restart can't be noted: %s", strerror(-rc));
	return CTL_SOFTWARE;
}

static int restart(const struct ctl_options *options, char **args)
{
	int rc = CTL_USAGE;
	json_t *machine;

	if (*args && !appliance_when_known(*args))
		return rc;
	machine = appliance_of_root(&rc);
	if (!machine)
		return rc;
	json_decref(machine);
	return appliance_restart(options, *args ? *args : "now");
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

/* The running system is the last that the loader takes. 0 or -errno. */
static int set_aside(const char *running, const char *next)
{
	char why[96];
	int rc = boot_mount(BOOT_DEVICE, false);

	if (rc)
		return rc;
	rc = slot_mark_bad(BOOT_SLOTS, running);
	appliance_slots_note(BOOT_SLOTS, running);
	boot_unmount();
	if (rc)
		return rc;
	(void)snprintf(why, sizeof(why), "by hand; %.40s runs next", next);
	boot_history_add(HISTORY_PATH, clock_read().wall_ms, "rolled-back", running, why);
	return 0;
}

static int rollback_to(const struct ctl_options *options, const json_t *machine, const char *next,
		       const char *when)
{
	const char *running = ctl_text(machine, "version");
	int rc, claim;

	if (!*next)
		return appliance_refuse(options, "refused",
					"the factory's system runs; there is none before it");
	claim = appliance_claim(options);
	if (claim < 0)
		return CTL_REFUSED;
	rc = set_aside(running, next);
	close(claim);
	if (rc)
		return appliance_refuse(options, "refused", "the boot partition: %s",
					strerror(-rc));
	if (options->json)
		(void)ctl_print_json(json_pack("{s:s, s:s, s:s}", "set_aside", running, "next",
					       next, "restart", when));
	else
		printf("%s is set aside, %s runs next. Restart: %s.\n", running, next, when);
	return appliance_restart(options, when);
}

static int rollback(const struct ctl_options *options, char **args)
{
	const char *when = ctl_option(options, "restart");
	json_t *machine;
	int rc;

	(void)args;
	when = when ? when : "now";
	if (!appliance_when_known(when))
		return CTL_USAGE;
	machine = appliance_of_root(&rc);
	if (!machine)
		return rc;
	rc = rollback_to(options, machine, next_version(machine), when);
	json_decref(machine);
	return rc;
}

/* ---- factory reset ------------------------------------------------------------------------------ */

static int factory_reset(const struct ctl_options *options, char **args)
{
	json_t *machine;
	int rc;

	(void)args;
	if (!ctl_option(options, "yes")) {
		fprintf(stderr, "tarnctl: settings, passwords, the CA and all that is stored would "
				"be gone; --yes if that is meant\n");
		return CTL_USAGE;
	}
	machine = appliance_of_root(&rc);
	if (!machine)
		return rc;
	json_decref(machine);
	rc = reset_note("tarnctl");
	if (rc)
		return appliance_refuse(options, "refused", "the state partition: %s",
					strerror(-rc));
	if (!options->json)
		printf("State and cache are made anew when the appliance starts again: now.\n");
	return appliance_restart(options, "now");
}

const struct ctl_option appliance_when = { 0, "restart", "WHEN",
					   "now, no, or a time of day as 03:00 (UTC)" };
static const struct ctl_option yes = { 0, "yes", NULL, "it is meant" };

static const struct ctl_command commands[] = {
	{ "slots",
	  "",
	  0,
	  0,
	  slots,
	  "the appliance's systems, and what became of updates",
	  NULL,
	  { NULL } },
	{ "rollback",
	  "",
	  0,
	  0,
	  rollback,
	  "set the running system aside and return to the one before",
	  "Without one before, to the factory's. Restarts at once unless --restart says else.",
	  { &appliance_when } },
	{ "restart",
	  "[WHEN]",
	  0,
	  1,
	  restart,
	  "restart the appliance (now, or at a time of day, UTC)",
	  "no takes back what was planned.",
	  { NULL } },
	{ "factory-reset",
	  "",
	  0,
	  0,
	  factory_reset,
	  "make the appliance's state and cache anew, as on the first day",
	  "Settings, passwords, the CA and all that is stored are gone; the systems stay. Restarts "
	  "at once.",
	  { &yes } },
};
CTL_TABLE(appliance, commands);
