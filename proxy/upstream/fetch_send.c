/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending the request: the head in one buffer, then the device's body as it comes, length-delimited or in the
 * chunked coding. Back pressure goes straight through: what the upstream does not take is not read from
 * the device.
 *
 * A response may come before the body is through (an upstream that refuses it): reading goes on meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "firmware/base/stat.h"
#include "proxy/upstream/credentials.h"
#include "proxy/upstream/fetch_priv.h"

/* Where a resumed fetch goes on. */
static struct byte_range rest_range(struct fetch *f)
{
	struct byte_range range = { .first = flight_published(f->flight), .last = RANGE_UNKNOWN };

	if (f->is_part)
		return (struct byte_range){ f->base + range.first,
					    f->base + (uint64_t)f->length - 1 };
	if (f->end != UINT64_MAX && (f->length < 0 || f->end < (uint64_t)f->length))
		range.last = f->end - 1;
	return range;
}

/* Host of a mirror: its own name; the port as asked. */
static struct span authority_at(struct fetch *f, char *buf, size_t size)
{
	if (f->at == f->host)
		return f->authority;
	if (f->port == (f->secure ? 443 : 80))
		return span_of(f->at);
	snprintf(buf, size, "%s:%u", f->at, f->port);
	return span_of(buf);
}

/* The target as it goes out: to a proxy with the vendor's name. 0 or -ENOMEM. */
static int target_at(struct fetch *f, struct span authority, struct span *ret_target)
{
	size_t n = 7 + authority.n + f->target.n;

	*ret_target = f->target;
	if (!fetch_at_parent(f) || !f->way.proxy)
		return 0;
	free(f->absolute);
	f->absolute = malloc(n);
	if (!f->absolute)
		return -ENOMEM;
	memcpy(f->absolute, "http://", 7);
	memcpy(f->absolute + 7, authority.p, authority.n);
	memcpy(f->absolute + 7 + authority.n, f->target.p, f->target.n);
	*ret_target = span_make(f->absolute, n);
	return 0;
}

/* Our password at the parent, as the head's last line. 0 or -EMSGSIZE. */
static int credentials_put(struct fetch *f)
{
	char line[CREDENTIALS_LINE_MAX];
	size_t n;

	f->secret_n = 0;
	if (!fetch_at_parent(f) ||
	    (!f->way.proxy && http_has(f->request, HTTP_FIELD_AUTHORIZATION)))
		return 0;
	n = credentials_line(&f->config->settings, f->way.proxy, line);
	if (f->out_n + n > POLICY_HEAD_MAX)
		return -EMSGSIZE;
	memmove(f->out + f->out_n - 2 + n, f->out + f->out_n - 2, 2);
	memcpy(f->out + f->out_n - 2, line, n);
	f->out_n += n;
	f->secret_n = n;
	return 0;
}

int fetch_build(struct fetch *f)
{
	char authority[PROFILE_HOST_MAX + 8];
	struct policy_forward what = {
		.request = f->request,
		.target = f->target,
		.authority = authority_at(f, authority, sizeof(authority)),
		.pseudonym = span_of(f->worker->proxy->pseudonym),
		.relay = f->kind == FETCH_RELAY,
		.cond = f->cond,
		.stored = f->stored,
		.as_asked = f->as_asked,
		.has_range = f->has_range,
		.range = f->range,
		.end_to_end = f->kind == FETCH_CACHE && fetch_at_parent(f) && !f->way.tarn,
	};
	int rc;

	for (; what.others_n < f->others_n; what.others_n++)
		what.others[what.others_n] = stored_object(f->others[what.others_n]);
	rc = target_at(f, what.authority.n ? what.authority : f->request->authority, &what.target);
	if (rc < 0)
		return rc;

	if (f->headed) {
		what.cond = POLICY_COND_NONE;
		what.as_asked = false;
		what.others_n = 0;
		what.stored = f->object;
		what.has_range = true;
		what.range = rest_range(f);
	}
	if (!f->out)
		f->out = malloc(POLICY_HEAD_MAX);
	if (!f->out)
		return -ENOMEM;
	rc = policy_forward(&what, f->out, POLICY_HEAD_MAX, &f->out_n);
	return rc < 0 ? rc : credentials_put(f);
}

/* 0: all taken; -EAGAIN; or -errno. */
static int send_some(struct fetch *f, const char *p, size_t n, int flags, size_t *ret_sent)
{
	ssize_t sent = stream_send(&f->stream, p, n, flags);

	*ret_sent = sent > 0 ? (size_t)sent : 0;
	if (sent < 0)
		return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return *ret_sent == n ? 0 : -EAGAIN;
}

