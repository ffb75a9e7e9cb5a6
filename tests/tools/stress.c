/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stress - an origin that behaves badly, devices that behave badly, and tarn-proxy between them.
 *
 *	stress [-s SECONDS] [-n CLIENTS] [-S SEED] [-m GROWTH_KIB] PROXY_PORT ORIGIN_PORT ADMIN_SOCKET PROXY_PID
 *
 *	CLIENTS threads --> tarn-proxy 127.0.0.1:PROXY_PORT --> 127.0.0.9 and .10:ORIGIN_PORT, the vendor `acme`
 *
 * Each byte of each version of each object is known (stress.h). Clients ask for random objects in random ways: whole,
 * HEAD, ranges, conditions, pipelined, POST; through the proxy or from the update source; some leave in the middle, some
 * are slow. Every body that claims to be whole must be, byte for byte, one version that the origin has had, the
 * one of its entity tag, with the length that it says; what is not whole must not end cleanly.
 *
 * It runs in two halves of SECONDS/2 each. After each all gauges must come back to nothing; memory must not grow by more
 * than GROWTH_KIB from one to the other (0: that is not looked at). At last, the origin being good again, each
 * object is asked for once more. Prints TAP; the seed is in it.
 */
#include <signal.h>

#include "tests/tools/stress_origin.h"

#define PATIENCE_MS 40000
#define TEXT_MAX    4096

static struct {
	unsigned seconds, clients, proxy, origin;
	const char *admin, *pid;
	long growth;
} run = { .seconds = 20, .clients = 24 };

static char wrong_text[1536]; /* the last thing that was wrong */
static pthread_mutex_t wrong_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int_fast64_t over_at;

struct ask {
	unsigned id, variant;
	bool head, ranged, old; /* old: HTTP/1.0 */
	int64_t leave;		/* after so many bytes of body; -1: not */
	bool slow;
};

struct device {
	struct wire wire;
	struct dice dice;
	char head[16384];
	unsigned known; /* of its last whole answer: the version, for conditions */
	unsigned known_id;
};

enum outcome {
	WHOLE,
	CUT,
	LEFT
};

static enum outcome is_wrong(const struct ask *ask, const struct device *d, const char *why)
{
	COUNT(wrong);
	pthread_mutex_lock(&wrong_lock);
	{
		(void)snprintf(
			wrong_text, sizeof(wrong_text),
			"/o%u variant %u caching %d frame %d size %ju%s%s%s: %s; head: %.900s",
			ask->id, ask->variant, things[ask->id].caching, things[ask->id].frame,
			(uintmax_t)things[ask->id].size, ask->head ? " HEAD" : "",
			ask->ranged ? " range" : "", ask->old ? " HTTP/1.0" : "", why, d->head);
		for (char *p = wrong_text; *p; p++)
			if (*p == '\r' || *p == '\n')
				*p = *p == '\r' ? ' ' : '|';
		printf("# wrong: %s\n", wrong_text);
	}
	pthread_mutex_unlock(&wrong_lock);
	return CUT;
}

/* ---- bodies -------------------------------------------------------------------------------------- */

/* What is known of a body while it comes. */
struct body {
	uint64_t at; /* of the object: where the next byte belongs */
	uint64_t got;
	unsigned version; /* 0: still to be found */
	bool tagged;	  /* found in the entity tag */
	char start[32];	  /* the first bytes, until the version is known */
	size_t start_n;
	uint64_t start_at;
	bool bad;
};

static void version_find(const struct ask *ask, struct body *b)
{
	unsigned now = atomic_load(&things[ask->id].version);

	for (unsigned v = now; v > 0; v--)
		if (thing_equal(thing_key(ask->id, ask->variant, v), b->start_at, b->start,
				b->start_n)) {
			b->version = v;
			return;
		}
	b->bad = true;
}

