/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loopguard PORT...: the appliance's guard against loops alone, on bridge br0 of this network namespace, until it is killed. What
 * it does with a port it says on standard error. Its times are a quarter of the appliance's. LOOPGUARD_AT: milliseconds since 1970, at which it begins: as another does.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "firmware/base/log.h"
#include "firmware/boot/loop.h"
#include "firmware/net/kernel.h"

static void wait_until(uint64_t at_ms)
{
	struct timespec at = { .tv_sec = (time_t)(at_ms / 1000),
			       .tv_nsec = (long)(at_ms % 1000 * 1000000) };

	while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL))
		;
}

int main(int argc, char **argv)
{
	const struct loop_times full = LOOP_TIMES;
	const struct loop_times times = { full.every / 4, full.open / 2, full.quiet / 4,
					  full.first / 4 };
	struct event_base *base = event_base_new();
	struct net_kernel *kernel;
	struct loop *loop;

	log_open("loopguard", LOG_L_NOTICE);
	if (!base || net_kernel_open(&kernel) || loop_new(base, kernel, times, &loop)) {
		fprintf(stderr, "loopguard: can't begin\n");
		return 1;
	}
	if (getenv("LOOPGUARD_AT"))
		wait_until(strtoull(getenv("LOOPGUARD_AT"), NULL, 10));
	for (int i = 1; i < argc; i++)
		loop_port(loop, argv[i], true);
	return event_base_dispatch(base) < 0;
}
