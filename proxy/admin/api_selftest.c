/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource: the selftest.
 */
#include "proxy/admin/admin.h"
#include "proxy/admin/selftests.h"

static void get_selftest(struct admin_ask *ask)
{
	admin_answer_json(ask, 200, selftests_json(admin_selftests(ask->admin)));
}

static void post_selftest(struct admin_ask *ask)
{
	selftests_ask(admin_selftests(ask->admin), ask);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/selftest", ADMIN_VIEW, get_selftest },
	{ ADMIN_POST, "/api/v1/selftest", ADMIN_OPERATE, post_selftest },
};
ADMIN_TABLE(selftest, routes);
