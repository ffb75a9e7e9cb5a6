/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of the data file change behind the store's back. Nothing wrong is ever served; it is counted, dropped,
 * and what is put again is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "cache/store_priv.h"
#include "tests/unit/cache/each.h"

/* A chunk of the default size. */
#define BLOCK UINT64_C(262128)

static struct stored *lookup(const char *text)
{
	struct cache_key key = key_of(span_of(text));
	struct stored *stored = NULL;

	return store_lookup(rig.reader, &key, &stored) == 0 ? stored : NULL;
}

/* Where a chunk is in the file. */
static off_t chunk_at(const char *text, uint32_t index)
{
	struct stored *stored = lookup(text);
	struct store_place place;

	assert_non_null(stored);
	assert_int_equal(stored_chunk(rig.reader, stored, index, &place), 0);
	stored_free(&stored);
	return place.offset;
}

/* Flips a bit in the closed file; opens it again. */
static void flip(off_t at)
{
	char path[128];
	uint8_t byte;
	int fd;

	rig_close(&rig);
	fd = open(rig_file(&rig, path, sizeof(path), "store.mdb"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
	rig_open(&rig);
}

static void a_flipped_bit_of_a_chunk_is_found(void **state)
{
	uint64_t length = 3 * RIG_CHUNK + 100;
	struct store_place place;
	struct stored *stored;
	uint64_t id;

	(void)state;
	id = body_put(&rig, "a", length, 1);
	assert_int_equal(rig_commit(&rig), 0);
	flip(chunk_at("a", 1) + (off_t)(RIG_CHUNK / 3));
	stored = lookup("a");
	assert_non_null(stored);
	assert_true(object_complete(stored_object(stored)));
	assert_int_equal(stored_chunk(rig.reader, stored, 0, &place), 0);
	assert_int_equal(stored_chunk(rig.reader, stored, 1, &place), -EBADMSG);
	assert_int_equal(stored_chunk(rig.reader, stored, 2, &place), 0);
	assert_true(body_is(1, 2 * RIG_CHUNK, place.bytes));
	assert_int_equal(stat_now().bad_chunks, 1);
	rig_step(&rig, 1);

	/* Dropped from the record; while somebody holds the id its bytes stay as they are. */
	assert_int_equal(body_check(rig.reader, "a", length, 1), -ENODATA);
	assert_int_equal(body_put_chunk(&rig, id, 1, length, 1), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(rig.rc, -EBUSY);
	stored_free(&stored);
	rig_sweep(&rig);

	/* Then it can be filled again, and is good after one more start. */
	assert_int_equal(body_put_chunk(&rig, id, 1, length, 1), 0);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(rig.rc, 0);
	assert_int_equal(body_check(rig.reader, "a", length, 1), 0);
	rig_close(&rig);
	rig_open(&rig);
	assert_int_equal(body_check(rig.reader, "a", length, 1), 0);
}

static void a_flipped_bit_of_a_small_chunk_is_found(void **state)
{
	(void)state;
	body_put(&rig, "a", 5000, 1);
	body_put(&rig, "b", 5000, 2);
	assert_int_equal(rig_commit(&rig), 0);
	flip(chunk_at("a", 0));
	assert_int_equal(body_check(rig.reader, "a", 5000, 1), -EBADMSG);
	assert_int_equal(body_check(rig.reader, "b", 5000, 2), 0);
	rig_step(&rig, 1);
	assert_int_equal(body_check(rig.reader, "a", 5000, 1), -ENODATA);
	body_put(&rig, "a", 5000, 3);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "a", 5000, 3), 0);
}

/* Where these bytes are in the closed file. */
static off_t file_find(struct span bytes)
{
	char path[128];
	off_t at = -1;
	char *all;
	long n;
	FILE *f = fopen(rig_file(&rig, path, sizeof(path), "store.mdb"), "r");

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	rewind(f);
	all = malloc((size_t)n);
	assert_non_null(all);
	assert_int_equal(fread(all, 1, (size_t)n, f), n);
	fclose(f);
	for (long i = 0; at < 0 && i + (long)bytes.n <= n; i++)
		if (memcmp(all + i, bytes.p, bytes.n) == 0)
			at = i;
	free(all);
	assert_true(at >= 0);
	return at;
}

static void a_flipped_bit_of_a_record_is_found(void **state)
{
	(void)state;
	body_put(&rig, "the only key", 1200, 1);
	assert_int_equal(rig_commit(&rig), 0);
	flip(file_find(SPAN("the only key")));
	assert_int_equal(body_check(rig.reader, "the only key", 1200, 1), -ENOENT);
	assert_int_equal(stat_now().bad_records, 1);
	rig_step(&rig, 1);
	assert_int_equal(stat_now().objects, 0);
	body_put(&rig, "the only key", 1200, 2);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "the only key", 1200, 2), 0);
	assert_int_equal(stat_now().objects, 1);
}

