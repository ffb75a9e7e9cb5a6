/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of flights, and the seats in them. See flight.h for the contract, flight_priv.h for the locks.
 *
 *	              flight_join, flight_begin, flight_alone
 *	                               |
 *	                               v
 *	     flight_abandon           NEW --------------- flight_end(-errno) ---+
 *	   +---------------------------+                                        |
 *	   |                           | flight_head                            |
 *	   v                           v                                        v
 *	 REDO <-- -ECANCELED ------- BODY --------------- flight_end(-errno) -> FAILED
 *	                               |
 *	                               | flight_end(0), or a head without a body
 *	                               v
 *	                             DONE
 *
 * A flight stays in the table until what it stored is committed (or will never be), so that a request finds a
 * thing either here or in the store. FAILED and REDO flights leave at once. Nobody keeps a pointer to a
 * flight without counting: the last flight_unref() frees it, and by then it is in no list.
 */
#include <stdlib.h>

#include "cache/flight_priv.h"
#include "firmware/base/stat.h"

const char *flight_state_name(enum flight_state state)
{
	static const char *const names[] = {
#define X(name, text, help) [FLIGHT_##name] = text,
		FLIGHT_STATES(X)
#undef X
	};
	return names[state];
}

/* ---- the table --------------------------------------------------------------------------------- */

int flights_new(struct store *store, struct writer *writer, const struct flight_limits *limits,
		struct flights **ret_flights)
{
	struct flights *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	if (chunk_pool_new(limits->chunks, &all->pool) < 0) {
		free(all);
		return -ENOMEM;
	}
	all->store = store;
	all->writer = writer;
	all->limits = *limits;
	atomic_init(&all->count, 0);
	for (unsigned i = 0; i < FLIGHT_SHARDS; i++)
		CHECK_OK(pthread_mutex_init(&all->shards[i].lock, NULL));
	*ret_flights = all;
	return 0;
}

void flights_free(struct flights **flights)
{
	struct flights *all = *flights;

	if (!all)
		return;
	for (unsigned i = 0; i < FLIGHT_SHARDS; i++) {
		for (unsigned j = 0; j < FLIGHT_BUCKETS; j++)
			CHECK(LIST_EMPTY(&all->shards[i].buckets[j]));
		pthread_mutex_destroy(&all->shards[i].lock);
	}
	chunk_pool_free(&all->pool);
	free(all);
	*flights = NULL;
}

unsigned flights_count(const struct flights *all)
{
	return atomic_load(&all->count);
}

void flights_trim(struct flights *flights)
{
	chunk_pool_trim(flights->pool);
}

static struct shard *shard_of(struct flights *all, const uint8_t *hash)
{
	return &all->shards[hash[0] % FLIGHT_SHARDS];
}

static unsigned bucket_of(const uint8_t *hash)
{
	return hash[1] % FLIGHT_BUCKETS;
}

/* With the shard's lock; the table's reference is the caller's then. */
static void shard_remove(struct shard *shard, struct flight *f)
{
	LIST_REMOVE(f, link);
	f->tabled = false;
	if (f->shown)
		atomic_fetch_sub_explicit(&shard->shown[bucket_of(f->hash)], 1,
					  memory_order_release);
	f->shown = false;
}

void flight_show(struct flight *f)
{
	struct shard *shard;

	if (!f->keyed || !(f->verdict == FLIGHT_REFRESHED || f->verdict == FLIGHT_STORE) ||
	    f->first || (f->merging && f->verdict == FLIGHT_STORE))
		return;
	shard = shard_of(f->all, f->hash);
	pthread_mutex_lock(&shard->lock);
	if (f->tabled && !f->shown) {
		f->shown = true;
		atomic_fetch_add_explicit(&shard->shown[bucket_of(f->hash)], 1,
					  memory_order_release);
	}
	pthread_mutex_unlock(&shard->lock);
}

void flight_unlist(struct flight *f)
{
	struct shard *shard;
	bool was;

	if (!f->keyed)
		return;
	shard = shard_of(f->all, f->hash);
	pthread_mutex_lock(&shard->lock);
	was = f->tabled;
	if (was)
		shard_remove(shard, f);
	pthread_mutex_unlock(&shard->lock);
	if (was)
		flight_unref(&(struct flight *){ f });
}

