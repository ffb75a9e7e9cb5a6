/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's connection: one request after the other, in order.
 *
 *	conn_start --> idle <----------------------------------+
 *	                | on_readable: the first byte          |
 *	                v                                      | nothing read yet
 *	             READ_HEAD --- refused ------------+       |
 *	                | read_heads: complete         |       |
 *	                v                              |       |
 *	        a request is served (request.c)        |       |
 *	                | conn_answered                |       |
 *	                +------ kept alive ------------|-------+ (or READ_HEAD: pipelined)
 *	                |                              v
 *	                +--- the last one ---> linger_start --> closed
 *
 * While a request is served nothing is read but its own body: what is pipelined waits in the socket, or in
 * `in` behind the head as far as it came with it. An idle connection holds no buffer and no request: struct
 * conn is all it costs.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "proxy/client/client_priv.h"
#include "proxy/upstream/verdict.h"
#include "proxy/sniff.h"

static void read_heads(struct conn *conn);

/* ---- events -------------------------------------------------------------------------------------- */

static unsigned idle_ms(const struct conn *conn)
{
	return (unsigned)conn->worker->config->settings.proxy.idle_timeout;
}

/* What TLS has read already will not wake us by the socket. */
static void wake_pending(struct conn *conn)
{
	if (conn->tls && tls_conn_pending(conn->tls))
		event_active(&conn->read_event, EV_READ, 0);
}

void conn_watch_read(struct conn *conn)
{
	if (!conn->reading)
		CHECK_OK(event_add(&conn->read_event, worker_timeout(conn->worker, idle_ms(conn))));
	conn->reading = true;
	wake_pending(conn);
}

void conn_unwatch_read(struct conn *conn)
{
	if (conn->reading)
		event_del(&conn->read_event);
	conn->reading = false;
}

void conn_watch_write(struct conn *conn)
{
	CHECK_OK(event_add(&conn->write_event, worker_timeout(conn->worker, idle_ms(conn))));
}

/* ---- the end ------------------------------------------------------------------------------------- */

/* All but the socket. */
static void conn_free(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->req)
		access_log(conn->req, false);
	request_free(&conn->req);
	secure_forget(conn);
	shake_free(conn);
	tls_conn_free(&conn->tls, false);
	free(conn->sni);
	conn_unwatch_read(conn);
	event_del(&conn->write_event);
	TAILQ_REMOVE(&worker->client->conns, conn, link);
	free(conn->in);
	free(conn);
	STAT_DEC(STAT_CONN_OPEN);
	worker_release(worker);
}

static void socket_close(struct conn *conn)
{
	if (owed_close(conn))
		return;
	if (conn->ended) /* closing is all there is to do */
		close(conn->fd);
	else
		linger_start(conn->worker->client, conn->fd);
}

void conn_cut(struct conn *conn, bool reset)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	if (conn->req)
		relay_end(conn->req);
	/* First: once it is closed, its number may be another thread's. */
	conn_unwatch_read(conn);
	event_del(&conn->write_event);
	tls_conn_free(&conn->tls, !reset);
	if (reset) {
		(void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(conn->fd);
		owed_cut(conn);
	} else {
		socket_close(conn);
	}
	conn_free(conn);
}

void conn_hand_over(struct conn *conn, struct splice_plan *plan)
{
	CHECK(!conn->tls);
	conn_unwatch_read(conn);
	event_del(&conn->write_event);
	owed_hand_over(conn);
	plan->fd = conn->fd;
	plan->peer = conn->device;
	splice_start(conn->worker, plan);
	conn_free(conn);
}

