/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who distrusts is looked up by address and vendor; of IPv6 by the upper half, for which a device speaks there. An entry that
 * was met by a device of the demand table is no other's.
 */
#include "proxy/sync/apart.h"

#define HASH_NONFATAL_OOM 1
#include <stdlib.h>
#include <uthash.h>

#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/sync/whom.h"
#include "proxy/tls/distrust.h"

#define BEGINNING_S 900 /* a device's first requests may be for objects */
#define PREFIX	    8	/* bytes of an IPv6 address */

struct doubt_key {
	uint8_t id[16];
	const struct profile *profile;
};

/* A device that does not take our certificate for some host of a vendor. */
struct doubt {
	UT_hash_handle hh;
	struct doubt_key key;
	char device[ADDR_TEXT_MAX];
	int64_t since_ms; /* the first of them */
	bool met;
};

struct apart {
	const struct config *config;
	int64_t now; /* seconds */
	struct doubt *doubts;
	bool failed;
};

const char *apart_name(enum apart_reason reason)
{
	static const char *const names[] = {
#define X(name, text, help) [APART_##name] = text,
		APART_REASONS(X)
#undef X
	};

	return names[reason];
}

const char *apart_help(enum apart_reason reason)
{
	static const char *const helps[] = {
#define X(name, text, help) [APART_##name] = help,
		APART_REASONS(X)
#undef X
	};

	return helps[reason];
}

static struct doubt *doubt_find(const struct apart *apart, const struct doubt_key *key)
{
	struct doubt *doubt;

	HASH_FIND(hh, apart->doubts, key, sizeof(*key), doubt);
	return doubt;
}

static void doubt_key_make(const uint8_t id[16], const struct profile *profile,
			   struct doubt_key *ret_key)
{
	*ret_key = (struct doubt_key){ .profile = profile };
	memcpy(ret_key->id, id, addr_in6_is_ip4(id) ? sizeof(ret_key->id) : PREFIX);
}

/* "192.0.2.1" or "2001:db8::/64". */
static bool device_id(const char *text, uint8_t ret_id[16])
{
	struct net net;

	if (net_parse(span_of(text), &net) < 0)
		return false;
	memcpy(ret_id, net.bytes, sizeof(net.bytes));
	return true;
}

static void doubt_add(const struct distrust_view *view, void *arg)
{
	struct apart *apart = arg;
	struct profile_match match;
	struct doubt_key key;
	struct doubt *doubt;
	uint8_t id[16];

	if (!profile_match_host(apart->config->profiles, span_of(view->host), &match) ||
	    !device_id(view->device, id))
		return;
	doubt_key_make(id, match.profile, &key);
	doubt = doubt_find(apart, &key);
	if (doubt) {
		if (view->since_ms < doubt->since_ms)
			doubt->since_ms = view->since_ms;
		return;
	}
	doubt = calloc(1, sizeof(*doubt));
	if (doubt) {
		doubt->key = key;
		doubt->since_ms = view->since_ms;
		memcpy(doubt->device, view->device, sizeof(doubt->device));
		HASH_ADD(hh, apart->doubts, key, sizeof(doubt->key), doubt);
	}
	if (!doubt || !doubt->hh.tbl) {
		free(doubt);
		apart->failed = true;
	}
}

int apart_new(struct worker *control, struct apart **ret_apart)
{
	struct apart *apart = calloc(1, sizeof(*apart));
	int64_t wall_ms = worker_now(control)->wall_ms;

	if (!apart)
		return -ENOMEM;
	apart->config = control->config;
	apart->now = wall_ms / 1000;
	if (control->config->settings.demand.devices == (int)DEMAND_DEVICES_ON &&
	    control->proxy->distrust)
		distrust_each(control->proxy->distrust, wall_ms, doubt_add, apart);
	if (apart->failed)
		apart_free(&apart);
	*ret_apart = apart;
	return apart ? 0 : -ENOMEM;
}

void apart_free(struct apart **apart)
{
	struct apart *a = *apart;

	*apart = NULL;
	while (a && a->doubts) {
		struct doubt *doubt = a->doubts;

		HASH_DELETE(hh, a->doubts, doubt);
		free(doubt);
	}
	free(a);
}

static struct doubt *doubt_of(const struct apart *apart, const struct demand_device *device,
			      const char *profile)
{
	struct doubt_key key;

	if (!device->named)
		return NULL;
	doubt_key_make(device->id, profiles_by_name(apart->config->profiles, span_of(profile)),
		       &key);
	return doubt_find(apart, &key);
}

static bool goes_straight(const struct apart *apart, const struct demand_device *device)
{
	const struct tarn_settings *s = &apart->config->settings;
	struct scope_who who;

	if (!device->named)
		return false;
	whom_known(device, &who);
	return !scope_takes(&s->scope.intercept, &s->scope.straight, &who, NULL);
}

enum apart_reason apart_of(struct apart *apart, const struct demand_device *device,
			   const struct demand_standing *standing)
{
	struct doubt *doubt = doubt_of(apart, device, standing->profile);

	if (doubt)
		doubt->met = true;
	if (goes_straight(apart, device))
		return APART_STRAIGHT;
	/* It has not come by HTTP since. */
	if (doubt && standing->last * 1000 < doubt->since_ms)
		return APART_HTTPS;
	if (!standing->updated && standing->errors < standing->requests &&
	    apart->now - device->first >= BEGINNING_S)
		return APART_NO_INDEX;
	return APART_NO;
}

int apart_each_other(const struct apart *apart, apart_other_f *f, void *arg)
{
	for (const struct doubt *doubt = apart->doubts; doubt; doubt = doubt->hh.next) {
		struct apart_other other = {
			.device = doubt->device,
			.profile = profile_name(doubt->key.profile),
			.since_ms = doubt->since_ms,
		};
		int rc;

		if (doubt->met)
			continue;
		memcpy(other.id, doubt->key.id, sizeof(other.id));
		rc = f(arg, &other);
		if (rc)
			return rc;
	}
	return 0;
}
