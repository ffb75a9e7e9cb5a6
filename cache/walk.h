/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking all objects over in the order in which they came, a little at a time: for lists, removal by pattern and
 * scrubbing. Each step is one short transaction, so nothing of the walk holds up the reuse of pages, and whoever
 * steps decides when the next one comes. What comes or goes meanwhile may be missed or shown.
 */
#ifndef CACHE_WALK_H
#define CACHE_WALK_H

#include "cache/store.h"

struct store_walk;

enum walk_order {
	WALK_OLDEST,
	WALK_NEWEST
};

/* Begins behind the object of the id `after`; 0: with the first. `reader` stays the caller's. 0 or -ENOMEM. */
MUST_USE int store_walk_new(struct store_reader *reader, enum walk_order order, uint64_t after,
			    struct store_walk **ret_walk);
void store_walk_free(struct store_walk **walk);

/*
 * Calls f for the next objects, a few hundred at most (64 KiB of records). It sees copies, and may use the reader; if it does not
 * give 0 the step ends with that, and its rest is lost. 0, what f gave, or -EIO (offline, damaged) or -ENOMEM.
 */
MUST_USE int store_walk_step(struct store_walk *walk, store_each_f *f, void *arg);
/* No step is left. */
bool store_walk_over(const struct store_walk *walk);

/* The object of an id, for onlookers: as store_peek(). */
MUST_USE int store_find(struct store_reader *reader, uint64_t id, struct stored **ret_stored);

#endif
