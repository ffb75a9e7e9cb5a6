/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: ids whose bytes somebody uses. While an id is leased its chunks are neither freed nor
 * moved, so spans and file offsets from store_chunk() stay what they are, with no transaction open.
 *
 * Hold one until the last byte has been copied into its socket; of what goes there by sendfile, until it is
 * *acknowledged*: a retransmission reads it again (proxy/client/owed.c). Any thread.
 */
#ifndef CACHE_LEASE_H
#define CACHE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/check.h"

struct store;
struct lease;

/*
 * A lease on an id that the caller may use: its own from store_id_new(), or one that is leased already
 * (by a flight's seat, say). store_lookup() takes those of stored objects. NULL without memory.
 */
MUST_USE struct lease *lease_new(struct store *store, uint64_t id);
uint64_t lease_id(const struct lease *lease);
struct lease *lease_ref(struct lease *lease);
void lease_unref(struct lease **lease);

#endif