void conn_close(struct conn *conn)
{
	tls_conn_free(&conn->tls, true);
	socket_close(conn);
	conn_free(conn);
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* Idle: nothing is kept that is not needed. */
static void conn_rest(struct conn *conn)
{
	free(conn->in);
	conn->in = NULL;
	conn->in_room = conn->in_n = 0;
	conn->scan = HEAD_SCAN_REQUEST;
	conn_watch_read(conn);
}

void conn_watch_shake(struct conn *conn, bool to_write)
{
	struct event *event = to_write ? &conn->write_event : &conn->read_event;

	/* What comes meanwhile is not to wake us again and again. */
	if (to_write)
		conn_unwatch_read(conn);
	/* Its time limit is the shake's. */
	CHECK_OK(event_remove_timer(event));
	CHECK_OK(event_add(event, NULL));
	conn->reading |= !to_write;
}

void conn_secured(struct conn *conn)
{
	conn->secure = conn->sniffed = true;
	/* It gets a time limit; the kernel need not hear of that. */
	conn->reading = false;
	event_del(&conn->write_event);
	conn_rest(conn);
}

ssize_t conn_recv(struct conn *conn, void *buf, size_t n)
{
	return conn->tls ? tls_conn_recv(conn->tls, buf, n) : recv(conn->fd, buf, n, 0);
}

ssize_t conn_send(struct conn *conn, const struct iovec *iov, unsigned n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };

	return conn->tls ? tls_conn_send(conn->tls, iov, n) : sendmsg(conn->fd, &msg, MSG_NOSIGNAL);
}

static int make_room(struct conn *conn)
{
	size_t room = conn->in_room ? conn->in_room * 2 : CONN_READ_BYTES;
	char *in;

	if (conn->in_n < conn->in_room)
		return 0;
	in = realloc(conn->in, room);
	if (!in)
		return -ENOMEM;
	conn->in = in;
	conn->in_room = room;
	return 0;
}

/*
 * We forward nothing that we would not accept. But a device that was steered here did not ask for us, and what it says may
 * well work with the vendor: then it gets the vendor, byte for byte, on a connection of its own.
 */
static void refuse(struct conn *conn, int refusal)
{
	http_refusal_count(refusal);
	LOG(LOG_L_INFO, "conn.refused", "why=%s", http_refusal_info(refusal)->name);
	if (conn->mode == CONN_INTERCEPTED && !conn->secure) {
		relay_splice_raw(conn, SPLICE_REFUSED);
		return;
	}
	shake_unfit(conn, DISTRUST_REFUSED);
	request_refused(conn, refusal);
}

/* A whole head of n bytes. */
static void take_head(struct conn *conn, size_t n)
{
	struct request *req = request_new(conn);
	int rc;

	if (!req) {
		conn_cut(conn, false);
		return;
	}
	conn->req = req;
	req->body_at = conn->scan.skipped + n;
	rc = http_request_parse(&req->head, conn->in + conn->scan.skipped, n);
	if (rc == 0)
		rc = http_framing(&req->head, req->head.method, &req->framing);
	if (rc < 0) {
		request_free(&conn->req);
		refuse(conn, rc);
		return;
	}
	STAT_INC(STAT_REQUESTS);
	shake_asked(conn);
	req->keep = http_persistent(&req->head) && !req->framing.close;
	request_begin(req);
}

/* Reads on until `*due`, which is set to `limit_ms` from now if it is not yet: what drips in does not move it. */
static void await_until(struct conn *conn, uint64_t *due, int64_t limit_ms)
{
	uint64_t now = worker_now(conn->worker)->mono_ms;
	uint64_t left;

	if (!*due)
		*due = now + (uint64_t)limit_ms;
	left = *due > now ? *due - now : 1;
	CHECK_OK(event_add(&conn->read_event,
			   &(struct timeval){ .tv_sec = (time_t)(left / 1000),
					      .tv_usec = (suseconds_t)(left % 1000 * 1000) }));
	conn->reading = true;
	wake_pending(conn);
}

/* The head is not complete yet: it has until head_due. */
static void await_head(struct conn *conn)
{
	await_until(conn, &conn->head_due, conn->worker->config->settings.proxy.head_timeout);
}

/* Whatever has come by then decides. */
static void await_sniff(struct conn *conn)
{
	await_until(conn, &conn->sniff_due, conn->worker->config->settings.proxy.sniff_wait);
}

