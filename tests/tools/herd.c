/* SPDX-License-Identifier: Apache-2.0 */
/*
 * herd - many clients that ask for one URL at the same time.
 *
 *	herd [-n CLIENTS] [-H HOST] [-b FILE] [-s] [-d] [-w] [-t SECONDS] ADDRESS PORT TARGET
 *
 * All connect first, then all send their request, then all read. Each body is compared with FILE (-b), byte by byte,
 * and hashed (-s; SHA-256), or counted and dropped in
 * the kernel (-d): then the server is measured, not its clients. -w: when all are done they keep
 * their connections, "idle" is printed, and after a line on standard input all ask again. Prints JSON: how many were complete, wrong, failed; the time of the first body byte and of
 * the last, of the fastest, the median and the slowest client, in seconds since the requests were sent;
 * and the digests that were seen. The exit status is 0 if every client got a whole, right body.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES   8192
#define READ_BYTES   (256 * 1024)
#define DIGEST_BYTES 32

struct client {
	int fd;
	char head[HEAD_BYTES];
	size_t head_n;
	bool headed, over, wrong;
	unsigned status;
	uint64_t length, got;
	double first, last;
	EVP_MD_CTX *hash;
	char digest[DIGEST_BYTES * 2 + 1];
};

static struct {
	unsigned n;
	const char *host, *file, *address, *port, *target;
	bool hash, drop, wait;
	bool keep; /* connections outlive this round */
	int seconds;
	const uint8_t *body;
	uint64_t body_n;
	struct client *clients;
	double start;
	unsigned running;
} herd = { .n = 200, .host = "herd", .seconds = 60 };

static void die(const char *what)
{
	fprintf(stderr, "herd: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void file_map(void)
{
	struct stat st;
	int fd = open(herd.file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die(herd.file);
	herd.body_n = (uint64_t)st.st_size;
	herd.body = mmap(NULL, herd.body_n, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (herd.body == MAP_FAILED)
		die("mmap");
	close(fd);
}

static void client_connect(struct client *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(herd.port)) };
	int one = 1;

	if (inet_pton(AF_INET, herd.address, &to.sin_addr) != 1)
		die(herd.address);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
	if (herd.hash) {
		c->hash = EVP_MD_CTX_new();
		if (!c->hash || !EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL))
			die("SHA-256");
	}
}

static void client_send(struct client *c)
{
	char request[2048];
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
			 herd.target, herd.host);

	if (n < 0 || (size_t)n >= sizeof(request) ||
	    send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
}

static void client_over(struct client *c)
{
	unsigned char digest[DIGEST_BYTES];

	c->over = true;
	c->last = seconds_now() - herd.start;
	if (!herd.keep)
		close(c->fd);
	herd.running--;
	if (c->hash && EVP_DigestFinal_ex(c->hash, digest, NULL))
		for (unsigned i = 0; i < DIGEST_BYTES; i++)
			(void)snprintf(c->digest + 2 * i, 3, "%02x", digest[i]);
	EVP_MD_CTX_free(c->hash);
	c->hash = NULL;
}

static void client_body(struct client *c, const char *p, size_t n)
{
	if (!n)
		return;
	if (!c->got)
		c->first = seconds_now() - herd.start;
	if (herd.body && !herd.drop &&
	    (c->got + n > herd.body_n || memcmp(herd.body + c->got, p, n) != 0))
		c->wrong = true;
	if (c->hash && !herd.drop && !EVP_DigestUpdate(c->hash, p, n))
		die("SHA-256");
	c->got += n;
	if (c->got >= c->length)
		client_over(c);
}

/* The head's end, if it is there; what is behind it is body. */
static void client_head(struct client *c, const char *p, size_t n)
{
	size_t take = n < HEAD_BYTES - 1 - c->head_n ? n : HEAD_BYTES - 1 - c->head_n;
	size_t before = c->head_n;
	char *end, *length;

	memcpy(c->head + c->head_n, p, take);
	c->head_n += take;
	c->head[c->head_n] = 0;
	end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return;
	length = strcasestr(c->head, "\r\nContent-Length:");
	c->headed = true;
	c->status = (unsigned)atoi(c->head + 9);
	c->length = length ? strtoull(length + 17, NULL, 10) : UINT64_MAX;
	take = (size_t)(end + 4 - c->head) - before;
	client_body(c, p + take, n - take);
}

static void client_read(struct client *c)
{
	static char buf[READ_BYTES];
	bool drop = herd.drop && c->headed;
	ssize_t n = recv(c->fd, buf, sizeof(buf), drop ? MSG_TRUNC : 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		client_over(c);
	else if (c->headed)
		client_body(c, buf, (size_t)n);
	else
		client_head(c, buf, (size_t)n);
}

static void round_run(int epoll)
{
	struct epoll_event events[64];

	herd.start = seconds_now();
	herd.running = herd.n;
	for (unsigned i = 0; i < herd.n; i++)
		client_send(&herd.clients[i]);
	while (herd.running && seconds_now() - herd.start < herd.seconds) {
		int n = epoll_wait(epoll, events, 64, 1000);

		for (int i = 0; i < n; i++)
			client_read(&herd.clients[events[i].data.u32]);
	}
}

static void client_again(struct client *c)
{
	c->head_n = 0;
	c->headed = c->over = false;
	c->got = 0;
}

static void run(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		die("epoll");
	for (unsigned i = 0; i < herd.n; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		client_connect(&herd.clients[i]);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, herd.clients[i].fd, &event) < 0)
			die("epoll_ctl");
	}
	herd.keep = herd.wait;
	round_run(epoll);
	if (herd.wait) {
		puts("idle");
		fflush(stdout);
		(void)getchar();
		herd.keep = false;
		for (unsigned i = 0; i < herd.n; i++)
			client_again(&herd.clients[i]);
		round_run(epoll);
	}
	close(epoll);
}

