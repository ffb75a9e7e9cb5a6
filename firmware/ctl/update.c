/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl update: from a file or a URL, checked, into a slot. How far it is stands in a note (progress.h), so that the page
 * shows an update whoever has started it. Needs neither tarnd nor tarn-proxy, unless it is fetched from a URL.
 */
#include "firmware/ctl/appliance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/boot/appliance.h"
#include "firmware/boot/assess.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/download.h"
#include "firmware/boot/history.h"
#include "firmware/boot/note.h"
#include "firmware/boot/progress.h"
#include "firmware/boot/update.h"
#include "firmware/ctl/ask.h"
#include "firmware/heritage.h"

#define BOOT_DEVICE   DISK_LINKS "/boot"
#define CALM	      "03:00"
#define NOTE_EVERY_MS 500

/* What is seen of it: a bar on the terminal, and the note for all others. */
struct watch {
	const struct ctl_options *options;
	const char *stage;
	struct ctl_progress bar;
	struct progress note;
	uint64_t noted_ms;
};

static void note(struct watch *w, enum progress_state state)
{
	int rc;

	w->note.state = state;
	w->noted_ms = clock_read().mono_ms;
	rc = progress_put(NOTE_FOLDER, &w->note);
	if (rc && w->options->verbose)
		fprintf(stderr, "tarnctl: how far it is can't be noted: %s\n", strerror(-rc));
}

static void bar_end(struct watch *w)
{
	if (w->stage && !w->options->json)
		ctl_progress_end(&w->bar);
	w->stage = NULL;
}

static void on_progress(void *arg, const char *stage, uint64_t done, uint64_t total)
{
	bool fetch = !strcmp(stage, "fetch"), write = !strcmp(stage, "write");
	struct watch *w = arg;
	bool begins = w->stage != stage;

	if (begins) {
		bar_end(w);
		w->stage = stage;
		if (!w->options->json)
			ctl_progress_begin(&w->bar, stage);
	}
	if (!w->options->json)
		ctl_progress_show(&w->bar, (double)done, (double)total);
	w->note.done = done;
	w->note.total = total;
	if (begins || clock_read().mono_ms - w->noted_ms >= NOTE_EVERY_MS)
		note(w, fetch ? PROGRESS_FETCHING : write ? PROGRESS_WRITING : PROGRESS_CHECKING);
}

/* It ends here, and not well. The exit status. */
static int fail(struct watch *w, int rc, const char *text)
{
	bar_end(w);
	(void)snprintf(w->note.text, sizeof(w->note.text), "%s", text);
	note(w, PROGRESS_REFUSED);
	(void)appliance_refuse(w->options, "refused", "%s", text);
	return rc;
}

/* With the boot partition at hand. */
static enum update_fate install(int fd, const json_t *machine, struct watch *w,
				struct update *update)
{
	struct update_place place = {
		.folder = BOOT_SLOTS,
		.keys = UPDATE_KEYS,
		.running = ctl_text(machine, "version"),
		.factory = ctl_text(machine, "factory"),
		.force = ctl_option(w->options, "force") != NULL,
		.progress = on_progress,
		.arg = w,
	};
	enum update_fate fate = update_install(fd, &place, update);

	/* Older than what runs: the boot loader would never take it before that. */
	if (!fate && version_compare(update->version, place.running) < 0 &&
	    slot_mark_bad(BOOT_SLOTS, place.running))
		fate = UPDATE_NOT_WRITTEN;
	appliance_slots_note(BOOT_SLOTS, place.running);
	return fate;
}

static void history_put(enum update_fate fate, const struct update *update, const char *reason)
{
	struct now now = clock_read();
	const char *version = *update->version ? update->version : "unknown";

	/* A channel's file that can't be had is asked for again and again: that is one thing that happened. */
	if (!fate || !boot_history_ends(HISTORY_PATH, "refused", version, reason))
		boot_history_add(HISTORY_PATH, now.wall_ms, fate ? "refused" : "installed", version,
				 reason);
	if (!fate)
		attempt_note(HISTORY_PATH, version, "installed: its own init was never reached");
}

static void say(const struct ctl_options *options, enum update_fate fate,
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
}

/* What came of it, to all who want to know. `detail`: why it was refused, beyond the fate's own words; "". */
static int end(struct watch *w, enum update_fate fate, const struct update *update,
	       const char *when, const char *detail)
{
	char kinds[64];

	if (fate == UPDATE_OTHER_ARCH && !*detail) {
		(void)snprintf(kinds, sizeof(kinds), "%s, not %s", update->arch, UPDATE_ARCH);
		detail = kinds;
	}
	bar_end(w);
	(void)snprintf(w->note.text, sizeof(w->note.text), "%s%s%s", fate ? update_text(fate) : "",
		       *detail ? ": " : "", detail);
	memcpy(w->note.version, update->version, sizeof(w->note.version));
	history_put(fate, update, w->note.text);
	note(w, fate ? PROGRESS_REFUSED : PROGRESS_INSTALLED);
	say(w->options, fate, update, when, detail);
	return fate ? CTL_REFUSED : CTL_WORKING;
}

