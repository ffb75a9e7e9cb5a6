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

static void lookup(struct request *req);
static void serve(struct request *req);

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

static void again(struct request *req)
{
	cached_leave(req);
	req->filling = req->joined_new = req->collapsed = req->stored_now = false;
	if (++req->redos > REQUEST_REDOS)
		relay_begin(req, POLICY_COND_DEVICE);
	else
		lookup(req);
}

/* ---- keys ---------------------------------------------------------------------------------------- */

static int text_set(char **text, size_t *n, struct span value)
{
	char *copy = malloc(value.n + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, value.p, value.n);
	copy[value.n] = 0;
	free(*text);
	*text = copy;
	*n = value.n;
	return 0;
}

static struct cache_key primary_key(const struct request *req)
{
	return key_of(span_make(req->key, req->key_n));
}

/* The key of the variant that this request selects, in client->text. */
static int variant_key(struct request *req, struct span names, struct cache_key *ret_key)
{
	struct client *client = worker_of(req)->client;

	memcpy(client->text, req->key, req->key_n);
	*ret_key = key_of(span_make(client->text, req->key_n));
	return policy_vary_key(names, &req->head, client->text, sizeof(client->text), ret_key);
}

/* The key under which this request's flights are. */
static struct cache_key flight_key(const struct request *req)
{
	return req->variant ? key_of(span_make(req->variant, req->variant_n)) : primary_key(req);
}

/* The names in a variant's key: its lines behind the primary, "\n<name>:<value>". */
static int names_of(struct span lines, char *buf, size_t size, struct span *ret_names)
{
	struct span line;
	size_t n = 0;

	while (span_cut(&lines, '\n', &line)) {
		size_t name = span_find(line, ':');

		if (!line.n)
			continue;
		if (n + name + 1 > size)
			return -ENOSPC;
		if (n)
			buf[n++] = ',';
		memcpy(buf + n, line.p, name);
		n += name;
	}
	*ret_names = span_make(buf, n);
	return 0;
}

/* Does this request select the response that another's fetch brought? */
static bool selects(struct request *req, const struct object *object)
{
	struct span primary = span_make(req->key, req->key_n);
	char names_buf[POLICY_VARY_MAX + POLICY_VARY_FIELDS_MAX];
	struct span names;
	struct cache_key key;

	if (span_eq(object->key, primary))
		return true;
	return span_starts(object->key, primary) &&
	       names_of(span_drop(object->key, primary.n), names_buf, sizeof(names_buf), &names) ==
		       0 &&
	       variant_key(req, names, &key) == 0 && span_eq(key.text, object->key);
}

/* ---- looking up ---------------------------------------------------------------------------------- */

/* What lies behind a marker. */
static int look_variant(struct request *req, const struct object *marker,
			struct stored **ret_stored)
{
	struct cache_key key;
	size_t n;
	int rc = text_set(&req->vary, &n, marker->fields);

	if (rc == 0)
		rc = variant_key(req, marker->fields, &key);
	if (rc == 0)
		rc = text_set(&req->variant, &req->variant_n, key.text);
	return rc == 0 ? store_lookup(worker_of(req)->reader, &key, ret_stored) : rc;
}

/* 0, -ENOENT or -errno. */
static int look(struct request *req, struct stored **ret_stored, bool *ret_variants)
{
	struct cache_key key = primary_key(req);
	struct stored *stored;
	int rc;

	*ret_variants = false;
	rc = store_lookup(worker_of(req)->reader, &key, &stored);
	if (rc < 0)
		return rc;
	if (stored_object(stored)->kind == OBJECT_VARY) {
		struct stored *marker = stored;

		*ret_variants = true;
		rc = look_variant(req, stored_object(marker), &stored);
		stored_free(&marker);
	}
	if (rc == 0)
		*ret_stored = stored;
	return rc;
}

/* ---- fetching ------------------------------------------------------------------------------------ */

