/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would be done: what policy_lookup() says of what is stored, and what the device gets of it.
 */
#include "proxy/why/why_priv.h"

#include <stdio.h>

#include "proxy/http/date.h"

/* The first byte of the answer that is not stored, or UINT64_MAX. */
static uint64_t hole_of(const struct policy_answer *answer, const struct object *o)
{
	struct byte_range whole = { 0, o->length > 0 ? (uint64_t)o->length - 1 : 0 };
	const struct byte_range *range = &whole;
	unsigned n = 1;

	if (object_complete(o) || o->length <= 0 || answer->kind == POLICY_ANSWER_NOT_MODIFIED ||
	    answer->kind == POLICY_ANSWER_UNSATISFIABLE)
		return UINT64_MAX;
	if (answer->kind == POLICY_ANSWER_PARTIAL) {
		range = answer->ranges.range;
		n = answer->ranges.n;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t until = object_stored_until(o, range[i].first);

		if (until <= range[i].last)
			return until;
	}
	return UINT64_MAX;
}

static void explain_fill(struct why *w, const struct policy_answer *answer)
{
	if (policy_fills(&w->policy, w->stored, answer, (struct policy_coming){ 0 }))
		why_rule(
			w, "answer", "RFC 9111 3.3",
			"more than half of it is stored: what is missing is fetched meanwhile, for "
			"those who come");
}

static void decide_hit(struct why *w, const char *meanwhile)
{
	static const unsigned statuses[] = {
		[POLICY_ANSWER_NOT_MODIFIED] = 304,
		[POLICY_ANSWER_PARTIAL] = 206,
		[POLICY_ANSWER_UNSATISFIABLE] = 416,
	};
	struct policy_answer answer;
	unsigned status;
	uint64_t hole;

	policy_answer(&w->head, w->stored, w->stored->length, w->env.now, &answer);
	why_rule_reason(w, "answer", answer.reason);
	status = answer.kind == POLICY_ANSWER_WHOLE ? w->stored->status : statuses[answer.kind];
	why_put(w, w->top, "status", json_integer(status));
	hole = w->head.method == HTTP_METHOD_HEAD ? UINT64_MAX : hole_of(&answer, w->stored);
	explain_fill(w, &answer);
	if (hole == UINT64_MAX) {
		why_decide(w, "hit", "answered with %u from the store%s", status, meanwhile);
		return;
	}
	why_rule(w, "answer", "RFC 9111 3.4",
		 "byte %ju is not stored: the chunks that are missing are fetched, guarded by its "
		 "validator",
		 (uintmax_t)hole);
	why_decide(w, "fetch",
		   "answered with %u: what is stored, and what is missing of it fetched", status);
}

/* The conditions of the request that would go upstream. */
static void decide_validate(struct why *w)
{
	const struct object *o = w->stored;
	char date[HTTP_DATE_LEN + 1] = "", text[400];

	if (o->last_modified != OBJECT_TIME_UNKNOWN)
		http_date_print(o->last_modified, date);
	(void)snprintf(text, sizeof(text), "%s%.*s%s%s%s", o->etag.n ? "If-None-Match: " : "",
		       SPAN_FMT(span_head(o->etag, 200)), o->etag.n && date[0] ? ", " : "",
		       date[0] ? "If-Modified-Since: " : "", date);
	why_clean(text);
	why_put(w, w->top, "condition", json_string(text));
	why_rule(w, "decision", "RFC 9111 4.3.1", "the origin is asked with %s",
		 text[0] ? text : "no condition, as there is no validator");
	why_decide(w, "validate", "the origin is asked whether what is stored still holds (%s)",
		   text[0] ? text : "no condition");
}

static void decide_error(struct why *w)
{
	struct policy_times times = { w->env.now, w->env.now };
	enum policy_outcome outcome;
	struct object updated;

	if (!w->stored || policy_validated(&w->policy, w->stored, NULL, &times, &w->env, w->fields,
					   sizeof(w->fields), &outcome, &updated, NULL) < 0)
		return;
	if (outcome == POLICY_OUTCOME_STALE)
		why_rule_reason(w, "if it fails", WHY_ERROR_STALE);
	else
		why_rule_reason(w, "if it fails", WHY_ERROR_FORWARDED);
}

static void decide_verdict(struct why *w)
{
	switch (w->verdict.use) {
	case POLICY_USE_HIT:
		decide_hit(w, "");
		break;
	case POLICY_USE_REVALIDATE:
		decide_hit(w, ", and the origin is asked meanwhile whether it still holds");
		break;
	case POLICY_USE_VALIDATE:
		decide_validate(w);
		decide_error(w);
		break;
	case POLICY_USE_FETCH:
		why_decide(w, "fetch", "fetched from the vendor, once for all who ask meanwhile%s",
			   w->verdict.cond == POLICY_COND_DEVICE ? ", with the device's condition"
								 : "");
		break;
	case POLICY_USE_RELAY:
		why_decide(w, "relay", "relayed to the origin and back for this request alone%s",
			   w->policy.only_if_cached ? "" : ", nothing is stored");
		break;
	case POLICY_USE_504:
		why_put(w, w->top, "status", json_integer(504));
		why_decide(w, "refuse",
			   "refused with 504: only-if-cached, and nothing stored will do");
		break;
	}
	if (w->policy.authorized && w->verdict.use == POLICY_USE_FETCH)
		why_rule(
			w, "if fetched", "RFC 9111 3.5",
			"the request is authorized: the response is stored only if it says public, "
			"s-maxage or must-revalidate");
	if (w->verdict.use == POLICY_USE_FETCH)
		why_rule(w, "if fetched", "RFC 9111 3",
			 "whether it is stored, and for how long, the response decides; what "
			 "forbade "
			 "storing (no-store, private, Vary: *) left nothing here to see");
}

/* Not seen: what would be decided depends on what is stored. */
void why_explain_unseen(struct why *w)
{
	why_rule(w, "store", "", "the store can't be seen: no tarn-proxy answers");
	why_decide(w, "lookup",
		   "looked up in the store; what comes of it only a running tarn-proxy can tell");
}

int why_explain_lookup(struct why *w)
{
	const struct why_world *world = w->world;
	int rc;

	w->env = (struct policy_env){
		.now = world->now,
		.heuristic_max = world->heuristic_max,
		.generation = world->generation(world->arg, profile_name(w->match.profile)),
	};
	rc = why_look(w);
	if (rc == -ENOMEM)
		return rc;
	if (w->stored)
		why_explain_stored(w);
	else
		why_put(w, w->top, "stored", json_null());
	if (!w->stored && why_explain_part(w))
		return 0;
	policy_lookup(&w->policy, w->stored, w->marker != NULL, &w->env, &w->verdict, &w->trace);
	why_rule_trace(w, "decision");
	decide_verdict(w);
	return 0;
}
