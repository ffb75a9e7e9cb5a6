/* SPDX-License-Identifier: Apache-2.0 */
/* The one place that asks the kernel for the time. Any thread; no state. */
#include "firmware/base/clock.h"

#include <time.h>

#include "firmware/base/check.h"

static struct timespec clock_get(clockid_t id)
{
	struct timespec ts;

	CHECK_OK(clock_gettime(id, &ts));
	return ts;
}

struct now clock_read(void)
{
	struct timespec wall = clock_get(CLOCK_REALTIME);
	struct timespec mono = clock_get(CLOCK_MONOTONIC);

	return (struct now){
		.wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
		.mono_ms = (uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000,
	};
}

uint64_t clock_mono_ns(void)
{
	struct timespec mono = clock_get(CLOCK_MONOTONIC);

	return (uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec;
}