/* Which bytes are they? For who looks for the fault. */
static void body_explain(const struct ask *ask, const struct body *b, const char *p, size_t n)
{
	uint64_t at = b->at;

	while (n >= 8 && thing_equal(thing_key(ask->id, ask->variant, b->version), at, p, 1)) {
		p++;
		at++;
		n--;
	}
	if (n > 64)
		n = 64;
	printf("# /o%u.%uv%u: wrong from byte %ju on, ", ask->id, ask->variant, b->version,
	       (uintmax_t)at);
	for (size_t i = 0; i < n && i < 32; i++)
		putchar(p[i] >= ' ' && p[i] <= '~' ? p[i] : '.');
	for (unsigned id = 0; id < OBJECTS; id++)
		for (unsigned variant = 0; variant < VARIANTS; variant++)
			for (unsigned v = 1; v <= atomic_load(&things[id].version); v++)
				if (thing_equal(thing_key(id, variant, v), at, p, n))
					printf(": %ju bytes of /o%u.%uv%u", (uintmax_t)n, id,
					       variant, v);
	putchar('\n');
}

static void body_take(const struct ask *ask, struct body *b, const char *p, size_t n)
{
	b->got += n;
	while (n && !b->version && !b->bad) {
		b->start[b->start_n++] = *p++;
		b->at++;
		n--;
		if (b->start_n == sizeof(b->start))
			version_find(ask, b);
	}
	if (n && !b->bad) {
		b->bad = !thing_equal(thing_key(ask->id, ask->variant, b->version), b->at, p, n);
		if (b->bad)
			body_explain(ask, b, p, n);
	}
	b->at += n;
}

/*
 * Reads n bytes (UINT64_MAX: up to the end of the connection) of body; `b` is NULL for one whose content is not
 * known.
 */
static enum outcome bytes_read(struct device *d, const struct ask *ask, struct body *b, uint64_t n)
{
	uint64_t left = n;

	while (left) {
		size_t part = d->wire.n - d->wire.at;

		if (!part) {
			int rc;

			if (ask->slow && dice_chance(&d->dice, 10))
				nap((unsigned)dice_roll(&d->dice, 20));
			rc = wire_more(&d->wire, PATIENCE_MS);
			if (rc < 0)
				return is_wrong(ask, d, "nothing comes any more");
			if (rc == 0)
				return n == UINT64_MAX && !d->wire.reset ? WHOLE : CUT;
			continue;
		}
		part = part < left ? part : (size_t)left;
		if (b)
			body_take(ask, b, d->wire.buf + d->wire.at, part);
		d->wire.at += part;
		if (n != UINT64_MAX)
			left -= part;
		if (b && b->bad)
			return WHOLE; /* judged by the caller */
		if (b && ask->leave >= 0 && b->got >= (uint64_t)ask->leave)
			return LEFT;
	}
	return WHOLE;
}

static enum outcome chunks_read(struct device *d, const struct ask *ask, struct body *b)
{
	for (;;) {
		char *end;
		uint64_t n;
		enum outcome got;

		while (!(end = memmem(d->wire.buf + d->wire.at, d->wire.n - d->wire.at, "\r\n",
				      2))) {
			int rc = wire_more(&d->wire, PATIENCE_MS);

			if (rc < 0)
				return is_wrong(ask, d, "no chunk comes any more");
			if (rc == 0)
				return CUT;
		}
		n = strtoull(d->wire.buf + d->wire.at, NULL, 16);
		d->wire.at = (size_t)(end + 2 - d->wire.buf);
		got = bytes_read(d, ask, n ? b : NULL, n);
		if (got == WHOLE && !(b && b->bad))
			got = bytes_read(d, ask, NULL, 2);
		if (got != WHOLE || !n || (b && b->bad))
			return got;
	}
}

/* ---- responses ----------------------------------------------------------------------------------- */

/* The version that the entity tag names; 0: none, UINT_MAX: not one that can be. */
static unsigned tag_version(const struct device *d, const struct ask *ask)
{
	char tag[128];
	unsigned id, variant, version;

	if (!head_field(d->head, "ETag", tag, sizeof(tag)))
		return 0;
	if (sscanf(tag, "\"o%u.%uv%u\"", &id, &variant, &version) != 3 || id != ask->id ||
	    variant != ask->variant || version > atomic_load(&things[id].version))
		return UINT32_MAX;
	return version;
}

/* How much body will come, and how it ends. */
static enum outcome frame_read(struct device *d, const struct ask *ask, struct body *b,
			       int64_t length)
{
	char coding[64];

	if (length >= 0)
		return bytes_read(d, ask, b, (uint64_t)length);
	if (head_field(d->head, "Transfer-Encoding", coding, sizeof(coding)))
		return chunks_read(d, ask, b);
	return bytes_read(d, ask, b, UINT64_MAX);
}

