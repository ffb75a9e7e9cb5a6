/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps of a killed keeper's programs, which tc still holds: flows in service, the vendor set, counters.
 */
#ifndef FIRMWARE_STEER_HEIRLOOM_H
#define FIRMWARE_STEER_HEIRLOOM_H

#include <bpf/libbpf.h>

/* Makes each of `maps` (not yet loaded) use the map of the same name and shape of program `id`. Gives how
 * many were taken over; what can't be is made anew. */
unsigned heirloom_take(unsigned id, struct bpf_map *const maps[], unsigned n);

#endif
