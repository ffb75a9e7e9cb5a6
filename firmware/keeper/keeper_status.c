/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/base/clock.h"
#include "firmware/keeper/authority.h"
#include "firmware/keeper/channel.h"
#include "firmware/keeper/keeper_priv.h"
#include "firmware/keeper/plane.h"
#include "firmware/keeper/selftest.h"
#include "firmware/steer/steer.h"

static json_t *status_ports(const struct tarnd *k)
{
	json_t *all = json_array();
	const struct net_port *ports;
	size_t n = 0;

	ports = k->net ? net_ports(k->net, &n) : NULL;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s:s, s:s, s:b}", "name", ports[i].name,
						     "role", net_role_name(ports[i].role),
						     "hardware", ports[i].hardware));
	return all;
}

static json_t *status_counters(const struct tarnd *k)
{
	uint64_t stats[TARN_STAT_COUNT] = { 0 };
	json_t *all = json_object();

	if (k->steer)
		steer_stats(k->steer, stats);
	for (unsigned i = 0; i < TARN_STAT_COUNT; i++) {
		char name[STEER_NAME_MAX];

		json_object_set_new(all, steer_stat_name(i, name),
				    json_integer((json_int_t)stats[i]));
	}
	return all;
}

json_t *keeper_status_document(void *arg)
{
	static const char *const modes[] = { "off", "bridge", "gateway" };
	struct tarnd *k = arg;
	const struct plane_state *p = plane_state(k->plane);
	uint64_t beat = plane_beat_age(k->plane), now = clock_read().mono_ms;

	return json_pack("{s:s, s:b, s:s, s:I, s:s, s:o, s:{s:i, s:b, s:I, s:I, s:i, s:i, s:s}, "
			 "s:i, s:I, s:i, s:I, s:b, s:s, s:o, s:o, s:o, s:o}",
			 "state", arm_step_name(k->verdict.step),				/**/
			 "armed", k->verdict.step == ARM_ARMED,					/**/
			 "why_not_armed", k->verdict.why_not,					/**/
			 "since_ms", (json_int_t)(now - k->step_since_ms),			/**/
			 "mode", modes[k->config.settings.steer.mode],				/**/
			 "ports", status_ports(k),						/**/
			 "proxy",								/**/
			 "pid", (int)p->pid,							/**/
			 "ready", p->ready,							/**/
			 "up_ms", (json_int_t)(p->pid ? now - p->started_at_ms : 0),		/**/
			 "heartbeat_ms", (json_int_t)(p->pid && beat != UINT64_MAX ? beat : 0), /**/
			 "restarts", (int)p->restarts,						/**/
			 "hang_kills", (int)p->hang_kills,					/**/
			 "last_exit", p->last_exit,						/**/
			 "vendors",
			 k->steer ? (int)steer_vendors_sweep(k->steer, clock_mono_ns()) : 0, /**/
			 "vendors_refused", (json_int_t)k->vendors_refused,		     /**/
			 "names_refused", (int)k->names_refused,			     /**/
			 "messages_refused", (json_int_t)plane_channel_refused(),	     /**/
			 "admin_lan_only", front_shut(&k->front, k->net),		     /**/
			 "offload", k->offload,						     /**/
			 "reload", reload_json(&k->reload),				     /**/
			 "mint", authority_json(k->authority),				     /**/
			 "selftest", selftest_json(k->selftest),			     /**/
			 "counters", status_counters(k));
}
