/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nth write or sync fails, for N = 1, 2, 3 ... until a run passes without: lookups go on, what was answered
 * as stored is there, what was answered with an error is not, the store heals, and the file is whole.
 */
/* timeout: 600 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>

#include "tests/unit/cache/fault.h"
#include "tests/unit/cache/file.h"
#include "tests/unit/cache/rig.h"

#define KEYS	  5
#define ROOM_BODY (768u << 10)

static struct rig rig;

/* What a key is like, as far as answers say. */
struct expected {
	uint64_t version; /* 0: absent */
	uint64_t length;
};

/* One piece of work on a key: what it will be like if it is answered with 0. */
struct pending {
	struct expected *key;
	struct expected after;
	unsigned left;
	int rc;
};

static struct expected keys[KEYS];

static void key_text(unsigned key, char buf[16])
{
	(void)snprintf(buf, 16, "f g /%u", key);
}

static void answered(void *arg, int rc)
{
	struct pending *p = arg;

	if (rc)
		p->rc = rc;
	if (--p->left)
		return;
	if (p->rc == 0)
		*p->key = p->after;
	free(p);
}

/* Never asked for: there will be no answer to it. */
static void refused(struct pending *p)
{
	p->rc = -EAGAIN;
	p->left--;
}

static struct pending *pending_new(unsigned key, uint64_t version, uint64_t length)
{
	struct pending *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->key = &keys[key];
	p->after = (struct expected){ version, length };
	p->left = 1;
	return p;
}

static void put(unsigned key, uint64_t version, uint64_t length)
{
	struct pending *p = pending_new(key, version, length);
	uint64_t id = store_id_new(rig.store);
	struct lease *lease = lease_new(rig.store, id);
	char text[16];
	struct object o;

	key_text(key, text);
	o = body_object(text, id, length);
	for (uint32_t i = 0; i * RIG_CHUNK < length; i++) {
		struct chunk *chunk = chunk_new(rig.pool);

		chunk->len = (uint32_t)(length - i * RIG_CHUNK < RIG_CHUNK ? length - i * RIG_CHUNK
									   : RIG_CHUNK);
		body_fill(version, i * RIG_CHUNK, chunk->data, chunk->len);
		p->left++;
		if (writer_put_chunk(rig.writer, id, i, chunk, answered, p))
			refused(p);
		chunk_unref(&chunk);
	}
	p->left++;
	if (p->rc || writer_put_object(rig.writer, &o, answered, p))
		refused(p);
	lease_unref(&lease);
	answered(p, 0);
}

static void del(unsigned key)
{
	struct pending *p = pending_new(key, 0, 0);
	char text[16];
	struct cache_key k;

	key_text(key, text);
	k = key_of(span_of(text));
	p->left++;
	if (writer_remove(rig.writer, &k, 0, answered, p))
		refused(p);
	answered(p, 0);
}

/* Storing less when the disk is full is right: then a key may be gone, but is never wrong. */
static bool may_evict;

static void check_keys(bool offline_is_fine)
{
	for (unsigned i = 0; i < KEYS; i++) {
		char text[16];
		int rc;

		key_text(i, text);
		rc = body_check(rig.reader, text, keys[i].length, keys[i].version);
		if (rc == -ENOENT && offline_is_fine && store_state(rig.store) == STORE_OFFLINE)
			continue;
		if (rc == -ENOENT && may_evict)
			continue;
		if (rc != (keys[i].version ? 0 : -ENOENT))
			fail_msg("fault %d at call %ld of %ld: key %u, version %llu: %d",
				 fault.kind, fault.at, fault.calls, i,
				 (unsigned long long)keys[i].version, rc);
	}
}

/* Some of everything, over several commits, lookups in between. */
static void work(uint64_t version)
{
	for (int turn = 0; turn < 5; turn++) {
		put((unsigned)turn % KEYS, version++, 3 * RIG_CHUNK + 1000);
		put((unsigned)(turn + 1) % KEYS, version++, 5000);
		if (turn % 2)
			del((unsigned)(turn + 2) % KEYS);
		(void)!rig_commit(&rig);
		check_keys(true);
		rig_step(&rig, 200);
		check_keys(true);
	}
}

static void heal(void)
{
	for (int i = 0; i < 200 && store_state(rig.store) != STORE_SERVING; i++)
		rig_step(&rig, 1000);
	assert_int_equal(store_state(rig.store), STORE_SERVING);
}

/* One run with a fault at the Nth call. Gives whether it happened. */
static bool run(enum fault_kind kind, long at, bool forever)
{
	struct file_report report;

	fault_disarm();
	may_evict = kind == FAULT_ENOSPC;
	rig_new(&rig, RIG_LIMIT);
	memset(keys, 0, sizeof(keys));
	for (unsigned i = 0; i < KEYS; i++)
		put(i, i + 1, 2 * RIG_CHUNK + i);
	assert_int_equal(rig_commit(&rig), 0);
	check_keys(false);

	fault_arm(kind, at, forever);
	work(100);
	fault_disarm();

	heal();
	check_keys(false);
	work(200);
	assert_int_equal(rig_commit(&rig), 0);
	check_keys(false);
	rig_close(&rig);
	report = file_check_all(rig.dir);
	if (report.wrong[0])
		fail_msg("fault %d at call %ld: %s", kind, at, report.wrong);
	rig_open(&rig); /* and a restart finds the same */
	check_keys(false);
	rig_free(&rig);
	return fault.fired;
}

