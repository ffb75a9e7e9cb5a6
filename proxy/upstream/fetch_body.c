/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a response, from the socket into the flight's buffers: straight, where its length is known or
 * it ends with the connection; through `in`, where it has to be decoded.
 *
 * A body is complete when its framing says so and it is as long as the head said. When the flight
 * has no room the socket is left alone (the upstream feels it) until the flight wakes us.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "firmware/base/stat.h"
#include "proxy/upstream/fetch_priv.h"

#define PAUSE_MS 1000 /* look at the flight's laggards so often */
/*
 * The loop's other events get their turn after so many bytes or reads: readers on this worker have the first byte
 * soon, and send what is still in the processor's cache. Not by event_active(): libevent runs what is made active
 * meanwhile before it looks at any socket again.
 */
#define BYTES_A_TURN  65536
#define ROUNDS_A_TURN 8
#define TAIL_BYTES    4096 /* so little, or nothing, is left: no turn of its own */

/* Does the flight end up with what was promised? */
static bool is_whole(struct fetch *f)
{
	uint64_t at = flight_published(f->flight);

	if (f->skip)
		return false;
	if (f->end != UINT64_MAX)
		return at == f->end;
	return f->length < 0 || f->framing.kind == FRAMING_NONE || at == (uint64_t)f->length;
}

static void body_complete(struct fetch *f)
{
	bool reusable = !f->framing.close && http_persistent(f->response) && f->in_at == f->in_n &&
			(!f->has_body || f->body_ended) && f->framing.kind != FRAMING_UNTIL_CLOSE;

	if (!is_whole(f)) {
		STAT_INC(STAT_UPSTREAM_BAD_RESPONSE);
		fetch_failed(f, -EBADMSG);
		return;
	}
	balance_good(f->worker->proxy->balance, &f->peer);
	fetch_release(f, reusable);
	fetch_finish(f, 0);
}

/* n body bytes stand at the start of the flight's room, unless they are to be skipped. */
static int take(struct fetch *f, const char *from, uint8_t *room, size_t n)
{
	size_t skip = f->skip < n ? (size_t)f->skip : n;
	uint64_t limit = f->end != UINT64_MAX ? f->end
			 : f->length >= 0     ? (uint64_t)f->length
					      : UINT64_MAX;

	f->skip -= skip;
	n -= skip;
	if (!n)
		return 0;
	if (limit - flight_published(f->flight) < n)
		return -EBADMSG; /* more than the head promised */
	if (from + skip != (const char *)room)
		memmove(room, from + skip, n);
	flight_publish(f->flight, n);
	if (f->kind == FETCH_CACHE)
		STAT_ADD(STAT_BYTES_FROM_VENDOR, n);
	return 0;
}

/* All of `in` is used up: from now on it takes more at once. */
static int decode_room(struct fetch *f)
{
	char *in;

	if (f->in_room >= FETCH_READ_BYTES)
		return 0;
	in = realloc(f->in, FETCH_READ_BYTES);
	if (!in)
		return -ENOMEM;
	f->in = in;
	f->in_room = FETCH_READ_BYTES;
	return 0;
}

/* 1: something was done; 0: the body is complete; -EAGAIN: the socket has nothing; or -errno, a refusal. */
static int read_decoded(struct fetch *f, uint8_t *room, size_t room_n)
{
	size_t used, n;
	ssize_t got;
	int rc;

	if (f->data.n) {
		n = f->data.n < room_n ? f->data.n : room_n;
		rc = take(f, f->data.p, room, n);
		f->data = span_drop(f->data, n);
		return rc < 0 ? rc : 1;
	}
	rc = chunk_decode(&f->chunks, f->in + f->in_at, f->in_n - f->in_at, &used, &f->data);
	if (rc == 0 || rc == 1 || rc == -EAGAIN)
		f->in_at += used;
	if (rc != -EAGAIN)
		return rc;
	if (decode_room(f) < 0)
		return -ENOMEM;
	got = stream_recv(&f->stream, f->in, f->in_room);
	if (got <= 0)
		return got < 0 ? -errno : -ECONNRESET;
	f->in_at = 0;
	f->in_n = (size_t)got;
	return 1;
}

