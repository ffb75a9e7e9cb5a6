/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assessment of this boot. A slot that is being tried must become healthy within a time limit, then its counter is
 * taken off; else the machine starts again, and the boot loader counts. What became of others goes to the history.
 * The boot partition is mounted for moments only.
 */
#ifndef FIRMWARE_BOOT_ASSESS_H
#define FIRMWARE_BOOT_ASSESS_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/clock.h"
#include "firmware/boot/slots.h"

struct disk;

struct assess {
	char version[SLOT_VERSION]; /* of the system that runs */
	char factory[SLOT_VERSION]; /* of the image in the ESP; empty: none, or unknown */
	bool counted;		    /* the loader counted this boot: we are on trial */
	bool good;		    /* it was taken off */
	bool restart;		    /* at once: a better system than this one can be loaded now */
	uint64_t deadline_ms;
	struct slot slots[SLOTS_MAX];
	int slots_n;
};

/* Looks at firmware and slots, brings the history up to date. `disk` may be NULL. */
void assess_begin(struct assess *a, const struct disk *disk, uint64_t limit_ms, struct now now);

/* How far this boot has come, for those who boot after it. */
void assess_stage(const struct assess *a, const char *stage);

/* Well for long enough: good. Call until a->good is set; only what was counted is marked. */
void assess_good(struct assess *a, const struct disk *disk, struct now now);

/* The slots as they are now. */
void assess_look(struct assess *a, const struct disk *disk);

/*
 * Mounts the boot partition on /boot; made anew if that fails and `may_make`. For tarnctl, too: -EBUSY when somebody
 * else has it; 0 or -errno.
 */
MUST_USE int boot_mount(const char *device, bool may_make);
void boot_unmount(void);

#define BOOT_SLOTS "/boot/EFI/Linux"

/* This system's version, from the kernel's command line, which is signed with the kernel. 0 or -ENOENT. */
MUST_USE int version_running(char ret_version[SLOT_VERSION]);

#endif
