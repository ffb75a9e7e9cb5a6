/* SPDX-License-Identifier: Apache-2.0 */
/*
 * million DIR fill N			fills a store with N objects, most of them small, and closes it
 * million DIR check N			looks each of them up: prints how many are lost or wrong
 * million DIR first N PORT PROGRAM...	drops the store's pages from memory, starts the program and asks it for object
 *					N until it answers from the store, whole and right: prints PID and milliseconds
 *
 * The objects are /acme/o/0 ... of the vendor that tests/tools/wire writes.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/unit/cache/rig.h"

#define LIMIT	 (UINT64_C(16) << 30)
#define COMMIT	 16000
#define DEADLINE UINT64_C(60000000000) /* ns */

static void key_text(unsigned i, char buf[64])
{
	(void)snprintf(buf, 64, "acme @content /o/%u", i);
}

/* Every hundredth in a chunk of its own, the others in the record. */
static uint64_t length_of(unsigned i)
{
	return i % 100 ? 400 + i % 300 : 4096;
}

static void put(struct rig *rig, unsigned i)
{
	uint64_t id = store_id_new(rig->store), length = length_of(i);
	uint8_t body[4096];
	char text[64];
	struct lease *lease = lease_new(rig->store, id);
	struct object o;

	CHECK(lease != NULL);
	key_text(i, text);
	o = body_object(text, id, length);
	o.requested = o.received = o.date = rig->now.wall_ms / 1000;
	o.lifetime = 86400;
	body_fill(i, 0, body, length);
	if (object_fits_inline(&o, length))
		o.body = span_make(body, length);
	else
		CHECK_OK(body_put_chunk(rig, id, 0, length, i));
	CHECK_OK(writer_put_object(rig->writer, &o, rig_done, rig));
	lease_unref(&lease);
}

static void rig_at(struct rig *rig, const char *dir)
{
	*rig = (struct rig){ .now = clock_read() };
	rig->config = (struct store_config){ .path = dir, .limit = LIMIT, .readers = 16 };
	CHECK_OK(chunk_pool_new(4096, &rig->pool));
	rig_open(rig);
	CHECK(store_state(rig->store) == STORE_SERVING);
}

static void rig_leave(struct rig *rig)
{
	rig_close(rig);
	chunk_pool_free(&rig->pool);
}

static int fill(const char *dir, unsigned n)
{
	struct rig rig;

	rig_at(&rig, dir);
	for (unsigned i = 0; i < n; i++) {
		put(&rig, i);
		if (i % COMMIT == COMMIT - 1)
			CHECK_OK(rig_commit(&rig));
	}
	CHECK_OK(rig_commit(&rig));
	CHECK(rig.rc == 0);
	rig_leave(&rig);
	return 0;
}

/* Each is looked up in its turn, which is anywhere in the file: one read from end to end is quicker. */
static void pages_read(const char *dir)
{
	static char buf[1 << 20];
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/store.mdb", dir);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

static int check(const char *dir, unsigned n)
{
	unsigned lost = 0;
	struct rig rig;

	pages_read(dir);
	rig_at(&rig, dir);
	for (unsigned i = 0; i < n; i++) {
		char text[64];

		key_text(i, text);
		lost += body_check(rig.reader, text, length_of(i), i) != 0;
	}
	rig_leave(&rig);
	printf("%u\n", lost);
	return lost != 0;
}

static void pages_drop(const char *dir)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/store.mdb", dir);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_OK(fsync(fd));
	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
}

/* Bytes of the answer, 0: nobody answers yet. */
static size_t ask(uint16_t port, unsigned i, char *buf, size_t size)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char head[128];
	size_t n = 0;
	ssize_t got;
	int len = snprintf(head, sizeof(head),
			   "GET /acme/o/%u HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", i);

	CHECK(fd >= 0);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    write(fd, head, (size_t)len) == len) {
		while (n < size && (got = read(fd, buf + n, size - n)) > 0)
			n += (size_t)got;
	}
	close(fd);
	return n;
}

static bool answer_right(const char *buf, size_t n, unsigned i)
{
	const char *end = memmem(buf, n, "\r\n\r\n", 4);
	uint64_t length = length_of(i);

	return end && strncmp(buf, "HTTP/1.1 200", 12) == 0 &&
	       memmem(buf, (size_t)(end - buf), "; hit", 5) &&
	       (size_t)(buf + n - (end + 4)) == length && body_is(i, 0, span_make(end + 4, length));
}

static int first(const char *dir, unsigned i, uint16_t port, char **program)
{
	static char buf[16384];
	uint64_t began;
	size_t n = 0;
	pid_t pid;

	pages_drop(dir);
	began = clock_mono_ns();
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)setsid();
		(void)close(1);
		(void)open("/dev/null", O_WRONLY);
		execvp(program[0], program);
		_exit(127);
	}
	while (n == 0 && clock_mono_ns() - began < DEADLINE) {
		n = ask(port, i, buf, sizeof(buf));
		if (n == 0)
			(void)usleep(200);
	}
	printf("%d %.1f\n", (int)pid, (double)(clock_mono_ns() - began) / 1e6);
	if (!answer_right(buf, n, i)) {
		fprintf(stderr, "million: not what is stored: %.*s\n", (int)(n < 500 ? n : 500),
			buf);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned n = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;

	if (argc == 4 && strcmp(argv[2], "fill") == 0)
		return fill(argv[1], n);
	if (argc == 4 && strcmp(argv[2], "check") == 0)
		return check(argv[1], n);
	if (argc > 5 && strcmp(argv[2], "first") == 0)
		return first(argv[1], n, (uint16_t)strtoul(argv[4], NULL, 10), argv + 5);
	fprintf(stderr, "usage: million DIR fill|check N, or DIR first N PORT PROGRAM...\n");
	return 2;
}
