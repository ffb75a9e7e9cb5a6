/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker says of answered requests, on its way to the demand table (demand.h): a ring of bytes with one
 * writer and one reader. Putting costs a copy of some hundred bytes; when the ring is full the note is dropped.
 */
#ifndef CACHE_DEMAND_RING_H
#define CACHE_DEMAND_RING_H

#include "cache/key.h"

/* Keys longer than this are not followed: their objects are served and stored like any other. */
#define DEMAND_KEY_MAX	1024
#define DEMAND_HOST_MAX 264

enum demand_bits {
	DEMAND_INDEX = 1 << 0, /* the profile calls it an index */
	DEMAND_WHOLE = 1 << 1, /* the device has all of it now */
	DEMAND_HIT = 1 << 2,   /* no byte of it came from the vendor for this request */
	DEMAND_ERROR = 1 << 3, /* the device got an error, or was cut off */
	DEMAND_APART = 1 << 4, /* nothing is fetched ahead for this device */
};

/* A device's request for an object of a profile, answered. */
struct demand_event {
	uint8_t device[16];  /* in6_addr; IPv4 as ::ffff:a.b.c.d */
	int64_t at;	     /* seconds since 1970 */
	uint64_t bytes;	     /* of body that it got */
	uint64_t id;	     /* of the stored object; 0: none */
	uint64_t generation; /* of the profile that it was served from */
	uint32_t bits;
	struct span key;  /* the record's text: the variant's, if it is one */
	struct span host; /* as asked for, "name" or "name:port" */
};

struct demand_ring;

MUST_USE int demand_ring_new(struct demand_ring **ret_ring);
void demand_ring_free(struct demand_ring **ring);

/* The writer's thread. False: dropped, no room. *ret_hurry: it is more than half full. */
MUST_USE bool demand_ring_put(struct demand_ring *ring, const struct demand_event *event,
			      bool *ret_hurry);

/* The reader's thread. False: empty. The spans live until the next call. */
MUST_USE bool demand_ring_get(struct demand_ring *ring, struct demand_event *ret_event);

#endif
