/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	installed (tarnctl update) ──► started ──► services ──► ready ──► good
 *	                                  │ panic, hang, deadline: the machine starts again, the loader counts
 *	                                  └──► another slot boots, finds the attempt, and writes "failed" with the last stage
 *
 * The loader says that it counted by the variable LoaderBootCountPath (systemd's Boot Loader Interface). A good slot that
 * could not be loaded is named by TarnUnloadable (image/guard.c): then the factory's system runs in its place, removes it,
 * and, if another good one is left, starts the machine again for that one.
 */
#include "firmware/boot/assess.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/efivar.h"
#include "firmware/boot/history.h"
#include "firmware/boot/run.h"
#include "firmware/boot/say.h"

#define COUNT_VAR      EFIVARS "LoaderBootCountPath" EFIVAR_LOADER
#define UNLOADABLE_VAR EFIVARS "TarnUnloadable" EFIVAR_TARN
#define FAT_FLAGS      (MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME)
#define FAT_OPTIONS    "umask=0077,shortname=winnt,errors=remount-ro"
#define BOOT_LOCK      "/run/tarn/boot.lock"
#define VERSION_WORD   "tarn.version="

static int lock_fd = -1;

int version_running(char ret_version[SLOT_VERSION])
{
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC), rc = -ENOENT;
	char text[2048];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	struct span rest = span_make(text, n > 0 ? (size_t)n : 0), word;

	if (fd >= 0)
		close(fd);
	if (rest.n && span_ends(rest, SPAN("\n")))
		rest.n--;
	while (rc && span_cut(&rest, ' ', &word))
		if (span_starts(word, SPAN(VERSION_WORD)) &&
		    version_valid(span_drop(word, sizeof(VERSION_WORD) - 1)))
			rc = span_copy(span_drop(word, sizeof(VERSION_WORD) - 1), ret_version,
				       SLOT_VERSION);
	return rc;
}

/* One at a time: pid 1, and tarnctl. */
static int boot_lock(void)
{
	lock_fd = open(BOOT_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock_fd < 0)
		return -errno;
	if (!flock(lock_fd, LOCK_EX | LOCK_NB)) {
		/* One that was killed may have left it mounted. */
		while (!umount2("/boot", UMOUNT_NOFOLLOW))
			;
		return 0;
	}
	close(lock_fd);
	lock_fd = -1;
	return -EBUSY;
}

static void boot_unlock(void)
{
	close(lock_fd);
	lock_fd = -1;
}

static int fat_mount(const char *device)
{
	return mount(device, "/boot", "vfat", FAT_FLAGS | MS_DIRSYNC, FAT_OPTIONS) ? -errno : 0;
}

static int boot_make(const char *device)
{
	const char *const argv[] = { "/usr/sbin/mkfs.fat", "-F",   "32", "-n",
				     "TARN-BOOT",	   device, NULL };
	int rc = run_tool(argv, NULL, 60);

	return rc ? -EIO : fat_mount(device);
}

int boot_mount(const char *device, bool may_make)
{
	const char *const check[] = { "/usr/sbin/fsck.fat", "-a", device, NULL };
	int rc = boot_lock();

	if (rc)
		return rc;
	rc = run_tool(check, NULL, 120);
	if (rc < 0 || rc > 1)
		LOG(LOG_L_WARN, "boot.check", "status=%d", rc);
	rc = fat_mount(device);
	if (rc && may_make) {
		rc = boot_make(device);
		say("slots", "part=tarn-boot result=%s error=%d", rc ? "lost" : "new", rc);
	}
	if (!rc && ((mkdir("/boot/EFI", 0700) && errno != EEXIST) ||
		    (mkdir(BOOT_SLOTS, 0700) && errno != EEXIST))) {
		rc = -errno;
		boot_unmount();
		return rc;
	}
	if (rc)
		boot_unlock();
	return rc;
}

void boot_unmount(void)
{
	if (umount2("/boot", UMOUNT_NOFOLLOW))
		LOG(LOG_L_WARN, "boot.unmount", "error=%d", errno);
	boot_unlock();
}

/* The version of the image in the ESP, which is only ever read. */
static void factory_look(struct assess *a, const struct disk *disk)
{
	struct slot slots[SLOTS_MAX];
	int n;

	if (mount(disk->part[DISK_ESP], "/esp", "vfat", FAT_FLAGS | MS_RDONLY, "umask=0077"))
		return;
	n = slots_list("/esp/EFI/Linux", slots);
	if (n > 0)
		memcpy(a->factory, slots[0].version, sizeof(a->factory));
	if (umount2("/esp", UMOUNT_NOFOLLOW))
		LOG(LOG_L_WARN, "esp.unmount", "error=%d", errno);
}

void assess_look(struct assess *a, const struct disk *disk)
{
	/* Made anew only by the factory's system: another one's own file is in there. */
	int rc = boot_mount(disk->part[DISK_BOOT], !strcmp(a->version, a->factory));

	a->slots_n = 0;
	if (rc) {
		say("slots", "part=tarn-boot error=%d", rc);
		return;
	}
	a->slots_n = slots_list(BOOT_SLOTS, a->slots);
	if (a->slots_n < 0)
		a->slots_n = 0;
	boot_unmount();
}

