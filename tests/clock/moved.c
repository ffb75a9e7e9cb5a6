/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock of a tarn-proxy whose days a test makes pass (build/tests/clock/tarn-proxy): linked in the place of
 * firmware/base/clock.c, all else is as in the program that is installed.
 *
 * What the time is goes as many milliseconds ahead of the kernel's clocks as the file TARN_CLOCK says (int64_t, of this machine;
 * tests/tools/fleet moves it). clock_mono_ns() stays: it is what the BPF programs' clock is compared with. Pauses of event loops
 * and threads (libevent, pthread_cond_timedwait) last as long as they always did.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "firmware/base/check.h"
#include "firmware/base/clock.h"

static const _Atomic int64_t *ahead_ms;

/* Before main(): later it may open nothing. */
__attribute__((constructor)) static void clock_map(void)
{
	const char *path = getenv("TARN_CLOCK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *page =
		fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ahead_ms), PROT_READ, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED) {
		perror("TARN_CLOCK");
		exit(64);
	}
	ahead_ms = page;
}

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
	struct now now = {
		.wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
		.mono_ms = (uint64_t)mono.tv_sec * 1000 + (uint64_t)mono.tv_nsec / 1000000,
	};

	return now_after(now, (uint64_t)atomic_load(ahead_ms));
}

uint64_t clock_mono_ns(void)
{
	struct timespec mono = clock_get(CLOCK_MONOTONIC);

	return (uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec;
}
