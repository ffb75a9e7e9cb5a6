/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA that is there is never replaced, also when the profiles have come to name other hosts: devices were told to
 * trust it as it is. What it can't speak for is said, here and by `tarnctl ca show`.
 */
#include "firmware/keeper/authority.h"

#include <stdlib.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/mint/ca.h"
#include "firmware/mint/mint.h"

#define RETRY_S 60

_Static_assert(HERITAGE_POINT == MINT_POINT && HERITAGE_MODULUS == MINT_MODULUS &&
		       HERITAGE_HOST >= PROFILE_HOST_MAX,
	       "the same");

struct authority {
	const char *dir; /* borrowed */
	struct mint *mint;
	bool missing;
	int64_t tried_s;
};

struct uncovered {
	const struct ca_names *names;
	unsigned n;
};

static void uncovered_count(const struct profile *profile, struct span host, void *arg)
{
	struct uncovered *u = arg;
	struct addr addr;

	(void)profile;
	u->n += addr_parse(host, 0, &addr) < 0 && !ca_names_cover(u->names, host);
}

static void coverage_say(const char *dir, const struct profiles *profiles)
{
	struct ca_names names = { 0 };
	struct uncovered u = { .names = &names };
	X509 *certificate;

	if (ca_certificate(dir, &certificate) < 0)
		return;
	if (ca_permitted(certificate, &names) == 0) {
		profile_each_suffix(profiles, uncovered_count, &u);
		profile_each_exact_host(profiles, uncovered_count, &u);
		if (u.n)
			LOG(LOG_L_WARN, "ca.uncovered",
			    "hosts=%u note=\"the profiles name hosts that the CA may not speak "
			    "for; tarnctl ca show\"",
			    u.n);
	}
	ca_names_free(&names);
	X509_free(certificate);
}

int authority_new(const char *dir, struct authority **ret_authority)
{
	struct authority *a = calloc(1, sizeof(*a));
	int rc = a ? mint_new(dir, &a->mint) : -ENOMEM;

	if (rc < 0) {
		free(a);
		return rc;
	}
	a->dir = dir;
	*ret_authority = a;
	return 0;
}

void authority_free(struct authority **authority)
{
	if (!*authority)
		return;
	mint_free(&(*authority)->mint);
	free(*authority);
	*authority = NULL;
}

void authority_see_to(struct authority *a, const struct profiles *profiles, int64_t wall_s)
{
	const char *dir = a->dir;
	bool made = false;
	int rc = ca_ensure(dir, profiles, wall_s, &made);

	a->missing = rc < 0;
	a->tried_s = wall_s;
	if (rc == -ENOENT)
		LOG(LOG_L_INFO, "ca.none", "why=\"no profile names a host\"");
	else if (rc == -EAGAIN)
		LOG(LOG_L_WARN, "ca.none", "why=\"the clock is not set\"");
	else if (rc < 0)
		LOG(LOG_L_WARN, "ca.failed", "dir=%s error=%s", LOG_QUOTE(span_of(dir)),
		    strerrorname_np(-rc));
	else if (made)
		LOG(LOG_L_NOTICE, "ca.made", "dir=%s", LOG_QUOTE(span_of(dir)));
	else
		coverage_say(dir, profiles);
}

void authority_watch(struct authority *a, const struct profiles *profiles, int64_t wall_s)
{
	/* A clock that jumps is what it may be waiting for. */
	if (a->missing && (wall_s >= a->tried_s + RETRY_S || wall_s < a->tried_s))
		authority_see_to(a, profiles, wall_s);
}

void authority_mint(struct authority *a, const struct profiles *profiles,
		    const struct heritage_mint *ask, struct heritage_minted *ret_answer)
{
	struct mint_ask what = { span_of(ask->host),
				 ask->rsa ? span_make(ask->modulus, sizeof(ask->modulus))
					  : span_make(ask->point, sizeof(ask->point)) };
	size_t n = 0;
	int rc;

	*ret_answer = (struct heritage_minted)HERITAGE_INIT(HERITAGE_MINTED, heritage_minted);
	ret_answer->ticket = ask->ticket;
	rc = mint_leaf(a->mint, profiles, &what, clock_read(), ret_answer->leaf,
		       sizeof(ret_answer->leaf), &n);
	ret_answer->error = (uint32_t)-rc;
	ret_answer->n = (uint32_t)n;
	if (rc < 0)
		LOG(LOG_L_NOTICE, "ca.refused", "host=%s error=%s", LOG_QUOTE(what.host),
		    strerrorname_np(-rc));
	else
		LOG(LOG_L_INFO, "ca.issued", "host=%s", LOG_QUOTE(what.host));
}

json_t *authority_json(const struct authority *a)
{
	json_t *all = json_object();

	for (unsigned i = 0; all && i < MINT_OUTCOMES_N; i++)
		(void)json_object_set_new(all, mint_outcome_name(i),
					  json_integer((json_int_t)mint_count(a->mint, i)));
	return all;
}
