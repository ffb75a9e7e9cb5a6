/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vendor addresses that are known, so that after a restart devices are steered before anybody has asked a
 * resolver again: what we resolved and what the keeper learned. A row of state in the store. Control loop only.
 */
#ifndef TARN_PROXY_KNOWN_H
#define TARN_PROXY_KNOWN_H

#include "firmware/base/addr.h"

struct worker;
struct known;

#define KNOWN_MAX    2048  /* the one seen longest ago makes room */
#define KNOWN_KEEP_S 86400 /* an address is kept for so long after it was seen last */

/* An address from before the restart, and for how many seconds it still counts. */
typedef void known_f(void *arg, const struct addr *addr, uint32_t ttl);

/* Reads the row and tells each address that still counts, some at once and the others soon. A row that does not parse is empty. 0 or -ENOMEM. */
MUST_USE int known_new(struct worker *control, known_f *tell, void *arg, struct known **ret_known);
/* Saves what is new, as far as the writer takes it, and frees. */
void known_free(struct known **known);

/* Seen now, for at least `ttl` seconds (KNOWN_KEEP_S if that is more). Saved soon. */
void known_add(struct known *known, const struct addr *addr, uint32_t ttl);
size_t known_count(const struct known *known);

#endif
