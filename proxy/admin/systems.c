/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	systems_ask ─► waiting ─► systems_said, all pieces in order ─► answered
 *	                  ├─ on_limit: 503
 *	                  └─ on_gone: the server ends
 *
 * The keeper's pieces come in order, or one is lost (its socket was full): then the asker waits for the limit.
 */
#include "proxy/admin/systems.h"

#include <stdlib.h>

#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

struct asker {
	struct systems *systems;
	struct admin_ask *ask; /* NULL: free */
	uint32_t id;
	size_t n, total; /* bytes of `text`: that are there; that come */
	char *text;
	struct event limit;
};

struct systems {
	struct worker *control;
	uint32_t id; /* of the last question */
	struct asker askers[SYSTEMS_ASKERS];
};

/* Nobody waits here any more. Who did: to be answered. */
static struct admin_ask *asker_end(struct asker *a)
{
	struct admin_ask *ask = a->ask;

	event_del(&a->limit);
	free(a->text);
	a->text = NULL;
	a->n = 0;
	a->ask = NULL;
	return ask;
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	admin_answer_error(asker_end(arg), 503, "keeper", "tarnd did not answer; look again");
}

static void on_gone(void *arg)
{
	(void)asker_end(arg);
}

int systems_new(struct worker *control, struct systems **ret_systems)
{
	struct systems *systems = calloc(1, sizeof(*systems));

	if (!systems)
		return -ENOMEM;
	systems->control = control;
	for (size_t i = 0; i < SYSTEMS_ASKERS; i++) {
		struct asker *a = &systems->askers[i];

		a->systems = systems;
		CHECK_OK(evtimer_assign(&a->limit, control->base, on_limit, a));
	}
	*ret_systems = systems;
	return 0;
}

void systems_free(struct systems **systems)
{
	if (!*systems)
		return;
	for (size_t i = 0; i < SYSTEMS_ASKERS; i++)
		(void)asker_end(&(*systems)->askers[i]);
	free(*systems);
	*systems = NULL;
}

/* NULL: nobody waits with that id; 0: a free one. */
static struct asker *asker_find(struct systems *systems, uint32_t id)
{
	for (size_t i = 0; i < SYSTEMS_ASKERS; i++) {
		struct asker *a = &systems->askers[i];

		if (id ? a->ask && a->id == id : !a->ask)
			return a;
	}
	return NULL;
}

void systems_ask(struct systems *systems, struct admin_ask *ask,
		 const struct heritage_systems *question)
{
	struct keeper *keeper = systems->control->proxy->keeper;
	struct heritage_systems message = *question;
	struct asker *a = asker_find(systems, 0);

	if (!keeper) {
		admin_answer_error(ask, 404, "no_appliance",
				   "this tarn-proxy runs alone, on no appliance");
		return;
	}
	if (++systems->id == 0)
		systems->id = 1;
	message.id = systems->id;
	if (!a || !keeper_systems(keeper, &message)) {
		admin_answer_error(ask, 503, "keeper", "tarnd can't be asked now");
		return;
	}
	a->ask = ask;
	a->id = message.id;
	admin_keep(ask, on_gone, a);
	CHECK_OK(event_add(&a->limit, worker_timeout(systems->control, SYSTEMS_LIMIT_MS)));
}

/* ---- the answer ----------------------------------------------------------------------------------- */

static int status_of(uint32_t error)
{
	return error == ENOENT ? 404 : error == EINVAL ? 422 : error == EBUSY ? 409 : 503;
}

/* `json` may be NULL: nothing that makes sense. */
static void answer_refused(struct admin_ask *ask, uint32_t error, const json_t *json)
{
	const char *word = json_string_value(json_object_get(json, "error"));
	const char *text = json_string_value(json_object_get(json, "text"));

	admin_answer_error(ask, status_of(error), word ? word : "keeper", "%s",
			   text ? text : "tarnd does not say why");
}

static void answer(struct asker *a, uint32_t error)
{
	json_t *json = json_loadb(a->text ? a->text : "", a->n, 0, NULL);
	bool empty = a->n == 0;
	struct admin_ask *ask = asker_end(a);

	if (error)
		answer_refused(ask, error, json);
	else if (empty)
		admin_answer_done(ask);
	else if (json_is_object(json))
		return admin_answer_json(ask, 200, json);
	else
		admin_answer_error(ask, 503, "keeper", "tarnd's answer makes no sense");
	json_decref(json);
}

void systems_said(struct systems *systems, const struct heritage_systems_said *said)
{
	struct asker *a = asker_find(systems, said->id);

	/* The first piece tells how long all is; who says something else later is not believed. */
	if (!a || said->at != a->n || (a->text && said->total != a->total))
		return;
	if (!a->text && said->total) {
		a->total = said->total;
		a->text = malloc(a->total);
		if (!a->text) {
			admin_answer_errno(asker_end(a), -ENOMEM);
			return;
		}
	}
	if (said->n)
		memcpy(a->text + a->n, said->text, said->n);
	a->n += said->n;
	if (a->n == said->total)
		answer(a, said->error);
}
