/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dying - origins that die in the middle of a body, and what they or their mirror say when asked for the rest.
 *
 *	dying PROXY_PORT ORIGIN_PORT ADMIN_SOCKET	plays all rows, then reads all from the store
 *	dying -s PROXY_PORT ORIGIN_PORT ADMIN_SOCKET	only reads all from the store: after a restart
 *
 * It is the origin 127.0.0.9 and its mirror 127.0.0.10, and the devices: four at a time, one of them late, one in the
 * middle of the body. A body is a function of object, version and offset, so every byte is compared: a device has
 * the right bytes to the end, or its connection is cut; never a short body that looks whole, never two versions in
 * one. Afterwards the origins are well, the object is asked for twice, and the second time nobody is asked.
 */
#include <pthread.h>
#include <signal.h>

#include "tests/tools/raw.h"

#define CHUNK	 (256 * 1024 - 16)
#define MIB	 (1024 * 1024)
#define READERS	 4
#define PIECE	 65536
#define LIMIT_MS 30000
#define ORIGINS	 2
#define SHORTER	 1000 /* bytes, WRONG_LENGTH */

/* What is said to who asks for the rest. */
enum after {
	GOES_ON,      /* 206, the same version */
	WHOLE,	      /* 200, the same version: Range is ignored */
	OTHER_WHOLE,  /* 200 of another version */
	OTHER_PART,   /* 206 of another version */
	WRONG_START,  /* 206 of another range than was asked for */
	WRONG_TOTAL,  /* 206 whose complete length is another */
	NO_RANGE,     /* 206 without Content-Range */
	ENDS_EARLY,   /* 206 that breaks off */
	LONGER,	      /* 206 with more bytes than its range has */
	WRONG_LENGTH, /* 200, the same tag, another length */
	UNSATISFIED,  /* 416 */
	ERROR_500,
	DIES_AGAIN, /* 206, and dies again an eighth further, and so on */
	SILENT,	    /* closes without a word */
};

enum tag {
	STRONG,
	WEAK,
	NONE,
	DATED
};

struct row {
	const char *name;
	uint64_t size;
	unsigned die; /* percent */
	enum tag tag;
	enum after after;
	unsigned how;
};

enum how {
	MIRROR = 1,  /* the first one is gone then, the mirror answers */
	CHUNKED = 2, /* no Content-Length */
	RESET = 4,   /* dies by RST */
	ALL = 8,     /* every device has to get all of it */
};

#define SIZE_A (3 * MIB + 12345)
#define SIZE_B (12 * (uint64_t)CHUNK)

