/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part that is stored by itself (proxy/client/part.c): what it is of, and whether it answers this request.
 */
#include "proxy/why/why_priv.h"

#include "proxy/http/range.h"

/* Which bytes they are, as its Content-Range says. */
static bool range_of(const struct object *part, struct content_range *ret)
{
	struct span rest = part->fields, line;

	while (span_cut(&rest, '\n', &line)) {
		size_t colon = span_find(line, ':');

		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (http_field_id(span_head(line, colon)) == HTTP_FIELD_CONTENT_RANGE)
			return http_content_range_parse(span_trim(span_drop(line, colon + 1)),
							ret) == 0 &&
			       !ret->unsatisfied && ret->complete != RANGE_UNKNOWN;
	}
	return false;
}

/* One range, and no condition that needs the whole. */
static bool wants_part(const struct why *w, struct range_specs *ret_specs)
{
	return w->policy.ranged && !w->policy.conditional &&
	       w->policy.class->kind != PROFILE_INDEX && !http_has(&w->head, HTTP_FIELD_IF_RANGE) &&
	       http_range_of(&w->head, ret_specs) == 0 && ret_specs->n == 1;
}

static bool is_inside(const struct range_specs *specs, const struct content_range *part)
{
	struct range_set set;

	return http_range_resolve(specs, part->complete, &set) == RANGE_SATISFIABLE && set.n == 1 &&
	       set.range[0].first >= part->range.first && set.range[0].last <= part->range.last;
}

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

	if (why_look_part(w) < 0 || !range_of(w->part, &part))
		return false;
	explain_range(w, &part);
	policy_lookup(&w->policy, w->part, false, &w->env, &verdict, NULL);
	if (verdict.use != POLICY_USE_HIT) {
		why_rule(w, "store", "RFC 9111 4.2", "they are not fresh, and not used any more");
		return false;
	}
	if (!wants_part(w, &specs)) {
		if (part.range.first == 0 && policy_strong(w->part))
			why_rule(w, "store", "RFC 9111 3.4",
				 "for the whole, what is behind them is asked for");
		return false;
	}
	if (!is_inside(&specs, &part)) {
		why_rule(w, "store", "RFC 9111 3.3", "they are not all that is asked for");
		return false;
	}
	why_rule_reason(w, "decision", verdict.reason);
	why_put(w, w->top, "status", json_integer(206));
	why_decide(w, "hit", "answered with 206 from the stored part");
	return true;
}
