/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of responses, to the device's socket, straight from where they are: head and bytes by one sendmsg from the
 * map of the store or a flight's chunks, several chunks by one call; or chunks of the store by sendfile, which
 * copies nothing (a third to two thirds of the cost, from SENDFILE_MIN on: `make bench`), where their lease can
 * be kept until the device has acknowledged them (owed.c).
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

#define TURN_BYTES   (1024 * 1024)
#define PIECE_SPANS  8	   /* chunks that go out by one call */
#define SENDFILE_MIN 32768 /* bytes: less is copied, in one call with the head */

/* The next body bytes, in order. */
struct piece {
	struct span mem[PIECE_SPANS];
	off_t at[PIECE_SPANS]; /* ... in the store's file, if they are stored */
	unsigned n;
	bool by_file; /* to be sent from there */
	struct flight_piece held;
};

/* ---- what comes next ----------------------------------------------------------------------------- */

static struct store_reader *reader_of(const struct request *req)
{
	return req->conn->worker->reader;
}

/* What of a stored chunk is wanted from the object's byte `pos` on. */
static struct span place_from(const struct store_place *place, uint64_t pos, uint64_t end)
{
	struct span mem = span_drop(place->bytes, (size_t)(pos % CONFIG_CHUNK_BYTES));

	return end - pos < mem.n ? span_head(mem, (size_t)(end - pos)) : mem;
}

static bool chunk_next(struct request *req, uint64_t pos, struct piece *piece)
{
	uint32_t index = (uint32_t)(pos / CONFIG_CHUNK_BYTES);
	struct store_place place;
	struct span mem;
	int rc = piece->by_file ? stored_place(reader_of(req), req->stored, index, &place)
				: stored_chunk(reader_of(req), req->stored, index, &place);

	if (rc == -EBADMSG || rc == -EIO)
		fill_bad(req, pos);
	if (rc < 0)
		return false;
	mem = place_from(&place, pos, req->out.end);
	piece->mem[piece->n] = mem;
	piece->at[piece->n] = place.offset + (mem.p - place.bytes.p);
	return mem.n > 0;
}

/* Do the next stored bytes go out from the file? */
static bool by_file(struct request *req)
{
	uint64_t n = CONFIG_CHUNK_BYTES - req->out.pos % CONFIG_CHUNK_BYTES;

	if (n > req->out.end - req->out.pos)
		n = req->out.end - req->out.pos;
	return n >= SENDFILE_MIN && owed_take(req->conn, stored_lease(req->stored));
}

/* As many stored chunks in a row as one call may take. */
static enum flight_got stored_next(struct request *req, struct piece *ret)
{
	struct deliver *out = &req->out;
	uint64_t pos = out->pos;

	ret->n = 0;
	if (out->object->body.n) {
		ret->mem[ret->n++] =
			span_sub(out->object->body, (size_t)out->pos, (size_t)out->end);
		return FLIGHT_GOT_BYTES;
	}
	ret->by_file = by_file(req);
	while (ret->n < PIECE_SPANS && pos < out->end && pos - out->pos < TURN_BYTES &&
	       fill_has(req, out->object, pos) && chunk_next(req, pos, ret))
		pos += ret->mem[ret->n++].n;
	return ret->n ? FLIGHT_GOT_BYTES : FLIGHT_GOT_CUT;
}

/* A flight that fills a hole must be of the very object that the hole is in, or of the same bytes. */
static bool fills_ours(const struct request *req)
{
	const struct object *object = flight_object(&req->seat), *ours = req->out.object;

	return !req->filling || !object || object->id == ours->id ||
	       (object->status == 200 && object->length == ours->length &&
		policy_same_version(object, ours));
}

static enum flight_got flight_next(struct request *req, struct piece *ret)
{
	struct store_place place;
	enum flight_got got = flight_read(&req->seat, req->out.pos, &ret->held);

	if (got != FLIGHT_GOT_WAIT && !fills_ours(req)) {
		flight_piece_done(&ret->held);
		return FLIGHT_GOT_CUT;
	}
	if (got != FLIGHT_GOT_BYTES && got != FLIGHT_GOT_STORED)
		return got;
	ret->n = 1;
	if (got == FLIGHT_GOT_BYTES)
		ret->mem[0] = span_head(ret->held.bytes, (size_t)(req->out.end - req->out.pos));
	else if (store_chunk(reader_of(req), ret->held.id, ret->held.index, &place) == 0)
		ret->mem[0] = place_from(&place, req->out.pos, req->out.end);
	else
		return FLIGHT_GOT_CUT;
	return ret->mem[0].n ? FLIGHT_GOT_BYTES : FLIGHT_GOT_CUT;
}

