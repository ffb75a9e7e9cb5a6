/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker was told of names within the last second, so that in a burst of fetches not each waits for the control loop,
 * which may have others to serve. No longer, as who is asked (reach) and what was answered may change meanwhile. A worker's
 * own; the control loop has none, as it has the answers themselves.
 */
#ifndef TARN_PROXY_DNS_RECENT_H
#define TARN_PROXY_DNS_RECENT_H

#include "proxy/dns/resolve.h"

#define RECENT_MS    1000
#define RECENT_NAMES 8 /* more push out the oldest */

struct recent;

/* Sets worker->recent. 0 or -ENOMEM. */
MUST_USE int recent_new(struct worker *worker);
void recent_free(struct worker *worker);

/* The name has these addresses, 1 .. RESOLVE_ADDRS_MAX, for `left_ms`, of which RECENT_MS count; what was told before goes. */
void recent_told(struct recent *recent, const char *host, const struct addr *addrs, size_t n,
		 uint64_t now_ms, uint64_t left_ms);
/* How many addresses; 0: it has to be asked. *ret_turn goes up with each call, for balance_order(). */
size_t recent_find(struct recent *recent, const char *host, uint64_t now_ms,
		   struct addr ret_addrs[RESOLVE_ADDRS_MAX], unsigned *ret_turn);

#endif
