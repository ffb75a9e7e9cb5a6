/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: spellings of one resource become one text, resources that may differ stay apart. The scheme
 * is no part of a key: a vendor's content is the same by both, and only HTTP is cached for now.
 */
#include <stdio.h>

#include "proxy/http/uri.h"
#include "proxy/policy/policy.h"

/* The group, and the port behind it if it is not the default. */
static struct span place(const struct policy_target *t, char buf[PROFILE_GROUP_MAX + 8])
{
	int n;

	if (t->port && t->port != 80)
		n = snprintf(buf, PROFILE_GROUP_MAX + 8, "%s:%u", t->group, t->port);
	else
		n = snprintf(buf, PROFILE_GROUP_MAX + 8, "%s", t->group);
	CHECK(n >= 0 && n < PROFILE_GROUP_MAX + 8);
	return span_make(buf, (size_t)n);
}

/* The path; with a '?' behind it if there is one and nothing else: "/a?" is not "/a" (RFC 3986 6.2.3). */
static int path_write(const struct policy_target *t, char *buf, size_t size, struct span *ret_path)
{
	size_t n;
	int rc = uri_path_normalise(t->path, buf, size, &n);

	if (rc < 0)
		return rc;
	if (t->has_query && t->query.n == 0) {
		if (n == size)
			return -ENOSPC;
		buf[n++] = '?';
	}
	*ret_path = span_make(buf, n);
	return 0;
}

static int query_write(const struct policy_target *t, char *buf, size_t size,
		       struct span *ret_query)
{
	char whole[CONFIG_HTTP_LINE_MAX];
	size_t n;
	int rc = uri_query_normalise(t->query, whole, sizeof(whole), &n);

	if (rc == 0)
		rc = profile_query_normalise(t->profile, span_make(whole, n), buf, size, &n);
	if (rc < 0)
		return rc;
	*ret_query = span_make(buf, n);
	return 0;
}

int policy_key(const struct policy_target *t, char *buf, size_t size, struct cache_key *ret_key)
{
	char group[PROFILE_GROUP_MAX + 8], path_buf[CONFIG_HTTP_LINE_MAX + 2],
		query_buf[CONFIG_HTTP_LINE_MAX];
	struct span path, query;
	int rc = path_write(t, path_buf, sizeof(path_buf), &path);

	if (rc == 0)
		rc = query_write(t, query_buf, sizeof(query_buf), &query);
	if (rc == 0)
		rc = key_build(span_of(profile_name(t->profile)), place(t, group), path, query, buf,
			       size, ret_key);
	return rc == -EMSGSIZE ? -ENOSPC : rc;
}