void flight_mark_alone(struct flight *f, struct now now)
{
	struct shard *shard;
	struct alone_mark *mark;

	if (!f->keyed)
		return;
	shard = shard_of(f->all, f->hash);
	pthread_mutex_lock(&shard->lock);
	mark = &shard->alone[shard->alone_next++ % FLIGHT_ALONES];
	memcpy(mark->hash, f->hash, sizeof(mark->hash));
	mark->until = now.mono_ms + f->all->limits.alone_ms;
	pthread_mutex_unlock(&shard->lock);
}

/* With the shard's lock. */
static bool is_marked_alone(const struct shard *shard, const uint8_t *hash, struct now now)
{
	for (unsigned i = 0; i < FLIGHT_ALONES; i++)
		if (shard->alone[i].until > now.mono_ms &&
		    !memcmp(shard->alone[i].hash, hash, CACHE_KEY_HASH_BYTES))
			return true;
	return false;
}

/* ---- making and freeing ------------------------------------------------------------------------ */

static struct flight *flight_make(struct flights *all, const struct cache_key *key,
				  struct flight_want want)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	atomic_init(&f->refs, 1);
	f->all = all;
	if (key) {
		memcpy(f->hash, key->hash, sizeof(f->hash));
		f->keyed = true;
	}
	f->want = want;
	f->published = f->floor = want.from;
	f->state = FLIGHT_NEW;
	f->length = -1;
	TAILQ_INIT(&f->readers);
	CHECK_OK(pthread_mutex_init(&f->lock, NULL));
	atomic_fetch_add(&all->count, 1);
	STAT_INC(STAT_FLIGHT_STARTED);
	STAT_INC(STAT_FLIGHT_OPEN);
	return f;
}

