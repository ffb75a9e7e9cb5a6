/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demand table as its rooms see it: demand.c (what happens), demand_hold.c (what stays in demand) and demand_row.c (what
 * is kept).
 *
 * Objects and devices have slots, by which the rows name them; a pair in a device names an object's slot. Both are
 * found by hash. A slot that is given up is first taken out of every device.
 */
#ifndef CACHE_DEMAND_PRIV_H
#define CACHE_DEMAND_PRIV_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "cache/demand.h"

#define DEMAND_ROW_OBJECTS 48 /* in a row */
#define DEMAND_SALT_BYTES  16

struct wish {
	UT_hash_handle hh; /* by key */
	uint32_t slot;
	bool index;
	int64_t first, last;
	int64_t wanted; /* asked for last by a device that counts; 0: by none */
	uint64_t asked;
	char host[DEMAND_HOST_MAX + 1];
	uint32_t key_n;
	char key[];
};

struct pair {
	uint32_t object;
	uint32_t last; /* seconds */
	uint64_t got_id;
};

struct asker {
	UT_hash_handle hh; /* by id */
	uint32_t slot;
	uint8_t id[16];
	bool dirty;
	struct demand_link link;
	int64_t first, last;
	struct demand_standing standings[DEMAND_STANDINGS_MAX];
	unsigned standings_n;
	struct pair *pairs; /* sorted by object */
	uint32_t pairs_n, pairs_room;
};

struct demand {
	struct demand_limits limits;
	enum demand_devices devices;
	uint8_t salt[DEMAND_SALT_BYTES];
	bool head_dirty;
	struct wish **wishes;  /* by slot; NULL: free */
	struct wish *by_key;   /* uthash, in the order of being made */
	struct asker **askers; /* by slot */
	struct asker *by_id;   /* uthash */
	bool *row_dirty;       /* of objects */
	bool *asker_gone;      /* its row is to be removed */
	uint32_t wish_rows;
	uint32_t wish_free, asker_free; /* no slot below it is free */
	uint64_t dropped;
};

/* In a free slot, or NULL. demand.c */
struct wish *demand_wish_add(struct demand *demand, uint32_t slot, struct span key);
struct asker *demand_asker_add(struct demand *demand, uint32_t slot, const uint8_t id[16]);
/* The pair of that object, made if it is new; NULL without room. */
struct pair *demand_pair_of(struct demand *demand, struct asker *asker, uint32_t object);
/* What is told of a device. */
void demand_asker_view(const struct demand *demand, const struct asker *asker,
		       struct demand_device *view);

#endif
