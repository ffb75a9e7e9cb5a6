/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper decides; here is only who waits for its answer, and what it said last. An asker that went away is answered
 * all the same (route.h).
 */
#include "proxy/admin/changes.h"

#include <stdlib.h>

#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

struct changes {
	struct worker *control;
	uint32_t id; /* of the last one that was asked for */
	unsigned settings;
	struct admin_ask *asked; /* waits for the answer to `id`; NULL: nobody */
	struct event limit;
	uint64_t pending_until_ms; /* CLOCK_MONOTONIC; 0: nothing waits */
	uint64_t undo_at_ms;
};

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct changes *changes = arg;
	struct admin_ask *ask = changes->asked;

	(void)fd, (void)what;
	changes->asked = NULL;
	if (ask)
		admin_answer_error(ask, 503, "keeper", "tarnd did not answer; look again");
}

int changes_new(struct worker *control, struct changes **ret_changes)
{
	struct changes *changes = calloc(1, sizeof(*changes));

	if (!changes)
		return -ENOMEM;
	changes->control = control;
	CHECK_OK(evtimer_assign(&changes->limit, control->base, on_limit, changes));
	*ret_changes = changes;
	return 0;
}

void changes_free(struct changes **changes)
{
	if (!*changes)
		return;
	event_del(&(*changes)->limit);
	free(*changes);
	*changes = NULL;
}

/* The server ends. */
static void on_gone(void *arg)
{
	struct changes *changes = arg;

	changes->asked = NULL;
	event_del(&changes->limit);
}

uint32_t changes_id(struct changes *changes, struct admin_ask *ask)
{
	if (!changes->control->proxy->keeper) {
		admin_answer_error(ask, 409, "no_keeper",
				   "this tarn-proxy runs alone: its settings are those of its file "
				   "and command line");
		return 0;
	}
	if (changes->asked) {
		admin_answer_error(ask, 409, "busy", "another change is being made");
		return 0;
	}
	if (++changes->id == 0)
		changes->id = 1;
	return changes->id;
}

void changes_ask(struct changes *changes, struct admin_ask *ask, uint32_t id,
		 enum heritage_change_what what, unsigned settings)
{
	changes->settings = settings;
	if (!keeper_change(changes->control->proxy->keeper, id, what, settings)) {
		admin_answer_error(ask, 503, "keeper", "tarnd can't be told now");
		return;
	}
	changes->asked = ask;
	admin_keep(ask, on_gone, changes);
	CHECK_OK(event_add(&changes->limit, worker_timeout(changes->control, CHANGES_LIMIT_MS)));
}

/* ---- the answer ----------------------------------------------------------------------------------- */

static void answer_refused(struct admin_ask *ask, const struct heritage_changed *changed)
{
	int error = (int)changed->error;
	int status = error == EBUSY || error == ENOENT || error == ESTALE ? 409
		     : error == EINVAL || error == EPERM		  ? 422
									  : 503;
	const char *word = error == EBUSY    ? "pending"
			   : error == ENOENT ? "nothing"
			   : error == ESTALE ? "edited"
			   : status == 422   ? "setting"
					     : "keeper";

	admin_answer_error(ask, status, word, "%s", changed->text);
}

static void answer(struct changes *changes, struct admin_ask *ask,
		   const struct heritage_changed *changed)
{
	if (changed->error) {
		answer_refused(ask, changed);
		return;
	}
	admin_answer_json(
		ask, 200,
		json_pack("{s:i, s:b, s:o, s:o}", "applied",
			  changed->how == HERITAGE_CHANGED_TAKEN ? (int)changes->settings : 0,
			  "restart", (int)changed->restart, "pending", changes_pending(changes),
			  "undo", changes_undo(changes)));
}

void changes_told(struct changes *changes, const struct heritage_changed *changed)
{
	struct admin_ask *ask = changes->asked;

	changes->pending_until_ms =
		changed->left_ms ? worker_now(changes->control)->mono_ms + changed->left_ms : 0;
	changes->undo_at_ms = changed->undo_at_ms;
	if (!ask || changed->id != changes->id)
		return;
	changes->asked = NULL;
	event_del(&changes->limit);
	answer(changes, ask, changed);
}

json_t *changes_pending(const struct changes *changes)
{
	uint64_t now = worker_now(changes->control)->mono_ms, until = changes->pending_until_ms;

	return until > now ? json_pack("{s:I}", "left_s", (json_int_t)(until - now + 999) / 1000)
			   : json_null();
}

json_t *changes_undo(const struct changes *changes)
{
	return changes->undo_at_ms ? json_pack("{s:I}", "at", (json_int_t)changes->undo_at_ms)
				   : json_null();
}
