/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How full a map is. The kernel keeps no count of a hash map's entries: they are read in batches (BPF_MAP_LOOKUP_BATCH,
 * Linux 5.6), some milliseconds for the largest map.
 */
#ifndef FIRMWARE_STEER_FILL_H
#define FIRMWARE_STEER_FILL_H

#include <stdint.h>

/*
 * Entries of the map and how many it takes. 0; -ENOTSUP: not a map that fills (an array, one with values for each CPU),
 * or the kernel can't say; -errno.
 */
__attribute__((warn_unused_result)) int fill_read(int fd, uint32_t *ret_entries,
						  uint32_t *ret_limit);

#endif
