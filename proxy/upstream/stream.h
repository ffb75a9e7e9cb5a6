/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to and from a vendor, in clear or by TLS. For connections in clear these are the system calls themselves.
 */
#ifndef TARN_PROXY_UPSTREAM_STREAM_H
#define TARN_PROXY_UPSTREAM_STREAM_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/upstream/secure.h"

struct stream {
	int fd;		       /* -1: none */
	struct secure *secure; /* NULL: in clear */
};

#define STREAM_NONE ((struct stream){ .fd = -1 })

/* As recv(2): 0 is the end, and over TLS one that the other side has said. */
static inline ssize_t stream_recv(const struct stream *s, void *buf, size_t n)
{
	return LIKELY(!s->secure) ? recv(s->fd, buf, n, 0) : secure_recv(s->secure, buf, n);
}

/* As send(2). Over TLS what was not taken must be tried again with the same bytes; `flags` say nothing there. */
static inline ssize_t stream_send(const struct stream *s, const void *buf, size_t n, int flags)
{
	return LIKELY(!s->secure) ? send(s->fd, buf, n, MSG_NOSIGNAL | flags)
				  : secure_send(s->secure, buf, n);
}

/* Are there bytes that no event of the socket tells of? Then read on. */
static inline bool stream_has_more(const struct stream *s)
{
	return UNLIKELY(s->secure != NULL) && secure_has_more(s->secure);
}

/* Neither an end nor bytes of the other side's. */
static inline bool stream_is_idle(const struct stream *s)
{
	char byte;

	if (UNLIKELY(s->secure != NULL))
		return secure_is_idle(s->secure);
	return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Ends and empties it; one that is none stays so. */
static inline void stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	secure_free(&s->secure);
	close(s->fd);
	s->fd = -1;
}

#endif