static void ask_fill(struct request *req, struct fetch_ask *ask)
{
	*ask = (struct fetch_ask){
		.kind = FETCH_CACHE,
		.profile = req->profile,
		.host = req->match.host,
		.group = req->match.group,
		.port = req->port,
		.request = &req->head,
		.policy = &req->policy,
		.authority = span_of(req->authority),
		.target = request_target(req),
		.cond = req->verdict.cond,
		.stored = req->verdict.cond == POLICY_COND_OURS ? stored_object(req->stored) : NULL,
		.key = span_make(req->key, req->key_n),
		.vary = span_of(req->vary),
	};
}

/* This one leads: its fetch. False if it could not even start; then the request is answered. */
static bool lead(struct request *req, struct flight_want want)
{
	struct fetch_ask ask;
	int rc;

	ask_fill(req, &ask);
	if (req->filling)
		ask.stored = stored_object(req->stored);
	if (want.from > 0 || want.to != UINT64_MAX) {
		ask.has_range = true;
		ask.range.first = want.from;
		ask.range.last = want.to == UINT64_MAX ? RANGE_UNKNOWN : want.to - 1;
		ask.cond = POLICY_COND_NONE;
	}
	rc = fetch_start(worker_of(req), flight_of(&req->seat), &ask, NULL);
	if (rc == 0)
		return true;
	flight_abandon(flight_of(&req->seat));
	cached_leave(req);
	respond_error(req, 503, "no memory to fetch this now");
	return false;
}

static bool has_byte(const struct object *object, uint64_t at)
{
	return object_complete(object) ||
	       object_has_chunk(object, (uint32_t)(at / CONFIG_CHUNK_BYTES));
}

/* Has another request stored it (or renewed it) between our lookup and our seat? */
static bool came_meanwhile(struct request *req, uint64_t hole)
{
	const struct object *old = req->stored ? stored_object(req->stored) : NULL;
	struct stored *stored;
	bool variants, came;

	if (look(req, &stored, &variants) < 0)
		return false;
	came = !old || stored_object(stored)->id != old->id ||
	       stored_object(stored)->received != old->received ||
	       (req->filling && has_byte(stored_object(stored), hole));
	stored_free(&stored);
	return came;
}

static void join(struct request *req, struct flight_want want)
{
	struct cache_key key = flight_key(req);
	enum flight_role role;

	cached_leave(req); /* a confirmed object with holes comes here from its flight */
	if (flight_join(flights_of(req), &key, want, request_now(req), &req->seat, &role) < 0) {
		respond_error(req, 503, "no memory to fetch this now");
		return;
	}
	req->step = REQUEST_FLIGHT;
	req->joined_new = flight_look(&req->seat) == FLIGHT_NEW;
	req->collapsed = role == FLIGHT_ROLE_FOLLOWER;
	if (role == FLIGHT_ROLE_LEADER && came_meanwhile(req, want.from)) {
		flight_abandon(flight_of(&req->seat));
		again(req);
		return;
	}
	if (role != FLIGHT_ROLE_FOLLOWER && !lead(req, want))
		return;
	cached_progress(req);
}

static uint64_t chunk_down(uint64_t at)
{
	return at - at % CONFIG_CHUNK_BYTES;
}

static uint64_t chunk_up(uint64_t at)
{
	return chunk_down(at + CONFIG_CHUNK_BYTES - 1);
}

/* The whole, or if the device wants a part that begins far inside, that part in whole chunks. */
static struct flight_want want_of(struct request *req)
{
	struct flight_want all = { 0, UINT64_MAX };
	const struct http_field *field = http_field_first(&req->head, HTTP_FIELD_RANGE);
	struct range_specs specs;
	const struct range_spec *spec = &specs.spec[0];

	if (!req->policy.ranged || !field || http_range_parse(field->value, &specs) < 0 ||
	    specs.n != 1 || spec->suffix || spec->first < FLIGHT_LIMITS_DEFAULT.reach ||
	    spec->first > INT64_MAX / 2)
		return all;
	if (http_has(&req->head, HTTP_FIELD_IF_RANGE))
		return all; /* only who has the whole can tell which answer it is */
	all.from = chunk_down(spec->first);
	if (spec->last < INT64_MAX / 2)
		all.to = chunk_up(spec->last + 1);
	return all;
}

