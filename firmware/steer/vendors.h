/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vendor set: addresses whose connections are intercepted, in a BPF map that DNS answers feed as well.
 */
#ifndef FIRMWARE_STEER_VENDORS_H
#define FIRMWARE_STEER_VENDORS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi.h"

/* Could this be the address of a vendor's server? Private ones if `private_ok`. */
bool vendor_allowed(const uint8_t addr[16], bool private_ok);

/* Map descriptor `map`. All give 0 or -errno. */
__attribute__((warn_unused_result)) int vendors_add(int map, const uint8_t addr[16], uint32_t ttl,
						    uint64_t now_ns);
void vendors_drop(int map, const uint8_t addr[16]);
/* Drops what expired long before `now_ns`; the number left. */
unsigned vendors_sweep(int map, uint64_t now_ns);

#endif
