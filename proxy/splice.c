/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections carried through whole.
 *
 * A splice owns both sockets and belongs to one worker. It is two pumps, one a direction. A pump holds at most one
 * portion at a time, in a pipe (splice(2): the bytes never enter user space) or, where no pipe can be
 * had and for bytes that were read before, in a buffer; it reads again when the portion is written: that is the
 * back pressure. Pipes go back to the worker's stock as soon as they are empty, so that an idle connection holds none.
 *
 *	splice_start --> connecting --connected--> carrying --pump_finished: both directions have ended--> over
 *	                     |                         |
 *	                     | connect failed          | error, idle_over, splice_cut_all
 *	                     v                         v
 *	                   refuse ------------------> over (RST to both if one was reset)
 *
 * Half-close is kept: the end of one direction is passed on by shutdown(2), the other goes on.
 */
#include "proxy/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/flow.h"
#include "proxy/listen.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/tls/tally.h"
#include "proxy/upstream/connect.h"

#define PORTION	     262144 /* of a pipe that is large; others take less */
#define COPY_BYTES   16384
#define TURN_MAX     8	     /* portions before others have a turn */
#define PIPES_SPARE  16	     /* kept by a worker */
#define PIPES_LARGE  64	     /* of all workers: a user may have 64 MiB in pipes (pipe(7)) */
#define IDLE_MS	     7440000 /* 2 h 4 min, as a NAT has to keep an idle connection (RFC 5382, REQ-5) */
#define HALF_IDLE_MS 240000 /* 4 min, once a side has ended (same) */

struct pipe {
	int out, in; /* read end, write end; -1: none */
	bool large;
};

struct pump {
	struct splice *splice;
	int from, to;
	struct pipe pipe;
	size_t in_pipe;
	char *buf; /* NULL: none */
	size_t buf_at, buf_n;
	bool ended;    /* end of file was read */
	bool finished; /* and passed on */
	enum stat_id bytes;
	struct event readable, writable;
};

struct splice {
	LIST_ENTRY(splice) link;
	struct worker *worker;
	int client, server;
	enum splice_reason reason;
	bool from_outside;
	bool answer_connect;
	struct tally_row *tally;
	uint64_t serial; /* proxy/flow.h */
	uint64_t began_ms;
	uint64_t bytes_up, bytes_down;
	struct addr device;
	char *host; /* that was asked for; NULL: by address */
	struct connect *connect;
	struct pump up, down;
	struct event idle;
};

struct splices {
	LIST_HEAD(, splice) open;
	uint64_t begun; /* how many there ever were */
	struct pipe spare[PIPES_SPARE];
	unsigned spare_n;
};

/* Pipes that are large, spare or not; of all workers, as the limit is. */
static atomic_uint large_n;

static const struct {
	enum stat_id stat;
	const char *text;
} reasons[] = {
#define X(name, stat, text) { stat, text },
	SPLICE_REASONS(X)
#undef X
};

/* ---- pipes ------------------------------------------------------------------------------------ */

/*
 * The usual 16 places of a pipe take 16 pieces of what a socket has, and these may be of one packet each: with more places
 * there are fewer calls and wakeups for the same bytes. One that can't be enlarged serves, too.
 */
static void pipe_enlarge(struct pipe *pipe)
{
	pipe->large = atomic_fetch_add_explicit(&large_n, 1, memory_order_relaxed) < PIPES_LARGE &&
		      fcntl(pipe->in, F_SETPIPE_SZ, PORTION) >= 0;
	if (!pipe->large)
		atomic_fetch_sub_explicit(&large_n, 1, memory_order_relaxed);
}

static void pipe_close(const struct pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
	if (pipe->large)
		atomic_fetch_sub_explicit(&large_n, 1, memory_order_relaxed);
}

static bool pipe_take(struct splices *splices, struct pipe *pipe)
{
	int fds[2];

	if (splices->spare_n) {
		*pipe = splices->spare[--splices->spare_n];
		return true;
	}
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	*pipe = (struct pipe){ .out = fds[0], .in = fds[1] };
	pipe_enlarge(pipe);
	return true;
}

