/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the system well? Asked of tarnd, which knows of tarn-proxy. One thread.
 *
 * Ready is one thing: devices are served. Passing is another, asked of a system that is on trial: also a connection as a
 * device would make one came through (tarnd's selftest). Neither asks for an upstream: a line that is down says nothing
 * about an update.
 */
#ifndef FIRMWARE_BOOT_HEALTH_H
#define FIRMWARE_BOOT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "firmware/base/check.h"

struct health {
	bool answers; /* tarnd does */
	bool ready;   /* tarn-proxy's loops run, its store is open */
	bool armed;
	bool steers;		      /* it has something to steer, and so to test */
	char state[32], why_not[160]; /* tarnd's words */
	char selftest[16];	      /* "none", "off", "ok", "failed" (base/selftest.h) */
	char selftest_why[160];	      /* of "off" and "failed" */
	int ways;		      /* that it has tried: ports and families */
};

#define HEALTH_WHY 200

/* Waits at most a second for the answer. 0, or -errno: then ret_health->answers is false. */
MUST_USE int health_ask(const char *keeper_socket, struct health *ret_health);

/* The same from the document that tarnd gives. -EBADMSG: it is none. */
MUST_USE int health_parse(const char *text, size_t n, struct health *ret_health);

/*
 * What a system on trial lacks to be good, in words; NULL: nothing. `settings_wrong`: it runs with the defaults, for it
 * does not take this box's settings.
 */
const char *health_lacks(const struct health *health, bool settings_wrong, char buf[HEALTH_WHY]);

#endif
