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

/* ---- publishing ----------------------------------------------------------------------------------
 *
 * Of a profile that fetches ahead (profile_ahead) a changed index is held back: devices get the one before, and the
 * objects that belong to it, until proxy/sync has the new generation together and publishes it. A device that
 * then is in the middle of an update finishes it on the generation that it began.
 */

struct generation_limits {
	uint64_t hold_ms;   /* an index is held back no longer */
	uint64_t finish_ms; /* nor is a device kept on the generation before */
};

/* What is told when an index was seen to change. Any thread: it may post a mail. */
typedef void generation_changed_f(void *arg);

/* Before the threads start; the limits at any time. Without this nothing is held. */
void generations_watch(struct generations *generations, generation_changed_f *changed, void *arg);
void generations_limit(struct generations *generations, const struct generation_limits *limits);

/*
 * A device's request brought a new version of an index that is stored. True: it is to be held back, and those who
 * wait get the stored one. As generation_index(), which is to be called if not.
 */
bool generation_hold(struct generations *generations, struct store_reader *reader,
		     const char *profile, const struct object *index, struct now now);
/* Is the profile's index held back now? */
bool generation_is_held(struct generations *generations, const char *profile, struct now now);
/* Has that been asked of sync since the last call? */
bool generation_take_change(struct generations *generations, const char *profile);
/* There is nothing to wait for. */
void generation_release(struct generations *generations, const char *profile);

/* ---- carried generations -------------------------------------------------------------------------
 *
 * A generation that was brought by hand (proxy/carry) is all that there is while the vendor can't be reached: then it is
 * served without asking, though it be stale, also of a profile that does not fetch ahead. It counts as carried until the
 * vendor's own next one takes its place; that is kept over a restart.
 */
void generation_carry(struct generations *generations, struct store_reader *reader,
		      const char *profile);
bool generation_is_carried(struct generations *generations, const char *profile);
/* Is there no way to the vendor? Told by the control loop; it also looks up what the last run left. */
void generation_cut_off(struct generations *generations, struct store_reader *reader,
			const char *profile, bool cut_off);
/* Carried, and no way to the vendor. */
bool generation_stands_alone(struct generations *generations, const char *profile);

/* The number that the next generation will have: greater than the one now. */
uint64_t generation_next(struct generations *generations, struct store_reader *reader,
			 const char *profile, struct now now);
/*
 * Its publication begins: from now on it decides itself by the index that a device was given on which of the two its
 * update is. Ends with generation_publish(), or generation_keep() if it failed.
 */
void generation_publishing(struct generations *generations, struct store_reader *reader,
			   const char *profile, uint64_t number);
void generation_keep(struct generations *generations, const char *profile);
/* It is published: from now on that is the profile's generation. An index of it is known (generation_know). */
void generation_publish(struct generations *generations, struct store_reader *reader,
			const char *profile, uint64_t number, struct now now);
/* This version of an index is one that is published: it is no change. */
void generation_know(struct generations *generations, struct store_reader *reader,
		     const char *profile, const struct object *index);

/*
 * A device asks for an object or an index by its plain key. 0, or the number of the generation before, if it began on
 * that: what that had
 * under the previous key is to be preferred to what was found under the plain one, in this order. An index that it
 * had already begins a new update.
 */
uint64_t generation_pinned(struct generations *generations, const char *profile,
			   const uint8_t device[16], struct span key, bool index, struct now now);
/* A stored index of this object.generation is what the device gets. */
void generation_served(struct generations *generations, const char *profile,
		       const uint8_t device[16], uint64_t generation);

#endif
