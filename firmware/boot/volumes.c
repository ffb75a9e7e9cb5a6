/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exit statuses of e2fsck(8): 0 and 1 are good, 2 wants a reboot that an unmounted file system does not need, from 4
 * on something is left that is wrong.
 */
#include "firmware/boot/volumes.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/boot/disk.h"
#include "firmware/boot/run.h"
#include "firmware/boot/say.h"

#define CACHE_PATH "/var/cache/tarn"
#define STATE_PATH "/state"
#define FSCK_S	   600
#define MKFS_S	   300

#define SAFE	   (MS_NODEV | MS_NOSUID | MS_NOEXEC)

static const struct {
	const char *type, *path, *options;
	unsigned long flags;
} kernel_mounts[] = {
	{ "proc", "/proc", "hidepid=invisible", SAFE },
	{ "sysfs", "/sys", NULL, SAFE },
	{ "tmpfs", "/run", "mode=0755,size=25%", SAFE },
	{ "tmpfs", "/tmp", "mode=1777,size=10%", SAFE },
	{ "bpf", "/sys/fs/bpf", "mode=0700", SAFE },
	{ "tracefs", "/sys/kernel/tracing", "mode=0700", SAFE },
	{ "efivarfs", "/sys/firmware/efi/efivars", NULL, SAFE },
	{ "tmpfs", "/dev/shm", "mode=1777,size=10%", SAFE },
	{ "devpts", "/dev/pts", "mode=0620,ptmxmode=0666", MS_NOSUID | MS_NOEXEC },
};

const char *volume_fate_name(enum volume_fate fate)
{
	static const char *const names[] = { "whole", "mended", "new", "memory" };

	return names[fate];
}

void volumes_kernel(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kernel_mounts); i++) {
		if (!strncmp(kernel_mounts[i].path, "/dev/", 5))
			(void)mkdir(kernel_mounts[i].path, 0755);
		if (mount(kernel_mounts[i].type, kernel_mounts[i].path, kernel_mounts[i].type,
			  kernel_mounts[i].flags, kernel_mounts[i].options))
			LOG(LOG_L_WARN, "mount", "path=%s error=%d", kernel_mounts[i].path, errno);
	}
}

static bool ext_mount(const char *device, const char *path)
{
	return !mount(device, path, "ext4", SAFE | MS_NOATIME, "errors=remount-ro");
}

static enum volume_fate ext_make(const char *device, const char *path, const char *label)
{
	bool cache = !strcmp(path, CACHE_PATH);
	/* The cache's few files are large: inodes for more would take a sixtieth of the disk. */
	const char *const argv[] = {
		"/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-L", label, device, NULL
	};
	const char *const large[] = { "/usr/sbin/mke2fs",
				      "-q",
				      "-F",
				      "-t",
				      "ext4",
				      "-m",
				      "0",
				      "-L",
				      label,
				      "-b",
				      "4096",
				      "-i",
				      "262144",
				      device,
				      NULL };
	int rc = run_tool(cache ? large : argv, NULL, MKFS_S);

	if (!rc && ext_mount(device, path))
		return VOLUME_NEW;
	say("disk", "part=%s error=%d result=memory", label, rc);
	if (mount("tmpfs", path, "tmpfs", SAFE, "mode=0755,size=25%"))
		LOG(LOG_L_ERROR, "mount", "path=%s error=%d", path, errno);
	return VOLUME_MEMORY;
}

/*
 * First gently, then with all force: what can be saved of it is worth more than a clean new one. Twice with force, for where the
 * superblock is one of the copies, the journal that is played back may spoil it again, and e2fsck ends with 8 and asks for more.
 */
static enum volume_fate ext_bring(const char *device, const char *path, const char *label)
{
	const char *const gentle[] = { "/usr/sbin/e2fsck", "-p", device, NULL };
	const char *const force[] = { "/usr/sbin/e2fsck", "-y", "-f", device, NULL };
	int rc = run_tool(gentle, NULL, FSCK_S);
	bool mended = rc == 1 || rc == 2;

	for (int i = 0; i < 2 && (rc >= 4 || (rc < 0 && !i)); i++) {
		rc = run_tool(force, NULL, FSCK_S);
		mended = true;
	}
	if (rc >= 0 && rc < 4 && ext_mount(device, path))
		return mended ? VOLUME_MENDED : VOLUME_WHOLE;
	return ext_make(device, path, label);
}

static enum volume_fate memory_only(const char *path, const char *options)
{
	if (mount("tmpfs", path, "tmpfs", SAFE, options))
		LOG(LOG_L_ERROR, "mount", "path=%s error=%d", path, errno);
	return VOLUME_MEMORY;
}

enum volume_fate volumes_state(const struct disk *disk)
{
	if (!disk)
		return memory_only(STATE_PATH, "mode=0755,size=16M");
	return ext_bring(disk->part[DISK_STATE], STATE_PATH, "tarn-state");
}

void volumes_reset(const struct disk *disk)
{
	(void)umount2(STATE_PATH, UMOUNT_NOFOLLOW);
	/* State last: cut in between, the note is still there, and it begins again. */
	(void)ext_make(disk->part[DISK_CACHE], CACHE_PATH, "tarn-cache");
	(void)umount2(CACHE_PATH, UMOUNT_NOFOLLOW);
	(void)ext_make(disk->part[DISK_STATE], STATE_PATH, "tarn-state");
}

/* The file system as large as its partition: after growth, also one that was cut short by the power. */
static void ext_grow(const char *device)
{
	const char *const argv[] = { "/usr/sbin/resize2fs", device, NULL };
	int rc = run_tool(argv, NULL, MKFS_S);

	if (rc)
		say("disk", "part=tarn-cache grow=failed status=%d", rc);
}

enum volume_fate volumes_cache(const struct disk *disk, uid_t uid, gid_t gid, uint64_t *ret_bytes)
{
	enum volume_fate fate;
	struct statvfs st;

	if (!disk) {
		fate = memory_only(CACHE_PATH, "mode=0750,size=25%");
	} else {
		fate = ext_bring(disk->part[DISK_CACHE], CACHE_PATH, "tarn-cache");
		if (fate != VOLUME_MEMORY)
			ext_grow(disk->part[DISK_CACHE]);
	}
	if (chown(CACHE_PATH, uid, gid) || chmod(CACHE_PATH, 0750))
		LOG(LOG_L_WARN, "cache.owner", "error=%d", errno);
	*ret_bytes = statvfs(CACHE_PATH, &st) ? 0 : (uint64_t)st.f_blocks * st.f_frsize;
	return fate;
}

void volumes_end(void)
{
	static const char *const paths[] = { CACHE_PATH, STATE_PATH, "/boot", "/esp" };

	sync();
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (umount2(paths[i], UMOUNT_NOFOLLOW) && errno == EBUSY)
			(void)mount(NULL, paths[i], NULL, MS_REMOUNT | MS_RDONLY, NULL);
	sync();
}
