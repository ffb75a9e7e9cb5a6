/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a response, and what it means: for the store (policy decides), for a validation, for a body that
 * is being resumed. What cannot be placed exactly is not used: the try fails, and the next one asks
 * elsewhere, or for the whole.
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/upstream/fetch_priv.h"

/* Policy writes field blocks and keys here; a flight's head copies what it keeps. */
struct scratch {
	char fields[2 * POLICY_HEAD_MAX];
	char key[CACHE_KEY_TEXT_MAX];
	char vary[2 * POLICY_VARY_MAX];
	char plain[CACHE_KEY_TEXT_MAX];
};
static _Thread_local struct scratch scratch;

static struct policy_env env_of(const struct fetch *f)
{
	int64_t heuristic = f->config->settings.cache.heuristic_max;

	return (struct policy_env){
		.now = worker_now(f->worker)->wall_ms / 1000,
		.generation = f->generation,
		.heuristic_max = heuristic > 0 ? heuristic / 1000 : FRESH_UNSET,
	};
}

static struct policy_times times_of(const struct fetch *f)
{
	return (struct policy_times){ f->requested, worker_now(f->worker)->wall_ms / 1000 };
}

void fetch_bad_response(struct fetch *f, const char *why)
{
	STAT_INC(STAT_UPSTREAM_BAD_RESPONSE);
	LOG(LOG_L_NOTICE, "fetch.bad_response", "host=%s why=%s", f->at, why);
	fetch_failed(f, -EBADMSG);
}

/* ---- the body that follows ----------------------------------------------------------------------- */

static void body_begin(struct fetch *f)
{
	f->headed = true;
	f->left = f->framing.length;
	f->chunks = CHUNK_DEC_INIT;
	f->data = (struct span){ 0 };
	f->step = FETCH_BODY;
	fetch_watch(f, 0, 0);
	fetch_read_body(f);
}

/* The head for the flight and, if the body may be resumed, a copy for that. Frees nothing on -ENOMEM. */
static int publish(struct fetch *f, struct object *object, struct flight_head *head)
{
	head->object = object_dup(object);
	if (!head->object)
		return -ENOMEM;
	if (f->kind == FETCH_CACHE && policy_strong(object))
		f->object = object_dup(object);
	head->partial = f->object != NULL;
	head->length = f->length = object->length;
	flight_head(f->flight, head, *worker_now(f->worker));
	return 0;
}

static void publish_and_go(struct fetch *f, struct object *object, struct flight_head *head)
{
	int rc = publish(f, object, head);

	if (rc < 0)
		fetch_finish(f, rc);
	else
		body_begin(f);
}

static int64_t framed_length(const struct fetch *f)
{
	return f->framing.has_length ? (int64_t)f->framing.length : -1;
}

/* ---- for the cache ------------------------------------------------------------------------------- */

/* Does this reason hold for whoever asks? Then there is nothing to collapse for a while. */
static bool reason_is_lasting(enum policy_reason reason)
{
	switch (reason) {
	case WHY_NO_STORE:
	case WHY_NO_PRIVATE:
	case WHY_NO_COOKIE:
	case WHY_NO_VARY_STAR:
	case WHY_NO_VARY_LONG:
	case WHY_NO_USE:
	case WHY_NO_STATUS:
		return true;
	default:
		return false;
	}
}

static void choose_verdict(const struct fetch *f, const struct policy_stored *stored,
			   struct flight_head *head)
{
	int64_t max = f->config->settings.cache.object_max;

	if (stored->store)
		head->verdict = max && f->framing.has_length && (int64_t)f->framing.length > max
					? FLIGHT_SHARE
					: FLIGHT_STORE;
	else if (f->response->status >= 500 && stored->reason == WHY_NO_STATUS)
		head->verdict = FLIGHT_SHARE;
	else if (f->cond == POLICY_COND_DEVICE && policy_shares_304(&f->policy, f->response))
		head->verdict = FLIGHT_SHARE;
	else
		head->verdict = FLIGHT_LEADER;
	head->uncollapsed = head->verdict == FLIGHT_LEADER && reason_is_lasting(stored->reason);
}

