/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource: a file of the world, for root on this machine (tarnctl update URL), who has no network parser of his own: it
 * goes by our resolver, our parents and our TLS, and nothing of it is kept.
 *
 *	get ──► dialling ──► asking ──► open ──► pumping ──► ended
 *	  └────────┴───────────┴── 503: why not      └── cut: fewer bytes than the first line says
 *
 * The answer is a line of JSON, {"status", "size", "from", "etag", "location"}, and then, if the status is 200 or 206,
 * bytes `from` to `size` of the file. Redirections are the asker's to follow. Control loop only.
 */
#include <stdlib.h>
#include <string.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/admin/route.h"
#include "proxy/config.h"
#include "proxy/http/etag.h"
#include "proxy/http/frame.h"
#include "proxy/http/range.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/dial.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/parent.h"

#define URL_MAX	 3000
#define ETAG_MAX 256
#define PIECE	 (128 << 10)

struct download {
	struct worker *control;
	struct admin_ask *ask; /* until it is answered */
	struct dial *dial;
	struct exchange *exchange;
	struct stream stream;
	struct admin_stream *out;
	struct evbuffer *first; /* the line, and what came with the head */
	struct event event;
	uint64_t left;
	int64_t from;
	bool secure;
	uint16_t port;
	unsigned tried; /* parents */
	struct parent_way way;
	char host[PROFILE_HOST_MAX];
	char authority[PROFILE_HOST_MAX + 10];
	char etag[ETAG_MAX];
	char target[URL_MAX]; /* path and query */
};

static void download_free(void *arg)
{
	struct download *d = arg;

	dial_cancel(&d->dial);
	exchange_cancel(&d->exchange);
	if (event_initialized(&d->event))
		event_del(&d->event);
	stream_close(&d->stream);
	if (d->first)
		evbuffer_free(d->first);
	free(d);
}

static void failed(struct download *d, const char *word, const char *text)
{
	struct admin_ask *ask = d->ask;

	STAT_INC(STAT_ADMIN_DOWNLOAD_FAILED);
	LOG(LOG_L_INFO, "download.failed", "host=%s why=%s", d->host, word);
	download_free(d);
	admin_answer_error(ask, 503, word, "%s", text);
}

/* ---- the body ------------------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct download *d = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		stream_close(&d->stream);
	admin_stream_wake(d->out);
}

static void watch(struct download *d)
{
	if (event_initialized(&d->event))
		event_del(&d->event);
	event_assign(&d->event, d->control->base, d->stream.fd, EV_READ, on_readable, d);
	CHECK_OK(event_add(
		&d->event,
		worker_timeout(d->control,
			       (unsigned)d->control->config->settings.upstream.idle_timeout)));
}

/* Of the stream into `out`. > 0: bytes; -EAGAIN; or it is cut. */
static int body_read(struct download *d, struct evbuffer *out)
{
	struct evbuffer_iovec space;
	size_t most = d->left < PIECE ? (size_t)d->left : PIECE;
	ssize_t n;

	if (d->stream.fd < 0)
		return -ETIMEDOUT;
	if (evbuffer_reserve_space(out, (ev_ssize_t)most, &space, 1) != 1)
		return -ENOMEM;
	n = stream_recv(&d->stream, space.iov_base, most);
	if (n < 0)
		return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (n == 0)
		return -ECONNRESET;
	space.iov_len = (size_t)n;
	CHECK_OK(evbuffer_commit_space(out, &space, 1));
	d->left -= (uint64_t)n;
	return (int)n;
}

static int next(void *arg, struct evbuffer *out)
{
	struct download *d = arg;
	int rc;

	if (d->first) {
		CHECK_OK(evbuffer_add_buffer(out, d->first));
		evbuffer_free(d->first);
		d->first = NULL;
		return d->left ? 1 : 0;
	}
	rc = body_read(d, out);
	if (rc == -EAGAIN)
		watch(d);
	if (rc < 0)
		return rc;
	return d->left ? 1 : 0;
}

static const struct admin_source source = { next, download_free };

/* ---- the head ------------------------------------------------------------------------------------- */

static json_t *field_json(const struct http_head *head, enum http_field_id id)
{
	const struct http_field *field = http_field_first(head, id);
	json_t *text = field ? json_stringn(field->value.p, field->value.n) : NULL;

	return text ? text : json_null(); /* not UTF-8, too */
}

