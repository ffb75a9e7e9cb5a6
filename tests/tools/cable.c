/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cable - a cable between two network namespaces on which frames are copied, as on a real one.
 *
 *	cable [-l N] [-d MS] NETNS_A NAME_A NETNS_B NAME_B
 *
 * Makes the ports NAME_A and NAME_B in the namespaces (files, as of /run/netns or /proc/PID/ns/net) and carries what
 * one sends to the other, until it is ended. -l: of what A sends, every Nth frame is lost. -d: each frame is that long on
 * its way. On SIGUSR1 all of A's is lost, until the next. A veth would hand over the sender's very pages; what a peer has
 * from here, nobody can change any more. Says "ready", then "cut" and "mended", a line each.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 65536
#define WAY_MAX	  16384 /* frames on their way */

struct frame {
	STAILQ_ENTRY(frame) link;
	int64_t due; /* monotonic, ns */
	int to;
	size_t n;
	char bytes[];
};
/* All take equally long: the first that set out is the first that comes. */
static STAILQ_HEAD(, frame) way = STAILQ_HEAD_INITIALIZER(way);
static unsigned way_n;
static int64_t delay;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int port_open(const char *netns, const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int ns = open(netns, O_RDONLY | O_CLOEXEC), fd;

	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		err(2, "%s", netns);
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		err(2, "/dev/net/tun");
	if (strlen(name) >= sizeof(ifr.ifr_name))
		errx(2, "%s: too long for a port's name", name);
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		err(2, "%s", name);
	return fd;
}

/* A frame that `to` can't take is lost, as on a cable. */
static void arrive(int to, const char *bytes, size_t n)
{
	if (write(to, bytes, n) < 0 && errno != EAGAIN && errno != EIO)
		err(2, "write");
}

static void set_out(int to, const char *bytes, size_t n)
{
	struct frame *frame = way_n < WAY_MAX ? malloc(sizeof(*frame) + n) : NULL;

	if (!frame)
		return;
	frame->due = now() + delay;
	frame->to = to;
	frame->n = n;
	memcpy(frame->bytes, bytes, n);
	STAILQ_INSERT_TAIL(&way, frame, link);
	way_n++;
}

/* Those whose time has come; how long until the next, NULL: none is on its way. */
static const struct timespec *arrive_due(void)
{
	static struct timespec left;
	struct frame *frame;

	while ((frame = STAILQ_FIRST(&way))) {
		int64_t ns = frame->due - now();

		if (ns > 0) {
			left = (struct timespec){ .tv_sec = ns / 1000000000,
						  .tv_nsec = ns % 1000000000 };
			return &left;
		}
		STAILQ_REMOVE_HEAD(&way, link);
		way_n--;
		arrive(frame->to, frame->bytes, frame->n);
		free(frame);
	}
	return NULL;
}

/* What waits at `from`. */
static void carry(int from, int to, unsigned lose, bool cut)
{
	static char frame[FRAME_MAX];
	static unsigned n;
	ssize_t size;

	for (int i = 0; i < 64; i++) {
		size = read(from, frame, sizeof(frame));
		if (size <= 0)
			return;
		if (cut || (lose && ++n % lose == 0))
			continue;
		if (delay)
			set_out(to, frame, (size_t)size);
		else
			arrive(to, frame, (size_t)size);
	}
}

static bool toggled(int fd, bool cut)
{
	struct signalfd_siginfo s;

	if (read(fd, &s, sizeof(s)) != sizeof(s))
		return cut;
	puts(cut ? "mended" : "cut");
	return !cut;
}

int main(int argc, char **argv)
{
	unsigned lose = 0;
	sigset_t usr1;
	int opt, a, b, sig;
	bool cut = false;

	while ((opt = getopt(argc, argv, "l:d:")) != -1) {
		if (opt == 'l')
			lose = (unsigned)atoi(optarg);
		else if (opt == 'd')
			delay = atoi(optarg) * INT64_C(1000000);
		else
			return 2;
	}
	if (argc - optind != 4)
		errx(2, "usage: cable [-l N] [-d MS] NETNS_A NAME_A NETNS_B NAME_B");
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	sig = signalfd(-1, &usr1, SFD_NONBLOCK | SFD_CLOEXEC);
	if (sig < 0)
		err(2, "signalfd");
	a = port_open(argv[optind], argv[optind + 1]);
	b = port_open(argv[optind + 2], argv[optind + 3]);
	puts("ready");
	for (;;) {
		struct pollfd p[3] = { { a, POLLIN, 0 }, { b, POLLIN, 0 }, { sig, POLLIN, 0 } };

		if (ppoll(p, 3, arrive_due(), NULL) < 0 && errno != EINTR)
			err(2, "poll");
		if (p[2].revents)
			cut = toggled(sig, cut);
		carry(a, b, lose, cut);
		carry(b, a, 0, false);
	}
}