static const struct row rows[] = {
	{ "64 MiB, dies at 10 %", 64 * MIB, 10, STRONG, GOES_ON, ALL },
	{ "64 MiB, dies at 20 %", 64 * MIB, 20, STRONG, GOES_ON, ALL },
	{ "64 MiB, dies at 30 %", 64 * MIB, 30, STRONG, GOES_ON, RESET | ALL },
	{ "64 MiB, dies at 40 %", 64 * MIB, 40, STRONG, WHOLE, ALL },
	{ "64 MiB, dies at 50 %", 64 * MIB, 50, STRONG, GOES_ON, MIRROR | ALL },
	{ "64 MiB, dies at 60 %", 64 * MIB, 60, STRONG, DIES_AGAIN, ALL },
	{ "64 MiB, dies at 70 %", 64 * MIB, 70, STRONG, OTHER_WHOLE, 0 },
	{ "64 MiB, dies at 80 %", 64 * MIB, 80, STRONG, OTHER_PART, 0 },
	{ "64 MiB, dies at 90 %", 64 * MIB, 90, DATED, GOES_ON, ALL },
	{ "dies before the first byte", SIZE_A, 0, STRONG, GOES_ON, ALL },
	{ "goes on, at the same", SIZE_A, 37, STRONG, GOES_ON, ALL },
	{ "goes on, chunks end where it died", SIZE_B, 50, STRONG, GOES_ON, ALL },
	{ "goes on, at the mirror", SIZE_A, 61, STRONG, GOES_ON, MIRROR | ALL },
	{ "goes on, by Last-Modified", SIZE_A, 50, DATED, GOES_ON, ALL },
	{ "goes on, in a chunked body", SIZE_A, 50, STRONG, GOES_ON, CHUNKED },
	{ "Range is ignored", SIZE_A, 50, STRONG, WHOLE, ALL },
	{ "Range is ignored, at the mirror", SIZE_B, 50, STRONG, WHOLE, MIRROR | ALL },
	{ "Range is ignored, and there is no tag", SIZE_A, 50, NONE, WHOLE, 0 },
	{ "Range is ignored, a weak tag", SIZE_A, 50, WEAK, WHOLE, 0 },
	{ "goes on, without a tag", SIZE_A, 50, NONE, GOES_ON, 0 },
	{ "goes on, a weak tag", SIZE_A, 50, WEAK, GOES_ON, 0 },
	{ "another version, whole", SIZE_A, 50, STRONG, OTHER_WHOLE, 0 },
	{ "another version, whole, at the mirror", SIZE_B, 50, STRONG, OTHER_WHOLE, MIRROR },
	{ "another version, whole, no tag", SIZE_A, 50, NONE, OTHER_WHOLE, 0 },
	{ "another version, whole, a weak tag", SIZE_A, 50, WEAK, OTHER_WHOLE, 0 },
	{ "another version, whole, by date", SIZE_A, 50, DATED, OTHER_WHOLE, 0 },
	{ "another version's part", SIZE_A, 50, STRONG, OTHER_PART, 0 },
	{ "another version's part, at the mirror", SIZE_B, 50, STRONG, OTHER_PART, MIRROR },
	{ "another version's part, no tag", SIZE_A, 50, NONE, OTHER_PART, 0 },
	{ "another version's part, a weak tag", SIZE_A, 50, WEAK, OTHER_PART, 0 },
	{ "another version's part, by date", SIZE_A, 50, DATED, OTHER_PART, 0 },
	{ "a part that begins elsewhere", SIZE_A, 50, STRONG, WRONG_START, 0 },
	{ "a part that begins elsewhere, at the mirror", SIZE_B, 50, STRONG, WRONG_START, MIRROR },
	{ "a part of another length", SIZE_A, 50, STRONG, WRONG_TOTAL, 0 },
	{ "a part that does not say which", SIZE_A, 50, STRONG, NO_RANGE, 0 },
	{ "a part that breaks off, again and again", SIZE_A, 50, STRONG, ENDS_EARLY, 0 },
	{ "a part that is longer than it says", SIZE_A, 50, STRONG, LONGER, 0 },
	{ "the same tag, another length", SIZE_A, 50, STRONG, WRONG_LENGTH, 0 },
	{ "416", SIZE_A, 50, STRONG, UNSATISFIED, 0 },
	{ "500", SIZE_A, 50, STRONG, ERROR_500, 0 },
	{ "500 at the mirror", SIZE_B, 50, STRONG, ERROR_500, MIRROR },
	{ "dies again and again", SIZE_A, 20, STRONG, DIES_AGAIN, ALL },
	{ "dies again and again, by RST", SIZE_B, 20, STRONG, DIES_AGAIN, RESET },
	{ "never heard of again", SIZE_A, 50, STRONG, SILENT, 0 },
	{ "never heard of again, chunked", SIZE_A, 50, STRONG, SILENT, CHUNKED },
	{ "dies with the last byte", SIZE_A, 99, STRONG, SILENT, 0 },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct {
	unsigned proxy, origin;
	const char *admin;
} at;

static struct {
	pthread_mutex_t lock;
	bool died, well;
	unsigned asked;
} state[ROWS] = { [0 ... ROWS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER } };

/* ---- bodies ------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Bytes [from, from + n) of a version (0 or 1) of an object. */
static void body_write(unsigned row, unsigned version, uint64_t from, char *buf, size_t n)
{
	uint64_t seed = ((uint64_t)row * 2 + version) << 40, word = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t offset = from + i;

		if (i == 0 || offset % 8 == 0)
			word = mix(seed + offset / 8);
		buf[i] = (char)(word >> offset % 8 * 8);
	}
}

