/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to this box's systems: one line of JSON an event, newest last, bounded. Kept on the state partition.
 * And the attempt: what a slot that is being tried has reached, noted at each step, so that whoever boots after it
 * knows where it ended. `folder` is HISTORY_PATH unless a test says otherwise.
 */
#ifndef FIRMWARE_BOOT_HISTORY_H
#define FIRMWARE_BOOT_HISTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "firmware/base/check.h"

#define HISTORY_PATH  "/state/boot"
#define HISTORY_LINES 200
#define ATTEMPT_STAGE 240 /* bytes, with the ending zero */

/* `event` is a word ("installed", "refused", "good", "failed", "rolled-back"), `reason` for people, may be "". */
void boot_history_add(const char *folder, int64_t wall_ms, const char *event, const char *version,
		      const char *reason);

/* An array, oldest first; empty if there is none. A new reference, or NULL without memory. */
json_t *boot_history_load(const char *folder);

/* Is the newest event this one, whenever it was? */
bool boot_history_ends(const char *folder, const char *event, const char *version,
		       const char *reason);

/* This version is being tried and has come so far; a stage that is too long is cut. */
void attempt_note(const char *folder, const char *version, const char *stage);

/* The last attempt that was not ended: its version and stage. -ENOENT: there is none. */
MUST_USE int attempt_load(const char *folder, char ret_version[32], char ret_stage[ATTEMPT_STAGE]);
void attempt_end(const char *folder);

#endif
