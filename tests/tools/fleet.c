/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vendor and its devices, for tests of generations.
 *
 *	fleet ORIGIN_PORT PROXY_PORT DEVICES PRODUCTS [SPACES CLOCK]
 *
 * The vendor listens on 127.0.0.9:ORIGIN_PORT and has PRODUCTS products that devices have and as many that none has, each
 * with an index /pN/index.lst ("digest size path name" a line, SHA-256) and OBJECTS objects, the last UNWANTED of them for
 * platforms that no device is. A generation changes about a quarter of the objects of each product in place, and the path
 * of one more (/pN/diff-GENERATION.dat, name "diff"). Index and objects change in one moment.
 *
 * A device asks from an address of its own (127.0.2.1 ...) by http://127.0.0.1:PROXY_PORT/acme/..., reads the index
 * and gets what is for it and it does not have; what it gets must be what the index names.
 *
 * With SPACES each lives in a network namespace of its own, SPACES with vendor, d1, d2 ... for its %s, and a device knows
 * nothing of a proxy: it asks mirror.vendor.example at 198.51.100.10, which is the vendor's. CLOCK is the file that moves
 * the clock of a proxy (tests/clock/moved.c).
 *
 * Commands on standard input, an answer in JSON each:
 *	next [N]		the next generation; the first N objects that may change in place do not
 *	pass SECONDS		they pass, for the proxy: {"ahead_ms"}
 *	bounce			the vendor answers 503 until the next bounce
 *	update FROM TO		these devices update, at once: {"hits", "asked": stale indexes, of which the vendor was
 *				asked, "misses", "mixed", "failed", "bytes"}
 *	storm SECONDS		all update again and again while generations come at random moments
 *	stat			{"generation", "sent": body bytes of the vendor, "distinct": of each version asked for, once,
 *				"all": of each version there was, which is what a mirror of it fetches, "unwanted": times
 *				that something was sent that is for no device, "requests", "not_modified", "repeats", "twice"}
 *	devices			[{"device", "generation", "hits", "misses", "bytes"} ...] by the devices' own logs, counted
 *				from the beginning
 *	quit
 */
#include <fcntl.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/tools/raw.h"

#define OBJECTS	     16
#define UNWANTED     4 /* of these */
#define PRODUCTS_MAX 8
#define DEVICES_MAX  100
#define BODY_MAX     (160 * 1024)
#define HEAD_ROOM    4096
#define VERSIONS_MAX 16384

/* ---- what there is --------------------------------------------------------------------------------- */

struct thing {
	char path[64], name[32];
	unsigned version; /* the generation at which it changed last */
	unsigned size;
};

