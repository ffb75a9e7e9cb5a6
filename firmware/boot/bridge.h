/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plain bridge: every Ethernet port of the machine in br0, from the first moment on, as a cable would be. tarnd
 * adopts it and takes nothing of it down: it carries no alias of a keeper's. What happens to tarnd, devices pass.
 */
#ifndef FIRMWARE_BOOT_BRIDGE_H
#define FIRMWARE_BOOT_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "firmware/base/check.h"

#define BRIDGE_NAME "br0"

struct net_kernel;

/* Makes the bridge, up and without ports. 0 or -errno. */
MUST_USE int bridge_make(struct net_kernel *k);

/* Has the interface join, if it is an Ethernet port. 1: it did, 0: no such port or in it already, -errno. */
MUST_USE int bridge_join(struct net_kernel *k, const char *name);

/* How many ports it has. */
size_t bridge_ports(void);

/* Calls `f` with each of their names. */
void bridge_each_port(void (*f)(const char *name, void *arg), void *arg);

#endif
