/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: spellings of one resource become one text, resources that may differ stay apart. What http brought, which
 * anybody on the way could have altered, never answers for https, unless the profile says that the schemes are one.
 */
#include "proxy/http/uri.h"
#include "proxy/policy/policy.h"

#define SECURE "+https" /* '+' is in no host's name and no group's */

struct span policy_place(const struct policy_target *t, char buf[POLICY_PLACE_MAX])
{
	bool usual = !t->port || t->port == (t->secure ? 443 : 80);
	bool apart = t->secure && !(usual && profile_schemes_same(t->profile));
	struct span place = span_of(t->group);

	if (!usual)
		place = span_numbered(place, t->port, buf, POLICY_PLACE_MAX);
	else
		CHECK_OK(span_copy(place, buf, POLICY_PLACE_MAX));
	if (apart)
		CHECK_OK(span_copy(SPAN(SECURE), buf + place.n, POLICY_PLACE_MAX - place.n));
	return span_make(buf, place.n + (apart ? SPAN(SECURE).n : 0));
}

struct span policy_place_group(struct span word, bool *ret_secure)
{
	struct span group = span_head(word, span_find(word, '+'));

	*ret_secure = group.n < word.n;
	/* An address of version 6 is a group without a port of its own. */
	if (group.n && group.p[0] == '@')
		group = span_head(group, span_find(group, ':'));
	return group;
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
	char group[POLICY_PLACE_MAX], path_buf[CONFIG_HTTP_LINE_MAX + 2],
		query_buf[CONFIG_HTTP_LINE_MAX];
	struct span path, query;
	int rc = path_write(t, path_buf, sizeof(path_buf), &path);

	if (rc == 0)
		rc = query_write(t, query_buf, sizeof(query_buf), &query);
	if (rc == 0)
		rc = key_build(span_of(profile_name(t->profile)), policy_place(t, group), path,
			       query, buf, size, ret_key);
	return rc == -EMSGSIZE ? -ENOSPC : rc;
}