/* Each version that was ever there. */
struct version {
	char path[64];
	unsigned version, size;
	unsigned sent; /* times */
	bool wanted;   /* by a kind of device that there is */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned generation = 1, products, devices_n, origin_port, proxy_port;
static struct thing things[2 * PRODUCTS_MAX][OBJECTS];
static struct version versions[VERSIONS_MAX];
static unsigned versions_n;
static uint64_t sent_bytes, requests, not_modified;
static bool down, quitting;
static const char *spaces;	  /* NULL: all in one namespace */
static _Atomic int64_t *ahead_ms; /* of the proxy's clock; NULL: it is not moved */

static void version_add(const struct thing *t, bool wanted)
{
	struct version *v = &versions[versions_n++];

	if (versions_n > VERSIONS_MAX)
		raw_die("too many versions");
	snprintf(v->path, sizeof(v->path), "%s", t->path);
	v->version = t->version;
	v->size = t->size;
	v->sent = 0;
	v->wanted = wanted;
}

static void thing_renew(unsigned p, unsigned i)
{
	struct thing *t = &things[p][i];

	t->version = generation;
	t->size = 8192 + (unsigned)rand() % (BODY_MAX - 8192);
	if (i == 0)
		snprintf(t->path, sizeof(t->path), "/p%u/diff-%u.dat", p, generation);
	else
		snprintf(t->path, sizeof(t->path), "/p%u/base%u.dat", p, i);
	snprintf(t->name, sizeof(t->name), i ? "base%u" : "diff", i);
	version_add(t, p < products && i < OBJECTS - UNWANTED);
}

static void next(unsigned still)
{
	pthread_mutex_lock(&lock);
	generation++;
	for (unsigned p = 0; p < 2 * products; p++)
		for (unsigned i = 0; i < OBJECTS; i++)
			if (i == 0 || (i > still && rand() % 4 == 0))
				thing_renew(p, i);
	pthread_mutex_unlock(&lock);
}

/* Bytes of a version: from its path and number. */
static void body_fill(const char *path, unsigned version, unsigned size, char *body)
{
	uint64_t x = version * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (const char *p = path; *p; p++)
		x = (x ^ (uint64_t)(unsigned char)*p) * UINT64_C(0xbf58476d1ce4e5b9);
	for (unsigned i = 0; i < size; i++) {
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		body[i] = (char)(x >> 32);
	}
}

static void digest_text(const char *body, size_t n, char text[65])
{
	unsigned char digest[32];

	SHA256((const unsigned char *)body, n, digest);
	for (unsigned i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* ---- the vendor ------------------------------------------------------------------------------------ */

static size_t index_make(unsigned p, char *body)
{
	static char scratch[BODY_MAX];
	char digest[65];
	size_t n = (size_t)sprintf(body, "# generation %u\n", generation);

	for (unsigned i = 0; i < OBJECTS; i++) {
		const struct thing *t = &things[p][i];

		body_fill(t->path, t->version, t->size, scratch);
		digest_text(scratch, t->size, digest);
		n += (size_t)sprintf(body + n, "%s %u %s %s\n", digest, t->size, t->path, t->name);
	}
	return n;
}

static void count_sent(const char *path, unsigned version, unsigned size)
{
	sent_bytes += size;
	for (unsigned i = 0; i < versions_n; i++)
		if (versions[i].version == version && !strcmp(versions[i].path, path))
			versions[i].sent++;
}

/* With the lock: finds what a path is now. 0: not there. */
static size_t content(const char *path, char *body, char etag[80], bool conditional,
		      const char *want)
{
	unsigned p;
	int end = 0;
	size_t n = 0;

	if (sscanf(path, "/p%u/index.lst%n", &p, &end) == 1 && end && !path[end] &&
	    p < 2 * products) {
		snprintf(etag, 80, "\"index-%u-%u\"", p, generation);
		n = index_make(p, body);
		if (!conditional || strcmp(etag, want) != 0)
			sent_bytes += n;
		return n;
	}
	for (p = 0; p < 2 * products; p++)
		for (unsigned i = 0; i < OBJECTS; i++) {
			const struct thing *t = &things[p][i];

			if (strcmp(t->path, path) != 0)
				continue;
			snprintf(etag, 80, "\"%u-%u-%u\"", p, i, t->version);
			body_fill(t->path, t->version, t->size, body);
			if (!conditional || strcmp(etag, want) != 0)
				count_sent(t->path, t->version, t->size);
			return t->size;
		}
	return 0;
}

static void send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k <= 0)
			return;
		p += k;
		n -= (size_t)k;
	}
}

static void answer(int fd, const char *head, char *body)
{
	char path[256] = "", etag[80] = "", want[80] = "", out[HEAD_ROOM];
	const char *cond = strcasestr(head, "\r\nIf-None-Match: ");
	size_t n;
	int k;

	(void)sscanf(head, "GET %255[^ ?]", path);
	if (cond)
		(void)sscanf(cond + 17, "%79[^\r]", want);
	pthread_mutex_lock(&lock);
	requests++;
	if (down) {
		pthread_mutex_unlock(&lock);
		k = sprintf(out, "HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n");
		send_all(fd, out, (size_t)k);
		return;
	}
	n = content(path, body, etag, cond != NULL, want);
	not_modified += n && !strcmp(etag, want);
	pthread_mutex_unlock(&lock);
	if (!n)
		k = sprintf(out, "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n");
	else if (!strcmp(etag, want))
		k = sprintf(out, "HTTP/1.1 304 Same\r\nETag: %s\r\n\r\n", etag);
	else
		k = sprintf(out, "HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: %zu\r\n\r\n", etag,
			    n);
	send_all(fd, out, (size_t)k);
	if (n && strcmp(etag, want) != 0)
		send_all(fd, body, n);
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *body = malloc(BODY_MAX), head[HEAD_ROOM];
	size_t n = 0;

	for (;;) {
		ssize_t k = recv(fd, head + n, sizeof(head) - 1 - n, 0);
		char *end;

		if (k <= 0)
			break;
		n += (size_t)k;
		head[n] = 0;
		while ((end = strstr(head, "\r\n\r\n"))) {
			end[2] = 0;
			answer(fd, head, body);
			n -= (size_t)(end + 4 - head);
			memmove(head, end + 4, n);
			head[n] = 0;
		}
	}
	close(fd);
	free(body);
	return NULL;
}

