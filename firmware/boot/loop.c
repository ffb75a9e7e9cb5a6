/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	on_round ─► each port: listened to, its word is sent ─► on_frame ─► another port's word: block
 *	    ▲                                                       │
 *	    └── times.every ◄── on_close ◄── times.open ────────────┘
 *
 * A blocked port still sends and hears words, since sockets are before the bridge. The kernel lets it forward again when its
 * link comes anew; each round blocks it again while it is to be.
 *
 * Two boxes side by side may both find the loop, in the same moment, and both shut a port: then there is no way any more, and
 * neither hears a word of its own. So who has shut a port listens all the time, and whose MAC address is the lower of the two
 * opens after two silent rounds; the other hears its own words through it, and stays shut. A word of nobody's can bring about that
 * a port which is shut for nothing is tried sooner, and nothing else.
 */
#include "firmware/boot/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/boot/bridge.h"
#include "firmware/boot/say.h"
#include "firmware/net/kernel.h"

#define TYPE	   0x88b5 /* for experiments (IEEE 802) */
#define WORD_BYTES 32

struct frame {
	uint8_t to[ETH_ALEN], from[ETH_ALEN];
	uint16_t type;
	char magic[14];
	uint8_t word[WORD_BYTES];
} __attribute__((packed));

/* Short frames are filled up by whoever sends them. */
_Static_assert(sizeof(struct frame) == 60, "the shortest frame");

struct port {
	struct loop *loop;
	char name[IFNAMSIZ];	  /* "": free */
	uint8_t word[WORD_BYTES]; /* that it says; made anew each time it joins */
	int fd;
	struct event *readable;
	bool blocked;
	uint64_t heard_ms; /* the loop, last */
};

struct loop {
	struct event_base *base;
	struct net_kernel *kernel;
	struct loop_times times;
	struct event *round, *close;
	uint8_t mac[ETH_ALEN]; /* the bridge's own, which the network knows already */
	bool first;	       /* to open, of two boxes that have shut a port */
	struct port port[LOOP_PORTS];
};

static const char magic[14] = "tarn-loop-1";

static void timer_in(struct event *timer, unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	(void)event_add(timer, &tv);
}

/* ---- blocking ----------------------------------------------------------------------------------- */

static void port_set(struct port *p, bool blocked, const char *other)
{
	struct net_kernel *k = p->loop->kernel;
	int rc = k->ops->port_forwards(k, p->name, !blocked);
	char flush[64];

	/* Who was behind it is found at the other one. */
	(void)snprintf(flush, sizeof(flush), "/sys/class/net/%s/brport/flush", p->name);
	if (blocked && !p->blocked)
		(void)k->ops->sysctl(k, flush, "1");
	if (rc || p->blocked != blocked)
		say("loop", "port=%s%s%s action=%s error=%d", p->name, other ? " to=" : "",
		    other ? other : "", blocked ? "block" : "forward", rc);
	p->blocked = blocked;
}

/* One of the two is enough; which, does not matter, but it is the same one each time. */
static void loop_found(struct port *a, struct port *b)
{
	struct port *later = a > b ? a : b, *earlier = a > b ? b : a;
	struct port *blocked = earlier->blocked ? earlier : later;

	blocked->heard_ms = clock_read().mono_ms;
	if (!blocked->blocked)
		blocked->loop->first = false;
	if (!blocked->blocked)
		port_set(blocked, true, blocked == later ? earlier->name : later->name);
}

size_t loop_blocked(const struct loop *loop)
{
	size_t n = 0;

	for (size_t i = 0; i < LOOP_PORTS; i++)
		n += *loop->port[i].name && loop->port[i].blocked;
	return n;
}

/* ---- words -------------------------------------------------------------------------------------- */

/* Who says this word? NULL: none of our ports. */
static struct port *word_port(struct loop *loop, const struct frame *frame)
{
	for (size_t i = 0; i < LOOP_PORTS; i++)
		if (*loop->port[i].name && !memcmp(frame->word, loop->port[i].word, WORD_BYTES))
			return &loop->port[i];
	return NULL;
}

static void on_frame(evutil_socket_t fd, short what, void *arg)
{
	struct port *p = arg, *other;
	struct frame frame;

	(void)what;
	/* Bounded: in a storm there is no end of them. */
	for (int i = 0; i < 64; i++) {
		ssize_t n = recv(fd, &frame, sizeof(frame), MSG_DONTWAIT);

		if (n < 0)
			return;
		if (n != sizeof(frame) || frame.type != htons(TYPE) ||
		    memcmp(frame.magic, magic, sizeof(magic)) != 0)
			continue;
		other = word_port(p->loop, &frame);
		if (!other && memcmp(frame.from, p->loop->mac, ETH_ALEN) > 0)
			p->loop->first = true;
		if (!other || other == p)
			continue;
		loop_found(p, other);
		return;
	}
}

