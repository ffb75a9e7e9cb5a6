/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before starting again what died.
 */
#ifndef FIRMWARE_KEEPER_BACKOFF_H
#define FIRMWARE_KEEPER_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS	 30000
#define BACKOFF_GOOD_MS	 60000 /* a life that long is forgiven everything before */

struct backoff {
	unsigned next_ms; /* zeroed: BACKOFF_FIRST_MS */
};

/* The wait after a life of `lived_ms`. */
static inline unsigned backoff_wait(struct backoff *b, uint64_t lived_ms)
{
	unsigned wait = b->next_ms && lived_ms < BACKOFF_GOOD_MS ? b->next_ms : BACKOFF_FIRST_MS;

	b->next_ms = wait * 2 < BACKOFF_MAX_MS ? wait * 2 : BACKOFF_MAX_MS;
	return wait;
}

#endif
