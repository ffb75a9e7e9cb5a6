/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/cache/each.h"

/* Inline, one chunk, full chunks only, several. */
static const uint64_t sizes[] = {
	0, 1, 1500, 4000, RIG_CHUNK - 1, RIG_CHUNK, RIG_CHUNK + 1, 3 * RIG_CHUNK, 5 * RIG_CHUNK + 77
};

static void put_all(void)
{
	char key[32];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		(void)snprintf(key, sizeof(key), "v g /%zu", i);
		body_put(&rig, key, sizes[i], i + 1);
	}
	assert_int_equal(rig_commit(&rig), 0);
}

static void check_all(void)
{
	char key[32];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		(void)snprintf(key, sizeof(key), "v g /%zu", i);
		assert_int_equal(body_check(rig.reader, key, sizes[i], i + 1), 0);
	}
}

static void gives_back_what_was_put(void **state)
{
	(void)state;
	assert_int_equal(body_check(rig.reader, "v g /0", 0, 1), -ENOENT);
	put_all();
	check_all();
	assert_int_equal(stat_now().objects, ARRAY_LEN(sizes));
	assert_int_equal(stat_now().leases, 0);
}

static void keeps_it_over_a_restart(void **state)
{
	uint64_t last;

	(void)state;
	put_all();
	last = store_id_new(rig.store);
	rig_close(&rig);
	rig_open(&rig);
	check_all();
	assert_true(store_id_new(rig.store) >= last);
}

/* The bytes in the map and those in the file are the same. */
static void chunks_are_where_it_says(void **state)
{
	struct cache_key key = key_of(SPAN("v g /8"));
	struct store_place place;
	struct stored *stored;
	uint8_t *bytes = malloc(RIG_CHUNK);

	(void)state;
	put_all();
	assert_non_null(bytes);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	for (uint32_t i = 0; i < object_chunks(stored_object(stored)); i++) {
		assert_int_equal(stored_chunk(rig.reader, stored, i, &place), 0);
		assert_int_equal(pread(store_fd(rig.store), bytes, place.bytes.n, place.offset),
				 (ssize_t)place.bytes.n);
		assert_memory_equal(bytes, place.bytes.p, place.bytes.n);
	}
	assert_int_equal(stored_chunk(rig.reader, stored, 6, &place), -ENOENT);
	stored_free(&stored);
	free(bytes);
}

static void replaces_and_frees(void **state)
{
	uint64_t live;

	(void)state;
	body_put(&rig, "v g /a", 20 * RIG_CHUNK, 1);
	assert_int_equal(rig_commit(&rig), 0);
	live = stat_now().live;
	for (uint64_t i = 2; i < 10; i++) {
		body_put(&rig, "v g /a", 20 * RIG_CHUNK, i);
		assert_int_equal(rig_commit(&rig), 0);
		assert_int_equal(body_check(rig.reader, "v g /a", 20 * RIG_CHUNK, i), 0);
		rig_sweep(&rig);
	}
	assert_in_range(stat_now().live, live - (1 << 20), live + (1 << 20));
	assert_int_equal(stat_now().objects, 1);
	assert_int_equal(stat_now().doomed, 0);
}

static void removes(void **state)
{
	struct cache_key key = key_of(SPAN("v g /a"));
	uint64_t empty = stat_now().live, id;

	(void)state;
	id = body_put(&rig, "v g /a", 20 * RIG_CHUNK, 1);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(writer_remove(rig.writer, &key, id + 1, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "v g /a", 20 * RIG_CHUNK, 1), 0);
	assert_int_equal(writer_remove(rig.writer, &key, id, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "v g /a", 20 * RIG_CHUNK, 1), -ENOENT);
	rig_sweep(&rig);
	assert_in_range(stat_now().live, 0, empty + (256 << 10));
}

/* Work that waits is committed by age, by size, and when hurried; not before. */
static void commits_in_batches(void **state)
{
	uint32_t wait;

	(void)state;
	body_put(&rig, "v g /a", 10, 1);
	wait = rig_step(&rig, 1);
	assert_in_range(wait, 1, CONFIG_COMMIT_MS);
	assert_int_equal(body_check(rig.reader, "v g /a", 10, 1), -ENOENT);
	assert_int_equal(rig.done, 0);
	rig_step(&rig, CONFIG_COMMIT_MS);
	assert_int_equal(rig.done, 1);
	assert_int_equal(body_check(rig.reader, "v g /a", 10, 1), 0);

	body_put(&rig, "v g /b", 10, 1);
	writer_hurry(rig.writer);
	rig_step(&rig, 0);
	assert_int_equal(body_check(rig.reader, "v g /b", 10, 1), 0);

	body_put(&rig, "v g /c", RIG_LIMIT / 16, 1); /* a batch, but for the record */
	rig_step(&rig, 0);
	assert_int_equal(stat_now().queue_ops, 1);
	rig_step(&rig, CONFIG_COMMIT_MS);
	rig_step(&rig, CONFIG_COMMIT_MS);
	assert_int_equal(body_check(rig.reader, "v g /c", RIG_LIMIT / 16, 1), 0);
}

