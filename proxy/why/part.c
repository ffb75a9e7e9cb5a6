/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part that is stored by itself (proxy/client/part.c): what it is of, and whether it answers this request.
 */
#include "proxy/why/why_priv.h"

static void explain_range(struct why *w, const struct content_range *part)
{
	json_t *json = why_part(w, "part");

	why_put(w, json, "first", json_integer((json_int_t)part->range.first));
	why_put(w, json, "last", json_integer((json_int_t)part->range.last));
	why_put(w, json, "complete", json_integer((json_int_t)part->complete));
	why_rule(w, "store", "RFC 9111 3.3",
		 "bytes %ju to %ju of %ju are stored by themselves, as a device asked for them",
		 (uintmax_t)part->range.first, (uintmax_t)part->range.last,
		 (uintmax_t)part->complete);
}

bool why_explain_part(struct why *w)
{
	struct policy_verdict verdict;
	struct content_range part;
	struct range_specs specs;
	struct byte_range range;

	if (why_look_part(w) < 0 || !policy_part_range(w->part, &part))
		return false;
	explain_range(w, &part);
	policy_lookup(&w->policy, w->part, false, &w->env, &verdict, NULL);
	if (verdict.use != POLICY_USE_HIT) {
		why_rule(w, "store", "RFC 9111 4.2", "they are not fresh, and not used any more");
		return false;
	}
	if (!policy_wants_part(&w->policy, &w->head, &specs)) {
		if (policy_wants_rest(&w->policy, &w->head) && policy_part_begins(w->part, &part))
			why_rule(w, "store", "RFC 9111 3.4",
				 "for the whole, what is behind them is asked for");
		return false;
	}
	if (!policy_part_has(&part, &specs, &range)) {
		why_rule(w, "store", "RFC 9111 3.3", "they are not all that is asked for");
		return false;
	}
	why_rule_reason(w, "decision", verdict.reason);
	why_put(w, w->top, "status", json_integer(206));
	why_decide(w, "hit", "answered with 206 from the stored part");
	return true;
}
