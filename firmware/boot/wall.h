/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall clock at the start of a machine whose battery may be empty: certificates are made and judged before any time
 * server can be asked. The time can't be before this system was built, nor before it was last seen here, and a clock
 * that is decades ahead of both is broken, too. Such a clock is set to the later of the two; the time servers do the
 * rest. pid 1's thread.
 */
#ifndef FIRMWARE_BOOT_WALL_H
#define FIRMWARE_BOOT_WALL_H

#include <stdbool.h>
#include <stdint.h>

#define WALL_AHEAD_S (20LL * 366 * 86400) /* further than a box outlives its software */

/* What the clock is to be set to, or 0: it may be right. All in seconds since 1970; `seen_s` 0: nothing is known. */
int64_t wall_judge(int64_t now_s, int64_t built_s, int64_t seen_s);

/* Once, with /state mounted: judges, sets the clock, and says so. */
void wall_mend(void);

/* Keeps what time it is now, for the next start; at most once an hour unless `end`. */
void wall_note(int64_t now_ms, bool end);

#endif
