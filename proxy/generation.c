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
	_Atomic uint64_t previous;	 /* the number before the last publication; 0: none */
	_Atomic uint64_t previous_until; /* mono_ms: how long a device may be on it */
	_Atomic uint64_t
		publishing; /* the number of the last publication, from its beginning on; 0: none */
	_Atomic uint64_t held_since; /* mono_ms; 0: not held */
	atomic_bool changed;	     /* sync has not taken note yet */
	atomic_bool carried, cut_off;
	uint64_t seen[SEEN]; /* 0: nothing; with the lock */
};

/* On which generation a device's update began. */
struct pin {
	uint64_t who; /* hash of device and profile; 0: free */
	uint64_t number;
	uint64_t began;	  /* mono_ms */
	uint64_t indexes; /* a bit by hash for each that it had */
};

#define PIN_SETS 1024
#define PIN_WAYS 4

struct generations {
	struct writer *writer;
	generation_changed_f *changed;
	void *arg;
	_Atomic uint64_t hold_ms, finish_ms;
	pthread_mutex_t pins_lock;
	struct pin pins[PIN_SETS][PIN_WAYS];
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
	CHECK_OK(pthread_mutex_init(&g->pins_lock, NULL));
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
	pthread_mutex_destroy(&g->pins_lock);
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

static struct span carried_name(const char *profile, char buf[ROW_NAME_MAX])
{
	int n = snprintf(buf, ROW_NAME_MAX, "carried/%s", profile);

