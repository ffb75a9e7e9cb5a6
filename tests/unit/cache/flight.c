/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flights: first step by step on one thread, then with a real store and its writer's thread, then with
 * producers, readers and leavers on threads of their own (run it with SANITIZE=thread, too).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "cache/flight.h"
#include "tests/unit/cache/rig.h"

#define SEED 7

static const struct flight_limits small = {
	.window = 2,
	.chunks = 64,
	.reach = 1 << 20,
	.finish = 0,
	.alone_ms = 60000,
	.lag_ms = 1000,
};
static const struct flight_want whole = { .to = UINT64_MAX };
static struct now now = { .wall_ms = 1700000000000, .mono_ms = 1000 };

/* ---- a reader and a producer that note that they were woken ------------------------------------- */

struct reader {
	struct flight_reader seat;
	atomic_uint woken;
};

struct producer {
	struct flight_producer producer;
	atomic_uint woken;
};

static void reader_woken(struct flight_reader *seat)
{
	atomic_fetch_add(&((struct reader *)seat)->woken, 1);
}

static void producer_woken(struct flight_producer *producer)
{
	atomic_fetch_add(&((struct producer *)producer)->woken, 1);
}

#define READER	 ((struct reader){ .seat.wake = reader_woken })
#define PRODUCER ((struct producer){ .producer.wake = producer_woken })

static enum flight_role join(struct flights *all, const char *key, struct flight_want want,
			     struct reader *reader)
{
	struct cache_key k = key_of(span_of(key));
	enum flight_role role;

	assert_int_equal(flight_join(all, &k, want, now, &reader->seat, &role), 0);
	return role;
}

static void head(struct flight *flight, enum flight_verdict verdict, const char *key,
		 int64_t length)
{
	struct object o = body_object(key, 0, length < 0 ? 0 : (uint64_t)length);
	struct flight_head h = { .verdict = verdict, .length = length, .partial = true };

	o.length = length;
	h.object = object_dup(&o);
	assert_non_null(h.object);
	flight_head(flight, &h, now);
}

/* Produces up to n bytes of the seeded body; gives how many there was room for. */
static size_t produce(struct flight *flight, size_t n)
{
	size_t sum = 0, room_n;
	uint8_t *room;

	while (sum < n && flight_buffer(flight, now, &room, &room_n) == 0) {
		size_t part = n - sum < room_n ? n - sum : room_n;

		body_fill(SEED, flight_published(flight), room, part);
		flight_publish(flight, part);
		sum += part;
	}
	return sum;
}

/* Reads from *at on what is there in memory; checks the bytes. Gives why it stopped. */
static enum flight_got consume(struct reader *reader, uint64_t *at, uint64_t until)
{
	struct flight_piece piece;
	enum flight_got got;

	while (*at < until) {
		got = flight_read(&reader->seat, *at, &piece);
		if (got != FLIGHT_GOT_BYTES)
			return got;
		assert_true(body_is(SEED, *at, piece.bytes));
		*at += piece.bytes.n;
		flight_piece_done(&piece);
	}
	return flight_read(&reader->seat, *at, &piece) == FLIGHT_GOT_BYTES
		       ? (flight_piece_done(&piece), FLIGHT_GOT_BYTES)
		       : FLIGHT_GOT_WAIT;
}

static struct flights *table(void)
{
	struct flights *all;

	assert_int_equal(flights_new(NULL, NULL, &small, &all), 0);
	return all;
}

/* ---- on one thread ------------------------------------------------------------------------------- */