/* Chunks of a record that was lost must not stay for ever: eviction finds them by their row in `ids`. */
static void chunks_of_a_lost_record_go(void **state)
{
	uint64_t empty = stat_now().live;

	(void)state;
	body_put(&rig, "the only key", 40 * BLOCK, 1);
	assert_int_equal(rig_commit(&rig), 0);
	flip(file_find(SPAN("the only key")));
	assert_int_equal(body_check(rig.reader, "the only key", 40 * BLOCK, 1), -ENOENT);
	rig_step(&rig, 1);
	/* Fills the store up to its limit. */
	for (uint64_t i = 0; i < 14; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "%d", (int)i);
		body_put(&rig, key, 16 * BLOCK, i);
		assert_int_equal(rig_commit(&rig), 0);
		rig_sweep(&rig);
	}
	for (uint64_t i = 0; i < 14; i++) {
		char key[16];
		struct cache_key k;

		(void)snprintf(key, sizeof(key), "%d", (int)i);
		k = key_of(span_of(key));
		assert_int_equal(writer_remove(rig.writer, &k, 0, NULL, NULL), 0);
	}
	assert_int_equal(rig_commit(&rig), 0);
	rig_sweep(&rig);
	assert_in_range(stat_now().live, 0, empty + (256 << 10));
}

/* The tree itself: pages of zeros where its branches were. The file is set aside, service goes on. */
static void a_broken_tree_is_set_aside(void **state)
{
	char path[128], key[32];
	uint8_t zeros[4096] = { 0 };
	int fd, state_at;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		body_put(&rig, key, 900, (uint64_t)i);
	}
	assert_int_equal(rig_commit(&rig), 0);
	rig_close(&rig);
	fd = open(rig_file(&rig, path, sizeof(path), "store.mdb"), O_RDWR);
	assert_true(fd >= 0);
	/* Every fifth page but the two that say where all is, and the tables' list. */
	for (off_t at = 7 * 4096; at < lseek(fd, 0, SEEK_END) - 40 * 4096; at += 5 * 4096)
		assert_int_equal(pwrite(fd, zeros, sizeof(zeros), at), (ssize_t)sizeof(zeros));
	close(fd);
	rig_open(&rig);
	for (int i = 0; i < 2000; i++) {
		int rc;

		(void)snprintf(key, sizeof(key), "k%d", i);
		rc = body_check(rig.reader, key, 900, (uint64_t)i);
		assert_true(rc == 0 || rc == -ENOENT);
	}
	for (int i = 0; i < 100 && stat_now().set_aside == 0; i++)
		rig_step(&rig, 1000);
	state_at = (int)store_state(rig.store);
	assert_int_equal(state_at, STORE_SERVING);
	assert_int_equal(stat_now().set_aside, 1);
	assert_int_equal(rig_files(&rig, "store.mdb.broken-"), 1);
	body_put(&rig, "k1", 900, 5);
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "k1", 900, 5), 0);
}

static struct rig *crash_rig;

static void crash_context(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	store_reader_crashed(crash_rig->reader);
}

/* A process that dies with this signal, inside a lookup or not, as a process of its own would. */
static void die(bool inside, int signal_number)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		close(2); /* the report is not of interest */
		check_install("damage");
		rig_open(&rig);
		crash_rig = &rig;
		check_context_set(crash_context, NULL);
		if (inside)
			CHECK_OK(store_enter(rig.reader));
		(void)raise(signal_number);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* Only a crash in the tree says that it is damaged; being killed there, or crashing elsewhere, does not. */
static void a_crash_in_the_tree_sets_it_aside(void **state)
{
	(void)state;
	body_put(&rig, "a", 5000, 1);
	assert_int_equal(rig_commit(&rig), 0);
	rig_close(&rig);
	die(true, SIGKILL);
	die(false, SIGSEGV);
	rig_open(&rig);
	assert_int_equal(body_check(rig.reader, "a", 5000, 1), 0);
	rig_close(&rig);
	die(true, SIGSEGV);
	rig_open(&rig);
	assert_int_equal(stat_now().set_aside, 1);
	assert_int_equal(rig_files(&rig, "store.mdb.broken-"), 1);
	assert_int_equal(body_check(rig.reader, "a", 5000, 1), -ENOENT);
	body_put(&rig, "a", 5000, 2);
	assert_int_equal(rig_commit(&rig), 0);
	rig_close(&rig);
	rig_open(&rig); /* once */
	assert_int_equal(stat_now().set_aside, 0);
	assert_int_equal(body_check(rig.reader, "a", 5000, 2), 0);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(a_flipped_bit_of_a_chunk_is_found),
		RIGGED(a_flipped_bit_of_a_small_chunk_is_found),
		RIGGED(a_flipped_bit_of_a_record_is_found),
		RIGGED(chunks_of_a_lost_record_go),
		RIGGED(a_broken_tree_is_set_aside),
		RIGGED(a_crash_in_the_tree_sets_it_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