static bool is_stored_here(const struct request *req)
{
	const struct deliver *out = &req->out;

	return out->object && (out->object->body.n || fill_has(req, out->object, out->pos));
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
	if (is_stored_here(req))
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
	/* Chunked coding: the length was unknown, so this comes from a flight, by the piece. */
	if (got == FLIGHT_GOT_BYTES && out->frame_left) {
		CHECK(ret->n == 1);
		ret->mem[0] = span_head(ret->mem[0], (size_t)out->frame_left);
	}
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

/* Head and frame, before a body that follows at once. As send_all(). */
static int send_before(struct request *req)
{
	struct deliver *out = &req->out;
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)out->head_out.p, out->head_out.n },
		{ (void *)(uintptr_t)out->frame_out.p, out->frame_out.n },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t want = out->head_out.n + out->frame_out.n, n;
	ssize_t sent;

	if (!want)
		return 0;
	sent = sendmsg(req->conn->fd, &msg, MSG_NOSIGNAL | MSG_MORE);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	n = (size_t)sent;
	use(&out->head_out, &n);
	use(&out->frame_out, &n);
	return (size_t)sent == want ? 0 : -EAGAIN;
}

/* Head, frame and piece (may be NULL) in one call. 0: all taken; -EAGAIN; -errno. */
static int send_all(struct request *req, const struct piece *piece)
{
	struct deliver *out = &req->out;
	struct iovec iov[2 + PIECE_SPANS] = {
		{ (void *)(uintptr_t)out->head_out.p, out->head_out.n },
		{ (void *)(uintptr_t)out->frame_out.p, out->frame_out.n },
	};
	unsigned iov_n = 2;
	size_t want = out->head_out.n + out->frame_out.n;
	size_t n;
	ssize_t sent;

	for (unsigned i = 0; piece && i < piece->n; i++) {
		iov[iov_n++] =
			(struct iovec){ (void *)(uintptr_t)piece->mem[i].p, piece->mem[i].n };
		want += piece->mem[i].n;
	}
	if (!want)
		return 0;
	sent = conn_send(req->conn, iov, iov_n);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	n = (size_t)sent;
	use(&out->head_out, &n);
	use(&out->frame_out, &n);
	if (piece && !piece->held.chunk)
		STAT_ADD(STAT_BYTES_FROM_STORE, n);
	advance(out, n);
	return (size_t)sent == want ? 0 : -EAGAIN;
}

/* One span of a piece, from the file if that pays. As sendmsg(2). */
static ssize_t send_span(struct request *req, const struct piece *piece, unsigned i)
{
	struct span mem = piece->mem[i];
	off_t at = piece->at[i];
	ssize_t n;

	if (mem.n < SENDFILE_MIN)
		return send(req->conn->fd, mem.p, mem.n, MSG_NOSIGNAL);
	n = sendfile(req->conn->fd, store_fd(req->conn->worker->proxy->store), &at, mem.n);
	if (n > 0)
		STAT_ADD(STAT_BYTES_BY_SENDFILE, (size_t)n);
	if (n == 0)
		errno = EIO; /* the file has been cut short */
	return n > 0 ? n : -1;
}

/* As send_all(), the piece by its file; -EIO: it can't be read there. */
static int send_by_file(struct request *req, const struct piece *piece)
{
	struct deliver *out = &req->out;
	int rc = send_before(req);

	for (unsigned i = 0; rc == 0 && i < piece->n; i++) {
		ssize_t sent = send_span(req, piece, i);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
		STAT_ADD(STAT_BYTES_FROM_STORE, (size_t)sent);
		advance(out, (size_t)sent);
		if ((size_t)sent < piece->mem[i].n)
			return -EAGAIN;
	}
	return rc;
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

static void finish(struct request *req)
{
	struct conn *conn = req->conn;

	req->out.active = false;
	STAT_ADD(STAT_BYTES_TO_DEVICES, req->out.sent);
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

/* Was it the file and not the device? Then there is another way: what can't be read is fetched again, else it is copied. */
static bool file_failed(struct request *req, int rc)
{
	if (rc == -EIO)
		fill_bad(req, req->out.pos);
	else if (rc == -EINVAL || rc == -ENOSYS || rc == -EPERM)
		req->conn->copies = true;
	else
		return false;
	return true;
}

/* 1: go on; 0: wait for the flight; or as send_all(). */
static int step(struct request *req)
{
	struct deliver *out = &req->out;
	struct piece piece = { 0 };
	int rc = 0;

	switch (piece_next(req, &piece)) {
	case FLIGHT_GOT_BYTES:
		if (out->chunked && !out->frame_left)
			frame_chunk(out, piece.mem[0].n);
		rc = piece.by_file ? send_by_file(req, &piece) : send_all(req, &piece);
		flight_piece_done(&piece.held);
		if (piece.by_file && file_failed(req, rc))
			rc = 0;
		return rc == 0 ? 1 : rc;
	case FLIGHT_GOT_WAIT:
		return send_all(req, NULL);
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
		return send_all(req, NULL);
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

	req->first_ms = request_now(req).mono_ms;
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
