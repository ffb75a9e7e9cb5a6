/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [scope] in the maps of bpf/steer.bpf.c. What is new goes in before what is old goes out: at any moment each device is
 * judged by the old lists or by the new ones, entry by entry, and no connection that there is changes its way. One thread.
 */
#ifndef FIRMWARE_STEER_SCOPE_H
#define FIRMWARE_STEER_SCOPE_H

#include "firmware/base/scope.h"

struct scope_maps {
	int nets, links; /* descriptors */
};

/*
 * Of a device in both lists, as precisely, the second one counts. 0; -E2BIG: more than a map takes, or -errno; then the
 * maps hold parts of both.
 */
MUST_USE int scope_maps_fill(const struct scope_maps *maps, const struct scope_list *take,
			     const struct scope_list *straight);

#endif
