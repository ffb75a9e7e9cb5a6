/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eviction [PICTURE] - how much of a fleet's update traffic a full store answers: Tarn's eviction (the marks of
 * cache/evict.h, a hand as that of cache/room.c), SIEVE as it was published, LRU, and one that knows the future, for stores
 * of several sizes. Prints a table (Markdown), writes PICTURE (SVG): the mean over fleets of several seeds. Nothing else is
 * random: each run prints the same.
 *
 * The traffic, two weeks of it:
 *	databases	300 files of 1 KiB to 16 MiB, evenly many of each doubling, of some 270 MB in all
 *	generations	each hour the vendor has a new one: an index of 2 KiB, and 3 to 18 of the databases anew, some of
 *			them far more often than others. For each there is a whole file, and one with the difference
 *			to the version before, of 1 KiB to 512 KiB, mostly small
 *	devices		300, each with a minute of its own in which it asks hourly for the index and for the differences
 *			that it lacks, or for the whole file where it is more than 8 versions behind. A third is off
 *			from 20:00 to 06:00 and catches up then; each day 2 % go away for one to four days
 *	installs	about once a day a device is installed: all databases, whole, one after the other
 *
 * And traffic of another kind, on which nothing was fitted, a mirror of packages: 1000 files of 1 KiB to 16 MiB, asked for
 * by Zipf's law (the r-th most popular 1/r as often as the first); after each 50 requests one of them, any, is replaced by a
 * new release; after each 4000 somebody reads a third of all, in order. 60,000 requests.
 *
 * The one that knows the future evicts what is asked for latest, and takes nothing in that is asked for later than all that
 * it has. With files of one size nothing is better (Belady 1966); with several sizes it is close to the best, not the best.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cache/evict.h"
#include "firmware/base/check.h"

#define HOURS		 (14 * 24)
#define DEVICES		 300
#define DATABASES	 300
#define STEPS_MAX	 8 /* differences in a row */
#define PACKAGES	 1000
#define PACKAGE_REQUESTS 60000
#define NEVER		 UINT32_MAX
#define SIZES_N		 6
#define SEEDS		 8
#define MIB(n)		 ((double)(n) / (1 << 20))

static uint64_t random_state;

static uint64_t random_next(void)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t random_below(uint64_t n)
{
	return random_next() % n;
}

/* Each doubling from 1 KiB on comes with this probability, in per cent. */
static uint64_t random_size(uint64_t most, unsigned more)
{
	uint64_t size = 1024;

	while (size < most && random_below(100) < more)
		size *= 2;
	size = size / 2 + random_below(size);
	return size < most ? size : most;
}

/* ---- the traffic ----------------------------------------------------------------------------- */

struct database {
	uint32_t version;
	uint32_t whole[HOURS + 1], difference[HOURS + 1]; /* files, of each version */
};

struct device {
	uint32_t minute;
	uint32_t has[DATABASES]; /* versions */
	bool sleeps;
	uint32_t away_until; /* hour */
};

struct trace {
	struct database database[DATABASES];
	struct device device[DEVICES];
	uint32_t index; /* the file that it is now */
	uint64_t *sizes;
	uint32_t files_n, files_room;
	uint32_t *asked; /* files, in the order of the requests */
	uint32_t *next;	 /* for each request: that of the same file after it, or NEVER */
	uint32_t n, room;
};

static void *grow(void *p, uint32_t n, uint32_t *room, size_t each)
{
	if (n < *room)
		return p;
	*room = *room ? 2 * *room : 4096;
	p = realloc(p, *room * each);
	CHECK(p != NULL);
	return p;
}

static uint32_t file_add(struct trace *t, uint64_t size)
{
	t->sizes = grow(t->sizes, t->files_n, &t->files_room, sizeof(*t->sizes));
	t->sizes[t->files_n] = size;
	return t->files_n++;
}

static void ask(struct trace *t, uint32_t file)
{
	t->asked = grow(t->asked, t->n, &t->room, sizeof(*t->asked));
	t->asked[t->n++] = file;
}

static void databases_make(struct trace *t)
{
	for (int i = 0; i < DATABASES; i++)
		t->database[i].whole[0] = file_add(t, random_size(16 << 20, 79));
}

static void generation_make(struct trace *t)
{
	uint64_t n = 3 + random_below(16);

	t->index = file_add(t, 2048);
	while (n--) {
		/* The square of a random number: the first of them most often. */
		uint64_t r = random_below(1000);
		struct database *d = &t->database[r * r * DATABASES / 1000000];

		if (d->version == HOURS)
			continue;
		d->version++;
		d->whole[d->version] = file_add(t, t->sizes[d->whole[d->version - 1]]);
		d->difference[d->version] = file_add(t, random_size(512 << 10, 62));
	}
}