/* The device has time to say something, in which most do. */
static void await_first(struct conn *conn)
{
	unsigned wait = (unsigned)conn->worker->config->settings.proxy.sniff_wait;

	CHECK_OK(event_add(&conn->read_event, worker_timeout(conn->worker, wait)));
	conn->reading = true;
}

/* Intercepted, nothing served yet: what does it speak? True if it is no business of ours. */
static bool is_spliced(struct conn *conn, bool waited)
{
	uint64_t wait = (uint64_t)conn->worker->config->settings.proxy.sniff_wait;
	struct span bytes = span_make(conn->in, conn->in_n);
	enum sniff sniff;

	if (conn->mode == CONN_SECURE)
		return secure_serve(conn, waited);
	sniff = waited ? sniff_waited(bytes, wait, wait) : sniff_bytes(bytes);

	switch (sniff) {
	case SNIFF_MORE:
		return false;
	case SNIFF_HTTP:
		STAT_INC(STAT_SNIFF_HTTP);
		conn->sniffed = true;
		return false;
	case SNIFF_TLS:
		return secure_look(conn, waited);
	case SNIFF_OTHER:
		STAT_INC(STAT_SNIFF_OTHER);
		relay_splice_raw(conn, SPLICE_NOT_HTTP);
		return true;
	case SNIFF_SILENT:
		STAT_INC(STAT_SNIFF_SILENT);
		relay_splice_raw(conn, SPLICE_SILENT);
		return true;
	}
	return false;
}

static void read_heads(struct conn *conn)
{
	size_t n;
	int rc;

	if (!conn->sniffed) {
		if (is_spliced(conn, false))
			return;
		if (!conn->sniffed) {
			await_sniff(conn);
			return;
		}
	}
	rc = head_scan(&conn->scan, conn->in, conn->in_n, CONFIG_HEAD_MAX, &n);

	if (rc == -EAGAIN) {
		await_head(conn);
		return;
	}
	conn->head_due = 0;
	if (rc == 0)
		take_head(conn, n);
	else
		refuse(conn, http_oversize(conn->in, conn->in_n));
}

static void on_bytes(struct conn *conn)
{
	ssize_t n;

	if (make_room(conn) < 0) {
		conn_cut(conn, false);
		return;
	}
	n = conn_recv(conn, conn->in + conn->in_n, conn->in_room - conn->in_n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!conn->in_n)
			conn_rest(conn);
		return;
	}
	if (n <= 0) {
		conn->ended = n == 0;
		shake_closed(conn);
		conn_cut(conn, false);
		return;
	}
	conn->in_n += (size_t)n;
	read_heads(conn);
}