static void leads_follows_and_ends(void **state)
{
	struct flights *all = table();
	struct reader a = READER, b = READER, late = READER;
	struct producer p = PRODUCER;
	struct flight *flight;
	struct flight_piece piece;
	uint64_t at = 0;

	(void)state;
	assert_int_equal(join(all, "k", whole, &a), FLIGHT_ROLE_LEADER);
	assert_int_equal(join(all, "k", whole, &b), FLIGHT_ROLE_FOLLOWER);
	assert_ptr_equal(flight_of(&a.seat), flight_of(&b.seat));
	assert_int_equal(flight_look(&a.seat), FLIGHT_NEW);
	assert_int_equal(flight_look(&b.seat), FLIGHT_NEW);
	flight = flight_of(&a.seat);
	flight_produce(flight, &p.producer);

	head(flight, FLIGHT_SHARE, "k", 1000);
	assert_int_equal(a.woken, 1);
	assert_int_equal(b.woken, 1);
	assert_int_equal(flight_look(&b.seat), FLIGHT_BODY);
	assert_int_equal(flight_object(&b.seat)->status, 200);
	assert_int_equal(flight_read(&b.seat, 0, &piece), FLIGHT_GOT_WAIT);

	assert_int_equal(produce(flight, 600), 600);
	assert_int_equal(b.woken, 2); /* it waited; a did not */
	assert_int_equal(a.woken, 1);
	assert_int_equal(consume(&b, &at, 600), FLIGHT_GOT_WAIT);
	assert_int_equal(at, 600);

	/* Who comes in the middle gets it from the start. */
	assert_int_equal(join(all, "k", whole, &late), FLIGHT_ROLE_FOLLOWER);
	assert_int_equal(produce(flight, 400), 400);
	flight_end(flight, 0);
	at = 0;
	assert_int_equal(consume(&late, &at, 1000), FLIGHT_GOT_WAIT);
	assert_int_equal(at, 1000);
	assert_int_equal(flight_read(&late.seat, 1000, &piece), FLIGHT_GOT_END);
	assert_int_equal(flight_look(&a.seat), FLIGHT_DONE);
	assert_int_equal(flight_length(&a.seat), 1000);
	flight_leave(&a.seat);
	flight_leave(&b.seat);
	flight_leave(&late.seat);

	/* Nothing was stored, so it is gone: the next one leads. */
	a = READER;
	assert_int_equal(join(all, "k", whole, &a), FLIGHT_ROLE_LEADER);
	flight_abandon(flight_of(&a.seat));
	assert_int_equal(flight_look(&a.seat), FLIGHT_REDO);
	flight_leave(&a.seat);
	flights_free(&all);
}

static void keeps_private_responses_to_the_leader(void **state)
{
	struct flights *all = table();
	struct reader a = READER, b = READER, c = READER;
	struct producer p = PRODUCER;
	struct object o = body_object("k", 0, 10);
	struct flight_head h = { .verdict = FLIGHT_LEADER, .length = 10, .uncollapsed = true };
	struct flight *flight;
	uint64_t at = 0;

	(void)state;
	join(all, "k", whole, &a);
	join(all, "k", whole, &b);
	flight_look(&b.seat);
	flight = flight_of(&a.seat);
	flight_produce(flight, &p.producer);
	h.object = object_dup(&o);
	flight_head(flight, &h, now);
	assert_int_equal(b.woken, 1);
	assert_int_equal(flight_look(&a.seat), FLIGHT_BODY);
	assert_int_equal(flight_look(&b.seat), FLIGHT_REDO);
	produce(flight, 10);
	flight_end(flight, 0);
	assert_int_equal(consume(&a, &at, 10), FLIGHT_GOT_WAIT);
	assert_int_equal(at, 10);
	flight_leave(&b.seat);

	/* Not collapsed for a while, then again. */
	assert_int_equal(join(all, "k", whole, &b), FLIGHT_ROLE_ALONE);
	assert_int_equal(join(all, "k", whole, &c), FLIGHT_ROLE_ALONE);
	flight_abandon(flight_of(&b.seat));
	flight_abandon(flight_of(&c.seat));
	flight_leave(&b.seat);
	flight_leave(&c.seat);
	now = now_after(now, small.alone_ms);
	assert_int_equal(join(all, "k", whole, &b), FLIGHT_ROLE_LEADER);
	flight_abandon(flight_of(&b.seat));
	flight_leave(&b.seat);
	flight_leave(&a.seat);
	flights_free(&all);
}

