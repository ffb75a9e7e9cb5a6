/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw TCP for test tools: servers, clients, and the admin socket. Everything ends at a deadline; what can't go on
 * ends the tool.
 */
#ifndef TESTS_TOOLS_RAW_H
#define TESTS_TOOLS_RAW_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static inline void raw_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static inline int64_t raw_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline struct sockaddr_in raw_addr(const char *address, unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		raw_die(address);
	return at;
}

static inline int raw_listen(const char *address, unsigned port)
{
	struct sockaddr_in at = raw_addr(address, port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		raw_die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 256) < 0)
		raw_die("listen");
	return fd;
}

static inline int raw_connect(const char *address, unsigned port)
{
	struct sockaddr_in at = raw_addr(address, port);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		raw_die("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* All of it, or false: the other side is gone. */
static inline bool raw_send(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* The whole answer of tarn-proxy's admin socket, malloc()ed. */
static inline char *raw_admin(const char *path, const char *resource)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t room = 1 << 18, n = 0;
	char *text = malloc(room), ask[256];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int len = snprintf(ask, sizeof(ask), "GET %s HTTP/1.0\r\n\r\n", resource);
	ssize_t got;

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (!text || fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    !raw_send(fd, ask, (size_t)len))
		raw_die(path);
	while (n < room - 1 && (got = recv(fd, text + n, room - 1 - n, 0)) > 0)
		n += (size_t)got;
	text[n] = 0;
	close(fd);
	return text;
}

/* A counter's value in what /api/v1/stat said; -1: there is none of that name. */
static inline int64_t raw_counter(const char *stat, const char *name)
{
	char quoted[128];
	const char *at;

	(void)snprintf(quoted, sizeof(quoted), "\"name\": \"%s\"", name);
	at = strstr(stat, quoted);
	at = at ? strstr(at, "\"value\": ") : NULL;
	return at ? strtoll(at + 9, NULL, 10) : -1;
}

/* ---- TAP ----------------------------------------------------------------------------------------- */

struct tap {
	unsigned n, failed;
};

static inline void tap_line(struct tap *tap, const char *what, const char *why_not)
{
	tap->n++;
	printf("%sok %u - %s\n", why_not ? "not " : "", tap->n, what);
	if (why_not) {
		tap->failed++;
		printf("# %s\n", why_not);
	}
	fflush(stdout);
}

static inline int tap_end(const struct tap *tap)
{
	printf("1..%u\n", tap->n);
	return tap->failed != 0;
}

#endif
