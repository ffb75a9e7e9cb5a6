/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variants of a URI that are stored already (RFC 9111 4.3.1): who wants one that is not there asks with the entity
 * tags of those that are. A 304 that names one of them selects it: its bytes are the answer, and are stored for this
 * request's selecting fields as well; what was stored is renewed. Only small ones are offered: their bytes are copied.
 *
 * Runs on the fetch's worker, whose reader has leased them.
 */
#include "firmware/base/stat.h"
#include "proxy/http/etag.h"
#include "proxy/upstream/fetch_priv.h"

void fetch_others_drop(struct fetch *f)
{
	while (f->others_n)
		stored_free(&f->others[--f->others_n]);
}

/* Does this 304 name that stored response? Then *ret_object is its new record. */
static bool is_named(struct fetch *f, const struct object *object, const struct policy_times *times,
		     const struct policy_env *env, struct fetch_scratch scratch,
		     struct object *ret_object)
{
	enum policy_outcome outcome;

	return http_has(f->response, HTTP_FIELD_ETAG) &&
	       policy_validated(&f->policy, object, f->response, times, env, scratch.p, scratch.n,
				&outcome, ret_object, NULL) == 0 &&
	       outcome == POLICY_OUTCOME_UPDATED;
}

static void renew(struct fetch *f, const struct object *old, const struct object *updated)
{
	struct object object = *updated;

	object.id = old->id;
	object.key = old->key;
	if (writer_update_object(f->worker->proxy->writer, &object, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}

bool fetch_variant_named(struct fetch *f, const struct policy_times *times,
			 const struct policy_env *env, struct fetch_scratch scratch,
			 struct object *ret_object, struct span *ret_bytes)
{
	for (unsigned i = 0; i < f->others_n; i++) {
		const struct object *other = stored_object(f->others[i]);
		struct span bytes;

		if (!is_named(f, other, times, env, scratch, ret_object))
			continue;
		bytes = stored_bytes(f->worker->reader, f->others[i]);
		if (!bytes.n)
			continue;
		renew(f, other, ret_object);
		ret_object->generation = f->generation;
		ret_object->flags &= ~(uint32_t)(OBJECT_COMPLETE | OBJECT_DIGEST);
		ret_object->body = (struct span){ 0 };
		*ret_bytes = bytes;
		STAT_INC(STAT_FLIGHT_SELECTED);
		return true;
	}
	return false;
}
