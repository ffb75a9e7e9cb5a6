/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin of `stress`: a thread for each connection. It knows HTTP well and behaves badly at random: see mood().
 */
#ifndef TESTS_TOOLS_STRESS_ORIGIN_H
#define TESTS_TOOLS_STRESS_ORIGIN_H

#include <pthread.h>

#include "tests/tools/stress.h"

struct origin {
	struct wire wire;
	struct dice dice;
	char head[16384];
	char out[65536];
};

enum mood {
	FINE,
	SLOW,	 /* small pieces, pauses */
	DEAD,	 /* ends in the middle, cleanly */
	RESET,	 /* ... or not */
	SILENT,	 /* closes without a word */
	STALLED, /* stops for longer than upstream.idle_timeout */
	ERROR,	 /* 500 or 503 */
	LIAR,	 /* 206 of another version than was asked for; bytes behind the end */
};

static enum mood mood(struct dice *d)
{
	unsigned n = (unsigned)dice_roll(d, 100);

	if (atomic_load(&calm))
		return FINE;
	return n < 72	? FINE
	       : n < 82 ? SLOW
	       : n < 87 ? DEAD
	       : n < 90 ? RESET
	       : n < 92 ? SILENT
	       : n < 93 ? STALLED
	       : n < 96 ? ERROR
			: LIAR;
}

struct answer {
	unsigned id, variant, version;
	uint64_t from, to, size; /* bytes [from, to) of size */
	unsigned status;
	enum frame frame;
	enum mood mood;
	bool head_only;
};

/* ---- what is asked ------------------------------------------------------------------------------- */

/* "o12v3" of an entity tag. */
static bool tag_is(const char *text, const struct answer *a)
{
	char tag[64];

	(void)snprintf(tag, sizeof(tag), "\"o%u.%uv%u\"", a->id, a->variant, a->version);
	return strstr(text, tag) != NULL;
}

static void range_take(struct origin *o, struct answer *a)
{
	char range[128], condition[128];
	unsigned long long first, last;
	int n;

	if (a->status != 200 || !head_field(o->head, "Range", range, sizeof(range)))
		return;
	if (head_field(o->head, "If-Range", condition, sizeof(condition))) {
		if (a->mood == LIAR && a->size > 2) {
			COUNT(origin_lies);
			a->version = atomic_fetch_add(&things[a->id].version, 1) + 1;
			a->size = a->to = thing_size(a->id, a->variant, a->version);
		} else if (!tag_is(condition, a)) {
			return;
		}
	}
	if (dice_chance(&o->dice, 5))
		return; /* a server may ignore it */
	n = sscanf(range, "bytes=%llu-%llu", &first, &last);
	if (n < 1 || strchr(range, ','))
		return;
	if (first >= a->size) {
		a->status = 416;
		a->from = a->to = 0;
		return;
	}
	a->status = 206;
	a->from = first;
	a->to = n == 2 && last + 1 < a->size ? last + 1 : a->size;
}

static void conditions_take(struct origin *o, struct answer *a)
{
	char tags[512];

	if (things[a->id].caching == UNTAGGED || things[a->id].caching == DATED)
		return;
	if (head_field(o->head, "If-None-Match", tags, sizeof(tags)) && tag_is(tags, a))
		a->status = 304;
}

static void variant_take(struct origin *o, struct answer *a)
{
	char which[16];

	if (things[a->id].caching == VARYING &&
	    head_field(o->head, "X-Which", which, sizeof(which)))
		a->variant = (unsigned)atoi(which) % VARIANTS;
}

/* ---- the answer ---------------------------------------------------------------------------------- */