static void holds_the_producer_back(void **state)
{
	struct flights *all = table();
	struct reader a = READER;
	struct producer p = PRODUCER;
	struct flight *flight;
	uint64_t at = 0;
	unsigned woken;

	(void)state;
	join(all, "k", whole, &a);
	flight = flight_of(&a.seat);
	flight_produce(flight, &p.producer);
	head(flight, FLIGHT_SHARE, "k", -1);
	assert_int_equal(produce(flight, 10 * RIG_CHUNK), 2 * RIG_CHUNK); /* the window */
	woken = atomic_load(&p.woken);
	consume(&a, &at, RIG_CHUNK - 1);
	at = RIG_CHUNK;
	consume(&a, &at, RIG_CHUNK); /* past the first chunk: its memory is free again */
	assert_true(atomic_load(&p.woken) > woken);
	assert_int_equal(produce(flight, 10 * RIG_CHUNK), RIG_CHUNK);

	/* Alone it may be as slow as it likes; with a faster one beside it, it is cut. */
	now = now_after(now, 10 * small.lag_ms);
	assert_int_equal(produce(flight, 1), 0);
	assert_int_equal(consume(&a, &at, 3 * RIG_CHUNK), FLIGHT_GOT_WAIT);
	flight_end(flight, -ECONNRESET);
	assert_int_equal(flight_look(&a.seat), FLIGHT_FAILED);
	assert_int_equal(flight_error(&a.seat), -ECONNRESET);
	flight_leave(&a.seat);
	flights_free(&all);
}

static void cuts_a_laggard(void **state)
{
	struct flights *all = table();
	struct reader slow = READER, fast = READER;
	struct producer p = PRODUCER;
	struct flight *flight;
	struct flight_piece piece;
	uint64_t at = 0;

	(void)state;
	join(all, "k", whole, &slow);
	join(all, "k", whole, &fast);
	flight = flight_of(&slow.seat);
	flight_produce(flight, &p.producer);
	head(flight, FLIGHT_SHARE, "k", -1);
	produce(flight, 2 * RIG_CHUNK);
	consume(&fast, &at, 2 * RIG_CHUNK);
	assert_int_equal(produce(flight, 1), 0);
	now = now_after(now, small.lag_ms - 1);
	assert_int_equal(produce(flight, 1), 0);
	now = now_after(now, 1);
	assert_int_equal(produce(flight, 1), 1);
	assert_int_equal(flight_read(&slow.seat, 0, &piece), FLIGHT_GOT_CUT);
	assert_int_equal(consume(&fast, &at, 2 * RIG_CHUNK + 1), FLIGHT_GOT_WAIT);
	flight_leave(&slow.seat);
	flight_leave(&fast.seat);
	assert_false(flight_wanted(flight));
	flight_end(flight, -ECANCELED);
	flights_free(&all);
}

static void gives_up_when_all_have_left(void **state)
{
	struct flights *all = table();
	struct reader a = READER, b = READER;
	struct producer p = PRODUCER;
	struct flight *flight;

	(void)state;
	join(all, "k", whole, &a);
	flight = flight_of(&a.seat);
	flight_produce(flight, &p.producer);
	assert_true(flight_wanted(flight));
	flight_leave(&a.seat);
	assert_true(p.woken > 0);
	assert_false(flight_wanted(flight));
	/* One who comes before the producer has noticed revives it ... */
	assert_int_equal(join(all, "k", whole, &b), FLIGHT_ROLE_FOLLOWER);
	assert_true(flight_wanted(flight));
	/* ... and one who comes too late asks again. */
	flight_look(&b.seat);
	flight_end(flight, -ECANCELED);
	assert_int_equal(b.woken, 1);
	assert_int_equal(flight_look(&b.seat), FLIGHT_REDO);
	flight_leave(&b.seat);
	flights_free(&all);
}

static void covers_what_is_in_reach(void **state)
{
	struct flights *all = table();
	struct flight_want near = { .from = small.reach, .to = small.reach + 10 };
	struct flight_want far = { .from = 64 * RIG_CHUNK, .to = 66 * RIG_CHUNK };
	struct flight_want in_far = { .from = 65 * RIG_CHUNK, .to = 66 * RIG_CHUNK };
	struct reader a = READER, b = READER, c = READER, d = READER;

	(void)state;
	assert_int_equal(join(all, "k", whole, &a), FLIGHT_ROLE_LEADER);
	assert_int_equal(join(all, "k", near, &b), FLIGHT_ROLE_FOLLOWER);
	assert_int_equal(join(all, "k", far, &c), FLIGHT_ROLE_LEADER); /* a fetch of its own */
	assert_int_equal(join(all, "k", in_far, &d), FLIGHT_ROLE_FOLLOWER);
	assert_ptr_equal(flight_of(&c.seat), flight_of(&d.seat));
	flight_abandon(flight_of(&a.seat));
	flight_abandon(flight_of(&c.seat));
	flight_leave(&a.seat);
	flight_leave(&b.seat);
	flight_leave(&c.seat);
	flight_leave(&d.seat);
	flights_free(&all);
}

