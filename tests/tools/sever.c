/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sever LISTEN UPSTREAM N client|server|hold: stands between a program and a unix socket that it asks, and kills one of them
 * (-9) in the middle of the N-th question: half of what came of it has been passed on. A moment that is counted, not
 * timed. hold: kills nobody, prints "held" there and goes on when its stdin ends.
 *
 *	tarnctl --> LISTEN: sever --> UPSTREAM: tarn-proxy
 *
 * A question begins with the first bytes that come after an answer. It prints "ready" when it listens, and
 * ends after the kill, or with status 1 when nobody has come for half a minute.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	return name;
}

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void pass(int to, const char *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(to, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		n -= (size_t)sent;
	}
}

/* For a listener's socket it is who called listen(2). */
static pid_t peer_of(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		fail("SO_PEERCRED");
	return who.pid;
}

static void hold(void)
{
	char c;

	(void)puts("held");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

/* Until one side closes: false. True: killed. */
static bool carry(int client, int server, unsigned *left, const char *victim)
{
	static char buf[1 << 16];
	bool asking = false;

	for (;;) {
		struct pollfd fds[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
		ssize_t n;

		if (poll(fds, 2, -1) < 0)
			fail("poll");
		if (fds[0].revents) {
			n = recv(client, buf, sizeof(buf), 0);
			if (n <= 0)
				return false;
			if (!asking && *left && --*left == 0) {
				if (strcmp(victim, "hold") != 0) {
					pass(server, buf, (size_t)n / 2);
					if (kill(peer_of(strcmp(victim, "server") ? client
										  : server),
						 SIGKILL) < 0)
						fail("kill");
					return true;
				}
				hold();
			}
			asking = true;
			pass(server, buf, (size_t)n);
		}
		if (fds[1].revents) {
			n = recv(server, buf, sizeof(buf), 0);
			if (n <= 0)
				return false;
			asking = false;
			pass(client, buf, (size_t)n);
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un here, there;
	bool killed = false;
	unsigned left;
	int listener;

	if (argc != 5)
		return 64;
	here = name_of(argv[1]);
	there = name_of(argv[2]);
	left = (unsigned)atoi(argv[3]);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)unlink(argv[1]);
	if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    listen(listener, 4) < 0)
		fail(argv[1]);
	(void)puts("ready");
	(void)fflush(stdout);
	while (!killed) {
		struct pollfd fd = { listener, POLLIN, 0 };
		int client, server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		/* Who has closed its connection comes again, if not at once: what it has got may have to reach a disk. */
		if (poll(&fd, 1, 30000) <= 0)
			return 1;
		client = accept(listener, NULL, NULL);
		if (client < 0 || connect(server, (struct sockaddr *)&there, sizeof(there)) < 0)
			fail(argv[2]);
		killed = carry(client, server, &left, argv[4]);
		(void)close(client);
		(void)close(server);
	}
	return 0;
}