static enum outcome content_read(struct device *d, const struct ask *ask, unsigned status,
				 int64_t length)
{
	struct body b = { .version = tag_version(d, ask) };
	unsigned long long first = 0, last = 0, total = 0;
	char text[128];
	enum outcome got;

	if (b.version == UINT32_MAX)
		return is_wrong(ask, d, "another object's entity tag");
	b.tagged = b.version != 0;
	if (status == 206) {
		if (!ask->ranged)
			return is_wrong(ask, d, "206, but no part was asked for");
		if (!head_field(d->head, "Content-Range", text, sizeof(text)))
			return frame_read(d, ask, NULL, length); /* several parts: not looked at */
		if (sscanf(text, "bytes %llu-%llu/%llu", &first, &last, &total) != 3 ||
		    first > last || last >= total)
			return is_wrong(ask, d, "an impossible Content-Range");
		if (length >= 0 && (uint64_t)length != last - first + 1)
			return is_wrong(ask, d, "Content-Length is not that of Content-Range");
	}
	b.at = b.start_at = first;
	got = frame_read(d, ask, &b, length);
	if (got == WHOLE && !b.version && !b.bad && b.start_n)
		version_find(ask, &b);
	if (b.bad)
		return is_wrong(ask, d, "wrong bytes");
	if (got != WHOLE || (!b.version && !b.got))
		return got;
	if (status == 206 && b.got != last - first + 1)
		return is_wrong(ask, d, "a part of another length, ended cleanly");
	if (status == 206 && b.tagged && total != thing_size(ask->id, ask->variant, b.version))
		return is_wrong(ask, d, "a wrong total in Content-Range");
	/* So few bytes may be those of several versions. */
	if (status == 200 && b.got >= 16 && b.got != thing_size(ask->id, ask->variant, b.version))
		return is_wrong(ask, d, "a short body that ended cleanly");
	d->known = b.version;
	d->known_id = ask->id;
	return WHOLE;
}

static enum outcome response_judge(struct device *d, const struct ask *ask, unsigned status)
{
	char text[64];
	int64_t length = head_field(d->head, "Content-Length", text, sizeof(text))
				 ? strtoll(text, NULL, 10)
				 : -1;
	unsigned version = tag_version(d, ask);
	enum outcome got;

	if (ask->head || status == 304) {
		if (version == UINT32_MAX)
			return is_wrong(ask, d, "another object's entity tag");
		if (ask->head && status == 200 && length >= 0 && version &&
		    (uint64_t)length != thing_size(ask->id, ask->variant, version))
			return is_wrong(ask, d,
					"Content-Length of HEAD is not that of its version");
		COUNT(not_modified);
		return WHOLE;
	}
	if (status == 200 || status == 206) {
		got = content_read(d, ask, status, length);
		if (got == WHOLE && status == 200)
			COUNT(whole);
		else if (got == WHOLE)
			COUNT(part);
		return got;
	}
	if (status != 416 && status != 500 && status != 502 && status != 503 && status != 504 &&
	    status != 412)
		return is_wrong(ask, d, "a status that nobody said");
	COUNT(failed);
	return frame_read(d, ask, NULL, length);
}

static enum outcome response_read(struct device *d, const struct ask *ask)
{
	unsigned status;
	int rc;

	do {
		rc = wire_head(&d->wire, d->head, sizeof(d->head), PATIENCE_MS);
		if (rc < 0) {
			d->head[0] = 0;
			return is_wrong(ask, d, "no response");
		}
		if (rc == 0)
			return CUT;
		status = (unsigned)atoi(d->head + 9);
	} while (status / 100 == 1);
	return response_judge(d, ask, status);
}

/* ---- requests ------------------------------------------------------------------------------------ */

static unsigned id_choose(struct device *d)
{
	/* Half of them for a few, so that they meet. */
	return (unsigned)dice_roll(&d->dice, dice_chance(&d->dice, 50) ? 12 : OBJECTS);
}

static int range_write(struct device *d, uint64_t size, char *to, size_t room)
{
	uint64_t from = dice_roll(&d->dice, size + 10), n = 1 + dice_roll(&d->dice, 600000);

	switch (dice_roll(&d->dice, 5)) {
	case 0:
		return snprintf(to, room, "Range: bytes=%ju-\r\n", (uintmax_t)from);
	case 1:
		return snprintf(to, room, "Range: bytes=-%ju\r\n", (uintmax_t)n);
	case 2:
		return snprintf(to, room, "Range: bytes=0-9,%ju-%ju\r\n", (uintmax_t)from + 20,
				(uintmax_t)(from + 20 + n));
	default:
		return snprintf(to, room, "Range: bytes=%ju-%ju\r\n", (uintmax_t)from,
				(uintmax_t)(from + n));
	}
}