static struct flight_want part(uint64_t from, uint64_t to, bool partly)
{
	return (struct flight_want){ .from = from * RIG_CHUNK,
				     .to = to * RIG_CHUNK,
				     .partly = partly };
}

/* Parts of one object share what they have in common: each follows as far as a flight goes, and begins before the next. */
static void shares_parts(void **state)
{
	enum {
		C = CONFIG_CHUNK_BYTES
	};
	struct flights *all = table();
	struct reader a = READER, b = READER, c = READER, d = READER;
	struct cache_key key = key_of(SPAN("k"));
	struct flight *flights[3];

	(void)state;
	assert_int_equal(join(all, "k", part(8, 12, true), &a), FLIGHT_ROLE_LEADER);
	assert_int_equal(join(all, "k", part(10, 20, true), &b), FLIGHT_ROLE_FOLLOWER);
	assert_int_equal(join(all, "k", part(4, 12, true), &c), FLIGHT_ROLE_LEADER);
	assert_int_equal(flight_range(flight_of(&c.seat)).from, 4 * RIG_CHUNK);
	assert_int_equal(flight_range(flight_of(&c.seat)).to, 8 * RIG_CHUNK);
	/* Without `partly` all of it, or nothing. */
	assert_int_equal(join(all, "k", part(10, 20, false), &d), FLIGHT_ROLE_LEADER);
	assert_int_equal(flight_range(flight_of(&d.seat)).to, 20 * RIG_CHUNK);
	flights[0] = flight_of(&a.seat);
	flights[1] = flight_of(&c.seat);
	flights[2] = flight_of(&d.seat);
	for (unsigned i = 0; i < ARRAY_LEN(flights); i++)
		flight_abandon(flights[i]);
	flight_leave(&a.seat);
	flight_leave(&b.seat);
	flight_leave(&c.seat);
	flight_leave(&d.seat);
	assert_false(flight_follow_part(all, &key, &a.seat));
	flights_free(&all);
}

static void waits_for_chunks_of_others(void **state)
{
	struct flight_limits tight = small;
	struct reader a = READER, b = READER;
	struct producer p = PRODUCER, q = PRODUCER;
	struct flight *one, *two;
	struct flights *all;

	(void)state;
	tight.chunks = 1;
	assert_int_equal(flights_new(NULL, NULL, &tight, &all), 0);
	join(all, "a", whole, &a);
	join(all, "b", whole, &b);
	one = flight_of(&a.seat);
	two = flight_of(&b.seat);
	flight_produce(one, &p.producer);
	flight_produce(two, &q.producer);
	head(one, FLIGHT_SHARE, "a", -1);
	head(two, FLIGHT_SHARE, "b", -1);
	assert_int_equal(produce(one, 1), 1);
	assert_int_equal(produce(two, 1), 0);
	assert_int_equal(q.woken, 0);
	flight_end(one, 0);
	flight_leave(&a.seat); /* its only chunk goes back */
	assert_int_equal(q.woken, 1);
	assert_int_equal(produce(two, 1), 1);
	flight_end(two, 0);
	flight_leave(&b.seat);
	flights_free(&all);
}

/* ---- with a store -------------------------------------------------------------------------------- */

static struct flights *stored_table(struct rig *rig)
{
	struct flights *all;

	rig_new(rig, RIG_LIMIT);
	assert_int_equal(flights_new(rig->store, rig->writer, &small, &all), 0);
	return all;
}

/* Producing while the writer commits: all of n bytes. */
static void produce_stored(struct rig *rig, struct flight *flight, uint64_t n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; sum < n && i < 1000; i++) {
		sum += produce(flight, n - sum);
		rig_step(rig, 1);
	}
	assert_int_equal(sum, n);
}

