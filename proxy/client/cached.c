/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request through the cache.
 *
 *	          cached_begin
 *	               |
 *	               v     hit, and all bytes are there
 *	 +---------> lookup -------------------------------------> respond_stored
 *	 |             | absent, stale, or a hole
 *	 |             v
 *	 |            join -- leader: a second look, fetch_start
 *	 |             |
 *	 |             v  woken          a head          for us
 *	 |           FLIGHT ------------> headed --------------> respond_flight, respond_stored (304)
 *	 |             |                    | not for us, or to be looked up when it is committed
 *	 |             | failed             v
 *	 |             |                  SETTLE
 *	 +-------------|--------------------+ settled
 *	               v
 *	             failed --> respond_stored (stale), splice (intercepted), respond_error
 *
 * A request looks itself up again at most REQUEST_REDOS times, then it is relayed.
 */
#include "proxy/client/client_priv.h"
#include "proxy/upstream/secure.h"

static void lookup(struct request *req);
static void serve(struct request *req);
static void settle(struct request *req);

static struct policy_env env_of(const struct request *req)
{
	int64_t heuristic = request_settings(req)->cache.heuristic_max;

	return (struct policy_env){
		.now = request_wall(req),
		.generation = request_generation(req),
		.heuristic_max = heuristic > 0 ? heuristic / 1000 : FRESH_UNSET,
	};
}

static struct worker *worker_of(const struct request *req)
{
	return req->conn->worker;
}

static struct flights *flights_of(const struct request *req)
{
	return worker_of(req)->proxy->flights;
}

void cached_leave(struct request *req)
{
	flight_leave(&req->seat);
}

static void look_again(struct request *req)
{
	cached_leave(req);
	object_free(&req->pending);
	stored_free(&req->part);
	req->filling = req->joined_new = req->collapsed = req->stored_now = req->awaits = false;
	req->alone = req->has_part = false;
	if (++req->redos > REQUEST_REDOS)
		relay_begin(req, POLICY_COND_DEVICE);
	else
		lookup(req);
}

static void again(struct request *req)
{
	req->learnt = false;
	look_again(req);
}

/* ---- fetching ------------------------------------------------------------------------------------ */

void cached_ask(struct request *req, struct fetch_ask *ask)
{
	*ask = (struct fetch_ask){
		.kind = FETCH_CACHE,
		.profile = req->profile,
		.group = req->match.group,
		.request = &req->head,
		.policy = &req->policy,
		.target = request_target(req),
		.cond = req->verdict.cond,
		.stored = req->verdict.cond != POLICY_COND_OURS ? NULL
			  : req->stored				? stored_object(req->stored)
								: req->pending,
		.unstored = !req->stored && req->pending,
		.key = span_make(req->key, req->key_n),
		.vary = span_of(req->vary),
	};
	request_dial(req, ask);
}

/* May the vendor choose among the variants that are stored? */
static bool offers(const struct request *req)
{
	return !req->part && !req->alone && !req->stored && !req->pending &&
	       req->policy.may_store && req->verdict.cond == POLICY_COND_NONE &&
	       req->policy.class->kind != PROFILE_INDEX;
}

/* This one leads: its fetch. False if it could not even start; then the request is answered. */
static bool lead(struct request *req, struct flight_want want)
{
	struct fetch_ask ask;
	struct object whole;
	int rc;

	cached_ask(req, &ask);
	ask.as_asked = req->alone;
	if (req->part)
		part_ask(req, &whole, &ask);
	if (want.from > 0 || want.to != UINT64_MAX) {
		if (req->filling)
			ask.stored = stored_object(req->stored);
		ask.has_range = true;
		ask.range.first = want.from;
		ask.range.last = want.to == UINT64_MAX ? RANGE_UNKNOWN : want.to - 1;
		ask.cond = POLICY_COND_NONE;
	} else if (offers(req)) {
		request_offer(req, &ask);
	}
	ask.interim = relay_interim;
	ask.ended = relay_ended;
	ask.arg = req;
	relay_end(req); /* of an earlier try */
	rc = fetch_start(worker_of(req), flight_of(&req->seat), &ask, &req->fetch);
	if (rc == 0)
		return true;
	while (ask.others_n)
		stored_free(&ask.others[--ask.others_n]);
	flight_abandon(flight_of(&req->seat));
	cached_leave(req);
	respond_error(req, 503, "no memory to fetch this now");
	return false;
}

