/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters. Who writes what:
 *	block[i] of a thread	that thread alone, relaxed; readers see each value whole
 *	set_values[i]		stat_set(), for gauges that one owner sets
 * A value is the sum over all blocks (gauges: modulo 2^64, so one thread may add what another
 * subtracts) plus the set value. Blocks are only ever added to the list, under blocks_lock; when a
 * thread ends, its block is marked free, with its counts, and the next new thread goes on with it.
 */
#include "firmware/base/stat.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "firmware/base/check.h"

struct block {
	_Atomic uint64_t values[STAT_MAX];
	struct block *next;
	bool in_use;
} __attribute__((aligned(64)));

struct row {
	const char *name;
	const char *label;
	const char *help;
	enum stat_kind kind;
	bool one_of_many;
};

#define STAT_ONE_(id, kind_, name_, help_)                                                         \
	[STAT_##id] = { .name = name_, .help = help_, .kind = STAT_KIND_##kind_ },
#define STAT_MANY_(id, count, kind_, name_, help_)                                                 \
	[STAT_##id##_FIRST... STAT_##id##_LAST] = {                                                \
		.name = name_, .help = help_, .kind = STAT_KIND_##kind_, .one_of_many = true       \
	},
static struct row rows[STAT_MAX] = { STATS(STAT_ONE_, STAT_MANY_) };

_Thread_local _Atomic uint64_t *stat_block;

static _Atomic uint64_t set_values[STAT_MAX];
static struct block *blocks;
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

/* Runs as the thread ends. It may count again in a later destructor: then it takes a block anew. */
static void block_release(void *arg)
{
	struct block *block = arg;

	stat_block = NULL;
	CHECK_OK(pthread_mutex_lock(&blocks_lock));
	block->in_use = false;
	CHECK_OK(pthread_mutex_unlock(&blocks_lock));
}

static void key_make(void)
{
	CHECK_OK(pthread_key_create(&key, block_release));
}

static struct block *block_claim(void)
{
	struct block *block;

	for (block = blocks; block; block = block->next)
		if (!block->in_use)
			break;
	if (!block) {
		block = aligned_alloc(_Alignof(struct block), sizeof(*block));
		CHECK(block != NULL); /* once a thread, at its start */
		*block = (struct block){ .next = blocks };
		blocks = block;
	}
	block->in_use = true;
	return block;
}

_Atomic uint64_t *stat_block_get(void)
{
	struct block *block;

	CHECK_OK(pthread_once(&key_once, key_make));
	CHECK_OK(pthread_mutex_lock(&blocks_lock));
	block = block_claim();
	CHECK_OK(pthread_mutex_unlock(&blocks_lock));
	CHECK_OK(pthread_setspecific(key, block));
	stat_block = block->values;
	return stat_block;
}

void stat_set(enum stat_id id, int64_t value)
{
	CHECK((size_t)id < STAT_MAX && rows[id].kind == STAT_KIND_GAUGE);
	atomic_store_explicit(&set_values[id], (uint64_t)value, memory_order_relaxed);
}

void stat_label(enum stat_id first, unsigned i, const char *label, const char *help)
{
	CHECK((size_t)first + i < STAT_MAX && rows[first].one_of_many &&
	      rows[first + i].name == rows[first].name);
	rows[first + i].label = label;
	rows[first + i].help = help;
}

static int64_t sum_locked(enum stat_id id)
{
	uint64_t sum = atomic_load_explicit(&set_values[id], memory_order_relaxed);

	for (const struct block *block = blocks; block; block = block->next)
		sum += atomic_load_explicit(&block->values[id], memory_order_relaxed);
	return (int64_t)sum;
}

int64_t stat_read(enum stat_id id)
{
	int64_t value;

	CHECK((size_t)id < STAT_MAX);
	CHECK_OK(pthread_mutex_lock(&blocks_lock));
	value = sum_locked(id);
	CHECK_OK(pthread_mutex_unlock(&blocks_lock));
	return value;
}

void stat_each(stat_each_f *f, void *arg)
{
	for (size_t id = 0; id < STAT_MAX; id++) {
		struct stat_view view;

		if (rows[id].one_of_many && !rows[id].label)
			continue;
		view = (struct stat_view){
			.name = rows[id].name,
			.label = rows[id].label,
			.help = rows[id].help,
			.kind = rows[id].kind,
			.value = stat_read((enum stat_id)id),
		};
		f(&view, arg);
	}
}
