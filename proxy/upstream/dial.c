/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect, then shake hands; through a proxy, ask it for a tunnel in between.
 *
 *	dial --> connecting --on_connect--> (tunnel --on_tunnel-->) shaking: on_ready ... --> on_ready: won
 *	              |                         |                      |
 *	              +--- in clear: won        +-- refused: lost      +-- refused, closed, on_ready (timeout): lost
 *
 * A struct dial lives on one worker and is freed right before its callback, or by dial_cancel(). What came out of
 * each handshake is told to verdict.h.
 */
#include "proxy/upstream/credentials.h"
#include "proxy/upstream/dial.h"

#include <stdio.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/balance.h"
#include "proxy/upstream/connect.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/trust.h"
#include "proxy/upstream/verdict.h"

struct dial {
	struct worker *worker;
	struct config *config; /* the profile and the context are its */
	dial_f *f;
	void *arg;
	bool secure, fresh;
	const struct profile *profile;
	char host[PROFILE_HOST_MAX];
	uint16_t port;
	bool through; /* a proxy: what it does says nothing of the vendor */
	struct connect *connect;
	struct exchange *tunnel;
	struct stream stream;
	struct addr peer;
	struct event event;
	uint64_t due; /* mono_ms: the handshake must be over, however it drips */
};

static void dial_free(struct dial *d)
{
	connect_cancel(&d->connect);
	exchange_cancel(&d->tunnel);
	if (event_initialized(&d->event))
		event_del(&d->event);
	stream_close(&d->stream);
	config_unref(&d->config);
	free(d);
}

static void lost(struct dial *d, int err)
{
	dial_f *f = d->f;
	void *arg = d->arg;

	if (d->secure && !d->through)
		verdict_note(d->worker, d->config, d->profile, d->host, d->port, err, NULL);
	dial_free(d);
	f(arg, err, NULL, NULL);
}

static void won(struct dial *d)
{
	dial_f *f = d->f;
	void *arg = d->arg;
	struct stream stream = d->stream;
	struct addr peer = d->peer;

	if (d->secure)
		verdict_note(d->worker, d->config, d->profile, d->host, d->port, 0, stream.secure);
	d->stream = STREAM_NONE;
	dial_free(d);
	f(arg, 0, &stream, &peer);
}

static void refused(struct dial *d, enum secure_reason reason)
{
	char text[ADDR_TEXT_MAX];

	secure_reason_count(reason);
	if (!d->through)
		balance_failed(d->worker->proxy->balance, &d->peer, worker_now(d->worker)->mono_ms);
	LOG(LOG_L_INFO, "upstream.tls_refused", "host=%s port=%u address=%s why=%s", d->host,
	    d->port, addr_ip_format(&d->peer, text), secure_reason_name(reason));
	lost(d, secure_error(reason));
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void watch(struct dial *d, short events)
{
	uint64_t now = worker_now(d->worker)->mono_ms;
	unsigned left = d->due > now ? (unsigned)(d->due - now) : 1;

	if (event_initialized(&d->event))
		event_del(&d->event);
	event_assign(&d->event, d->worker->base, d->stream.fd, events, on_ready, d);
	CHECK_OK(event_add(&d->event,
			   &(struct timeval){ .tv_sec = left / 1000,
					      .tv_usec = (suseconds_t)(left % 1000) * 1000 }));
}

static void shake(struct dial *d)
{
	enum secure_reason reason;
	bool want_write = false;
	int rc = secure_handshake(d->stream.secure, &want_write, &reason);

	if (rc == -EAGAIN)
		watch(d, want_write ? EV_WRITE : EV_READ);
	else if (rc < 0)
		refused(d, reason);
	else
		won(d);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		refused(d, SECURE_TIMEOUT);
	else
		shake(d);
}

static void shake_begin(struct dial *d)
{
	SSL_CTX *context = trust_context(d->config->trust, d->profile);

	if (!context ||
	    secure_new(context, d->stream.fd, d->host, d->port,
		       worker_now(d->worker)->wall_ms / 1000, !d->fresh, &d->stream.secure) < 0) {
		lost(d, -ENOMEM);
		return;
	}
	d->due = worker_now(d->worker)->mono_ms +
		 (uint64_t)d->worker->config->settings.upstream.connect_timeout;
	shake(d);
}

/* The proxy has answered: from here on it is the vendor who speaks. */
static void on_tunnel(void *arg, int err, const struct http_head *head, struct span rest)
{
	struct dial *d = arg;

	d->tunnel = NULL;
	if (err) {
		lost(d, err);
	} else if (head->status < 200 || head->status > 299 || rest.n) {
		LOG(LOG_L_INFO, "parent.no_tunnel", "host=%s port=%u status=%u", d->host, d->port,
		    head->status);
		lost(d, -EHOSTUNREACH);
	} else {
		STAT_INC(STAT_PARENT_TUNNELS);
		shake_begin(d);
	}
}

static void tunnel_begin(struct dial *d)
{
	const char *form = strchr(d->host, ':') ? "[%s]:%u" : "%s:%u";
	char to[PROFILE_HOST_MAX + 10], text[EXCHANGE_HEAD_MAX], line[CREDENTIALS_LINE_MAX];
	int n, rc;

	(void)snprintf(to, sizeof(to), form, d->host, d->port);
	(void)credentials_line(&d->config->settings, true, line);
	n = snprintf(text, sizeof(text), "CONNECT %s HTTP/1.1\r\nHost: %s\r\nVia: 1.1 %s\r\n%s\r\n",
		     to, to, d->worker->proxy->pseudonym, line);
	rc = exchange_begin(d->worker, &d->stream, span_make(text, (size_t)n),
			    (unsigned)d->worker->config->settings.upstream.connect_timeout,
			    on_tunnel, d, &d->tunnel);
	if (rc < 0)
		lost(d, rc);
}

static void on_connect(void *arg, int err, int fd, const struct addr *peer)
{
	struct dial *d = arg;

	d->connect = NULL;
	if (err) {
		lost(d, err);
		return;
	}
	d->stream.fd = fd;
	d->peer = *peer;
	if (!d->secure)
		won(d);
	else if (d->through)
		tunnel_begin(d);
	else
		shake_begin(d);
}

int dial(struct worker *worker, const struct dial_to *to, dial_f *f, void *arg,
	 struct dial **ret_dial)
{
	struct dial *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	d->worker = worker;
	d->config = config_ref(worker->config);
	d->f = f;
	d->arg = arg;
	d->secure = to->secure;
	d->fresh = to->fresh;
	/* Whose asks may be of an older configuration: its profile may be gone before this ends. */
	d->profile = to->profile ? profiles_by_name(d->config->profiles,
						    span_of(profile_name(to->profile)))
				 : NULL;
	d->port = to->port;
	d->through = to->through != NULL;
	d->stream = STREAM_NONE;
	rc = span_copy(span_of(to->host), d->host, sizeof(d->host));
	if (rc == 0)
		rc = connect_host(worker, to->through ? to->through->host : d->host,
				  to->through ? to->through->port : d->port, on_connect, d,
				  &d->connect);
	if (rc < 0)
		dial_free(d);
	else
		*ret_dial = d;
	return rc;
}

void dial_cancel(struct dial **d)
{
	if (*d)
		dial_free(*d);
	*d = NULL;
}
