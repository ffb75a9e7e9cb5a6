/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot disk: the one whose table holds the partition that the boot loader was read from, or, where the firmware
 * does not say, the first that has all of Tarn's partitions. Where several are that, for the image was written to each of them, it is
 * the one where the firmware has started from (origin.h). No other disk is ever written.
 * /run/tarn/disk/{esp,boot,state,cache} point to its partitions afterwards, for tarnctl.
 */
#ifndef FIRMWARE_BOOT_DISK_H
#define FIRMWARE_BOOT_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/check.h"

#define DISK_LINKS "/run/tarn/disk"

enum disk_part {
	DISK_ESP,
	DISK_BOOT,
	DISK_STATE,
	DISK_CACHE,
	DISK_PARTS
};

struct disk {
	char name[32];		   /* as in /sys/block */
	char part[DISK_PARTS][64]; /* /dev/sda1 ... */
	uint64_t sectors;
};

/* -ENOENT: not there (yet). *ret_doubt: it hangs elsewhere than the one that was started; that one may come yet. */
MUST_USE int disk_find(struct disk *ret_disk, bool *ret_doubt);

/*
 * The cache partition to the disk's end, and both copies of the table whole. *ret_grown: was anything grown?
 * 0 or -errno; the disk is usable as it is then.
 */
MUST_USE int disk_grow(const struct disk *disk, bool *ret_grown);

/* Is there a device with this file system label (vfat), as a stick's? Its node into `ret_path`. -ENOENT. `boot_disk` (NULL: none) is left out. */
MUST_USE int disk_labelled(const char *label, const struct disk *boot_disk, char ret_path[48]);

#endif