/* Has another request stored it (or renewed it) between our lookup and our seat? */
static bool came_meanwhile(struct request *req, uint64_t hole)
{
	const struct object *old = req->stored ? stored_object(req->stored) : req->pending;
	struct stored *stored;
	bool variants, came;

	if (request_look(req, &stored, &variants) < 0)
		return false;
	came = !old || stored_object(stored)->id != old->id ||
	       stored_object(stored)->received != old->received ||
	       (req->filling && policy_strong(old) && fill_has(req, stored_object(stored), hole));
	stored_free(&stored);
	return came;
}

/*
 * A seat for who has a condition of its own, or wants just a range, and there is nothing stored: with those that
 * have the same one, for a 304 or that part is for them alone. Unless it is being fetched anyway.
 */
static int join_with_condition(struct request *req, struct flight_want want,
			       enum flight_role *ret_role)
{
	struct cache_key key = request_flight_key(req);

	*ret_role = FLIGHT_ROLE_FOLLOWER;
	if (flight_follow(flights_of(req), &key, want, &req->seat))
		return 0;
	if (request_cond_key(req, &key) < 0)
		key = request_flight_key(req);
	return flight_join(flights_of(req), &key, want, request_now(req), &req->seat, ret_role);
}

static int join(struct request *req, struct flight_want want, enum flight_role *ret_role)
{
	struct cache_key key = request_flight_key(req);

	if ((req->verdict.cond == POLICY_COND_DEVICE || req->alone) && want.from == 0 &&
	    want.to == UINT64_MAX)
		return join_with_condition(req, want, ret_role);
	return flight_join(flights_of(req), &key, want, request_now(req), &req->seat, ret_role);
}

void cached_join(struct request *req, struct flight_want want)
{
	enum flight_role role;

	cached_leave(req); /* a confirmed object with holes comes here from its flight */
	if (join(req, want, &role) < 0) {
		respond_error(req, 503, "no memory to fetch this now");
		return;
	}
	req->step = REQUEST_FLIGHT;
	req->joined_new = flight_look(&req->seat) == FLIGHT_NEW;
	req->collapsed = role == FLIGHT_ROLE_FOLLOWER;
	if (role != FLIGHT_ROLE_FOLLOWER)
		want = flight_range(flight_of(&req->seat));
	if (role == FLIGHT_ROLE_LEADER && came_meanwhile(req, want.from)) {
		flight_abandon(flight_of(&req->seat));
		again(req);
		return;
	}
	if (role != FLIGHT_ROLE_FOLLOWER && !lead(req, want))
		return;
	cached_progress(req);
}

/*
 * A part of what is not stored, while another part of it is on its way: when that one's head has said what they are
 * parts of, this one asks for what the other does not bring.
 */
static bool await_part(struct request *req, struct flight_want want)
{
	struct cache_key key = request_flight_key(req);

	if (want.from == 0 || req->stored || req->redos)
		return false;
	if (flight_follow(flights_of(req), &key, want, &req->seat)) {
		cached_leave(req);
		return false;
	}
	if (!flight_follow_part(flights_of(req), &key, &req->seat))
		return false;
	req->step = REQUEST_FLIGHT;
	req->awaits = true;
	cached_progress(req);
	return true;
}

static uint64_t chunk_up(uint64_t at)
{
	return fill_chunk(at + CONFIG_CHUNK_BYTES - 1);
}

/* The whole, or if the device wants a part that begins far inside, that part in whole chunks. */
static struct flight_want want_of(struct request *req)
{
	struct flight_want all = { .to = UINT64_MAX };
	const struct http_field *field = http_field_first(&req->head, HTTP_FIELD_RANGE);
	struct range_specs specs;
	const struct range_spec *spec = &specs.spec[0];

