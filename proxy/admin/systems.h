/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for what the keeper says of the appliance's systems (firmware/keeper/appliance.h). Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_SYSTEMS_H
#define TARN_PROXY_ADMIN_SYSTEMS_H

#include "firmware/heritage.h"
#include "proxy/admin/route.h"

struct systems;

#define SYSTEMS_ASKERS	 16    /* who wait at a time; more are told to come again */
#define SYSTEMS_LIMIT_MS 20000 /* a boot partition is checked before it is written */

MUST_USE int systems_new(struct worker *control, struct systems **ret_systems);
void systems_free(struct systems **systems);

/*
 * Asks the keeper (`question`: its what, when and value), and answers the ask once it has spoken: 200 with the document of
 * HERITAGE_SYSTEMS_LOOK, 204 for what was done, 404 where this is no appliance, 409, 422, 503.
 */
void systems_ask(struct systems *systems, struct admin_ask *ask,
		 const struct heritage_systems *question);

/* A piece of what the keeper says. */
void systems_said(struct systems *systems, const struct heritage_systems_said *said);

#endif
