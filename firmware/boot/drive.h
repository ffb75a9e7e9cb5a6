/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removable drives, by the label of their file system: TARN-IMPORT is imported, TARN-EXPORT exported to, when plugged in, or
 * when the machine starts with it. Only what hangs on USB: a disk that was built in does nothing, whatever its label. One
 * drive at a time, by a child: a drive that is slow, broken, malicious or gone in the middle costs pid 1 nothing. One thread.
 */
#ifndef FIRMWARE_BOOT_DRIVE_H
#define FIRMWARE_BOOT_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "firmware/base/clock.h"

#define DRIVES_MAX     16 /* that wait; what comes then has to be plugged in again */
#define DRIVE_NAME     32 /* bytes, with the NUL: "sdb1" */
#define DRIVE_TEXT_MAX 200

struct drives {
	char waiting[DRIVES_MAX][DRIVE_NAME];
	size_t n;
	pid_t pid; /* 0: none is at work */
	uint64_t started_ms;
	char text
		[DRIVE_TEXT_MAX]; /* of the last one: "TARN-IMPORT: done: acme: ..."; "": there was none */
};

/* A block device came or went. */
void drives_came(struct drives *drives, const char *name, bool there);

/* To be called now and then, as soon as tarn-proxy answers: begins the next one, and ends one that takes for ever. */
void drives_see_to(struct drives *drives, struct now now);

/* A child ended: was it ours? What became of the drive is in the history then. */
bool drives_ended(struct drives *drives, pid_t pid, int wait_status, struct now now);

/* The machine goes down: what is at work stops. Waits for it, seconds at most. */
void drives_end(struct drives *drives);

/* ---- its parts, for tests ----------------------------------------------------------------------------------- */

/* Does /sys/class/block/NAME, or `folder`/NAME, hang on USB? */
bool drive_is_usb(const char *folder, const char *name);

struct drive_kind {
	const char *label; /* "TARN-IMPORT", "TARN-EXPORT" */
	const char *type;  /* of the file system, for mount(2); "": none that we mount */
};

/* From the line that blkid prints of a device. False: it is none of ours. */
bool drive_identify(const char *line, struct drive_kind *ret_kind);

#endif
