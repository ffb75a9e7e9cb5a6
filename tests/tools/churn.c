/* SPDX-License-Identifier: Apache-2.0 */
/*
 * churn [MIB [TURNOVERS [LARGEST_MIB]]] - a year of a full store, made short.
 *
 * Objects of heavy-tailed sizes (1 KiB to 512 MiB, or LARGEST_MIB) go into a store of MIB until it has been written
 * over so many times; a third replaces older ones, some are read, so that eviction has to choose. After each commit
 * the file must be within the limit. At the end the whole file is looked over. Prints TAP and the figures:
 * the file, how long commits took (also early against late: searching for free pages must not get slower), what
 * padding cost, how often the map had no run that fits.
 */
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/cache/file.h"
#include "tests/unit/cache/rig.h"

#define OF_MIB(bytes) ((unsigned long long)(bytes) >> 20)

static uint64_t random_state = 42;

static uint64_t random_next(void)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Each doubling from 1 KiB up to `most` is a little over half as likely as the one before. */
static uint64_t random_size(uint64_t most)
{
	uint64_t size = 1024;

	while (size < most && random_next() % 100 < 62)
		size *= 2;
	size = size / 2 + random_next() % size;
	return size < most ? size : most;
}

/* What a commit took, in microseconds. Of the processor's time what the disk and others do is no part. */
struct took {
	uint32_t wall, cpu;
};

struct churn {
	struct rig rig;
	uint64_t limit, most; /* bytes */
	uint64_t turnovers;
	unsigned objects; /* put so far */
	uint64_t written;
	uint64_t live_most, file_most;
	uint64_t refused;  /* pieces of work that were answered with an error */
	struct took *took; /* of each commit */
	size_t n, size;
};

static struct store_stat stat_of(struct churn *c)
{
	struct store_stat s;

	store_stat(c->rig.store, &s);
	return s;
}

static void answered(void *arg, int rc)
{
	struct churn *c = arg;

	c->refused += rc != 0 && rc != -ESTALE;
}

/* ---- the work -------------------------------------------------------------------------------- */

