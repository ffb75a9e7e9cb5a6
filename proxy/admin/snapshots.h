/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on just now, of all workers (proxy/flow.h), asked of each on its own thread. Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_SNAPSHOTS_H
#define TARN_PROXY_ADMIN_SNAPSHOTS_H

#include "proxy/admin/route.h"

#define SNAPSHOTS_ROWS_MAX 1000 /* of each kind, in an answer */
#define SNAPSHOTS_WAITERS                                                                          \
	64 /* asks that wait for one snapshot; further ones are told to come again */
#define SNAPSHOTS_LIMIT_MS 2000 /* a worker that does not answer in this time hangs, or is over */

struct snapshots;

MUST_USE int snapshots_new(struct worker *control, struct snapshots **ret_snapshots);
/* Once the workers have ended and no ask is kept any more. */
void snapshots_free(struct snapshots **snapshots);

/* Answers with `limit` rows of each kind at most, the oldest. Who asks while one is made gets that one. */
void snapshots_ask(struct snapshots *snapshots, struct admin_ask *ask, size_t limit);

#endif
