/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks are looked up in /sys/block, their tables read by gpt.h. The boot loader leaves the id of its partition in a
 * variable of the firmware (the Boot Loader Interface of systemd, LoaderDevicePartUUID).
 */
#include "firmware/boot/disk.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/boot/efivar.h"
#include "firmware/boot/gpt.h"
#include "firmware/boot/origin.h"

#define LOADER_PART EFIVARS "LoaderDevicePartUUID" EFIVAR_LOADER

static const char *const part_names[DISK_PARTS] = { "tarn-esp", "tarn-boot", "tarn-state",
						    "tarn-cache" };
static const char *const link_names[DISK_PARTS] = { "esp", "boot", "state", "cache" };

/* 16 bytes as on disk (the first three fields are little-endian) from "7461726E-0000-...". */
static bool guid_parse(const char *text, uint8_t ret[16])
{
	static const uint8_t place[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	unsigned n = 0, byte;

	while (n < 16 && *text) {
		if (*text == '-') {
			text++;
			continue;
		}
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    sscanf(text, "%2x", &byte) != 1)
			return false;
		ret[place[n++]] = (uint8_t)byte;
		text += 2;
	}
	return n == 16;
}

/* The id of the partition that we were started from. */
static bool loader_part(uint8_t ret[16])
{
	char text[41];

	if (efivar_text(LOADER_PART, text, sizeof(text)))
		return false;
	return guid_parse(text, ret);
}

static int disk_open(const char *name, int flags, uint64_t *ret_sectors)
{
	uint64_t bytes;
	char path[48];
	int fd, size;

	(void)snprintf(path, sizeof(path), "/dev/%.32s", name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, BLKGETSIZE64, &bytes) || ioctl(fd, BLKSSZGET, &size) || size != GPT_SECTOR) {
		close(fd);
		return -ENOTSUP;
	}
	*ret_sectors = bytes / GPT_SECTOR;
	return fd;
}

static bool disk_is_ours(const char *name, const uint8_t *loader, struct disk *disk)
{
	struct gpt *gpt = malloc(sizeof(*gpt));
	bool ours = false;
	int fd = gpt ? disk_open(name, O_RDONLY, &disk->sectors) : -ENOMEM, at;

	if (fd >= 0 && !gpt_read(fd, disk->sectors, gpt)) {
		ours = true;
		for (int i = 0; i < DISK_PARTS; i++) {
			at = gpt_find(gpt, part_names[i]);
			ours = ours && at >= 0;
			(void)snprintf(disk->part[i], sizeof(disk->part[i]), "/dev/%.32s%s%d", name,
				       isdigit((unsigned char)name[strlen(name) - 1]) ? "p" : "",
				       at + 1);
		}
		at = gpt_find(gpt, part_names[DISK_ESP]);
		if (ours && loader)
			ours = !memcmp(gpt->entries[at].id, loader, 16);
	}
	if (fd >= 0)
		close(fd);
	free(gpt);
	(void)snprintf(disk->name, sizeof(disk->name), "%.31s", name);
	return ours;
}

static int is_disk(const struct dirent *e)
{
	return e->d_name[0] != '.' && strncmp(e->d_name, "loop", 4) &&
	       strncmp(e->d_name, "ram", 3) && strncmp(e->d_name, "sr", 2) &&
	       strncmp(e->d_name, "zram", 4);
}

static void links_make(const struct disk *disk)
{
	char path[64];

	(void)mkdir("/run/tarn", 0755);
	(void)mkdir(DISK_LINKS, 0755);
	for (int i = 0; i < DISK_PARTS; i++) {
		(void)snprintf(path, sizeof(path), DISK_LINKS "/%s", link_names[i]);
		(void)unlink(path);
		if (symlink(disk->part[i], path))
			return;
	}
}

int disk_find(struct disk *ret_disk, bool *ret_doubt)
{
	uint8_t loader[16], buf[ORIGIN_BYTES];
	bool known = loader_part(loader);
	struct span origin = origin_read(buf);
	enum origin_is is, best = ORIGIN_UNKNOWN;
	struct dirent **entries;
	struct disk disk = { 0 };
	int n = scandir("/sys/block", &entries, is_disk, alphasort), rc = -ENOENT;

	for (int i = 0; i < n; i++) {
		if (disk_is_ours(entries[i]->d_name, known ? loader : NULL, &disk) &&
		    !access(disk.part[DISK_CACHE], F_OK)) {
			is = origin_of(origin, disk.name);
			if (rc || is > best) {
				*ret_disk = disk;
				best = is;
			}
			rc = 0;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	*ret_doubt = best == ORIGIN_OTHER;
	if (!rc)
		links_make(ret_disk);
	return rc;
}

/* Tells the kernel, which uses the other partitions meanwhile. */
static int part_resize(int fd, const struct gpt *gpt, int index)
{
	struct blkpg_partition p = {
		.start = (long long)gpt->entries[index].first * GPT_SECTOR,
		.length = (long long)(gpt->entries[index].last - gpt->entries[index].first + 1) *
			  GPT_SECTOR,
		.pno = index + 1,
	};
	struct blkpg_ioctl_arg arg = { .op = BLKPG_RESIZE_PARTITION,
				       .datalen = sizeof(p),
				       .data = &p };

	return ioctl(fd, BLKPG, &arg) ? -errno : 0;
}

int disk_grow(const struct disk *disk, bool *ret_grown)
{
	struct gpt *gpt = malloc(sizeof(*gpt));
	uint64_t sectors;
	int fd = gpt ? disk_open(disk->name, O_RDWR, &sectors) : -ENOMEM, rc = fd, at;

	*ret_grown = false;
	if (fd < 0)
		goto out;
	rc = gpt_read(fd, sectors, gpt);
	if (rc)
		goto out;
	at = gpt_find(gpt, part_names[DISK_CACHE]);
	*ret_grown = at >= 0 && gpt_grow(gpt, at);
	if (*ret_grown || !gpt->primary_good || !gpt->backup_good)
		rc = gpt_write(fd, gpt);
	if (!rc && at >= 0)
		rc = part_resize(fd, gpt, at);
out:
	if (fd >= 0)
		close(fd);
	free(gpt);
	return rc;
}

/* A FAT file system's label, of its boot sector (FAT32 at 71, FAT12/16 at 43). */
static bool fat_labelled(const char *path, const char *label)
{
	uint8_t sector[512];
	char want[12];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, sector, sizeof(sector));

	if (fd >= 0)
		close(fd);
	(void)snprintf(want, sizeof(want), "%-11s", label);
	return n == sizeof(sector) && sector[510] == 0x55 && sector[511] == 0xaa &&
	       ((!memcmp(sector + 82, "FAT32", 5) && !memcmp(sector + 71, want, 11)) ||
		(!memcmp(sector + 54, "FAT", 3) && !memcmp(sector + 43, want, 11)));
}

int disk_labelled(const char *label, const struct disk *boot_disk, char ret_path[48])
{
	struct dirent *e;
	DIR *dir = opendir("/sys/class/block");
	char path[48];
	int rc = -ENOENT;

	while (dir && rc && (e = readdir(dir))) {
		if (!is_disk(e) ||
		    (boot_disk && !strncmp(e->d_name, boot_disk->name, strlen(boot_disk->name))))
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%.40s", e->d_name);
		if (fat_labelled(path, label)) {
			memcpy(ret_path, path, sizeof(path));
			rc = 0;
		}
	}
	if (dir)
		closedir(dir);
	return rc;
}
