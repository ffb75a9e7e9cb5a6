/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File systems: those of the kernel, and those of the boot disk, which are checked, mended, or made anew when nothing
 * else helps. A damaged disk never stops the boot: what can't be had is in memory instead.
 */
#ifndef FIRMWARE_BOOT_VOLUMES_H
#define FIRMWARE_BOOT_VOLUMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "firmware/base/check.h"

struct disk;

enum volume_fate {
	VOLUME_WHOLE,
	VOLUME_MENDED, /* e2fsck changed something */
	VOLUME_NEW,    /* was beyond repair: made anew, empty */
	VOLUME_MEMORY, /* could not be had */
};
const char *volume_fate_name(enum volume_fate fate);

/* /proc, /sys, /run and the like. What fails is logged: little works without them, all the same we go on. */
void volumes_kernel(void);

/* State and cache as the factory made them, empty; state is mounted before and afterwards, the cache neither. */
void volumes_reset(const struct disk *disk);

/* The state partition on /state; `disk` NULL: in memory. */
enum volume_fate volumes_state(const struct disk *disk);

/* The cache partition on /var/cache/tarn, as large as its partition, owned by uid:gid. */
enum volume_fate volumes_cache(const struct disk *disk, uid_t uid, gid_t gid, uint64_t *ret_bytes);

/* Everything to disk, then as much unmounted or read-only as can be. */
void volumes_end(void);

#endif
