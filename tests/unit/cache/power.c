/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts. This program's pwrite, writev and fdatasync stand before libc's for LMDB (as in fault.h). Each write
 * to the store's file is remembered until a sync makes it durable. At many of these calls the power fails: an image
 * of the disk is made of all that was durable and any of the writes since then, some lost, some torn
 * between sectors, in any order. The store that opens on it must have every object that was answered as stored,
 * byte by byte, each key in a state that it was in or was about to be in, and a file without a contradiction.
 *
 * POWER_POINTS (default 300) says how many cuts; POWER_SEED which.
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
#include <sys/syscall.h>
#include <sys/uio.h>

#include "tests/unit/cache/file.h"
#include "tests/unit/cache/rig.h"

#define KEYS	  12
#define BEGUN_MAX 64
#define SECTOR	  512
#define LIMIT	  (24u << 20)

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % n;
}

/* ---- what was promised ----------------------------------------------------------------------- */

/* Version 0: absent. */
struct version {
	uint64_t seed, length;
};

/* A key is as after its last answered work or a later one. */
struct promise {
	struct version answered;
	struct version begun[BEGUN_MAX];
	unsigned n;
};

static struct promise promises[KEYS];

static void key_text(unsigned key, char buf[16])
{
	(void)snprintf(buf, 16, "p g /%u", key);
}

/* Is what stands under this key one of those? */
static bool promise_kept(struct store_reader *reader, unsigned key)
{
	const struct promise *p = &promises[key];
	char text[16];

	key_text(key, text);
	for (unsigned i = 0; i <= p->n; i++) {
		const struct version *v = i ? &p->begun[i - 1] : &p->answered;
		int rc = body_check(reader, text, v->length, v->seed);

		if (v->seed ? rc == 0 : rc == -ENOENT)
			return true;
	}
	return false;
}

/* ---- the disk -------------------------------------------------------------------------------- */

struct pending {
	off_t at;
	size_t n;
	uint8_t *bytes;
	struct pending *next;
};

static struct {
	bool on;
	dev_t dev;
	ino_t ino;
	int durable; /* what is on the platter */
	off_t size;
	struct pending *pending;
	unsigned points, wanted, every;
} disk;

static bool disk_is(int fd)
{
	struct stat st;

	return disk.on && fstat(fd, &st) == 0 && st.st_ino == disk.ino && st.st_dev == disk.dev;
}

static void disk_put(int fd, off_t at, const void *bytes, size_t n)
{
	CHECK(syscall(SYS_pwrite64, fd, bytes, n, at) == (long)n);
}

static void disk_durable(off_t at, const void *bytes, size_t n)
{
	disk_put(disk.durable, at, bytes, n);
	if (at + (off_t)n > disk.size)
		disk.size = at + (off_t)n;
}

static void disk_pend(off_t at, const void *bytes, size_t n)
{
	struct pending *p = malloc(sizeof(*p));

	CHECK(p != NULL);
	*p = (struct pending){ .at = at, .n = n, .bytes = malloc(n), .next = disk.pending };
	CHECK(p->bytes != NULL);
	memcpy(p->bytes, bytes, n);
	disk.pending = p;
}

static void disk_sync(bool keep)
{
	struct pending *p, *older = NULL;

	/* In the order in which they came. */
	while ((p = disk.pending) != NULL) {
		disk.pending = p->next;
		p->next = older;
		older = p;
	}
	while ((p = older) != NULL) {
		older = p->next;
		if (keep)
			disk_durable(p->at, p->bytes, p->n);
		free(p->bytes);
		free(p);
	}
}

static void image_copy(int to)
{
	off_t from = 0;
	static uint8_t buf[1 << 20];

	while (from < disk.size) {
		ssize_t n = pread(disk.durable, buf, sizeof(buf), from);

		CHECK(n > 0);
		disk_put(to, from, buf, (size_t)n);
		from += n;
	}
}

