/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what is stored again, from the disk, and compares it with its checksums: slowly by itself, so that damage is
 * found before a device asks, or at once when it is told to. What is damaged is dropped, and fetched again when
 * somebody wants it.
 *
 * A thread of its own ("scrub"): it waits for the disk, and nobody waits for it. What is not in the page cache
 * before it was read is not there afterwards either.
 */
#ifndef CACHE_SCRUB_H
#define CACHE_SCRUB_H

#include "cache/store.h"

struct scrub;

/* Between the beginnings of two passes of its own; a pass may take longer. */
#define SCRUB_PERIOD_S (7 * 86400)

/* Is the object meant? `pattern` is what scrub_now() was given. */
typedef bool scrub_match_f(const struct object *object, const char *pattern);

struct scrub_pass {
	bool asked;		    /* by scrub_now() */
	int64_t began_ms, ended_ms; /* since 1970; 0: not yet */
	uint64_t objects, bytes;    /* read so far */
	uint64_t bad;		    /* chunks and records that were damaged */
	int rc;			    /* -errno: it did not come to its end */
};

struct scrub_state {
	bool running;
	bool waiting;  /* one was asked for and begins soon */
	uint64_t rate; /* bytes a second; 0: as fast as it goes */
	uint64_t total_objects,
		total_bytes;	/* of the store now; what a pattern leaves is not known */
	struct scrub_pass now;	/* while running */
	struct scrub_pass last; /* the one before; began_ms 0: there was none since the start */
};

/*
 * Starts its thread. @rate: bytes a second for passes of its own, the first of which begins a minute after the start; 0:
 * there are none. 0, -ENOMEM, -EUSERS (readers) or -errno.
 */
MUST_USE int scrub_new(struct store *store, uint64_t rate, struct scrub **ret_scrub);
/* Ends what runs and the thread. */
void scrub_free(struct scrub **scrub);

/*
 * Begins a pass now, as fast as `rate` says (0: as it goes), over what matches; a pass of its own that runs is
 * given up for it. `match` NULL: all. 0, -EBUSY (one that was asked for runs) or -ENOMEM.
 */
MUST_USE int scrub_now(struct scrub *scrub, scrub_match_f *match, const char *pattern,
		       uint64_t rate);
/* Gives up the pass that runs. */
void scrub_cancel(struct scrub *scrub);

/* Any thread. */
void scrub_state(struct scrub *scrub, struct scrub_state *ret_state);

#endif
