/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of responses: what is stored or fetched, and our own fields: Age, Via, Cache-Status (RFC 9211), the
 * framing and the connection. They are put together in the worker's scratch buffer.
 */
#include <stdio.h>

#include "firmware/base/log.h"
#include "proxy/client/client_priv.h"

/* Between the parts of multipart bodies. Its bytes are in no update, and if: the lengths decide. */
#define BOUNDARY "tarn-4f1c9a7be2d84c06"

static struct client *client_of(const struct request *req)
{
	return req->conn->worker->client;
}

static struct head_out head_begin(struct request *req, unsigned status)
{
	struct client *client = client_of(req);
	struct head_out o = head_out_init(client->scratch, sizeof(client->scratch));

	head_out_status(&o, status, (struct span){ 0 });
	req->status = status;
	return o;
}

void respond_cache_status(const struct request *req, struct cache_status *ret_status)
{
	policy_cache_status(&req->verdict, ret_status);
	/* The head goes first: only what is whole by now can be promised (RFC 9211 2.5). */
	ret_status->stored =
		req->stored_now && flight_of(&req->seat) && flight_is_stored(&req->seat);
	ret_status->collapsed = req->collapsed;
	ret_status->fwd_status = req->fwd_status;
	if (req->detail)
		ret_status->detail = req->detail;
}

static void put_via(struct request *req, struct head_out *o)
{
	head_out_via(o, NULL, span_of(req->conn->worker->proxy->pseudonym));
}

static void put_ours(struct request *req, struct head_out *o)
{
	struct cache_status cs;

	respond_cache_status(req, &cs);
	put_via(req, o);
	head_out_cache_status(o, NULL, SPAN(POLICY_CACHE_NAME), &cs);
}

/* Will the connection go on? Then 1.0 devices have to be told, else 1.1 devices. */
static void put_connection(struct request *req, struct head_out *o)
{
	bool has_body = req->framing.kind == FRAMING_CHUNKED ||
			(req->framing.kind == FRAMING_LENGTH && req->framing.length > 0);

	if (req->conn->last || req->conn->worker->draining || (has_body && !req->body_done))
		req->keep = false;
	if (!req->keep)
		head_out_text(o, HTTP_FIELD_CONNECTION, "close");
	else if (req->head.minor == 0)
		head_out_text(o, HTTP_FIELD_CONNECTION, "keep-alive");
}

static bool has_no_body(const struct request *req, unsigned status)
{
	return req->head.method == HTTP_METHOD_HEAD || status == 204 || status == 304;
}

/* Framing for `length` bytes (-1: unknown), and what deliver.c has to do. */
static void put_framing(struct request *req, struct head_out *o, unsigned status, int64_t length)
{
	struct deliver *out = &req->out;

	out->head_only = has_no_body(req, status);
	if (length >= 0 && status != 204 && status != 304)
		head_out_number(o, HTTP_FIELD_CONTENT_LENGTH, (uint64_t)length);
	if (length >= 0 || out->head_only)
		return;
	if (req->head.minor > 0) {
		out->chunked = true;
		head_out_text(o, HTTP_FIELD_TRANSFER_ENCODING, "chunked");
	} else {
		req->keep = false;
	}
}

static void head_send(struct request *req, struct head_out *o)
{
	put_connection(req, o);
	if (head_out_end(o) < 0) {
		LOG(LOG_L_ERROR, "respond.head", "status=%u", req->status);
		conn_cut(req->conn, true);
		return;
	}
	req->step = REQUEST_DELIVER;
	deliver_begin(req, span_make(o->buf, o->len));
}

/* ---- several ranges ------------------------------------------------------------------------------ */

/* Lines of a block, without one field. */
static void put_block_without(struct head_out *o, struct span block, enum http_field_id drop)
{
	struct span line;

	while (span_cut(&block, '\n', &line)) {
		struct span name = span_head(line, span_find(line, ':'));

		if (!span_ieq(name, http_field_name(drop)))
			head_out_raw(o, span_make(line.p, line.n + 1));
	}
}