static struct ask ask_choose(struct device *d)
{
	struct ask ask = { .id = id_choose(d), .leave = -1 };

	if (things[ask.id].caching == VARYING)
		ask.variant = (unsigned)dice_roll(&d->dice, VARIANTS);
	ask.head = dice_chance(&d->dice, 8);
	ask.ranged = !ask.head && dice_chance(&d->dice, 20);
	ask.slow = dice_chance(&d->dice, 5);
	if (dice_chance(&d->dice, 8))
		ask.leave = (int64_t)dice_roll(&d->dice, things[ask.id].size + 1);
	return ask;
}

static int ask_write(struct device *d, const struct ask *ask, char *to, size_t room)
{
	const char *method = ask->head ? "HEAD" : "GET";
	const char *version = ask->old ? "1.0" : "1.1";
	uint64_t kind = dice_roll(&d->dice, 3);
	int n;

	if (kind == 0)
		n = snprintf(to, room, "%s /acme/o%u HTTP/%s\r\nHost: x\r\n", method, ask->id,
			     version);
	else
		n = snprintf(to, room, "%s http://127.0.0.%s:%u/o%u HTTP/%s\r\nHost: x\r\n", method,
			     kind == 1 ? "9" : "10", run.origin, ask->id, version);
	if (things[ask->id].caching == VARYING)
		n += snprintf(to + n, room - (size_t)n, "X-Which: %u\r\n", ask->variant);
	if (ask->ranged)
		n += range_write(d, things[ask->id].size, to + n, room - (size_t)n);
	if (d->known && d->known_id == ask->id && dice_chance(&d->dice, 50))
		n += snprintf(to + n, room - (size_t)n, "%s: \"o%u.%uv%u\"\r\n",
			      ask->ranged ? "If-Range" : "If-None-Match", ask->id, ask->variant,
			      d->known);
	if (dice_chance(&d->dice, 3))
		n += snprintf(to + n, room - (size_t)n, "Cache-Control: no-cache\r\n");
	return n + snprintf(to + n, room - (size_t)n, "\r\n");
}

static void device_close(struct device *d)
{
	if (d->wire.fd < 0)
		return;
	if (dice_chance(&d->dice, 50))
		wire_reset(d->wire.fd);
	else
		close(d->wire.fd);
	d->wire.fd = -1;
}

static void device_open(struct device *d)
{
	int small = 100000; /* more than a segment of the loopback, or it all waits for timers */

	if (d->wire.fd >= 0)
		return;
	d->wire.fd = raw_connect("127.0.0.1", run.proxy);
	if (dice_chance(&d->dice, 20))
		(void)setsockopt(d->wire.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	d->wire.at = d->wire.n = 0;
	d->wire.reset = false;
}

/* Up to four requests at once, their responses in order. */
static void gets_run(struct device *d)
{
	struct ask asks[4];
	unsigned n = dice_chance(&d->dice, 20) ? 2 + (unsigned)dice_roll(&d->dice, 3) : 1;
	char text[TEXT_MAX];
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		asks[i] = ask_choose(d);
		asks[i].old = n == 1 && dice_chance(&d->dice, 5);
		len += (size_t)ask_write(d, &asks[i], text + len, sizeof(text) - len);
	}
	if (!raw_send(d->wire.fd, text, len)) {
		device_close(d);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		enum outcome got;

		COUNT(asked);
		got = response_read(d, &asks[i]);
		if (got == LEFT)
			COUNT(left);
		if (got == CUT)
			COUNT(cut);
		if (got != WHOLE) {
			device_close(d);
			return;
		}
	}
	if (asks[0].old || strcasestr(d->head, "\r\nConnection: close"))
		device_close(d);
}