static bool is_good(const struct client *c)
{
	return c->over && c->status == 200 && !c->wrong && c->got == c->length &&
	       (!herd.body || c->got == herd.body_n);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static json_t *spread(double *values, unsigned n)
{
	if (!n)
		return json_null();
	qsort(values, n, sizeof(*values), by_value);
	return json_pack("{s:f,s:f,s:f}", "min", values[0], "median", values[n / 2], "max",
			 values[n - 1]);
}

static bool report(void)
{
	double *first = calloc(herd.n, sizeof(*first)), *last = calloc(herd.n, sizeof(*last));
	json_t *digests = json_object();
	unsigned good = 0, wrong = 0;
	uint64_t bytes = 0;
	json_t *all;

	if (!first || !last || !digests)
		die("memory");
	for (unsigned i = 0; i < herd.n; i++) {
		const struct client *c = &herd.clients[i];

		bytes += c->got;
		wrong += c->wrong;
		if (!is_good(c))
			continue;
		first[good] = c->first;
		last[good++] = c->last;
		if (c->digest[0])
			json_object_set_new(digests, c->digest, json_true());
	}
	all = json_pack("{s:i,s:i,s:i,s:I,s:o,s:o,s:o}", "clients", (int)herd.n, "good", (int)good,
			"wrong", (int)wrong, "bytes", (json_int_t)bytes, "first_byte_s",
			spread(first, good), "whole_s", spread(last, good), "sha256", digests);
	json_dumpf(all, stdout, JSON_REAL_PRECISION(6) | JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(all);
	free(first);
	free(last);
	return good == herd.n;
}

int main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };
	int option;
	bool good;

	while ((option = getopt(argc, argv, "n:H:b:sdwt:")) != -1) {
		switch (option) {
		case 'n':
			herd.n = (unsigned)atoi(optarg);
			break;
		case 'H':
			herd.host = optarg;
			break;
		case 'b':
			herd.file = optarg;
			break;
		case 's':
			herd.hash = true;
			break;
		case 'd':
			herd.drop = true;
			break;
		case 'w':
			herd.wait = true;
			break;
		case 't':
			herd.seconds = atoi(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3 || !herd.n) {
		fputs("usage: herd [-n CLIENTS] [-H HOST] [-b FILE] [-s] [-d] [-w] [-t SECONDS] "
		      "ADDRESS PORT TARGET\n",
		      stderr);
		return 2;
	}
	herd.address = argv[optind];
	herd.port = argv[optind + 1];
	herd.target = argv[optind + 2];
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (herd.file)
		file_map();
	herd.clients = calloc(herd.n, sizeof(*herd.clients));
	if (!herd.clients)
		die("memory");
	run();
	good = report();
	free(herd.clients);
	return good ? 0 : 1;
}
