/* SPDX-License-Identifier: Apache-2.0 */
/* Reasons: the table and the trace. */
#include "proxy/policy/reason.h"

#include "firmware/base/check.h"

static const struct policy_reason_info infos[] = {
#define X(id, token, source, text) { token, source, text },
	POLICY_REASONS(X)
#undef X
};

const struct policy_reason_info *policy_reason_info(enum policy_reason reason)
{
	CHECK((unsigned)reason < ARRAY_LEN(infos));
	return &infos[reason];
}

void policy_trace_add(struct policy_trace *trace, enum policy_reason reason)
{
	if (trace && trace->n < POLICY_TRACE_MAX)
		trace->reason[trace->n++] = reason;
}

bool policy_trace_has(const struct policy_trace *trace, enum policy_reason reason)
{
	for (unsigned i = 0; i < trace->n; i++)
		if (trace->reason[i] == reason)
			return true;
	return false;
}