/* ---- the origins ------------------------------------------------------------------------------------- */

struct answer {
	unsigned status, version;
	uint64_t from, to, stop; /* bytes [from, to) are announced, those before stop are sent */
	uint64_t start, total;	 /* what Content-Range says */
	bool chunked, reset, no_range;
};

static void tag_put(char *head, size_t size, const struct row *row, unsigned version)
{
	size_t n = strlen(head);

	if (row->tag == STRONG || row->tag == WEAK)
		(void)snprintf(head + n, size - n, "ETag: %s\"v%u\"\r\n",
			       row->tag == WEAK ? "W/" : "", version);
	else if (row->tag == DATED)
		(void)snprintf(head + n, size - n,
			       "Last-Modified: Sat, 0%u Jan 2022 00:00:00 GMT\r\n", version + 1);
}

static bool body_send(int fd, unsigned row, const struct answer *a)
{
	static _Thread_local char buf[PIECE];
	char size[32];

	for (uint64_t pos = a->from; pos < a->stop;) {
		size_t n = a->stop - pos < PIECE ? (size_t)(a->stop - pos) : PIECE;
		int len = snprintf(size, sizeof(size), "%zx\r\n", n);

		body_write(row, a->version, pos, buf, n);
		if (a->chunked && !raw_send(fd, size, (size_t)len))
			return false;
		if (!raw_send(fd, buf, n) || (a->chunked && !raw_send(fd, "\r\n", 2)))
			return false;
		pos += n;
	}
	return !a->chunked || a->stop < a->to || raw_send(fd, "0\r\n\r\n", 5);
}

/* False: the connection is over. */
static bool answer_send(int fd, unsigned number, const struct answer *a)
{
	const struct row *row = &rows[number];
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	char head[1024];
	size_t n;

	(void)snprintf(head, sizeof(head), "HTTP/1.1 %u Status\r\n%s", a->status,
		       a->status < 400 ? "Cache-Control: max-age=6000\r\n" : "");
	if (a->status == 200 || a->status == 206)
		tag_put(head, sizeof(head), row, a->version);
	n = strlen(head);
	if (a->status == 206 && !a->no_range)
		n += (size_t)snprintf(head + n, sizeof(head) - n,
				      "Content-Range: bytes %ju-%ju/%ju\r\n", (uintmax_t)a->start,
				      (uintmax_t)(a->start + (a->to - a->from) - 1),
				      (uintmax_t)a->total);
	if (a->chunked)
		(void)snprintf(head + n, sizeof(head) - n, "Transfer-Encoding: chunked\r\n\r\n");
	else
		(void)snprintf(head + n, sizeof(head) - n, "Content-Length: %ju\r\n\r\n",
			       (uintmax_t)(a->to - a->from));
	if (raw_send(fd, head, strlen(head)) && body_send(fd, number, a) && a->stop >= a->to)
		return true;
	if (a->reset)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	return false;
}

/* The rest, as the row wants it said. False: say nothing. */
static bool rest_answer(const struct row *row, bool ranged, struct answer *a)
{
	switch (row->after) {
	case GOES_ON:
		break;
	case WHOLE:
	case OTHER_WHOLE:
	case WRONG_LENGTH:
		a->status = 200;
		a->from = 0;
		a->version = row->after == OTHER_WHOLE;
		if (row->after == WRONG_LENGTH)
			a->to = a->stop = row->size - SHORTER;
		break;
	case OTHER_PART:
		a->version = 1;
		break;
	case WRONG_START:
		a->from = a->start = a->from / 2;
		break;
	case WRONG_TOTAL:
		a->total += 1000;
		break;
	case NO_RANGE:
		a->no_range = true;
		break;
	case ENDS_EARLY:
		a->stop = a->from + (a->to - a->from) / 3;
		break;
	case LONGER:
		a->start = a->from;
		a->from -= a->from < 1000 ? a->from : 1000;
		break;
	case UNSATISFIED:
	case ERROR_500:
		a->status = row->after == ERROR_500 ? 500 : 416;
		a->from = a->to = a->stop = 0;
		break;
	case DIES_AGAIN:
		a->stop = a->from + row->size / 8;
		break;
	case SILENT:
		return false;
	}
	if (a->status == 206 && !ranged)
		a->status = 200; /* from 0, all of it */
	if (a->stop > a->to)
		a->stop = a->to;
	return true;
}