static void device_updates(struct trace *t, struct device *device)
{
	ask(t, t->index);
	for (int i = 0; i < DATABASES; i++) {
		const struct database *d = &t->database[i];
		uint32_t has = device->has[i];

		device->has[i] = d->version;
		if (d->version - has > STEPS_MAX)
			ask(t, d->whole[d->version]);
		else
			while (has < d->version)
				ask(t, d->difference[++has]);
	}
}

static void install(struct trace *t)
{
	ask(t, t->index);
	for (int i = 0; i < DATABASES; i++)
		ask(t, t->database[i].whole[t->database[i].version]);
}

static bool is_on(struct device *d, uint32_t hour)
{
	if (hour % 24 == 0 && random_below(100) < 2)
		d->away_until = hour + 24 * (1 + (uint32_t)random_below(4));
	return hour >= d->away_until && !(d->sleeps && (hour % 24 >= 20 || hour % 24 < 6));
}

static void hour_pass(struct trace *t, uint32_t hour)
{
	uint32_t install_at = random_below(24) ? NEVER : (uint32_t)random_below(60);

	generation_make(t);
	for (uint32_t minute = 0; minute < 60; minute++) {
		for (int i = 0; i < DEVICES; i++)
			if (t->device[i].minute == minute && is_on(&t->device[i], hour))
				device_updates(t, &t->device[i]);
		if (minute == install_at)
			install(t);
	}
}

static void requests_make(struct trace *t)
{
	for (int i = 0; i < DEVICES; i++) {
		t->device[i].minute = (uint32_t)random_below(60);
		t->device[i].sleeps = random_below(3) == 0;
	}
	for (uint32_t hour = 0; hour < HOURS; hour++)
		hour_pass(t, hour);
}

static void fleet_make(struct trace *t)
{
	databases_make(t);
	requests_make(t);
}

/* ---- the traffic of a mirror ----------------------------------------------------------------- */

