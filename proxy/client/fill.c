/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holes: stored objects of which only a part is there. The fetch of a hole asks for whole chunks, guarded by the
 * object's strong validator (If-Range), and adds them to the stored object. Before anything was said to the device
 * it waits for that fetch's head (fill_first), which so confirms that the object is still the vendor's; a hole
 * that shows up in the middle can only end in right bytes or a cut (fill_next_hole).
 *
 * When most of an object is there, the next device will want the rest: whoever asks for a part of it then has one more
 * hole filled behind its back (fill_more).
 *
 * A damaged chunk is a hole, too, before the writer has dropped it: the request that met it remembers that (bad_id).
 * The chunk with which the answer begins is checked before anything is said. Until the damaged one is freed, which
 * waits for all who use the object, the new one can't be stored; it is the devices' alone then.
 */
#include "proxy/client/client_priv.h"

static struct worker *worker_of(const struct request *req)
{
	return req->conn->worker;
}

static uint32_t index_of(uint64_t at)
{
	return (uint32_t)(at / CONFIG_CHUNK_BYTES);
}

static bool is_bad(const struct request *req, const struct object *object, uint64_t at)
{
	return req->bad_id == object->id && req->bad_index == index_of(at);
}

bool fill_has(const struct request *req, const struct object *object, uint64_t at)
{
	return !is_bad(req, object, at) &&
	       (object_complete(object) || object_has_chunk(object, index_of(at)));
}

void fill_bad(struct request *req, uint64_t at)
{
	req->bad_id = stored_object(req->stored)->id;
	req->bad_index = index_of(at);
}

uint64_t fill_chunk(uint64_t at)
{
	return at - at % CONFIG_CHUNK_BYTES;
}

/* The first byte of [from, to) that is not stored, or `to`. */
static uint64_t hole_in(const struct object *object, uint64_t from, uint64_t to)
{
	uint64_t until = object_complete(object) ? to : object_stored_until(object, from);

	return until < to ? until : to;
}

/* Is the chunk with this byte damaged? */
static bool damaged(struct request *req, uint64_t at)
{
	const struct object *object = stored_object(req->stored);
	int rc;

	if (is_bad(req, object, at))
		return true;
	if (!object_has_chunk(object, index_of(at)))
		return false;
	rc = stored_sound(worker_of(req)->reader, req->stored, index_of(at));
	if (rc != -EBADMSG && rc != -EIO)
		return false;
	fill_bad(req, at);
	return true;
}

uint64_t fill_hole(struct request *req)
{
	const struct object *object = stored_object(req->stored);
	uint64_t length = (uint64_t)object->length;
	uint64_t hole;

	if (req->head.method == HTTP_METHOD_HEAD || object->length <= 0)
		return UINT64_MAX;
	if (req->answer.kind == POLICY_ANSWER_WHOLE) {
		hole = damaged(req, 0) ? 0 : hole_in(object, 0, length);
		return hole < length ? hole : UINT64_MAX;
	}
	if (req->answer.kind != POLICY_ANSWER_PARTIAL)
		return UINT64_MAX;
	if (damaged(req, req->answer.ranges.range[0].first))
		return req->answer.ranges.range[0].first;
	for (unsigned i = 0; i < req->answer.ranges.n; i++) {
		const struct byte_range *range = &req->answer.ranges.range[i];

		hole = hole_in(object, range->first, range->last + 1);
		if (hole <= range->last)
			return hole;
	}
	return UINT64_MAX;
}

/* From the hole to the next chunk that is stored, but not further than is wanted. */
static struct flight_want hole_want(const struct object *object, uint64_t hole, uint64_t end)
{
	struct flight_want want = { .from = fill_chunk(hole), .partly = true };
	uint64_t length = (uint64_t)object->length;
	uint64_t to = want.from + CONFIG_CHUNK_BYTES;

	while (to < end && !object_has_chunk(object, (uint32_t)(to / CONFIG_CHUNK_BYTES)))
		to += CONFIG_CHUNK_BYTES;
	want.to = to < length ? to : length;
	return want;
}

static uint64_t wanted_end(const struct request *req, const struct object *object, uint64_t at)
{
	if (req->answer.kind == POLICY_ANSWER_PARTIAL)
		for (unsigned i = 0; i < req->answer.ranges.n; i++)
			if (req->answer.ranges.range[i].last >= at &&
			    req->answer.ranges.range[i].first <= at)
				return req->answer.ranges.range[i].last + 1;
	return (uint64_t)object->length;
}