struct flight *flight_ref(struct flight *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

void flight_unref(struct flight **flight)
{
	struct flight *f = *flight;

	*flight = NULL;
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	CHECK(!f->tabled && !f->producer && TAILQ_EMPTY(&f->readers));
	flight_slots_free(f);
	lease_unref(&f->lease);
	object_free(&f->object);
	free(f->extra);
	pthread_mutex_destroy(&f->lock);
	STAT_DEC(STAT_FLIGHT_OPEN);
	atomic_fetch_sub(&f->all->count, 1);
	free(f);
}

/* ---- joining ----------------------------------------------------------------------------------- */

/* With the flight's lock (or nobody else knowing it). */
static void seat_take(struct flight *f, struct flight_reader *reader, struct flight_want want,
		      bool leader)
{
	CHECK(!reader->flight);
	reader->flight = flight_ref(f);
	reader->pos = want.from;
	reader->waiting = false;
	reader->leader = leader;
	reader->cut = false;
	reader->lag_since = 0;
	TAILQ_INSERT_TAIL(&f->readers, reader, link);
	f->readers_n++;
	STAT_INC(STAT_FLIGHT_READERS);
}

/* Will this flight give the first byte wanted soon, and all that follow? With its lock. */
static bool flight_covers(const struct flight *f, struct flight_want want)
{
	if (f->state == FLIGHT_FAILED || f->state == FLIGHT_REDO)
		return false;
	if (f->state != FLIGHT_NEW && (!f->shared || want.anew))
		return false;
	/* A confirmed object is no bytes: it is for those who ask whether theirs holds, not for a part. */
	if (f->state != FLIGHT_NEW && f->verdict == FLIGHT_REFRESHED && want.to != UINT64_MAX)
		return false;
	if (want.from < f->want.from || want.from < f->floor || want.from >= f->want.to)
		return false;
	if (want.partly ? f->state == FLIGHT_DONE && want.from >= f->published
			: want.to > f->want.to)
		return false;
	return f->state == FLIGHT_DONE || want.from <= f->published + f->all->limits.reach;
}

static struct flight *shard_find(struct shard *shard, const struct cache_key *key,
				 struct flight_want want, struct flight_reader *reader)
{
	struct flight *f;

	LIST_FOREACH(f, &shard->buckets[bucket_of(key->hash)], link)
	{
		bool fits;

		if (memcmp(f->hash, key->hash, sizeof(f->hash)))
			continue;
		pthread_mutex_lock(&f->lock);
		fits = flight_covers(f, want);
		if (fits && reader)
			seat_take(f, reader, want, false);
		pthread_mutex_unlock(&f->lock);
		if (fits)
			return f;
	}
	return NULL;
}

/* A new flight of `want` leaves to another what that one fetches. With the shard's lock. */
static uint64_t shard_gap(struct shard *shard, const struct cache_key *key, struct flight_want want)
{
	uint64_t to = want.to;
	struct flight *f;

	LIST_FOREACH(f, &shard->buckets[bucket_of(key->hash)], link)
	{
		if (memcmp(f->hash, key->hash, sizeof(f->hash)) || f->want.from <= want.from ||
		    f->want.from >= to)
			continue;
		pthread_mutex_lock(&f->lock);
		if (f->state == FLIGHT_NEW || f->state == FLIGHT_BODY)
			to = f->want.from;
		pthread_mutex_unlock(&f->lock);
	}
	return to;
}

/* With the shard's lock; the table's own reference is the one flight_make() gave. */
static void shard_add(struct shard *shard, struct flight *f)
{
	f->tabled = true;
	LIST_INSERT_HEAD(&shard->buckets[bucket_of(f->hash)], f, link);
}

void flight_relist(struct flight *f)
{
	struct shard *shard;

	if (!f->keyed)
		return;
	shard = shard_of(f->all, f->hash);
	pthread_mutex_lock(&shard->lock);
	for (unsigned i = 0; i < FLIGHT_ALONES; i++)
		if (!memcmp(shard->alone[i].hash, f->hash, CACHE_KEY_HASH_BYTES))
			shard->alone[i].until = 0;
	if (!f->tabled && !f->dropped)
		shard_add(shard, flight_ref(f));
	pthread_mutex_unlock(&shard->lock);
}

void flight_rekey(struct flight *f, const struct cache_key *key)
{
	flight_unlist(f);
	memcpy(f->hash, key->hash, sizeof(f->hash));
	f->keyed = true;
}

int flight_join(struct flights *all, const struct cache_key *key, struct flight_want want,
		struct now now, struct flight_reader *reader, enum flight_role *ret_role)
{
	struct shard *shard = shard_of(all, key->hash);
	struct flight *f;
	int rc = 0;

	pthread_mutex_lock(&shard->lock);
	if (shard_find(shard, key, want, reader)) {
		*ret_role = FLIGHT_ROLE_FOLLOWER;
		goto unlock;
	}
	if (want.partly)
		want.to = shard_gap(shard, key, want);
	f = flight_make(all, key, want);
	if (!f) {
		rc = -ENOMEM;
		goto unlock;
	}
	seat_take(f, reader, want, true);
	if (is_marked_alone(shard, key->hash, now)) {
		*ret_role = FLIGHT_ROLE_ALONE;
		flight_unref(&f);
	} else {
		*ret_role = FLIGHT_ROLE_LEADER;
		shard_add(shard, f);
	}
unlock:
	pthread_mutex_unlock(&shard->lock);
	return rc;
}

bool flight_follow(struct flights *all, const struct cache_key *key, struct flight_want want,
		   struct flight_reader *reader)
{
	struct shard *shard = shard_of(all, key->hash);
	bool found;

	pthread_mutex_lock(&shard->lock);
	found = shard_find(shard, key, want, reader) != NULL;
	pthread_mutex_unlock(&shard->lock);
	return found;
}

/* Is it of a part, of an object that the store does not know yet? With its lock. */
static bool awaits_record(const struct flight *f)
{
	return f->want.from > 0 &&
	       (f->state == FLIGHT_NEW || (f->state == FLIGHT_BODY && f->awaited));
}

static bool awaits_any(const struct flight *f, uint64_t id)
{
	(void)id;
	return awaits_record(f);
}

/* Does it bring the whole of that object? With its lock. */
static bool brings(const struct flight *f, uint64_t id)
{
	return f->state != FLIGHT_NEW && f->verdict == FLIGHT_STORE && f->object->id == id &&
	       f->first == 0 && flight_covers(f, (struct flight_want){ .to = UINT64_MAX });
}

typedef bool fits_f(const struct flight *flight, uint64_t id);

/* A seat in the first flight of `key` that fits. */
static bool seat_find(struct flights *all, const struct cache_key *key, fits_f *fits, uint64_t id,
		      struct flight_reader *reader)
{
	struct shard *shard = shard_of(all, key->hash);
	bool found = false;
	struct flight *f;

	pthread_mutex_lock(&shard->lock);
	LIST_FOREACH(f, &shard->buckets[bucket_of(key->hash)], link)
	{
		if (found || memcmp(f->hash, key->hash, sizeof(f->hash)))
			continue;
		pthread_mutex_lock(&f->lock);
		found = fits(f, id);
		if (found)
			seat_take(f, reader, f->want, false);
		pthread_mutex_unlock(&f->lock);
	}
	pthread_mutex_unlock(&shard->lock);
	return found;
}

bool flight_follow_part(struct flights *all, const struct cache_key *key,
			struct flight_reader *reader)
{
	return seat_find(all, key, awaits_any, 0, reader);
}

bool flight_part_there(struct flight_reader *reader)
{
	struct flight *f = reader->flight;

	pthread_mutex_lock(&f->lock);
	reader->waiting = awaits_record(f);
	pthread_mutex_unlock(&f->lock);
	return !reader->waiting;
}

struct flight_want flight_range(const struct flight *f)
{
	return f->want;
}

uint64_t flight_first(const struct flight_reader *reader)
{
	return reader->flight->first;
}

/* Has it all that its head promised? With its lock. */
static bool is_whole(const struct flight *f)
{
	if (f->state != FLIGHT_BODY)
		return f->state == FLIGHT_DONE;
	return f->verdict == FLIGHT_REFRESHED ||
	       (f->length >= 0 && f->published == (uint64_t)f->length);
}

/* ... and does the store get it? */
static bool is_at_hand(const struct flight *f)
{
	return is_whole(f) && (f->verdict == FLIGHT_REFRESHED || f->keeping);
}

bool flight_see(struct flights *all, const struct cache_key *key, struct flight_reader *reader)
{
	struct shard *shard = shard_of(all, key->hash);
	struct flight_want whole = { .to = UINT64_MAX };
	unsigned bucket = bucket_of(key->hash);
	bool found = false;
	struct flight *f;

	if (LIKELY(!atomic_load_explicit(&shard->shown[bucket], memory_order_acquire)))
		return false;
	pthread_mutex_lock(&shard->lock);
	LIST_FOREACH(f, &shard->buckets[bucket], link)
	{
		if (found || !f->shown || memcmp(f->hash, key->hash, sizeof(f->hash)))
			continue;
		pthread_mutex_lock(&f->lock);
		found = is_at_hand(f);
		if (found)
			seat_take(f, reader, whole, false);
		pthread_mutex_unlock(&f->lock);
	}
	pthread_mutex_unlock(&shard->lock);
	return found;
}

/* With the shard's lock: out of the table, and away from the store. */
static void flight_drop(struct shard *shard, struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->dropped = true;
	f->keeping = false;
	flight_trim(f);
	pthread_mutex_unlock(&f->lock);
	shard_remove(shard, f);
	flight_unref(&f);
}

/* Those of `key`, but for one (or NULL). */
static void forget(struct flights *all, const uint8_t *hash, const struct flight *but)
{
	struct shard *shard = shard_of(all, hash);
	struct flight *f, *next;

	pthread_mutex_lock(&shard->lock);
	for (f = LIST_FIRST(&shard->buckets[bucket_of(hash)]); f; f = next) {
		/* cppcheck-suppress nullPointerRedundantCheck ; `but` may be NULL, f is not */
		next = LIST_NEXT(f, link);
		if (f != but && !memcmp(f->hash, hash, sizeof(f->hash)))
			flight_drop(shard, f);
	}
	pthread_mutex_unlock(&shard->lock);
}

void flight_supersede(struct flight *f)
{
	if (f->keyed)
		forget(f->all, f->hash, f);
}

void flights_forget(struct flights *all, const struct cache_key *key)
{
	forget(all, key->hash, NULL);
}

bool flight_find(struct flights *all, const struct cache_key *key, uint64_t id,
		 struct flight_reader *reader)
{
	return seat_find(all, key, brings, id, reader);
}

int flight_alone(struct flights *all, struct flight_reader *reader)
{
	struct flight *f = flight_make(all, NULL, (struct flight_want){ .to = UINT64_MAX });

	if (!f)
		return -ENOMEM;
	seat_take(f, reader, f->want, true);
	flight_unref(&f);
	return 0;
}

int flight_begin(struct flights *all, const struct cache_key *key, struct flight_want want,
		 struct now now, struct flight **ret_flight)
{
	struct shard *shard = shard_of(all, key->hash);
	struct flight *f = NULL;
	int rc = -EALREADY;

	pthread_mutex_lock(&shard->lock);
	if (shard_find(shard, key, want, NULL) || is_marked_alone(shard, key->hash, now))
		goto unlock;
	rc = -ENOMEM;
	if (want.partly)
		want.to = shard_gap(shard, key, want);
	f = flight_make(all, key, want);
	if (!f)
		goto unlock;
	f->background = true;
	shard_add(shard, f);
	*ret_flight = flight_ref(f);
	rc = 0;
unlock:
	pthread_mutex_unlock(&shard->lock);
	return rc;
}

/* ---- seats --------------------------------------------------------------------------------------- */

struct flight *flight_of(const struct flight_reader *reader)
{
	return reader->flight;
}

/* What this seat may see of the state. With the lock. */
static enum flight_state seat_state(const struct flight *f, const struct flight_reader *reader)
{
	bool has_head = f->state == FLIGHT_BODY || f->state == FLIGHT_DONE;

	return has_head && !f->shared && !reader->leader ? FLIGHT_REDO : f->state;
}

enum flight_state flight_look(struct flight_reader *reader)
{
	struct flight *f = reader->flight;
	enum flight_state state;

	pthread_mutex_lock(&f->lock);
	state = seat_state(f, reader);
	reader->waiting = state == FLIGHT_NEW;
	pthread_mutex_unlock(&f->lock);
	return state;
}

bool flight_settled(struct flight_reader *reader)
{
	struct flight *f = reader->flight;
	bool settled;

	pthread_mutex_lock(&f->lock);
	settled = f->settled;
	reader->waiting = !settled;
	pthread_mutex_unlock(&f->lock);
	if (!settled && f->all->writer)
		writer_hurry(f->all->writer);
	return settled;
}

bool flight_is_whole(const struct flight_reader *reader)
{
	struct flight *f = reader->flight;
	bool whole;

	pthread_mutex_lock(&f->lock);
	whole = is_whole(f);
	pthread_mutex_unlock(&f->lock);
	return whole;
}

bool flight_is_stored(const struct flight_reader *reader)
{
	struct flight *f = reader->flight;
	bool stored;

	pthread_mutex_lock(&f->lock);
	stored = f->put && f->keeping && f->state == FLIGHT_DONE;
	pthread_mutex_unlock(&f->lock);
	return stored;
}

int flight_error(const struct flight_reader *reader)
{
	struct flight *f = reader->flight;
	int error;

	pthread_mutex_lock(&f->lock);
	error = f->error;
	pthread_mutex_unlock(&f->lock);
	return error;
}

const struct object *flight_object(const struct flight_reader *reader)
{
	struct flight *f = reader->flight;
	const struct object *object;

	pthread_mutex_lock(&f->lock);
	object = f->object;
	pthread_mutex_unlock(&f->lock);
	return object;
}

/* These are fixed before the caller could see that there is a head. */
enum flight_verdict flight_verdict(const struct flight_reader *reader)
{
	return reader->flight->verdict;
}

unsigned flight_answered(const struct flight_reader *reader)
{
	const struct flight *f = reader->flight;

	return f->answered ? f->answered : f->object->status;
}

struct span flight_extra(const struct flight_reader *reader)
{
	const struct flight *f = reader->flight;

	return reader->leader ? span_make(f->extra, f->extra_n) : (struct span){ 0 };
}

struct lease *flight_lease(const struct flight_reader *reader)
{
	return reader->flight->lease;
}

int64_t flight_length(const struct flight_reader *reader)
{
	struct flight *f = reader->flight;
	int64_t length;

	pthread_mutex_lock(&f->lock);
	length = f->length;
	pthread_mutex_unlock(&f->lock);
	return length;
}

void flight_leave(struct flight_reader *reader)
{
	struct flight *f = reader->flight;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	TAILQ_REMOVE(&f->readers, reader, link);
	f->readers_n--;
	if (reader->leader && f->readers_n && f->state < FLIGHT_DONE)
		STAT_INC(STAT_FLIGHT_LEADER_LEFT);
	reader->flight = NULL;
	flight_trim(f);
	flight_wake_producer(f);
	pthread_mutex_unlock(&f->lock);
	STAT_DEC(STAT_FLIGHT_READERS);
	flight_unref(&f);
}

void flight_wake_readers(struct flight *f)
{
	struct flight_reader *reader;

	TAILQ_FOREACH(reader, &f->readers, link)
	{
		if (!reader->waiting)
			continue;
		reader->waiting = false;
		reader->wake(reader);
	}
}

void flight_wake_producer(struct flight *f)
{
	if (f->producer)
		f->producer->wake(f->producer);
}