static void post_run(struct device *d)
{
	static const struct ask none = { .leave = -1 };
	uint64_t size = dice_roll(&d->dice, dice_chance(&d->dice, 20) ? 2000000 : 3000), sum = 0,
		 done = 0;
	bool chunked = dice_chance(&d->dice, 30);
	char text[TEXT_MAX + 16], want[32];
	int n = snprintf(text, sizeof(text), "POST /acme/post HTTP/1.1\r\nHost: x\r\n");

	/* The origin can't take chunks: who asks so may be refused. */
	n += chunked ? snprintf(text + n, sizeof(text) - (size_t)n,
				"Transfer-Encoding: chunked\r\n\r\n")
		     : snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: %ju\r\n\r\n",
				(uintmax_t)size);
	COUNT(asked);
	if (!raw_send(d->wire.fd, text, (size_t)n))
		goto over;
	while (done < size) {
		size_t part = size - done < TEXT_MAX ? (size_t)(size - done) : TEXT_MAX;
		char line[32];

		for (size_t i = 0; i < part; i++) {
			text[i] = (char)mix(done + i);
			sum = sum * 31 + (unsigned char)text[i];
		}
		done += part;
		(void)snprintf(line, sizeof(line), "%zx\r\n", part);
		if ((chunked && !raw_send(d->wire.fd, line, strlen(line))) ||
		    !raw_send(d->wire.fd, text, part) ||
		    (chunked && !raw_send(d->wire.fd, "\r\n", 2)) || dice_roll(&d->dice, 2000) == 0)
			goto over;
	}
	if (chunked && !raw_send(d->wire.fd, "0\r\n\r\n", 5))
		goto over;
	if (wire_head(&d->wire, d->head, sizeof(d->head), PATIENCE_MS) != 1 ||
	    !strstr(d->head, "X-Post: 1") || bytes_read(d, &none, NULL, 0) != WHOLE)
		goto over;
	while (d->wire.n - d->wire.at < 16 && wire_more(&d->wire, PATIENCE_MS) == 1)
		;
	if (d->wire.n - d->wire.at < 16)
		goto over;
	(void)snprintf(want, sizeof(want), "%016jx", (uintmax_t)sum);
	if (memcmp(d->wire.buf + d->wire.at, want, 16) != 0)
		(void)is_wrong(&none, d, "another body was posted");
	d->wire.at += 16;
	COUNT(posted);
	if (strcasestr(d->head, "\r\nConnection: close"))
		device_close(d);
	return;
over:
	device_close(d);
}

static void *device_run(void *arg)
{
	struct device *d = arg;

	while (raw_ms() < atomic_load(&over_at)) {
		device_open(d);
		if (dice_chance(&d->dice, 8))
			post_run(d);
		else
			gets_run(d);
		if (dice_chance(&d->dice, 5))
			device_close(d);
	}
	device_close(d);
	return NULL;
}

/* ---- the halves ---------------------------------------------------------------------------------- */

static void half_run(unsigned half)
{
	struct device *devices = calloc(run.clients, sizeof(*devices));
	pthread_t *threads = calloc(run.clients, sizeof(*threads));

	if (!devices || !threads)
		raw_die("calloc");
	atomic_store(&over_at, raw_ms() + run.seconds * 500);
	for (unsigned i = 0; i < run.clients; i++) {
		devices[i].wire.fd = -1;
		devices[i].dice.state = mix(seed ^ mix(half * 1000 + i));
		if (pthread_create(&threads[i], NULL, device_run, &devices[i]) != 0)
			raw_die("pthread_create");
	}
	for (unsigned i = 0; i < run.clients; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	free(devices);
}

/* NULL, or what is left over. */
static const char *gauges_left(void)
{
	static const char *const names[] = { "conn.open",	 "flight.open", "flight.readers",
					     "flight.bytes",	 "lease.open",	"splice.open",
					     "store.queue_bytes" };
	static char text[256];
	char *stat = raw_admin(run.admin, "/api/v1/stat");
	int64_t busy = raw_counter(stat, "upstream.open") - raw_counter(stat, "upstream.idle");

	text[0] = 0;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int64_t value = raw_counter(stat, names[i]);
		size_t n = strlen(text);

		if (value)
			(void)snprintf(text + n, sizeof(text) - n, "%s=%jd ", names[i],
				       (intmax_t)value);
	}
	if (busy)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			       "upstream busy=%jd", (intmax_t)busy);
	free(stat);
	return text[0] ? text : NULL;
}

static const char *gauges_wait(void)
{
	int64_t until = raw_ms() + 30000;
	const char *left;

	while ((left = gauges_left()) && raw_ms() < until)
		nap(50);
	return left;
}

