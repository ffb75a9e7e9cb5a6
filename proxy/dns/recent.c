/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dns/recent.h"

#include <stdlib.h>
#include <string.h>

#include "firmware/base/profile.h"
#include "proxy/loop.h"

struct told {
	uint64_t until_ms;
	unsigned turn;
	size_t n;
	struct addr addrs[RESOLVE_ADDRS_MAX];
	char host[PROFILE_HOST_MAX];
};

struct recent {
	unsigned next; /* whose place is taken */
	struct told names[RECENT_NAMES];
};

int recent_new(struct worker *worker)
{
	worker->recent = calloc(1, sizeof(*worker->recent));
	return worker->recent ? 0 : -ENOMEM;
}

void recent_free(struct worker *worker)
{
	free(worker->recent);
	worker->recent = NULL;
}

static struct told *told_of(struct recent *recent, const char *host)
{
	for (size_t i = 0; i < RECENT_NAMES; i++)
		if (recent->names[i].n && strcmp(recent->names[i].host, host) == 0)
			return &recent->names[i];
	return NULL;
}

void recent_told(struct recent *recent, const char *host, const struct addr *addrs, size_t n,
		 uint64_t now_ms, uint64_t left_ms)
{
	struct told *told = told_of(recent, host);

	CHECK(n && n <= RESOLVE_ADDRS_MAX && strlen(host) < PROFILE_HOST_MAX);
	if (!told)
		told = &recent->names[recent->next++ % RECENT_NAMES];
	strcpy(told->host, host);
	memcpy(told->addrs, addrs, n * sizeof(*addrs));
	told->n = n;
	told->until_ms = now_ms + (left_ms < RECENT_MS ? left_ms : RECENT_MS);
}

size_t recent_find(struct recent *recent, const char *host, uint64_t now_ms,
		   struct addr ret_addrs[RESOLVE_ADDRS_MAX], unsigned *ret_turn)
{
	struct told *told = told_of(recent, host);

	if (!told || told->until_ms <= now_ms)
		return 0;
	memcpy(ret_addrs, told->addrs, told->n * sizeof(*ret_addrs));
	*ret_turn = ++told->turn;
	return told->n;
}
