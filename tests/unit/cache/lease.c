/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/cache/each.h"

static uint64_t doomed(void)
{
	struct store_stat s;

	store_stat(rig.store, &s);
	return s.doomed;
}

static void counts_holders(void **state)
{
	struct lease *a = lease_new(rig.store, 7), *b = lease_new(rig.store, 7), *c = lease_ref(a);
	struct store_stat s;

	(void)state;
	assert_ptr_equal(a, b);
	assert_int_equal(lease_id(c), 7);
	store_stat(rig.store, &s);
	assert_int_equal(s.leases, 1);
	lease_unref(&a);
	lease_unref(&b);
	store_stat(rig.store, &s);
	assert_int_equal(s.leases, 1);
	lease_unref(&c);
	store_stat(rig.store, &s);
	assert_int_equal(s.leases, 0);
}

/* More than the table has lists: ids that share one are told apart, in whatever order they go. */
static void tells_ids_apart(void **state)
{
	enum {
		N = 3 * 64 * 64
	};
	struct lease **held = calloc(N, sizeof(struct lease *));
	struct store_stat s;

	(void)state;
	for (uint64_t i = 0; i < N; i++)
		held[i] = lease_new(rig.store, i + 1);
	for (uint64_t i = 0; i < N; i++) {
		struct lease *again = lease_new(rig.store, i + 1);

		assert_ptr_equal(again, held[i]);
		assert_int_equal(lease_id(again), i + 1);
		lease_unref(&again);
	}
	for (uint64_t i = 0; i < N; i += 2)
		lease_unref(&held[i]);
	store_stat(rig.store, &s);
	assert_int_equal(s.leases, N / 2);
	for (uint64_t i = 1; i < N; i += 2)
		lease_unref(&held[i]);
	store_stat(rig.store, &s);
	assert_int_equal(s.leases, 0);
	free(held);
}

/* Writes over all that may be written over: several times what was freed. */
static void churn(void)
{
	for (uint64_t i = 0; i < 12; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "churn %d", (int)(i % 3));
		body_put(&rig, key, 9 * RIG_CHUNK, 1000 + i);
		assert_int_equal(rig_commit(&rig), 0);
		rig_sweep(&rig);
	}
}

/* The span that a reader of "a" holds, after "a" was removed and everything churned. */
static bool bytes_stay(bool leased)
{
	struct cache_key key = key_of(SPAN("a"));
	struct store_place place[4];
	struct stored *stored;
	struct lease *lease;
	bool same = true;

	body_put(&rig, "a", 4 * RIG_CHUNK, 1);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(stored_chunk(rig.reader, stored, i, &place[i]), 0);
	lease = leased ? lease_ref(stored_lease(stored)) : NULL;
	stored_free(&stored);
	assert_int_equal(writer_remove(rig.writer, &key, 0, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "a", 4 * RIG_CHUNK, 1), -ENOENT);
	churn();
	assert_int_equal(doomed() != 0, leased);
	for (uint32_t i = 0; i < 4; i++)
		same = same && body_is(1, i * RIG_CHUNK, place[i].bytes);
	lease_unref(&lease);
	rig_sweep(&rig);
	assert_int_equal(doomed(), 0);
	return same;
}

static void what_is_leased_is_not_reused(void **state)
{
	(void)state;
	assert_true(bytes_stay(true));
	/* The same without a lease: were the bytes still there, the line above would prove nothing. */
	assert_false(bytes_stay(false));
}

/* A replaced object is read to its end by who began with it. */
static void an_old_version_stays_for_its_readers(void **state)
{
	struct cache_key key = key_of(SPAN("a"));
	struct store_place place;
	struct stored *stored;

	(void)state;
	body_put(&rig, "a", 3 * RIG_CHUNK, 1);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	body_put(&rig, "a", 3 * RIG_CHUNK, 2);
	assert_int_equal(rig_commit(&rig), 0);
	churn();
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(stored_chunk(rig.reader, stored, i, &place), 0);
		assert_true(body_is(1, i * RIG_CHUNK, place.bytes));
	}
	assert_int_equal(body_check(rig.reader, "a", 3 * RIG_CHUNK, 2), 0);
	stored_free(&stored);
}

