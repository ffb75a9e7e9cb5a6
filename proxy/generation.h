/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations: index and objects of a vendor belong together. Each profile has a number that changes when one of
 * its indexes does; an object stored under another number is validated once before it is used
 * (policy_lookup), so that no device gets a new index and an old object.
 *
 * Any thread. The numbers and what tells an index's versions apart are kept in the store's state.
 */
#ifndef TARN_PROXY_GENERATION_H
#define TARN_PROXY_GENERATION_H

#include "cache/writer.h"

struct generations;

/* Most profiles that have a generation; those beyond stay at 0 for ever. */
#define GENERATION_PROFILES_MAX 64

/* 0 or -ENOMEM. @writer outlives it. */
MUST_USE int generations_new(struct writer *writer, struct generations **ret_generations);
void generations_free(struct generations **generations);

/*
 * The profile's generation now. To be taken before the request for an object is sent. @generations may be NULL: 0.
 * @reader: the calling thread's, for a profile that is seen for the first time.
 */
uint64_t generation_of(struct generations *generations, struct store_reader *reader,
		       const char *profile);

/*
 * A full response to the request for an index came: @index has its key, validators and length. True if it is not
 * what was known under that key, so that a new generation begins (also if nothing was known, or without any
 * validator: who knows).
 */
bool generation_index(struct generations *generations, struct store_reader *reader,
		      const char *profile, const struct object *index, struct now now);

#endif
