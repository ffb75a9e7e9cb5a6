/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of figures over time: one slot each `step`, the newest `slots` of them, several series beside one another. Fixed
 * size, plain memory; time is an argument. What is kept on disk is ring_write()'s bytes.
 */
#ifndef TARN_PROXY_ADMIN_RING_H
#define TARN_PROXY_ADMIN_RING_H

#include <stdbool.h>

#include "firmware/base/check.h"
#include "firmware/base/span.h"

#define RING_SERIES_MAX 16
#define RING_NONE	INT64_MIN /* nothing was measured */

struct ring {
	unsigned slots, series;
	int64_t newest;	 /* which step since 1970 the newest slot is; -1: there is none yet */
	int64_t *values; /* slot (step % slots) x series */
};

/* At most RING_SERIES_MAX series. 0 or -ENOMEM. */
MUST_USE int ring_init(struct ring *ring, unsigned slots, unsigned series);
void ring_clear(struct ring *ring);

/*
 * The values of `step`, one a series, for adding to or changing; slots in between are RING_NONE. An older step than the
 * newest: the clock was put back, and what is newer is forgotten.
 */
int64_t *ring_at(struct ring *ring, int64_t step);

/* The value `back` steps before the newest (0), or RING_NONE. */
int64_t ring_look(const struct ring *ring, unsigned back, unsigned series);

/*
 * Bytes, all big-endian: u32 version (1), u32 slots, u32 series, i64 newest, then the slots from the oldest on,
 * i64 a series.
 */
size_t ring_bytes(const struct ring *ring);
void ring_write(const struct ring *ring, uint8_t *bytes);

/*
 * Takes over what was written; of a ring with fewer series, the rest is RING_NONE, of one with more slots the newest.
 * -EBADMSG: makes no sense, the ring is as before.
 */
MUST_USE int ring_read(struct ring *ring, struct span bytes);

#endif