struct span respond_block_without(struct span block, enum http_field_id drop, char *buf,
				  size_t size)
{
	struct head_out o = head_out_init(buf, size);

	put_block_without(&o, block, drop);
	return o.overflow ? block : span_make(buf, o.len);
}

size_t respond_part_head(const struct request *req, unsigned part, char *buf, size_t size)
{
	const struct byte_range *range = &req->answer.ranges.range[part];
	struct span type = policy_block_value(req->out.part_fields, HTTP_FIELD_CONTENT_TYPE);
	const char *lead = part ? "\r\n" : "";
	int n;

	if (part == req->answer.ranges.n)
		n = snprintf(buf, size, "\r\n--" BOUNDARY "--\r\n");
	else if (type.n && type.n < size / 2)
		n = snprintf(buf, size,
			     "%s--" BOUNDARY "\r\nContent-Type: %.*s\r\n"
			     "Content-Range: bytes %ju-%ju/%jd\r\n\r\n",
			     lead, SPAN_FMT(type), (uintmax_t)range->first, (uintmax_t)range->last,
			     (intmax_t)req->out.whole);
	else
		n = snprintf(buf, size,
			     "%s--" BOUNDARY "\r\nContent-Range: bytes %ju-%ju/%jd\r\n\r\n", lead,
			     (uintmax_t)range->first, (uintmax_t)range->last,
			     (intmax_t)req->out.whole);
	CHECK(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static int64_t parts_length(const struct request *req)
{
	char buf[sizeof(req->out.frame)];
	int64_t sum = 0;

	for (unsigned i = 0; i <= req->answer.ranges.n; i++) {
		sum += (int64_t)respond_part_head(req, i, buf, sizeof(buf));
		if (i < req->answer.ranges.n)
			sum += (int64_t)(req->answer.ranges.range[i].last -
					 req->answer.ranges.range[i].first + 1);
	}
	return sum;
}

static void send_parts(struct request *req, const struct object *fields, int64_t length)
{
	struct head_out o = head_begin(req, 206);

	put_block_without(&o, fields->fields, HTTP_FIELD_CONTENT_TYPE);
	head_out_text(&o, HTTP_FIELD_CONTENT_TYPE, "multipart/byteranges; boundary=" BOUNDARY);
	head_out_number(&o, HTTP_FIELD_AGE, (uint64_t)policy_age(fields, request_wall(req)));
	put_ours(req, &o);
	req->out.parts = &req->answer.ranges;
	req->out.part_fields = fields->fields;
	req->out.whole = length;
	put_framing(req, &o, 206, parts_length(req));
	head_send(req, &o);
}

/* ---- answers ------------------------------------------------------------------------------------- */

static void put_age(struct request *req, struct head_out *o, const struct object *fields)
{
	int64_t age = policy_age(fields, request_wall(req));

	if (req->verdict.fwd == CACHE_FWD_NONE || req->collapsed || fields->age || age > 0)
		head_out_number(o, HTTP_FIELD_AGE, (uint64_t)age);
}

static void send_not_modified(struct request *req, const struct object *fields)
{
	struct head_out o = head_begin(req, 304);
	struct client *client = client_of(req);
	size_t n;

	STAT_INC(STAT_REQUEST_NOT_MODIFIED);
	if (policy_fields_304(fields, client->text, sizeof(client->text), &n) == 0)
		head_out_raw(&o, span_make(client->text, n));
	put_age(req, &o, fields);
	put_ours(req, &o);
	put_framing(req, &o, 304, -1);
	head_send(req, &o);
}

static void send_unsatisfiable(struct request *req, int64_t length)
{
	struct head_out o = head_begin(req, 416);
	struct content_range cr = { .unsatisfied = true, .complete = (uint64_t)length };

	head_out_date(&o, HTTP_FIELD_DATE, request_wall(req));
	head_out_content_range(&o, &cr);
	put_ours(req, &o);
	put_framing(req, &o, 416, 0);
	req->out.pos = req->out.end = 0;
	head_send(req, &o);
}

static void send_range(struct request *req, const struct object *fields, int64_t length)
{
	struct head_out o = head_begin(req, 206);
	struct byte_range range = req->answer.ranges.range[0];
	struct content_range cr = { .range = range, .complete = (uint64_t)length };

	STAT_INC(STAT_REQUEST_RANGE);
	head_out_raw(&o, fields->fields);
	head_out_content_range(&o, &cr);
	put_age(req, &o, fields);
	put_ours(req, &o);
	put_framing(req, &o, 206, (int64_t)(range.last - range.first + 1));
	req->out.pos = range.first;
	req->out.end = range.last + 1;
	head_send(req, &o);
}

void respond_part(struct request *req, const struct object *fields, const struct byte_range *range,
		  const struct content_range *part)
{
	struct head_out o = head_begin(req, 206);
	struct content_range cr = { .range = *range, .complete = part->complete };

	STAT_INC(STAT_REQUEST_HIT);
	STAT_INC(STAT_REQUEST_RANGE);
	put_block_without(&o, fields->fields, HTTP_FIELD_CONTENT_RANGE);
	head_out_content_range(&o, &cr);
	put_age(req, &o, fields);
	put_ours(req, &o);
	put_framing(req, &o, 206, (int64_t)(range->last - range->first + 1));
	/* Bytes of the stored thing, which begins with the part's first; what is damaged is not to be had elsewhere. */
	req->out.object = req->stored ? stored_object(req->stored) : NULL;
	req->out.gave_up = true;
	req->out.pos = range->first - part->range.first;
	req->out.end = range->last - part->range.first + 1;
	head_send(req, &o);
}

static void send_whole(struct request *req, const struct object *fields, int64_t length)
{
	struct head_out o = head_begin(req, fields->status);

	head_out_raw(&o, fields->fields);
	if (flight_of(&req->seat) && !req->filling)
		head_out_raw(&o, flight_extra(&req->seat));
	put_age(req, &o, fields);
	put_ours(req, &o);
	put_framing(req, &o, fields->status, length);
	req->out.pos = 0;
	req->out.end = length >= 0 ? (uint64_t)length : UINT64_MAX;
	head_send(req, &o);
}

static void send_answer(struct request *req, const struct object *fields, int64_t length)
{
	switch (req->answer.kind) {
	case POLICY_ANSWER_NOT_MODIFIED:
		send_not_modified(req, fields);
		break;
	case POLICY_ANSWER_UNSATISFIABLE:
		send_unsatisfiable(req, length);
		break;
	case POLICY_ANSWER_PARTIAL:
		if (req->answer.ranges.n > 1)
			send_parts(req, fields, length);
		else
			send_range(req, fields, length);
		break;
	case POLICY_ANSWER_WHOLE:
		send_whole(req, fields, length);
		break;
	}
}

void respond_stored(struct request *req, const struct object *fields)
{
	const struct object *object = stored_object(req->stored);

	if (req->verdict.fwd == CACHE_FWD_NONE && !req->detail)
		STAT_INC(STAT_REQUEST_HIT);
	req->out.object = object;
	send_answer(req, fields, object->length);
}

static bool are_ascending(const struct range_set *set)
{
	for (unsigned i = 1; i < set->n; i++)
		if (set->range[i].first < set->range[i - 1].first)
			return false;
	return true;
}

void respond_flight(struct request *req, const struct object *object)
{
	int64_t length = flight_length(&req->seat);

	STAT_INC(req->collapsed			      ? STAT_REQUEST_COLLAPSED
		 : req->verdict.fwd == CACHE_FWD_NONE ? STAT_REQUEST_HIT
						      : STAT_REQUEST_MISS);
	if (!req->fwd_status && !req->collapsed && req->verdict.fwd != CACHE_FWD_NONE)
		req->fwd_status = flight_answered(&req->seat);
	policy_answer(&req->head, object, length, request_wall(req), &req->answer);
	/* Without the length there is no honest Content-Range; what was passed may be gone from the flight. */
	if (req->answer.kind == POLICY_ANSWER_PARTIAL &&
	    (length < 0 ||
	     (!are_ascending(&req->answer.ranges) && flight_verdict(&req->seat) != FLIGHT_STORE)))
		req->answer.kind = POLICY_ANSWER_WHOLE;
	send_answer(req, object, length);
}

void respond_relayed(struct request *req)
{
	const struct object *object = flight_object(&req->seat);

	req->fwd_status = object->status;
	send_whole(req, object, object->length);
}

/* Head and body are both in `o`. */
static void send_all(struct request *req, struct head_out *o)
{
	req->out.head_only = true;
	req->step = REQUEST_DELIVER;
	deliver_begin(req, span_make(o->buf, o->len));
}

/* ---- our own ------------------------------------------------------------------------------------- */

void respond_error(struct request *req, unsigned status, const char *text)
{
	struct head_out o = head_begin(req, status);
	size_t n = strlen(text) + 1;

	STAT_INC(status >= 500 ? STAT_REQUEST_ERROR : STAT_REQUEST_REFUSED);
	head_out_date(&o, HTTP_FIELD_DATE, request_wall(req));
	head_out_text(&o, HTTP_FIELD_CONTENT_TYPE, "text/plain");
	head_out_text(&o, HTTP_FIELD_CACHE_CONTROL, "no-store");
	if (req->verdict.fwd == CACHE_FWD_NONE)
		req->verdict.fwd = CACHE_FWD_BYPASS;
	put_ours(req, &o);
	put_framing(req, &o, status, (int64_t)n);
	put_connection(req, &o);
	if (head_out_end(&o) < 0) {
		conn_cut(req->conn, true);
		return;
	}
	if (!req->out.head_only && o.cap - o.len >= n) {
		memcpy(o.buf + o.len, text, n - 1);
		o.buf[o.len + n - 1] = '\n';
		o.len += n;
	}
	send_all(req, &o);
}

/* As its final recipient: what came, but for what is secret (RFC 9110 9.3.8). */
static void respond_trace(struct request *req)
{
	static const enum http_field_id secret[] = { HTTP_FIELD_AUTHORIZATION, HTTP_FIELD_COOKIE,
						     HTTP_FIELD_PROXY_AUTHORIZATION };
	struct head_out o = head_begin(req, 200);
	struct http_field_set drop = { 0 };
	struct head_out echo = head_out_init(client_of(req)->text, sizeof(client_of(req)->text));

	for (unsigned i = 0; i < ARRAY_LEN(secret); i++)
		http_field_set_add(&drop, secret[i]);
	head_out_request(&echo, req->head.method_name, req->head.target);
	head_out_copy(&echo, &req->head, &drop);
	if (head_out_end(&echo) < 0) {
		respond_error(req, 431, "too long to be traced");
		return;
	}
	head_out_date(&o, HTTP_FIELD_DATE, request_wall(req));
	head_out_text(&o, HTTP_FIELD_CONTENT_TYPE, "message/http");
	put_framing(req, &o, 200, (int64_t)echo.len);
	put_connection(req, &o);
	if (head_out_end(&o) < 0 || o.cap - o.len < echo.len) {
		conn_cut(req->conn, true);
		return;
	}
	memcpy(o.buf + o.len, echo.buf, echo.len);
	o.len += echo.len;
	send_all(req, &o);
}

void respond_here(struct request *req)
{
	struct head_out o;

	if (req->head.method == HTTP_METHOD_TRACE) {
		respond_trace(req);
		return;
	}
	o = head_begin(req, 200);
	head_out_date(&o, HTTP_FIELD_DATE, request_wall(req));
	head_out_text(&o, HTTP_FIELD_ALLOW, "GET, HEAD, OPTIONS");
	put_via(req, &o);
	put_framing(req, &o, 200, 0);
	req->out.pos = req->out.end = 0;
	head_send(req, &o);
}