	if (!req->policy.ranged || !field || http_range_parse(field->value, &specs) < 0 ||
	    specs.n != 1 || spec->suffix || spec->first < FLIGHT_LIMITS_DEFAULT.reach ||
	    spec->first > INT64_MAX / 2)
		return all;
	if (req->whole ||
	    (http_has(&req->head, HTTP_FIELD_IF_RANGE) && !policy_if_range(&req->head).n))
		return all; /* only who has the whole can tell which answer it is */
	all.from = fill_chunk(spec->first);
	if (spec->last < INT64_MAX / 2)
		all.to = chunk_up(spec->last + 1);
	return all;
}

/* A stale response is being used: ask meanwhile whether it still holds. */
static void refresh(struct request *req)
{
	struct cache_key key = request_flight_key(req);
	struct flight_want all = { .to = UINT64_MAX };
	struct fetch_ask ask;
	struct flight *flight;

	if (flight_begin(flights_of(req), &key, all, request_now(req), &flight) < 0)
		return;
	cached_ask(req, &ask);
	ask.cond = POLICY_COND_OURS;
	ask.stored = stored_object(req->stored);
	if (fetch_start(worker_of(req), flight, &ask, NULL) < 0)
		flight_abandon(flight);
	flight_unref(&flight);
}

/* ---- serving ------------------------------------------------------------------------------------- */

/* From the store, as `fields` says (the stored record, or its refreshed one). */
static void serve_as(struct request *req, const struct object *fields)
{
	const struct object *object = stored_object(req->stored);
	uint64_t hole;

	policy_answer(&req->head, fields, object->length, request_wall(req), &req->answer);
	hole = req->filling ? UINT64_MAX : fill_hole(req);
	if (hole != UINT64_MAX)
		fill_first(req, hole);
	else {
		hold_serving(req);
		if (!req->filling)
			fill_more(req);
		respond_stored(req, fields);
	}
}

static void serve(struct request *req)
{
	serve_as(req, stored_object(req->stored));
}

/* For who will not fetch it: is it just being stored? */
static bool follow(struct request *req)
{
	struct cache_key key = request_flight_key(req);
	struct flight_want all = { .to = UINT64_MAX };

	cached_leave(req);
	if (req->stored || req->redos || !flight_follow(flights_of(req), &key, all, &req->seat))
		return false;
	req->step = REQUEST_FLIGHT;
	req->joined_new = false; /* its head is judged as if it were stored */
	req->collapsed = true;
	cached_progress(req);
	return true;
}

/* What the store will show when a commit that is under way is done: as if it were stored. */
static void seen(struct request *req)
{
	const struct object *object = flight_object(&req->seat);
	bool refreshed = flight_verdict(&req->seat) == FLIGHT_REFRESHED;
	struct policy_env env = env_of(req);
	bool variants;

	req->collapsed = req->joined_new = false;
	policy_lookup(&req->policy, object, false, &env, &req->verdict, NULL);
	if (refreshed && request_look(req, &req->stored, &variants) < 0)
		req->stored = NULL;
	if (req->verdict.use != POLICY_USE_HIT ||
	    (refreshed && (!req->stored || stored_object(req->stored)->id != object->id)))
		settle(req);
	else if (refreshed)
		serve_as(req, object);
	else
		respond_flight(req, flight_object(&req->seat));
}

/* Nothing is stored that answers it. */
static void fetch(struct request *req)
{
	struct flight_want want = want_of(req);

	req->alone = part_alone(req);
	if (!req->alone && part_begins(req) == -EINPROGRESS)
		settle(req);
	else if (!await_part(req, want))
		cached_join(req, want);
}

