/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases as the store and the writer see them: one table for each opening of the environment.
 */
#ifndef CACHE_LEASE_PRIV_H
#define CACHE_LEASE_PRIV_H

#include "cache/lease.h"

struct lease_table;

MUST_USE int lease_table_new(struct lease_table **ret_table);
/* No lease is left. */
void lease_table_free(struct lease_table **table);

MUST_USE struct lease *lease_take(struct lease_table *table, uint64_t id);

/* Is it in use? A "no" stays true only if nobody can find the id any more, or is about to take it. */
bool lease_held(struct lease_table *table, uint64_t id);

/* Ids in use. */
uint64_t lease_count(const struct lease_table *table);

#endif