static void stores_what_flies(void **state)
{
	static const uint64_t lengths[] = {
		0, 1, 1000, 5000, CONFIG_CHUNK_BYTES, 3 * (uint64_t)CONFIG_CHUNK_BYTES + 77
	};
	struct rig rig;
	struct flights *all = stored_table(&rig);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(lengths) * 2; i++) {
		uint64_t length = lengths[i / 2];
		struct reader a = READER, b = READER;
		struct producer p = PRODUCER;
		struct flight *flight;
		char key[16];

		(void)snprintf(key, sizeof(key), "key %u", i);
		assert_int_equal(join(all, key, whole, &a), FLIGHT_ROLE_LEADER);
		flight = flight_of(&a.seat);
		flight_produce(flight, &p.producer);
		/* Once with its length known beforehand, once not. */
		head(flight, FLIGHT_STORE, key, i % 2 ? -1 : (int64_t)length);
		produce_stored(&rig, flight, length);
		flight_end(flight, 0);
		/* Until the commit it is found here. */
		assert_int_equal(join(all, key, whole, &b), FLIGHT_ROLE_FOLLOWER);
		assert_false(flight_settled(&b.seat));
		assert_int_equal(rig_commit(&rig), 0);
		assert_int_equal(b.woken, 1);
		assert_true(flight_settled(&b.seat));
		assert_int_equal(body_check(rig.reader, key, length, SEED), 0);
		flight_leave(&a.seat);
		flight_leave(&b.seat);
	}
	flights_free(&all);
	rig_free(&rig);
}

/* What came whole is seen before it is committed, then no more; what came in part, or is forgotten, never. */
static void shows_what_is_not_committed_yet(void **state)
{
	struct rig rig;
	struct flights *all = stored_table(&rig);
	struct cache_key key = key_of(SPAN("k")), other = key_of(SPAN("other"));
	struct reader a = READER, b = READER, c = READER;
	struct producer p = PRODUCER;
	struct flight_piece piece;

	(void)state;
	join(all, "k", whole, &a);
	assert_false(flight_see(all, &key, &b.seat));
	flight_produce(flight_of(&a.seat), &p.producer);
	head(flight_of(&a.seat), FLIGHT_STORE, "k", 5000);
	produce_stored(&rig, flight_of(&a.seat), 4999);
	assert_false(flight_see(all, &key, &b.seat));
	produce_stored(&rig, flight_of(&a.seat), 1);
	assert_true(flight_see(all, &key, &b.seat)); /* before its end is said */
	assert_false(flight_see(all, &other, &c.seat));
	assert_false(flight_is_stored(&b.seat));
	flight_end(flight_of(&a.seat), 0);
	assert_true(flight_is_stored(&b.seat));
	flight_leave(&b.seat);
	assert_true(flight_see(all, &key, &b.seat));
	assert_int_equal(flight_read(&b.seat, 0, &piece), FLIGHT_GOT_BYTES);
	flight_piece_done(&piece);
	assert_int_equal(rig_commit(&rig), 0);
	assert_false(flight_see(all, &key, &c.seat));
	flight_leave(&a.seat);
	flight_leave(&b.seat);
	flights_free(&all);
	rig_free(&rig);
}

static void forgets(void **state)
{
	struct rig rig;
	struct flights *all = stored_table(&rig);
	struct cache_key key = key_of(SPAN("k"));
	struct reader a = READER, b = READER;
	struct producer p = PRODUCER;
	struct stored *stored;

	(void)state;
	/* Once before its head, once in its body, once when the writer has it. */
	for (unsigned when = 0; when < 3; when++) {
		join(all, "k", whole, &a);
		flight_produce(flight_of(&a.seat), &p.producer);
		if (when == 0)
			flights_forget(all, &key);
		head(flight_of(&a.seat), FLIGHT_STORE, "k", 5000);
		produce_stored(&rig, flight_of(&a.seat), 3000);
		if (when == 1)
			flights_forget(all, &key);
		produce_stored(&rig, flight_of(&a.seat), 2000);
		flight_end(flight_of(&a.seat), 0);
		if (when == 2) {
			flights_forget(all, &key);
			assert_int_equal(writer_remove(rig.writer, &key, 0, NULL, NULL), 0);
		}
		assert_false(flight_see(all, &key, &b.seat));
		assert_int_equal(join(all, "k", whole, &b), FLIGHT_ROLE_LEADER);
		flight_abandon(flight_of(&b.seat));
		flight_leave(&b.seat);
		assert_int_equal(rig_commit(&rig), 0);
		assert_int_equal(store_lookup(rig.reader, &key, &stored), -ENOENT);
		flight_leave(&a.seat);
	}
	flights_free(&all);
	rig_free(&rig);
}

