/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drip PORT HOST HOST_PORT BYTES MS: on 127.0.0.1:PORT takes one connection and carries it to HOST (an address): what
 * comes from the client in pieces of BYTES, MS apart, what comes back at once. Says "ready" when it listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int tcp(const char *host, const char *port,
	       int (*join)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || inet_pton(AF_INET, host, &at.sin_addr) != 1)
		die(host);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (join(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die(host);
	return fd;
}

/* One read's worth. 0 at the end. */
static ssize_t carry(int from, int to, size_t piece, long ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	char buf[16384];
	ssize_t n = read(from, buf, sizeof(buf));

	for (ssize_t at = 0; at < n;) {
		size_t part = (size_t)(n - at) < piece ? (size_t)(n - at) : piece;

		if (write(to, buf + at, part) != (ssize_t)part)
			return 0;
		at += (ssize_t)part;
		if (ms)
			nanosleep(&pause, NULL);
	}
	return n > 0 ? n : 0;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2];
	int listener;

	if (argc != 6)
		return 2;
	listener = tcp("127.0.0.1", argv[1], bind);
	if (listen(listener, 1) < 0)
		die("listen");
	puts("ready");
	fflush(stdout);
	fds[0] = (struct pollfd){ .fd = accept(listener, NULL, NULL), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = tcp(argv[2], argv[3], connect), .events = POLLIN };
	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents &&
		    !carry(fds[0].fd, fds[1].fd, (size_t)atoi(argv[4]), atol(argv[5])))
			return 0;
		if (fds[1].revents && !carry(fds[1].fd, fds[0].fd, 16384, 0))
			return 0;
	}
	return 0;
}