static void lookup(struct request *req)
{
	struct policy_env env = env_of(req);
	bool variants = false;
	int rc;

	stored_free(&req->stored);
	rc = request_look_all(req, &req->stored, &variants);
	if (rc == -EINPROGRESS) {
		seen(req);
		return;
	}
	if (rc < 0)
		req->stored = NULL;
	if (!req->stored && part_answers(req, &env))
		return;
	hold_look(req);
	policy_lookup(&req->policy, req->stored ? stored_object(req->stored) : NULL, variants, &env,
		      &req->verdict, NULL);
	switch (req->verdict.use) {
	case POLICY_USE_REVALIDATE:
		refresh(req);
		/* fallthrough */
	case POLICY_USE_HIT:
		serve(req);
		break;
	case POLICY_USE_VALIDATE:
		if (hold_serves(req)) {
			serve(req);
			break;
		}
		cached_join(req, (struct flight_want){ .to = UINT64_MAX });
		break;
	case POLICY_USE_FETCH:
		fetch(req);
		break;
	case POLICY_USE_RELAY:
		if (req->head.method != HTTP_METHOD_HEAD || !follow(req))
			relay_begin(req, req->verdict.cond);
		break;
	case POLICY_USE_504:
		if (follow(req))
			break;
		respond_error(req, 504, "not in the cache, and only-if-cached was asked for");
		break;
	}
}

void cached_begin(struct request *req)
{
	if (request_key_make(req) < 0) {
		relay_begin(req, POLICY_COND_DEVICE);
		return;
	}
	hold_begin(req);
	lookup(req);
}

/* ---- the flight's answer ------------------------------------------------------------------------- */

static void settle(struct request *req)
{
	req->step = REQUEST_SETTLE;
	if (flight_settled(&req->seat))
		again(req);
}

/* Is that very object in the store now? */
static bool has_come(struct request *req, uint64_t id)
{
	bool variants;

	if (request_look(req, &req->stored, &variants) < 0)
		req->stored = NULL;
	if (req->stored && stored_object(req->stored)->id == id)
		return true;
	stored_free(&req->stored);
	return false;
}

/*
 * What flies and was too old for this request holds still: it is read there, with its new fields. If it has come to
 * its end meanwhile, it is read from the store.
 */
static void refreshed_in_flight(struct request *req, const struct object *object)
{
	struct cache_key key = request_flight_key(req);
	struct object *fields = object_dup(object);
	bool found;

	cached_leave(req);
	found = fields && flight_find(flights_of(req), &key, fields->id, &req->seat);
	object_free(&req->pending);
	req->pending = fields;
	if (!found && !(fields && has_come(req, fields->id))) {
		again(req);
		return;
	}
	req->fwd_status = 304;
	STAT_INC(STAT_REQUEST_REVALIDATED);
	if (found)
		respond_flight(req, fields);
	else
		serve_as(req, fields);
}

static void refreshed(struct request *req, const struct object *object)
{
	if (!req->stored) {
		refreshed_in_flight(req, object);
		return;
	}
	if (stored_object(req->stored)->id != object->id) {
		settle(req);
		return;
	}
	if (req->filling && !policy_strong(object)) {
		again(req); /* confirmed, but what is missing has to come */
		return;
	}
	req->fwd_status = 304;
	STAT_INC(STAT_REQUEST_REVALIDATED);
	serve_as(req, object);
}

/* May a request that came after the head have what is being fetched? As if it were stored. */
static bool usable(struct request *req, const struct object *object)
{
	struct policy_env env = env_of(req);
	struct policy_verdict verdict;

	if (req->joined_new)
		return true;
	policy_lookup(&req->policy, object, false, &env, &verdict, NULL);
	req->verdict = verdict;
	if (verdict.use != POLICY_USE_HIT && verdict.use != POLICY_USE_REVALIDATE)
		return false;
	req->collapsed = false; /* to the device it is a hit */
	return true;
}

/* What another's flight brings is not fresh enough for this request. */
static void too_old(struct request *req, const struct object *object)
{
	if (!flight_is_whole(&req->seat) && !req->stored &&
	    req->verdict.use == POLICY_USE_VALIDATE && req->redos < REQUEST_REDOS) {
		object_free(&req->pending);
		req->pending = object_dup(object);
	}
	if (!req->pending) {
		settle(req);
		return;
	}
	/* Its end may be far: is it valid still? */
	req->redos++;
	req->collapsed = false;
	cached_join(req, (struct flight_want){ .to = UINT64_MAX, .anew = true });
}