static void reads_behind_the_window_from_the_store(void **state)
{
	const uint64_t length = 6 * RIG_CHUNK;
	struct rig rig;
	struct flights *all = stored_table(&rig);
	struct reader a = READER;
	struct producer p = PRODUCER;
	struct flight_piece piece;
	struct store_place place;
	struct flight *flight;

	(void)state;
	join(all, "k", whole, &a);
	flight = flight_of(&a.seat);
	flight_produce(flight, &p.producer);
	head(flight, FLIGHT_STORE, "k", (int64_t)length);
	produce_stored(&rig, flight, length); /* the reader has not read a byte */
	assert_int_equal(flight_read(&a.seat, RIG_CHUNK + 5, &piece), FLIGHT_GOT_STORED);
	assert_int_equal(piece.index, 1);
	assert_int_equal(piece.bytes.n, RIG_CHUNK - 5);
	assert_int_equal(store_chunk(rig.reader, piece.id, piece.index, &place), 0);
	assert_true(body_is(SEED, RIG_CHUNK, place.bytes));
	flight_end(flight, 0);
	flight_leave(&a.seat);
	assert_int_equal(rig_commit(&rig), 0);
	flights_free(&all);
	assert_int_equal(body_check(rig.reader, "k", length, SEED), 0);
	rig_free(&rig);
}

static void keeps_the_whole_chunks_of_a_failed_flight(void **state)
{
	struct rig rig;
	struct flights *all = stored_table(&rig);
	struct cache_key key = key_of(SPAN("k"));
	struct reader a = READER;
	struct producer p = PRODUCER;
	struct stored *stored;
	struct flight *flight;

	(void)state;
	join(all, "k", whole, &a);
	flight = flight_of(&a.seat);
	flight_produce(flight, &p.producer);
	head(flight, FLIGHT_STORE, "k", (int64_t)(4 * RIG_CHUNK));
	produce_stored(&rig, flight, 2 * RIG_CHUNK + 10);
	flight_end(flight, -ECONNRESET);
	flight_leave(&a.seat);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	assert_false(object_complete(stored_object(stored)));
	assert_int_equal(object_stored_until(stored_object(stored), 0), 2 * RIG_CHUNK);

	/* A later flight adds the rest to it. */
	{
		struct flight_want rest = { .from = 2 * RIG_CHUNK, .to = UINT64_MAX };
		struct flight_head h = { .verdict = FLIGHT_STORE,
					 .first = 2 * RIG_CHUNK,
					 .length = 4 * RIG_CHUNK,
					 .store_id = stored_object(stored)->id };

		a = READER;
		p = PRODUCER;
		assert_int_equal(join(all, "k", rest, &a), FLIGHT_ROLE_LEADER);
		flight = flight_of(&a.seat);
		flight_produce(flight, &p.producer);
		h.object = object_dup(stored_object(stored));
		flight_head(flight, &h, now);
		produce_stored(&rig, flight, 2 * RIG_CHUNK);
		flight_end(flight, 0);
		flight_leave(&a.seat);
	}
	stored_free(&stored);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "k", 4 * RIG_CHUNK, SEED), 0);
	flights_free(&all);
	rig_free(&rig);
}

/* ---- on threads ---------------------------------------------------------------------------------- */

#define FLIGHTS	   24
#define READERS	   4 /* threads; each reads every flight */
#define FLY_LENGTH (5 * RIG_CHUNK + 1234)

struct thread {
	struct flights *all;
	struct store *store;
	unsigned seed;
	uint64_t bytes;
	unsigned led, redone, left;
};

