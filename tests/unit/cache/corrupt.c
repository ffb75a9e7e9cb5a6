/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random damage anywhere in the file, the tree's own pages included: flipped bits, zeroed and exchanged pages.
 * Whatever happens, no wrong byte is given out, and after at most a few starts (a crash inside the tree is
 * allowed to cost one) the store serves again. CORRUPT_ROUNDS (default 25), CORRUPT_SEED (default 1).
 */
/* timeout: 600 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/cache/rig.h"

#define OBJECTS	     400
#define STARTS_MAX   4
#define EXIT_WELL    0
#define EXIT_WRONG   3 /* other bytes than were stored */
#define EXIT_NOTHING 4 /* does not serve */

static struct rig rig;
static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % n;
}

static uint64_t length_of(unsigned i)
{
	return i % 5 == 0 ? 300000 : i % 5 == 1 ? 9000 : 400 + i;
}

static void key_text(unsigned i, char buf[32])
{
	(void)snprintf(buf, 32, "corrupt g /%u", i);
}

/* A page of the file; half of the time one of the tree (a branch or a leaf, as LMDB marks them). */
static off_t random_page(int fd, off_t size)
{
	bool tree = random_below(2);
	uint64_t number = 0;

	for (int tries = 0; tries < 5000; tries++) {
		uint8_t header[16];
		uint64_t own;

		number = random_below((uint64_t)size / 4096);
		CHECK(pread(fd, header, sizeof(header), (off_t)number * 4096) == sizeof(header));
		memcpy(&own, header, sizeof(own));
		if (!tree || (own == number && (header[10] & 3)))
			break;
	}
	return (off_t)number * 4096;
}

/* 1 to 12 places, of one kind. */
static void damage(void)
{
	char path[128];
	int fd = open(rig_file(&rig, path, sizeof(path), "store.mdb"), O_RDWR);
	unsigned kind = (unsigned)random_below(3);
	uint8_t page[4096], other[4096];
	struct stat st;

	CHECK(fd >= 0 && fstat(fd, &st) == 0);
	for (uint64_t n = 1 + random_below(12); n > 0; n--) {
		off_t at = random_page(fd, st.st_size);
		off_t to = random_page(fd, st.st_size);

		CHECK(pread(fd, page, sizeof(page), at) == sizeof(page));
		if (kind == 0) {
			page[random_below(sizeof(page))] ^= (uint8_t)(1 << random_below(8));
		} else if (kind == 1) {
			memset(page, 0, sizeof(page));
		} else {
			CHECK(pread(fd, other, sizeof(other), to) == sizeof(other));
			memcpy(page, other, sizeof(page));
		}
		CHECK(pwrite(fd, page, sizeof(page), at) == sizeof(page));
	}
	close(fd);
}

static void context(int fd, void *arg)
{
	(void)fd;
	(void)arg;
	store_reader_crashed(rig.reader);
}

/* What a proxy does in its life: reads all, writes some, removes some. */
static int live(void)
{
	char key[32];
	struct cache_key k;
	int rc;

	rig_open(&rig);
	CHECK_OK(writer_start(rig.writer)); /* on its thread: that has a crash report of its own */
	for (unsigned i = 0; i < OBJECTS; i++) {
		key_text(i, key);
		rc = body_check(rig.reader, key, length_of(i), i + 1);
		if (rc == -EILSEQ)
			return EXIT_WRONG;
	}
	for (unsigned i = 0; i < OBJECTS; i += 3) {
		key_text(i, key);
		k = key_of(span_of(key));
		if (i % 2)
			body_put(&rig, key, length_of(i), i + 1);
		else
			(void)!writer_remove(rig.writer, &k, 0, NULL, NULL);
	}
	writer_hurry(rig.writer);
	/* Serving, at the latest after a file was set aside: something can be put and read. */
	for (int i = 0; i < 2000; i++) {
		if (store_state(rig.store) == STORE_SERVING) {
			body_put(&rig, "new", 9000, 1);
			writer_hurry(rig.writer);
			if (body_check(rig.reader, "new", 9000, 1) == 0)
				return EXIT_WELL;
		}
		usleep(2000);
	}
	fprintf(stderr, "# nothing: state %s, answers %u, last %d, lookup %d\n",
		store_state_name(store_state(rig.store)), rig.done, rig.rc,
		body_check(rig.reader, "new", 9000, 1));
	return EXIT_NOTHING;
}

static int start(void)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		if (!getenv("CORRUPT_LOG"))
			close(2);
		check_install("corrupt");
		check_context_set(context, NULL);
		alarm(20); /* hangs count as crashes */
		_exit(live());
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void round_run(unsigned number, unsigned *crashes)
{
	int status = 0, starts = 0;
	char key[32];

	rig_new(&rig, RIG_LIMIT);
	for (unsigned i = 0; i < OBJECTS; i++) {
		key_text(i, key);
		body_put(&rig, key, length_of(i), i + 1);
	}
	assert_int_equal(rig_commit(&rig), 0);
	rig_close(&rig);
	damage();
	do {
		status = start();
		*crashes += WIFSIGNALED(status);
	} while (WIFSIGNALED(status) && ++starts < STARTS_MAX);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_WELL)
		fail_msg("round %u: status %x after %d starts", number, (unsigned)status, starts);
	chunk_pool_free(&rig.pool);
	rig_remove(rig.dir);
}

static void no_damage_gives_wrong_bytes(void **state)
{
	const char *rounds = getenv("CORRUPT_ROUNDS"), *seed = getenv("CORRUPT_SEED");
	unsigned n = rounds ? (unsigned)strtoul(rounds, NULL, 10) : 25, crashes = 0;

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 0) : 1;
	print_message("# seed %llu\n", (unsigned long long)random_state);
	for (unsigned i = 0; i < n; i++)
		round_run(i, &crashes);
	print_message("# %u rounds, %u crashes inside the tree\n", n, crashes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_damage_gives_wrong_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
