/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the next run of fetching ahead begins. Times of day are local ones. Pure functions of `now`.
 */
#ifndef TARN_PROXY_SYNC_SCHEDULE_H
#define TARN_PROXY_SYNC_SCHEDULE_H

#include "firmware/base/clock.h"
#include "firmware/base/tarn_conf.h"

/* Is "HH:MM" (or "HH:MM-HH:MM") one? For checking settings. */
bool schedule_time_ok(struct span text);
bool schedule_quiet_ok(struct span text);

/* Is this a quiet time? A period may go over midnight. Words that are none are left out. */
bool schedule_is_quiet(const struct tarn_settings *settings, int64_t wall_s);

/*
 * Seconds until the next run, from `wall_s`, the last one having begun at `last` (0: never). `random` is any number:
 * the jitter comes from it. A time in a quiet period is put off to its end.
 */
int64_t schedule_next(const struct tarn_settings *settings, int64_t last, int64_t wall_s,
		      uint32_t random);

/* How long to wait after `failures` runs that failed in a row: milliseconds. */
uint64_t schedule_retry(const struct tarn_settings *settings, unsigned failures);

#endif
