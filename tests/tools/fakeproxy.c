/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest data plane: it takes the heritage of firmware/heritage.h and answers every intercepted request with
 * "ICPT" and the addresses it saw. So it tests the keeper without a cache, and the contract without a proxy.
 *
 * In the environment:
 *   FAKEPROXY=MODE        unhealthy: says that no upstream can be reached. mute: never ready. silent: ready, no
 *                         heartbeat. ballast: with 256 MiB of memory in use, so that dying takes its time.
 *   FAKEPROXY_VENDORS     addresses to announce, separated by spaces
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "firmware/heritage.h"

#define BEAT_MS	  50
#define HEALTH_MS 1000
#define DRAIN_MS  2000
#define BALLAST	  (256u << 20)

struct connection {
	int fd;
	size_t n;
	char head[2048];
};

static const char *mode = "";
static volatile uint64_t *beats;
static unsigned workers;
static unsigned open_connections;
static bool draining;
static char *volatile ballast; /* only there to be freed at the end */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "fakeproxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void tell(const union heritage_message *m)
{
	if (send(HERITAGE_FD_KEEPER, m, m->head.size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN)
		fprintf(stderr, "fakeproxy: send: %s\n", strerror(errno));
}

static void tell_health(void)
{
	union heritage_message m = { .health = HERITAGE_INIT(HERITAGE_HEALTH, heritage_health) };

	m.health.reachable = strcmp(mode, "unhealthy") != 0;
	heritage_reason(m.health.reason, m.health.reachable ? "" : "the test says so");
	tell(&m);
}

static void tell_vendors(void)
{
	char *list = getenv("FAKEPROXY_VENDORS"), *one, *rest;

	list = strdup(list ? list : "");
	for (one = strtok_r(list, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
		union heritage_message m = { .vendor = HERITAGE_INIT(HERITAGE_VENDOR_ADDR,
								     heritage_vendor) };
		struct in_addr v4;

		m.vendor.ttl = 3600;
		if (inet_pton(AF_INET, one, &v4) == 1) {
			m.vendor.addr[10] = m.vendor.addr[11] = 0xff;
			memcpy(m.vendor.addr + 12, &v4, 4);
		} else if (inet_pton(AF_INET6, one, m.vendor.addr) != 1) {
			die(one);
		}
		tell(&m);
	}
	free(list);
}

static void tell_ready(void)
{
	union heritage_message m = { .ready = HERITAGE_INIT(HERITAGE_READY, heritage_ready) };

	m.ready.workers = workers;
	tell(&m);
}

static void beat(uint64_t at)
{
	for (unsigned i = 0; i < workers; i++)
		beats[i] = at;
}

static void drain(int epoll, const char *why)
{
	if (draining)
		return;
	fprintf(stderr, "fakeproxy: ending: %s\n", why);
	draining = true;
	beat(0);
	for (unsigned i = 0; i < workers; i++) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, HERITAGE_FD_LISTEN + (int)i, NULL);
		close(HERITAGE_FD_LISTEN + (int)i);
	}
}

static void keeper_read(int epoll)
{
	union heritage_message m;
	ssize_t n = recv(HERITAGE_FD_KEEPER, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
	char text[INET6_ADDRSTRLEN];

	if (n == 0) {
		epoll_ctl(epoll, EPOLL_CTL_DEL, HERITAGE_FD_KEEPER, NULL);
		drain(epoll, "the keeper is gone");
	} else if (n > 0 && !heritage_valid(&m, (size_t)n, false)) {
		fprintf(stderr, "fakeproxy: invalid message of %zd bytes\n", n);
	} else if (n > 0 && m.head.type == HERITAGE_STOP) {
		drain(epoll, "asked to");
	} else if (n > 0 && m.head.type == HERITAGE_STATE) {
		fprintf(stderr, "fakeproxy: armed=%u reason=%s\n", m.state.armed, m.state.reason);
	} else if (n > 0 && m.head.type == HERITAGE_VENDOR_SEEN) {
		fprintf(stderr, "fakeproxy: seen=%s ttl=%u\n",
			inet_ntop(AF_INET6, m.vendor.addr, text, sizeof(text)), m.vendor.ttl);
	}
}

static void text_of(const struct sockaddr_in6 *a, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof(ip));
	snprintf(out, size, "%s,%u", strncmp(ip, "::ffff:", 7) ? ip : ip + 7, ntohs(a->sin6_port));
}

