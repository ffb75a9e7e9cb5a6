/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the origin and the clients of `stress` both know: which objects there are, and each byte of each version.
 */
#ifndef TESTS_TOOLS_STRESS_H
#define TESTS_TOOLS_STRESS_H

#include <stdatomic.h>

#include "tests/tools/raw.h"

#define OBJECTS	     72
#define VARIANTS     3 /* of an object with Vary */
#define VERSIONS_MAX 60000

enum caching {
	LONG,
	SHORT,
	REVALIDATE,
	NO_STORE,
	UNTAGGED,
	DATED,
	VARYING,
	CACHINGS
};
enum frame {
	LENGTH,
	CHUNKED,
	CLOSE,
	FRAMES
};

struct thing {
	uint64_t size;
	enum caching caching;
	enum frame frame;
	atomic_uint version; /* now; all from 1 on have been */
};

static struct thing things[OBJECTS];
static uint64_t seed;
static atomic_bool calm; /* the origin does nothing bad any more */

/* A generator of one thread (splitmix64). */
struct dice {
	uint64_t state;
};

static inline uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static inline uint64_t dice_roll(struct dice *d, uint64_t sides)
{
	d->state += 0x9e3779b97f4a7c15u;
	return mix(d->state) % sides;
}

static inline bool dice_chance(struct dice *d, unsigned percent)
{
	return dice_roll(d, 100) < percent;
}

/* ---- content ------------------------------------------------------------------------------------- */

static inline uint64_t thing_key(unsigned id, unsigned variant, unsigned version)
{
	return mix(seed ^ mix(((uint64_t)id << 40) | ((uint64_t)variant << 32) | version));
}

static inline uint64_t thing_size(unsigned id, unsigned variant, unsigned version)
{
	uint64_t size = things[id].size;

	return size < 2 ? size : size + (mix(thing_key(id, variant, version)) & 63);
}

/* Bytes [at, at + n) of what `key` stands for. */
static inline void thing_bytes(uint64_t key, uint64_t at, char *to, size_t n)
{
	while (n) {
		uint64_t word = mix(key + at / 8);
		size_t skip = at % 8, take = 8 - skip < n ? 8 - skip : n;

		memcpy(to, (char *)&word + skip, take);
		to += take;
		at += take;
		n -= take;
	}
}

static inline bool thing_equal(uint64_t key, uint64_t at, const char *p, size_t n)
{
	char want[16384];

	while (n) {
		size_t part = n < sizeof(want) ? n : sizeof(want);

		thing_bytes(key, at, want, part);
		if (memcmp(want, p, part) != 0)
			return false;
		at += part;
		p += part;
		n -= part;
	}
	return true;
}

static inline void things_make(void)
{
	static const uint64_t sizes[] = { 0,	  1,	  300,	  1400,	  1600,	   4096,   70000,
					  262064, 262128, 300000, 524256, 1000000, 3000000 };
	struct dice d = { mix(seed) };

	for (unsigned i = 0; i < OBJECTS; i++) {
		struct thing *t = &things[i];

		t->size = i % 24 == 23 ? (uint64_t)(8 + 6 * (i / 24)) << 20
				       : sizes[dice_roll(&d, sizeof(sizes) / sizeof(*sizes))];
		t->caching = (enum caching)dice_roll(&d, CACHINGS);
		t->frame = dice_chance(&d, 60) ? LENGTH : (enum frame)dice_roll(&d, FRAMES);
		atomic_init(&t->version, 1);
	}
}

/* ---- counts -------------------------------------------------------------------------------------- */

/* X(name): what happened, in both halves together */
/* clang-format off */
#define COUNTS(X) \
	X(asked) X(whole) X(part) X(not_modified) X(failed) X(cut) X(left) X(posted) X(wrong) \
	X(origin_requests) X(origin_deaths) X(origin_stalls) X(origin_errors) X(origin_lies)
/* clang-format on */

#define X(name) static atomic_ulong count_##name;
COUNTS(X)
#undef X

#define COUNT(name) atomic_fetch_add_explicit(&count_##name, 1, memory_order_relaxed)

/* ---- one side of a connection ---------------------------------------------------------------------- */

struct wire {
	int fd;
	char buf[65536];
	size_t at, n;
	bool reset; /* the end was no clean one */
};

/* More bytes: 1; 0: the end; -1: nothing within `ms`. */
static inline int wire_more(struct wire *w, int ms)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	ssize_t n;

	if (w->at == w->n)
		w->at = w->n = 0;
	if (w->n == sizeof(w->buf)) {
		memmove(w->buf, w->buf + w->at, w->n - w->at);
		w->n -= w->at;
		w->at = 0;
	}
	if (w->n == sizeof(w->buf))
		return 0;
	if (poll(&p, 1, ms) <= 0)
		return -1;
	n = recv(w->fd, w->buf + w->n, sizeof(w->buf) - w->n, 0);
	w->reset = n < 0;
	if (n <= 0)
		return 0;
	w->n += (size_t)n;
	return 1;
}

/* A head into `head`, its lines ended by \n: 1, or as wire_more(). */
static inline int wire_head(struct wire *w, char *head, size_t size, int ms)
{
	for (;;) {
		char *end = memmem(w->buf + w->at, w->n - w->at, "\r\n\r\n", 4);

		if (end) {
			size_t n = (size_t)(end + 4 - (w->buf + w->at));

			if (n >= size)
				return 0;
			memcpy(head, w->buf + w->at, n);
			head[n] = 0;
			w->at += n;
			return 1;
		}
		int rc = wire_more(w, ms);

		if (rc <= 0)
			return rc;
	}
}

/* A field's value into `value`; false: there is none. */
static inline bool head_field(const char *head, const char *name, char *value, size_t size)
{
	char start[64];
	const char *at, *end;

	(void)snprintf(start, sizeof(start), "\r\n%s: ", name);
	at = strcasestr(head, start);
	if (!at)
		return false;
	at += strlen(start);
	end = strstr(at, "\r\n");
	(void)snprintf(value, size, "%.*s", (int)(end - at), at);
	return true;
}

static inline void wire_reset(int fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static inline void nap(unsigned ms)
{
	(void)poll(NULL, 0, (int)ms);
}

#endif