/* The marker that tells lookups which fields select; variants with a lower id are older than it. Behind it in the writer's queue comes the response. */
static void put_marker(struct fetch *f, struct span names)
{
	struct object marker = {
		.kind = OBJECT_VARY,
		.id = store_id_new(f->worker->proxy->store),
		.key = f->key,
		.fields = names,
		.received = worker_now(f->worker)->wall_ms / 1000,
		.date = OBJECT_TIME_UNKNOWN,
		.last_modified = OBJECT_TIME_UNKNOWN,
		.expires = OBJECT_TIME_UNKNOWN,
	};

	if (span_eq(names, f->vary))
		return;
	if (writer_put_object(f->worker->proxy->writer, &marker, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}

/*
 * The key under which the response goes: of its variant, if it or others of its URI have a Vary. One that lacks it where
 * others have it is taken as a variant as well: an origin that forgets it now and then does no harm (RFC 9111 4.1).
 */
static int choose_key(struct fetch *f, const struct policy_stored *stored, struct object *object)
{
	struct cache_key key;
	struct span names;
	int rc;

	if (f->key.n > sizeof(scratch.key))
		return -ENOSPC;
	memcpy(scratch.key, f->key.p, f->key.n);
	key = key_of(span_make(scratch.key, f->key.n));
	object->key = key.text;
	if (!stored->vary.n && !f->vary.n)
		return 0;
	rc = policy_vary_join(stored->vary, f->vary, scratch.vary, sizeof(scratch.vary), &names);
	if (rc == 0)
		rc = policy_vary_key(names, f->request, scratch.key, sizeof(scratch.key), &key);
	if (rc < 0)
		return rc;
	object->key = key.text;
	put_marker(f, names);
	return 0;
}

/* Are these the bytes that were asked for, of the object that they were asked for? */
static bool part_fits(const struct fetch *f, const struct policy_stored *part,
		      const struct content_range *cr)
{
	if (!f->has_range || cr->unsatisfied || cr->range.first != f->range.first ||
	    cr->complete == RANGE_UNKNOWN || cr->complete > INT64_MAX)
		return false;
	if (cr->range.last > f->range.last && f->range.last != RANGE_UNKNOWN)
		return false;
	if (!policy_strong(&part->object))
		return false;
	if (!f->stored)
		return true;
	return policy_same_version(f->stored, &part->object) &&
	       f->stored->length == (int64_t)cr->complete;
}

static int content_range_of(const struct http_head *head, struct content_range *ret)
{
	const struct http_field *field = http_field_first(head, HTTP_FIELD_CONTENT_RANGE);

	return field ? http_content_range_parse(field->value, ret) : -EINVAL;
}

/* Not what we can place: ask once more, for the whole and without conditions. */
static void ask_whole(struct fetch *f)
{
	f->has_range = f->as_asked = f->policy.part = false;
	f->prefix_n = 0;
	f->cond = POLICY_COND_NONE;
	object_free(&f->stored);
	lease_unref(&f->stored_lease);
	fetch_others_drop(f);
	fetch_again(f);
}

/* Is it just what the device has asked for? */
static bool part_is_devices(const struct range_specs *specs, const struct content_range *cr)
{
	const struct range_spec *spec = &specs->spec[0];
	struct range_set set;

	if (cr->unsatisfied)
		return false;
	if (cr->complete == RANGE_UNKNOWN)
		return specs->n == 1 && !spec->suffix && spec->first == cr->range.first &&
		       (spec->last == cr->range.last || spec->last == RANGE_UNKNOWN);
	return http_range_resolve(specs, cr->complete, &set) == RANGE_SATISFIABLE && set.n == 1 &&
	       set.range[0].first == cr->range.first && set.range[0].last == cr->range.last;
}

static bool is_multipart(const struct http_head *head)
{
	const struct http_field *type = http_field_first(head, HTTP_FIELD_CONTENT_TYPE);
	struct span multipart = SPAN("multipart/byteranges");

	return type && span_ieq(span_head(type->value, multipart.n), multipart) &&
	       !http_has(head, HTTP_FIELD_CONTENT_RANGE);
}

/* May the device have it as it is? Several parts say themselves which they are. */
static bool part_is_for_device(const struct fetch *f)
{
	struct content_range cr;
	struct range_specs specs;

	if (http_range_of(f->request, &specs) < 0)
		return false;
	if (is_multipart(f->response))
		return specs.n > 1;
	return content_range_of(f->response, &cr) == 0 && part_is_devices(&specs, &cr);
}

/* A part with a strong validator that says which bytes it has goes on like a whole, if it breaks off. */
static void part_resumable(struct fetch *f, const struct object *object)
{
	struct content_range cr;

	if (content_range_of(f->response, &cr) < 0 || cr.unsatisfied || !policy_strong(object) ||
	    object->length <= 0 || (uint64_t)object->length != cr.range.last - cr.range.first + 1)
		return;
	f->object = object_dup(object);
	f->is_part = f->object != NULL;
	f->base = cr.range.first;
}

/* Its offsets are not those of an object. */
static void publish_part(struct fetch *f, struct object *object, struct flight_head *head)
{
	head->object = object_dup(object);
	if (!head->object) {
		fetch_finish(f, -ENOMEM);
		return;
	}
	head->length = f->length = object->length;
	flight_head(f->flight, head, *worker_now(f->worker));
	body_begin(f);
}

/*
 * A part, though the whole was asked for: who sends such is no HTTP server, but if it is what the device wants, it is
 * right for the device. For the leader alone, as it came.
 */
static void unasked_part_head(struct fetch *f)
{
	struct policy_env env = env_of(f);
	struct policy_times times = times_of(f);
	struct policy_req once = f->policy;
	struct flight_head head = { .verdict = FLIGHT_LEADER };
	struct policy_stored stored;

	once.may_store = false;
	if (!part_is_for_device(f) ||
	    policy_response(&once, f->response, &times, &env, scratch.fields,
			    sizeof(scratch.fields), &stored, NULL) < 0) {
		fetch_bad_response(f, "unasked_206");
		return;
	}
	stored.object.status = 206;
	stored.object.length = framed_length(f);
	publish_part(f, &stored.object, &head);
}

/* The whole is being stored: what was stored of it by itself would be older than that, should the whole be evicted. */
static void drop_part(struct fetch *f, const struct object *whole)
{
	struct cache_key key;

	if (policy_part_key(whole->key, f->key.n, scratch.plain, sizeof(scratch.plain), &key) < 0 ||
	    writer_remove(f->worker->proxy->writer, &key, 0, NULL, NULL) < 0)
		return; /* the store takes no whole, either */
}

/* The part that the device asked for, as it asked: it is stored by itself, if it may be. */
static void asked_part_head(struct fetch *f, struct policy_stored *stored)
{
	struct flight_head head = { .verdict = FLIGHT_LEADER, .extra = stored->private_fields };
	struct cache_key key, flown;

	if (!part_is_for_device(f)) {
		ask_whole(f);
		return;
	}
	if (stored->store && stored->partial && choose_key(f, stored, &stored->object) == 0 &&
	    policy_part_key(stored->object.key, f->key.n, scratch.key, sizeof(scratch.key), &key) ==
		    0 &&
	    policy_part_key(f->key, f->key.n, scratch.plain, sizeof(scratch.plain), &flown) == 0) {
		stored->object.key = key.text;
		head.verdict = FLIGHT_STORE;
		head.key = &flown; /* whatever its variant is */
	}
	if (head.verdict == FLIGHT_LEADER)
		stored->object.length = framed_length(f);
	part_resumable(f, &stored->object);
	publish_part(f, &stored->object, &head);
}

/* What was stored goes before what comes. */
static bool put_stored(struct fetch *f, struct span bytes)
{
	size_t at = 0, n;
	uint8_t *room;

	while (at < bytes.n) {
		if (flight_buffer(f->flight, *worker_now(f->worker), &room, &n) < 0)
			return false;
		n = n < bytes.n - at ? n : bytes.n - at;
		memcpy(room, bytes.p + at, n);
		flight_publish(f->flight, n);
		at += n;
	}
	return true;
}

/* The whole is of these bytes and, if they are not all, of what comes. */
static void stored_and_go(struct fetch *f, struct object *whole, struct span bytes)
{
	struct flight_head head = { .verdict = FLIGHT_STORE, .answered = f->response->status };

	if (publish(f, whole, &head) < 0) {
		fetch_finish(f, -ENOMEM);
		return;
	}
	f->headed = true;
	drop_part(f, whole);
	if (put_stored(f, bytes))
		body_begin(f);
	else
		fetch_failed(f, -ENOBUFS); /* the next try asks for what is missing then */
}

/* The rest of what is stored from its beginning on: both are the whole (RFC 9111 3.4). */
static void rest_head(struct fetch *f, struct policy_stored *stored)
{
	struct policy_env env = env_of(f);
	struct policy_times times = times_of(f);
	struct content_range cr;
	struct object whole;

	if (content_range_of(f->response, &cr) < 0 || !part_fits(f, stored, &cr) ||
	    cr.range.last + 1 != cr.complete || !stored->store ||
	    choose_key(f, stored, &stored->object) < 0 ||
	    policy_combined(&f->policy, f->stored, f->response, &times, &env, scratch.fields,
			    sizeof(scratch.fields), &whole) < 0) {
		ask_whole(f);
		return;
	}
	whole.key = stored->object.key;
	whole.generation = f->generation;
	whole.body = (struct span){ 0 };
	whole.flags &= ~(uint32_t)(OBJECT_COMPLETE | OBJECT_DIGEST);
	STAT_INC(STAT_FLIGHT_COMPLETED);
	stored_and_go(f, &whole, span_make(f->prefix, f->prefix_n));
}

static void part_head(struct fetch *f, struct policy_stored *stored)
{
	struct flight_head head = { .verdict = FLIGHT_STORE, .first = f->range.first };
	struct content_range cr;

	if (content_range_of(f->response, &cr) < 0 || !part_fits(f, stored, &cr) ||
	    !stored->store) {
		if (f->has_range)
			ask_whole(f);
		else
			unasked_part_head(f);
		return;
	}
	if (choose_key(f, stored, &stored->object) < 0 ||
	    (f->stored && !span_eq(stored->object.key, f->stored->key))) {
		ask_whole(f);
		return;
	}
	f->end = cr.range.last + 1;
	stored->object.length = (int64_t)cr.complete;
	head.store_id = f->stored ? f->stored->id : 0;
	publish_and_go(f, &stored->object, &head);
}

/* A new index makes the objects of its profile look again. */
static void index_came(const struct fetch *f, enum flight_verdict verdict,
		       const struct object *index)
{
	const struct profile_class *class = f->policy.class;

	if (verdict == FLIGHT_STORE && f->profile && class && class->kind == PROFILE_INDEX &&
	    index->status == 200)
		(void)generation_index(f->worker->proxy->generations, f->worker->reader,
				       profile_name(f->profile), index, *worker_now(f->worker));
}

/* Is this a new index in the place of a stored one, which devices are to get until its objects are here? */
static bool index_waits(struct fetch *f, enum flight_verdict verdict, const struct object *index)
{
	const struct profile_class *class = f->policy.class;

	return verdict == FLIGHT_STORE && f->stored && f->profile && class &&
	       class->kind == PROFILE_INDEX && index->status == 200 && profile_ahead(f->profile) &&
	       f->config->settings.sync.enabled &&
	       generation_hold(f->worker->proxy->generations, f->worker->reader,
			       profile_name(f->profile), index, *worker_now(f->worker));
}

/* Where requests without a condition look for it. In scratch.plain. */
static int plain_key(struct fetch *f, struct cache_key *ret_key)
{
	if (f->key.n > sizeof(scratch.plain))
		return -ENOSPC;
	memcpy(scratch.plain, f->key.p, f->key.n);
	*ret_key = key_of(span_make(scratch.plain, f->key.n));
	return f->vary.n ? policy_vary_key(f->vary, f->request, scratch.plain,
					   sizeof(scratch.plain), ret_key)
			 : 0;
}

static void whole_head(struct fetch *f, struct policy_stored *stored)
{
	struct flight_head head = { .extra = stored->private_fields };
	struct cache_key key;

	choose_verdict(f, stored, &head);
	if (choose_key(f, stored, &stored->object) < 0)
		head.verdict = FLIGHT_LEADER;
	if (head.verdict == FLIGHT_STORE &&
	    !(f->policy.class && f->policy.class->kind == PROFILE_INDEX))
		drop_part(f, &stored->object);
	if ((f->cond == POLICY_COND_DEVICE || f->as_asked) && head.verdict == FLIGHT_STORE &&
	    plain_key(f, &key) == 0)
		head.key = &key;
	stored->object.status = f->response->status;
	stored->object.length = framed_length(f);
	if (!f->ahead && index_waits(f, head.verdict, &stored->object)) {
		fetch_finish(f, -EREMOTEIO);
		return;
	}
	if (!f->ahead)
		index_came(f, head.verdict, &stored->object);
	f->has_range = false;
	publish_and_go(f, &stored->object, &head);
}

static void refreshed_head(struct fetch *f, struct object *object)
{
	struct flight_head head = { .verdict = FLIGHT_REFRESHED,
				    .store_id = f->stored->id,
				    .unstored = f->unstored };

	object->id = f->stored->id;
	object->key = f->stored->key;
	object->generation = f->generation;
	publish_and_go(f, object, &head);
}

/* A 304 to our conditions: true if that was all it is. */
static bool not_modified(struct fetch *f, const struct policy_times *times,
			 const struct policy_env *env)
{
	static const struct policy_stored none;
	struct fetch_scratch room = { scratch.fields, sizeof(scratch.fields) };
	struct object whole;
	struct span bytes;

	if (f->response->status != 304 || f->cond != POLICY_COND_OURS)
		return false;
	if (!policy_vary_within(f->response, f->vary)) {
		ask_whole(f); /* valid, but not for all that would find it where it is */
		return true;
	}
	if (fetch_variant_named(f, times, env, room, &whole, &bytes) &&
	    choose_key(f, &none, &whole) == 0) {
		stored_and_go(f, &whole, bytes);
		return true;
	}
	if (!f->stored)
		ask_whole(f);
	return !f->stored;
}

/* An answer to a validation: true if that was all it is. */
static bool validated(struct fetch *f, const struct policy_times *times,
		      const struct policy_env *env)
{
	enum policy_outcome outcome;
	struct object object;

	if (not_modified(f, times, env))
		return true;
	if (!f->stored)
		return false;
	if (policy_validated(&f->policy, f->stored, f->response, times, env, scratch.fields,
			     sizeof(scratch.fields), &outcome, &object, NULL) < 0) {
		fetch_bad_response(f, "head_too_large");
		return true;
	}
	switch (outcome) {
	case POLICY_OUTCOME_UPDATED:
		refreshed_head(f, &object);
		return true;
	case POLICY_OUTCOME_AGAIN:
		ask_whole(f);
		return true;
	case POLICY_OUTCOME_STALE:
		/* Each reader decides for itself, with what it has. */
		fetch_finish(f, -EREMOTEIO);
		return true;
	default:
		return false;
	}
}

static bool is_server_error(unsigned status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}

/* Is this more likely the parent's own than the vendor's word? */
static bool is_parents_error(const struct fetch *f)
{
	unsigned status = f->response->status;

	return fetch_at_parent(f) && (status == 403 || status == 407 || status == 508);
}

/* Who answered well where a parent did not shows that it was the parent's fault. */
static void judge_parents(struct fetch *f)
{
	struct parents *parents = f->worker->proxy->parents;
	const struct parked *parked = &f->parked;

	if (is_server_error(f->response->status) || is_parents_error(f))
		return;
	parents_good(parents, f->way.id);
	if (parked->there && parked->way.id)
		parents_failed(parents, parked->way.id,
			       parked->response->status == 407
				       ? "it wants a password"
				       : "it answered with an error where others did not",
			       false, worker_now(f->worker)->mono_ms);
}

static void cache_head(struct fetch *f)
{
	struct policy_env env = env_of(f);
	struct policy_times times = times_of(f);
	struct policy_stored stored;

	/* An error of one mirror's is not the vendor's. */
	if ((is_server_error(f->response->status) || is_parents_error(f)) && fetch_elsewhere(f))
		return;
	if (!f->prefix_n && validated(f, &times, &env))
		return;
	if (policy_response(&f->policy, f->response, &times, &env, scratch.fields,
			    sizeof(scratch.fields), &stored, NULL) < 0) {
		fetch_bad_response(f, "head_too_large");
		return;
	}
	if (f->response->status == 206 && f->as_asked)
		asked_part_head(f, &stored);
	else if (f->response->status == 206 && f->prefix_n)
		rest_head(f, &stored);
	else if (f->response->status == 206)
		part_head(f, &stored);
	else if (f->response->status == 416 && f->has_range)
		ask_whole(f);
	else
		whole_head(f, &stored);
}

/* ---- relayed ------------------------------------------------------------------------------------- */

/* Does it answer later GETs as well? Then it is stored for these. */
static bool post_head(struct fetch *f, const struct policy_times *times,
		      const struct policy_env *env)
{
	struct policy_origin origin = policy_origin(f->policy.secure ? SPAN("https") : SPAN("http"),
						    f->request, f->authority);
	struct flight_head head = { .verdict = FLIGHT_STORE };
	struct policy_stored stored;
	struct cache_key key;

	if (!f->key.n ||
	    !policy_post_response(&f->policy, f->request, &origin, f->target, f->response, times,
				  env, scratch.fields, sizeof(scratch.fields), &stored, NULL))
		return false;
	if (choose_key(f, &stored, &stored.object) < 0)
		return false;
	key = key_of(f->key);
	head.key = &key;
	head.extra = stored.private_fields;
	stored.object.status = f->response->status;
	stored.object.length = framed_length(f);
	publish_and_go(f, &stored.object, &head);
	return true;
}

static void relay_head(struct fetch *f)
{
	struct policy_env env = env_of(f);
	struct policy_times times = times_of(f);
	struct policy_stored stored;
	struct flight_head head = { .verdict = FLIGHT_LEADER };

	if (f->answered)
		f->answered(f->arg, f->response);
	if (post_head(f, &times, &env))
		return;
	if (policy_response(&f->policy, f->response, &times, &env, scratch.fields,
			    sizeof(scratch.fields), &stored, NULL) < 0) {
		/* Not tried again: it has had its effect, and was said to be there. */
		STAT_INC(STAT_UPSTREAM_BAD_RESPONSE);
		fetch_finish(f, -EBADMSG);
		return;
	}
	stored.object.status = f->response->status;
	stored.object.length = framed_length(f);
	publish_and_go(f, &stored.object, &head);
}

/* ---- resumed ------------------------------------------------------------------------------------- */

/* Does the rest begin where we are? Else how many bytes of it are known already (a 200)? */
static bool rest_fits(struct fetch *f, const struct policy_stored *rest)
{
	uint64_t at = flight_published(f->flight);
	struct content_range cr;

	if (!policy_same_version(f->object, &rest->object))
		return false;
	f->skip = 0;
	if (f->is_part)
		return f->response->status == 206 && content_range_of(f->response, &cr) == 0 &&
		       !cr.unsatisfied && cr.range.first == f->base + at &&
		       cr.range.last == f->base + (uint64_t)f->length - 1;
	if (f->response->status == 200) {
		f->skip = at;
		return f->length < 0 || framed_length(f) == f->length;
	}
	return f->response->status == 206 && content_range_of(f->response, &cr) == 0 &&
	       !cr.unsatisfied && cr.range.first == at &&
	       (f->length < 0 || cr.complete == (uint64_t)f->length) &&
	       (f->end == UINT64_MAX || cr.range.last + 1 == f->end);
}

static void resumed_head(struct fetch *f)
{
	struct policy_env env = env_of(f);
	struct policy_times times = times_of(f);
	struct policy_stored rest;

	if (policy_response(&f->policy, f->response, &times, &env, scratch.fields,
			    sizeof(scratch.fields), &rest, NULL) < 0 ||
	    !rest_fits(f, &rest)) {
		LOG(LOG_L_NOTICE, "fetch.other_version", "host=%s status=%u", f->at,
		    f->response->status);
		fetch_failed(f, -ESTALE);
		return;
	}
	STAT_INC(STAT_FLIGHT_RESUMED);
	body_begin(f);
}

/* ---- all of them --------------------------------------------------------------------------------- */

/* May the same be asked of another, now that this one has answered? */
static bool may_go_elsewhere(const struct fetch *f)
{
	return f->kind == FETCH_CACHE ||
	       (!f->body_begun && http_method_is_idempotent(f->request->method));
}

/* It says that it is not to be asked this; true: another is being asked. */
static bool refused_by_parent(struct fetch *f)
{
	unsigned status = f->response->status;
	bool loop = status == 508;

	return fetch_at_parent(f) && (loop || (status == 407 && f->kind == FETCH_RELAY)) &&
	       may_go_elsewhere(f) &&
	       fetch_other_way(f, loop ? "it leads back here" : "it wants a password", loop);
}

void fetch_head(struct fetch *f)
{
	int rc = http_framing(f->response, f->request->method, &f->framing);

	if (rc < 0 || f->framing.kind == FRAMING_TUNNEL) {
		fetch_bad_response(f, rc < 0 ? http_refusal_info(rc)->name : "upgrade");
		return;
	}
	if (refused_by_parent(f))
		return;
	judge_parents(f);
	if (f->headed)
		resumed_head(f);
	else if (f->kind == FETCH_RELAY)
		relay_head(f);
	else
		cache_head(f);
}

void fetch_parked_head(struct fetch *f)
{
	f->step = FETCH_HEAD;
	cache_head(f);
}
