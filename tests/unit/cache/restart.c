/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening reads next to nothing however much there is: the first hit comes at once, with the file's
 * pages dropped from memory. RESTART_OBJECTS (default 200000) says how many objects; LOOKUPS how many lookups
 * are timed.
 */
/* timeout: 600 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/cache/rig.h"

/* An open that walked 200000 objects would take longer even with all of them in memory. */
#define FIRST_HIT_MS 100

static struct rig rig;
static unsigned objects;

static unsigned env_number(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void key_text(unsigned i, char buf[80])
{
	(void)snprintf(buf, 80, "vendor @updates /bases/av/kdb/i386/base%06u.dat.%u", i, i % 977);
}

/* Every hundredth in a chunk of its own, the others in the record. */
static uint64_t length_of(unsigned i)
{
	return i % 100 ? 400 + i % 300 : 4096;
}

static uint64_t anonymous_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	unsigned long long kib = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static int fill(void **state)
{
	char key[80];

	(void)state;
	objects = env_number("RESTART_OBJECTS", 200000);
	rig_new(&rig, UINT64_C(8) << 30);
	for (unsigned i = 0; i < objects; i++) {
		key_text(i, key);
		body_put(&rig, key, length_of(i), i);
		if (i % 16000 == 15999)
			assert_int_equal(rig_commit(&rig), 0);
	}
	assert_int_equal(rig_commit(&rig), 0);
	rig_step(&rig, 2000);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	rig_free(&rig);
	return 0;
}

static void drop_pages(void)
{
	char path[128];
	int fd = open(rig_file(&rig, path, sizeof(path), "store.mdb"), O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	close(fd);
}

static void the_first_hit_comes_at_once(void **state)
{
	uint64_t before, opened, hit;
	char key[80];

	(void)state;
	rig_close(&rig);
	drop_pages();
	before = clock_mono_ns();
	rig_open(&rig);
	opened = clock_mono_ns();
	key_text(objects / 2 + 1, key);
	assert_int_equal(body_check(rig.reader, key, length_of(objects / 2 + 1), objects / 2 + 1),
			 0);
	hit = clock_mono_ns();
	print_message("# %u objects: open %.2f ms, first hit %.2f ms after the start; %llu KiB "
		      "anonymous\n",
		      objects, (double)(opened - before) / 1e6, (double)(hit - before) / 1e6,
		      (unsigned long long)anonymous_kib());
	assert_true(hit - before < FIRST_HIT_MS * UINT64_C(1000000));
	/* Writing goes on as quickly. */
	body_put(&rig, "new", 5000, 1);
	assert_int_equal(rig_commit(&rig), 0);
	print_message("# first commit %.2f ms after the start\n",
		      (double)(clock_mono_ns() - before) / 1e6);
}

/* Nanoseconds of a lookup, chunk included if there is one. Warm: the first round reads the pages. */
static double lookup_ns(unsigned step, unsigned n)
{
	char(*keys)[80] = malloc((size_t)n * sizeof(*keys));
	uint64_t began = 0;

	assert_non_null(keys);
	for (unsigned i = 0; i < n; i++)
		key_text((unsigned)((uint64_t)i * 7919 % (objects / step)) * step, keys[i]);
	for (int round = 0; round < 2; round++) {
		began = clock_mono_ns();
		for (unsigned i = 0; i < n; i++) {
			struct cache_key key = key_of(span_of(keys[i]));
			struct store_place place;
			struct stored *stored;

			assert_int_equal(store_lookup(rig.reader, &key, &stored), 0);
			if (object_chunks(stored_object(stored)))
				assert_int_equal(stored_chunk(rig.reader, stored, 0, &place), 0);
			stored_free(&stored);
		}
	}
	free(keys);
	return (double)(clock_mono_ns() - began) / n;
}

static void lookups_are_quick(void **state)
{
	unsigned n = env_number("LOOKUPS", 50000);
	double record, chunk;

	(void)state;
	record = lookup_ns(1, n);
	chunk = lookup_ns(100, n);
	print_message("# a lookup: %.0f ns (nearly all inline), %.0f ns with its chunk; %llu KiB "
		      "anonymous\n",
		      record, chunk, (unsigned long long)anonymous_kib());
	assert_true(record < 100e3 &&
		    chunk < 100e3); /* no search of any kind; the figures are above */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_hit_comes_at_once),
		cmocka_unit_test(lookups_are_quick),
	};

	return cmocka_run_group_tests(tests, fill, empty);
}
