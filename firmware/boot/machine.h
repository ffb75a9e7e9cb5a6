/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appliance as a whole, from pid 1's first moment to its last. See machine.c for the picture.
 */
#ifndef FIRMWARE_BOOT_MACHINE_H
#define FIRMWARE_BOOT_MACHINE_H

#include "firmware/base/check.h"

struct machine;

/* /run is there, and say() works. 0 or -errno. Without it there is no appliance. */
MUST_USE int machine_new(struct machine **ret_machine);

/* Runs until it is told to end. How: RB_AUTOBOOT or RB_POWER_OFF of reboot(2). */
int machine_run(struct machine *m);

#endif