/* Is If-Range, if it is there, the tag of this version? */
static bool if_range_holds(const char *head, const struct row *row, unsigned version)
{
	const char *tested = strcasestr(head, "\r\nIf-Range: ");
	char tag[128] = "";

	tag_put(tag, sizeof(tag), row, version);
	return !tested ||
	       (tag[0] && row->tag != WEAK &&
		!strncmp(tested + 12, strchr(tag, ' ') + 1, strcspn(strchr(tag, ' ') + 1, "\r")));
}

static bool origin_answer(int fd, unsigned origin, const char *head)
{
	const char *range = strcasestr(head, "\r\nRange: bytes=");
	struct answer a = { .status = 200, .reset = false };
	const struct row *row;
	unsigned number;
	bool first, well;
	char *end;

	if (sscanf(head, "GET /d%u ", &number) != 1 || number >= ROWS)
		return false;
	row = &rows[number];
	pthread_mutex_lock(&state[number].lock);
	state[number].asked++;
	well = state[number].well;
	first = !well && !state[number].died && !range;
	if (first)
		state[number].died = true;
	pthread_mutex_unlock(&state[number].lock);

	a.to = a.stop = a.total = row->size;
	a.reset = row->how & RESET;
	a.chunked = row->how & CHUNKED && !range;
	if (range) {
		a.status = 206;
		a.from = a.start = strtoull(range + 15, &end, 10);
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			a.to = strtoull(end + 1, NULL, 10) + 1;
		a.stop = a.to = a.to < row->size ? a.to : row->size;
	}
	if (well) {
		a.version = row->after == OTHER_WHOLE || row->after == OTHER_PART;
		if (range && !if_range_holds(head, row, a.version)) {
			a.status = 200;
			a.from = 0;
			a.to = a.stop = row->size;
			a.chunked = row->how & CHUNKED;
		}
	} else if (first) {
		a.stop = row->size * row->die / 100;
		if (row->die == 99)
			a.stop = row->size - 1;
		if (row->die == 0)
			return false;
	} else if (state[number].died) {
		if (row->how & MIRROR && origin == 0)
			return false;
		if (!rest_answer(row, range != NULL, &a))
			return false;
	}
	return answer_send(fd, number, &a);
}

struct accepted {
	int fd;
	unsigned origin;
};

static void *origin_conn(void *arg)
{
	struct accepted *c = arg;
	char head[8192];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(c->fd, head + n, sizeof(head) - 1 - n, 0)) > 0) {
		n += (size_t)got;
		head[n] = 0;
		if (!strstr(head, "\r\n\r\n"))
			continue;
		if (!origin_answer(c->fd, c->origin, head))
			break;
		n = 0;
	}
	close(c->fd);
	free(c);
	return NULL;
}

static void *origin_run(void *arg)
{
	struct accepted *listener = arg;
	pthread_t thread;
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct accepted *c = malloc(sizeof(*c));

		if (!c)
			raw_die("origin");
		*c = (struct accepted){ fd, listener->origin };
		if (pthread_create(&thread, NULL, origin_conn, c) != 0)
			raw_die("thread");
		pthread_detach(thread);
	}
	raw_die("accept");
	return NULL;
}

/* ---- the devices ------------------------------------------------------------------------------------- */

