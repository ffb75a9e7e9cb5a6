/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of one kind stand together: the buckets, then the sum. */
#include "firmware/base/histogram.h"

#include "firmware/base/check.h"

static const uint64_t bounds[] = {
#define X(ms) (ms),
	HISTOGRAM_BOUNDS(X)
#undef X
};
static const char *const kinds[REQUEST_KIND_COUNT] = {
#define X(name, label) label,
	REQUEST_KINDS(X)
#undef X
};

#define BUCKETS ((unsigned)ARRAY_LEN(bounds) + 1)

_Static_assert(ARRAY_LEN(bounds) + 2 == HISTOGRAM_SIZE,
	       "stats.h has a row for each bucket and the sum");
_Static_assert(REQUEST_KIND_COUNT == HISTOGRAM_KINDS, "and for each kind");

void histogram_add(enum stat_id first, enum request_kind kind, uint64_t ms)
{
	unsigned at = (unsigned)first + (unsigned)kind * HISTOGRAM_SIZE, i = 0;

	while (i < ARRAY_LEN(bounds) && ms > bounds[i])
		i++;
	STAT_INC((enum stat_id)(at + i));
	STAT_ADD((enum stat_id)(at + BUCKETS), ms);
}

static void view_one(enum stat_id first, const char *name, const char *help, unsigned kind,
		     histogram_each_f *f, void *arg)
{
	unsigned at = (unsigned)first + kind * HISTOGRAM_SIZE;
	int64_t buckets[ARRAY_LEN(bounds) + 1];

	for (unsigned i = 0; i < BUCKETS; i++)
		buckets[i] = stat_read((enum stat_id)(at + i));
	f(&(struct histogram_view){ .name = name,
				    .help = help,
				    .kind = kinds[kind],
				    .bounds_ms = bounds,
				    .buckets = buckets,
				    .n = BUCKETS,
				    .sum_ms = stat_read((enum stat_id)(at + BUCKETS)) },
	  arg);
}

void histogram_each(histogram_each_f *f, void *arg)
{
	for (unsigned kind = 0; kind < REQUEST_KIND_COUNT; kind++)
		view_one(STAT_REQUEST_FIRST_BYTE_FIRST, "request.first_byte",
			 "time from a request's head to the first byte of its answer", kind, f,
			 arg);
	for (unsigned kind = 0; kind < REQUEST_KIND_COUNT; kind++)
		view_one(STAT_REQUEST_WHOLE_FIRST, "request.whole",
			 "time from a request's head to the last byte of its answer", kind, f, arg);
}
