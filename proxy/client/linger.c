/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What remains when a connection or a response is over.
 *
 * A lease stays while bytes that went out by sendfile are not acknowledged: a retransmission reads them from
 * the data file again. SIOCOUTQ says when (0); a connection that has been reset needs none.
 *
 * A socket that is closed with unread input resets the connection, and the device may lose the response that was
 * on its way (RFC 9112 9.6). So: shutdown of our side, input is read and dropped until the device has
 * closed, too, or LINGER_MS have passed; with leases, until all is acknowledged or LEASE_MS have passed, which
 * is more than the TCP_USER_TIMEOUT of the sockets (proxy/listen.c).
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/client/client_priv.h"

#define SWEEP_MS    250
#define LINGER_MS   2000
#define LEASE_MS    60000
#define DISCARD_MAX (256 * 1024) /* bytes of input that are dropped before the device is cut */

struct tail {
	SLIST_ENTRY(tail) link;
	struct lease *lease;
};

struct lingering {
	TAILQ_ENTRY(lingering) link;
	int fd;
	bool shared; /* another has the socket, too: it only waits for the leases */
	bool input_over;
	size_t discarded;
	uint64_t since; /* mono_ms */
	struct tails tails;
};

/* ---- leases -------------------------------------------------------------------------------------- */

static bool is_acknowledged(int fd)
{
	int queued = 0;

	return ioctl(fd, SIOCOUTQ, &queued) < 0 || queued == 0;
}

static void tails_drop(struct tails *tails)
{
	struct tail *tail;

	while ((tail = SLIST_FIRST(tails))) {
		SLIST_REMOVE_HEAD(tails, link);
		lease_unref(&tail->lease);
		free(tail);
	}
}

void conn_drop_tails(struct conn *conn)
{
	tails_drop(&conn->tails);
}

void conn_keep_lease(struct conn *conn, struct lease *lease)
{
	struct tail *tail = SLIST_FIRST(&conn->tails);

	if (is_acknowledged(conn->fd)) {
		tails_drop(&conn->tails);
		return;
	}
	if (tail && lease_id(tail->lease) == lease_id(lease))
		return;
	lease_ref(lease);
	tail = malloc(sizeof(*tail));
	if (!tail)
		return; /* never given back: the object stays until the next start, which is safe */
	tail->lease = lease;
	SLIST_INSERT_HEAD(&conn->tails, tail, link);
	client_sweep_soon(conn->worker->client);
}

/* ---- sockets ------------------------------------------------------------------------------------- */

static void lingering_end(struct client *client, struct lingering *l)
{
	TAILQ_REMOVE(&client->lingers, l, link);
	close(l->fd);
	tails_drop(&l->tails);
	free(l);
	worker_release(client->worker);
}

static struct lingering *lingering_new(struct client *client, int fd, struct tails *tails)
{
	struct lingering *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->fd = fd;
	l->since = worker_now(client->worker)->mono_ms;
	l->tails = *tails;
	SLIST_INIT(tails);
	TAILQ_INSERT_TAIL(&client->lingers, l, link);
	worker_hold(client->worker);
	client_sweep_soon(client);
	return l;
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

/* Nothing unread, nothing unacknowledged: closing is all there is to do. */
static bool closes_cleanly(int fd, const struct tails *tails)
{
	char byte;

	return SLIST_EMPTY(tails) && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void linger_start(struct client *client, int fd, struct tails *tails)
{
	if (closes_cleanly(fd, tails) || shutdown(fd, SHUT_WR) < 0 ||
	    !lingering_new(client, fd, tails)) {
		/* A connection that was reset has no queue; without memory, see conn_keep_lease(). */
		tails_drop(tails);
		close(fd);
	}
}

void linger_share(struct client *client, int fd, struct tails *tails)
{
	struct lingering *l = lingering_new(client, fd, tails);

	if (l)
		l->shared = true;
	else
		close(fd);
}

/* True when it is over. */
static bool lingering_step(struct lingering *l, uint64_t mono_ms)
{
	uint64_t age = mono_ms - l->since;

	if (!SLIST_EMPTY(&l->tails) && (is_acknowledged(l->fd) || age >= LEASE_MS))
		tails_drop(&l->tails);
	if (!l->shared && !l->input_over)
		l->input_over = discard(l);
	return SLIST_EMPTY(&l->tails) && (l->shared || l->input_over || age >= LINGER_MS);
}

/* ---- the sweep ----------------------------------------------------------------------------------- */

static bool sweep_conns(struct client *client)
{
	struct conn *conn;
	bool left = false;

	TAILQ_FOREACH(conn, &client->conns, link)
	{
		if (SLIST_EMPTY(&conn->tails))
			continue;
		if (is_acknowledged(conn->fd))
			tails_drop(&conn->tails);
		else
			left = true;
	}
	return left;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	uint64_t now = worker_now(client->worker)->mono_ms;
	struct lingering *l, *next;

	(void)fd;
	(void)what;
	client->sweeping = false;
	for (l = TAILQ_FIRST(&client->lingers); l; l = next) {
		next = TAILQ_NEXT(l, link);
		if (lingering_step(l, now))
			lingering_end(client, l);
	}
	if (sweep_conns(client) || !TAILQ_EMPTY(&client->lingers))
		client_sweep_soon(client);
}

void client_sweep_soon(struct client *client)
{
	if (client->sweeping)
		return;
	client->sweeping = true;
	CHECK_OK(event_add(&client->sweep, worker_timeout(client->worker, SWEEP_MS)));
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
