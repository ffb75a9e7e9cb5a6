/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace - an origin that sends at a steady pace, and breaks where it is told to.
 *
 *	pace [-r BYTES_A_SECOND] [-k PERCENT] [-e ETAG] [-i] ADDRESS PORT FOLDER
 *
 * Serves the files of FOLDER to GET, a thread a connection. -r: bodies leave at this rate by the clock, so a
 * late wake-up is made up for. -k: whole bodies are cut after this part of them, rests (Range) are not. -e: the
 * entity tag, quotes included. -i: Range is ignored. All is of the first day of 2025. Each request is a line on standard output:
 * its target and its Range. Once it listens it says "ready".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES 16384
#define TICK_NS	   2000000 /* between two looks at the clock */
#define MODIFIED   "Wed, 01 Jan 2025 00:00:00 GMT"

static struct {
	double rate; /* 0: as fast as it goes */
	int kill_percent;
	bool no_range;
	const char *etag, *folder;
} pace;

static void die(const char *what)
{
	fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sends bytes [from, to) in time. False: the other side is gone. */
static bool body_send(int fd, int file, off_t from, off_t to)
{
	double start = seconds_now();
	off_t begin = from;

	while (from < to) {
		off_t due =
			pace.rate > 0 ? begin + (off_t)(pace.rate * (seconds_now() - start)) : to;

		if (due > to)
			due = to;
		if (due <= from)
			nanosleep(&(struct timespec){ .tv_nsec = TICK_NS }, NULL);
		else if (sendfile(fd, file, &from, (size_t)(due - from)) <= 0)
			return false;
	}
	return true;
}

static bool if_range_holds(const char *head)
{
	const char *value = strcasestr(head, "\r\nIf-Range: ");

	return !value || strncmp(value + 12, pace.etag, strlen(pace.etag)) == 0 ||
	       strncmp(value + 12, MODIFIED, strlen(MODIFIED)) == 0;
}

static bool range_parse(const char *head, off_t size, off_t *ret_from, off_t *ret_to)
{
	const char *range = pace.no_range ? NULL : strcasestr(head, "\r\nRange: bytes=");
	char *end;

	if (!range || !if_range_holds(head))
		return false;
	*ret_from = strtoll(range + 15, &end, 10);
	if (*ret_from < 0) { /* a suffix */
		*ret_from = size + *ret_from < 0 ? 0 : size + *ret_from;
		*ret_to = size;
		return size > 0;
	}
	*ret_to = end[1] >= '0' && end[1] <= '9' ? strtoll(end + 1, NULL, 10) + 1 : size;
	if (*ret_to > size)
		*ret_to = size;
	return *ret_from < *ret_to;
}

static void log_request(const char *head)
{
	const char *range = strcasestr(head, "\r\nRange: ");
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	printf("%.*s %.*s\n", (int)strcspn(head, "\r"), head,
	       range ? (int)strcspn(range + 9, "\r") : 0, range ? range + 9 : "");
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

/* Answers one request. False: the connection is over. */
static bool answer(int fd, const char *head)
{
	char path[1024], out[1024];
	struct stat st;
	off_t from = 0, to;
	bool part, good;
	int file, n;

	log_request(head);
	if (sscanf(head, "GET /%900[A-Za-z0-9._/-] ", out) != 1)
		return false;
	(void)snprintf(path, sizeof(path), "%.100s/%.800s", pace.folder, out);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0) {
		n = snprintf(out, sizeof(out),
			     "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
		return send(fd, out, (size_t)n, MSG_NOSIGNAL) == n;
	}
	to = st.st_size;
	part = range_parse(head, st.st_size, &from, &to);
	n = snprintf(out, sizeof(out),
		     "HTTP/1.1 %s\r\nContent-Length: %jd\r\nETag: %s\r\nLast-Modified: " MODIFIED
		     "\r\nCache-Control: max-age=600\r\n",
		     part ? "206 Partial Content" : "200 OK", (intmax_t)(to - from), pace.etag);
	if (part)
		n += snprintf(out + n, sizeof(out) - (size_t)n,
			      "Content-Range: bytes %jd-%jd/%jd\r\n", (intmax_t)from,
			      (intmax_t)to - 1, (intmax_t)st.st_size);
	n += snprintf(out + n, sizeof(out) - (size_t)n, "\r\n");
	if (pace.kill_percent && !part)
		to = to * pace.kill_percent / 100;
	good = send(fd, out, (size_t)n, MSG_NOSIGNAL | MSG_MORE) == n &&
	       body_send(fd, file, from, to);
	close(file);
	return good && (part || !pace.kill_percent);
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char head[HEAD_BYTES];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, head + n, sizeof(head) - 1 - n, 0)) > 0) {
		n += (size_t)got;
		head[n] = 0;
		if (!strstr(head, "\r\n\r\n"))
			continue;
		if (!answer(fd, head))
			break;
		n = 0;
	}
	close(fd);
	return NULL;
}

static int listen_at(const char *address, const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1)
		die(address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0)
		die("listen");
	return fd;
}

int main(int argc, char **argv)
{
	int option, fd;
	pthread_t thread;

	pace.etag = "\"paced\"";
	while ((option = getopt(argc, argv, "r:k:e:i")) != -1) {
		switch (option) {
		case 'r':
			pace.rate = atof(optarg);
			break;
		case 'k':
			pace.kill_percent = atoi(optarg);
			break;
		case 'e':
			pace.etag = optarg;
			break;
		case 'i':
			pace.no_range = true;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3) {
		fputs("usage: pace [-r RATE] [-k PERCENT] [-e ETAG] [-i] ADDRESS PORT FOLDER\n",
		      stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	pace.folder = argv[optind + 2];
	fd = listen_at(argv[optind], argv[optind + 1]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0)
			die("accept");
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)conn) != 0)
			die("thread");
		pthread_detach(thread);
	}
}
