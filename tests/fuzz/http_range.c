/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small values: Range with a complete length (the first 8 bytes), Content-Range, HTTP-date with
 * the time now (the same 8 bytes), entity tags. Held to: ranges come out inside the
 * representation, disjoint, and cover what was asked; what is read is printed and read back alike.
 */
#include "tests/fuzz/fuzz.h"
#include "proxy/http/date.h"
#include "proxy/http/range.h"

static bool set_covers(const struct range_set *set, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < set->n; i++)
		if (set->range[i].first <= first && last <= set->range[i].last)
			return true;
	return false;
}

static void check_set(const struct range_set *set, uint64_t complete)
{
	CHECK(set->n >= 1 && set->n <= CONFIG_HTTP_RANGES_MAX);
	for (unsigned i = 0; i < set->n; i++) {
		CHECK(set->range[i].first <= set->range[i].last && set->range[i].last < complete);
		for (unsigned j = 0; j < i; j++)
			CHECK(set->range[j].last + 1 < set->range[i].first ||
			      set->range[i].last + 1 < set->range[j].first);
	}
}

static void try_range(struct span in, uint64_t complete)
{
	struct range_specs specs;
	struct range_set set;
	enum range_verdict verdict;

	if (complete == RANGE_UNKNOWN || http_range_parse(in, &specs) < 0)
		return;
	verdict = http_range_resolve(&specs, complete, &set);
	CHECK(verdict == http_range_apply(in, complete, &set));
	CHECK(verdict != RANGE_IGNORE || complete == 0);
	if (verdict == RANGE_SATISFIABLE)
		check_set(&set, complete);
	for (unsigned i = 0; i < specs.n; i++) {
		const struct range_spec *s = &specs.spec[i];

		if (s->suffix || s->first >= complete)
			continue;
		CHECK(verdict == RANGE_SATISFIABLE);
		CHECK(set_covers(&set, s->first, s->last < complete ? s->last : complete - 1));
	}
}

static void try_content_range(struct span in)
{
	struct content_range cr, again;
	char text[HTTP_CONTENT_RANGE_MAX];
	size_t n;

	if (http_content_range_parse(in, &cr) < 0)
		return;
	CHECK(cr.unsatisfied || cr.range.first <= cr.range.last);
	CHECK(cr.unsatisfied || cr.range.last < cr.complete);
	n = http_content_range_print(&cr, text);
	CHECK(http_content_range_parse(span_make(text, n), &again) == 0);
	CHECK(again.unsatisfied == cr.unsatisfied && again.complete == cr.complete);
	CHECK(again.range.first == cr.range.first && again.range.last == cr.range.last);
}

static void try_date(struct span in, int64_t now)
{
	char text[HTTP_DATE_LEN + 1];
	int64_t time, again;

	/* So that a year 50 years ahead still has four digits. */
	now = (int64_t)((uint64_t)now % (UINT64_C(7900) * 365 * 86400));
	if (http_date_parse(in, now, &time) < 0)
		return;
	http_date_print(time, text);
	CHECK(http_date_parse(span_make(text, HTTP_DATE_LEN), now, &again) == 0 && again == time);
}

static void try_etag(struct span in)
{
	struct etag tag;

	if (etag_parse(in, &tag) < 0)
		return;
	CHECK(span_lies_in(tag.opaque, in) && tag.opaque.n >= 2);
	CHECK(etag_equal_weak(&tag, &tag) && etag_equal_strong(&tag, &tag) == !tag.weak);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	uint64_t number = fuzz_u64(&in);
	char *copy = fuzz_copy(in);

	in.p = copy;
	try_range(in, number);
	try_content_range(in);
	try_date(in, (int64_t)number);
	try_etag(in);
	free(copy);
	return 0;
}