static void on_idle_timeout(struct conn *conn)
{
	if (conn->req) {
		if (!conn->req->relaying || conn->req->body_done)
			return; /* it is the upstream's turn, which has time limits of its own */
		STAT_INC(STAT_CONN_TIMEOUT);
		conn_cut(conn, true);
		return;
	}
	if (!conn->sniffed) {
		if (!is_spliced(conn, true))
			read_heads(conn);
		return;
	}
	if (conn->in_n) {
		STAT_INC(STAT_CONN_TIMEOUT);
		request_timed_out(conn);
	} else {
		STAT_INC(STAT_CONN_IDLE_CLOSED);
		conn_close(conn);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	if (shake_runs(conn)) {
		shake_step(conn);
	} else if (what & EV_TIMEOUT) {
		/* A head's time limit is not to be begun again by libevent. */
		on_idle_timeout(conn);
	} else if (!conn->req) {
		on_bytes(conn);
	} else if (conn->req->relaying && !conn->req->body_done) {
		relay_readable(conn->req);
	} else {
		conn_unwatch_read(conn); /* pipelined: it waits its turn in the socket */
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	(void)fd;
	if (shake_runs(conn)) {
		shake_step(conn);
	} else if (!conn->req) {
		if (conn->in_n)
			read_heads(conn); /* conn_answered() put it off */
	} else if (what & EV_TIMEOUT) {
		STAT_INC(STAT_CONN_ABORTED);
		conn_cut(conn, true);
	} else if (conn->req->out.active) {
		deliver_run(conn->req);
	}
}

/* ---- between requests ------------------------------------------------------------------------------ */

/* What came behind the request stands at the front of `in` for the next one. */
static void keep_rest(struct conn *conn, struct request *req)
{
	size_t more = req->body_buf_n - req->body_buf_at;

	conn->in_n -= req->body_at;
	memmove(conn->in, conn->in + req->body_at, conn->in_n);
	if (more) {
		/* Read ahead while the chunked coding was decoded, and only when `in` was used up. */
		free(conn->in);
		conn->in = req->body_buf;
		conn->in_room = RELAY_READ_BYTES;
		conn->in_n = more;
		memmove(conn->in, conn->in + req->body_buf_at, more);
		req->body_buf = NULL;
	}
	conn->scan = HEAD_SCAN_REQUEST;
}

void conn_answered(struct conn *conn)
{
	struct request *req = conn->req;
	bool last = !req->keep || conn->last || conn->worker->draining ||
		    (req->framing.kind != FRAMING_NONE && !req->body_done &&
		     !(req->framing.kind == FRAMING_LENGTH && req->framing.length == 0));

	conn->served = true;
	access_log(req, true);
	if (conn->broken) {
		conn_cut(conn, true);
		return;
	}
	relay_end(req);
	if (last) {
		request_free(&conn->req);
		conn_close(conn);
		return;
	}
	keep_rest(conn, req);
	request_free(&conn->req);
	if (!conn->in_n) {
		conn_rest(conn);
		return;
	}
	/* Pipelined: from the loop, so that a train of requests neither recurses nor starves others. */
	conn_watch_write(conn);
	event_active(&conn->write_event, EV_WRITE, 0);
}

/* ---- the beginning --------------------------------------------------------------------------------- */

int conn_start(struct worker *worker, const struct conn_from *from)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return -ENOMEM;
	conn->worker = worker;
	conn->mode = from->mode;
	conn->fd = from->fd;
	conn->device = from->device;
	conn->origin = from->origin;
	event_assign(&conn->read_event, worker->base, conn->fd, EV_READ | EV_PERSIST, on_readable,
		     conn);
	event_assign(&conn->write_event, worker->base, conn->fd, EV_WRITE, on_writable, conn);
	TAILQ_INSERT_TAIL(&worker->client->conns, conn, link);
	STAT_INC(STAT_CONN_OPEN);
	worker_hold(worker);
	conn->scan = HEAD_SCAN_REQUEST;
	conn->sniffed = conn->mode == CONN_PROXY;
	if (conn->sniffed)
		conn_watch_read(conn);
	else
		await_first(conn);
	return 0;
}

int client_new(struct worker *worker)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->worker = worker;
	TAILQ_INIT(&client->conns);
	TAILQ_INIT(&client->lingers);
	TAILQ_INIT(&client->owing);
	TAILQ_INIT(&client->debts);
	SLIST_INIT(&client->spares);
	LIST_INIT(&client->removals);
	linger_init(client);
	worker->client = client;
	return 0;
}

void client_drain(struct worker *worker)
{
	struct conn *conn, *next;

	for (conn = TAILQ_FIRST(&worker->client->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		conn->last = true;
		if (!conn->req && !conn->in_n)
			conn_close(conn);
	}
}

void client_free(struct worker *worker)
{
	struct client *client = worker->client;
	struct request *req;

	if (!client)
		return;
	while (!TAILQ_EMPTY(&client->conns))
		conn_cut(TAILQ_FIRST(&client->conns), true);
	owed_end_all(client);
	linger_end_all(client);
	removals_forget(client);
	fetch_end_all();
	verdict_end_all();
	while ((req = SLIST_FIRST(&client->spares))) {
		SLIST_REMOVE_HEAD(&client->spares, spare);
		free(req);
	}
	free(client);
	worker->client = NULL;
}