/* A stale response is being used: ask meanwhile whether it still holds. */
static void refresh(struct request *req)
{
	struct cache_key key = flight_key(req);
	struct flight_want all = { 0, UINT64_MAX };
	struct fetch_ask ask;
	struct flight *flight;

	if (flight_begin(flights_of(req), &key, all, request_now(req), &flight) < 0)
		return;
	ask_fill(req, &ask);
	ask.cond = POLICY_COND_OURS;
	ask.stored = stored_object(req->stored);
	if (fetch_start(worker_of(req), flight, &ask, NULL) < 0)
		flight_abandon(flight);
	flight_unref(&flight);
}

/* ---- holes --------------------------------------------------------------------------------------- */

/* The first byte of [from, to) that is not stored, or `to`. */
static uint64_t hole_in(const struct object *object, uint64_t from, uint64_t to)
{
	uint64_t until = object_complete(object) ? to : object_stored_until(object, from);

	return until < to ? until : to;
}

/* Where the answer needs a byte that is not stored; UINT64_MAX: nowhere. */
static uint64_t hole_of(const struct request *req, const struct object *object)
{
	uint64_t length = (uint64_t)object->length;
	uint64_t hole;

	if (req->head.method == HTTP_METHOD_HEAD || object->length <= 0)
		return UINT64_MAX;
	if (req->answer.kind == POLICY_ANSWER_WHOLE) {
		hole = hole_in(object, 0, length);
		return hole < length ? hole : UINT64_MAX;
	}
	if (req->answer.kind != POLICY_ANSWER_PARTIAL)
		return UINT64_MAX;
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
	struct flight_want want = { .from = chunk_down(hole) };
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
static void fill_first(struct request *req, uint64_t hole)
{
	const struct object *object = stored_object(req->stored);

	cached_leave(req); /* the flight that confirmed it */
	if (!policy_strong(object)) {
		/* Parts of it can't be joined with others: it is as good as absent. */
		stored_free(&req->stored);
		req->verdict.use = POLICY_USE_FETCH;
		req->verdict.cond = POLICY_COND_NONE;
		req->verdict.fwd = CACHE_FWD_URI_MISS;
		join(req, (struct flight_want){ 0, UINT64_MAX });
		return;
	}
	req->filling = true;
	req->verdict.fwd = CACHE_FWD_PARTIAL;
	join(req, hole_want(object, hole, wanted_end(req, object, hole)));
}

/* The same for a response that has begun: goes on with the record that has the byte now. */
static bool filled_meanwhile(struct request *req)
{
	struct stored *stored;
	bool variants;

	if (look(req, &stored, &variants) < 0)
		return false;
	if (stored_object(stored)->id != req->out.object->id ||
	    !has_byte(stored_object(stored), req->out.pos)) {
		stored_free(&stored);
		return false;
	}
	stored_free(&req->stored);
	req->stored = stored;
	req->out.object = stored_object(stored);
	req->out.has_place = false;
	return true;
}

int cached_fill(struct request *req)
{
	const struct object *object = stored_object(req->stored);
	struct cache_key key = flight_key(req);
	struct flight_want want =
		hole_want(object, req->out.pos, wanted_end(req, object, req->out.pos));
	enum flight_role role;
	struct fetch_ask ask;
	int rc;

	if (!policy_strong(object))
		return -ESTALE;
	cached_leave(req);
	req->filling = true;
	rc = flight_join(flights_of(req), &key, want, request_now(req), &req->seat, &role);
	if (rc < 0 || role == FLIGHT_ROLE_FOLLOWER)
		return rc;
	if (role == FLIGHT_ROLE_LEADER && filled_meanwhile(req)) {
		flight_abandon(flight_of(&req->seat));
		cached_leave(req);
		return -EALREADY;
	}
	ask_fill(req, &ask);
	ask.cond = POLICY_COND_NONE;
	ask.stored = object;
	ask.has_range = true;
	ask.range = (struct byte_range){ want.from, want.to - 1 };
	rc = fetch_start(worker_of(req), flight_of(&req->seat), &ask, NULL);
	if (rc < 0) {
		flight_abandon(flight_of(&req->seat));
		cached_leave(req);
	}
	return rc;
}

/* ---- serving ------------------------------------------------------------------------------------- */

/* From the store, as `fields` says (the stored record, or its refreshed one). */
static void serve_as(struct request *req, const struct object *fields)
{
	const struct object *object = stored_object(req->stored);
	uint64_t hole;

	policy_answer(&req->head, fields, object->length, request_wall(req), &req->answer);
	hole = hole_of(req, object);
	if (hole != UINT64_MAX && !req->filling)
		fill_first(req, hole);
	else
		respond_stored(req, fields);
}

static void serve(struct request *req)
{
	serve_as(req, stored_object(req->stored));
}

static void lookup(struct request *req)
{
	struct policy_env env = env_of(req);
	bool variants = false;

	stored_free(&req->stored);
	if (look(req, &req->stored, &variants) < 0)
		req->stored = NULL;
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
		join(req, (struct flight_want){ 0, UINT64_MAX });
		break;
	case POLICY_USE_FETCH:
		join(req, want_of(req));
		break;
	case POLICY_USE_RELAY:
		relay_begin(req, req->verdict.cond);
		break;
	case POLICY_USE_504:
		respond_error(req, 504, "not in the cache, and only-if-cached was asked for");
		break;
	}
}

