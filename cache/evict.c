/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks of use: a bitmap that ids fold into. Ids are given out one after the other, so live ones rarely share
 * a bit; where they do, one of them stays a round longer.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "cache/evict.h"

/* 1 MiB: with 8 M ids between the oldest and the newest object no two share a bit. */
#define MARK_WORDS (1u << 17)

struct evict_marks {
	_Atomic uint64_t words[MARK_WORDS];
};

int evict_marks_new(struct evict_marks **ret_marks)
{
	*ret_marks = calloc(1, sizeof(**ret_marks));
	return *ret_marks ? 0 : -ENOMEM;
}

void evict_marks_free(struct evict_marks **marks)
{
	free(*marks);
	*marks = NULL;
}

static _Atomic uint64_t *mark_word(struct evict_marks *marks, uint64_t id)
{
	return &marks->words[id / 64 % MARK_WORDS];
}

void evict_mark(struct evict_marks *marks, uint64_t id)
{
	_Atomic uint64_t *word = mark_word(marks, id);
	uint64_t bit = UINT64_C(1) << (id % 64);

	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
		atomic_fetch_or_explicit(word, bit, memory_order_relaxed);
}

bool evict_mark_clear(struct evict_marks *marks, uint64_t id)
{
	_Atomic uint64_t *word = mark_word(marks, id);
	uint64_t bit = UINT64_C(1) << (id % 64);

	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
		return false;
	return atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed) & bit;
}
