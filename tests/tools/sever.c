/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sever LISTEN UPSTREAM N client|server|hold: stands between a program and a unix socket that it asks, and kills one of them
 * (-9) at a random moment of the N-th question: when a random part of it, or of its answer, has been passed on, and a
 * random time of up to 5 ms has passed since. hold: kills nobody, prints "held" at the question and goes on when its
 * stdin ends.
 *
 *	tarnctl --> LISTEN: sever --> UPSTREAM: tarn-proxy
 *
 * A question begins with the first bytes that come after an answer. It prints "ready" when it listens, then which moment it
 * was, and ends after the kill, or with status 1 when nobody has come for half a minute.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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

#define PARTS_MAX 6    /* of an answer, as they come */
#define PAUSE_US  5000 /* at most */

struct moment {
	unsigned left; /* questions until it comes; 0: it has come, the answer is waited for */
	bool in_answer;
	unsigned skip;	  /* parts of the answer that are passed whole */
	unsigned percent; /* of what came then */
	unsigned pause_us;
};

static struct moment moment_of(unsigned question)
{
	uint8_t dice[5];

	if (getrandom(dice, sizeof(dice), 0) != sizeof(dice))
		fail("getrandom");
	return (struct moment){
		.left = question,
		.in_answer = dice[0] & 1,
		.skip = dice[1] % PARTS_MAX,
		.percent = dice[2] % 101,
		.pause_us = (dice[3] << 8 | dice[4]) % PAUSE_US,
	};
}

static void strike(const struct moment *m, int to, const char *bytes, size_t n, int victim)
{
	pid_t pid = peer_of(victim);

	n = n * m->percent / 100;
	(void)printf("%zu bytes of the %s, %u us\n", n, m->in_answer ? "answer" : "question",
		     m->pause_us);
	(void)fflush(stdout);
	pass(to, bytes, n);
	(void)usleep(m->pause_us);
	if (kill(pid, SIGKILL) < 0)
		fail("kill");
}

/* Until one side closes: false. True: killed. Not `kills`: it is held. */
static bool carry(int client, int server, struct moment *m, bool kills, int victim)
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
			/* The answer may have had fewer parts. */
			if (kills && !asking && (!m->left || (m->left == 1 && !m->in_answer))) {
				strike(m, server, buf, (size_t)n, victim);
				return true;
			}
			if (!asking && m->left && --m->left == 0 && !kills)
				hold();
			asking = true;
			pass(server, buf, (size_t)n);
		}
		if (fds[1].revents) {
			n = recv(server, buf, sizeof(buf), 0);
			if (n <= 0)
				return false;
			asking = false;
			if (kills && !m->left && !m->skip--) {
				strike(m, client, buf, (size_t)n, victim);
				return true;
			}
			pass(client, buf, (size_t)n);
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un here, there;
	bool killed = false;
	struct moment moment;
	int listener;

	if (argc != 5)
		return 64;
	here = name_of(argv[1]);
	there = name_of(argv[2]);
	moment = moment_of((unsigned)atoi(argv[3]));
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
		killed = carry(client, server, &moment, strcmp(argv[4], "hold") != 0,
			       strcmp(argv[4], "server") ? client : server);
		(void)close(client);
		(void)close(server);
	}
	return 0;
}
