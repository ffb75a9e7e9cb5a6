/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures over time, for plots: the last four hours by the minute, two weeks by the hour, 400 days by the (local) day.
 * Kept in the store's rows "history/minute", "history/hour" and "history/day", of fixed size, saved every five minutes
 * and at the end. Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_HISTORY_H
#define TARN_PROXY_ADMIN_HISTORY_H

#include <jansson.h>

#include "firmware/base/check.h"

struct worker;
struct history;

/*
 * X(name in the API, SUM or LAST, counter or gauge). SUM: how much a counter grew in the step; LAST: a gauge as it was at
 * the step's end. Append: the order is that of the rows.
 */
#define HISTORY_SERIES(X)                                                                          \
	X(to_devices, SUM, STAT_BYTES_TO_DEVICES)                                                  \
	X(from_vendor, SUM, STAT_BYTES_FROM_VENDOR)                                                \
	X(requests, SUM, STAT_REQUESTS)                                                            \
	X(hits, SUM, STAT_REQUEST_HIT)                                                             \
	X(errors, SUM, STAT_REQUEST_ERROR)                                                         \
	X(probes, SUM, STAT_REACH_PROBES)                                                          \
	X(probe_failures, SUM, STAT_REACH_PROBE_FAILURES)                                          \
	X(dns_failures, SUM, STAT_DNS_FAILURES)                                                    \
	X(connect_failures, SUM, STAT_UPSTREAM_CONNECT_FAILURES)                                   \
	X(cache_bytes, LAST, STAT_STORE_BYTES)

/* After the store was opened and the writer started. 0 or -ENOMEM. */
MUST_USE int history_new(struct worker *control, struct history **ret_history);
/* Saves what there is. */
void history_free(struct history **history);

/*
 * {"ring", "step_s", "end", "series": {name: [value or null...]}}: oldest first, from the first slot that was ever measured;
 * `end` is the end of the newest step (ms since 1970), which may not be over. NULL: -EINVAL, no such ring, or no memory.
 */
MUST_USE int history_json(struct history *history, const char *ring, json_t **ret_json);

#endif