/* Another version's attempt that did not end well: we are here in its place. */
static void attempt_judge(const struct assess *a, struct now now)
{
	char version[32], stage[ATTEMPT_STAGE], reason[ATTEMPT_STAGE + 64];

	if (attempt_load(HISTORY_PATH, version, stage) || !strcmp(version, a->version))
		return;
	/* One that still has its tries was not tried: somebody chose us by hand. */
	for (int i = 0; i < a->slots_n; i++)
		if (!strcmp(a->slots[i].version, version) && a->slots[i].left > 0)
			return;
	(void)snprintf(reason, sizeof(reason), "did not become healthy; came as far as: %s", stage);
	boot_history_add(HISTORY_PATH, now.wall_ms, "failed", version, reason);
	boot_history_add(HISTORY_PATH, now.wall_ms, "fallback", a->version,
			 !strcmp(a->version, a->factory) ? "running the factory's system"
							 : "running the slot before");
	say("slots", "failed=%s stage=\"%s\" running=%s", version, stage, a->version);
	attempt_end(HISTORY_PATH);
}

/* The good slot of that file name; the loader writes names in small letters. */
static const struct slot *good_slot(const struct assess *a, const char *file)
{
	for (int i = 0; i < a->slots_n; i++)
		if (a->slots[i].left < 0 && !strcasecmp(a->slots[i].file, file))
			return &a->slots[i];
	return NULL;
}

/* As the loader would choose: the good one that comes before the factory's. */
static const struct slot *good_left(const struct assess *a)
{
	for (int i = 0; i < a->slots_n; i++)
		if (a->slots[i].left < 0 && version_compare(a->slots[i].version, a->factory) > 0)
			return &a->slots[i];
	return NULL;
}

/* What is no image at all, the loader does not even see. (Or somebody stood at the machine, and chose us.) */
static void passed_over_judge(const struct assess *a, struct now now)
{
	const struct slot *slot = good_left(a);
	char reason[160];

	if (!slot)
		return;
	say("slots", "passed_over=%s running=%s", slot->version, a->version);
	(void)snprintf(reason, sizeof(reason),
		       "%s was good, and was not started: its file is damaged, or somebody chose "
		       "the factory's system by hand",
		       slot->version);
	if (!boot_history_ends(HISTORY_PATH, "fallback", a->version, reason))
		boot_history_add(HISTORY_PATH, now.wall_ms, "fallback", a->version, reason);
}

static void unloadable_judge(struct assess *a, const struct disk *disk, struct now now)
{
	static const char reason[] = "it could not be loaded any more: its file is damaged, or of "
				     "no signature that the firmware takes";
	char file[SLOT_FILE], version[SLOT_VERSION];
	const struct slot *slot;
	int rc;

	if (efivar_text(UNLOADABLE_VAR, file, sizeof(file))) {
		passed_over_judge(a, now);
		return;
	}
	slot = good_slot(a, file);
	say("slots", "unloadable=%s action=%s", slot ? slot->version : "unknown",
	    slot ? "removed" : "none");
	if (!slot)
		return;
	memcpy(version, slot->version, sizeof(version));
	rc = boot_mount(disk->part[DISK_BOOT], false);
	if (!rc) {
		rc = slot_remove(BOOT_SLOTS, slot->file);
		a->slots_n = slots_list(BOOT_SLOTS, a->slots);
		if (a->slots_n < 0)
			a->slots_n = 0;
		boot_unmount();
	}
	a->restart = !rc && good_left(a) != NULL;
	boot_history_add(HISTORY_PATH, now.wall_ms, "failed", version, reason);
	if (!a->restart)
		boot_history_add(HISTORY_PATH, now.wall_ms, "fallback", a->version,
				 "running the factory's system");
	if (rc || a->restart)
		say("slots", "unloadable=%s error=%d restart=%d", version, rc, a->restart);
}

void assess_begin(struct assess *a, const struct disk *disk, uint64_t limit_ms, struct now now)
{
	*a = (struct assess){ .counted = !access(COUNT_VAR, F_OK) };
	if (version_running(a->version))
		(void)snprintf(a->version, sizeof(a->version), "0");
	a->deadline_ms = a->counted ? limit_ms : 0;
	if (disk) {
		factory_look(a, disk);
		assess_look(a, disk);
	}
	if (a->counted)
		assess_stage(a, "started");
	else if (disk)
		attempt_judge(a, now);
	if (disk && !strcmp(a->version, a->factory))
		unloadable_judge(a, disk, now);
	say("slots", "running=%s kind=%s factory=%s slots=%d", a->version,
	    a->counted			      ? "trial"
	    : !strcmp(a->version, a->factory) ? "factory"
					      : "good",
	    *a->factory ? a->factory : "none", a->slots_n);
}

void assess_stage(const struct assess *a, const char *stage)
{
	if (a->counted && !a->good)
		attempt_note(HISTORY_PATH, a->version, stage);
}

void assess_good(struct assess *a, const struct disk *disk, struct now now)
{
	int rc = 0;

	if (a->good)
		return;
	if (!a->counted || !disk) {
		a->good = true;
		return;
	}
	rc = boot_mount(disk->part[DISK_BOOT], false);
	if (rc == -EBUSY)
		return;
	a->good = true;
	if (!rc) {
		rc = slot_mark_good(BOOT_SLOTS, a->version);
		a->slots_n = slots_list(BOOT_SLOTS, a->slots);
		if (a->slots_n < 0)
			a->slots_n = 0;
		boot_unmount();
	}
	say("slots", "good=%s error=%d", a->version, rc);
	if (!rc) {
		boot_history_add(HISTORY_PATH, now.wall_ms, "good", a->version, "");
		attempt_end(HISTORY_PATH);
	}
}