struct device {
	unsigned row;
	uint64_t from; /* 0: the whole */
	unsigned late_ms;
	pthread_t thread;

	/* what came */
	unsigned status;
	uint64_t got, announced; /* UINT64_MAX: chunked */
	bool right[2];		 /* every byte is that version's */
	bool ended;		 /* the body's end was seen: chunked, or all that was announced */
	bool timed_out;
};

/* Compares body bytes at pos. */
static void compare(struct device *d, const char *p, size_t n)
{
	static _Thread_local char want[PIECE];
	uint64_t pos = (d->status == 206 ? d->from : 0) + d->got;

	for (unsigned v = 0; v < 2; v++) {
		if (!d->right[v])
			continue;
		body_write(d->row, v, pos, want, n);
		d->right[v] = !memcmp(want, p, n);
	}
	d->got += n;
}

/* Reads a line of the chunked coding. */
static bool line_read(FILE *f, char *line, size_t size)
{
	return fgets(line, (int)size, f) && strstr(line, "\r\n");
}

static void read_counted(struct device *d, FILE *f, uint64_t length)
{
	static _Thread_local char buf[PIECE];
	size_t n;

	while (length && (n = fread(buf, 1, length < PIECE ? (size_t)length : PIECE, f)) > 0) {
		compare(d, buf, n);
		length -= n;
	}
	d->ended = length == 0;
}

static void read_chunked(struct device *d, FILE *f)
{
	char line[64];

	while (line_read(f, line, sizeof(line))) {
		uint64_t size = strtoull(line, NULL, 16);

		d->ended = false;
		if (size)
			read_counted(d, f, size);
		else
			d->ended = true;
		if (!line_read(f, line, sizeof(line)) || !size)
			return;
	}
	d->ended = false;
}

static void head_read(struct device *d, FILE *f)
{
	char line[1024];

	d->announced = UINT64_MAX;
	if (!line_read(f, line, sizeof(line)) || sscanf(line, "HTTP/1.1 %u", &d->status) != 1)
		return;
	while (line_read(f, line, sizeof(line)) && strcmp(line, "\r\n") != 0)
		if (!strncasecmp(line, "Content-Length:", 15))
			d->announced = strtoull(line + 15, NULL, 10);
}

static void *device_run(void *arg)
{
	struct device *d = arg;
	struct timeval limit = { .tv_sec = LIMIT_MS / 1000 };
	char ask[256];
	FILE *f;
	int fd, n;

	if (d->late_ms)
		nanosleep(&(struct timespec){ 0, d->late_ms * 1000000 }, NULL);
	fd = raw_connect("127.0.0.1", at.proxy);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = snprintf(ask, sizeof(ask), "GET /acme/d%u HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
		     d->row);
	if (d->from)
		n += snprintf(ask + n, sizeof(ask) - (size_t)n, "Range: bytes=%ju-\r\n",
			      (uintmax_t)d->from);
	n += snprintf(ask + n, sizeof(ask) - (size_t)n, "\r\n");
	d->right[0] = d->right[1] = true;
	f = fdopen(fd, "r");
	if (!f)
		raw_die("fdopen");
	if (raw_send(fd, ask, (size_t)n))
		head_read(d, f);
	errno = 0;
	if ((d->status == 200 || d->status == 206) && d->announced != UINT64_MAX)
		read_counted(d, f, d->announced);
	else if (d->status == 200 || d->status == 206)
		read_chunked(d, f);
	d->timed_out = errno == EAGAIN;
	fclose(f);
	return NULL;
}

/* NULL, or what is wrong with what it got. */
static const char *device_fault(const struct device *d, bool must_be_whole)
{
	uint64_t from = d->status == 206 ? d->from : 0, all = rows[d->row].size - from;
	/* That length came with a whole response: it is as good as the other. */
	uint64_t other = rows[d->row].after == WRONG_LENGTH ? all - SHORTER : all;

	if (d->timed_out)
		return "nothing came for a long time";
	if (d->status != 200 && d->status != 206)
		return must_be_whole ? "an error instead of the body" : NULL;
	if (d->got && !d->right[0] && !d->right[1])
		return "wrong bytes, or two versions in one";
	if (d->ended && d->got != all && d->got != other)
		return "a short body that looks whole";
	if (must_be_whole && !d->ended)
		return "it was cut";
	return NULL;
}

