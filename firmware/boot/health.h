/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the system well? Asked of tarnd, which knows of tarn-proxy. One thread.
 */
#ifndef FIRMWARE_BOOT_HEALTH_H
#define FIRMWARE_BOOT_HEALTH_H

#include <stdbool.h>

#include "firmware/base/check.h"

struct health {
	bool answers; /* tarnd does */
	bool ready;   /* tarn-proxy's loops run, its store is open */
	bool armed;
	char state[32], why_not[160]; /* tarnd's words */
};

/* Waits at most a second for the answer. 0, or -errno: then ret_health->answers is false. */
MUST_USE int health_ask(const char *keeper_socket, struct health *ret_health);

#endif