/* 206: is it the rest of the file, from where we asked on? */
static int part_size(struct download *d, const struct http_head *head, int64_t *ret_size)
{
	const struct http_field *field = http_field_first(head, HTTP_FIELD_CONTENT_RANGE);
	struct content_range part;

	if (!field || http_content_range_parse(field->value, &part) < 0 || part.unsatisfied ||
	    part.complete == RANGE_UNKNOWN || part.complete > INT64_MAX ||
	    part.range.first != (uint64_t)d->from || part.range.last + 1 != part.complete ||
	    part.complete - part.range.first != d->left)
		return -EBADMSG;
	*ret_size = (int64_t)part.complete;
	return 0;
}

/* The size of the whole, -1: it has none, and of what follows the line. 0, -EBADMSG, -EMSGSIZE: it does not say. */
static int body_size(struct download *d, const struct http_head *head, int64_t *ret_size)
{
	struct framing framing;

	*ret_size = -1;
	d->left = 0;
	if (http_framing(head, HTTP_METHOD_GET, &framing) < 0)
		return -EBADMSG;
	if (head->status != 200 && head->status != 206)
		return 0;
	if (framing.kind != FRAMING_LENGTH)
		return -EMSGSIZE;
	d->left = framing.length;
	if (head->status == 200) {
		d->from = 0;
		*ret_size = (int64_t)framing.length;
		return 0;
	}
	return part_size(d, head, ret_size);
}

/* {"status": ...}, a line. */
static int line_make(struct download *d, const struct http_head *head, int64_t size)
{
	json_t *json = json_pack("{s:i, s:I, s:I, s:o, s:o}", "status", head->status, "size",
				 (json_int_t)size, "from", (json_int_t)d->from, "etag",
				 field_json(head, HTTP_FIELD_ETAG), "location",
				 field_json(head, HTTP_FIELD_LOCATION));
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	int rc = -ENOMEM;

	d->first = evbuffer_new();
	if (text && d->first)
		rc = evbuffer_add_printf(d->first, "%s\n", text) < 0 ? -ENOMEM : 0;
	free(text);
	json_decref(json);
	return rc;
}

static void on_head(void *arg, int err, const struct http_head *head, struct span rest)
{
	struct download *d = arg;
	struct admin_ask *ask = d->ask;
	struct admin_stream *out;
	int64_t size = -1;
	int rc;

	d->exchange = NULL;
	if (err)
		return failed(d, "no_answer",
			      err == -EBADMSG ? "it speaks no HTTP" : "it does not answer");
	rc = body_size(d, head, &size);
	if (size < 0)
		rest.n = 0; /* what it says instead of the file */
	if (rc == -EMSGSIZE)
		return failed(d, "no_length", "the server does not say how long the file is");
	if (rc || rest.n > d->left)
		return failed(d, "bad_answer", "the server's answer makes no sense");
	rc = line_make(d, head, size);
	if (!rc && rest.n)
		rc = evbuffer_add(d->first, rest.p, rest.n) ? -ENOMEM : 0;
	if (rc)
		return failed(d, "no_memory", "there is no memory for it");
	d->left -= rest.n;
	d->ask = NULL;
	STAT_INC(STAT_ADMIN_DOWNLOADS);
	out = admin_stream_open(ask, "application/octet-stream", NULL, &source, d);
	if (out)
		d->out = out;
}

/* ---- the way there -------------------------------------------------------------------------------- */

static void way_take(struct download *d);

