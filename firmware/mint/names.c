/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for name constraints. Lists are short (hundreds at most), so all is done by looking through them.
 */
#include "firmware/mint/names.h"

#include <stdlib.h>

/* Is `host` the name, or below it? */
static bool is_at_or_below(struct span host, struct span name)
{
	if (host.n == name.n)
		return span_ieq(host, name);
	return host.n > name.n && host.p[host.n - name.n - 1] == '.' &&
	       span_ieq(span_drop(host, host.n - name.n), name);
}

bool ca_names_cover(const struct ca_names *names, struct span host)
{
	for (size_t i = 0; i < names->n; i++)
		if (is_at_or_below(host, span_of(names->v[i])))
			return true;
	return false;
}

int ca_names_add(struct ca_names *names, struct span name)
{
	if (names->n == names->room) {
		size_t room = names->room ? names->room * 2 : 16;
		const char **v = realloc(names->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		names->v = v;
		names->room = room;
	}
	names->v[names->n] = span_dup(name);
	if (!names->v[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

void ca_names_free(struct ca_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free((void *)names->v[i]);
	free(names->v);
	*names = (struct ca_names){ 0 };
}

struct gathering {
	struct ca_names *into;
	const struct ca_names *permitted; /* for the excluded */
	int rc;
};

static void permit(const struct profile *profile, struct span host, void *arg)
{
	struct gathering *g = arg;
	struct addr addr;

	(void)profile;
	if (g->rc == 0 && addr_parse(host, 0, &addr) < 0 && !ca_names_cover(g->into, host))
		g->rc = ca_names_add(g->into, host);
}

/* Something permitted at or below it would be lost. */
static bool hurts(const struct ca_names *permitted, struct span never)
{
	for (size_t i = 0; i < permitted->n; i++)
		if (is_at_or_below(span_of(permitted->v[i]), never))
			return true;
	return false;
}

static void exclude(const struct profile *profile, struct span never, void *arg)
{
	struct gathering *g = arg;

	(void)profile;
	if (never.n && never.p[0] == '.')
		never = span_drop(never, 1);
	if (g->rc < 0 || span_find(never, '*') < never.n || hurts(g->permitted, never) ||
	    !ca_names_cover(g->permitted, never) || ca_names_cover(g->into, never))
		return;
	g->rc = ca_names_add(g->into, never);
}

int ca_names_of(const struct profiles *profiles, struct ca_names *ret_permitted,
		struct ca_names *ret_excluded)
{
	struct ca_names permitted = { 0 }, excluded = { 0 };
	struct gathering g = { .into = &permitted };

	/* Suffixes first: they stand for hosts. */
	profile_each_suffix(profiles, permit, &g);
	profile_each_exact_host(profiles, permit, &g);
	g.into = &excluded;
	g.permitted = &permitted;
	profile_each_never(profiles, exclude, &g);
	if (g.rc < 0) {
		ca_names_free(&permitted);
		ca_names_free(&excluded);
		return g.rc;
	}
	*ret_permitted = permitted;
	*ret_excluded = excluded;
	return 0;
}

static void miss(const struct profile *profile, struct span host, void *arg)
{
	struct gathering *g = arg;
	struct addr addr;

	(void)profile;
	if (g->rc == 0 && addr_parse(host, 0, &addr) < 0 && !ca_names_cover(g->permitted, host))
		g->rc = ca_names_add(g->into, host);
}

int ca_names_uncovered(const struct ca_names *permitted, const struct profiles *profiles,
		       struct ca_names *ret_uncovered)
{
	struct ca_names uncovered = { 0 };
	struct gathering g = { .into = &uncovered, .permitted = permitted };

	profile_each_suffix(profiles, miss, &g);
	profile_each_exact_host(profiles, miss, &g);
	if (g.rc < 0)
		ca_names_free(&uncovered);
	else
		*ret_uncovered = uncovered;
	return g.rc;
}