struct sleeper {
	struct flight_reader seat;
	struct flight_producer producer;
	sem_t sem;
};

static void sleeper_wake(struct flight_reader *seat)
{
	sem_post(&((struct sleeper *)seat)->sem);
}

static void sleeper_wake_producer(struct flight_producer *producer)
{
	sem_post(&((struct sleeper *)((char *)producer - offsetof(struct sleeper, producer)))->sem);
}

static void sleep_on(struct sleeper *s)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 20; /* a lost wake-up fails the test instead of hanging it */
	CHECK(sem_timedwait(&s->sem, &limit) == 0);
}

struct fetcher {
	struct flight *flight;
	unsigned seed;
	const char *key;
};

/* A producer's thread: random pieces, as a socket gives them. */
static void *fetcher_run(void *arg)
{
	struct fetcher *fetcher = arg;
	struct flight *flight = fetcher->flight;
	struct sleeper s = { .producer.wake = sleeper_wake_producer };
	uint64_t sent = 0;
	int rc = 0;

	CHECK_OK(sem_init(&s.sem, 0, 0));
	flight_produce(flight, &s.producer);
	head(flight, FLIGHT_STORE, fetcher->key, fetcher->seed % 2 ? -1 : (int64_t)FLY_LENGTH);
	while (sent < FLY_LENGTH && rc == 0) {
		uint64_t n = (uint64_t)rand_r(&fetcher->seed) % 100000 + 1;

		if (n > FLY_LENGTH - sent)
			n = FLY_LENGTH - sent;
		n = produce(flight, n);
		sent += n;
		if (!flight_wanted(flight))
			rc = -ECANCELED;
		else if (!n)
			sleep_on(&s);
	}
	flight_end(flight, rc);
	sem_destroy(&s.sem);
	free(fetcher);
	return NULL;
}

static void fetch_on_a_thread(struct flight *flight, const char *key, unsigned seed)
{
	struct fetcher *fetcher = malloc(sizeof(*fetcher));
	pthread_attr_t detached;
	pthread_t id;

	CHECK(fetcher != NULL);
	*fetcher = (struct fetcher){ flight, seed, key };
	CHECK_OK(pthread_attr_init(&detached));
	CHECK_OK(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED));
	CHECK_OK(pthread_create(&id, &detached, fetcher_run, fetcher));
	pthread_attr_destroy(&detached);
}

static void check_stored(struct store_reader *reader, const struct flight_piece *piece, uint64_t at)
{
	struct store_place place;

	CHECK_OK(store_chunk(reader, piece->id, piece->index, &place));
	CHECK(body_is(SEED, at - at % RIG_CHUNK, place.bytes));
}

/* Reads a flight to its end, or leaves somewhere. True if it is to be asked for again. */
static bool ride(struct thread *t, struct sleeper *s, struct store_reader *reader,
		 uint64_t leave_at)
{
	struct flight_piece piece;
	uint64_t at = 0;

	for (;;) {
		if (flight_look(&s->seat) == FLIGHT_REDO)
			return true;
		switch (flight_read(&s->seat, at, &piece)) {
		case FLIGHT_GOT_BYTES:
			CHECK(body_is(SEED, at, piece.bytes));
			flight_piece_done(&piece);
			break;
		case FLIGHT_GOT_STORED:
			check_stored(reader, &piece, at);
			break;
		case FLIGHT_GOT_WAIT:
			sleep_on(s);
			continue;
		case FLIGHT_GOT_END:
			CHECK(at == FLY_LENGTH);
			return false;
		case FLIGHT_GOT_CUT:
			return true; /* cancelled in the middle: the others had all left */
		}
		at += piece.bytes.n;
		t->bytes += piece.bytes.n;
		if (at >= leave_at) {
			t->left++;
			return false;
		}
	}
}

static const char *const keys[FLIGHTS] = {
	"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
	"m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x",
};

static bool is_stored(struct store_reader *reader, const struct cache_key *key)
{
	struct stored *stored;
	bool complete;

	if (store_lookup(reader, key, &stored) < 0)
		return false;
	complete = object_complete(stored_object(stored));
	stored_free(&stored);
	return complete;
}