static long anonymous_kib(void)
{
	char path[64], line[256];
	long kib = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/status", run.pid);
	file = fopen(path, "re");
	if (!file)
		raw_die(path);
	while (fgets(line, sizeof(line), file))
		(void)sscanf(line, "RssAnon: %ld", &kib);
	fclose(file);
	return kib;
}

/* Each object once more, from an origin that is good now: NULL, or what failed. */
static const char *objects_read(void)
{
	static char text[128];
	static struct device d;
	char request[TEXT_MAX];

	d.wire.fd = -1;
	d.dice.state = seed;
	for (unsigned i = 0; i < OBJECTS; i++) {
		struct ask ask = { .id = i, .leave = -1 };
		int n = snprintf(request, sizeof(request),
				 "GET /acme/o%u HTTP/1.1\r\nHost: x\r\nX-Which: 0\r\n\r\n", i);

		device_open(&d);
		d.known = 0;
		if (!raw_send(d.wire.fd, request, (size_t)n) || response_read(&d, &ask) != WHOLE ||
		    strncmp(d.head, "HTTP/1.1 200", 12) != 0) {
			(void)snprintf(text, sizeof(text), "/o%u: %.80s", i, d.head);
			text[strcspn(text, "\r\n")] = 0;
			return text;
		}
		if (strcasestr(d.head, "\r\nConnection: close"))
			device_close(&d);
	}
	device_close(&d);
	return NULL;
}

static void report(const char *when)
{
	printf("# %s: anonymous memory %ld KiB;", when, anonymous_kib());
#define X(name) printf(" %s %lu", #name, atomic_load(&count_##name));
	COUNTS(X)
#undef X
	putchar('\n');
	fflush(stdout);
}

static void test(void)
{
	struct tap tap = { 0 };
	char text[128];
	long before, after;

	half_run(1);
	report("first half");
	tap_line(&tap, "after the first half nothing is left over", gauges_wait());
	before = anonymous_kib();
	half_run(2);
	report("second half");
	tap_line(&tap, "after the second half nothing is left over", gauges_wait());
	after = anonymous_kib();
	(void)snprintf(text, sizeof(text), "anonymous memory: %ld KiB, then %ld KiB", before,
		       after);
	printf("# %s\n", text);
	if (run.growth)
		tap_line(&tap, "memory does not grow", after - before > run.growth ? text : NULL);
	atomic_store(&calm, true);
	tap_line(&tap, "then each object can be had", objects_read());
	tap_line(&tap, "nothing wrong was ever sent",
		 atomic_load(&count_wrong) ? wrong_text : NULL);
	tap_line(&tap, "most were answered whole",
		 (atomic_load(&count_whole) + atomic_load(&count_part) +
		  atomic_load(&count_not_modified)) *
					 2 <
				 atomic_load(&count_asked)
			 ? "they were not"
			 : NULL);
	exit(tap_end(&tap));
}

int main(int argc, char **argv)
{
	static int fds[2];
	pthread_t thread;
	int option;

	seed = (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
	while ((option = getopt(argc, argv, "s:n:S:m:")) != -1) {
		switch (option) {
		case 's':
			run.seconds = (unsigned)atoi(optarg);
			break;
		case 'n':
			run.clients = (unsigned)atoi(optarg);
			break;
		case 'S':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'm':
			run.growth = atol(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 4) {
		fputs("usage: stress [-s SECONDS] [-n CLIENTS] [-S SEED] [-m GROWTH_KIB] "
		      "PROXY_PORT "
		      "ORIGIN_PORT ADMIN_SOCKET PROXY_PID\n",
		      stderr);
		return 2;
	}
	run.proxy = (unsigned)atoi(argv[optind]);
	run.origin = (unsigned)atoi(argv[optind + 1]);
	run.admin = argv[optind + 2];
	run.pid = argv[optind + 3];
	printf("# seed %ju, %u clients, %u s\n", (uintmax_t)seed, run.clients, run.seconds);
	things_make();
	(void)signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = raw_listen(i ? "127.0.0.10" : "127.0.0.9", run.origin);
		if (pthread_create(&thread, NULL, origin_accept, &fds[i]) != 0)
			raw_die("pthread_create");
	}
	if (pthread_create(&thread, NULL, origin_change, NULL) != 0)
		raw_die("pthread_create");
	test();
}
