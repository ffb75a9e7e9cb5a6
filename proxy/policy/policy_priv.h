/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms of policy share among themselves. */
#ifndef TARN_POLICY_POLICY_PRIV_H
#define TARN_POLICY_POLICY_PRIV_H

#include "proxy/policy/policy.h"

#define POLICY_FRESH_MASK                                                                          \
	(FRESH_NO_CACHE | FRESH_MUST_REVALIDATE | FRESH_IMMUTABLE | FRESH_HEURISTIC | FRESH_FORCED)
_Static_assert((POLICY_FRESH_MASK & ~0xff) == 0, "fresh_flag and policy_flag overlap");

/* RFC 9110 8.8.2.2: a second Last-Modified in the same minute would have been possible, or not. */
static inline bool last_modified_is_strong(int64_t last_modified, int64_t date)
{
	return last_modified <= date - 60;
}

/* Cacheable by definition: without explicit freshness (RFC 9110 15.1). */
bool status_is_heuristic(unsigned status);

/*
 * What directives and Authorization say against storing this response, or one that it updates (RFC 9111 3, 3.5, 5.2.2);
 * WHY_NONE: nothing.
 */
enum policy_reason response_forbids(const struct policy_req *req, const struct http_head *resp);

/*
 * The first line of a stored block "Name: value\r\n"..., taken off its front: false at the end.
 */
bool block_next(struct span *block, struct span *ret_name, struct span *ret_value);

enum record_for {
	RECORD_PASSED, /* as a proxy passes it on */
	RECORD_STORED, /* what no-cache="..." and private="..." name goes to private_fields; no Content-Range of a 206 */
	RECORD_PART, /* the same for a part that is stored by itself: with its Content-Range */
};

/* The record of a response: fields and numbers, into buf. 0 or -EMSGSIZE. */
MUST_USE int record_build(const struct http_head *resp, const struct profile_class *class,
			  const struct policy_times *times, const struct policy_env *env,
			  enum record_for use, char *buf, size_t cap, struct policy_stored *ret,
			  struct policy_trace *trace);

#endif