static void answer(const struct connection *c)
{
	char to[64], from[64], body[160], all[400];
	struct sockaddr_in6 a = { 0 };
	socklen_t len = sizeof(a);

	getsockname(c->fd, (struct sockaddr *)&a, &len);
	text_of(&a, to, sizeof(to));
	len = sizeof(a);
	getpeername(c->fd, (struct sockaddr *)&a, &len);
	text_of(&a, from, sizeof(from));
	snprintf(body, sizeof(body), "ICPT to=%s from=%s\n", to, from);
	snprintf(all, sizeof(all),
		 "HTTP/1.1 200 OK\r\nVia: 1.1 fakeproxy\r\nContent-Length: %zu\r\n"
		 "Connection: close\r\n\r\n%s",
		 strlen(body), body);
	if (send(c->fd, all, strlen(all), MSG_NOSIGNAL) < 0)
		fprintf(stderr, "fakeproxy: answer: %s\n", strerror(errno));
}

static void connection_end(struct connection *c)
{
	close(c->fd);
	free(c);
	open_connections--;
}

/* As the real one does it (proxy/probe.c), with a store that is well. */
static bool selftest_answered(const struct connection *c)
{
	struct selftest_answer all = { .magic = SELFTEST_MAGIC };
	struct selftest_ask ask;

	if (c->n != sizeof(ask))
		return false;
	memcpy(&ask, c->head, sizeof(ask));
	if (ask.magic != SELFTEST_MAGIC)
		return false;
	memcpy(all.word, ask.word, sizeof(all.word));
	if (send(c->fd, &all, sizeof(all), MSG_NOSIGNAL) < 0)
		fprintf(stderr, "fakeproxy: selftest: %s\n", strerror(errno));
	return true;
}

/* A path that begins with /hold is never answered. */
static void connection_read(struct connection *c)
{
	ssize_t n = recv(c->fd, c->head + c->n, sizeof(c->head) - 1 - c->n, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		connection_end(c);
		return;
	}
	c->n += (size_t)n;
	c->head[c->n] = '\0';
	if (selftest_answered(c)) {
		connection_end(c);
		return;
	}
	if (!strstr(c->head, "\r\n\r\n") || !strncmp(c->head, "GET /hold", 9))
		return;
	answer(c);
	connection_end(c);
}

static void accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

		if (!c)
			die("calloc");
		c->fd = fd;
		open_connections++;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
	}
}

static void watch(int epoll, int fd)
{
	/* Small numbers are descriptors, others are pointers to connections. */
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		die("epoll_ctl");
}

static void heritage_take(void)
{
	const char *given = getenv(HERITAGE_ENV), *n = getenv(HERITAGE_ENV_WORKERS);

	if (!given || !n || strcmp(given, "1")) {
		fprintf(stderr, "fakeproxy: no heritage\n");
		exit(2);
	}
	workers = (unsigned)atoi(n);
	beats = mmap(NULL, HERITAGE_WORKERS_MAX * sizeof(*beats), PROT_READ | PROT_WRITE,
		     MAP_SHARED, HERITAGE_FD_BEATS, 0);
	if (beats == MAP_FAILED)
		die("mmap of the heartbeats");
}

static void ballast_take(void)
{
	ballast = malloc(BALLAST);
	if (!ballast)
		die("malloc");
	memset(ballast, 1, BALLAST);
}

static void serve(int epoll)
{
	uint64_t health_at = now_ns(), drain_at = 0;
	struct epoll_event e[64];

	for (;;) {
		int n = epoll_wait(epoll, e, 64, BEAT_MS);
		uint64_t now = now_ns();

		for (int i = 0; i < n; i++) {
			if (e[i].data.u64 == HERITAGE_FD_KEEPER)
				keeper_read(epoll);
			else if (e[i].data.u64 < 4096)
				accept_all(epoll, (int)e[i].data.u64);
			else
				connection_read(e[i].data.ptr);
		}
		if (draining) {
			drain_at = drain_at ? drain_at : now + DRAIN_MS * 1000000ull;
			if (!open_connections || now > drain_at)
				return;
			continue;
		}
		if (strcmp(mode, "silent"))
			beat(now);
		if (now - health_at > HEALTH_MS * 1000000ull) {
			tell_health();
			health_at = now;
		}
	}
}

int main(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	mode = getenv("FAKEPROXY") ? getenv("FAKEPROXY") : "";
	signal(SIGHUP, SIG_IGN);
	heritage_take();
	if (!strcmp(mode, "ballast"))
		ballast_take();
	watch(epoll, HERITAGE_FD_KEEPER);
	for (unsigned i = 0; i < workers; i++)
		watch(epoll, HERITAGE_FD_LISTEN + (int)i);
	if (strcmp(mode, "silent"))
		beat(now_ns());
	if (strcmp(mode, "mute")) {
		tell_ready();
		tell_vendors();
		tell_health();
	}
	serve(epoll);
	return 0;
}