/* As a request does: the store, a seat, the store again if it leads. */
static void visit(struct thread *t, struct store_reader *reader, const char *text)
{
	struct cache_key key = key_of(span_of(text));
	struct sleeper s = { .seat.wake = sleeper_wake };
	bool again = true;

	CHECK_OK(sem_init(&s.sem, 0, 0));
	while (again && !is_stored(reader, &key)) {
		uint64_t leave_at =
			rand_r(&t->seed) % 3 ? UINT64_MAX : (uint64_t)rand_r(&t->seed) % FLY_LENGTH;
		enum flight_role role;

		CHECK_OK(flight_join(t->all, &key, whole, now, &s.seat, &role));
		if (role == FLIGHT_ROLE_LEADER && is_stored(reader, &key)) {
			flight_abandon(flight_of(&s.seat));
			flight_leave(&s.seat);
			continue;
		}
		if (role == FLIGHT_ROLE_LEADER) {
			t->led++;
			fetch_on_a_thread(flight_ref(flight_of(&s.seat)), text, t->seed);
			/* The thread's flight_produce() must find its flight wanted: wait for the head. */
			while (flight_look(&s.seat) == FLIGHT_NEW)
				sleep_on(&s);
			flight_unref(&(struct flight *){ flight_of(&s.seat) });
		}
		again = ride(t, &s, reader, leave_at);
		flight_leave(&s.seat);
		t->redone += again;
	}
	sem_destroy(&s.sem);
}

static void *rider(void *arg)
{
	struct thread *t = arg;
	struct store_reader *reader;

	CHECK_OK(store_reader_new(t->store, &reader));
	for (unsigned i = 0; i < FLIGHTS; i++)
		visit(t, reader, keys[i]);
	store_reader_free(&reader);
	return NULL;
}

static void flies_on_many_threads(void **state)
{
	struct thread threads[READERS];
	pthread_t ids[READERS];
	unsigned led = 0, left = 0, whole_n = 0;
	struct rig rig;
	struct flights *all;
	struct flight_limits limits = small;

	(void)state;
	rig_new(&rig, RIG_LIMIT);
	assert_int_equal(writer_start(rig.writer), 0);
	limits.window = 3;
	assert_int_equal(flights_new(rig.store, rig.writer, &limits, &all), 0);
	for (unsigned i = 0; i < READERS; i++) {
		threads[i] = (struct thread){ .all = all, .store = rig.store, .seed = i + 1 };
		assert_int_equal(pthread_create(&ids[i], NULL, rider, &threads[i]), 0);
	}
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(ids[i], NULL);
		led += threads[i].led;
		left += threads[i].left;
	}
	assert_true(led >= FLIGHTS); /* ... more, where all had left one */
	assert_true(left > 0);
	/* Producers end by themselves; the last of them when nobody waits for its flight. */
	for (unsigned i = 0; flights_count(all) && i < 20000; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_int_equal(flights_count(all), 0);
	writer_stop(&rig.writer);
	for (unsigned i = 0; i < FLIGHTS; i++) {
		int rc = body_check(rig.reader, keys[i], FLY_LENGTH, SEED);

		assert_true(rc == 0 || rc == -ENOENT || rc == -ENODATA);
		whole_n += rc == 0;
	}
	assert_true(whole_n >= FLIGHTS / 2);
	flights_free(&all);
	store_reader_free(&rig.reader);
	store_close(&rig.store);
	chunk_pool_free(&rig.pool);
	rig_remove(rig.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leads_follows_and_ends),
		cmocka_unit_test(keeps_private_responses_to_the_leader),
		cmocka_unit_test(holds_the_producer_back),
		cmocka_unit_test(cuts_a_laggard),
		cmocka_unit_test(gives_up_when_all_have_left),
		cmocka_unit_test(covers_what_is_in_reach),
		cmocka_unit_test(shares_parts),
		cmocka_unit_test(waits_for_chunks_of_others),
		cmocka_unit_test(stores_what_flies),
		cmocka_unit_test(shows_what_is_not_committed_yet),
		cmocka_unit_test(forgets),
		cmocka_unit_test(reads_behind_the_window_from_the_store),
		cmocka_unit_test(keeps_the_whole_chunks_of_a_failed_flight),
		cmocka_unit_test(flies_on_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
