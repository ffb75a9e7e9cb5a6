/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of responses, to the device's socket: bytes in memory together with the head by one sendmsg,
 * large chunks of the store by sendfile from its data file.
 *
 * Before each send: which bytes come next (piece_next)? From the stored object where it has them, else from
 * the flight; a hole in the middle starts a flight (fill_next_hole). Three things leave in order: the head, a frame
 * (a chunk's size line, a part's head), and body bytes. A chunk of the chunked coding is as long as the piece
 * that was at hand when its size line was written, so the rest of it must go out before the next.
 *
 * A turn sends at most TURN_BYTES; then other connections get theirs.
 */
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "firmware/base/log.h"
#include "proxy/client/client_priv.h"

#define TURN_BYTES  (1024 * 1024)
#define SMALL_BYTES (32 * 1024) /* up to this size copying is cheaper than sendfile */

struct piece {
	struct span mem; /* n bytes; p may be NULL with by_file */
	bool by_file;
	off_t offset;
	struct flight_piece held;
};

/* ---- what comes next ----------------------------------------------------------------------------- */

static struct store_reader *reader_of(const struct request *req)
{
	return req->conn->worker->reader;
}

static void piece_of_place(const struct request *req, const struct store_place *place,
			   uint64_t limit, struct piece *ret)
{
	size_t at = (size_t)(req->out.pos % CONFIG_CHUNK_BYTES);

	ret->mem = span_drop(place->bytes, at);
	if (limit - req->out.pos < ret->mem.n)
		ret->mem.n = (size_t)(limit - req->out.pos);
	ret->by_file = place->offset >= 0 && ret->mem.n > SMALL_BYTES;
	ret->offset = place->offset + (off_t)at;
}

static enum flight_got stored_next(struct request *req, struct piece *ret)
{
	struct deliver *out = &req->out;
	uint32_t index = (uint32_t)(out->pos / CONFIG_CHUNK_BYTES);

	if (out->object->body.n) {
		ret->mem = span_sub(out->object->body, (size_t)out->pos, (size_t)out->end);
		return FLIGHT_GOT_BYTES;
	}
	if (!out->has_place || out->place_index != index) {
		if (stored_chunk(reader_of(req), req->stored, index, &out->place) < 0)
			return FLIGHT_GOT_CUT;
		out->has_place = true;
		out->place_index = index;
	}
	piece_of_place(req, &out->place, out->end, ret);
	return ret->mem.n ? FLIGHT_GOT_BYTES : FLIGHT_GOT_CUT;
}

/* A flight that fills a hole must be of the very object that the hole is in. */
static bool fills_ours(const struct request *req)
{
	const struct object *object = flight_object(&req->seat);

	return !req->filling || !object || object->id == req->out.object->id;
}

static enum flight_got flight_next(struct request *req, struct piece *ret)
{
	struct store_place place;
	enum flight_got got = flight_read(&req->seat, req->out.pos, &ret->held);

	if (got != FLIGHT_GOT_WAIT && !fills_ours(req)) {
		flight_piece_done(&ret->held);
		return FLIGHT_GOT_CUT;
	}
	if (got == FLIGHT_GOT_BYTES)
		ret->mem = ret->held.bytes;
	if (got == FLIGHT_GOT_BYTES && req->out.end - req->out.pos < ret->mem.n)
		ret->mem.n = (size_t)(req->out.end - req->out.pos);
	if (got != FLIGHT_GOT_STORED)
		return got;
	if (store_chunk(reader_of(req), ret->held.id, ret->held.index, &place) < 0)
		return FLIGHT_GOT_CUT;
	piece_of_place(req, &place, req->out.end, ret);
	return ret->mem.n ? FLIGHT_GOT_BYTES : FLIGHT_GOT_CUT;
}

static bool is_stored_here(const struct deliver *out)
{
	return out->object &&
	       (out->object->body.n ||
		object_has_chunk(out->object, (uint32_t)(out->pos / CONFIG_CHUNK_BYTES)));
}

/* A hole. Once a place: what one fetch did not fill will not be filled by the next. */
static enum flight_got fill_next(struct request *req, struct piece *ret)
{
	struct deliver *out = &req->out;
	int rc;

