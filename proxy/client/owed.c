/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases on what went to a device's socket by sendfile(2).
 *
 * Such bytes are not copied: until the device has acknowledged them the socket's queue has pages of the store's file
 * in it, and a chunk that is evicted and written over would change what is sent, or sent again. So the lease stays:
 *
 *	owed_take: before an object's first byte --> conn->owed
 *	  | nothing of the queue is left (owed_settle): at the next object, or seen by the sweep --> given back
 *	  | owed_close: the connection is over, its queue is not
 *	  v
 *	a debt of the client, with the socket --- acknowledged --> linger_start
 *	  | cut, reset, or no progress: the kernel drops the queue
 *	  v
 *	a debt without a socket, for what a queue of packets may still have --- its time is over --> given back
 *
 * No queue is left behind that nobody guards: SO_LINGER without time makes the kernel drop it when the socket is closed,
 * also because this process was killed, and TCP_USER_TIMEOUT when the device is silent.
 *
 * Acknowledged is as good as read only where the device is another machine: between two sockets of one machine the
 * receiver's queue has the same pages, and nobody tells when they are read. So only if that is known (may_owe).
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/client/client_priv.h"

#define OWED_MAX   8   /* objects a connection; with more on their way the next one is copied */
#define DEBTS_MAX  256 /* sockets that a worker waits for */
#define SILENCE_MS 60000
#define WAIT_MS	   600000 /* for a closed connection's queue, as long as there is progress */
#define PACKETS_MS 1000	  /* in which what was handed to a port has left it */
#define HANDED_MS  WAIT_MS

struct owed {
	TAILQ_ENTRY(owed) link;
	struct lease *lease[OWED_MAX];
	unsigned n;
	/* of a debt */
	int fd;		/* -1: without a socket */
	int left;	/* bytes of its queue when that was looked at last */
	uint64_t moved; /* mono_ms: since then these are so many */
	uint64_t until; /* mono_ms */
};

/* ---- the kernel's side --------------------------------------------------------------------------- */

static int guard(int fd, bool drop, unsigned silence_ms)
{
	struct linger linger = { .l_onoff = drop, .l_linger = 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms)) < 0)
		return -errno;
	return 0;
}

/* Bytes that are not acknowledged (SIOCOUTQ, the same number). */
static int queue_left(int fd)
{
	int left;

	return ioctl(fd, TIOCOUTQ, &left) == 0 ? left : INT_MAX;
}

/* Reset or given up: the queue is gone, whatever queue_left() says. */
static bool is_dead(int fd)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 &&
	       info.tcpi_state == TCP_CLOSE;
}

/* ---- of a connection ----------------------------------------------------------------------------- */

static bool may_owe(const struct conn *conn)
{
	if (conn->tls || conn->copies)
		return false;
	switch ((enum tarn_sendfile)conn->worker->config->settings.proxy.sendfile) {
	case TARN_SENDFILE_NO:
		return false;
	case TARN_SENDFILE_YES:
		return true;
	case TARN_SENDFILE_AUTO:
		return conn->mode == CONN_INTERCEPTED &&
		       atomic_load_explicit(&conn->worker->proxy->far, memory_order_relaxed);
	}
	return false;
}

static void owed_free(struct owed *owed)
{
	while (owed->n)
		lease_unref(&owed->lease[--owed->n]);
	free(owed);
}

static struct owed *owed_detach(struct conn *conn)
{
	struct owed *owed = conn->owed;

	if (owed)
		TAILQ_REMOVE(&conn->worker->client->owing, conn, owes);
	conn->owed = NULL;
	return owed;
}

/* All acknowledged? */
static bool owed_settle(struct conn *conn)
{
	if (conn->owed && queue_left(conn->fd) == 0)
		owed_free(owed_detach(conn));
	return !conn->owed;
}

static bool owed_begin(struct conn *conn)
{
	struct client *client = conn->worker->client;

	if (!conn->guarded && guard(conn->fd, true, SILENCE_MS) < 0)
		return false;
	conn->guarded = true;
	conn->owed = calloc(1, sizeof(*conn->owed));
	if (!conn->owed)
		return false;
	TAILQ_INSERT_TAIL(&client->owing, conn, owes);
	client_sweep_soon(client);
	return true;
}