	return n > 0 && n < ROW_NAME_MAX ? span_make(buf, (size_t)n) : SPAN("");
}

/* What the last run left; a row that is damaged or absent is as if nothing had been known. */
static void row_read(struct slot *slot, struct store_reader *reader)
{
	uint8_t row[ROW_BYTES];
	char buf[ROW_NAME_MAX];
	struct span name = carried_name(slot->profile, buf);
	struct cursor c;
	uint64_t number;
	size_t n;

	if (name.n && store_state_get(reader, name, row, sizeof(row), &n) == 0)
		atomic_init(&slot->carried, true);
	name = row_name(slot->profile, buf);
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

static void carried_set(struct generations *g, struct slot *slot, bool carried)
{
	char buf[ROW_NAME_MAX];
	struct span name = carried_name(slot->profile, buf);

	if (atomic_exchange(&slot->carried, carried) == carried || !name.n)
		return;
	if (writer_put_state(g->writer, name, carried ? SPAN("1") : SPAN(""), NULL, NULL) < 0)
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
	if (changed) {
		row_write(g, slot);
		carried_set(g, slot, false);
	}
	pthread_mutex_unlock(&g->lock);
	if (changed) {
		STAT_INC(STAT_GENERATIONS);
		LOG(LOG_L_INFO, "generation.new", "vendor=%s", profile);
	}
	return changed;
}

/* ---- publishing ---------------------------------------------------------------------------------- */

void generations_watch(struct generations *g, generation_changed_f *changed, void *arg)
{
	g->changed = changed;
	g->arg = arg;
}

void generations_limit(struct generations *g, const struct generation_limits *limits)
{
	atomic_store_explicit(&g->hold_ms, limits->hold_ms, memory_order_relaxed);
	atomic_store_explicit(&g->finish_ms, limits->finish_ms, memory_order_relaxed);
}

static bool is_known(struct generations *g, struct slot *slot, const struct object *index)
{
	uint64_t place = XXH3_64bits(index->key.p, index->key.n) % SEEN;
	bool known;

	pthread_mutex_lock(&g->lock);
	known = slot->seen[place] == fingerprint(index) && has_validator(index);
	pthread_mutex_unlock(&g->lock);
	return known;
}

/* Since when it is held; it begins now if it is not. 0: that was long enough, and it is over. */
static uint64_t hold_begin(struct generations *g, struct slot *slot, struct now now)
{
	uint64_t limit = atomic_load_explicit(&g->hold_ms, memory_order_relaxed);
	uint64_t since = 0;

	if (atomic_compare_exchange_strong(&slot->held_since, &since,
					   now.mono_ms ? now.mono_ms : 1))
		return now.mono_ms ? now.mono_ms : 1;
	if (now_since(now, since) < limit)
		return since;
	atomic_store(&slot->held_since, 0);
	return 0;
}

bool generation_hold(struct generations *g, struct store_reader *reader, const char *profile,
		     const struct object *index, struct now now)
{
	struct slot *slot = g && g->changed ? slot_of(g, reader, profile) : NULL;

	if (!slot || is_known(g, slot, index))
		return false;
	if (!hold_begin(g, slot, now)) {
		STAT_INC(STAT_GENERATION_HOLD_EXPIRED);
		return false;
	}
	STAT_INC(STAT_GENERATION_HELD);
	if (!atomic_exchange(&slot->changed, true))
		g->changed(g->arg);
	return true;
}

bool generation_is_held(struct generations *g, const char *profile, struct now now)
{
	struct slot *slot = g ? slot_find(g, profile) : NULL;
	uint64_t since = slot ? atomic_load_explicit(&slot->held_since, memory_order_relaxed) : 0;

	return since &&
	       now_since(now, since) < atomic_load_explicit(&g->hold_ms, memory_order_relaxed);
}

bool generation_take_change(struct generations *g, const char *profile)
{
	struct slot *slot = slot_find(g, profile);

	return slot && atomic_exchange(&slot->changed, false);
}

void generation_release(struct generations *g, const char *profile)
{
	struct slot *slot = slot_find(g, profile);

	if (slot)
		atomic_store(&slot->held_since, 0);
}

uint64_t generation_next(struct generations *g, struct store_reader *reader, const char *profile,
			 struct now now)
{
	uint64_t number = generation_of(g, reader, profile) + 1;

	return now.wall_ms > 0 && (uint64_t)now.wall_ms > number ? (uint64_t)now.wall_ms : number;
}

void generation_know(struct generations *g, struct store_reader *reader, const char *profile,
		     const struct object *index)
{
	struct slot *slot = slot_of(g, reader, profile);

	if (!slot)
		return;
	pthread_mutex_lock(&g->lock);
	slot->seen[XXH3_64bits(index->key.p, index->key.n) % SEEN] = fingerprint(index);
	pthread_mutex_unlock(&g->lock);
}

void generation_publishing(struct generations *g, struct store_reader *reader, const char *profile,
			   uint64_t number)
{
	struct slot *slot = slot_of(g, reader, profile);

	if (!slot)
		return;
	atomic_store(&slot->previous, atomic_load(&slot->number));
	atomic_store(&slot->previous_until, UINT64_MAX);
	atomic_store(&slot->publishing, number);
}

void generation_keep(struct generations *g, const char *profile)
{
	struct slot *slot = slot_find(g, profile);

	if (!slot)
		return;
	atomic_store(&slot->publishing, 0);
	atomic_store(&slot->previous, 0);
}

void generation_publish(struct generations *g, struct store_reader *reader, const char *profile,
			uint64_t number, struct now now)
{
	struct slot *slot = slot_of(g, reader, profile);
	uint64_t before;

	if (!slot)
		return;
	pthread_mutex_lock(&g->lock);
	before = atomic_load(&slot->number);
	if (number <= before)
		number = before + 1; /* an unknown index came meanwhile */
	atomic_store(&slot->previous_until,
		     now.mono_ms + atomic_load_explicit(&g->finish_ms, memory_order_relaxed));
	atomic_store(&slot->number, number);
	row_write(g, slot);
	carried_set(g, slot, false);
	pthread_mutex_unlock(&g->lock);
	atomic_store(&slot->held_since, 0);
	STAT_INC(STAT_GENERATIONS);
	LOG(LOG_L_NOTICE, "generation.published", "vendor=%s number=%ju", profile,
	    (uintmax_t)number);
}

/* ---- carried generations ------------------------------------------------------------------------- */

void generation_carry(struct generations *g, struct store_reader *reader, const char *profile)
{
	struct slot *slot = slot_of(g, reader, profile);

	if (slot)
		carried_set(g, slot, true);
}

bool generation_is_carried(struct generations *g, const char *profile)
{
	struct slot *slot = g ? slot_find(g, profile) : NULL;

	return slot && atomic_load_explicit(&slot->carried, memory_order_relaxed);
}

void generation_cut_off(struct generations *g, struct store_reader *reader, const char *profile,
			bool cut_off)
{
	struct slot *slot = slot_of(g, reader, profile);

	if (slot)
		atomic_store_explicit(&slot->cut_off, cut_off, memory_order_relaxed);
}

bool generation_stands_alone(struct generations *g, const char *profile)
{
	struct slot *slot = g ? slot_find(g, profile) : NULL;

	return slot && atomic_load_explicit(&slot->carried, memory_order_relaxed) &&
	       atomic_load_explicit(&slot->cut_off, memory_order_relaxed);
}

/* ---- who is in the middle of an update ------------------------------------------------------------ */

static uint64_t who_hash(const struct slot *slot, const uint8_t device[16])
{
	uint64_t who = XXH3_64bits_withSeed(device, 16, (uint64_t)(uintptr_t)slot);

	return who ? who : 1;
}

/* With the lock: that of `who`, or one that may be taken (who differs then). */
static struct pin *pin_find(struct generations *g, uint64_t who)
{
	struct pin *set = g->pins[who % PIN_SETS], *oldest = &set[0];

	for (unsigned i = 0; i < PIN_WAYS; i++) {
		if (set[i].who == who)
			return &set[i];
		if (set[i].began < oldest->began)
			oldest = &set[i];
	}
	return oldest;
}

/* With the lock. An index that it had, or the time is over: a new update on what is current. */
static bool pin_index(struct generations *g, struct pin *pin, uint64_t who, uint64_t bit,
		      uint64_t current, uint64_t previous, struct now now)
{
	uint64_t finish = atomic_load_explicit(&g->finish_ms, memory_order_relaxed);
	bool goes_on = pin->who == who && !(pin->indexes & bit) &&
		       now_since(now, pin->began) < finish &&
		       (pin->number == current || pin->number == previous);

	if (!goes_on)
		*pin = (struct pin){ who, current, now.mono_ms, 0 };
	pin->indexes |= bit;
	return previous && pin->number == previous;
}

uint64_t generation_pinned(struct generations *g, const char *profile, const uint8_t device[16],
			   struct span key, bool index, struct now now)
{
	struct slot *slot = g && g->changed ? slot_find(g, profile) : NULL;
	uint64_t current, previous, who;
	struct pin *pin;
	bool pinned;

	if (!slot)
		return 0;
	previous = atomic_load_explicit(&slot->previous, memory_order_relaxed);
	if (now.mono_ms >= atomic_load_explicit(&slot->previous_until, memory_order_relaxed))
		previous = 0;
	if (!index && !previous)
		return 0;
	current = atomic_load(&slot->number);
	who = who_hash(slot, device);
	pthread_mutex_lock(&g->pins_lock);
	pin = pin_find(g, who);
	if (index)
		pinned = pin_index(g, pin, who, 1ull << (XXH3_64bits(key.p, key.n) % 64), current,
				   previous, now);
	else
		pinned = pin->who == who && pin->number == previous;
	pthread_mutex_unlock(&g->pins_lock);
	return pinned ? previous : 0;
}

void generation_served(struct generations *g, const char *profile, const uint8_t device[16],
		       uint64_t generation)
{
	struct slot *slot = g && g->changed ? slot_find(g, profile) : NULL;
	uint64_t publishing = slot ? atomic_load(&slot->publishing) : 0, who;
	struct pin *pin;

	if (!publishing)
		return;
	who = who_hash(slot, device);
	pthread_mutex_lock(&g->pins_lock);
	pin = pin_find(g, who);
	if (pin->who == who)
		pin->number = generation >= publishing ? publishing : atomic_load(&slot->previous);
	pthread_mutex_unlock(&g->pins_lock);
}
