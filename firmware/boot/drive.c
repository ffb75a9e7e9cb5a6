/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	on USB? ──► waiting ──► child: blkid ──► ours? ──► mount ──► firmware/systemd/drive ──► tarnctl ──► its end: history
 *
 * The child has a mount namespace of its own: the drive is mounted for it and what it starts. The script lets it go before it
 * says that it is done, and the kernel with the last of them, however they end. Nothing on the drive is run or followed. What
 * is told on the way stands in a note, one line for people, which we read.
 */
#include "firmware/boot/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/span.h"
#include "firmware/boot/history.h"
#include "firmware/boot/host.h"
#include "firmware/boot/run.h"

#define BLOCK	 "/sys/class/block"
#define PLACE	 "/tmp/drive"
#define NOTE	 "/run/drive"	      /* not in the folder that tarn-proxy may write to */
#define LIMIT_MS (6 * 3600 * 1000ULL) /* as the unit's (tarn-drive@.service) */
#define BLKID_S	 60
#define END_S	 5
#define SAFE	 (MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOSYMFOLLOW | MS_NOATIME)

static const struct {
	const char *type, *options;
} systems[] = {
	{ "vfat", "umask=0077,utf8,errors=remount-ro" },
	{ "exfat", "umask=0077" },
	{ "ext4", "errors=remount-ro" }, /* a drive may ask for a panic */
	{ "ext3", "errors=remount-ro" },
	{ "ext2", "errors=remount-ro" },
};

/* ---- which they are ----------------------------------------------------------------------------- */

bool drive_is_usb(const char *folder, const char *name)
{
	char path[128], target[400];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.64s/%.40s", folder, name);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	return strstr(target, "/usb") != NULL;
}

static bool has(const char *line, const char *key, const char *value)
{
	char text[64];

	(void)snprintf(text, sizeof(text), " %s=\"%s\"", key, value);
	return strstr(line, text) != NULL;
}

bool drive_identify(const char *line, struct drive_kind *ret_kind)
{
	static const char *const labels[] = { "TARN-IMPORT", "TARN-EXPORT" };

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (!has(line, "LABEL", labels[i]))
			continue;
		*ret_kind = (struct drive_kind){ labels[i], "" };
		for (size_t j = 0; j < ARRAY_LEN(systems); j++)
			if (has(line, "TYPE", systems[j].type))
				ret_kind->type = systems[j].type;
		return true;
	}
	return false;
}

/* ---- the child ---------------------------------------------------------------------------------- */

static int mount_at(const char *device, const struct drive_kind *kind)
{
	const char *options = NULL;

	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		if (!strcmp(systems[i].type, kind->type))
			options = systems[i].options;
	if (!options)
		return -ENODEV;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    (mkdir(PLACE, 0700) && errno != EEXIST))
		return -errno;
	if (!mount(device, PLACE, kind->type, SAFE, options))
		return 0;
	/* One that can't be written to can be read all the same. */
	if ((errno == EROFS || errno == EACCES) &&
	    !mount(device, PLACE, kind->type, SAFE | MS_RDONLY, options))
		return 0;
	return -errno;
}

/* In the child: what it is to become; NULL: the drive is none of ours. */
static const char *const *prepare(void *arg)
{
	static char device[48], why[160];
	static const char *argv[] = { "/usr/lib/tarn/drive", NULL, PLACE, NULL, NULL };
	const char *const blkid[] = { "/usr/bin/blkid", device, NULL };
	struct drive_kind kind;
	char line[400];
	int rc;

	(void)snprintf(device, sizeof(device), "/dev/%.40s", (const char *)arg);
	run_tick_set(NULL, NULL); /* the watchdog is pid 1's */
	if (run_capture(blkid, line, sizeof(line), BLKID_S) || !drive_identify(line, &kind))
		return NULL;
	argv[1] = kind.label;
	rc = mount_at(device, &kind);
	if (rc == -ENODEV) {
		argv[3] = "the drive has no file system that this system knows: FAT, exFAT, ext4";
	} else if (rc) {
		(void)snprintf(why, sizeof(why), "the drive can't be mounted: %s", strerror(-rc));
		argv[3] = why;
	} else {
		(void)setenv("TARN_DRIVE_MOUNTED", "yes", 1);
	}
	(void)setenv("TARN_DRIVE_NOTE", NOTE, 1);
	return argv;
}

/* ---- one after the other ------------------------------------------------------------------------ */

static void waiting_drop(struct drives *d, size_t i)
{
	d->n--;
	memmove(d->waiting[i], d->waiting[i + 1], (d->n - i) * sizeof(d->waiting[0]));
}

void drives_came(struct drives *d, const char *name, bool there)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->waiting[i], name)) {
			waiting_drop(d, i);
			break;
		}
	if (!there || strlen(name) >= DRIVE_NAME || !drive_is_usb(BLOCK, name))
		return;
	if (d->n == DRIVES_MAX) {
		LOG(LOG_L_WARN, "drive.too_many", "name=%s", LOG_QUOTE(span_of(name)));
		return;
	}
	memcpy(d->waiting[d->n++], name, strlen(name) + 1);
}

/* True: the child has told something. */
static bool note_read(struct drives *d)
{
	char text[DRIVE_TEXT_MAX];
	int fd = open(NOTE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	memcpy(d->text, text, sizeof(text));
	return true;
}

void drives_see_to(struct drives *d, struct now now)
{
	if (d->pid > 0) {
		(void)note_read(d);
		if (now.mono_ms - d->started_ms > LIMIT_MS)
			(void)kill(-d->pid, SIGKILL);
		return;
	}
	if (!d->n)
		return;
	(void)unlink(NOTE);
	d->pid = run_prepared(prepare, d->waiting[0]);
	d->started_ms = now.mono_ms;
	if (d->pid < 0)
		LOG(LOG_L_ERROR, "drive.start", "error=%d", (int)d->pid);
	waiting_drop(d, 0);
}

bool drives_ended(struct drives *d, pid_t pid, int wait_status, struct now now)
{
	size_t n;

	if (d->pid <= 0 || pid != d->pid)
		return false;
	d->pid = 0;
	if (!note_read(d))
		return true;
	n = strlen(d->text);
	if (WIFSIGNALED(wait_status))
		(void)snprintf(d->text + n, sizeof(d->text) - n, "; it was ended by signal %d",
			       WTERMSIG(wait_status));
	boot_history_add(HISTORY_PATH, now.wall_ms, wait_status ? "drive-failed" : "drive", "",
			 d->text);
	return true;
}

void drives_end(struct drives *d)
{
	if (d->pid <= 0)
		return;
	(void)kill(-d->pid, SIGTERM);
	host_wait_end(d->pid, END_S);
}
