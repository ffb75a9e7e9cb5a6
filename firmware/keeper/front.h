/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front door: which ports of this machine the programs in the kernel keep from the upstream side. These are the
 * admin page's while [admin] from = lan; without a port that is known to lead to the router nothing is kept from
 * anybody, so that no admin is locked out.
 */
#ifndef FIRMWARE_KEEPER_FRONT_H
#define FIRMWARE_KEEPER_FRONT_H

#include <stdbool.h>

#include "bpf/abi.h"

struct network;
struct steer;
struct tarn_settings;

/* Zeroed memory: all is open. */
struct front {
	struct tarn_front wanted, told;
	bool is_told;
};

/* From now on; in force with the next front_see(). */
void front_set(struct front *front, const struct tarn_settings *settings);
/* Tells the kernel what has changed, of the settings or of the bridge. About once a second. */
void front_see(struct front *front, const struct network *net, struct steer *steer);
/* Is the page kept from the upstream side now? */
bool front_shut(const struct front *front, const struct network *net);

#endif
