/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watchdog: resets the machine when pid 1's loop stands still. The hardware's; where there is none the kernel's own
 * (softdog), which sees pid 1 stand still, but not the kernel. Never disarmed, not even by our end.
 */
#ifndef FIRMWARE_BOOT_WATCHDOG_H
#define FIRMWARE_BOOT_WATCHDOG_H

#include <stdbool.h>

/* Opens it, if it is there by now and is not open yet. True when it was opened by this call. */
bool watchdog_open(void);
bool watchdog_is_open(void);

/* Its driver's name, up to 31 bytes. */
void watchdog_name(char ret_name[32]);

/* Call at least every few seconds. */
void watchdog_pet(void);

#endif
