/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things took, by kind: counters of stat.h, so they cost the counting thread two additions and no lock. The
 * table of all is below; their counters are rows of stats.h (HISTOGRAM_SIZE for each of its kinds) that are shown here
 * alone.
 */
#ifndef FIRMWARE_BASE_HISTOGRAM_H
#define FIRMWARE_BASE_HISTOGRAM_H

#include "firmware/base/stat.h"

/* X(upper bound, ms, inclusive); what took longer counts in one bucket more. */
/* clang-format off */
#define HISTOGRAM_BOUNDS(X) \
	X(1) X(2) X(5) X(10) X(25) X(50) X(100) X(250) X(500) X(1000) X(2500) X(5000) X(10000) X(30000) X(60000)
/* clang-format on */

/* What became of a request. X(NAME, "label") */
#define REQUEST_KINDS(X)                                                                           \
	X(HIT, "hit")                                                                              \
	X(REVALIDATED, "revalidated")                                                              \
	X(MISS, "miss")                                                                            \
	X(COLLAPSED, "collapsed")                                                                  \
	X(PASS, "pass")

enum request_kind {
#define X(name, label) REQUEST_KIND_##name,
	REQUEST_KINDS(X)
#undef X
	REQUEST_KIND_COUNT
};

/* `first` is STAT_REQUEST_FIRST_BYTE_FIRST or STAT_REQUEST_WHOLE_FIRST. */
void histogram_add(enum stat_id first, enum request_kind kind, uint64_t ms);

struct histogram_view {
	const char *name; /* "request.first_byte" */
	const char *help;
	const char *kind;
	const uint64_t *bounds_ms; /* of the first n - 1 buckets */
	const int64_t *buckets;	   /* not cumulated */
	unsigned n;
	int64_t sum_ms;
};

/* Each histogram, kind by kind. Any thread. */
typedef void histogram_each_f(const struct histogram_view *view, void *arg);
void histogram_each(histogram_each_f *f, void *arg);

#endif