static void a_partial_object_has_holes(void **state)
{
	uint64_t length = 4 * RIG_CHUNK + 9, id = store_id_new(rig.store);
	struct object o = body_object("v g /p", id, length);
	struct lease *lease = lease_new(rig.store, id);
	struct cache_key key = key_of(o.key);
	struct store_place place;
	struct stored *stored;

	(void)state;
	assert_int_equal(body_put_chunk(&rig, id, 1, length, 7), 0);
	assert_int_equal(body_put_chunk(&rig, id, 4, length, 7), 0);
	assert_int_equal(writer_put_object(rig.writer, &o, NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	lease_unref(&lease);
	rig_close(&rig); /* also over a restart */
	rig_open(&rig);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	for (uint32_t i = 0; i < 5; i++) {
		bool there = i == 1 || i == 4;

		assert_int_equal(object_has_chunk(stored_object(stored), i), there);
		assert_int_equal(stored_chunk(rig.reader, stored, i, &place), there ? 0 : -ENOENT);
		assert_true(!there || body_is(7, i * RIG_CHUNK, place.bytes));
	}
	/* Filled later: shows in the record with the same commit. */
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(body_put_chunk(&rig, id, i, length, 7), 0);
	stored_free(&stored);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "v g /p", length, 7), 0);
}