/* Some of this write arrives: none of it, all, or some of its sectors. */
static void image_tear(int to, off_t at, const uint8_t *bytes, size_t n, uint64_t fate)
{
	for (size_t i = 0; i < n; i += SECTOR) {
		size_t sector = n - i < SECTOR ? n - i : SECTOR;

		if (fate == 1 || (fate == 2 && random_below(2)))
			disk_put(to, at + (off_t)i, bytes + i, sector);
	}
}

/* The power fails; `also` (may be NULL) was being written. Then it is back. */
static void disk_cut(const struct pending *also)
{
	struct rig after = { .config = { .limit = LIMIT }, .now = { 1700000000000, 1000 } };
	struct file_report report;
	struct store_stat s;
	char path[128];
	unsigned style = (unsigned)random_below(4);
	int fd;

	(void)snprintf(after.dir, sizeof(after.dir), "/tmp/tarn-XXXXXX");
	CHECK(mkdtemp(after.dir) != NULL);
	after.config.path = after.dir;
	fd = open(rig_file(&after, path, sizeof(path), DB_FILE), O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	image_copy(fd);
	for (const struct pending *p = disk.pending; p; p = p->next)
		image_tear(fd, p->at, p->bytes, p->n, style < 3 ? style : random_below(3));
	/* A meta page's content is within one sector. */
	if (also && random_below(2))
		disk_put(fd, also->at, also->bytes, also->n);
	close(fd);

	rig_open(&after);
	store_stat(after.store, &s);
	if (s.state != STORE_SERVING || s.set_aside)
		fail_msg("cut %u: %s, error %d, set aside %d", disk.points,
			 store_state_name(s.state), s.last_error, (int)s.set_aside);
	for (unsigned i = 0; i < KEYS; i++)
		if (!promise_kept(after.reader, i))
			fail_msg("cut %u: key %u is in no state that it was in", disk.points, i);
	for (int i = 0; i < 4; i++) /* sweeping works, too */
		rig_step(&after, 200);
	rig_close(&after);
	report = file_check_all(after.dir);
	if (report.wrong[0] || report.doomed)
		fail_msg("cut %u: %s, %d doomed", disk.points, report.wrong, (int)report.doomed);
	rig_remove(after.dir);
}

/* At every few calls, so that the cuts are spread over all kinds of moments. */
static void disk_call(const struct pending *also)
{
	if (disk.points >= disk.wanted || random_below(disk.every))
		return;
	disk.points++;
	disk.on = false;
	disk_cut(also);
	disk.on = true;
}

/* Through a descriptor of O_DSYNC (LMDB's for meta pages) a write is durable when it returns. */
static void disk_write(int fd, off_t at, const void *bytes, size_t n)
{
	struct pending also = { .at = at, .n = n, .bytes = (uint8_t *)(uintptr_t)bytes };
	bool durable = fcntl(fd, F_GETFL) & O_DSYNC;

	disk_call(durable ? &also : NULL);
	if (durable)
		disk_durable(at, bytes, n);
	else
		disk_pend(at, bytes, n);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	if (disk_is(fd))
		disk_write(fd, at, buf, n);
	return syscall(SYS_pwrite64, fd, buf, n, at);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	if (disk_is(fd)) {
		off_t at = lseek(fd, 0, SEEK_CUR);

		for (int i = 0; i < n; i++) {
			disk_write(fd, at, iov[i].iov_base, iov[i].iov_len);
			at += (off_t)iov[i].iov_len;
		}
	}
	return syscall(SYS_writev, fd, iov, n);
}

int fdatasync(int fd)
{
	if (disk_is(fd)) {
		disk_call(NULL);
		disk_sync(true);
	}
	return 0;
}

/* ---- the work -------------------------------------------------------------------------------- */

static struct rig rig;

struct work {
	unsigned key, left;
	struct version version;
};

static void answered(void *arg, int rc)
{
	struct work *w = arg;
	struct promise *p = &promises[w->key];

	assert_int_equal(rc, 0);
	if (--w->left)
		return;
	/* The oldest that was begun: work is answered in order. */
	assert_true(p->n > 0 && p->begun[0].seed == w->version.seed);
	p->answered = w->version;
	memmove(p->begun, p->begun + 1, --p->n * sizeof(p->begun[0]));
	free(w);
}

static void put_body(struct work *w, uint64_t id)
{
	for (uint32_t i = 0; i * RIG_CHUNK < w->version.length; i++) {
		uint64_t from = i * RIG_CHUNK, left = w->version.length - from;
		struct chunk *chunk = chunk_new(rig.pool);

		CHECK(chunk != NULL);
		chunk->len = (uint32_t)(left < RIG_CHUNK ? left : RIG_CHUNK);
		body_fill(w->version.seed, from, chunk->data, chunk->len);
		w->left++;
		assert_int_equal(writer_put_chunk(rig.writer, id, i, chunk, answered, w), 0);
		chunk_unref(&chunk);
	}
}

static void begin(unsigned key, uint64_t seed, uint64_t length)
{
	struct work *w = calloc(1, sizeof(*w));
	struct promise *p = &promises[key];
	uint64_t id = store_id_new(rig.store);
	struct lease *lease = lease_new(rig.store, id);
	uint8_t small[OBJECT_RECORD_INLINE];
	char text[16];
	struct cache_key k;
	struct object o;

	CHECK(w != NULL && p->n < BEGUN_MAX);
	key_text(key, text);
	k = key_of(span_of(text));
	w->key = key;
	w->version = (struct version){ seed, length };
	w->left = 1;
	p->begun[p->n++] = w->version;
	o = body_object(text, id, length);
	if (seed && object_fits_inline(&o, length)) {
		body_fill(seed, 0, small, length);
		o.body = span_make(small, length);
	} else if (seed) {
		put_body(w, id);
	}
	assert_int_equal(seed ? writer_put_object(rig.writer, &o, answered, w)
			      : writer_remove(rig.writer, &k, 0, answered, w),
			 0);
	lease_unref(&lease);
}

static void disk_start(void)
{
	char path[128];
	struct stat st;

	rig_file(&rig, path, sizeof(path), DB_FILE);
	assert_int_equal(stat(path, &st), 0);
	disk.dev = st.st_dev;
	disk.ino = st.st_ino;
	disk.durable = open(path, O_RDONLY);
	assert_true(disk.durable >= 0);
	/* What opening wrote is durable: a copy of it is where the platter begins. */
	rig_file(&rig, path, sizeof(path), "platter");
	disk.size = st.st_size;
	{
		int to = open(path, O_RDWR | O_CREAT, 0600);

		assert_true(to >= 0);
		image_copy(to);
		close(disk.durable);
		disk.durable = to;
	}
	disk.on = true;
}

static void what_was_promised_survives(void **state)
{
	const char *points = getenv("POWER_POINTS"), *seed_text = getenv("POWER_SEED");
	uint64_t version = 1;

	(void)state;
	random_state = seed_text ? strtoull(seed_text, NULL, 0) : clock_mono_ns();
	print_message("# seed %llu\n", (unsigned long long)random_state);
	disk.wanted = points ? (unsigned)strtoul(points, NULL, 10) : 300;
	disk.every = 7;
	rig_new(&rig, LIMIT);
	disk_start();
	while (disk.points < disk.wanted) {
		for (uint64_t i = random_below(6); i < 8; i++) {
			uint64_t length =
				random_below(3) ? random_below(20000) : random_below(3 * RIG_CHUNK);

			if (random_below(5))
				begin((unsigned)random_below(KEYS), version++, length);
			else
				begin((unsigned)random_below(KEYS), 0, 0);
		}
		assert_int_equal(rig_commit(&rig), 0);
		rig_step(&rig, 200);
	}
	disk.on = false;
	disk_sync(false);
	close(disk.durable);
	print_message("# %u cuts, %llu versions\n", disk.points, (unsigned long long)version);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_promised_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