/* Before anything was said: the hole's fetch also confirms that the object is still the vendor's. */
void fill_first(struct request *req, uint64_t hole)
{
	const struct object *object = stored_object(req->stored);

	cached_leave(req); /* the flight that confirmed it */
	req->filling = true;
	if (!policy_strong(object)) {
		/* Parts of it can't be joined with others: it is as good as absent. */
		req->verdict.use = POLICY_USE_FETCH;
		req->verdict.cond = POLICY_COND_NONE;
		req->verdict.fwd = CACHE_FWD_URI_MISS;
		cached_join(req, (struct flight_want){ .to = UINT64_MAX });
		return;
	}
	req->verdict.fwd = CACHE_FWD_PARTIAL;
	cached_join(req, hole_want(object, hole, wanted_end(req, object, hole)));
}

static void ask_hole(struct request *req, struct flight_want want, struct fetch_ask *ask)
{
	cached_ask(req, ask);
	ask->cond = POLICY_COND_NONE;
	ask->stored = stored_object(req->stored);
	ask->has_range = true;
	ask->range = (struct byte_range){ want.from, want.to - 1 };
}

/* What comes now; nothing if no flight fills a hole. */
static struct policy_coming coming(const struct request *req)
{
	struct flight *flight = req->filling ? flight_of(&req->seat) : NULL;
	struct flight_want flies = flight ? flight_range(flight) : (struct flight_want){ 0 };

	return (struct policy_coming){ flies.from, flies.to };
}

void fill_more(struct request *req)
{
	const struct object *object = stored_object(req->stored);
	struct cache_key key = request_flight_key(req);
	struct policy_coming flies = coming(req);
	struct flight_want want;
	uint64_t length = (uint64_t)object->length, hole;
	struct flight *flight;
	struct fetch_ask ask;

	if (!policy_fills(&req->policy, object, &req->answer, flies))
		return;
	hole = hole_in(object, 0, length);
	if (hole >= flies.from && hole < flies.to)
		hole = hole_in(object, flies.to, length);
	if (hole >= length)
		return;
	want = hole_want(object, hole, length);
	if (flight_begin(worker_of(req)->proxy->flights, &key, want, request_now(req), &flight) < 0)
		return;
	want = flight_range(flight);
	ask_hole(req, want, &ask);
	if (fetch_start(worker_of(req), flight, &ask, NULL) < 0)
		flight_abandon(flight);
	else
		STAT_INC(STAT_FLIGHT_FILLS);
	flight_unref(&flight);
}

/* The same for a response that has begun: goes on with the record that has the byte now. */
static bool filled_meanwhile(struct request *req)
{
	struct stored *stored;
	bool variants;

	if (request_look(req, &stored, &variants) < 0)
		return false;
	if (stored_object(stored)->id != req->out.object->id ||
	    !fill_has(req, stored_object(stored), req->out.pos)) {
		stored_free(&stored);
		return false;
	}
	stored_free(&req->stored);
	req->stored = stored;
	req->out.object = stored_object(stored);
	return true;
}

int fill_next_hole(struct request *req)
{
	const struct object *object = stored_object(req->stored);
	struct cache_key key = request_flight_key(req);
	struct flight_want want =
		hole_want(object, req->out.pos, wanted_end(req, object, req->out.pos));
	enum flight_role role;
	struct fetch_ask ask;
	int rc;

	if (!policy_strong(object))
		return -ESTALE;
	cached_leave(req);
	req->filling = true;
	rc = flight_join(worker_of(req)->proxy->flights, &key, want, request_now(req), &req->seat,
			 &role);
	if (rc < 0 || role == FLIGHT_ROLE_FOLLOWER)
		return rc;
	if (role == FLIGHT_ROLE_LEADER && filled_meanwhile(req)) {
		flight_abandon(flight_of(&req->seat));
		cached_leave(req);
		return -EALREADY;
	}
	want = flight_range(flight_of(&req->seat));
	ask_hole(req, want, &ask);
	rc = fetch_start(worker_of(req), flight_of(&req->seat), &ask, NULL);
	if (rc < 0) {
		flight_abandon(flight_of(&req->seat));
		cached_leave(req);
	}
	return rc;
}
