/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA that is there is never replaced, also when the profiles have come to name other hosts: devices were told to
 * trust it as it is. What it can't speak for is said, here and by `tarnctl ca show`.
 */
#include "firmware/keeper/authority.h"

#include "firmware/base/log.h"
#include "firmware/mint/ca.h"

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

void authority_see_to(const char *dir, const struct profiles *profiles, int64_t wall_s)
{
	bool made = false;
	int rc = ca_ensure(dir, profiles, wall_s, &made);

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
