/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/keeper/aim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/abi.h"
#include "firmware/base/log.h"
#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/steer/steer.h"

struct feed {
	struct steer *steer;
	unsigned refused;
};

static void name_put(struct feed *feed, struct span name, bool suffix, bool never)
{
	/* A pattern can't be a key of the trie; the proxy recognises such hosts by their name. */
	if (memchr(name.p, '*', name.n))
		return;
	if (steer_name_add(feed->steer, name.p, name.n, suffix, never)) {
		feed->refused++;
		LOG(LOG_L_WARN, "keeper.name", "refused=%s", LOG_QUOTE(name));
	}
}

static void name_exact(const struct profile *profile, struct span host, void *arg)
{
	(void)profile;
	name_put(arg, host, false, false);
}

static void name_suffix(const struct profile *profile, struct span host, void *arg)
{
	(void)profile;
	name_put(arg, host, true, false);
}

static void name_never(const struct profile *profile, struct span host, void *arg)
{
	(void)profile;
	name_put(arg, host, host.n && host.p[0] == '.', true);
}

/* "never" comes last, so that it wins over the same name. */
int aim_names(struct steer *steer, const struct profiles *profiles, unsigned *ret_refused)
{
	struct feed feed = { .steer = steer };

	steer_names_begin(steer);
	profile_each_exact_host(profiles, name_exact, &feed);
	profile_each_suffix(profiles, name_suffix, &feed);
	profile_each_never(profiles, name_never, &feed);
	*ret_refused = feed.refused;
	return steer_names_end(steer);
}

int aim_scope(struct steer *steer, const struct tarn_settings *settings)
{
	int rc = steer_scope(steer, &settings->scope.intercept, &settings->scope.straight);

	if (rc)
		LOG(LOG_L_ERROR, "keeper.scope", "error=%s", LOG_QUOTE(span_of(strerror(-rc))));
	return rc;
}

void aim_scope_error(int rc, char *why, size_t size)
{
	if (rc == -E2BIG || rc == -ENOSPC)
		(void)snprintf(why, size,
			       "[scope] can't be put in force: more than %u subnets, or MAC "
			       "addresses and VLANs",
			       TARN_SCOPE_MAX);
	else
		(void)snprintf(why, size, "[scope] can't be put in force: %s", strerror(-rc));
}
