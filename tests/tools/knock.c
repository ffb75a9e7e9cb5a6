/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knock [options] ADDRESS PORT HOST PATH: a new connection every so often, one GET each, and who answered.
 *
 *   -e MS   a connection every MS ms (5)          -d MS   for MS ms (3000)
 *   -t MS   a connection may take MS ms (3000)    -H N    hold N more connections open from the start
 *   -k SIG:PID[,PID...] -a MS   after MS ms send SIG to these processes
 *
 * An answer with a Via field is the proxy's ("intercepted"), one without the vendor's ("direct"); a connection
 * that fails, ends early or takes too long has failed. One line of JSON; times in ms after the signal:
 *   before, in_service, after: {n, intercepted, direct, failed} for connections that had ended before the signal,
 *   were open at it, and began after it; first_ms: when the first one began; first_direct_ms: the first direct one;
 *   last_failed_ms: the last one that failed (-1: none); last_intercepted_ms; held_ended.
 *
 * It measures the box and not how long it waits for a CPU itself, so as root it asks for one before others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 20000
#define PIDS_MAX	8

enum outcome {
	PENDING,
	INTERCEPTED,
	DIRECT,
	FAILED
};

struct connection {
	int fd;
	bool sent;
	enum outcome outcome;
	double begun, ended;
	size_t n;
	char answer[1024];
};

struct tally {
	unsigned n, by[4];
};

static struct connection *all;
static unsigned count;
static struct sockaddr_storage target;
static socklen_t target_len;
static char request[1024];
static double every = 5, duration = 3000, limit = 3000, signal_after = -1, signalled = -1;
static unsigned hold;
static int signal_number;
static pid_t pids[PIDS_MAX];
static unsigned n_pids;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* How far it came, for a failure's line. */
static const char *phase(const struct connection *c)
{
	return c->n ? "answered in part" : c->sent ? "connected, asked" : "connecting";
}

static unsigned port_of(const struct connection *c)
{
	struct sockaddr_in6 own = { 0 }; /* the port is at the same place in both families */
	socklen_t len = sizeof(own);

	getsockname(c->fd, (struct sockaddr *)&own, &len);
	return ntohs(own.sin6_port);
}

static void finish(struct connection *c, enum outcome outcome, const char *why)
{
	unsigned port = outcome == FAILED ? port_of(c) : 0;

	c->outcome = outcome;
	c->ended = now_ms();
	close(c->fd);
	c->fd = -1;
	if (outcome == FAILED)
		fprintf(stderr, "knock: port %u begun %+.1f ms, ended %+.1f ms, %s: %s\n", port,
			c->begun - (signalled < 0 ? 0 : signalled),
			c->ended - (signalled < 0 ? 0 : signalled), phase(c), why);
}

static void begin(void)
{
	struct connection *c = &all[count++];

	*c = (struct connection){ .begun = now_ms() };
	c->fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0 ||
	    (connect(c->fd, (struct sockaddr *)&target, target_len) && errno != EINPROGRESS))
		finish(c, FAILED, strerror(errno));
}

static bool answered_by_proxy(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n"), *via = strcasestr(answer, "\r\nVia:");

	return via && end && via < end;
}

static void readable(struct connection *c)
{
	char scrap[4096];
	ssize_t n;

	for (;;) {
		size_t room = sizeof(c->answer) - 1 - c->n;

		n = room ? recv(c->fd, c->answer + c->n, room, 0)
			 : recv(c->fd, scrap, sizeof(scrap), 0);
		if (n <= 0)
			break;
		c->n += room ? (size_t)n : 0;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		finish(c, FAILED, strerror(errno));
	else if (strncmp(c->answer, "HTTP/1.1 200", 12) || !strstr(c->answer, "\r\n\r\n"))
		finish(c, FAILED, "ended without a good answer");
	else
		finish(c, answered_by_proxy(c->answer) ? INTERCEPTED : DIRECT, "");
}

static void event(struct connection *c, short what)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (!c->sent && what & (POLLOUT | POLLERR | POLLHUP)) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error) {
			finish(c, FAILED, strerror(error));
			return;
		}
		c->sent = true;
		if (send(c->fd, request, strlen(request), MSG_NOSIGNAL) !=
		    (ssize_t)strlen(request)) {
			finish(c, FAILED, strerror(errno));
			return;
		}
	}
	if (c->sent && what & (POLLIN | POLLERR | POLLHUP))
		readable(c);
}

/* One turn of at most `ms`; gives how many are still open. */
static unsigned turn(double ms)
{
	static struct pollfd polled[CONNECTIONS_MAX];
	static unsigned of[CONNECTIONS_MAX];
	static unsigned first;
	struct timespec wait = { (time_t)(ms / 1e3),
				 (long)((ms - (double)((time_t)(ms / 1e3)) * 1e3) * 1e6) };
	unsigned n = 0;

	while (first < count && all[first].outcome != PENDING)
		first++;
	for (unsigned i = first; i < count; i++)
		if (all[i].outcome == PENDING) {
			of[n] = i;
			polled[n++] =
				(struct pollfd){ all[i].fd, all[i].sent ? POLLIN : POLLOUT, 0 };
		}
	ppoll(polled, n, &wait, NULL);
	for (unsigned i = 0; i < n; i++) {
		if (polled[i].revents)
			event(&all[of[i]], polled[i].revents);
		if (all[of[i]].outcome == PENDING && now_ms() - all[of[i]].begun > limit)
			finish(&all[of[i]], FAILED, "too slow");
	}
	return n;
}