/* What goes out, without the password. */
static void sent_tell(struct fetch *f)
{
	size_t n = f->out_n - f->secret_n;
	char *head = f->secret_n ? malloc(n) : f->out;

	if (!head)
		return;
	if (f->secret_n) {
		memcpy(head, f->out, n - 2);
		memcpy(head + n - 2, "\r\n", 2);
	}
	f->sent(f->arg, span_make(head, n));
	if (f->secret_n)
		free(head);
}

static int send_head(struct fetch *f)
{
	size_t sent;
	int rc;

	if (f->out_at == f->out_n)
		return 0;
	if (f->out_at == 0)
		f->requested = worker_now(f->worker)->wall_ms / 1000;
	if (f->out_at == 0 && f->sent)
		sent_tell(f);
	rc = send_some(f, f->out + f->out_at, f->out_n - f->out_at, f->has_body ? MSG_MORE : 0,
		       &sent);
	f->out_at += sent;
	return rc;
}

/* The pending bytes of the chunked coding. */
static int send_frame(struct fetch *f)
{
	size_t sent;
	int rc;

	if (f->frame_at == f->frame_n)
		return 0;
	rc = send_some(f, f->frame + f->frame_at, f->frame_n - f->frame_at,
		       f->body_part.n ? MSG_MORE : 0, &sent);
	f->frame_at += sent;
	return rc;
}

static void frame_set(struct fetch *f, bool last)
{
	f->frame_at = f->frame_n = 0;
	if (!f->body.chunked)
		return;
	if (f->body_begun) {
		memcpy(f->frame, CHUNK_END, 2);
		f->frame_n = 2;
	}
	if (last) {
		memcpy(f->frame + f->frame_n, CHUNK_LAST, sizeof(CHUNK_LAST) - 1);
		f->frame_n += sizeof(CHUNK_LAST) - 1;
	} else {
		f->frame_n += chunk_head_write(f->frame + f->frame_n, f->body_part.n);
	}
}

/* The next bytes of the body: 1 if there are some to send, 0 at its end, or -errno. */
static int body_next(struct fetch *f)
{
	int rc;

	if (!f->body.read)
		return -ECANCELED;
	rc = f->body.read(f->body.arg, &f->body_part);
	if (rc < 0)
		return rc == -EAGAIN ? rc : -ECANCELED;
	frame_set(f, f->body_part.n == 0);
	f->body_begun = true;
	f->body_ended = f->body_part.n == 0;
	return f->body_ended ? 0 : 1;
}

static int send_part(struct fetch *f)
{
	size_t sent;
	int rc;

	if (!f->body_part.n)
		return 0;
	rc = send_some(f, f->body_part.p, f->body_part.n, 0, &sent);
	f->body_part = span_drop(f->body_part, sent);
	if (sent && f->body.taken)
		f->body.taken(f->body.arg, sent);
	return rc;
}

/* 0: through; -EAGAIN with *ret_device: it is the device that we wait for. */
static int send_body(struct fetch *f, bool *ret_device)
{
	int rc;

	*ret_device = false;
	while (f->has_body) {
		rc = send_frame(f);
		if (rc == 0)
			rc = send_part(f);
		if (rc < 0)
			return rc;
		if (f->body_ended)
			break;
		rc = body_next(f);
		*ret_device = rc == -EAGAIN;
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Is it the origin's turn to say something before the device sends its body (RFC 9110 10.1.1)? */
static bool awaits_continue(const struct fetch *f)
{
	return !f->body_begun && !f->interims && http_expects_continue(f->request) == 1;
}

unsigned fetch_first_byte_ms(const struct fetch *f)
{
	unsigned limit = (unsigned)f->config->settings.upstream.first_byte_timeout;

	return f->way.id ? (limit + 1) / 2 : limit;
}

void fetch_send(struct fetch *f)
{
	const struct tarn_settings *set = &f->config->settings;
	bool device = false;
	int rc = send_head(f);

	if (rc == 0)
		rc = send_body(f, &device);
	if (rc == -EAGAIN) {
		fetch_watch(f, device ? EV_READ : EV_READ | EV_WRITE,
			    (unsigned)(!device		    ? set->upstream.idle_timeout
				       : awaits_continue(f) ? set->upstream.first_byte_timeout
							    : 0));
		return;
	}
	if (rc == -EPIPE || rc == -ECONNRESET) {
		/* It may have answered before it closed: what it said is in the socket. */
		f->step = FETCH_HEAD;
		fetch_read_head(f);
		return;
	}
	if (rc == -ECANCELED) {
		fetch_finish(f, rc);
		return;
	}
	if (rc < 0) {
		fetch_failed(f, rc);
		return;
	}
	STAT_INC(STAT_UPSTREAM_REQUESTS);
	if (fetch_at_parent(f))
		STAT_INC(STAT_PARENT_REQUESTS);
	f->step = FETCH_HEAD;
	fetch_watch(f, EV_READ, fetch_first_byte_ms(f));
}