static uint64_t cpu_us(void)
{
	struct timespec t;

	CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void commit(struct churn *c)
{
	uint64_t began = clock_mono_ns(), cpu = cpu_us();
	struct stat file;
	char path[128];

	(void)!rig_commit(&c->rig);
	if (c->n == c->size) {
		c->size = c->size ? 2 * c->size : 1024;
		c->took = realloc(c->took, c->size * sizeof(*c->took));
		CHECK(c->took != NULL);
	}
	c->took[c->n++] = (struct took){ (uint32_t)((clock_mono_ns() - began) / 1000),
					 (uint32_t)(cpu_us() - cpu) };
	rig_step(&c->rig, 200);
	CHECK_OK(stat(rig_file(&c->rig, path, sizeof(path), DB_FILE), &file));
	if ((uint64_t)file.st_size > c->file_most)
		c->file_most = (uint64_t)file.st_size;
	if (stat_of(c).live > c->live_most)
		c->live_most = stat_of(c).live;
}

/* In parts of a batch, so that the writer's queue stays as short as a flight keeps it. */
static void put(struct churn *c, const char *key, uint64_t size)
{
	uint64_t id = store_id_new(c->rig.store), queued = 0;
	struct object o = body_object(key, id, size);
	struct lease *lease = lease_new(c->rig.store, id);

	CHECK(lease != NULL);
	for (uint32_t i = 0; i * RIG_CHUNK < size; i++) {
		struct chunk *chunk = chunk_new(c->rig.pool);
		uint64_t left = size - i * RIG_CHUNK;

		CHECK(chunk != NULL);
		chunk->len = (uint32_t)(left < RIG_CHUNK ? left : RIG_CHUNK);
		body_fill(c->objects, i * RIG_CHUNK, chunk->data, chunk->len);
		c->refused += writer_put_chunk(c->rig.writer, id, i, chunk, answered, c) != 0;
		queued += chunk->len;
		chunk_unref(&chunk);
		if (queued < c->limit / 64)
			continue;
		queued = 0;
		commit(c);
	}
	c->refused += writer_put_object(c->rig.writer, &o, answered, c) != 0;
	lease_unref(&lease);
	c->objects++;
	c->written += size;
}

static void read_some(struct churn *c)
{
	for (int i = 0; i < 3; i++) {
		struct stored *stored;
		struct cache_key k;
		char key[32];

		(void)snprintf(key, sizeof(key), "c %llu",
			       (unsigned long long)(random_next() % c->objects));
		k = key_of(span_of(key));
		if (store_lookup(c->rig.reader, &k, &stored) == 0)
			stored_free(&stored);
	}
}

static void churn(struct churn *c)
{
	uint64_t queued = 0, turns = 0;

	while (c->written < (c->turnovers + 1) * c->limit) {
		uint64_t size = random_size(c->most);
		char key[32];

		(void)snprintf(key, sizeof(key), "c %llu",
			       (unsigned long long)(random_next() % 3
							    ? c->objects
							    : random_next() % (c->objects + 1)));
		put(c, key, size);
		read_some(c);
		queued += size;
		if (queued < c->limit / 64)
			continue;
		queued = 0;
		commit(c);
		if (c->written / c->limit == turns)
			continue;
		turns = c->written / c->limit;
		printf("# written %llu times: file %llu MiB, live %llu MiB\n",
		       (unsigned long long)turns, OF_MIB(stat_of(c).file), OF_MIB(stat_of(c).live));
		(void)fflush(stdout);
	}
	commit(c);
}

/* ---- the result ------------------------------------------------------------------------------ */

static int compare_us(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How much longer the last quarter of them took than the second. */
static double grown(const uint32_t *us, size_t n)
{
	uint64_t early = 0, late = 0;

	for (size_t i = 0; i < n / 4; i++) {
		early += us[n / 4 + i];
		late += us[n - 1 - i];
	}
	return (double)late / (double)(early ? early : 1);
}

static double times_of(const char *what, uint32_t *us, size_t n)
{
	double growth = grown(us, n);

	qsort(us, n, sizeof(*us), compare_us);
	printf("# %s of a commit: median %.1f ms, p99.9 %.1f ms, worst %.1f ms; last quarter / "
	       "second "
	       "quarter %.2f\n",
	       what, us[n / 2] / 1000.0, us[n - 1 - n / 1000] / 1000.0, us[n - 1] / 1000.0, growth);
	return growth;
}

static void times_report(const struct churn *c)
{
	uint32_t *us = calloc(c->n, sizeof(*us));

	CHECK(us != NULL);
	printf("# commits: %zu\n", c->n);
	for (size_t i = 0; i < c->n; i++)
		us[i] = c->took[i].wall;
	(void)times_of("time", us, c->n);
	for (size_t i = 0; i < c->n; i++)
		us[i] = c->took[i].cpu;
	(void)times_of("processor's time", us, c->n);
	free(us);
}

static void sizes_report(const struct churn *c, const struct store_stat *s)
{
	printf("# %llu MiB in %u objects of up to %llu MiB written into a limit of %llu MiB\n",
	       OF_MIB(c->written), c->objects, OF_MIB(c->most), OF_MIB(c->limit));
	printf("# file at most %.3f of the limit, live at most %.3f; padding %.2f %% of the bytes "
	       "written; "
	       "map full %llu times\n",
	       (double)c->file_most / (double)c->limit, (double)c->live_most / (double)c->limit,
	       100.0 * (double)s->padding / (double)c->written, (unsigned long long)s->map_full);
}

static int result(unsigned number, bool ok, const char *text)
{
	printf("%sok %u - %s\n", ok ? "" : "not ", number, text);
	return !ok;
}

static uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
	return argc > i ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	struct churn c = { .limit = argument(argc, argv, 1, 256) << 20,
			   .turnovers = argument(argc, argv, 2, 2) };
	struct file_report report;
	struct store_stat s;
	int failed = 0;

	c.most = argument(argc, argv, 3, 512) << 20;
	if (c.most > c.limit / 8)
		c.most = c.limit / 8;
	rig_new(&c.rig, c.limit);
	churn(&c);
	s = stat_of(&c);
	rig_close(&c.rig);
	report = file_check_all(c.rig.dir);
	sizes_report(&c, &s);
	times_report(&c);
	printf("1..4\n");
	failed += result(1, c.file_most <= c.limit, "the file stays within the limit");
	failed += result(2, c.refused == 0 && s.commit_errors == 0, "nothing is refused");
	failed += result(3, s.live > c.limit / 2, "and it is well filled");
	if (report.wrong[0])
		printf("# %s\n", report.wrong);
	failed += result(4, !report.wrong[0], "the file has no contradiction");
	free(c.took);
	rig_free(&c.rig);
	return failed != 0;
}