static int read_plain(struct fetch *f, uint8_t *room, size_t room_n)
{
	bool counted = f->framing.kind == FRAMING_LENGTH;
	size_t n = room_n;
	ssize_t got;
	int rc;

	if (counted && !f->left)
		return 0;
	if (counted && f->left < n)
		n = (size_t)f->left;
	if (f->in_at < f->in_n) {
		if (n > f->in_n - f->in_at)
			n = f->in_n - f->in_at;
		rc = take(f, f->in + f->in_at, room, n);
		f->in_at += n;
	} else {
		got = stream_recv(&f->stream, room, n);
		if (got < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		if (got == 0)
			return counted ? -ECONNRESET : 0;
		n = (size_t)got;
		rc = take(f, (char *)room, room, n);
	}
	f->left -= counted ? n : 0;
	return rc < 0 ? rc : 1;
}

static int read_once(struct fetch *f)
{
	uint8_t *room;
	size_t n;
	int rc;

	if (f->framing.kind == FRAMING_NONE || (f->framing.kind == FRAMING_LENGTH && f->left == 0))
		return 0;
	rc = flight_buffer(f->flight, *worker_now(f->worker), &room, &n);
	if (rc < 0)
		return rc == -EAGAIN ? -ENOBUFS : rc;
	return f->framing.kind == FRAMING_CHUNKED ? read_decoded(f, room, n)
						  : read_plain(f, room, n);
}

/*
 * How long to leave the socket alone so that what is fetched ahead keeps to its rate: milliseconds, 0 if it does. Who
 * waits for it is not to wait for that.
 */
static unsigned pace(struct fetch *f)
{
	uint64_t now = worker_now(f->worker)->mono_ms, due;

	if (!f->rate || flight_seats(f->flight) > 1)
		return 0;
	if (!f->paced_from) {
		f->paced_from = now;
		f->paced = flight_published(f->flight);
	}
	due = f->paced_from + (flight_published(f->flight) - f->paced) * 1000 / f->rate;
	return due > now ? (unsigned)(due - now < PAUSE_MS ? due - now : PAUSE_MS) : 0;
}

/* Is there something to do that no event of the socket tells of? */
static bool at_hand(const struct fetch *f)
{
	return f->in_at < f->in_n || f->data.n || stream_has_more(&f->stream) ||
	       (f->framing.kind == FRAMING_LENGTH && !f->left);
}

/* The first bytes are a turn of their own: the device has them before the socket's whole buffer is copied. */
static uint64_t turn_end(struct fetch *f)
{
	uint64_t at = flight_published(f->flight);

	return at + (f->rate || !f->body_came ? 1 : BYTES_A_TURN);
}

static bool little_left(const struct fetch *f)
{
	size_t read = f->data.n + f->in_n - f->in_at; /* with the end of chunks, if it came */

	return f->framing.kind == FRAMING_LENGTH ? f->left <= TAIL_BYTES
						 : read && read <= TAIL_BYTES;
}

static bool turn_over(struct fetch *f, uint64_t end)
{
	f->body_came |= flight_published(f->flight) > 0;
	return flight_published(f->flight) >= end && !little_left(f);
}

void fetch_read_body(struct fetch *f)
{
	uint64_t enough = turn_end(f);
	unsigned wait = pace(f);
	int rc = 1;

	f->goes_on = false;
	if (wait) {
		fetch_watch(f, 0, wait);
		return;
	}
	for (int i = 0; i < ROUNDS_A_TURN && rc == 1; i++) {
		rc = read_once(f);
		if (turn_over(f, enough))
			break;
	}
	if (rc == 1 || rc == -EAGAIN) {
		fetch_watch(f, EV_READ, (unsigned)f->config->settings.upstream.idle_timeout);
		if (rc == 1 && at_hand(f))
			fetch_next_turn(f);
	} else if (rc == 0) {
		body_complete(f);
	} else if (rc == -ENOBUFS) {
		fetch_watch(f, 0, PAUSE_MS);
	} else if (rc == -ENOMEM) {
		fetch_finish(f, rc);
	} else {
		fetch_failed(f, http_is_refusal(rc) ? -EBADMSG : rc);
	}
}
