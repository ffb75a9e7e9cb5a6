/* SPDX-License-Identifier: Apache-2.0 */
/* Fetching ahead and who has what: proxy/sync. */
#include "proxy/admin/route.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/sync/sync.h"

static struct sync *sync_of(const struct admin_ask *ask)
{
	return ask->control->proxy->sync;
}

static void get_sync(struct admin_ask *ask)
{
	admin_answer_json(ask, 200, sync_report(sync_of(ask)));
}

static void get_sent(struct admin_ask *ask)
{
	admin_answer_json(ask, 200, sync_sent(sync_of(ask)));
}

static void get_devices(struct admin_ask *ask)
{
	admin_answer_json(ask, 200, sync_devices(sync_of(ask)));
}

static void post_sync(struct admin_ask *ask)
{
	static const char *const words[] = { [SYNC_NOW] = "now",
					     [SYNC_PAUSE] = "pause",
					     [SYNC_RESUME] = "resume",
					     [SYNC_CANCEL] = "cancel" };
	const char *action = admin_body_text(ask, "action");
	const char *profile = admin_body_text(ask, "profile");

	for (size_t i = 0; action && i < ARRAY_LEN(words); i++) {
		if (strcmp(action, words[i]) != 0)
			continue;
		if (sync_command(sync_of(ask), (enum sync_action)i, profile) == 0)
			admin_answer_done(ask);
		else
			admin_answer_error(ask, 404, "unknown_profile",
					   "there is no such vendor whose profile fetches ahead");
		return;
	}
	admin_answer_error(ask, 422, "unknown_action",
			   "action is one of now, pause, resume, cancel");
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/sync", ADMIN_VIEW, get_sync },
	{ ADMIN_POST, "/api/v1/sync", ADMIN_OPERATE, post_sync },
	{ ADMIN_GET, "/api/v1/sync/sent", ADMIN_OPERATE, get_sent },
	{ ADMIN_GET, "/api/v1/devices", ADMIN_VIEW, get_devices },
};

ADMIN_TABLE(sync, routes);
