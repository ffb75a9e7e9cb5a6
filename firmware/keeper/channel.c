/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side is not trusted: what it sends is of one of few shapes, or it is dropped and counted. A data
 * plane that floods is read a few messages a turn, so that the keeper's timers keep their time.
 */
#include "firmware/keeper/channel.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"

#define MESSAGES_A_TURN 64

struct plane_channel {
	int fd;
	struct event *readable;
	channel_message_f *f;
	void *arg;
};

static uint64_t refused;

uint64_t plane_channel_refused(void)
{
	return refused;
}

static void channel_read(evutil_socket_t fd, short what, void *arg)
{
	struct plane_channel *c = arg;

	(void)what;
	for (unsigned i = 0; i < MESSAGES_A_TURN; i++) {
		union heritage_message m = { 0 };
		ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			/* Its end is closed; SIGCHLD tells the rest. */
			event_del(c->readable);
			break;
		}
		if (n < 0)
			break;
		if ((size_t)n <= sizeof(m) && heritage_valid(&m, (size_t)n, true)) {
			c->f(&m, c->arg);
		} else {
			refused++;
			LOG(LOG_L_WARN, "channel.refused", "bytes=%zd", n);
		}
	}
}

int plane_channel_new(struct event_base *base, channel_message_f *f, void *arg,
		      struct plane_channel **ret_channel, int *ret_peer_fd)
{
	struct plane_channel *c = calloc(1, sizeof(*c));
	int pair[2];

	if (!c)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair)) {
		free(c);
		return -errno;
	}
	c->fd = pair[0];
	c->f = f;
	c->arg = arg;
	c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, channel_read, c);
	if (!c->readable || event_add(c->readable, NULL)) {
		close(pair[1]);
		plane_channel_free(&c);
		return -ENOMEM;
	}
	*ret_channel = c;
	*ret_peer_fd = pair[1];
	return 0;
}

void plane_channel_free(struct plane_channel **channel)
{
	struct plane_channel *c = *channel;

	if (!c)
		return;
	if (c->readable)
		event_free(c->readable);
	close(c->fd);
	free(c);
	*channel = NULL;
}

void plane_channel_send(struct plane_channel *channel, const union heritage_message *message)
{
	if (channel &&
	    send(channel->fd, message, message->head.size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		LOG(LOG_L_DEBUG, "channel.dropped", "type=%u", message->head.type);
}
