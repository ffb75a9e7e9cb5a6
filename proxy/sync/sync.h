/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching ahead, on the control loop: for each vendor whose profile says so ([sync] ahead), by the clock, when a device's
 * request showed a new index, or when told to.
 *
 * A run looks at the indexes that devices ask for. If one has changed it fetches what devices have asked for
 * lately and what took its place, looks at the indexes once more, and publishes all of it as one
 * generation. What could not be had ends the run: the generation before stays, and it is tried again.
 */
#ifndef TARN_PROXY_SYNC_SYNC_H
#define TARN_PROXY_SYNC_SYNC_H

#include <jansson.h>

#include "firmware/base/check.h"

struct sync;
struct worker;

/* After the workers have started. 0 or -ENOMEM, -EUSERS. */
MUST_USE int sync_new(struct worker *control, struct sync **ret_sync);
/* The workers are about to end: what runs is given up. */
void sync_stop(struct sync *sync);
/* After they have ended. */
void sync_free(struct sync **sync);
/* The control loop's configuration changed. */
void sync_reload(struct sync *sync);

enum sync_action {
	SYNC_NOW,   /* begin a run */
	SYNC_PAUSE, /* begin no more fetches, until ... */
	SYNC_RESUME,
	SYNC_CANCEL, /* give the run up */
};

/* For one vendor, or with NULL for all. 0, or -ENOENT (no such vendor that fetches ahead). */
MUST_USE int sync_command(struct sync *sync, enum sync_action action, const char *profile);

/*
 * A generation of this vendor is being carried here by hand (proxy/carry): no run begins until that is over. 0, or
 * -EBUSY: one is on. Also for vendors that do not fetch ahead, and without sync: 0.
 */
MUST_USE int sync_carrying_begin(struct sync *sync, const char *profile);
void sync_carrying_end(struct sync *sync, const char *profile);

/* It is published: for the history. */
struct sync_carried {
	const char *profile;
	uint64_t number;
	int64_t published_ms; /* where it comes from */
	uint64_t objects, bytes;
};
void sync_carried_add(struct sync *sync, const struct sync_carried *carried);

/* {"profiles": [...], "history": [...]}; NULL: no memory. What stands in it: proxy/admin/openapi/sync.json */
json_t *sync_report(struct sync *sync);
/* {"sent": [{"at", "profile", "head"} ...]}: the requests of the last run, as they went out. */
json_t *sync_sent(struct sync *sync);
/* {"devices": [...]}: who has what. */
json_t *sync_devices(struct sync *sync);

#endif
