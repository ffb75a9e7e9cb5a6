/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What remains when a connection is over.
 *
 * A socket that is closed with unread input resets the connection, and the device may lose the response that was
 * on its way (RFC 9112 9.6). So: shutdown of our side, input is read and dropped until the device has closed, too,
 * or LINGER_MS have passed.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/client/client_priv.h"

#define SWEEP_MS    250
#define LINGER_MS   2000
#define LOOKED_AT   2
#define DISCARD_MAX (256 * 1024) /* bytes of input that are dropped before the device is cut */

struct lingering {
	TAILQ_ENTRY(lingering) link;
	int fd;
	size_t discarded;
	uint64_t since; /* mono_ms */
};

void client_sweep_soon(struct client *client)
{
	if (client->sweeping)
		return;
	client->sweeping = true;
	CHECK_OK(event_add(&client->sweep, worker_timeout(client->worker, SWEEP_MS)));
}

static void lingering_end(struct client *client, struct lingering *l)
{
	TAILQ_REMOVE(&client->lingers, l, link);
	close(l->fd);
	free(l);
	worker_release(client->worker);
}

static bool lingering_new(struct client *client, int fd)
{
	struct lingering *l = calloc(1, sizeof(*l));

	if (!l)
		return false;
	l->fd = fd;
	l->since = worker_now(client->worker)->mono_ms;
	TAILQ_INSERT_TAIL(&client->lingers, l, link);
	worker_hold(client->worker);
	client_sweep_soon(client);
	return true;
}

/* Drops what comes. True when the device has closed its side, or says too much. */
static bool discard(struct lingering *l)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(l->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		l->discarded += (size_t)n;
		if (l->discarded > DISCARD_MAX)
			return true;
	}
	return n == 0 || (errno != EAGAIN && errno != EINTR);
}

/*
 * The two that have waited longest are looked at whenever there is a new one. So where connections come and go by the
 * thousand there are few of them at any time, in memory that is warm.
 */
static void look_over(struct client *client)
{
	struct lingering *l;

	for (int i = 0; i < LOOKED_AT && (l = TAILQ_FIRST(&client->lingers)); i++) {
		if (discard(l)) {
			lingering_end(client, l);
		} else {
			TAILQ_REMOVE(&client->lingers, l, link);
			TAILQ_INSERT_TAIL(&client->lingers, l, link);
		}
	}
}

void linger_start(struct client *client, int fd)
{
	look_over(client);
	if (shutdown(fd, SHUT_WR) < 0 || !lingering_new(client, fd))
		close(fd);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	uint64_t now = worker_now(client->worker)->mono_ms;
	struct lingering *l, *next;
	bool owes;

	(void)fd;
	(void)what;
	client->sweeping = false;
	owes = owed_sweep(client);
	for (l = TAILQ_FIRST(&client->lingers); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (discard(l) || now - l->since >= LINGER_MS)
			lingering_end(client, l);
	}
	if (owes || !TAILQ_EMPTY(&client->lingers))
		client_sweep_soon(client);
}

void linger_init(struct client *client)
{
	event_assign(&client->sweep, client->worker->base, -1, 0, on_sweep, client);
}

void linger_end_all(struct client *client)
{
	event_del(&client->sweep);
	while (!TAILQ_EMPTY(&client->lingers))
		lingering_end(client, TAILQ_FIRST(&client->lingers));
}