/* ---- the play ---------------------------------------------------------------------------------------- */

static char why[256];

static void fault(const char *when, const struct device *d, const char *what)
{
	if (what && !why[0])
		(void)snprintf(why, sizeof(why), "%s: %s (status %u, %ju of %ju bytes)", when, what,
			       d->status, (uintmax_t)d->got, (uintmax_t)rows[d->row].size);
}

static void store_idle(void)
{
	int64_t due = raw_ms() + LIMIT_MS;
	bool idle = false;

	while (!idle && raw_ms() < due) {
		char *stat = raw_admin(at.admin, "/api/v1/stat");

		idle = raw_counter(stat, "store.queue_bytes") == 0 &&
		       raw_counter(stat, "flight.open") == 0;
		free(stat);
		if (!idle)
			nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
	}
}

static void devices_at_once(unsigned row)
{
	struct device d[READERS] = { { .row = row } };
	unsigned whole = 0;

	for (unsigned i = 0; i < READERS; i++) {
		d[i] = (struct device){ .row = row, .late_ms = i == 2 ? 15 : 0 };
		if (i == 3)
			d[i].from = rows[row].size / 2 + 7;
		if (pthread_create(&d[i].thread, NULL, device_run, &d[i]) != 0)
			raw_die("thread");
	}
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(d[i].thread, NULL);
		fault("while it dies", &d[i], device_fault(&d[i], rows[row].how & ALL));
		whole += d[i].ended;
	}
	printf("# %s: %u of %u whole\n", rows[row].name, whole, (unsigned)READERS);
}

/* One device; `stored`: nobody may be asked. */
static void device_alone(unsigned row, bool stored)
{
	struct device d = { .row = row };
	unsigned asked = state[row].asked;
	const char *when = stored ? "from the store" : "afterwards";

	device_run(&d);
	fault(when, &d, device_fault(&d, true));
	if (stored && state[row].asked != asked)
		fault(when, &d, "the origin was asked");
}

static void play(struct tap *tap, bool only_stored)
{
	char name[160];

	for (unsigned i = 0; i < ROWS; i++) {
		why[0] = 0;
		if (!only_stored) {
			devices_at_once(i);
			store_idle();
			state[i].well = true;
			device_alone(i, false);
			store_idle();
		}
		device_alone(i, true);
		(void)snprintf(name, sizeof(name), "%s%s", only_stored ? "after a restart: " : "",
			       rows[i].name);
		tap_line(tap, name, why[0] ? why : NULL);
	}
}

int main(int argc, char **argv)
{
	static struct accepted listeners[ORIGINS];
	bool only_stored = argc > 1 && !strcmp(argv[1], "-s");
	struct tap tap = { 0 };
	pthread_t thread;

	argc -= only_stored;
	argv += only_stored;
	if (argc != 4) {
		fputs("usage: dying [-s] PROXY_PORT ORIGIN_PORT ADMIN_SOCKET\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	at.proxy = (unsigned)atoi(argv[1]);
	at.origin = (unsigned)atoi(argv[2]);
	at.admin = argv[3];
	for (unsigned i = 0; i < ORIGINS; i++) {
		listeners[i].origin = i;
		listeners[i].fd = raw_listen(i ? "127.0.0.10" : "127.0.0.9", at.origin);
		if (pthread_create(&thread, NULL, origin_run, &listeners[i]) != 0)
			raw_die("thread");
		pthread_detach(thread);
	}
	for (unsigned i = 0; i < ROWS && only_stored; i++)
		state[i].well = true;
	play(&tap, only_stored);
	return tap_end(&tap);
}
