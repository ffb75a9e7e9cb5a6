/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a response's head: bytes until a final one is there. Interim ones are passed to whoever asked, within
 * limits of number and length. What the head means is fetch_head.c's.
 */
#include <errno.h>
#include <stdlib.h>

#include "firmware/base/stat.h"
#include "proxy/upstream/fetch_priv.h"

/* 1: a final head is there; 0: not yet; or a refusal. */
static int scan_heads(struct fetch *f)
{
	for (;;) {
		size_t len;
		int rc = head_scan(&f->scan, f->in + f->in_at, f->in_n - f->in_at, CONFIG_HEAD_MAX,
				   &len);

		if (rc == -EAGAIN)
			return 0;
		if (rc < 0)
			return http_oversize(f->in + f->in_at, f->in_n - f->in_at);
		rc = http_response_parse(f->response, f->in + f->in_at + f->scan.skipped, len);
		if (rc < 0)
			return rc;
		f->in_at += f->scan.skipped + len;
		f->scan = HEAD_SCAN_RESPONSE;
		if (f->response->status >= 200 || f->response->status == 101)
			return 1;
		/* All of them together may be as long as one head, and be so many: nobody sends us round for ever. */
		if (f->in_at > CONFIG_HEAD_MAX)
			return -HTTP_REFUSED_HEAD_TOO_LARGE;
		if (f->interims++ >= FETCH_INTERIMS_MAX) {
			STAT_INC(STAT_UPSTREAM_INTERIMS_REFUSED);
			return -HTTP_REFUSED_HEAD_TOO_LARGE;
		}
		if (f->interim)
			f->interim(f->arg, f->response);
	}
}

static int make_room(struct fetch *f)
{
	size_t room = f->in_room ? f->in_room * 2 : FETCH_HEAD_BYTES;
	char *in;

	if (!f->response)
		f->response = malloc(sizeof(*f->response));
	if (!f->response)
		return -ENOMEM;
	if (f->in_n < f->in_room)
		return 0;
	in = realloc(f->in, room);
	if (!in)
		return -ENOMEM;
	f->in = in;
	f->in_room = room;
	return 0;
}

void fetch_read_head(struct fetch *f)
{
	ssize_t n;
	int rc = make_room(f);

	if (rc < 0) {
		fetch_finish(f, rc);
		return;
	}
	n = stream_recv(&f->stream, f->in + f->in_n, f->in_room - f->in_n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (f->step == FETCH_SEND)
			return; /* still watched for both ways */
		fetch_watch(f, EV_READ, fetch_first_byte_ms(f));
		return;
	}
	if (n <= 0) {
		fetch_failed(f, n < 0 ? -errno : -ECONNRESET);
		return;
	}
	if (!f->response_began)
		f->scan = HEAD_SCAN_RESPONSE;
	f->response_began = true;
	f->in_n += (size_t)n;
	rc = scan_heads(f);
	if (rc < 0)
		fetch_bad_response(f, http_refusal_info(rc)->name);
	else if (rc == 1)
		fetch_head(f);
	else if (stream_has_more(&f->stream))
		event_active(&f->event, EV_READ, 0);
}
