/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations. A profile's slot is made at its first use, from the row of the last run if there is one, and
 * stays as long as the process; slots are found without a lock, changed with it.
 *
 * The row: u64be number, then SEEN fingerprints of 8 bytes. An index has the place that its key's hash says; two that
 * share one take turns in it, which costs generations but never misses a change.
 *
 * A number is the wall clock's milliseconds, or one more than the last if that is greater: so a number whose row was
 * lost in a crash does not come again for another index.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/generation.h"

#define SEEN	  512
#define ROW_BYTES (8 + SEEN * 8)

struct slot {
	char *profile;
	_Atomic uint64_t number;
	uint64_t seen[SEEN]; /* 0: nothing; with the lock */
};

struct generations {
	struct writer *writer;
	pthread_mutex_t lock;
	atomic_uint n;
	struct slot *slots[GENERATION_PROFILES_MAX]; /* [0, n) are fixed */
};

int generations_new(struct writer *writer, struct generations **ret_generations)
{
	struct generations *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->writer = writer;
	CHECK_OK(pthread_mutex_init(&g->lock, NULL));
	*ret_generations = g;
	return 0;
}

void generations_free(struct generations **generations)
{
	struct generations *g = *generations;

	if (!g)
		return;
	for (unsigned i = 0; i < g->n; i++) {
		free(g->slots[i]->profile);
		free(g->slots[i]);
	}
	pthread_mutex_destroy(&g->lock);
	free(g);
	*generations = NULL;
}

/* ---- rows -------------------------------------------------------------------------------------- */

#define ROW_NAME_MAX 160

/* Empty if the profile's name is too long for a row: then it is not kept. */
static struct span row_name(const char *profile, char buf[ROW_NAME_MAX])
{
	int n = snprintf(buf, ROW_NAME_MAX, "generation/%s", profile);

	return n > 0 && n < ROW_NAME_MAX ? span_make(buf, (size_t)n) : SPAN("");
}

static void u64be_write(uint8_t *p, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* What the last run left; a row that is damaged or absent is as if nothing had been known. */
static void row_read(struct slot *slot, struct store_reader *reader)
{
	uint8_t row[ROW_BYTES];
	char buf[ROW_NAME_MAX];
	struct span name = row_name(slot->profile, buf);
	struct cursor c;
	uint64_t number;
	size_t n;

	if (!name.n || store_state_get(reader, name, row, sizeof(row), &n) < 0 || n != sizeof(row))
		return;
	c = cursor_make(row, n);
	CHECK_OK(cursor_u64be(&c, &number));
	atomic_init(&slot->number, number);
	for (unsigned i = 0; i < SEEN; i++)
		CHECK_OK(cursor_u64be(&c, &slot->seen[i]));
}

static void row_write(struct generations *g, const struct slot *slot)
{
	uint8_t row[ROW_BYTES];
	char buf[ROW_NAME_MAX];
	struct span name = row_name(slot->profile, buf);

	u64be_write(row, slot->number);
	for (unsigned i = 0; i < SEEN; i++)
		u64be_write(row + 8 + 8 * i, slot->seen[i]);
	if (!name.n ||
	    writer_put_state(g->writer, name, span_make(row, sizeof(row)), NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}

/* ---- slots -------------------------------------------------------------------------------------- */

static struct slot *slot_find(struct generations *g, const char *profile)
{
	unsigned n = atomic_load_explicit(&g->n, memory_order_acquire);

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(g->slots[i]->profile, profile))
			return g->slots[i];
	return NULL;
}

/* With the lock. NULL without memory or room. */
static struct slot *slot_make(struct generations *g, struct store_reader *reader,
			      const char *profile)
{
	struct slot *slot = slot_find(g, profile);

	if (slot || g->n == GENERATION_PROFILES_MAX)
		return slot;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->profile = strdup(profile);
	if (!slot->profile) {
		free(slot);
		return NULL;
	}
	row_read(slot, reader);
	g->slots[g->n] = slot;
	atomic_fetch_add_explicit(&g->n, 1, memory_order_release);
	return slot;
}

static struct slot *slot_of(struct generations *g, struct store_reader *reader, const char *profile)
{
	struct slot *slot = slot_find(g, profile);

	if (slot)
		return slot;
	pthread_mutex_lock(&g->lock);
	slot = slot_make(g, reader, profile);
	pthread_mutex_unlock(&g->lock);
	return slot;
}

uint64_t generation_of(struct generations *g, struct store_reader *reader, const char *profile)
{
	struct slot *slot = g ? slot_of(g, reader, profile) : NULL;

	return slot ? atomic_load_explicit(&slot->number, memory_order_relaxed) : 0;
}

/* ---- indexes ------------------------------------------------------------------------------------- */

static bool has_validator(const struct object *index)
{
	return index->etag.n > 0 || index->last_modified != OBJECT_TIME_UNKNOWN;
}

/* Never 0. */
static uint64_t fingerprint(const struct object *index)
{
	struct {
		int64_t last_modified, length;
		uint64_t etag, key;
	} what = {
		.last_modified = index->last_modified,
		.length = index->length,
		.etag = XXH3_64bits(index->etag.p, index->etag.n),
		.key = XXH3_64bits(index->key.p, index->key.n),
	};
	uint64_t print = XXH3_64bits(&what, sizeof(what));

	return print ? print : 1;
}

/* With the lock. */
static bool slot_see(struct slot *slot, const struct object *index, struct now now)
{
	uint64_t print = fingerprint(index);
	uint64_t *seen = &slot->seen[XXH3_64bits(index->key.p, index->key.n) % SEEN];
	uint64_t number = atomic_load_explicit(&slot->number, memory_order_relaxed) + 1;

	if (*seen == print && has_validator(index))
		return false;
	*seen = print;
	if (now.wall_ms > 0 && (uint64_t)now.wall_ms > number)
		number = (uint64_t)now.wall_ms;
	atomic_store_explicit(&slot->number, number, memory_order_relaxed);
	return true;
}

bool generation_index(struct generations *g, struct store_reader *reader, const char *profile,
		      const struct object *index, struct now now)
{
	struct slot *slot = g ? slot_of(g, reader, profile) : NULL;
	bool changed;

	if (!slot)
		return false;
	pthread_mutex_lock(&g->lock);
	changed = slot_see(slot, index, now);
	if (changed)
		row_write(g, slot);
	pthread_mutex_unlock(&g->lock);
	if (changed) {
		STAT_INC(STAT_GENERATIONS);
		LOG(LOG_L_INFO, "generation.new", "vendor=%s", profile);
	}
	return changed;
}