static void *listener(void *arg)
{
	int fd = (int)(intptr_t)arg;
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	while (!quitting) {
		int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC), on = 1;

		if (one < 0)
			continue;
		(void)setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pthread_create(&thread, &attr, serve, (void *)(intptr_t)one))
			close(one);
	}
	return NULL;
}

/* ---- the devices ----------------------------------------------------------------------------------- */

struct device {
	unsigned number, product;
	unsigned generation; /* of the last whole update */
	unsigned seen;	     /* of the last index */
	char digests[OBJECTS][65];
	unsigned hits, asked, misses, mixed, failed;
	uint64_t bytes;
	unsigned all_hits, all_misses;
	uint64_t all_bytes;
	bool storming;
};

static struct device fleet[DEVICES_MAX];
static int64_t storm_until;

/* The calling thread lives there from now on. */
static void space_enter(const char *name)
{
	char path[128];
	int fd, n = snprintf(path, sizeof(path), "/run/netns/");

	for (const char *p = spaces; *p && n < 64; p++)
		if (p[0] == '%' && p[1] == 's')
			n += snprintf(path + n, sizeof(path) - (size_t)n, "%.16s", (p++, name));
		else
			path[n++] = *p;
	path[n] = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		raw_die(path);
	close(fd);
}

static void device_name(unsigned number, char name[16])
{
	snprintf(name, 16, spaces ? "10.7.0.%u" : "127.0.2.%u", number + 1 + (spaces ? 100 : 0));
}

