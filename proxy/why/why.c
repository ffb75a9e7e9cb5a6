/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why. The way of a request through the rooms of proxy/client (request.c, cached.c), walked without doing anything:
 *
 *	head --- refused ---------------------------------------------> refuse
 *	  |  \--- TLS, Upgrade, CONNECT ------------------------------> splice, tunnel, refuse (TLS)
 *	host --- nobody's, never ------------------------------------> splice (asked as a proxy: relay)
 *	class, method, fields --- not for the store -----------------> relay
 *	key --- none can be made ------------------------------------> relay
 *	store --- what policy_lookup() says -------------------------> hit, validate, fetch, relay, refuse (504)
 *
 * Members of the answer: url, method, does, sentence, status (of a refusal, or of what the device gets), rules[]; form and
 * values of a sentence, for other languages (say.c);
 * host {name, port, profile, title, file, group, never}; class {kind, pattern}; key, vary, variants, variant; store_seen;
 * part {first, last, complete};
 * stored {status, age, lifetime, ttl, etag, last_modified, strong, complete, length, bytes, generation,
 * generation_now, received, flags[]}; condition; reach {checked, reachable, state, via, resolver}.
 *
 * A NULL of jansson is carried through to `bad`, so that one look at the end tells whether there was memory.
 */
#include "proxy/why/why.h"

#include <stdlib.h>

#include "proxy/why/why_priv.h"

static int explain(struct why *w)
{
	int rc = why_request_make(w);

	if (rc < 0) {
		why_refuse(w, rc);
		return 0;
	}
	if (w->head.form == HTTP_TARGET_AUTHORITY) {
		why_rule_reason(w, "request", WHY_REQUEST_CONNECT);
		why_explain_device(w);
		why_decide(w, "tunnel", "a tunnel to the host, if the device may use this proxy");
		return 0;
	}
	if (!why_explain_whose(w)) {
		why_explain_reach(w);
		return 0;
	}
	why_explain_class(w);
	if (why_explain_route(w) && why_explain_key(w)) {
		why_put(w, w->top, "store_seen", json_boolean(w->world->look != NULL));
		if (w->world->look)
			rc = why_explain_lookup(w);
		else
			why_explain_unseen(w);
	}
	why_explain_reach(w);
	return rc;
}

int why_explain(const struct why_ask *ask, const struct why_world *world, json_t **ret_json,
		const char **ret_error)
{
	const char *error = why_nonsense(ask);
	struct why *w;
	int rc;

	if (error) {
		*ret_error = error;
		return -EINVAL;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->ask = ask;
	w->world = world;
	w->top = json_object();
	w->rules = json_array();
	rc = explain(w);
	why_put_text(w, w->top, "url", span_of(ask->url));
	why_put_text(w, w->top, "method", span_of(ask->method ? ask->method : "GET"));
	why_put(w, w->top, "rules", w->rules);
	if (rc == 0 && w->bad)
		rc = -ENOMEM;
	if (rc == 0)
		*ret_json = json_incref(w->top);
	json_decref(w->top);
	object_free(&w->marker);
	object_free(&w->stored);
	object_free(&w->part);
	free(w);
	return rc;
}
