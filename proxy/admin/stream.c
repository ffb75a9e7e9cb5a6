/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are made while they are sent: the next piece when the one before has left. Control loop only.
 *
 *	open ──► pump ──► next() 1: piece sent, pump again once it has left (on_sent)
 *	           ▲            -EAGAIN: waiting ──► admin_stream_wake() ─┐
 *	           └──────────────────────────────────────────────────────┘
 *	                        0: ended        -errno: cut        connection gone (on_closed): ended
 *
 * The request is evhttp's to free once the reply has ended; of a connection that is gone, too, but only when we end the
 * reply: so stream_end() always does that.
 */
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdlib.h>

#include "proxy/admin/ask_priv.h"
#include "proxy/loop.h"

#define SEND_LIMIT_S 30

struct admin_stream {
	struct streams *streams;
	struct evhttp_request *request;
	struct evbuffer *piece;
	const struct admin_source *source;
	void *arg;
	struct event start; /* the first pump, when its maker has our address */
	bool sending;	    /* a piece is on its way */
	bool pumping, over;
	LIST_ENTRY(admin_stream) link;
};

struct streams {
	LIST_HEAD(, admin_stream) open;
};

struct streams *streams_new(void)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	if (streams)
		LIST_INIT(&streams->open);
	return streams;
}

/* Lets go of all but the request. */
static void stream_free(struct admin_stream *stream)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(stream->request);

	if (conn)
		evhttp_connection_set_closecb(conn, NULL, NULL);
	LIST_REMOVE(stream, link);
	event_del(&stream->start);
	stream->source->end(stream->arg);
	evbuffer_free(stream->piece);
	free(stream);
}

static void stream_end(struct admin_stream *stream)
{
	struct evhttp_request *request = stream->request;

	stream_free(stream);
	evhttp_send_reply_end(request);
}

/* The end of the connection is the only way to say that the body is broken. */
static void stream_cut(struct admin_stream *stream)
{
	struct evhttp_request *request = stream->request;
	struct evhttp_connection *conn = evhttp_request_get_connection(request);

	stream_free(stream);
	if (conn)
		evhttp_connection_free(conn); /* and with it the request */
	else
		evhttp_send_reply_end(request);
}

void streams_free(struct streams **ptr)
{
	struct admin_stream *stream;

	while (*ptr && (stream = LIST_FIRST(&(*ptr)->open)))
		stream_free(stream);
	free(*ptr);
	*ptr = NULL;
}

static void pump(struct admin_stream *stream);

static void on_sent(struct evhttp_connection *conn, void *arg)
{
	struct admin_stream *stream = arg;

	(void)conn;
	stream->sending = false;
	if (stream->over)
		stream_end(stream);
	else
		pump(stream);
}

/* The asker went away. evhttp took the request off the connection before: it is ours to end. */
static void on_closed(struct evhttp_connection *conn, void *arg)
{
	struct admin_stream *stream = arg;
	struct evhttp_request *request = stream->request;

	(void)conn;
	stream_free(stream);
	if (!evhttp_request_get_connection(request))
		evhttp_send_reply_end(request);
}

static void pump(struct admin_stream *stream)
{
	int rc;

	if (stream->sending || stream->pumping)
		return;
	stream->pumping = true;
	rc = stream->source->next(stream->arg, stream->piece);
	stream->pumping = false;
	if (rc < 0 && rc != -EAGAIN) {
		stream_cut(stream);
	} else if (evbuffer_get_length(stream->piece) > 0) {
		stream->sending = true;
		stream->over = rc == 0;
		evhttp_send_reply_chunk_with_cb(stream->request, stream->piece, on_sent, stream);
	} else {
		CHECK(rc != 1); /* more, but nothing of it */
		if (rc == 0)
			stream_end(stream);
	}
}

void admin_stream_wake(struct admin_stream *stream)
{
	pump(stream);
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pump(arg);
}

/* A stream that rests is no connection that hangs: only what we send must get on. */
static void head_send(struct admin_stream *stream)
{
	static const struct timeval send_limit = { .tv_sec = SEND_LIMIT_S };
	struct evhttp_connection *conn = evhttp_request_get_connection(stream->request);

	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(conn), NULL, &send_limit);
	evhttp_connection_set_closecb(conn, on_closed, stream);
	evhttp_send_reply_start(stream->request, HTTP_OK, "OK");
}

struct admin_stream *admin_stream_open(struct admin_ask *ask, const char *type, const char *file,
				       const struct admin_source *source, void *arg)
{
	struct admin_stream *stream = calloc(1, sizeof(*stream));
	char disposition[200];

	if (stream)
		stream->piece = evbuffer_new();
	if (!stream || !stream->piece) {
		free(stream);
		source->end(arg);
		admin_answer_errno(ask, -ENOMEM);
		return NULL;
	}
	admin_field(ask, "Content-Type", type);
	admin_field(ask, "Cache-Control", "no-store");
	if (file) {
		(void)snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"",
			       file);
		admin_field(ask, "Content-Disposition", disposition);
	}
	stream->source = source;
	stream->arg = arg;
	stream->streams = ask_streams(ask_of(ask));
	CHECK_OK(evtimer_assign(&stream->start, ask->control->base, on_start, stream));
	stream->request = ask_end(ask);
	LIST_INSERT_HEAD(&stream->streams->open, stream, link);
	head_send(stream);
	if (evhttp_request_get_command(stream->request) == EVHTTP_REQ_HEAD) {
		stream_end(stream);
		return NULL;
	}
	event_active(&stream->start, EV_TIMEOUT, 1);
	return stream;
}