/* Doomed chunks outlive a restart in the middle: they are swept afterwards. */
static void a_restart_goes_on_sweeping(void **state)
{
	struct cache_key key = key_of(SPAN("a"));
	struct store_stat before, after;
	struct stored *stored;

	(void)state;
	body_put(&rig, "a", 20 * RIG_CHUNK, 1);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	assert_int_equal(writer_remove(rig.writer, &key, 0, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	rig_sweep(&rig);
	assert_true(doomed() >= 20 * RIG_CHUNK);
	stored_free(&stored);
	rig_close(&rig);
	rig_open(&rig);
	store_stat(rig.store, &before);
	rig_sweep(&rig);
	rig_sweep(&rig);
	store_stat(rig.store, &after);
	assert_true(after.live + 19 * RIG_CHUNK < before.live);
}

/* ---- all at once ----------------------------------------------------------------------------- */

#define KEYS	8
#define READERS 3

static _Atomic bool stop;
static _Atomic unsigned reads, wrongs;

/*
 * Looks up, holds for a while, compares: the seed of a body stands in its object's generation, so
 * each version can be told.
 */
static void *read_all(void *arg)
{
	struct store_reader *reader;
	unsigned turn = (unsigned)(uintptr_t)arg;

	CHECK_OK(store_reader_new(rig.store, &reader));
	while (!atomic_load(&stop)) {
		char text[16];
		struct cache_key key;
		struct stored *stored;
		struct store_place place;

		(void)snprintf(text, sizeof(text), "k%u", turn++ % KEYS);
		key = key_of(span_of(text));
		if (store_lookup(reader, &key, &stored))
			continue;
		for (uint32_t i = 0; i < object_chunks(stored_object(stored)); i++) {
			int rc = stored_chunk(reader, stored, i, &place);

			if (rc ||
			    !body_is(stored_object(stored)->generation, i * RIG_CHUNK, place.bytes))
				atomic_fetch_add(&wrongs, 1);
		}
		atomic_fetch_add(&reads, 1);
		stored_free(&stored);
	}
	store_reader_free(&reader);
	return NULL;
}

static void put_version(const char *key, uint64_t length, uint64_t seed)
{
	uint64_t id = store_id_new(rig.store);
	struct object o = body_object(key, id, length);
	struct lease *lease = lease_new(rig.store, id);

	o.generation = seed;
	for (uint32_t i = 0; i * RIG_CHUNK < length; i++)
		assert_int_equal(body_put_chunk(&rig, id, i, length, seed), 0);
	assert_int_equal(writer_put_object(rig.writer, &o, NULL, NULL), 0);
	lease_unref(&lease);
}

static void readers_never_see_other_bytes(void **state)
{
	pthread_t threads[READERS];
	unsigned versions = 0;
	uint64_t seed = 1;

	(void)state;
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < READERS; i++)
		CHECK_OK(pthread_create(&threads[i], NULL, read_all, (void *)(i * 3)));
	while (versions < 150 || (atomic_load(&reads) < 300 && versions < 5000)) {
		char text[16];

		(void)snprintf(text, sizeof(text), "k%u", versions++ % KEYS);
		put_version(text, 5000 + seed % 3 * RIG_CHUNK, seed);
		seed++;
		if (versions % 4 == 0)
			assert_int_equal(rig_commit(&rig), 0);
		rig_step(&rig, 150);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < READERS; i++)
		CHECK_OK(pthread_join(threads[i], NULL));
	assert_true(atomic_load(&reads) > 100);
	assert_int_equal(atomic_load(&wrongs), 0);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(counts_holders),
		RIGGED(tells_ids_apart),
		RIGGED(what_is_leased_is_not_reused),
		RIGGED(an_old_version_stays_for_its_readers),
		RIGGED(a_restart_goes_on_sweeping),
		RIGGED(readers_never_see_other_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