static int head_write(const struct answer *a, char *to, size_t size)
{
	static const char *const control[CACHINGS] = {
		[LONG] = "max-age=60",	 [SHORT] = "max-age=1",	   [REVALIDATE] = "no-cache",
		[NO_STORE] = "no-store", [UNTAGGED] = "max-age=5", [DATED] = "max-age=2",
		[VARYING] = "max-age=4",
	};
	enum caching caching = things[a->id].caching;
	int n = snprintf(to, size, "HTTP/1.1 %u Said\r\nCache-Control: %s\r\n", a->status,
			 control[caching]);

	if (caching == VARYING)
		n += snprintf(to + n, size - (size_t)n, "Vary: X-Which\r\n");
	if (caching == DATED)
		n += snprintf(to + n, size - (size_t)n,
			      "Last-Modified: Thu, 01 Jan 2026 00:%02u:%02u GMT\r\n",
			      a->version / 60 % 60, a->version % 60);
	else if (caching != UNTAGGED)
		n += snprintf(to + n, size - (size_t)n, "ETag: \"o%u.%uv%u\"\r\n", a->id,
			      a->variant, a->version);
	if (a->status == 206)
		n += snprintf(to + n, size - (size_t)n, "Content-Range: bytes %ju-%ju/%ju\r\n",
			      (uintmax_t)a->from, (uintmax_t)a->to - 1, (uintmax_t)a->size);
	if (a->status == 304)
		return n + snprintf(to + n, size - (size_t)n, "\r\n");
	if (a->status == 416)
		n += snprintf(to + n, size - (size_t)n, "Content-Range: bytes */%ju\r\n",
			      (uintmax_t)a->size);
	return n +
	       (a->frame == LENGTH
			? snprintf(to + n, size - (size_t)n, "Content-Length: %ju\r\n\r\n",
				   (uintmax_t)(a->to - a->from))
		: a->frame == CHUNKED
			? snprintf(to + n, size - (size_t)n, "Transfer-Encoding: chunked\r\n\r\n")
			: snprintf(to + n, size - (size_t)n, "Connection: close\r\n\r\n"));
}

/* The body up to `end`; false: the connection is over. */
static bool body_send(struct origin *o, const struct answer *a, uint64_t end)
{
	uint64_t at = a->from, key = thing_key(a->id, a->variant, a->version);
	unsigned naps = 60;
	char line[32];

	while (at < end) {
		size_t n = 1 + (size_t)dice_roll(&o->dice, a->mood == SLOW && naps ? 6000 : 60000);

		if (n > end - at)
			n = (size_t)(end - at);
		if (a->mood == SLOW && naps && naps--)
			nap((unsigned)dice_roll(&o->dice, 12));
		thing_bytes(key, at, o->out, n);
		(void)snprintf(line, sizeof(line), "%zx\r\n", n);
		if (a->frame == CHUNKED && !raw_send(o->wire.fd, line, strlen(line)))
			return false;
		if (!raw_send(o->wire.fd, o->out, n) ||
		    (a->frame == CHUNKED && !raw_send(o->wire.fd, "\r\n", 2)))
			return false;
		at += n;
	}
	return true;
}

/*
 * What nobody asked for comes with the end of the answer, in one segment; of an empty body that is the head's. When it
 * comes later, the next request may be out already, and nothing in HTTP/1.1 tells it from the answer to that (RFC 9112,
 * 9.2).
 */
static void cork(int fd, int on)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) < 0)
		raw_die("TCP_CORK");
}

