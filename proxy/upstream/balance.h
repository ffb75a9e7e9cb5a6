/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a host's addresses first: those that failed lately are rested (tried last) for a while, longer each
 * time they fail again. One table for all threads, under a lock that is held for a lookup only.
 */
#ifndef TARN_PROXY_UPSTREAM_BALANCE_H
#define TARN_PROXY_UPSTREAM_BALANCE_H

#include "firmware/base/addr.h"

struct balance;

#define BALANCE_REST_MIN_MS 2000
#define BALANCE_REST_MAX_MS 120000

/* Most addresses in one balance_order(). */
#define BALANCE_ORDER_MAX 16

MUST_USE int balance_new(struct balance **ret_balance);
void balance_free(struct balance **balance);

/* An address (its port counts) failed: connect refused or timed out, no first byte, broke in the middle. */
void balance_failed(struct balance *balance, const struct addr *addr, uint64_t mono_ms);
/* It served well: forgotten. Cheap when nothing is known of it. */
void balance_good(struct balance *balance, const struct addr *addr);
bool balance_rested(struct balance *balance, const struct addr *addr, uint64_t mono_ms);
/* How long this address, at whichever port, still rests: ms; 0: it does not. *ret_failures: how often it failed in a row. */
uint64_t balance_rests_ms(struct balance *balance, const struct addr *addr, uint64_t mono_ms,
			  unsigned *ret_failures);

/*
 * Orders for trying: families interleaved beginning with that of the first usable address (RFC 8305, 4), turned by
 * `turn` within each family, rested ones last.
 */
void balance_order(struct balance *balance, struct addr *addrs, size_t n, unsigned turn,
		   uint64_t mono_ms);

#endif
