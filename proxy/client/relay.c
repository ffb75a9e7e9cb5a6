/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that go through to the origin and back: other methods than GET and HEAD, classes that pass, hosts of no
 * vendor. The request's body is streamed as the upstream takes it, the response is read from a flight
 * of its own. And connections that leave HTTP: tunnels, and splices to where a device meant to go.
 *
 * The fetch calls back for the body (body_read, body_taken), interim responses and its end; all on this
 * worker. `req->fetch` is NULL once it ended; relay_end() takes the callbacks back when we end first.
 */
#include <sys/socket.h>

#include "proxy/client/client_priv.h"
#include "proxy/upstream/secure.h"
#include "proxy/tls/tally.h"

/* ---- the request's body -------------------------------------------------------------------------- */

/* What came of it and is not used yet: first what stood behind the head. */
static struct span input(const struct request *req)
{
	const struct conn *conn = req->conn;

	if (req->body_at < conn->in_n)
		return span_make(conn->in + req->body_at, conn->in_n - req->body_at);
	return span_make(req->body_buf + req->body_buf_at, req->body_buf_n - req->body_buf_at);
}

static void input_used(struct request *req, size_t n)
{
	if (req->body_at < req->conn->in_n)
		req->body_at += n;
	else
		req->body_buf_at += n;
}

static int read_counted(struct request *req, struct span *ret_bytes)
{
	struct span in = input(req);

	if (!req->body_left) {
		req->body_done = true;
		*ret_bytes = (struct span){ 0 };
		return 0;
	}
	if (!in.n)
		return -EAGAIN;
	*ret_bytes = span_head(in, req->body_left < in.n ? (size_t)req->body_left : in.n);
	return 0;
}

static int read_chunked(struct request *req, struct span *ret_bytes)
{
	struct span in = input(req);
	size_t used = 0;
	int rc;

	if (!req->body_data.n && !req->body_done) {
		rc = chunk_decode(&req->body_chunks, in.p, in.n, &used, &req->body_data);
		input_used(req, used);
		if (rc < 0)
			return rc;
		req->body_done = rc == 0;
	}
	if (req->body_done)
		*ret_bytes = SPAN("");
	else
		*ret_bytes = req->body_data;
	return 0;
}

static int body_read(void *arg, struct span *ret_bytes)
{
	struct request *req = arg;
	int rc;

	req->body_begun = true;
	rc = req->framing.kind == FRAMING_CHUNKED ? read_chunked(req, ret_bytes)
						  : read_counted(req, ret_bytes);

	if (rc == -EAGAIN) {
		conn_watch_read(req->conn);
	} else if (http_is_refusal(rc)) {
		http_refusal_count(rc);
		req->body_refusal = rc;
	}
	return rc;
}

static void body_taken(void *arg, size_t n)
{
	struct request *req = arg;

	if (req->framing.kind == FRAMING_CHUNKED) {
		req->body_data = span_drop(req->body_data, n);
		return;
	}
	input_used(req, n);
	req->body_left -= n;
	req->body_done = req->body_left == 0;
}

void relay_readable(struct request *req)
{
	size_t room = RELAY_READ_BYTES;
	ssize_t n;

	if (input(req).n || req->body_data.n || !req->fetch) {
		conn_unwatch_read(req->conn); /* the upstream is slower: let the device feel it */
		return;
	}
	if (!req->body_buf)
		req->body_buf = malloc(RELAY_READ_BYTES);
	if (!req->body_buf) {
		conn_cut(req->conn, true);
		return;
	}
	if (req->framing.kind == FRAMING_LENGTH && req->body_left < room)
		room = (size_t)req->body_left;
	n = conn_recv(req->conn, req->body_buf, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		STAT_INC(STAT_CONN_ABORTED);
		conn_cut(req->conn, true);
		return;
	}
	req->body_buf_at = 0;
	req->body_buf_n = (size_t)n;
	fetch_body_ready(req->fetch);
}

/* ---- what the fetch tells ------------------------------------------------------------------------ */