/* True: the connection goes on. */
static bool answer_send(struct origin *o, struct answer *a)
{
	uint64_t n = a->to - a->from;
	char head[1024];
	bool body = !a->head_only && a->status != 304;
	bool lies;

	if (dice_chance(&o->dice, 3) && !raw_send(o->wire.fd, "HTTP/1.1 103 Early\r\n\r\n", 22))
		return false;
	lies = body && a->frame != CLOSE && a->mood == LIAR && dice_chance(&o->dice, 50);
	if (lies)
		cork(o->wire.fd, 1);
	if (!raw_send(o->wire.fd, head, (size_t)head_write(a, head, sizeof(head))))
		return false;
	if (!body)
		return a->frame != CLOSE || a->status == 304;
	/* A close can't be told from an end if it ends the body anyway. */
	if ((a->mood == DEAD && a->frame != CLOSE) || a->mood == RESET || a->mood == STALLED) {
		(void)body_send(o, a, a->from + (n ? dice_roll(&o->dice, n) : 0));
		if (a->mood == STALLED) {
			COUNT(origin_stalls);
			nap(3000);
		}
		COUNT(origin_deaths);
		if (a->mood != DEAD) {
			wire_reset(o->wire.fd);
			o->wire.fd = -1;
		}
		return false;
	}
	if (!body_send(o, a, a->to))
		return false;
	if (a->frame == CHUNKED && !raw_send(o->wire.fd, "0\r\n\r\n", 5))
		return false;
	if (lies) {
		COUNT(origin_lies);
		(void)raw_send(o->wire.fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", 43);
		cork(o->wire.fd, 0);
		return false;
	}
	return a->frame != CLOSE;
}

/* "POST": the body comes back as its sum. */
static bool post_take(struct origin *o)
{
	char text[128], reply[256];
	uint64_t left, sum = 0;

	if (!head_field(o->head, "Content-Length", text, sizeof(text)))
		return false;
	left = strtoull(text, NULL, 10);
	if (strcasestr(o->head, "\r\nExpect:") &&
	    !raw_send(o->wire.fd, "HTTP/1.1 100 Continue\r\n\r\n", 25))
		return false;
	while (left) {
		if (o->wire.at == o->wire.n && wire_more(&o->wire, 20000) <= 0)
			return false;
		for (; o->wire.at < o->wire.n && left; left--)
			sum = sum * 31 + (unsigned char)o->wire.buf[o->wire.at++];
	}
	(void)snprintf(text, sizeof(text), "%016jx", (uintmax_t)sum);
	(void)snprintf(reply, sizeof(reply),
		       "HTTP/1.1 200 OK\r\nX-Post: 1\r\nContent-Length: 16\r\n\r\n%s", text);
	return raw_send(o->wire.fd, reply, strlen(reply));
}

static bool request_serve(struct origin *o)
{
	struct answer a = { .status = 200, .mood = mood(&o->dice) };
	const char *path = strchr(o->head, ' ');
	const char *error = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";

	COUNT(origin_requests);
	if (a.mood == SILENT)
		return false;
	if (!strncmp(o->head, "POST ", 5))
		return post_take(o);
	path = path ? strstr(path, "/o") : NULL;
	a.head_only = !strncmp(o->head, "HEAD ", 5);
	if (path)
		a.id = (unsigned)atoi(path + 2);
	if (!path || a.id >= OBJECTS)
		return raw_send(o->wire.fd, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 38);
	if (a.mood == ERROR) {
		COUNT(origin_errors);
		return raw_send(o->wire.fd, error, strlen(error) - (a.head_only ? 4 : 0));
	}
	variant_take(o, &a);
	a.version = atomic_load(&things[a.id].version);
	a.size = a.to = thing_size(a.id, a.variant, a.version);
	a.frame = things[a.id].frame;
	conditions_take(o, &a);
	range_take(o, &a);
	return answer_send(o, &a);
}

static void *origin_run(void *arg)
{
	struct origin *o = arg;

	while (wire_head(&o->wire, o->head, sizeof(o->head), 60000) == 1 && request_serve(o))
		;
	if (o->wire.fd >= 0)
		close(o->wire.fd);
	free(o);
	return NULL;
}

static void *origin_accept(void *arg)
{
	int fd = *(int *)arg;
	uint64_t n = 0;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (;;) {
		int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC), one = 1;
		struct origin *o = got >= 0 ? calloc(1, sizeof(*o)) : NULL;
		pthread_t thread;

		if (!o)
			raw_die("accept");
		(void)setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		o->wire.fd = got;
		o->dice.state = mix(seed + ++n * 7919 + (uint64_t)fd);
		if (pthread_create(&thread, &attr, origin_run, o) != 0)
			raw_die("pthread_create");
	}
	return NULL;
}

/* New versions, now and then. */
static void *origin_change(void *arg)
{
	struct dice d = { mix(seed + 1) };

	(void)arg;
	for (;;) {
		nap(100);
		atomic_fetch_add(&things[dice_roll(&d, OBJECTS)].version, 1);
	}
	return NULL;
}

#endif
