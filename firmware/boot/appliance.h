/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an appliance tells of its systems, put together from what pid 1, tarnctl and the boot loader leave behind: the one
 * table of tarnctl slots and of the API. Reads files only; any thread.
 */
#ifndef FIRMWARE_BOOT_APPLIANCE_H
#define FIRMWARE_BOOT_APPLIANCE_H

#include <jansson.h>
#include <stddef.h>

/*
 * {"version", "factory", "on_trial", "slots", "history", "update", "restart_at", "drive"} with at most `events` of the history,
 * the newest, oldest first. NULL: this is no appliance, or no memory.
 */
json_t *appliance_document(size_t events);

/*
 * The systems are others now: those in `folder`, a mounted boot partition's (slots.h). To be called by who has changed
 * them: pid 1 looks only at its start, and when it finds its own system good.
 */
void appliance_slots_note(const char *folder, const char *running);

#endif
