/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people and programs see of the machine: a screen on the monitor, and /run/tarn/appliance.json, which tarnctl
 * and the page read.
 */
#ifndef FIRMWARE_BOOT_SCREEN_H
#define FIRMWARE_BOOT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/base/clock.h"

#define APPLIANCE_PATH "/run/tarn/appliance.json"

struct assess;
struct health;

struct picture {
	const struct assess *assess;
	const struct health *health;
	const char *interface; /* with the box's addresses; "": not known yet */
	unsigned vlan;	       /* of it; 0: none */
	size_t ports;
	size_t blocked; /* of them (loop.h) */
	const char *disk, *state, *cache;
	uint64_t cache_bytes;
	bool watchdog;
	bool settings_wrong;  /* the own ones were refused */
	unsigned restarts;    /* of tarnd */
	uint64_t ready_ms;    /* 0: not yet */
	const char *password; /* made at this start; "": none was */
	const char *drive;    /* what became of the last removable drive; "": there was none */
	struct now now;
};

/* Both, but only what changed. */
void screen_show(const struct picture *picture);

#endif
