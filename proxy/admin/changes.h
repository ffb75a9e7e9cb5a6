/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the settings, as the admin API asks the keeper for them: one at a time. Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_CHANGES_H
#define TARN_PROXY_ADMIN_CHANGES_H

#include "firmware/heritage.h"
#include "proxy/admin/route.h"

struct changes;

MUST_USE int changes_new(struct worker *control, struct changes **ret_changes);
void changes_free(struct changes **changes);

/* A new id, for the settings to tell and then the change. 0: none can be asked for now (409), and that is answered. */
uint32_t changes_id(struct changes *changes, struct admin_ask *ask);
/* Asks the keeper, and answers the ask once it has spoken or CHANGES_LIMIT_MS have passed. */
#define CHANGES_LIMIT_MS 5000
void changes_ask(struct changes *changes, struct admin_ask *ask, uint32_t id,
		 enum heritage_change_what what, unsigned settings);

/* What the keeper says. */
void changes_told(struct changes *changes, const struct heritage_changed *changed);

/* {left_s} or null; {at (ms since 1970)} or null. */
json_t *changes_pending(const struct changes *changes);
json_t *changes_undo(const struct changes *changes);

#endif