bool owed_take(struct conn *conn, struct lease *lease)
{
	struct owed *owed = conn->owed;

	if (!may_owe(conn))
		return false;
	for (unsigned i = 0; owed && i < owed->n; i++)
		if (owed->lease[i] == lease)
			return true;
	if (owed_settle(conn) && !owed_begin(conn))
		return false;
	owed = conn->owed;
	if (owed->n == OWED_MAX)
		return false;
	owed->lease[owed->n++] = lease_ref(lease);
	return true;
}

/* ---- debts --------------------------------------------------------------------------------------- */

static void debt_free(struct client *client, struct owed *debt)
{
	TAILQ_REMOVE(&client->debts, debt, link);
	owed_free(debt);
}

/* Its socket is closed, or another's: only time is waited for. */
static void debt_wait(struct client *client, struct owed *owed, uint64_t ms)
{
	owed->fd = -1;
	owed->until = worker_now(client->worker)->mono_ms + ms;
	TAILQ_INSERT_TAIL(&client->debts, owed, link);
	client_sweep_soon(client);
}

static void debt_give_fd(struct client *client, struct owed *debt)
{
	client->debts_n--;
	TAILQ_REMOVE(&client->debts, debt, link);
	worker_release(client->worker);
}

static void debt_drop(struct client *client, struct owed *debt)
{
	close(debt->fd);
	debt_give_fd(client, debt);
	debt_wait(client, debt, PACKETS_MS);
}

static void debt_look(struct client *client, struct owed *debt, uint64_t now)
{
	int left = queue_left(debt->fd);

	if (left == 0) {
		int fd = debt->fd;

		debt_give_fd(client, debt);
		owed_free(debt);
		(void)guard(fd, false, 0);
		linger_start(client, fd);
		return;
	}
	if (left != debt->left)
		debt->moved = now;
	debt->left = left;
	if (is_dead(debt->fd) || now >= debt->until || now - debt->moved >= SILENCE_MS)
		debt_drop(client, debt);
}

bool owed_close(struct conn *conn)
{
	struct client *client = conn->worker->client;
	struct owed *owed;

	if (!conn->guarded)
		return false;
	if (owed_settle(conn)) {
		(void)guard(conn->fd, false, 0);
		return false;
	}
	owed = owed_detach(conn);
	if (client->debts_n >= DEBTS_MAX || shutdown(conn->fd, SHUT_WR) < 0) {
		close(conn->fd);
		debt_wait(client, owed, PACKETS_MS);
		return true;
	}
	owed->fd = conn->fd;
	owed->left = INT_MAX;
	owed->moved = worker_now(client->worker)->mono_ms;
	owed->until = owed->moved + WAIT_MS;
	client->debts_n++;
	TAILQ_INSERT_TAIL(&client->debts, owed, link);
	worker_hold(client->worker);
	client_sweep_soon(client);
	return true;
}

void owed_cut(struct conn *conn)
{
	struct owed *owed = owed_detach(conn);

	if (owed)
		debt_wait(conn->worker->client, owed, PACKETS_MS);
}

void owed_hand_over(struct conn *conn)
{
	if (!conn->guarded)
		return;
	if (owed_settle(conn)) {
		(void)guard(conn->fd, false, 0);
		return;
	}
	/* Its next owner closes it as it likes, and what stands in the queue now is gone long before. */
	(void)guard(conn->fd, false, HANDED_MS);
	debt_wait(conn->worker->client, owed_detach(conn), HANDED_MS + PACKETS_MS);
}

bool owed_sweep(struct client *client)
{
	uint64_t now = worker_now(client->worker)->mono_ms;
	struct conn *conn, *next_conn;
	struct owed *debt, *next;

	for (conn = TAILQ_FIRST(&client->owing); conn; conn = next_conn) {
		next_conn = TAILQ_NEXT(conn, owes);
		(void)owed_settle(conn);
	}
	for (debt = TAILQ_FIRST(&client->debts); debt; debt = next) {
		next = TAILQ_NEXT(debt, link);
		if (debt->fd >= 0)
			debt_look(client, debt, now);
		else if (now >= debt->until)
			debt_free(client, debt);
	}
	return !TAILQ_EMPTY(&client->owing) || !TAILQ_EMPTY(&client->debts);
}

void owed_end_all(struct client *client)
{
	struct owed *debt;

	while ((debt = TAILQ_FIRST(&client->debts))) {
		if (debt->fd >= 0) {
			close(debt->fd);
			debt_give_fd(client, debt);
			owed_free(debt);
		} else {
			debt_free(client, debt);
		}
	}
}
