/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the machine is to start again: a note in /run that tarnctl writes and pid 1 reads. No state.
 */
#ifndef FIRMWARE_BOOT_RESTART_H
#define FIRMWARE_BOOT_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/check.h"

#define RESTART_NEVER INT64_MAX

/*
 * "now", "no" (RESTART_NEVER) or the next "HH:MM" of UTC after `wall_ms`, in milliseconds since 1970. 0 or -EINVAL.
 */
MUST_USE int restart_time(const char *when, int64_t wall_ms, int64_t *ret_at);

/* 0 or -errno. RESTART_NEVER takes the note away. */
MUST_USE int restart_note(int64_t at_ms);

/* False: none is. Milliseconds since 1970. */
bool restart_planned(int64_t *ret_at);

/* Is it time? */
bool restart_due(int64_t wall_ms);

#endif