void relay_interim(void *arg, const struct http_head *head)
{
	struct request *req = arg;
	struct client *client = req->conn->worker->client;
	struct head_out o = head_out_init(client->scratch, sizeof(client->scratch));
	ssize_t sent;

	/* In the middle of a body it would be taken for body: a hole is filled, or a fetch goes on elsewhere. */
	if (req->out.active)
		return;
	/* To a 1.0 device there are none (RFC 9110 15.2), and 100 only to one that waits for it. */
	if (req->head.minor == 0 || (head->status == 100 && !req->expects_continue))
		return;
	head_out_status(&o, head->status, head->reason);
	head_out_copy(&o, head, NULL);
	if (head_out_end(&o) < 0)
		return;
	sent = conn_send(req->conn, &(struct iovec){ o.buf, o.len }, 1);
	if ((sent > 0 && (size_t)sent < o.len) ||
	    (req->conn->tls && tls_conn_blocked(req->conn->tls)))
		req->conn->broken = true; /* half a head on the wire: nothing may follow it */
}

/* A response to HEAD says something about what is stored for GET (RFC 9111 4.3.5). */
static void renew(struct request *req, const struct http_head *response)
{
	struct client *client = req->conn->worker->client;
	struct policy_times times = { req->began.wall_ms / 1000, request_wall(req) };
	struct policy_env env = { .now = times.received,
				  .generation = stored_object(req->stored)->generation,
				  .heuristic_max = FRESH_UNSET };
	const struct object *old = stored_object(req->stored);
	struct object object;

	/* Other requests would find it than it is for. */
	if (!policy_vary_within(response, span_of(req->vary))) {
		outdated_begin(req, old);
		return;
	}
	if (!policy_head_response(&req->policy, old, response, &times, &env, client->scratch,
				  sizeof(client->scratch), &object, NULL))
		return;
	object.id = old->id;
	object.key = old->key;
	update_begin(req, &object);
}

static void on_answered(void *arg, const struct http_head *response)
{
	struct request *req = arg;

	if (req->policy.invalidates && req->profile)
		invalidate_begin(req, response);
	else if (req->head.method == HTTP_METHOD_HEAD && req->stored)
		renew(req, response);
}

void relay_ended(void *arg)
{
	struct request *req = arg;

	req->fetch = NULL;
}

/* ---- there and back ------------------------------------------------------------------------------ */

static void body_expect(struct request *req, struct fetch_body *body)
{
	req->relaying = true;
	req->body_left = req->framing.length;
	req->body_chunks = CHUNK_DEC_INIT;
	*body = (struct fetch_body){
		.chunked = req->framing.kind == FRAMING_CHUNKED,
		.length = req->framing.length,
		.read = body_read,
		.taken = body_taken,
		.arg = req,
	};
}

static void count(struct request *req)
{
	bool read = req->head.method == HTTP_METHOD_GET || req->head.method == HTTP_METHOD_HEAD;

	if (req->policy.route == POLICY_ROUTE_RELAY) {
		req->verdict.fwd = read ? CACHE_FWD_BYPASS : CACHE_FWD_METHOD;
		req->detail = policy_reason_info(req->policy.reason)->token;
	}
	STAT_INC(read ? STAT_REQUEST_PASS : STAT_REQUEST_RELAY);
}

void relay_begin(struct request *req, enum policy_cond cond)
{
	bool has_body = req->framing.kind == FRAMING_CHUNKED ||
			(req->framing.kind == FRAMING_LENGTH && req->framing.length > 0);
	struct fetch_body body;
	struct fetch_ask ask = {
		.kind = FETCH_RELAY,
		.profile = req->profile,
		.request = &req->head,
		.policy = &req->policy,
		.cond = cond,
		.from_outside = !req->profile && req->conn->mode == CONN_PROXY &&
				!addr_is_loopback(&req->conn->device),
		.interim = relay_interim,
		.answered = on_answered,
		.ended = relay_ended,
		.arg = req,
	};

	request_dial(req, &ask);
	/* What it brings may answer later GETs. */
	if (req->head.method == HTTP_METHOD_POST && req->profile &&
	    req->policy.reason != WHY_SCOPE && request_key_make(req) == 0)
		ask.key = span_make(req->key, req->key_n);
	ask.target = request_target(req); /* in the same buffer as keys are made */
	count(req);
	if (has_body) {
		body_expect(req, &body);
		ask.body = &body;
	}
	req->step = REQUEST_RELAY;
	if (flight_alone(req->conn->worker->proxy->flights, &req->seat) < 0) {
		respond_error(req, 503, "no memory to pass this on now");
		return;
	}
	if (fetch_start(req->conn->worker, flight_of(&req->seat), &ask, &req->fetch) < 0) {
		flight_abandon(flight_of(&req->seat));
		cached_leave(req);
		respond_error(req, 503, "no memory to pass this on now");
		return;
	}
	relay_progress(req);
}

