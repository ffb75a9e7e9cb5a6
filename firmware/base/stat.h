/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters and gauges. The table of all of them is stats.h; this is how they count.
 *
 * Each thread counts in a block of its own without locks; a reader sums all blocks. A block
 * outlives its thread (the next thread goes on counting in it), so sums never go back.
 */
#ifndef FIRMWARE_BASE_STAT_H
#define FIRMWARE_BASE_STAT_H

#include <stdatomic.h>
#include <stdint.h>

#include "firmware/base/stats.h"

enum stat_kind {
	STAT_KIND_COUNTER,
	STAT_KIND_GAUGE
};

enum stat_id {
#define STAT_ONE_(id, kind, name, help) STAT_##id,
#define STAT_MANY_(id, count, kind, name, help)                                                    \
	STAT_##id##_FIRST, STAT_##id##_LAST = STAT_##id##_FIRST + (count)-1,
	STATS(STAT_ONE_, STAT_MANY_)
#undef STAT_ONE_
#undef STAT_MANY_
	STAT_MAX
};

extern _Thread_local _Atomic uint64_t *stat_block;

/* The calling thread's block; made at its first count. */
_Atomic uint64_t *stat_block_get(void);

static inline void stat_add(enum stat_id id, uint64_t n)
{
	_Atomic uint64_t *block = stat_block;

	if (__builtin_expect(!block, 0))
		block = stat_block_get();
	/* The only writer of this block is this thread. */
	atomic_store_explicit(&block[id],
			      atomic_load_explicit(&block[id], memory_order_relaxed) + n,
			      memory_order_relaxed);
}

#define STAT_INC(id)	stat_add((id), 1)
#define STAT_ADD(id, n) stat_add((id), (uint64_t)(n))
/*
 * Gauges may go down, on any thread; and may be set as a whole by one owner (then never added to).
 */
#define STAT_DEC(id)	    stat_add((id), (uint64_t)-1)
#define STAT_SUB(id, n)	    stat_add((id), (uint64_t)0 - (uint64_t)(n))
#define STAT_SET(id, value) stat_set((id), (int64_t)(value))

void stat_set(enum stat_id id, int64_t value);

/*
 * Names the i-th counter of a range (`first` is its _FIRST): "<range's name>.<label>". Unnamed ones
 * are not shown. Strings must live as long as the process. Before the threads start.
 */
void stat_label(enum stat_id first, unsigned i, const char *label, const char *help);

int64_t stat_read(enum stat_id id);

struct stat_view {
	const char *name;  /* the row's; for a range, the range's */
	const char *label; /* of one of a range; NULL for a single row */
	const char *help;
	enum stat_kind kind;
	int64_t value;
};

/* All rows in the table's order. Any thread. */
typedef void stat_each_f(const struct stat_view *view, void *arg);
void stat_each(stat_each_f *f, void *arg);

#endif
