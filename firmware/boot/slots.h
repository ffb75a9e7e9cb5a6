/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: unified kernel images in EFI/Linux of the boot partition, one a file, counted by the boot loader's own rule
 * (systemd-boot(7), "Automatic Boot Assessment"): tarn-VERSION+LEFT-DONE.efi is being tried and has LEFT tries left,
 * tarn-VERSION.efi is good, LEFT of 0 is bad. The loader takes the highest version that is not bad, and counts by
 * renaming before it starts one. The factory's image is in the ESP, good for ever.
 * `folder` is EFI/Linux of a mounted boot partition. No state, any thread.
 */
#ifndef FIRMWARE_BOOT_SLOTS_H
#define FIRMWARE_BOOT_SLOTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "firmware/base/span.h"

#define SLOTS_MAX    16
#define SLOT_VERSION 32
#define SLOT_FILE    80
#define SLOT_TRIES   3

struct slot {
	char version[SLOT_VERSION];
	char file[SLOT_FILE];
	int left; /* -1: good */
	int done;
};

/* From a file's name. -EINVAL: not a slot's. */
MUST_USE int slot_parse(const char *file, struct slot *ret_slot);

/* "good", "trying", "bad" */
const char *slot_state(const struct slot *slot);

/* All of a folder, best first. Their number, or -errno. */
MUST_USE int slots_list(const char *folder, struct slot ret_slots[SLOTS_MAX]);

/* [{"version", "state", "tries_left" (null: good), "running"}], for `n` slots. NULL: no memory. */
json_t *slots_json(const struct slot *slots, int n, const char *running);

/* As version_compare of the Version Format Specification that the boot loader sorts by: <0, 0, >0. */
int version_compare(const char *a, const char *b);
bool version_valid(struct span version);

/* Takes the counter off the slot with this version. 0 (also when there is none), or -errno. */
MUST_USE int slot_mark_good(const char *folder, const char *version);

/* Its tries are used up: the loader takes it only when there is nothing else. */
MUST_USE int slot_mark_bad(const char *folder, const char *version);

/* That file is no more. 0 or -errno. */
MUST_USE int slot_remove(const char *folder, const char *file);

/* What was renamed or removed there is on the disk afterwards. 0 or -errno. */
MUST_USE int slots_sync(const char *folder);

/* Removes every slot but that of `keep`, and what a cut update left (*.new). 0 or the last -errno. */
MUST_USE int slots_clear(const char *folder, const char *keep);

#endif
