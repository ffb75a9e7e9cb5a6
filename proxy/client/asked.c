/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asked for what, said to the intake (proxy/sync/intake.h) once a request, at its end.
 */
#include "cache/manifest.h"
#include "proxy/client/client_priv.h"
#include "proxy/sync/intake.h"

#define ASKED_HOST_MAX (PROFILE_HOST_MAX + 8)

/* What it was answered with, or NULL. */
static const struct object *object_of(struct request *req)
{
	if (req->stored)
		return stored_object(req->stored);
	return flight_of(&req->seat) ? flight_object(&req->seat) : NULL;
}

/* Does the device have all of it now? */
static bool has_whole(const struct request *req, const struct object *object, bool sent)
{
	if (!sent || req->head.method != HTTP_METHOD_GET)
		return false;
	if (req->status == 206)
		return req->answer.ranges.n == 1 && object->length > 0 &&
		       req->answer.ranges.range[0].last + 1 == (uint64_t)object->length;
	return req->status == 200 || req->status == 304;
}

static uint32_t bits_of(const struct request *req, const struct object *object, bool sent)
{
	uint32_t bits = 0;

	if (req->policy.class->kind == PROFILE_INDEX)
		bits |= DEMAND_INDEX;
	if (object && has_whole(req, object, sent))
		bits |= DEMAND_WHOLE;
	if (req->verdict.fwd == CACHE_FWD_NONE)
		bits |= DEMAND_HIT;
	if (!sent || req->status >= 400)
		bits |= DEMAND_ERROR;
	return bits;
}

/* With its port unless that is the scheme's own. */
static struct span host_of(const struct request *req, char buf[ASKED_HOST_MAX])
{
	struct span host = span_of(req->match.host);

	if (req->port == (req->secure ? 443 : 80))
		return host;
	return span_numbered(host, req->port, buf, ASKED_HOST_MAX);
}

void asked_note(struct request *req, bool sent)
{
	const struct object *object;
	char host[ASKED_HOST_MAX];
	struct span plain = span_make(req->key, req->key_n);
	struct demand_event event;
	bool previous;

	if (req->asked || !req->profile || !req->key || !req->status || !req->policy.class)
		return;
	req->asked = true;
	object = object_of(req);
	previous = object && manifest_key_is_beside(object->key);
	event = (struct demand_event){
		.at = request_wall(req),
		.bytes = req->out.sent,
		.id = object && req->status < 400 ? object->id : 0,
		.generation = previous ? object->generation : request_generation(req),
		.bits = bits_of(req, object, sent),
		.key = object && object->key.n && !previous ? object->key : plain,
		.host = host_of(req, host),
	};
	addr_to_in6(&req->conn->device, event.device);
	intake_note(req->conn->worker->proxy->intake, req->conn->worker, &event);
}
