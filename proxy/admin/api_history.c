/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource: figures over time.
 */
#include "proxy/admin/history.h"
#include "proxy/admin/route.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

static void get_history(struct admin_ask *ask)
{
	struct history *history = ask->control->proxy->history;
	const char *ring = admin_query(ask, "ring");
	json_t *json;
	int rc;

	if (!history)
		return admin_answer_error(ask, 503, "starting", "not yet: the proxy is starting");
	rc = history_json(history, ring ? ring : "hour", &json);
	if (rc == -EINVAL)
		admin_answer_error(ask, 400, "ring", "ring is minute, hour or day");
	else if (rc < 0)
		admin_answer_errno(ask, rc);
	else
		admin_answer_json(ask, 200, json);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/history", ADMIN_VIEW, get_history },
};
ADMIN_TABLE(history, routes);