/* By Zipf's law: weights[] are sums of 1/1, 1/2, 1/3 ... */
static uint32_t rank_pick(const double *weights)
{
	double at = (double)random_below(UINT32_MAX) / UINT32_MAX * weights[PACKAGES - 1];
	uint32_t low = 0, high = PACKAGES - 1;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (weights[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void mirror_make(struct trace *t)
{
	uint32_t files[PACKAGES];
	double weights[PACKAGES], sum = 0;

	for (uint32_t i = 0; i < PACKAGES; i++) {
		weights[i] = sum += 1.0 / (i + 1);
		files[i] = file_add(t, random_size(16 << 20, 79));
	}
	for (uint32_t n = 1; n <= PACKAGE_REQUESTS; n++) {
		ask(t, files[rank_pick(weights)]);
		if (n % 50 == 0) {
			uint32_t i = (uint32_t)random_below(PACKAGES);

			files[i] = file_add(t, t->sizes[files[i]]);
		}
		for (uint32_t i = 0, at = (uint32_t)random_below(PACKAGES);
		     n % 4000 == 0 && i < PACKAGES / 3; i++)
			ask(t, files[(at + i) % PACKAGES]);
	}
}

static void nexts_find(struct trace *t)
{
	uint32_t *last = malloc(t->files_n * sizeof(*last));

	t->next = malloc(t->n * sizeof(*t->next));
	CHECK(last && t->next);
	memset(last, 0xff, t->files_n * sizeof(*last));
	for (uint32_t i = t->n; i-- > 0;) {
		t->next[i] = last[t->asked[i]];
		last[t->asked[i]] = i;
	}
	free(last);
}

/* ---- stores ---------------------------------------------------------------------------------- */

struct item {
	TAILQ_ENTRY(item) link;
	uint64_t id; /* in the order in which they came */
	uint32_t file;
	uint32_t next; /* request */
	bool in;
};

TAILQ_HEAD(items, item);

struct cache {
	const struct trace *t;
	struct item *items; /* one a file */
	struct items list;  /* the oldest first */
	uint64_t limit, used, last_id;
	struct evict_marks *marks;
	struct item *hand;
	uint32_t items_n, passed; /* by the hand in this round */
	uint64_t *heap;		  /* of the future's: when it is asked for next, and the file */
	uint32_t heap_n;
};

static void leave(struct cache *c, struct item *item)
{
	if (c->hand == item)
		c->hand = TAILQ_NEXT(item, link);
	TAILQ_REMOVE(&c->list, item, link);
	item->in = false;
	c->items_n--;
	c->used -= c->t->sizes[item->file];
}

/* The object at the hand goes, if it has no mark. */
static void evict_at_hand(struct cache *c, bool turns_back)
{
	for (;;) {
		struct item *item;

		if (!c->hand || (turns_back && c->passed >= c->items_n - c->items_n / 4)) {
			c->hand = TAILQ_FIRST(&c->list);
			c->passed = 0;
		}
		item = c->hand;
		c->hand = TAILQ_NEXT(item, link);
		if (!evict_mark_clear(c->marks, item->id)) {
			leave(c, item);
			return;
		}
		c->passed++;
	}
}

static void evict_tarn(struct cache *c)
{
	evict_at_hand(c, true);
}

static void evict_sieve(struct cache *c)
{
	evict_at_hand(c, false);
}

static void evict_oldest(struct cache *c)
{
	leave(c, TAILQ_FIRST(&c->list));
}

static void hit_mark(struct cache *c, struct item *item)
{
	evict_mark(c->marks, item->id);
}

static void hit_lru(struct cache *c, struct item *item)
{
	TAILQ_REMOVE(&c->list, item, link);
	TAILQ_INSERT_TAIL(&c->list, item, link);
}

/* A heap with the latest on top; entries that are not true any more stay until they come up. */
static void heap_push(struct cache *c, const struct item *item)
{
	uint64_t entry = (uint64_t)item->next << 32 | item->file;
	uint32_t i = c->heap_n++;

	for (; i && c->heap[(i - 1) / 2] < entry; i = (i - 1) / 2)
		c->heap[i] = c->heap[(i - 1) / 2];
	c->heap[i] = entry;
}

static void heap_pop(struct cache *c)
{
	uint64_t entry = c->heap[--c->heap_n];
	uint32_t i = 0, child;

	for (; (child = 2 * i + 1) < c->heap_n; i = child) {
		if (child + 1 < c->heap_n && c->heap[child + 1] > c->heap[child])
			child++;
		if (c->heap[child] <= entry)
			break;
		c->heap[i] = c->heap[child];
	}
	c->heap[i] = entry;
}

static void evict_latest(struct cache *c)
{
	for (;;) {
		uint64_t top = c->heap[0];
		struct item *item = &c->items[(uint32_t)top];

		heap_pop(c);
		if (!item->in || item->next != top >> 32)
			continue;
		leave(c, item);
		return;
	}
}

static void hit_future(struct cache *c, struct item *item)
{
	heap_push(c, item);
}

static const struct rule {
	const char *name, *colour;
	void (*hit)(struct cache *c, struct item *item);
	void (*evict)(struct cache *c);
} rules[] = {
	{ "knows the future", "#bbb", hit_future, evict_latest },
	{ "Tarn", "#0a7", hit_mark, evict_tarn },
	{ "SIEVE", "#c84", hit_mark, evict_sieve },
	{ "LRU", "#47b", hit_lru, evict_oldest },
};

struct result {
	double objects, bytes; /* parts of what was asked for */
};

static void enter(struct cache *c, const struct rule *rule, struct item *item)
{
	item->in = true;
	c->items_n++;
	item->id = ++c->last_id;
	TAILQ_INSERT_TAIL(&c->list, item, link);
	c->used += c->t->sizes[item->file];
	if (rule->hit == hit_future)
		hit_future(c, item);
	while (c->used > c->limit)
		rule->evict(c);
}

static struct result run(const struct trace *t, const struct rule *rule, uint64_t limit)
{
	struct cache c = { .t = t, .limit = limit };
	uint64_t hits = 0, hit_bytes = 0, bytes = 0;

	TAILQ_INIT(&c.list);
	c.items = calloc(t->files_n, sizeof(*c.items));
	c.heap = malloc((t->n + 1) * sizeof(*c.heap));
	CHECK(c.items && c.heap);
	CHECK_OK(evict_marks_new(&c.marks));
	for (uint32_t i = 0; i < t->n; i++) {
		struct item *item = &c.items[t->asked[i]];
		uint64_t size = t->sizes[t->asked[i]];

		item->file = t->asked[i];
		item->next = t->next[i];
		bytes += size;
		if (item->in) {
			hits++;
			hit_bytes += size;
			rule->hit(&c, item);
		} else if (size <= limit / 2) {
			enter(&c, rule, item);
		}
	}
	evict_marks_free(&c.marks);
	free(c.items);
	free(c.heap);
	return (struct result){ (double)hits / t->n, (double)hit_bytes / (double)bytes };
}

/* ---- the result ------------------------------------------------------------------------------ */

static const unsigned mib[SIZES_N] = { 32, 64, 128, 256, 512, 1024 };

static void table_print(struct result result[][ARRAY_LEN(rules)])
{
	printf("| store |");
	for (size_t r = 0; r < ARRAY_LEN(rules); r++)
		printf(" %s |", rules[r].name);
	printf("\n|---|---|---|---|---|\n");
	for (int s = 0; s < SIZES_N; s++) {
		printf("| %u MiB |", mib[s]);
		for (size_t r = 0; r < ARRAY_LEN(rules); r++)
			printf(" %.2f (%.2f) |", 100 * result[s][r].bytes,
			       100 * result[s][r].objects);
		printf("\n");
	}
}

/* What still has to come from the vendor, as bars. */
static int picture_write(const char *path, struct result result[][ARRAY_LEN(rules)])
{
	FILE *f = fopen(path, "w");
	int y = 34;

	if (!f)
		return -1;
	fprintf(f,
		"<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"740\" height=\"%d\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"740\" height=\"%d\" fill=\"#fff\"/>\n"
		"<text x=\"8\" y=\"22\" font-size=\"14\">Bytes that still come from the vendor, in "
		"per cent of what devices ask for (shorter is better)</text>\n",
		44 + SIZES_N * ((int)ARRAY_LEN(rules) * 16 + 26),
		44 + SIZES_N * ((int)ARRAY_LEN(rules) * 16 + 26));
	for (int s = 0; s < SIZES_N; s++) {
		y += 18;
		fprintf(f, "<text x=\"8\" y=\"%d\" font-weight=\"bold\">store of %u MiB</text>\n",
			y, mib[s]);
		y += 8;
		for (size_t r = 0; r < ARRAY_LEN(rules); r++, y += 16) {
			double miss = 100 * (1 - result[s][r].bytes);

			fprintf(f,
				"<text x=\"120\" y=\"%d\" text-anchor=\"end\">%s</text>"
				"<rect x=\"128\" y=\"%d\" width=\"%.1f\" height=\"12\" "
				"fill=\"%s\"/>"
				"<text x=\"%.1f\" y=\"%d\">%.2f</text>\n",
				y + 10, rules[r].name, y, miss * 20, rules[r].colour,
				134 + miss * 20, y + 10, miss);
		}
	}
	fprintf(f, "</svg>\n");
	return fclose(f);
}

/* One fleet's fortnight, or one mirror's requests, for each size and rule. */
static void traffic_run(void (*make)(struct trace *), uint64_t seed,
			struct result result[][ARRAY_LEN(rules)], double *asked, double *different)
{
	struct trace *t = calloc(1, sizeof(*t));

	CHECK(t != NULL);
	random_state = seed;
	make(t);
	nexts_find(t);
	for (uint32_t i = 0; i < t->n; i++) {
		*asked += MIB(t->sizes[t->asked[i]]) / SEEDS;
		*different += t->next[i] == NEVER ? MIB(t->sizes[t->asked[i]]) / SEEDS : 0;
	}
	for (int s = 0; s < SIZES_N; s++) {
		for (size_t r = 0; r < ARRAY_LEN(rules); r++) {
			struct result one = run(t, &rules[r], (uint64_t)mib[s] << 20);

			result[s][r].objects += one.objects / SEEDS;
			result[s][r].bytes += one.bytes / SEEDS;
		}
	}
	free(t->sizes);
	free(t->asked);
	free(t->next);
	free(t);
}

int main(int argc, char **argv)
{
	struct result result[SIZES_N][ARRAY_LEN(rules)] = { 0 };
	struct result mirror[SIZES_N][ARRAY_LEN(rules)] = { 0 };
	double asked = 0, different = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		traffic_run(fleet_make, seed, result, &asked, &different);
	printf("%d fleets of %d devices in %d hours, each asks for %.0f MiB of which %.0f MiB are "
	       "different: per cent of the bytes, in brackets of the requests, that the store "
	       "answers\n\n",
	       SEEDS, DEVICES, HOURS, asked, different);
	table_print(result);
	asked = different = 0;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		traffic_run(mirror_make, seed, mirror, &asked, &different);
	printf("\n%d mirrors of %d packages, each is asked for %.0f MiB of which %.0f MiB are "
	       "different:\n\n",
	       SEEDS, PACKAGES, asked, different);
	table_print(mirror);
	if (argc > 1 && picture_write(argv[1], result) != 0) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
