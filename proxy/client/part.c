/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts that are stored by themselves (RFC 9111 3.3, 3.4): a device wants a few bytes of what nobody has, so just
 * these are asked for, as it asked, and kept as a record of their own beside the object's key, with their
 * Content-Range. They answer requests for what lies inside of them. A part from the first byte on, with a strong
 * validator, is completed by a fetch of the rest when the whole is wanted. Whoever wants another part gets the
 * object the usual way, in chunks, from then on.
 *
 * To flights and the store such a part is a whole thing of its own: no hole, nothing to fill.
 */
#include "proxy/client/client_priv.h"

/* Not more than this near the beginning is asked for by itself: more is worth its chunk. */
#define PART_MAX CONFIG_CHUNK_BYTES

static struct worker *worker_of(const struct request *req)
{
	return req->conn->worker;
}

/* One range, and no condition that would need the whole to be judged. */
static bool wants_part(const struct request *req, struct range_specs *ret_specs)
{
	return req->policy.ranged && !req->policy.conditional &&
	       req->policy.class->kind != PROFILE_INDEX &&
	       !http_has(&req->head, HTTP_FIELD_IF_RANGE) &&
	       http_range_of(&req->head, ret_specs) == 0 && ret_specs->n == 1;
}

static bool is_small(const struct range_spec *spec)
{
	if (spec->suffix)
		return true; /* where that begins is not known */
	return spec->first < FLIGHT_LIMITS_DEFAULT.reach && spec->last != RANGE_UNKNOWN &&
	       spec->last >= spec->first && spec->last - spec->first < PART_MAX;
}

/* Are its bytes there, and not damaged? What is damaged is dropped, and asked for again. */
static bool is_sound(const struct request *req, struct stored *stored)
{
	const struct object *object = stored_object(stored);

	return object->body.n || (object_complete(object) && object->length > 0 &&
				  stored_sound(worker_of(req)->reader, stored, 0) == 0);
}

/* As request_look_all(): 0, -EINPROGRESS with the seat taken, or -errno. */
static int part_look(struct request *req, struct stored **ret_stored)
{
	struct client *client = worker_of(req)->client;
	struct span primary = span_make(req->key, req->key_n);
	struct cache_key key;
	int rc = fetch_part_key(primary, primary.n, client->text, sizeof(client->text), &key);

	/* Flights of all variants' parts are under the one key: the marker need not be there yet. */
	if (rc == 0 && request_see(req, &key))
		return -EINPROGRESS;
	if (rc == 0)
		rc = fetch_part_key(request_flight_key(req).text, primary.n, client->text,
				    sizeof(client->text), &key);
	if (rc < 0)
		return rc;
	rc = store_lookup(worker_of(req)->reader, &key, ret_stored);
	/* Older than an invalidation of all variants? */
	if (rc == 0 &&
	    (stored_object(*ret_stored)->id < req->marker || !is_sound(req, *ret_stored))) {
		stored_free(ret_stored);
		rc = -ENOENT;
	}
	return rc;
}

/* Which bytes they are. */
static bool part_range(const struct object *object, struct content_range *ret)
{
	struct span value = respond_block_value(object->fields, HTTP_FIELD_CONTENT_RANGE);

	return value.n && http_content_range_parse(value, ret) == 0 && !ret->unsatisfied &&
	       ret->complete != RANGE_UNKNOWN &&
	       (uint64_t)object->length == ret->range.last - ret->range.first + 1;
}

static bool is_inside(const struct range_specs *specs, const struct content_range *part,
		      struct byte_range *ret)
{
	struct range_set set;

	if (http_range_resolve(specs, part->complete, &set) != RANGE_SATISFIABLE || set.n != 1 ||
	    set.range[0].first < part->range.first || set.range[0].last > part->range.last)
		return false;
	*ret = set.range[0];
	return true;
}

bool part_answers(struct request *req, const struct policy_env *env)
{
	struct stored *stored = NULL;
	const struct object *object;
	struct policy_verdict verdict;
	struct range_specs specs;
	struct content_range part;
	struct byte_range range;
	int rc;

	if (!wants_part(req, &specs))
		return false;
	rc = part_look(req, &stored);
	if (rc < 0 && rc != -EINPROGRESS)
		return false;
	object = rc == 0 ? stored_object(stored) : flight_object(&req->seat);
	policy_lookup(&req->policy, object, false, env, &verdict, NULL);
	if (verdict.use == POLICY_USE_HIT && part_range(object, &part)) {
		if (is_inside(&specs, &part, &range)) {
			req->verdict = verdict;
			req->stored = stored;
			respond_part(req, object, &range, &part);
			return true;
		}
		req->has_part = true;
	}
	cached_leave(req);
	stored_free(&stored);
	return false;
}

bool part_alone(struct request *req)
{
	struct range_specs specs;

	return !req->has_part && req->policy.may_store && wants_part(req, &specs) &&
	       is_small(&specs.spec[0]);
}

int part_begins(struct request *req)
{
	struct content_range part;
	const struct object *object;
	int rc;

	if (http_has(&req->head, HTTP_FIELD_RANGE) || req->policy.conditional ||
	    !req->policy.may_store || req->policy.class->kind == PROFILE_INDEX)
		return -ENOENT;
	rc = part_look(req, &req->part);
	if (rc < 0)
		return rc;
	object = stored_object(req->part);
	if (policy_strong(object) && part_range(object, &part) && part.range.first == 0 &&
	    object->length <= CONFIG_CHUNK_BYTES && part.range.last + 1 < part.complete &&
	    part.complete <= INT64_MAX)
		return 0;
	stored_free(&req->part);
	return -ENOENT;
}

/* Its bytes: inside the record, or one chunk. */
static struct span part_bytes(const struct request *req)
{
	const struct object *object = stored_object(req->part);
	struct store_place place;

	if (object->body.n)
		return object->body;
	if (stored_chunk(worker_of(req)->reader, req->part, 0, &place) < 0 ||
	    place.bytes.n != (size_t)object->length)
		return (struct span){ 0 };
	return place.bytes;
}

void part_ask(struct request *req, struct object *whole, struct fetch_ask *ask)
{
	struct client *client = worker_of(req)->client;
	struct span prefix = part_bytes(req);
	struct content_range part;

	if (!prefix.n || !part_range(stored_object(req->part), &part))
		return;
	*whole = *stored_object(req->part);
	whole->status = 200;
	whole->length = (int64_t)part.complete;
	whole->fields = respond_block_without(whole->fields, HTTP_FIELD_CONTENT_RANGE,
					      client->scratch, sizeof(client->scratch));
	whole->body = (struct span){ 0 };
	whole->flags &= ~(uint32_t)(OBJECT_COMPLETE | OBJECT_DIGEST);
	ask->cond = POLICY_COND_NONE;
	ask->stored = whole;
	ask->prefix = prefix;
	ask->has_range = true;
	ask->range = (struct byte_range){ prefix.n, RANGE_UNKNOWN };
	req->verdict.fwd = CACHE_FWD_PARTIAL;
}