	out->gave_up = out->filled_at == out->pos + 1;
	out->filled_at = out->pos + 1;
	if (out->gave_up)
		return FLIGHT_GOT_CUT;
	rc = fill_next_hole(req);
	if (rc == -EALREADY)
		return stored_next(req, ret);
	return rc == 0 ? flight_next(req, ret) : FLIGHT_GOT_CUT;
}

/*
 * BYTES, WAIT, END (the body is over), or CUT (it can't be completed). Never more than what is left of the
 * range or of the frame.
 */
static enum flight_got piece_next(struct request *req, struct piece *ret)
{
	struct deliver *out = &req->out;
	enum flight_got got = FLIGHT_GOT_CUT;

	if (out->pos == out->end)
		return FLIGHT_GOT_END;
	if (is_stored_here(out))
		got = stored_next(req, ret);
	if (got == FLIGHT_GOT_CUT && flight_of(&req->seat)) {
		got = flight_next(req, ret);
		if (got == FLIGHT_GOT_END && out->end == UINT64_MAX)
			return got;
		if (got == FLIGHT_GOT_END)
			got = FLIGHT_GOT_CUT; /* that flight was for another part */
	}
	if (got == FLIGHT_GOT_CUT && out->object && !out->gave_up)
		got = fill_next(req, ret);
	if (got == FLIGHT_GOT_BYTES && out->frame_left && out->frame_left < ret->mem.n)
		ret->mem.n = (size_t)out->frame_left;
	return got;
}

/* ---- sending ------------------------------------------------------------------------------------- */

static void use(struct span *s, size_t *n)
{
	size_t part = *n < s->n ? *n : s->n;

	*s = span_drop(*s, part);
	*n -= part;
}

/* Behind what of the frame is not sent yet. */
static void frame_add(struct deliver *out, const char *text, size_t n)
{
	if (out->frame_out.n)
		memmove(out->frame, out->frame_out.p, out->frame_out.n);
	CHECK(out->frame_out.n + n <= sizeof(out->frame));
	memcpy(out->frame + out->frame_out.n, text, n);
	out->frame_out = span_make(out->frame, out->frame_out.n + n);
}

static void advance(struct deliver *out, size_t n)
{
	out->pos += n;
	out->sent += n;
	if (!out->frame_left)
		return;
	out->frame_left -= n;
	if (!out->frame_left)
		frame_add(out, CHUNK_END, sizeof(CHUNK_END) - 1);
}

/* Head, frame and `mem` in one call. 0: all taken; -EAGAIN; -errno. */
static int send_memory(struct request *req, struct span mem, int flags)
{
	struct deliver *out = &req->out;
	struct iovec iov[3] = {
		{ (void *)(uintptr_t)out->head_out.p, out->head_out.n },
		{ (void *)(uintptr_t)out->frame_out.p, out->frame_out.n },
		{ (void *)(uintptr_t)mem.p, mem.n },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	size_t want = out->head_out.n + out->frame_out.n + mem.n;
	size_t n;
	ssize_t sent;

	if (!want)
		return 0;
	sent = sendmsg(req->conn->fd, &msg, MSG_NOSIGNAL | flags);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	n = (size_t)sent;
	use(&out->head_out, &n);
	use(&out->frame_out, &n);
	advance(out, n);
	return (size_t)sent == want ? 0 : -EAGAIN;
}

static int send_file(struct request *req, const struct piece *piece)
{
	struct deliver *out = &req->out;
	off_t offset = piece->offset;
	int rc = send_memory(req, (struct span){ 0 }, MSG_MORE);
	ssize_t sent;

	if (rc < 0)
		return rc;
	out->by_file = true;
	sent = sendfile(req->conn->fd, store_fd(req->conn->worker->proxy->store), &offset,
			piece->mem.n);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (sent <= 0)
		return sent < 0 ? -errno : -EIO;
	STAT_ADD(STAT_BYTES_FROM_STORE, sent);
	advance(out, (size_t)sent);
	return (size_t)sent == piece->mem.n ? 0 : -EAGAIN;
}

static void frame_chunk(struct deliver *out, size_t n)
{
	char line[CHUNK_HEAD_MAX];

	frame_add(out, line, chunk_head_write(line, n));
	out->frame_left = n;
}

static void frame_part(struct request *req)
{
	struct deliver *out = &req->out;
	size_t n = respond_part_head(req, out->part, out->frame, sizeof(out->frame));

	out->frame_out = span_make(out->frame, n);
	if (out->part == out->parts->n) {
		out->ended = true;
		return;
	}
	out->pos = out->parts->range[out->part].first;
	out->end = out->parts->range[out->part].last + 1;
}

/* ---- the run ------------------------------------------------------------------------------------- */

static void keep_leases(struct request *req)
{
	if (!req->out.by_file)
		return;
	if (req->stored)
		conn_keep_lease(req->conn, stored_lease(req->stored));
	if (flight_of(&req->seat) && flight_lease(&req->seat))
		conn_keep_lease(req->conn, flight_lease(&req->seat));
	req->out.by_file = false;
}

void deliver_stop(struct request *req)
{
	keep_leases(req);
}

static void finish(struct request *req)
{
	struct conn *conn = req->conn;

	req->out.active = false;
	STAT_ADD(STAT_BYTES_TO_DEVICES, req->out.sent);
	if (request_settings(req)->log.access)
		LOG(LOG_L_NOTICE, "request", "method=%s host=%s path=%s status=%u bytes=%ju",
		    http_method_text(req->head.method), req->match.host, LOG_QUOTE(req->path),
		    req->status, (uintmax_t)req->out.sent);
	keep_leases(req);
	conn_answered(conn);
}

/* A head that was not taken at once must survive the scratch buffer it stands in. */
static int keep_head(struct deliver *out)
{
	char *copy;

	if (!out->head_out.n || out->head_owned)
		return 0;
	copy = malloc(out->head_out.n);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, out->head_out.p, out->head_out.n);
	out->head_owned = copy;
	out->head_out.p = copy;
	return 0;
}

