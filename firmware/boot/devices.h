/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices: the kernel is asked what is there and told which modules that needs, at start and whenever something
 * comes. One modprobe at a time runs beside the loop. One thread.
 */
#ifndef FIRMWARE_BOOT_DEVICES_H
#define FIRMWARE_BOOT_DEVICES_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "firmware/base/check.h"

struct devices;

struct devices_calls {
	/* A network interface came or went, or was renamed. */
	void (*net)(const char *name, bool there, void *arg);
	/* A disk or a partition came or went. */
	void (*block)(const char *name, bool there, void *arg);
};

/* 0 or -errno. Interfaces that are there already are reported by `net` before this returns. */
MUST_USE int devices_new(struct event_base *base, const struct devices_calls *calls, void *arg,
			 struct devices **ret_devices);

/* Loads one that no device asks for. */
void devices_want(struct devices *devices, const char *module);

/* Is a module being loaded, or about to be? */
bool devices_busy(const struct devices *devices);

/* A child ended: was it ours? */
bool devices_ended(struct devices *devices, pid_t pid);

#endif
