/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time. Only an event loop reads the clock, once a turn; everyone else takes `now` as an argument,
 * so that a test of expiry is `now.mono_ms += 999`.
 */
#ifndef FIRMWARE_BASE_CLOCK_H
#define FIRMWARE_BASE_CLOCK_H

#include <stdint.h>

struct now {
	int64_t wall_ms;  /* since 1970, for dates on the wire and in records; may jump */
	uint64_t mono_ms; /* CLOCK_MONOTONIC, for time limits; never goes back */
};

struct now clock_read(void);

/* Nanoseconds of CLOCK_MONOTONIC: the clock of bpf_ktime_get_ns(), so heartbeats compare. */
uint64_t clock_mono_ns(void);

/* `now` as it will be `ms` later. */
static inline struct now now_after(struct now now, uint64_t ms)
{
	return (struct now){ now.wall_ms + (int64_t)ms, now.mono_ms + ms };
}

/* Milliseconds since `mono_ms`; 0 if that is later, as it may be when another loop has read it. */
static inline uint64_t now_since(struct now now, uint64_t mono_ms)
{
	return now.mono_ms > mono_ms ? now.mono_ms - mono_ms : 0;
}

#endif