static int device_connect(const struct device *d)
{
	struct sockaddr_in to = raw_addr(spaces ? "198.51.100.10" : "127.0.0.1", proxy_port), from;
	struct timeval limit = { .tv_sec = 20 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	char name[16];

	device_name(d->number, name);
	from = raw_addr(name, 0);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* GET: the body's length and its bytes, or -1. */
static ssize_t get(struct device *d, int fd, const char *path, char *body)
{
	char head[HEAD_ROOM];
	size_t n = 0, length = 0, have;
	char *end, *at;
	int k = sprintf(head, "GET %s%s HTTP/1.1\r\nHost: %s\r\n\r\n", spaces ? "" : "/acme", path,
			spaces ? "mirror.vendor.example" : "127.0.0.1");

	send_all(fd, head, (size_t)k);
	do {
		ssize_t got = recv(fd, head + n, sizeof(head) - 1 - n, 0);

		if (got <= 0)
			return -1;
		n += (size_t)got;
		head[n] = 0;
		end = strstr(head, "\r\n\r\n");
	} while (!end && n < sizeof(head) - 1);
	if (!end || strncmp(head, "HTTP/1.1 200", 12) != 0) {
		fprintf(stderr, "device %u, on %u of %u: %s: %.12s\n", d->number, d->seen,
			generation, path, head);
		return -1;
	}
	have = n - (size_t)(end + 4 - head);
	end[2] = 0;
	at = strcasestr(head, "\r\nContent-Length: ");
	length = at ? strtoul(at + 18, NULL, 10) : 0;
	if (length > BODY_MAX || have > length)
		return -1;
	at = strcasestr(head, "\r\nCache-Status: ");
	if (at && strstr(at, "tarn; hit"))
		d->hits++;
	else if (at && strstr(at, "fwd=stale") && strstr(path, ".lst"))
		d->asked++;
	else
		d->misses++;
	memcpy(body, end + 4, have);
	while (have < length) {
		ssize_t got = recv(fd, body + have, length - have, 0);

		if (got <= 0)
			return -1;
		have += (size_t)got;
	}
	d->bytes += length;
	return (ssize_t)length;
}

/* One object of the index: 0, or -1. What is not what the index names is mixed. */
static int update_one(struct device *d, int fd, const char *line, char *body, unsigned slot)
{
	char digest[65], path[64], name[32], is[65];
	unsigned size;
	ssize_t n;

	if (sscanf(line, "%64s %u %63s %31s", digest, &size, path, name) != 4)
		return 0;
	if (!strcmp(d->digests[slot], digest))
		return 0;
	n = get(d, fd, path, body);
	if (n < 0)
		return -1;
	digest_text(body, (size_t)n, is);
	if ((size_t)n != size || strcmp(is, digest) != 0) {
		d->mixed++;
		fprintf(stderr, "mixed: device %u %s\n", d->number, path);
		return -1;
	}
	snprintf(d->digests[slot], sizeof(d->digests[slot]), "%s", digest);
	return 0;
}

static void device_update(struct device *d)
{
	char path[64], *index = malloc(BODY_MAX + 1), *body = malloc(BODY_MAX), *line, *rest;
	int fd = device_connect(d), rc = fd < 0 ? -1 : 0;
	unsigned slot = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/p%u/index.lst", d->product);
	n = rc < 0 ? -1 : get(d, fd, path, index);
	if (n < 0)
		rc = -1;
	else
		index[n] = 0;
	if (rc == 0 && sscanf(index, "# generation %u", &d->seen) != 1)
		rc = -1;
	for (line = rc == 0 ? strtok_r(index, "\n", &rest) : NULL;
	     line && rc == 0 && slot < OBJECTS - UNWANTED; line = strtok_r(NULL, "\n", &rest)) {
		if (*line == '#')
			continue;
		rc = update_one(d, fd, line, body, slot++);
	}
	if (rc == 0)
		d->generation = d->seen;
	else
		d->failed++;
	if (fd >= 0)
		close(fd);
	free(index);
	free(body);
}

static void *device_run(void *arg)
{
	struct device *d = arg;
	char name[16];

	snprintf(name, sizeof(name), "d%u", d->number + 1);
	if (spaces)
		space_enter(name);
	do
		device_update(d);
	while (d->storming && raw_ms() < storm_until);
	return NULL;
}

static void run_devices(unsigned from, unsigned to, int storm_s)
{
	static pthread_t threads[DEVICES_MAX];
	unsigned hits = 0, asked = 0, misses = 0, mixed = 0, failed = 0, switches = 0;
	uint64_t bytes = 0;

	storm_until = raw_ms() + storm_s * INT64_C(1000);
	for (unsigned i = from; i < to; i++) {
		struct device *d = &fleet[i];

		d->hits = d->asked = d->misses = d->mixed = d->failed = 0;
		d->bytes = 0;
		d->storming = storm_s > 0;
		if (pthread_create(&threads[i], NULL, device_run, d))
			raw_die("pthread_create");
	}
	while (storm_s && raw_ms() < storm_until) {
		struct timespec pause = { .tv_nsec = (50 + rand() % 900) * 1000000L };

		nanosleep(&pause, NULL); /* the random moments are what is tested */
		next(0);
		switches++;
	}
	for (unsigned i = from; i < to; i++) {
		pthread_join(threads[i], NULL);
		fleet[i].all_hits += fleet[i].hits;
		fleet[i].all_misses += fleet[i].misses;
		fleet[i].all_bytes += fleet[i].bytes;
		hits += fleet[i].hits;
		asked += fleet[i].asked;
		misses += fleet[i].misses;
		mixed += fleet[i].mixed;
		failed += fleet[i].failed;
		bytes += fleet[i].bytes;
	}
	printf("{\"hits\": %u, \"asked\": %u, \"misses\": %u, \"mixed\": %u, \"failed\": %u, "
	       "\"bytes\": %ju, "
	       "\"switches\": %u}\n",
	       hits, asked, misses, mixed, failed, (uintmax_t)bytes, switches);
}

/* ---- commands -------------------------------------------------------------------------------------- */

static void print_stat(void)
{
	uint64_t distinct = 0, all = 0, twice = 0;
	unsigned repeats = 0, unwanted = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < versions_n; i++) {
		const struct version *v = &versions[i];

		all += v->size;
		distinct += v->sent ? v->size : 0;
		unwanted += v->wanted ? 0 : v->sent;
		repeats += v->sent > 1 ? v->sent - 1 : 0;
		twice += v->sent > 1 ? (uint64_t)(v->sent - 1) * v->size : 0;
	}
	printf("{\"generation\": %u, \"sent\": %ju, \"distinct\": %ju, \"all\": %ju, \"unwanted\": "
	       "%u, "
	       "\"requests\": %ju, \"not_modified\": %ju, \"repeats\": %u, \"twice\": %ju}\n",
	       generation, (uintmax_t)sent_bytes, (uintmax_t)distinct, (uintmax_t)all, unwanted,
	       (uintmax_t)requests, (uintmax_t)not_modified, repeats, (uintmax_t)twice);
	pthread_mutex_unlock(&lock);
}

static void print_devices(void)
{
	char name[16];

	printf("[");
	for (unsigned i = 0; i < devices_n; i++) {
		device_name(i, name);
		printf("%s{\"device\": \"%s\", \"generation\": %u, \"hits\": %u, \"misses\": %u, "
		       "\"bytes\": %ju}",
		       i ? ", " : "", name, fleet[i].generation, fleet[i].all_hits,
		       fleet[i].all_misses, (uintmax_t)fleet[i].all_bytes);
	}
	printf("]\n");
}

static bool command(const char *line)
{
	unsigned from, to, still = 0;
	int seconds;

	if (!strncmp(line, "next", 4)) {
		(void)sscanf(line, "next %u", &still);
		next(still);
		printf("{\"generation\": %u}\n", generation);
	} else if (!strncmp(line, "bounce", 6)) {
		down = !down;
		printf("{\"down\": %s}\n", down ? "true" : "false");
	} else if (sscanf(line, "pass %d", &seconds) == 1 && ahead_ms) {
		printf("{\"ahead_ms\": %jd}\n",
		       (intmax_t)(atomic_fetch_add(ahead_ms, seconds * 1000) + seconds * 1000));
	} else if (sscanf(line, "update %u %u", &from, &to) == 2 && to <= devices_n) {
		run_devices(from, to, 0);
	} else if (sscanf(line, "storm %d", &seconds) == 1) {
		run_devices(0, devices_n, seconds);
	} else if (!strncmp(line, "stat", 4)) {
		print_stat();
	} else if (!strncmp(line, "devices", 7)) {
		print_devices();
	} else {
		return false;
	}
	fflush(stdout);
	return true;
}

/* Both are made by who calls. */
static void world_set(const char *spaces_, const char *clock)
{
	int fd = open(clock, O_RDWR | O_CLOEXEC);
	void *page = mmap(NULL, sizeof(*ahead_ms), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || page == MAP_FAILED)
		raw_die(clock);
	ahead_ms = page;
	spaces = spaces_;
	space_enter("vendor");
}

int main(int argc, char **argv)
{
	char line[128];
	pthread_t thread;

	if (argc != 5 && argc != 7)
		return 64;
	if (argc == 7)
		world_set(argv[5], argv[6]);
	origin_port = (unsigned)atoi(argv[1]);
	proxy_port = (unsigned)atoi(argv[2]);
	devices_n = (unsigned)atoi(argv[3]);
	products = (unsigned)atoi(argv[4]);
	if (devices_n > DEVICES_MAX || products > PRODUCTS_MAX || !products)
		return 64;
	srand(getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : 1);
	for (unsigned p = 0; p < 2 * products; p++)
		for (unsigned i = 0; i < OBJECTS; i++)
			thing_renew(p, i);
	for (unsigned i = 0; i < devices_n; i++)
		fleet[i] = (struct device){ .number = i, .product = i % products };
	if (pthread_create(&thread, NULL, listener,
			   (void *)(intptr_t)raw_listen(spaces ? "198.51.100.10" : "127.0.0.9",
							origin_port)))
		raw_die("pthread_create");
	puts("{\"ready\": true}");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && command(line))
		;
	quitting = true;
	return 0;
}