static void on_dial(void *arg, int err, const struct stream *stream, const struct addr *peer)
{
	struct download *d = arg;
	char text[EXCHANGE_HEAD_MAX], range[ETAG_MAX + 60] = "";
	bool absolute = d->way.id && !d->secure;
	int n, rc;

	(void)peer;
	d->dial = NULL;
	if (err && d->way.id) {
		parents_failed(d->control->proxy->parents, d->way.id, "no connection", false,
			       worker_now(d->control)->mono_ms);
		d->tried = parent_tried(d->tried, d->way.id);
		return way_take(d);
	}
	if (err)
		return failed(d, secure_error_name(err) ? secure_error_name(err) : "no_connection",
			      secure_error_name(err) ? "its certificate or its TLS is not valid"
			      : err == -ENOENT	     ? "there is no such host"
						     : "it can't be reached");
	d->stream = *stream;
	if (d->from)
		(void)snprintf(range, sizeof(range), "Range: bytes=%lld-\r\nIf-Range: %s\r\n",
			       (long long)d->from, d->etag);
	n = snprintf(text, sizeof(text),
		     "GET %s%s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: tarn\r\nAccept: */*\r\n"
		     "Accept-Encoding: identity\r\n%sConnection: close\r\n\r\n",
		     absolute ? "http://" : "", absolute ? d->authority : "", d->target,
		     d->authority, range);
	rc = n < (int)sizeof(text)
		     ? exchange_begin(
			       d->control, &d->stream, span_make(text, (size_t)n),
			       (unsigned)d->control->config->settings.upstream.first_byte_timeout,
			       on_head, d, &d->exchange)
		     : -EMSGSIZE;
	if (rc)
		failed(d, "no_memory", "there is no memory for it");
}

/* By the next parent that is a proxy, or straight. */
static void way_take(struct download *d)
{
	struct dial_to to = { .secure = d->secure, .host = d->host, .port = d->port };
	uint64_t now = worker_now(d->control)->mono_ms;

	for (;;) {
		if (!parents_next(d->control->proxy->parents, NULL, d->secure, d->tried, now,
				  &d->way))
			return failed(d, "no_connection", "no parent can be reached");
		if (!d->way.id || d->way.proxy)
			break;
		d->tried = parent_tried(d->tried, d->way.id);
	}
	if (d->way.id && d->secure) {
		to.through = &d->way.at;
	} else if (d->way.id) {
		to.secure = d->way.at.secure;
		to.host = d->way.at.host;
		to.port = d->way.at.port;
	}
	if (dial(d->control, &to, on_dial, d, &d->dial) < 0)
		failed(d, "no_memory", "there is no memory for it");
}

/* ---- the question --------------------------------------------------------------------------------- */

/* "https://host[:port]/path?query"; what is behind a '#' is the asker's alone. */
static bool url_take(struct download *d, struct span url)
{
	struct origin origin;
	size_t slash;

	d->secure = span_starts(url, SPAN("https://"));
	if (!d->secure && !span_starts(url, SPAN("http://")))
		return false;
	url = span_head(url, span_find(url, '#'));
	slash = (d->secure ? 8 : 7);
	slash += span_find(span_drop(url, slash), '/');
	if (origin_parse(span_head(url, slash), &origin))
		return false;
	memcpy(d->host, origin.host, sizeof(d->host));
	d->port = origin.port;
	(void)snprintf(d->authority, sizeof(d->authority),
		       strchr(d->host, ':') ? "[%s]:%u" : "%s:%u", d->host, d->port);
	if (d->port == (d->secure ? 443 : 80))
		*strrchr(d->authority, ':') = '\0';
	url = span_drop(url, slash);
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~')
			return false;
	return !span_copy(url.n ? url : SPAN("/"), d->target, sizeof(d->target));
}

static void get_download(struct admin_ask *ask)
{
	const char *url = admin_query(ask, "url"), *etag = admin_query(ask, "match");
	struct download *d;
	struct etag tag;
	int64_t from;

	if (!ask->local)
		return admin_answer_error(ask, 403, "local_only",
					  "only who is on this machine may ask for this");
	if (admin_query_number(ask, "from", 0, INT64_MAX / 2, 0, &from))
		return;
	if (from && (!etag || etag_parse(span_of(etag), &tag) || tag.weak))
		return admin_answer_error(ask, 400, "bad_match",
					  "from takes a strong entity tag in match");
	d = calloc(1, sizeof(*d));
	if (!d)
		return admin_answer_errno(ask, -ENOMEM);
	*d = (struct download){ .control = ask->control, .from = from, .stream = STREAM_NONE };
	if (!url || !url_take(d, span_of(url)) ||
	    (etag && span_copy(span_of(etag), d->etag, sizeof(d->etag)))) {
		download_free(d);
		return admin_answer_error(ask, 400, "bad_url",
					  "url is http:// or https://, a host and a path");
	}
	d->ask = ask;
	admin_keep(ask, download_free, d);
	way_take(d);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/download", ADMIN_OPERATE, get_download },
};

ADMIN_TABLE(download, routes);
