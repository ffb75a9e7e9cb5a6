/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts that are stored by themselves, and when the rest of what is stored in part is fetched: rules that serving and
 * explaining (proxy/why) have in common.
 */
#include "proxy/policy/policy_priv.h"

struct span policy_block_value(struct span block, enum http_field_id id)
{
	struct span name, value;

	while (block_next(&block, &name, &value))
		if (span_ieq(name, http_field_name(id)))
			return value;
	return (struct span){ 0 };
}

bool policy_wants_part(const struct policy_req *req, const struct http_head *head,
		       struct range_specs *ret_specs)
{
	return req->ranged && !req->conditional && req->class->kind != PROFILE_INDEX &&
	       !http_has(head, HTTP_FIELD_IF_RANGE) && http_range_of(head, ret_specs) == 0 &&
	       ret_specs->n == 1;
}

bool policy_part_range(const struct object *part, struct content_range *ret)
{
	struct span value = policy_block_value(part->fields, HTTP_FIELD_CONTENT_RANGE);

	return value.n && http_content_range_parse(value, ret) == 0 && !ret->unsatisfied &&
	       ret->complete != RANGE_UNKNOWN &&
	       (uint64_t)part->length == ret->range.last - ret->range.first + 1;
}

bool policy_wants_rest(const struct policy_req *req, const struct http_head *head)
{
	return !http_has(head, HTTP_FIELD_RANGE) && !req->conditional && req->may_store &&
	       req->class->kind != PROFILE_INDEX;
}

bool policy_part_begins(const struct object *part, struct content_range *ret)
{
	return policy_strong(part) && policy_part_range(part, ret) && ret->range.first == 0 &&
	       part->length <= CONFIG_CHUNK_BYTES && ret->range.last + 1 < ret->complete &&
	       ret->complete <= INT64_MAX;
}

bool policy_part_has(const struct content_range *part, const struct range_specs *specs,
		     struct byte_range *ret)
{
	struct range_set set;

	if (http_range_resolve(specs, part->complete, &set) != RANGE_SATISFIABLE || set.n != 1 ||
	    set.range[0].first < part->range.first || set.range[0].last > part->range.last)
		return false;
	*ret = set.range[0];
	return true;
}

int policy_part_key(struct span key, size_t primary, char *buf, size_t size,
		    struct cache_key *ret_key)
{
	struct span word = POLICY_PART_KEY;

	if (key.n > size || word.n > size - key.n)
		return -ENOSPC;
	memmove(buf + primary + word.n, key.p + primary, key.n - primary);
	memmove(buf, key.p, primary);
	memcpy(buf + primary, word.p, word.n);
	*ret_key = key_of(span_make(buf, key.n + word.n));
	return 0;
}

static bool mostly_there(const struct object *object, struct policy_coming coming)
{
	uint32_t n = object_chunks(object), there = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = (uint64_t)i * CONFIG_CHUNK_BYTES;

		there += object_has_chunk(object, i) || (at >= coming.from && at < coming.to);
	}
	return there > n / 2;
}

bool policy_fills(const struct policy_req *req, const struct object *object,
		  const struct policy_answer *answer, struct policy_coming coming)
{
	return !object_complete(object) && object->length > 0 && req->may_store &&
	       answer->kind == POLICY_ANSWER_PARTIAL && policy_strong(object) &&
	       mostly_there(object, coming);
}
