/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes when the store is full: SIEVE (Zhang et al., NSDI 2024) over the objects in the order in which they
 * came, oldest first. A hit marks an object; the hand passes over marked ones and clears the mark, and
 * takes the first that has none. Marks are in memory (a restart forgets them), the hand is in the store.
 *
 * Unlike SIEVE's, the hand turns back before the newest quarter of the objects, unless all the others are in use: each
 * generation of updates is asked for a while and then no more, and a hand that passes all that was asked for
 * once would come to what is new, and take that (`make eviction`: on the mean 4.2 % of the bytes came again for it
 * with a store of 512 MiB). A quarter is what did best of ten shares tried on that made-up traffic, no law.
 */
#ifndef CACHE_EVICT_H
#define CACHE_EVICT_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/check.h"

struct evict_marks;

MUST_USE int evict_marks_new(struct evict_marks **ret_marks);
void evict_marks_free(struct evict_marks **marks);

/* An object was used. Any thread, no lock; a store into memory only the first time. */
void evict_mark(struct evict_marks *marks, uint64_t id);
/* Was it, since the last call? */
bool evict_mark_clear(struct evict_marks *marks, uint64_t id);

#endif