static void relay_failed(struct request *req)
{
	int error = flight_error(&req->seat);
	int refusal = req->body_refusal;

	cached_leave(req);
	if (refusal) {
		shake_unfit(req->conn, DISTRUST_REFUSED);
		STAT_INC(STAT_REQUEST_REFUSED);
		req->keep = false;
		respond_error(req, (unsigned)http_refusal_info(refusal)->status,
			      http_refusal_info(refusal)->text);
	} else if (!relay_fail_open(req, error)) {
		if (secure_error_name(error))
			req->detail = secure_error_name(error);
		respond_error(req, fetch_error_status(error), fetch_error_text(error));
	}
}

void relay_progress(struct request *req)
{
	if (req->removal)
		return; /* the device may ask for it again as soon as it has its answer */
	switch (flight_look(&req->seat)) {
	case FLIGHT_NEW:
		break;
	case FLIGHT_FAILED:
	case FLIGHT_REDO:
		relay_failed(req);
		break;
	case FLIGHT_BODY:
	case FLIGHT_DONE:
		respond_relayed(req);
		break;
	}
}

void relay_end(struct request *req)
{
	struct fetch *fetch = req->fetch;

	req->fetch = NULL;
	if (fetch)
		fetch_owner_gone(fetch);
}

/* ---- away from HTTP ------------------------------------------------------------------------------ */

static bool connect_port_allowed(const struct request *req)
{
	const struct port_list *ports = &request_settings(req)->proxy.connect_ports;

	for (size_t i = 0; i < ports->n; i++)
		if (ports->v[i] == req->head.port)
			return true;
	return false;
}

void relay_tunnel(struct request *req)
{
	struct conn *conn = req->conn;
	struct splice_plan plan = {
		.reason = SPLICE_CONNECT,
		.head = span_make(conn->in + req->body_at, conn->in_n - req->body_at),
		.host = req->match.host,
		.port = req->head.port,
		.from_outside = !addr_is_loopback(&conn->device),
		.answer_connect = true,
	};
	struct profile_match match;

	if (!request_device_allowed(req) || !connect_port_allowed(req) ||
	    host_normalise(req->head.host, req->match.host) < 0) {
		STAT_INC(STAT_CONN_DENIED);
		req->keep = false;
		respond_error(req, 403, "no tunnel to there from here");
		return;
	}
	if (profile_match_host(req->config->profiles, req->head.host, &match) && !match.never)
		plan.tally = tally_open(conn->worker->proxy->tally, &match);
	conn_hand_over(conn, &plan);
}

/* All that came, from the request's first byte on, to where the device meant to go. */
static void splice_to_origin(struct conn *conn, enum splice_reason reason, struct tally_row *tally)
{
	struct splice_plan plan = {
		.reason = reason,
		.head = span_make(conn->in, conn->in_n),
		.addr = conn->origin,
		.tally = tally,
	};

	conn_hand_over(conn, &plan);
}

void relay_splice(struct request *req, bool never)
{
	splice_to_origin(req->conn,
			 never		? SPLICE_NEVER
			 : req->profile ? SPLICE_NOT_HTTP
					: SPLICE_FOREIGN,
			 NULL);
}

void relay_splice_raw(struct conn *conn, enum splice_reason reason)
{
	splice_to_origin(conn, reason, NULL);
}

void relay_splice_host(struct conn *conn, enum splice_reason reason,
		       const struct profile_match *match)
{
	splice_to_origin(conn, reason, tally_open(conn->worker->proxy->tally, match));
}

/* Can't we connect (rather than: did the vendor answer badly)? */
static bool is_unreachable(int error)
{
	if (secure_error_name(error))
		return true; /* the device asked for http: it may have that from there */
	switch (error) {
	case -ENOENT:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EADDRNOTAVAIL:
	case -ECONNREFUSED:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

bool relay_fail_open(struct request *req, int error)
{
	if (req->conn->mode != CONN_INTERCEPTED || req->conn->secure || !is_unreachable(error) ||
	    req->body_begun)
		return false;
	splice_to_origin(req->conn, SPLICE_UNREACHABLE, NULL);
	return true;
}
