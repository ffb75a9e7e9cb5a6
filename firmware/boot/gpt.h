/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The partition table of the boot disk (UEFI 2.10, chapter 5), as far as an appliance needs it: finding partitions
 * by name, growing the last one to the disk's end, mending one copy of the table from the other.
 * Sectors of 512 bytes, 128 entries of 128 bytes: what the image has.
 */
#ifndef FIRMWARE_BOOT_GPT_H
#define FIRMWARE_BOOT_GPT_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/check.h"

#define GPT_SECTOR  512
#define GPT_ENTRIES 128
#define GPT_NAME    36

struct gpt_entry {
	uint8_t type[16], id[16]; /* as on disk */
	uint64_t first, last;	  /* sectors, both included */
	uint64_t attributes;
	uint8_t name[GPT_NAME * 2]; /* UTF-16LE */
};

struct gpt {
	uint64_t sectors; /* of the disk */
	uint64_t first_usable, last_usable, backup_at;
	uint8_t id[16];
	bool primary_good,
		backup_good; /* as found; backup_good also says that it is at the disk's end */
	struct gpt_entry entries[GPT_ENTRIES];
};

/* Reads from a disk (or file) of `sectors`. 0, -EBADMSG (neither copy is good), or of pread(2). */
MUST_USE int gpt_read(int fd, uint64_t sectors, struct gpt *ret_gpt);

/* The entry with this (ASCII) name, or -1. */
int gpt_find(const struct gpt *gpt, const char *name);

/* The last partition, which must be `index`, ends at the disk's end afterwards. True if that changed anything. */
bool gpt_grow(struct gpt *gpt, int index);

/*
 * Writes the backup at the disk's end, then the primary, each synced before the next: at every moment one copy is
 * whole. 0 or -errno.
 */
MUST_USE int gpt_write(int fd, const struct gpt *gpt);

#endif