static void until_none_fires(enum fault_kind kind, bool forever)
{
	long at = 1;

	while (run(kind, at, forever))
		at++;
	assert_true(at > 10);
	print_message("# %ld runs\n", at);
}

static void a_full_disk_once(void **state)
{
	(void)state;
	until_none_fires(FAULT_ENOSPC, false);
}

static void a_full_disk_for_a_while(void **state)
{
	(void)state;
	until_none_fires(FAULT_ENOSPC, true);
}

static void a_disk_error_once(void **state)
{
	(void)state;
	until_none_fires(FAULT_EIO, false);
}

static void a_disk_error_for_a_while(void **state)
{
	(void)state;
	until_none_fires(FAULT_EIO, true);
}

static void a_short_write(void **state)
{
	(void)state;
	until_none_fires(FAULT_SHORT, false);
}

/* Opening on a disk that takes nothing: offline, then well. */
static void a_disk_that_fails_at_the_start(void **state)
{
	(void)state;
	may_evict = false;
	for (long at = 1;; at++) {
		fault_disarm();
		rig_new(&rig, RIG_LIMIT);
		rig_close(&rig);
		rig_remove(rig.dir);
		memset(keys, 0, sizeof(keys));
		fault_arm(FAULT_EIO, at, true);
		rig_open(&rig);
		check_keys(true);
		put(1, 1, 100000);
		(void)!rig_commit(&rig);
		check_keys(true);
		fault_disarm();
		heal();
		put(1, 2, 100000);
		assert_int_equal(rig_commit(&rig), 0);
		check_keys(false);
		rig_free(&rig);
		if (!fault.fired)
			break;
	}
}

/* One start with the fault. Gives whether it happened. */
static bool start(enum fault_kind kind, long at, bool forever)
{
	fault_disarm();
	rig_new(&rig, RIG_LIMIT);
	memset(keys, 0, sizeof(keys));
	for (unsigned i = 0; i < KEYS; i++)
		put(i, i + 1, 2 * RIG_CHUNK + i);
	assert_int_equal(rig_commit(&rig), 0);
	rig_close(&rig);

	fault_arm(kind, at, forever);
	rig_open(&rig);
	check_keys(true);
	for (int i = 0; i < 3; i++)
		rig_step(&rig, 1000);
	check_keys(true);
	fault_disarm();
	heal();
	check_keys(false);
	assert_int_equal(rig_files(&rig, "store.mdb.broken-"), 0);
	rig_free(&rig);
	return fault.fired;
}

/* Opening without descriptors or memory: offline, then well, and nothing is set aside for it. */
static void a_start_without_means(void **state)
{
	(void)state;
	may_evict = false;
	for (enum fault_kind kind = FAULT_OPEN; kind <= FAULT_MMAP; kind++) {
		for (int forever = 0; forever < 2; forever++) {
			long at = 1;

			while (start(kind, at, forever))
				at++;
			print_message("# kind %d: %ld runs\n", kind, at);
			assert_true(at > 2);
		}
	}
}

/*
 * Really no room: the file may grow no further (a limit of the process, as a full partition would be), although
 * the store's own limit is far. It goes on storing in the room it has.
 */
static void lives_in_the_room_there_is(void **state)
{
	const struct rlimit small = { 40 << 20, RLIM_INFINITY },
			    none = { RLIM_INFINITY, RLIM_INFINITY };
	unsigned stored = 0;
	struct store_stat s;

	(void)state;
	fault_disarm();
	(void)signal(SIGXFSZ, SIG_IGN);
	rig_new(&rig, 1 << 30);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	memset(keys, 0, sizeof(keys));
	for (uint64_t i = 1; i < 120; i++) {
		put((unsigned)i % KEYS, i, ROOM_BODY);
		char text[32];

		(void)snprintf(text, sizeof(text), "more %d", (int)i);
		body_put(&rig, text, ROOM_BODY, i);
		(void)!rig_commit(&rig);
		stored += i >= 80 && body_check(rig.reader, text, ROOM_BODY, i) == 0;
		rig_step(&rig, 1000);
		/* Some of the keys may be evicted: absent is right for all. */
		memset(keys, 0, sizeof(keys));
	}
	store_stat(rig.store, &s);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	print_message("# %u of the last 40 stored, limit %llu MiB, %llu failed commits\n", stored,
		      (unsigned long long)s.limit >> 20, (unsigned long long)s.commit_errors);
	assert_true(stored > 30);
	assert_true(s.limit < 40 << 20);
	for (int i = 0; i < 200; i++)
		rig_step(&rig, 1000);
	store_stat(rig.store, &s);
	assert_int_equal(s.limit, 1 << 30);
	assert_int_equal(s.state, STORE_SERVING);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_once),
		cmocka_unit_test(a_full_disk_for_a_while),
		cmocka_unit_test(a_disk_error_once),
		cmocka_unit_test(a_disk_error_for_a_while),
		cmocka_unit_test(a_short_write),
		cmocka_unit_test(a_disk_that_fails_at_the_start),
		cmocka_unit_test(a_start_without_means),
		cmocka_unit_test(lives_in_the_room_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
