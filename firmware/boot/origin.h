/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the firmware has started from, as the guard leaves it (image/guard.c): a device path (UEFI 2.10, 10.3). Disks that the image
 * was written to have the same ids in their tables; where they hang tells them apart: the PCI functions on the way. Two at one
 * controller are not told apart.
 */
#ifndef FIRMWARE_BOOT_ORIGIN_H
#define FIRMWARE_BOOT_ORIGIN_H

#include <stdint.h>

#include "firmware/base/span.h"

#define ORIGIN_BYTES 512

enum origin_is {
	ORIGIN_UNKNOWN, /* the firmware says nothing, or no disk of its kind hangs on PCI */
	ORIGIN_OTHER,
	ORIGIN_HERE
};

/* Of a disk by its name in /sys/block; `path` is the device path (origin_read). */
enum origin_is origin_of(struct span path, const char *disk);

/* Into `buf`; empty: the guard left none. */
struct span origin_read(uint8_t buf[ORIGIN_BYTES]);

/* ---- its parts, for tests ----------------------------------------------------------------------------------- */

/* `link` is what /sys/block/NAME points to. */
enum origin_is origin_judge(struct span path, struct span link);

#endif
