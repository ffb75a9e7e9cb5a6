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
	int rc = policy_part_key(primary, primary.n, client->text, sizeof(client->text), &key);

	/* Flights of all variants' parts are under the one key: the marker need not be there yet. */
	if (rc == 0 && request_see(req, &key))
		return -EINPROGRESS;
	if (rc == 0)
		rc = policy_part_key(request_flight_key(req).text, primary.n, client->text,
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

bool part_answers(struct request *req, const struct policy_env *env)
{
	struct stored *stored = NULL;
	const struct object *object;
	struct policy_verdict verdict;
	struct range_specs specs;
	struct content_range part;
	struct byte_range range;
	int rc;

	if (!policy_wants_part(&req->policy, &req->head, &specs))
		return false;
	rc = part_look(req, &stored);
	if (rc < 0 && rc != -EINPROGRESS)
		return false;
	object = rc == 0 ? stored_object(stored) : flight_object(&req->seat);
	policy_lookup(&req->policy, object, false, env, &verdict, NULL);
	if (verdict.use == POLICY_USE_HIT && policy_part_range(object, &part)) {
		if (policy_part_has(&part, &specs, &range)) {
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

	return !req->has_part && req->policy.may_store &&
	       policy_wants_part(&req->policy, &req->head, &specs) && is_small(&specs.spec[0]);
}

int part_begins(struct request *req)
{
	struct content_range part;
	int rc;

	if (!policy_wants_rest(&req->policy, &req->head))
		return -ENOENT;
	rc = part_look(req, &req->part);
	if (rc < 0)
		return rc;
	if (policy_part_begins(stored_object(req->part), &part))
		return 0;
	stored_free(&req->part);
	return -ENOENT;
}

void part_ask(struct request *req, struct object *whole, struct fetch_ask *ask)
{
	struct client *client = worker_of(req)->client;
	struct span prefix = stored_bytes(worker_of(req)->reader, req->part);
	struct content_range part;

	if (!prefix.n || !policy_part_range(stored_object(req->part), &part))
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