/* The origin has another response now, which is not to be stored: the old one is not used any more, at once. */
static bool replaced(struct request *req, const struct object *object)
{
	if (!req->stored || req->replaced || req->filling || object->status >= 500 ||
	    object->status == 304 || req->verdict.use != POLICY_USE_VALIDATE ||
	    (flight_verdict(&req->seat) != FLIGHT_LEADER &&
	     flight_verdict(&req->seat) != FLIGHT_SHARE))
		return false;
	req->replaced = true;
	outdated_begin(req, stored_object(req->stored));
	return req->removal != NULL;
}

/* A part comes, but of another object than the device has its beginning of. */
static bool needs_whole(struct request *req, const struct object *object)
{
	struct policy_answer answer;

	if (flight_first(&req->seat) == 0 || !http_has(&req->head, HTTP_FIELD_IF_RANGE))
		return false;
	policy_answer(&req->head, object, flight_length(&req->seat), request_wall(req), &answer);
	return answer.kind == POLICY_ANSWER_WHOLE;
}

static void headed(struct request *req)
{
	const struct object *object = flight_object(&req->seat);

	if (req->collapsed && !request_selects(req, object)) {
		req->learnt = request_learn(req, object) == 0;
		look_again(req); /* without waiting for what is another's */
	} else if (req->collapsed && !usable(req, object)) {
		too_old(req, object);
	} else if (replaced(req, object)) {
		return; /* when that is gone: cached_progress() */
	} else if (flight_verdict(&req->seat) == FLIGHT_REFRESHED) {
		refreshed(req, object);
	} else if (req->filling && object->id == stored_object(req->stored)->id) {
		fill_more(req);
		respond_stored(req, stored_object(req->stored));
	} else if (req->filling && flight_first(&req->seat) > 0) {
		again(req); /* a part of another object: what was found is not the one any more */
	} else if (needs_whole(req, object)) {
		req->whole = true;
		again(req);
	} else {
		req->filling = false;
		stored_free(&req->stored);
		req->stored_now = req->joined_new && flight_verdict(&req->seat) == FLIGHT_STORE;
		respond_flight(req, flight_object(&req->seat));
	}
}

static void failed(struct request *req)
{
	struct client *client = worker_of(req)->client;
	int error = flight_error(&req->seat);
	struct policy_times times = { req->began.wall_ms / 1000, request_wall(req) };
	struct policy_env env = env_of(req);
	enum policy_outcome outcome = POLICY_OUTCOME_ERROR;
	struct object object;

	if (req->stored &&
	    policy_validated(&req->policy, stored_object(req->stored), NULL, &times, &env,
			     client->scratch, sizeof(client->scratch), &outcome, &object, NULL) < 0)
		outcome = POLICY_OUTCOME_ERROR;
	cached_leave(req);
	if (!req->filling && hold_serves(req)) {
		serve(req);
		return;
	}
	if (outcome == POLICY_OUTCOME_STALE && !req->filling) {
		req->verdict.fwd = CACHE_FWD_NONE;
		req->detail = policy_reason_info(WHY_ERROR_STALE)->token;
		STAT_INC(STAT_REQUEST_STALE);
		req->filling = true; /* no second fetch: what is not stored ends the answer */
		serve(req);
		return;
	}
	if (!relay_fail_open(req, error)) {
		req->detail = secure_error_name(error);
		respond_error(req, fetch_error_status(error), fetch_error_text(error));
	}
}

void cached_progress(struct request *req)
{
	if (req->removal)
		return;
	if (req->step == REQUEST_SETTLE) {
		settle(req);
		return;
	}
	if (req->awaits) {
		if (flight_part_there(&req->seat))
			again(req);
		return;
	}
	switch (flight_look(&req->seat)) {
	case FLIGHT_NEW:
		break;
	case FLIGHT_REDO:
		again(req);
		break;
	case FLIGHT_FAILED:
		if (flight_object(&req->seat))
			again(req); /* it failed in the middle: try for ourselves, nothing was said */
		else
			failed(req);
		break;
	case FLIGHT_BODY:
	case FLIGHT_DONE:
		headed(req);
		break;
	}
}
