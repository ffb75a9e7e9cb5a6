/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of refusals, made from HTTP_REFUSALS.
 */
#include "proxy/http/refusal.h"

#include "firmware/base/check.h"
#include "firmware/base/stat.h"

static const struct http_refusal_info refusals[] = {
#define X(name_, status_, label_, rfc_, text_)                                                     \
	{ .name = #name_, .status = status_, .label = label_, .rfc = rfc_, .text = text_ },
	HTTP_REFUSALS(X)
#undef X
};

_Static_assert(HTTP_REFUSAL_COUNT <= STAT_HTTP_REFUSED_LAST - STAT_HTTP_REFUSED_FIRST + 1,
	       "stats.h has too few HTTP_REFUSED counters");

bool http_is_refusal(int rc)
{
	return -rc >= HTTP_REFUSAL_BASE && -rc < HTTP_REFUSAL_END_;
}

const struct http_refusal_info *http_refusal_info(int rc)
{
	CHECK(http_is_refusal(rc));
	return &refusals[-rc - HTTP_REFUSAL_BASE];
}

void http_refusal_count(int rc)
{
	CHECK(http_is_refusal(rc));
	stat_add(STAT_HTTP_REFUSED_FIRST + (unsigned)(-rc - HTTP_REFUSAL_BASE), 1);
}

void http_refusal_label_counters(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(refusals); i++)
		stat_label(STAT_HTTP_REFUSED_FIRST, i, refusals[i].label, refusals[i].text);
}