/* Gives an empty pipe back; a full one is lost. */
static void pipe_give(struct splices *splices, struct pipe *pipe, bool empty)
{
	if (pipe->in < 0)
		return;
	if (empty && splices->spare_n < PIPES_SPARE) {
		splices->spare[splices->spare_n++] = *pipe;
	} else {
		pipe_close(pipe);
	}
	*pipe = (struct pipe){ .out = -1, .in = -1 };
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void pump_free(struct pump *pump)
{
	free(pump->buf);
	if (!pump->splice)
		return; /* was never connected */
	event_del(&pump->readable);
	event_del(&pump->writable);
	pipe_give(pump->splice->worker->splices, &pump->pipe, !pump->in_pipe);
}

/* Closed with this, a socket sends RST: what the other side did is passed on. */
static void reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void over(struct splice *splice, bool reset)
{
	struct worker *worker = splice->worker;

	connect_cancel(&splice->connect);
	pump_free(&splice->up);
	pump_free(&splice->down);
	event_del(&splice->idle);
	if (reset) {
		reset_on_close(splice->client);
		reset_on_close(splice->server);
	}
	close(splice->client);
	if (splice->server >= 0)
		close(splice->server);
	LIST_REMOVE(splice, link);
	tally_close(worker->proxy->tally, &splice->tally);
	free(splice->host);
	free(splice);
	STAT_DEC(STAT_SPLICE_OPEN);
	worker_release(worker);
}

static void idle_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	over(arg, true);
}

static void idle_restart(struct splice *splice)
{
	unsigned ms = splice->up.ended || splice->down.ended ? HALF_IDLE_MS : IDLE_MS;

	CHECK_OK(event_add(&splice->idle, worker_timeout(splice->worker, ms)));
}

/* ---- pumping ---------------------------------------------------------------------------------- */

static bool pump_holds(const struct pump *pump)
{
	return pump->in_pipe || pump->buf_at < pump->buf_n;
}

static int read_pipe(struct pump *pump)
{
	ssize_t n = splice(pump->from, NULL, pump->pipe.in, NULL, PORTION,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0)
		return -errno;
	pump->in_pipe = (size_t)n;
	pump->ended = n == 0;
	return 0;
}

static int read_copy(struct pump *pump)
{
	ssize_t n;

	/* Whatever it held has been written: it may be shorter than COPY_BYTES. */
	free(pump->buf);
	pump->buf_at = pump->buf_n = 0;
	pump->buf = malloc(COPY_BYTES);
	if (!pump->buf)
		return -ENOMEM;
	n = recv(pump->from, pump->buf, COPY_BYTES, 0);
	if (n < 0)
		return -errno;
	pump->buf_n = (size_t)n;
	pump->ended = n == 0;
	return 0;
}

/* Takes a portion in. 0, -EAGAIN (nothing to read), or another -errno. */
static int pump_read(struct pump *pump)
{
	if (pump->pipe.in < 0 && !pipe_take(pump->splice->worker->splices, &pump->pipe))
		return read_copy(pump);
	return read_pipe(pump);
}

static void pump_count(const struct pump *pump, uint64_t n)
{
	struct splice *splice = pump->splice;
	bool up = pump == &splice->up;

	STAT_ADD(pump->bytes, n);
	splice->bytes_up += up ? n : 0;
	splice->bytes_down += up ? 0 : n;
	if (splice->tally)
		tally_bytes(splice->tally, up ? n : 0, up ? 0 : n);
}

