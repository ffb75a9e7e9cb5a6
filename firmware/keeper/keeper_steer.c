/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/keeper/aim.h"
#include "firmware/keeper/keeper_priv.h"
#include "firmware/keeper/plane.h"
#include "firmware/keeper/selftest.h"
#include "firmware/steer/steer.h"

static uint64_t heard(int ifindex, void *arg)
{
	return steer_heard(arg, ifindex);
}

static int ports_attach(struct tarnd *k)
{
	static const enum steer_role roles[] = {
		[NET_UNKNOWN] = STEER_SCOUT,
		[NET_LAN] = STEER_LAN,
		[NET_WAN] = STEER_WAN,
	};
	const struct net_port *ports;
	size_t n;
	int rc = 0;

	ports = net_ports(k->net, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = steer_port(k->steer, ports[i].ifindex, roles[ports[i].role]);
		LOG(rc ? LOG_L_ERROR : LOG_L_NOTICE, "keeper.port", "name=%s role=%s error=%d",
		    ports[i].name, net_role_name(ports[i].role), rc);
	}
	return rc;
}

bool keeper_roles_update(struct tarnd *k)
{
	bool changed = net_roles_update(k->net, heard, k->steer);

	if (changed)
		(void)ports_attach(k);
	front_see(&k->front, k->net, k->steer);
	return changed;
}

/* 0: nothing; -EEXIST: steered connections come to nothing, `why` in words. */
static int silence_inspect(struct tarnd *k, char why[STEER_WHY_MAX])
{
	static const char *const texts[] = {
		[SILENCE_NONE] = "",
		[SILENCE_LOST] = "what is steered does not reach our stack: a firewall, a rule?",
		[SILENCE_UNHEARD] = "what we answer does not reach devices: a filter? an offload?",
	};
	uint64_t stats[TARN_STAT_COUNT] = { 0 };
	struct silence_counts counts;
	enum silence_kind kind;

	steer_stats(k->steer, stats);
	counts = (struct silence_counts){
		.steered = stats[TARN_STAT_SYN_STEERED],
		.arrived = stats[TARN_STAT_LOOKUP_ASSIGNED] + stats[TARN_STAT_LOOKUP_NONE],
		.sent = stats[TARN_STAT_OUT_SENT],
		.heard = stats[TARN_STAT_PKT_STEERED],
	};
	kind = silence_see(&k->silence, &counts, clock_read().mono_ms);
	if (kind == SILENCE_NONE)
		return 0;
	if (kind == SILENCE_UNHEARD && k->offload[0])
		snprintf(why, STEER_WHY_MAX, "our answer does not reach devices: %s?", k->offload);
	else
		snprintf(why, STEER_WHY_MAX, "%s", texts[kind]);
	return -EEXIST;
}

void keeper_offload_inspect(struct tarnd *k)
{
	char now[NET_OFFLOAD_MAX] = "";

	(void)net_offload(k->net, now);
	if (now[0] && strcmp(now, k->offload) != 0)
		LOG(LOG_L_WARN, "keeper.offload", "what=%s", LOG_QUOTE(span_of(now)));
	memcpy(k->offload, now, sizeof(now));
}

void keeper_way_inspect(struct tarnd *k)
{
	char why[STEER_WHY_MAX] = "";
	int rc = steer_check(k->steer, why);

	if (rc == -ENOENT) {
		LOG(LOG_L_WARN, "keeper.way", "mended=%s", LOG_QUOTE(span_of(why)));
		rc = steer_icpt(k->steer);
		rc = rc ? rc : ports_attach(k);
		rc = rc ? rc : steer_check(k->steer, why);
		if (rc == -EBUSY)
			snprintf(why + strcspn(why, ":"), sizeof(why) - strcspn(why, ":"), "%s",
				 ": our program is gone, its place is taken");
	}
	if (!rc && k->scope_error) {
		aim_scope_error(k->scope_error, why, sizeof(why));
		rc = -EEXIST;
	}
	rc = rc ? rc : silence_inspect(k, why);
	if (rc == -EEXIST && !k->broken[0])
		selftest_run(k->selftest, 0);
	if (!rc && selftest_broken(k->selftest)) {
		snprintf(why, sizeof(why), "%s", selftest_broken(k->selftest));
		rc = -EEXIST;
	}
	heritage_reason(k->broken, rc ? why : "");
}

static void vendor_seen(const struct tarn_seen *seen, void *arg)
{
	union heritage_message m = { .vendor =
					     HERITAGE_INIT(HERITAGE_VENDOR_SEEN, heritage_vendor) };
	struct tarnd *k = arg;

	memcpy(m.vendor.addr, seen->addr.b, sizeof(m.vendor.addr));
	m.vendor.ttl = seen->ttl < HERITAGE_TTL_MAX ? seen->ttl : HERITAGE_TTL_MAX;
	plane_tell(k->plane, &m);
}

int keeper_steer_begin(struct tarnd *k)
{
	const struct tarn_settings *s = &k->config.settings;
	const struct net_link *icpt = net_icpt(k->net);
	struct steer_options o = {
		.icpt_ifindex = icpt->ifindex,
		.mark = NET_MARK,
		.stale_ms = HERITAGE_STALE_MS,
		.vendor_max = (uint32_t)s->keeper.vendor_max,
		.quic_drop = s->steer.quic == TARN_QUIC_DROP,
		.dns_any = s->steer.mode == TARN_STEER_GATEWAY,
		.private_ok = s->steer.allow_private_vendor,
		.hostnames = tarn_conf_hears_dhcp(s),
	};
	const struct net_port *ports;
	int ifindexes[NET_PORTS_MAX], rc;
	char why[STEER_WHY_MAX];
	size_t n;

	memcpy(o.icpt_mac, icpt->mac, sizeof(o.icpt_mac));
	ports = net_ports(k->net, &n);
	for (size_t i = 0; i < n; i++)
		ifindexes[i] = ports[i].ifindex;
	rc = steer_open(&o, ifindexes, (unsigned)n, vendor_seen, k, &k->steer, why);
	if (rc) {
		heritage_reason(k->why_no_steering, why);
		LOG(LOG_L_ERROR, "keeper.steer", "error=%s", LOG_QUOTE(span_of(why)));
		return rc;
	}
	/* Our own death ends interception, too: the data plane will only finish what it has. */
	if (steer_doom_watch(k->steer, getpid()))
		LOG(LOG_L_NOTICE, "keeper.doom", "note=%s",
		    "\"no tracing in this kernel: some ms at a sudden death are not covered\"");
	k->scope_error = aim_scope(k->steer, s);
	(void)net_roles_update(k->net, heard, k->steer);
	front_set(&k->front, s);
	front_see(&k->front, k->net, k->steer);
	keeper_offload_inspect(k);
	rc = aim_names(k->steer, k->config.profiles, &k->names_refused);
	if (!rc)
		rc = ports_attach(k);
	if (rc) {
		snprintf(why, sizeof(why), "attaching the programs: %s", strerror(-rc));
		heritage_reason(k->why_no_steering, why);
		steer_close(&k->steer);
	}
	return rc;
}

void keeper_steer_reload(struct tarnd *k, const struct tarn_settings *s)
{
	steer_quic(k->steer, s->steer.quic == TARN_QUIC_DROP);
	steer_hostnames(k->steer, tarn_conf_hears_dhcp(s));
	front_set(&k->front, s);
	front_see(&k->front, k->net, k->steer);
	k->scope_error = aim_scope(k->steer, s);
	if (aim_names(k->steer, k->config.profiles, &k->names_refused))
		LOG(LOG_L_ERROR, "keeper.names", "error=map");
}