void cached_begin(struct request *req)
{
	struct client *client = worker_of(req)->client;
	struct policy_target target = {
		.profile = req->profile,
		.group = req->match.group,
		.port = req->port == 80 ? 0 : req->port,
		.path = req->path,
		.has_query = req->head.has_query,
		.query = req->head.query,
	};
	struct cache_key key;

	if (policy_key(&target, client->text, sizeof(client->text), &key) < 0 ||
	    text_set(&req->key, &req->key_n, key.text) < 0) {
		relay_begin(req, POLICY_COND_DEVICE);
		return;
	}
	lookup(req);
}

/* ---- the flight's answer ------------------------------------------------------------------------- */

static void settle(struct request *req)
{
	req->step = REQUEST_SETTLE;
	if (flight_settled(&req->seat))
		again(req);
}

static void refreshed(struct request *req, const struct object *object)
{
	if (!req->stored || stored_object(req->stored)->id != object->id) {
		settle(req);
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
	if (verdict.use != POLICY_USE_HIT && verdict.use != POLICY_USE_REVALIDATE)
		return false;
	req->verdict = verdict;
	req->collapsed = false; /* to the device it is a hit */
	return true;
}

static void headed(struct request *req)
{
	const struct object *object = flight_object(&req->seat);

	if (req->collapsed && (!selects(req, object) || !usable(req, object))) {
		settle(req);
	} else if (flight_verdict(&req->seat) == FLIGHT_REFRESHED) {
		refreshed(req, object);
	} else if (req->filling && object->id == stored_object(req->stored)->id) {
		respond_stored(req, stored_object(req->stored));
	} else {
		req->filling = false;
		stored_free(&req->stored);
		req->stored_now = req->joined_new && flight_verdict(&req->seat) == FLIGHT_STORE;
		respond_flight(req);
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
	if (outcome == POLICY_OUTCOME_STALE && !req->filling) {
		req->verdict.fwd = CACHE_FWD_NONE;
		req->detail = policy_reason_info(WHY_ERROR_STALE)->token;
		STAT_INC(STAT_REQUEST_STALE);
		req->filling = true; /* no second fetch: what is not stored ends the answer */
		serve(req);
		return;
	}
	if (!relay_fail_open(req, error))
		respond_error(req, fetch_error_status(error), "the vendor can't be reached");
}

void cached_progress(struct request *req)
{
	if (req->step == REQUEST_SETTLE) {
		settle(req);
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
