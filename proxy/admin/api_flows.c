/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource: what goes on just now.
 */
#include "proxy/admin/admin.h"
#include "proxy/admin/route.h"
#include "proxy/admin/snapshots.h"

#define LIMIT_DEFAULT 200

static void get_flows(struct admin_ask *ask)
{
	int64_t limit;

	if (admin_query_number(ask, "limit", 1, SNAPSHOTS_ROWS_MAX, LIMIT_DEFAULT, &limit) == 0)
		snapshots_ask(admin_snapshots(ask->admin), ask, (size_t)limit);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/flows", ADMIN_VIEW, get_flows },
};
ADMIN_TABLE(flows, routes);