static int listen_open(unsigned ifindex)
{
	/* Of our type alone: the kernel throws away the rest. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct frame, type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TYPE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, sizeof(struct frame)),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { ARRAY_LEN(code), code };
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)ifindex };
	/* Of no interface would be of all. */
	int fd = ifindex ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
	int yes = 1;

	if (fd < 0)
		return ifindex ? -errno : -ENODEV;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at))) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static void word_send(const struct port *p)
{
	struct frame frame = { .to = { 0x03, 't', 'a', 'r', 'n', 0 }, .type = htons(TYPE) };

	memcpy(frame.from, p->loop->mac, ETH_ALEN);
	memcpy(frame.magic, magic, sizeof(magic));
	memcpy(frame.word, p->word, WORD_BYTES);
	(void)!send(p->fd, &frame, sizeof(frame), MSG_DONTWAIT);
}

static void port_close(struct port *p)
{
	if (p->readable)
		event_free(p->readable);
	p->readable = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static void port_open(struct port *p)
{
	port_close(p);
	p->fd = listen_open(if_nametoindex(p->name));
	if (p->fd < 0)
		return;
	p->readable = event_new(p->loop->base, p->fd, EV_READ | EV_PERSIST, on_frame, p);
	if (!p->readable || event_add(p->readable, NULL))
		port_close(p);
}

/* ---- rounds ------------------------------------------------------------------------------------- */

/* Not in step with another box. */
static unsigned pause_ms(const struct loop *loop)
{
	uint8_t some = 0;

	(void)!getrandom(&some, sizeof(some), GRND_NONBLOCK);
	return loop->times.every + loop->times.every * some / 2048;
}

static void on_close(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t now = clock_read().mono_ms;
	unsigned quiet = loop->first ? loop->times.first : loop->times.quiet;

	(void)fd, (void)what;
	for (size_t i = 0; i < LOOP_PORTS; i++) {
		struct port *p = &loop->port[i];

		if (*p->name && p->blocked)
			port_set(p, now - p->heard_ms < quiet, NULL);
	}
	for (size_t i = 0; i < LOOP_PORTS && !loop_blocked(loop); i++)
		port_close(&loop->port[i]);
	timer_in(loop->round, pause_ms(loop));
}

static void on_round(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	struct net_link bridge;
	size_t ports = 0;

	(void)fd, (void)what;
	if (!loop->kernel->ops->link_get(loop->kernel, BRIDGE_NAME, &bridge))
		memcpy(loop->mac, bridge.mac, ETH_ALEN);
	for (size_t i = 0; i < LOOP_PORTS; i++)
		ports += *loop->port[i].name != 0;
	for (size_t i = 0; i < LOOP_PORTS && ports > 1; i++)
		if (*loop->port[i].name)
			port_open(&loop->port[i]);
	for (size_t i = 0; i < LOOP_PORTS; i++)
		if (loop->port[i].fd >= 0)
			word_send(&loop->port[i]);
	timer_in(loop->close, loop->times.open);
}

void loop_port(struct loop *loop, const char *name, bool there)
{
	struct port *free_one = NULL, *p = NULL;

	for (size_t i = 0; i < LOOP_PORTS; i++) {
		if (!strncmp(loop->port[i].name, name, IFNAMSIZ))
			p = &loop->port[i];
		else if (!*loop->port[i].name && !free_one)
			free_one = &loop->port[i];
	}
	if (p && !there) {
		port_close(p);
		*p->name = '\0';
	}
	if (p || !there || !free_one)
		return;
	*free_one = (struct port){ .loop = loop, .fd = -1 };
	if (getrandom(free_one->word, WORD_BYTES, 0) != WORD_BYTES)
		return;
	(void)strncpy(free_one->name, name, IFNAMSIZ - 1);
	/* At once: it is a new one that makes a loop. */
	event_del(loop->close);
	timer_in(loop->round, 0);
}

int loop_new(struct event_base *base, struct net_kernel *kernel, struct loop_times times,
	     struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->base = base;
	loop->kernel = kernel;
	loop->times = times;
	for (size_t i = 0; i < LOOP_PORTS; i++)
		loop->port[i] = (struct port){ .loop = loop, .fd = -1 };
	loop->round = evtimer_new(base, on_round, loop);
	loop->close = evtimer_new(base, on_close, loop);
	if (!loop->round || !loop->close)
		return -ENOMEM;
	*ret_loop = loop;
	return 0;
}
