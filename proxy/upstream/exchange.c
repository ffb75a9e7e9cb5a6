/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One small question on a stream, and the head of the answer.
 *
 *	exchange_begin --> sending --on_ready: all is sent--> reading --on_ready: a final head--> ended
 *	                      |                                  |
 *	                      +------- over, closed, no HTTP ----+--> ended
 *
 * A struct exchange lives on one worker and is freed right before its callback, or by exchange_cancel(); what the head's
 * spans point into is freed after it.
 */
#include "proxy/upstream/exchange.h"

#include <stdlib.h>

#include "proxy/http/scan.h"
#include "proxy/loop.h"

struct exchange {
	struct worker *worker;
	struct stream stream; /* borrowed */
	exchange_f *f;
	void *arg;
	struct event event;
	uint64_t due; /* mono_ms */
	size_t out_n, out_at, in_n;
	struct head_scan scan;
	struct http_head head;
	char out[EXCHANGE_HEAD_MAX];
	char in[CONFIG_HEAD_MAX];
};

static void ended(struct exchange *x, int err, size_t rest)
{
	event_del(&x->event);
	x->f(x->arg, err, err ? NULL : &x->head, span_make(x->in + x->in_n - rest, rest));
	free(x);
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void watch(struct exchange *x, short events)
{
	uint64_t now = worker_now(x->worker)->mono_ms;
	uint64_t left = x->due > now ? x->due - now : 1;
	struct timeval limit = { (time_t)(left / 1000), (suseconds_t)(left % 1000) * 1000 };

	event_del(&x->event);
	event_assign(&x->event, x->worker->base, x->stream.fd, events, on_ready, x);
	CHECK_OK(event_add(&x->event, &limit));
}

/* 0: all is sent; -EAGAIN; or -errno. */
static int send_rest(struct exchange *x)
{
	while (x->out_at < x->out_n) {
		ssize_t n = stream_send(&x->stream, x->out + x->out_at, x->out_n - x->out_at, 0);

		if (n < 0)
			return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
		x->out_at += (size_t)n;
	}
	return 0;
}

/* 0: a final head is there, *ret_rest bytes behind it; -EAGAIN; -EBADMSG. Interim ones are dropped. */
static int scan(struct exchange *x, size_t *ret_rest)
{
	for (;;) {
		size_t len;
		int rc = head_scan(&x->scan, x->in, x->in_n, sizeof(x->in), &len);

		if (rc == -EAGAIN)
			return x->in_n < sizeof(x->in) ? rc : -EBADMSG;
		if (rc < 0 || http_response_parse(&x->head, x->in + x->scan.skipped, len) < 0)
			return -EBADMSG;
		len += x->scan.skipped;
		*ret_rest = x->in_n - len;
		if (x->head.status >= 200)
			return 0;
		memmove(x->in, x->in + len, *ret_rest);
		x->in_n = *ret_rest;
		x->scan = HEAD_SCAN_RESPONSE;
	}
}

static int read_some(struct exchange *x, size_t *ret_rest)
{
	do {
		ssize_t n = stream_recv(&x->stream, x->in + x->in_n, sizeof(x->in) - x->in_n);
		int rc;

		if (n < 0)
			return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
		if (n == 0)
			return -ECONNRESET;
		x->in_n += (size_t)n;
		rc = scan(x, ret_rest);
		if (rc != -EAGAIN)
			return rc;
	} while (stream_has_more(&x->stream));
	return -EAGAIN;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct exchange *x = arg;
	size_t rest = 0;
	int rc;

	(void)fd;
	if (what & EV_TIMEOUT && worker_now(x->worker)->mono_ms >= x->due) {
		ended(x, -ETIMEDOUT, 0);
		return;
	}
	rc = send_rest(x);
	if (rc == 0)
		rc = read_some(x, &rest);
	if (rc == -EAGAIN)
		watch(x, x->out_at < x->out_n ? EV_WRITE : EV_READ);
	else
		ended(x, rc, rest);
}

int exchange_begin(struct worker *worker, const struct stream *stream, struct span text,
		   unsigned limit_ms, exchange_f *f, void *arg, struct exchange **ret_exchange)
{
	struct exchange *x;

	if (text.n > sizeof(x->out))
		return -EMSGSIZE;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->worker = worker;
	x->stream = *stream;
	x->f = f;
	x->arg = arg;
	x->due = worker_now(worker)->mono_ms + limit_ms;
	x->scan = HEAD_SCAN_RESPONSE;
	x->out_n = text.n;
	memcpy(x->out, text.p, text.n);
	event_assign(&x->event, worker->base, stream->fd, EV_WRITE, on_ready, x);
	watch(x, EV_WRITE);
	*ret_exchange = x;
	return 0;
}

void exchange_cancel(struct exchange **exchange)
{
	if (*exchange) {
		event_del(&(*exchange)->event);
		free(*exchange);
	}
	*exchange = NULL;
}