static int update_file(struct watch *w, const json_t *machine, int fd, const char *when)
{
	struct update update = { 0 };
	enum update_fate fate;
	char text[120];
	int rc = boot_mount(BOOT_DEVICE, false);

	if (rc) {
		(void)snprintf(text, sizeof(text), "the boot partition: %s",
			       rc == -EBUSY ? "somebody works on it just now" : strerror(-rc));
		return fail(w, CTL_REFUSED, text);
	}
	fate = install(fd, machine, w, &update);
	boot_unmount();
	rc = end(w, fate, &update, when, "");
	return rc ? rc : appliance_restart(w->options, when);
}

/* ---- from a URL --------------------------------------------------------------------------------- */

struct url_run {
	struct watch *watch;
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
	rc = ask_proxy_stream(run->watch->options->proxy_socket, path, piece, piece_arg, &status,
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

	on_progress(run->watch, "fetch", done, total);
}

/* Nobody waits for 36 MB that nobody has signed. */
static int on_head(void *arg, int fd)
{
	struct url_run *run = arg;

	run->fate = update_head(fd, UPDATE_KEYS, &run->update);
	memcpy(run->watch->note.version, run->update.version, sizeof(run->update.version));
	return run->fate ? 1 : 0;
}

static void on_rest(void *arg, unsigned seconds)
{
	(void)arg;
	(void)sleep(seconds);
}

/* In the cache's folder: state has no room for it. */
static int cache_path(const struct ctl_options *options, const char *name, char ret_path[200])
{
	struct tarn_settings settings;
	struct settings_error error;
	int rc = tarn_conf_load(options->config, &settings, &error);

	if (rc)
		return rc;
	rc = snprintf(ret_path, 200, "%s/%s", settings.cache.path, name) < 200 ? 0 : -ENAMETOOLONG;
	tarn_conf_free(&settings);
	return rc;
}

static int update_url(struct watch *w, const json_t *machine, const char *url, const char *when)
{
	struct url_run run = { .watch = w };
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
	int fd, rc;

	if (cache_path(w->options, "update.part", path))
		return fail(w, CTL_CONFIG, "the settings are wrong: see tarnctl config check");
	note(w, PROGRESS_FETCHING);
	rc = download(&d, &fd, why);
	if (!rc) {
		rc = update_file(w, machine, fd, when);
		close(fd);
		download_forget(path);
		return rc;
	}
	if (run.fate || rc == -EFBIG)
		download_forget(path);
	if (!run.fate)
		run.fate = UPDATE_NOT_FETCHED;
	return end(w, run.fate, &run.update, when, why);
}

/* What the admin page was given is written by tarn-proxy, which nobody trusts: a plain file, or nothing. */
static int uploaded_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

/* Once it was looked at it is of no more use. Not another, which has begun meanwhile. */
static void uploaded_drop(int fd, const char *path)
{
	struct stat ours, there;

	if (!fstat(fd, &ours) && !lstat(path, &there) && ours.st_ino == there.st_ino &&
	    ours.st_dev == there.st_dev)
		(void)unlink(path);
}

static int update_path(struct watch *w, const json_t *machine, const char *path, const char *when)
{
	char uploads[200], text[PROGRESS_TEXT];
	bool uploaded =
		!cache_path(w->options, HERITAGE_UPLOADED, uploads) && !strcmp(path, uploads);
	int fd = uploaded ? uploaded_open(path) : open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0) {
		(void)snprintf(text, sizeof(text), "%.300s: %s", path, strerror(errno));
		return fail(w, CTL_REFUSED, text);
	}
	note(w, PROGRESS_CHECKING);
	rc = update_file(w, machine, fd, when);
	if (uploaded)
		uploaded_drop(fd, path);
	close(fd);
	return rc;
}

static bool is_url(const char *what)
{
	return !strncmp(what, "https://", 8) || !strncmp(what, "http://", 7);
}

int appliance_update(const struct ctl_options *options, const json_t *machine, const char *what,
		     const char *when)
{
	struct watch w = { .options = options };
	int rc, claim = appliance_claim(options);

	if (claim < 0)
		return CTL_REFUSED;
	rc = is_url(what) ? update_url(&w, machine, what, when)
			  : update_path(&w, machine, what, when);
	close(claim);
	return rc;
}

static int update(const struct ctl_options *options, char **args)
{
	const char *when = ctl_option(options, "restart");
	json_t *machine;
	int rc;

	if (!when)
		when = CALM;
	if (!appliance_when_known(when))
		return CTL_USAGE;
	machine = appliance_of_root(&rc);
	if (!machine)
		return rc;
	rc = appliance_update(options, machine, *args, when);
	json_decref(machine);
	return rc;
}

static const struct ctl_option force = { 0, "force", NULL,
					 "also an older version, or one that failed here" };

static const struct ctl_command commands[] = {
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
	  { &force, &appliance_when } },
};
CTL_TABLE(update, commands);
