/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource: the appliance's systems. tarnd knows and does it all; elsewhere than on an appliance it is 404.
 */
#include <string.h>

#include "firmware/base/log.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/systems.h"

#define CALM                                                                                       \
	"03:00" /* as tarnctl update has it: an update's restart cuts the office's line for a minute */
#define CONFIRM "factory-reset"

static void get_appliance(struct admin_ask *ask)
{
	const struct heritage_systems look = { .what = HERITAGE_SYSTEMS_LOOK };

	systems_ask(admin_systems(ask->admin), ask, &look);
}

/* A string of the body in `ret`; `fallback` if it is not there. False: answered. */
static bool body_take(struct admin_ask *ask, const char *name, const char *fallback, char *ret,
		      size_t size)
{
	const json_t *value = json_object_get(ask->body, name);
	const char *text = value ? json_string_value(value) : fallback;

	if (text && strlen(text) < size && json_string_length(value) <= strlen(text) &&
	    (memcpy(ret, text, strlen(text) + 1), heritage_line_valid(ret, size, true)))
		return true;
	admin_answer_error(ask, 422, "bad_value", "%s is a line of text, shorter than %zu bytes",
			   name, size);
	return false;
}

static void deed(struct admin_ask *ask, enum heritage_systems_what what, const char *when)
{
	struct heritage_systems question = { .what = what };

	if (!body_take(ask, "restart", when, question.when, sizeof(question.when)))
		return;
	if (what == HERITAGE_SYSTEMS_UPDATE &&
	    !body_take(ask, "url", NULL, question.value, sizeof(question.value)))
		return;
	LOG(LOG_L_NOTICE, "appliance.asked", "path=%s by=%s", ask->path, ask->peer);
	systems_ask(admin_systems(ask->admin), ask, &question);
}

static void post_update(struct admin_ask *ask)
{
	deed(ask, HERITAGE_SYSTEMS_UPDATE, CALM);
}

static void post_rollback(struct admin_ask *ask)
{
	deed(ask, HERITAGE_SYSTEMS_ROLLBACK, "now");
}

static void post_restart(struct admin_ask *ask)
{
	deed(ask, HERITAGE_SYSTEMS_RESTART, "now");
}

static void post_reset(struct admin_ask *ask)
{
	const char *confirm = admin_body_text(ask, "confirm");

	if (!confirm || strcmp(confirm, CONFIRM) != 0)
		return admin_answer_error(ask, 422, "not_confirmed",
					  "confirm has to say " CONFIRM
					  ": settings, passwords, the CA and the cache are lost");
	deed(ask, HERITAGE_SYSTEMS_RESET, "now");
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/appliance", ADMIN_VIEW, get_appliance },
	{ ADMIN_POST, "/api/v1/appliance/update", ADMIN_OPERATE, post_update },
	{ ADMIN_POST, "/api/v1/appliance/rollback", ADMIN_OPERATE, post_rollback },
	{ ADMIN_POST, "/api/v1/appliance/restart", ADMIN_OPERATE, post_restart },
	{ ADMIN_POST, "/api/v1/appliance/reset", ADMIN_OPERATE, post_reset },
};
ADMIN_TABLE(appliance, routes);