static void signal_now(void)
{
	for (unsigned i = 0; i < n_pids; i++)
		if (kill(pids[i], signal_number)) {
			fprintf(stderr, "knock: kill %d: %s\n", (int)pids[i], strerror(errno));
			exit(2);
		}
	signalled = now_ms();
}

static void tally(struct tally *t, const struct connection *c)
{
	t->n++;
	t->by[c->outcome]++;
}

static void tally_print(const char *name, const struct tally *t)
{
	printf("\"%s\": {\"n\": %u, \"intercepted\": %u, \"direct\": %u, \"failed\": %u}, ", name,
	       t->n, t->by[INTERCEPTED], t->by[DIRECT], t->by[FAILED]);
}

static void report(const int *held)
{
	struct tally before = { 0 }, in_service = { 0 }, after = { 0 };
	double first = -1, first_direct = -1, last_failed = -1, last_icpt = -1;
	unsigned held_ended = 0;
	char c1;

	for (unsigned i = 0; i < count; i++) {
		struct connection *c = &all[i];
		double at = c->begun - signalled;

		if (signalled < 0 || c->ended < signalled) {
			tally(&before, c);
			continue;
		}
		tally(c->begun < signalled ? &in_service : &after, c);
		if (c->begun < signalled)
			continue;
		if (first < 0)
			first = at;
		if (c->outcome == DIRECT && (first_direct < 0 || at < first_direct))
			first_direct = at;
		if (c->outcome == FAILED && at > last_failed)
			last_failed = at;
		if (c->outcome == INTERCEPTED && at > last_icpt)
			last_icpt = at;
	}
	for (unsigned i = 0; i < hold; i++)
		held_ended += recv(held[i], &c1, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN;
	printf("{");
	tally_print("before", &before);
	tally_print("in_service", &in_service);
	tally_print("after", &after);
	printf("\"first_ms\": %.1f, \"first_direct_ms\": %.1f, \"last_failed_ms\": %.1f, "
	       "\"last_intercepted_ms\": %.1f, \"held_ended\": %u}\n",
	       first, first_direct, last_failed, last_icpt, held_ended);
}

static int held_open(void)
{
	int fd = socket(target.ss_family, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&target, target_len)) {
		fprintf(stderr, "knock: hold: %s\n", strerror(errno));
		exit(2);
	}
	return fd;
}

static void kill_parse(char *text)
{
	char *rest, *pid;

	signal_number = atoi(strtok_r(text, ":", &rest));
	while ((pid = strtok_r(NULL, ",", &rest)) && n_pids < PIDS_MAX)
		pids[n_pids++] = (pid_t)atoi(pid);
}

static int target_parse(char **argv)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&target;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&target;

	if (inet_pton(AF_INET, argv[0], &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(argv[1]));
		target_len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, argv[0], &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(argv[1]));
		target_len = sizeof(*v6);
	} else {
		return -1;
	}
	snprintf(request, sizeof(request),
		 "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", argv[3], argv[2]);
	return 0;
}

static int options_parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "e:d:t:H:k:a:")) != -1) {
		switch (c) {
		case 'e':
			every = atof(optarg);
			break;
		case 'd':
			duration = atof(optarg);
			break;
		case 't':
			limit = atof(optarg);
			break;
		case 'H':
			hold = (unsigned)atoi(optarg);
			break;
		case 'k':
			kill_parse(optarg);
			break;
		case 'a':
			signal_after = atof(optarg);
			break;
		default:
			return -1;
		}
	}
	return argc - optind == 4 && every > 0 && duration / every < CONNECTIONS_MAX
		       ? target_parse(argv + optind)
		       : -1;
}

int main(int argc, char **argv)
{
	const struct sched_param first = { .sched_priority = 1 };
	struct rlimit files = { 20480, 20480 };
	double start, next;
	int *held;

	if (options_parse(argc, argv)) {
		fprintf(stderr, "knock: wrong arguments\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	(void)sched_setscheduler(0, SCHED_RR, &first);
	all = calloc(CONNECTIONS_MAX, sizeof(*all));
	held = calloc(hold + 1, sizeof(*held));
	if (!all || !held)
		return 2;
	for (unsigned i = 0; i < hold; i++)
		held[i] = held_open();
	start = next = now_ms();
	while (now_ms() - start < duration) {
		double now = now_ms();

		if (signal_after >= 0 && signalled < 0 && now - start >= signal_after)
			signal_now();
		if (now >= next) {
			begin();
			next += every;
		}
		turn(next > now_ms() ? next - now_ms() : 0);
	}
	while (turn(10) > 0)
		;
	report(held);
	free(held);
	free(all);
	return 0;
}
