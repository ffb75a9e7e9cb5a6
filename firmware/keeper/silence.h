/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steered connections that reach no listener: a firewall rule drops them between the steering program and our stack,
 * or a route or rule of ours is gone. Devices would wait in vain, so steering has to end, and be tried again later.
 */
#ifndef FIRMWARE_KEEPER_SILENCE_H
#define FIRMWARE_KEEPER_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

#define SILENCE_SYNS	   3 /* so many steered within a window, and not one arrived */
#define SILENCE_TRY_MS	   10000
#define SILENCE_TRY_MAX_MS 600000 /* twice as long after each try that fails */

/* Zeroed memory is a new one. */
struct silence {
	uint64_t steered, arrived; /* when the window began */
	uint64_t until_ms;	   /* not steering until then; 0: it is well */
	uint64_t wait_ms;
};

/* The counters by now, CLOCK_MONOTONIC in ms; about once a second. Does it have to be let be? */
bool silence_see(struct silence *silence, uint64_t steered, uint64_t arrived, uint64_t now_ms);

#endif