/* Writes what it holds. 0 when nothing is left, -EAGAIN, or another -errno. */
static int pump_write(struct pump *pump)
{
	ssize_t n;

	while (pump->buf_at < pump->buf_n) {
		n = send(pump->to, pump->buf + pump->buf_at, pump->buf_n - pump->buf_at,
			 MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		pump->buf_at += (size_t)n;
		pump_count(pump, (uint64_t)n);
	}
	free(pump->buf);
	pump->buf = NULL;
	pump->buf_at = pump->buf_n = 0;
	while (pump->in_pipe) {
		n = splice(pump->pipe.out, NULL, pump->to, NULL, pump->in_pipe,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (n < 0)
			return -errno;
		pump->in_pipe -= (size_t)n;
		pump_count(pump, (uint64_t)n);
	}
	return 0;
}

/* Until there is nothing to read or no room to write, or its turn is over. Gives 0 or -errno of a broken side. */
static int pump_move(struct pump *pump)
{
	int rc;

	for (int i = 0; i < TURN_MAX; i++) {
		rc = pump_write(pump);
		if (rc == -EAGAIN) {
			event_del(&pump->readable);
			return event_add(&pump->writable, NULL) < 0 ? -ENOMEM : 0;
		}
		if (rc < 0 || pump->ended)
			return rc;
		rc = pump_read(pump);
		if (rc == -EAGAIN)
			break;
		if (rc < 0)
			return rc;
	}
	/* A portion may be held after the last turn: the writable event comes at once. */
	if (pump_holds(pump)) {
		event_del(&pump->readable);
		return event_add(&pump->writable, NULL) < 0 ? -ENOMEM : 0;
	}
	event_del(&pump->writable);
	return event_add(&pump->readable, NULL) < 0 ? -ENOMEM : 0;
}

/* All is written after the end of file: passes the end on. True if the splice is over (and freed). */
static bool pump_finished(struct pump *pump)
{
	struct splice *splice = pump->splice;

	if (pump->ended && !pump_holds(pump) && !pump->finished) {
		pump->finished = true;
		event_del(&pump->readable);
		event_del(&pump->writable);
		(void)shutdown(pump->to, SHUT_WR);
	}
	if (!splice->up.finished || !splice->down.finished)
		return false;
	over(splice, false);
	return true;
}

static void pump_run(evutil_socket_t fd, short what, void *arg)
{
	struct pump *pump = arg;
	struct splice *splice = pump->splice;
	int rc = pump_move(pump);

	(void)fd;
	(void)what;
	if (rc < 0 && rc != -EINTR) {
		over(splice, true);
		return;
	}
	if (pump_finished(pump))
		return;
	if (!pump_holds(pump))
		pipe_give(splice->worker->splices, &pump->pipe, true);
	idle_restart(splice);
}

static void pump_init(struct pump *pump, struct splice *splice, int from, int to,
		      enum stat_id bytes)
{
	struct event_base *base = splice->worker->base;

	pump->splice = splice;
	pump->from = from;
	pump->to = to;
	pump->bytes = bytes;
	CHECK_OK(event_assign(&pump->readable, base, from, EV_READ | EV_PERSIST, pump_run, pump));
	CHECK_OK(event_assign(&pump->writable, base, to, EV_WRITE | EV_PERSIST, pump_run, pump));
}

/* ---- the start -------------------------------------------------------------------------------- */

/* Sets what the pump begins with. False: no memory. */
static bool pump_preload(struct pump *pump, struct span bytes)
{
	if (!bytes.n)
		return true;
	pump->buf = malloc(bytes.n);
	if (!pump->buf)
		return false;
	memcpy(pump->buf, bytes.p, bytes.n);
	pump->buf_n = bytes.n;
	return true;
}

static void refuse(struct splice *splice, int err)
{
	static const struct span late = SPAN("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n"
					     "Connection: close\r\n\r\n");
	static const struct span bad = SPAN("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n"
					    "Connection: close\r\n\r\n");
	static const struct span no = SPAN("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"
					   "Connection: close\r\n\r\n");
	const struct span *answer = err == -ETIMEDOUT ? &late : err == -EACCES ? &no : &bad;

	STAT_INC(STAT_SPLICE_FAILED);
	LOG(LOG_L_INFO, "splice.failed", "reason=%s error=%s", reasons[splice->reason].text,
	    strerrorname_np(-err));
	/* The socket is fresh: so few bytes fit, or the device is gone. */
	if (splice->answer_connect)
		(void)!send(splice->client, answer->p, answer->n, MSG_NOSIGNAL);
	over(splice, !splice->answer_connect);
}

static void connected(void *arg, int err, int fd, const struct addr *peer)
{
	struct splice *splice = arg;
	int one = 1;

	splice->connect = NULL;
	if (err) {
		refuse(splice, err);
		return;
	}
	splice->server = fd;
	if (listen_is_own(splice->worker, peer)) {
		refuse(splice, -ELOOP);
		return;
	}
	if (splice->from_outside && addr_is_local(peer)) {
		refuse(splice, -EACCES);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	pump_init(&splice->up, splice, splice->client, fd, STAT_SPLICE_BYTES_UP);
	pump_init(&splice->down, splice, fd, splice->client, STAT_SPLICE_BYTES_DOWN);
	if (splice->answer_connect &&
	    !pump_preload(&splice->down, SPAN("HTTP/1.1 200 Connection established\r\n\r\n"))) {
		refuse(splice, -ENOMEM);
		return;
	}
	/* Each tries to move at once, and so arms its events. */
	event_active(&splice->up.writable, EV_WRITE, 0);
	event_active(&splice->down.writable, EV_WRITE, 0);
	idle_restart(splice);
}

static struct splices *splices_get(struct worker *worker)
{
	if (!worker->splices)
		worker->splices = calloc(1, sizeof(*worker->splices));
	return worker->splices;
}

static struct splice *splice_new(struct worker *worker, const struct splice_plan *plan)
{
	struct splice *splice = splices_get(worker) ? calloc(1, sizeof(*splice)) : NULL;

	if (!splice)
		return NULL;
	splice->up.pipe = splice->down.pipe = (struct pipe){ .out = -1, .in = -1 };
	if (!pump_preload(&splice->up, plan->head)) {
		free(splice);
		return NULL;
	}
	splice->worker = worker;
	splice->client = plan->fd;
	splice->server = -1;
	splice->reason = plan->reason;
	splice->from_outside = plan->from_outside;
	splice->answer_connect = plan->answer_connect;
	splice->tally = plan->tally;
	splice->serial = ++worker->splices->begun;
	splice->began_ms = worker_now(worker)->mono_ms;
	splice->device = plan->peer;
	splice->host = plan->host ? strdup(plan->host) : NULL; /* only shown */
	CHECK_OK(evtimer_assign(&splice->idle, worker->base, idle_over, splice));
	LIST_INSERT_HEAD(&worker->splices->open, splice, link);
	return splice;
}

void splice_start(struct worker *worker, const struct splice_plan *plan)
{
	struct splice *splice = splice_new(worker, plan);
	int rc;

	STAT_INC(reasons[plan->reason].stat);
	if (!splice) {
		struct tally_row *tally = plan->tally;

		STAT_INC(STAT_SPLICE_FAILED);
		tally_close(worker->proxy->tally, &tally);
		close(plan->fd);
		return;
	}
	worker_hold(worker);
	STAT_INC(STAT_SPLICE_OPEN);
	if (plan->host)
		rc = connect_host(worker, plan->host, plan->port, connected, splice,
				  &splice->connect);
	else if (listen_is_own(worker, &plan->addr))
		rc = -ELOOP;
	else
		rc = connect_addr(worker, &plan->addr, connected, splice, &splice->connect);
	if (rc < 0)
		refuse(splice, rc);
}

/* ---- what the admin sees ------------------------------------------------------------------------ */

static void describe(const struct splice *splice, struct flow *flow)
{
	const char *host = splice->host	   ? splice->host
			   : splice->tally ? tally_host(splice->tally)
					   : "";

	flow->serial = splice->serial;
	flow->peer = splice->device;
	flow_text(flow->host, sizeof(flow->host), span_of(host));
	flow->state = splice->connect	   ? "connect"
		      : splice->down.ended ? "half-closed"
		      : splice->up.ended   ? "half-closed"
					   : "carry";
	flow->outcome = reasons[splice->reason].text;
	flow->bytes = splice->bytes_down;
	flow->bytes_up = splice->bytes_up;
	flow->age_ms = worker_now(splice->worker)->mono_ms - splice->began_ms;
}

void splice_flows(struct worker *worker, struct flow_list *list)
{
	const struct splice *splice;

	if (!worker->splices)
		return;
	LIST_FOREACH(splice, &worker->splices->open, link)
	{
		struct flow *flow = flow_list_add(list, FLOW_SPLICE, worker);

		if (flow)
			describe(splice, flow);
	}
}

void splice_cut_all(struct worker *worker)
{
	struct splices *splices = worker->splices;
	struct splice *splice;

	if (!splices)
		return;
	while ((splice = LIST_FIRST(&splices->open)))
		over(splice, true);
	while (splices->spare_n)
		pipe_close(&splices->spare[--splices->spare_n]);
	free(splices);
	worker->splices = NULL;
}