/* The length is known at the end only: the last chunk counts when it is. */
static void a_length_comes_late(void **state)
{
	uint64_t length = RIG_CHUNK + 5, id = store_id_new(rig.store);
	struct object o = body_object("v g /l", id, 0);
	struct lease *lease = lease_new(rig.store, id);
	struct cache_key key = key_of(o.key);
	struct stored *stored;

	(void)state;
	o.length = OBJECT_LENGTH_UNKNOWN;
	assert_int_equal(writer_put_object(rig.writer, &o, NULL, NULL), 0);
	assert_int_equal(body_put_chunk(&rig, id, 0, length, 3), 0);
	assert_int_equal(body_put_chunk(&rig, id, 1, length, 3), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
	assert_true(object_has_chunk(stored_object(stored), 0));
	assert_false(object_has_chunk(stored_object(stored), 1));
	assert_false(object_complete(stored_object(stored)));
	stored_free(&stored);
	o.length = (int64_t)length;
	assert_int_equal(writer_update_object(rig.writer, &o, rig_done, &rig), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(rig.rc, 0);
	lease_unref(&lease);
	assert_int_equal(body_check(rig.reader, "v g /l", length, 3), 0);
}

static void an_update_of_what_was_replaced_is_refused(void **state)
{
	struct object o;
	struct lease *lease;
	uint64_t id;

	(void)state;
	id = body_put(&rig, "v g /a", 2 * RIG_CHUNK, 1);
	lease = lease_new(rig.store, id);
	body_put(&rig, "v g /a", 3 * RIG_CHUNK, 2);
	assert_int_equal(rig_commit(&rig), 0);
	o = body_object("v g /a", id, 2 * RIG_CHUNK);
	assert_int_equal(writer_update_object(rig.writer, &o, rig_done, &rig), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(rig.rc, -ESTALE);
	assert_int_equal(writer_put_object(rig.writer, &o, rig_done, &rig), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(rig.rc, -ESTALE);
	assert_int_equal(body_put_chunk(&rig, id, 0, 2 * RIG_CHUNK, 1), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(rig.rc, -ESTALE);
	lease_unref(&lease);
	assert_int_equal(body_check(rig.reader, "v g /a", 3 * RIG_CHUNK, 2), 0);
}

/* Chunks of a fetch that never got a record: gone with the last lease, and after a restart. */
static void loose_ends_are_swept(void **state)
{
	uint64_t empty, id = store_id_new(rig.store);
	struct lease *lease = lease_new(rig.store, id);
	struct store_place place;

	(void)state;
	assert_int_equal(rig_commit(&rig), 0);
	empty = stat_now().live;
	assert_int_equal(body_put_chunk(&rig, id, 0, 9 * RIG_CHUNK, 1), 0);
	assert_int_equal(rig_commit(&rig), 0);
	rig_sweep(&rig);
	assert_int_equal(store_chunk(rig.reader, id, 0, &place), 0);
	assert_true(body_is(1, 0, place.bytes));
	lease_unref(&lease);
	rig_sweep(&rig);
	assert_int_equal(store_chunk(rig.reader, id, 0, &place), -ENOENT);

	id = store_id_new(rig.store);
	lease = lease_new(rig.store, id);
	assert_int_equal(body_put_chunk(&rig, id, 0, 9 * RIG_CHUNK, 1), 0);
	assert_int_equal(rig_commit(&rig), 0);
	lease_unref(&lease);
	rig_close(&rig);
	rig_open(&rig);
	rig_sweep(&rig);
	assert_int_equal(store_chunk(rig.reader, id, 0, &place), -ENOENT);
	assert_in_range(stat_now().live, 0, empty + (128 << 10));
}

static int count_objects(const struct object *object, void *arg)
{
	unsigned *n = arg;

	(*n)++;
	return object->length == 77 ? 5 : 0;
}

static void walks_by_prefix(void **state)
{
	char key[32];
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "%c g /%d", i % 3 ? 'a' : 'b', i);
		body_put(&rig, key, 1000, (uint64_t)i);
	}
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_each(rig.reader, SPAN("b g"), count_objects, &n), 0);
	assert_int_equal(n, 100);
	n = 0;
	assert_int_equal(store_each(rig.reader, SPAN(""), count_objects, &n), 0);
	assert_int_equal(n, 300);
	body_put(&rig, "stop", 77, 1);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_each(rig.reader, SPAN("stop"), count_objects, &n), 5);
}

static void keeps_small_state(void **state)
{
	char buf[16];
	size_t n;

	(void)state;
	assert_int_equal(store_state_get(rig.reader, SPAN("x"), buf, sizeof(buf), &n), -ENOENT);
	assert_int_equal(writer_put_state(rig.writer, SPAN("x"), SPAN("hello"), NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	rig_close(&rig);
	rig_open(&rig);
	assert_int_equal(store_state_get(rig.reader, SPAN("x"), buf, sizeof(buf), &n), 0);
	assert_true(span_eq(span_make(buf, n), SPAN("hello")));
	assert_int_equal(store_state_get(rig.reader, SPAN("x"), buf, 4, &n), -ENOSPC);
	assert_int_equal(writer_put_state(rig.writer, SPAN("x"), SPAN(""), NULL, NULL), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(store_state_get(rig.reader, SPAN("x"), buf, sizeof(buf), &n), -ENOENT);
}

/* ---- files that are not what they should be -------------------------------------------------- */

static void file_write(const char *name, off_t at, const void *bytes, size_t n)
{
	char path[128];
	int fd = open(rig_file(&rig, path, sizeof(path), name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
	close(fd);
}

/* Opens again, and the store must be new, usable, and the old file aside. */
static void expect_set_aside(void)
{
	rig.now = now_after(rig.now, 5000);
	rig_open(&rig);
	assert_int_equal(store_state(rig.store), STORE_SERVING);
	assert_int_equal(stat_now().set_aside, 1);
	assert_int_equal(rig_files(&rig, "store.mdb.broken-"), 1);
	put_all();
	check_all();
}

static void a_file_of_nonsense_is_set_aside(void **state)
{
	char zeros[3 * 4096] = { 0 };

	(void)state;
	put_all();
	rig_close(&rig);
	file_write("store.mdb", 0, zeros, sizeof(zeros));
	expect_set_aside();
	/* Again: one broken file is kept, not two. */
	rig_close(&rig);
	file_write("store.mdb", 0, zeros, sizeof(zeros));
	expect_set_aside();
}

static void a_truncated_file_is_set_aside(void **state)
{
	char path[128];

	(void)state;
	put_all();
	rig_close(&rig);
	assert_int_equal(truncate(rig_file(&rig, path, sizeof(path), "store.mdb"), 5 * 4096), 0);
	expect_set_aside();
}

/* Somebody removes the file under the running store, or all files, the lock among them. */
static void a_file_that_goes_is_begun_anew(void **state)
{
	char path[128];

	(void)state;
	for (int all = 0; all < 2; all++) {
		put_all();
		check_all();
		assert_int_equal(unlink(rig_file(&rig, path, sizeof(path), "store.mdb")), 0);
		if (all)
			assert_int_equal(unlink(rig_file(&rig, path, sizeof(path), "lock")), 0);
		for (int i = 0; i < 4; i++)
			rig_step(&rig, 1000);
		assert_int_equal(store_state(rig.store), STORE_SERVING);
		assert_int_equal(access(rig_file(&rig, path, sizeof(path), "store.mdb"), F_OK), 0);
		assert_int_equal(access(rig_file(&rig, path, sizeof(path), "lock"), F_OK), 0);
		assert_int_equal(stat_now().objects, 0);
		assert_int_equal(stat_now().set_aside, 0);
		put_all();
		check_all();
		rig_close(&rig);
		rig_open(&rig);
		check_all();
	}
}

/* Half of it is gone, while nobody looks: found before a page that is not there is touched. */
static void a_file_that_is_cut_is_set_aside(void **state)
{
	char path[128];

	(void)state;
	put_all();
	assert_int_equal(truncate(rig_file(&rig, path, sizeof(path), "store.mdb"), 5 * 4096), 0);
	for (int i = 0; i < 4; i++)
		rig_step(&rig, 1000);
	assert_int_equal(store_state(rig.store), STORE_SERVING);
	assert_int_equal(stat_now().set_aside, 1);
	put_all();
	check_all();
}

/* Bytes that are no note of ours say nothing against the store's file. */
static void a_lock_file_of_nonsense_is_no_note(void **state)
{
	static const char *const notes[] = { "xyz", "x\x07", "\x01\x01", "q", "\0\xff" };

	(void)state;
	put_all();
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		rig_close(&rig);
		file_write("lock", 0, notes[i],
			   notes[i][1] == '\0' || i == 0 ? strlen(notes[i]) : 2);
		rig_open(&rig);
		assert_int_equal(stat_now().set_aside, 0);
		check_all();
	}
}

static void another_process_keeps_it_offline(void **state)
{
	struct rig second = rig;

	(void)state;
	second.store = NULL;
	rig_open(&second);
	assert_int_equal(store_state(second.store), STORE_OFFLINE);
	assert_int_equal(body_check(second.reader, "v g /0", 0, 1), -ENOENT);
	body_put(&second, "v g /0", 0, 1);
	assert_int_equal(second.done, 0); /* refused */
	rig_close(&rig);
	for (int i = 0; i < 100 && store_state(second.store) != STORE_SERVING; i++)
		rig_step(&second, 1000);
	assert_int_equal(store_state(second.store), STORE_SERVING);
	rig.store = NULL;
	rig_close(&second);
}

static void a_directory_that_comes_later(void **state)
{
	char path[96];
	struct rig late = rig;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/a/b", rig.dir);
	late.config.path = path;
	rig_open(&late);
	assert_int_equal(store_state(late.store), STORE_OFFLINE);
	rig_step(&late, 1);
	assert_int_equal(stat_now().last_error, 0);
	(void)snprintf(path, sizeof(path), "%s/a", rig.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	for (int i = 0; i < 100 && store_state(late.store) != STORE_SERVING; i++)
		rig_step(&late, 1000);
	assert_int_equal(store_state(late.store), STORE_SERVING);
	body_put(&late, "v g /0", 5000, 1);
	assert_int_equal(rig_commit(&late), 0);
	assert_int_equal(body_check(late.reader, "v g /0", 5000, 1), 0);
	rig_close(&late);
	(void)snprintf(path, sizeof(path), "%s/a/b", rig.dir);
	rig_remove(path);
	(void)snprintf(path, sizeof(path), "%s/a", rig.dir);
	rig_remove(path);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(gives_back_what_was_put),
		RIGGED(keeps_it_over_a_restart),
		RIGGED(chunks_are_where_it_says),
		RIGGED(replaces_and_frees),
		RIGGED(removes),
		RIGGED(commits_in_batches),
		RIGGED(a_partial_object_has_holes),
		RIGGED(a_length_comes_late),
		RIGGED(an_update_of_what_was_replaced_is_refused),
		RIGGED(loose_ends_are_swept),
		RIGGED(walks_by_prefix),
		RIGGED(keeps_small_state),
		RIGGED(a_file_of_nonsense_is_set_aside),
		RIGGED(a_truncated_file_is_set_aside),
		RIGGED(a_file_that_goes_is_begun_anew),
		RIGGED(a_file_that_is_cut_is_set_aside),
		RIGGED(a_lock_file_of_nonsense_is_no_note),
		RIGGED(another_process_keeps_it_offline),
		RIGGED(a_directory_that_comes_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
