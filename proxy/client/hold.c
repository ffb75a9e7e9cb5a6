/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations, as a device's request meets them (proxy/generation.h), for profiles that fetch ahead. Index and objects of
 * a generation belong together, so
 *
 *	- a changed index waits until its objects are here: until then the stored one is served, though it be stale;
 *	- an object that was confirmed for the generation now is good as long as that is the generation: the index
 *	  is what is asked about;
 *	- a device that began its update on the generation before gets what that had;
 *	- a generation that was carried here is served as it is while there is no way to the vendor, of any profile.
 *
 * What its origin says must be validated (no-cache, must-revalidate) is, whatever becomes of the generation.
 */
#include "cache/manifest.h"
#include "proxy/client/client_priv.h"

static struct generations *generations_of(const struct request *req)
{
	return req->conn->worker->proxy->generations;
}

static const char *profile_of(const struct request *req)
{
	return profile_name(req->profile);
}

static bool in_force(const struct request *req)
{
	if (!req->profile || !req->policy.class)
		return false;
	return (profile_ahead(req->profile) && request_settings(req)->sync.enabled) ||
	       generation_is_carried(generations_of(req), profile_of(req));
}

/* Of a device that is on the generation before, what that had is not asked about: it may be gone by now. */
static bool object_holds(const struct request *req, const struct object *object)
{
	uint64_t number = req->pinned ? req->pinned : request_generation(req);

	return req->policy.class->kind == PROFILE_OBJECT && object->generation >= number &&
	       number > 0 &&
	       (req->verdict.reason == WHY_STALE ||
		(req->pinned && req->verdict.reason == WHY_GENERATION));
}

static bool index_holds(const struct request *req)
{
	return req->policy.class->kind == PROFILE_INDEX &&
	       generation_is_held(generations_of(req), profile_of(req), request_now(req));
}

/* Nobody could be asked. */
static bool stands_alone(const struct request *req, const struct object *object)
{
	return object->generation >= request_generation(req) &&
	       generation_stands_alone(generations_of(req), profile_of(req));
}

bool hold_serves(struct request *req)
{
	const struct object *object = req->stored ? stored_object(req->stored) : NULL;
	bool beside;

	if (!object || !in_force(req))
		return false;
	beside = manifest_key_is_beside(object->key);
	if (!beside &&
	    (policy_fresh(object).flags & (FRESH_NO_CACHE | FRESH_MUST_REVALIDATE) ||
	     !(object_holds(req, object) || index_holds(req) || stands_alone(req, object))))
		return false;
	if (beside)
		STAT_INC(STAT_GENERATION_PINNED);
	req->verdict.use = POLICY_USE_HIT;
	req->verdict.fwd = CACHE_FWD_NONE;
	req->verdict.cond = POLICY_COND_NONE;
	req->detail = beside ? "previous-generation" : "generation";
	return true;
}

void hold_begin(struct request *req)
{
	uint8_t device[16];

	if (!in_force(req))
		return;
	addr_to_in6(&req->conn->device, device);
	req->pinned = generation_pinned(generations_of(req), profile_of(req), device,
					span_make(req->key, req->key_n),
					req->policy.class->kind == PROFILE_INDEX, request_now(req));
}

/*
 * After the plain key was looked up: if there is nothing under the previous one even now, then what was found before
 * is of the generation before, too.
 */
void hold_look(struct request *req)
{
	struct client *client = req->conn->worker->client;
	struct stored *stored;
	struct cache_key key;

	if (!req->pinned || !req->stored ||
	    manifest_key(stored_object(req->stored)->key, MANIFEST_PREVIOUS_KEY, client->text,
			 sizeof(client->text), &key) < 0 ||
	    store_lookup(req->conn->worker->reader, &key, &stored) < 0)
		return;
	/* Until a publication is committed, what stands there is of the generation before that. */
	if (stored_object(stored)->kind == OBJECT_RESPONSE &&
	    stored_object(stored)->generation >= req->pinned &&
	    object_complete(stored_object(stored))) {
		stored_free(&req->stored);
		req->stored = stored;
	} else {
		stored_free(
			&stored); /* what is missing could only be had from the generation now */
	}
}

void hold_serving(struct request *req)
{
	uint8_t device[16];

	if (!in_force(req) || req->policy.class->kind != PROFILE_INDEX)
		return;
	addr_to_in6(&req->conn->device, device);
	generation_served(generations_of(req), profile_of(req), device,
			  stored_object(req->stored)->generation);
}