/* The body is over: what still has to be said? */
static void end_body(struct request *req)
{
	struct deliver *out = &req->out;

	if (out->parts && out->part < out->parts->n) {
		out->part++;
		frame_part(req);
		return;
	}
	if (out->chunked)
		frame_add(out, CHUNK_LAST, sizeof(CHUNK_LAST) - 1);
	out->ended = true;
}

/* 1: go on; 0: wait for the flight; or as send_memory(). */
static int step(struct request *req)
{
	struct deliver *out = &req->out;
	struct piece piece = { 0 };
	int rc = 0;

	switch (piece_next(req, &piece)) {
	case FLIGHT_GOT_BYTES:
		if (out->chunked && !out->frame_left)
			frame_chunk(out, piece.mem.n);
		rc = piece.by_file ? send_file(req, &piece) : send_memory(req, piece.mem, 0);
		flight_piece_done(&piece.held);
		return rc == 0 ? 1 : rc;
	case FLIGHT_GOT_WAIT:
		rc = send_memory(req, (struct span){ 0 }, 0);
		return rc;
	case FLIGHT_GOT_END:
		end_body(req);
		return 1;
	default:
		return -EPROTO; /* it can't be completed: the device must see that */
	}
}

static int run(struct request *req)
{
	struct deliver *out = &req->out;
	uint64_t until = out->sent + TURN_BYTES;
	int rc = 1;

	while (rc == 1 && !out->ended && out->sent < until)
		rc = step(req);
	if (rc == 1 && out->ended)
		return send_memory(req, (struct span){ 0 }, 0);
	return rc == 1 ? -EAGAIN : rc == 0 ? -EINPROGRESS : rc;
}

void deliver_run(struct request *req)
{
	int rc = run(req);

	if (rc == 0) {
		finish(req);
	} else if (rc == -EAGAIN && keep_head(&req->out) == 0) {
		conn_watch_write(req->conn);
	} else if (rc == -EINPROGRESS) {
		/* The flight wakes us. */
	} else {
		/* What it has, it may keep, unless it could take it for the whole. */
		STAT_INC(STAT_CONN_ABORTED);
		conn_cut(req->conn, !req->out.chunked && req->out.end == UINT64_MAX);
	}
}

void deliver_begin(struct request *req, struct span head)
{
	struct deliver *out = &req->out;

	out->active = true;
	out->head_out = head;
	if (out->head_only)
		out->ended = true;
	else if (out->parts)
		frame_part(req);
	deliver_run(req);
}

void deliver_end(struct deliver *out)
{
	free(out->head_owned);
	out->head_owned = NULL;
	out->active = false;
}
