/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's one thread and loop. Everything that happens - a message, a death, a timer - ends in review():
 * facts are gathered, arm_decide() says what they mean, and the BPF programs and the data plane are told.
 *
 * If steering can't be set up (a kernel without BPF), the bridge stays and the data plane runs unarmed: devices
 * come first. Disarming needs nobody's help: the programs pass what a dead or silent worker would get.
 */
#include "firmware/keeper/keeper_priv.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/keeper/access.h"
#include "firmware/keeper/appliance.h"
#include "firmware/keeper/authority.h"
#include "firmware/keeper/change.h"
#include "firmware/keeper/channel.h"
#include "firmware/keeper/child.h"
#include "firmware/keeper/figures.h"
#include "firmware/keeper/folder.h"
#include "firmware/keeper/plan.h"
#include "firmware/keeper/plane.h"
#include "firmware/keeper/selftest.h"
#include "firmware/keeper/status.h"
#include "firmware/steer/steer.h"

#define TICK_MS		100
#define ROLES_MS	1000
#define SWEEP_MS	10000
#define ACCESS_EVERY_MS 1000
#define AGAIN_MS                                                                                   \
	500 /* in which the data plane says what became of a change, before it or tarnd is restarted for it */

static void facts_gather(const struct tarnd *k, struct arm_facts *facts)
{
	const struct plane_state *plane = plane_state(k->plane);

	*facts = (struct arm_facts){
		.stopping = k->stopping,
		.steering = k->steer != NULL,
		.roles_known = k->net && net_roles_known(k->net),
		.running = plane->pid != 0,
		.ready = plane->ready,
		.health_seen = plane->health_seen,
		.reachable = plane->reachable,
		.restarting = plane->restarting,
		.health_ms = clock_read().mono_ms - plane->health_at_ms,
		.beat_ms = plane_beat_age(k->plane),
		.broken = k->broken[0] ? k->broken : NULL,
		.reason = k->steer ? plane->reason : k->why_no_steering,
	};
}

static void state_tell(struct tarnd *k)
{
	const struct plane_state *plane = plane_state(k->plane);
	union heritage_message m = { .state = HERITAGE_INIT(HERITAGE_STATE, heritage_state) };

	m.state.armed = k->verdict.step == ARM_ARMED;
	m.state.far = k->net && net_ports_hardware(k->net);
	m.state.restarts = plane->restarts;
	m.state.hang_kills = plane->hang_kills;
	memcpy(m.state.reason, k->verdict.why_not, sizeof(m.state.reason));
	plane_tell(k->plane, &m);
}

static void review(void *arg)
{
	struct tarnd *k = arg;
	struct arm_verdict now;
	struct arm_facts facts;

	facts_gather(k, &facts);
	now = arm_decide(&facts);
	selftest_ready(k->selftest,
		       now.step == ARM_ARMED || (now.step == ARM_UNHEALTHY && facts.roles_known &&
						 facts.beat_ms <= HERITAGE_STALE_MS));
	if (k->steer && steer_armed(k->steer) != (now.step == ARM_ARMED))
		steer_arm(k->steer, now.step == ARM_ARMED);
	if (now.step == k->verdict.step && !strcmp(now.why_not, k->verdict.why_not))
		return;
	if (now.step != k->verdict.step)
		k->step_since_ms = clock_read().mono_ms;
	LOG(LOG_L_NOTICE, "keeper.step", "from=%s to=%s why=%s", arm_step_name(k->verdict.step),
	    arm_step_name(now.step), LOG_QUOTE(span_of(now.why_not)));
	k->verdict = now;
	state_tell(k);
}

static void vendor_in(const uint8_t addr[16], uint32_t ttl, void *arg)
{
	struct tarnd *k = arg;

	if (k->steer && steer_vendor_set(k->steer, addr, ttl, clock_mono_ns()))
		k->vendors_refused++;
}

static void mint_in(const struct heritage_mint *ask, void *arg)
{
	union heritage_message m;
	struct tarnd *k = arg;

	authority_mint(k->authority, k->config.profiles, ask, &m.minted);
	plane_tell(k->plane, &m);
}

static void selftest_done(const struct heritage_selftest *result, void *arg)
{
	union heritage_message m = { .selftest = *result };
	struct tarnd *k = arg;

	plane_tell(k->plane, &m);
	if (k->steer)
		keeper_way_inspect(k);
	review(k);
}

static void on_roles(evutil_socket_t fd, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)fd, (void)what;
	if (!k->steer)
		return;
	keeper_way_inspect(k);
	if (keeper_roles_update(k))
		review(k);
}

/* ---- events ----------------------------------------------------------------------------------- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)fd, (void)what;
	plane_watch(k->plane);
	review(k);
}

static void on_figures(evutil_socket_t fd, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)fd, (void)what;
	figures_tell(k->steer, k->plane);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)fd, (void)what;
	if (k->steer) {
		(void)steer_vendors_sweep(k->steer, clock_mono_ns());
		keeper_offload_inspect(k);
	}
	authority_watch(k->authority, k->config.profiles, clock_read().wall_ms / 1000);
	state_tell(k);
}

static void on_seen(evutil_socket_t fd, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)fd, (void)what;
	steer_seen(k->steer);
}

static void stop(struct tarnd *k)
{
	k->stopping = true;
	review(k);
	plane_stop(k->plane);
}

static void on_end(evutil_socket_t signal, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)what;
	LOG(LOG_L_NOTICE, "keeper.stop", "signal=%d", (int)signal);
	k->anew = false;
	event_del(k->anew_soon);
	stop(k);
}

static void on_anew(evutil_socket_t fd, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)fd, (void)what;
	if (k->stopping)
		return;
	LOG(LOG_L_NOTICE, "keeper.anew", "for=%s", LOG_QUOTE(span_of(k->reload.next_start)));
	k->anew = true;
	stop(k);
}

static void on_ended(void *arg)
{
	struct tarnd *k = arg;

	event_base_loopbreak(k->base);
}

/* The running parts keep what they borrowed from the old settings, so only what may change is moved. */
static bool reload(struct tarnd *k)
{
	struct tarnd_config config;
	char why[TARND_WHY_MAX] = "";
	struct profiles *profiles;

	reload_begin(&k->reload, clock_read().wall_ms);
	if (tarnd_config_load(k->config.path, &config, why) || tarnd_config_check(&config, why)) {
		memcpy(k->reload.why, why, sizeof(why));
		LOG(LOG_L_ERROR, "keeper.reload", "kept=old why=%s", LOG_QUOTE(span_of(why)));
		return false;
	}
	tarnd_config_adapt(&config);
	reload_compare(&k->reload, &k->config.settings, &config.settings);
	k->reload.taken = true;
	profiles = k->config.profiles;
	k->config.profiles = config.profiles;
	config.profiles = profiles;
	k->config.settings.steer.quic = config.settings.steer.quic;
	k->config.settings.demand.names = config.settings.demand.names;
	k->config.settings.admin.confirm = config.settings.admin.confirm;
	log_level_set((enum log_level)config.settings.log.level);
	log_output((enum log_format)config.settings.log.format,
		   (enum log_to)config.settings.log.to);
	if (k->steer)
		keeper_steer_reload(k, &config.settings);
	tarnd_config_free(&config);
	authority_see_to(k->authority, k->config.profiles, clock_read().wall_ms / 1000);
	LOG(LOG_L_NOTICE, "keeper.reload", "taken=yes");
	return true;
}

static void on_reload(evutil_socket_t signal, short what, void *arg)
{
	struct tarnd *k = arg;

	(void)signal, (void)what;
	if (reload(k))
		plane_signal(k->plane, SIGHUP);
}

/* ---- settings by the API ---------------------------------------------------------------------- */

/* The data plane reads the file when it is told; it is told next. What tarnd reads at its start is in force when it runs
 * with it: so it is, too, when a change is taken back that its successor has already begun with. */
static bool change_taken(bool restart, void *arg)
{
	struct tarnd *k = arg;
	struct timeval soon = { 0, AGAIN_MS * 1000 };
	bool anew = reload(k) && k->reload.of_tarnd;

	if (anew)
		(void)event_add(k->anew_soon, &soon);
	else
		event_del(k->anew_soon);
	if (restart && !anew)
		plane_restart(k->plane, AGAIN_MS);
	return restart || anew;
}

static void message_tell(const union heritage_message *message, void *arg)
{
	struct tarnd *k = arg;

	plane_tell(k->plane, message);
}

static void who_tell(struct tarnd *k, const struct heritage_who *who)
{
	union heritage_message m = { .station = HERITAGE_INIT(HERITAGE_STATION, heritage_station) };
	struct tarn_hostname name;
	struct tarn_station station;

	memcpy(m.station.addr, who->addr, sizeof(m.station.addr));
	m.station.known = k->steer && steer_station(k->steer, who->addr, &station);
	if (m.station.known) {
		memcpy(m.station.mac, station.mac, sizeof(m.station.mac));
		m.station.vlan = station.vlan;
		if (tarn_conf_hears_dhcp(&k->config.settings) &&
		    steer_hostname(k->steer, station.mac, &name))
			heritage_text(m.station.name, sizeof(m.station.name), (char *)name.text);
	}
	plane_tell(k->plane, &m);
}

/* A data plane that floods shall not hold us at the disk. */
static void access_in(struct tarnd *k, const struct access_kept *kept)
{
	union heritage_message m = { .access_kept = HERITAGE_INIT(HERITAGE_ACCESS_KEPT,
								  heritage_access_kept) };
	uint64_t now = clock_read().mono_ms;
	int rc = k->access_ms && now - k->access_ms < ACCESS_EVERY_MS ? -EAGAIN : 0;

	if (!rc) {
		rc = access_keep(k->config.settings.keeper.state, kept);
		k->access_ms = clock_read().mono_ms;
		LOG(rc ? LOG_L_ERROR : LOG_L_INFO, "access.kept", "serial=%llu error=%s",
		    (unsigned long long)kept->serial, rc ? strerrorname_np(-rc) : "0");
	}
	m.access_kept.serial = kept->serial;
	m.access_kept.error = (uint32_t)-rc;
	plane_tell(k->plane, &m);
}

static void message_in(const union heritage_message *m, void *arg)
{
	struct tarnd *k = arg;

	if (m->head.type == HERITAGE_READY)
		change_greet(k->change);
	else if (m->head.type == HERITAGE_SELFTEST_RUN)
		selftest_run(k->selftest, m->selftest_run.id);
	else if (m->head.type == HERITAGE_WHO)
		who_tell(k, &m->who);
	else if (m->head.type == HERITAGE_SYSTEMS)
		appliance_asked(k->appliance, &m->systems);
	else if (m->head.type == HERITAGE_ACCESS)
		access_in(k, &m->access.kept);
	else if (m->head.type == HERITAGE_SETTING || m->head.type == HERITAGE_CHANGE)
		change_message(k->change, m, (uint64_t)k->config.settings.admin.confirm);
}

/* ---- the ladder ------------------------------------------------------------------------------- */

static int network_begin(struct tarnd *k, char why[TARND_WHY_MAX])
{
	struct net_plan plan = tarnd_net_plan(&k->config.settings);
	int rc;

	heritage_reason(k->why_no_steering, "[steer] mode = off");
	if (k->config.settings.steer.mode == TARN_STEER_OFF)
		return 0;
	rc = net_kernel_open(&k->kernel);
	if (rc) {
		snprintf(why, TARND_WHY_MAX, "netlink: %s", strerror(-rc));
		return rc;
	}
	rc = net_setup(k->kernel, &plan, &k->net, why);
	if (!rc)
		(void)keeper_steer_begin(k);
	return rc;
}

/* The data plane's own, also when it went while that ran. */
static void cache_folder_make(void *arg)
{
	const struct tarnd *k = arg;
	const struct tarn_settings *s = &k->config.settings;
	uid_t uid;
	gid_t gid;
	int rc = child_identity(s->keeper.user, &uid, &gid);

	if (!rc)
		rc = folder_make(s->cache.path, uid, gid);
	if (rc)
		LOG(LOG_L_WARN, "keeper.cache", "path=%s error=%s",
		    LOG_QUOTE(span_of(s->cache.path)), LOG_QUOTE(span_of(strerror(-rc))));
}

static unsigned workers_wanted(const struct tarn_settings *s)
{
	long n = s->proxy.workers ? (long)s->proxy.workers : sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > HERITAGE_WORKERS_MAX ? HERITAGE_WORKERS_MAX : (unsigned)n;
}

static int plane_begin(struct tarnd *k, char why[TARND_WHY_MAX])
{
	static const struct plane_calls calls = { review,   vendor_in, message_in,
						  on_ended, mint_in,   cache_folder_make };
	static const struct change_calls changes = { change_taken, message_tell };
	const struct tarn_settings *s = &k->config.settings;
	struct plane_options o = {
		.program = s->keeper.proxy,
		.config = k->config.path,
		.workers = workers_wanted(s),
		.hang_ms = (uint64_t)s->keeper.hang_limit,
		.state = s->keeper.state,
		.steer = k->steer,
	};
	int rc = child_identity(s->keeper.user, &o.uid, &o.gid);

	tarnd_config_overrides(&k->config, o.overrides);
	if (!rc) {
		k->admin_fd = unix_listen(s->proxy.admin_socket);
		rc = k->admin_fd < 0 ? k->admin_fd : 0;
	}
	o.admin_fd = k->admin_fd;
	if (!rc)
		rc = plane_new(k->base, &o, &calls, k, &k->plane);
	if (rc)
		snprintf(why, TARND_WHY_MAX, "%s: %s", s->proxy.admin_socket, strerror(-rc));
	if (!rc && (rc = change_new(k->base, k->config.path, &changes, k, &k->change)))
		snprintf(why, TARND_WHY_MAX, "settings: %s", strerror(-rc));
	if (!rc && (rc = appliance_new(k->base, k->config.path, s->proxy.admin_socket,
				       s->cache.path, message_tell, k, &k->appliance)))
		snprintf(why, TARND_WHY_MAX, "tarnctl: %s", strerror(-rc));
	return rc;
}

static struct event *every(struct tarnd *k, unsigned ms, event_callback_fn f)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	struct event *e = event_new(k->base, -1, EV_PERSIST, f, k);

	if (e && event_add(e, &tv)) {
		event_free(e);
		e = NULL;
	}
	return e;
}

static struct event *on_signal(struct tarnd *k, int number, event_callback_fn f)
{
	struct event *e = evsignal_new(k->base, number, f, k);

	if (e && event_add(e, NULL)) {
		event_free(e);
		e = NULL;
	}
	return e;
}

static int events_begin(struct tarnd *k)
{
	k->tick = every(k, TICK_MS, on_tick);
	k->roles = every(k, ROLES_MS, on_roles);
	k->sweep = every(k, SWEEP_MS, on_sweep);
	k->sigterm = on_signal(k, SIGTERM, on_end);
	k->sigint = on_signal(k, SIGINT, on_end);
	k->sighup = on_signal(k, SIGHUP, on_reload);
	k->anew_soon = evtimer_new(k->base, on_anew, k);
	if (!k->anew_soon || !k->tick || !k->roles || !k->sweep || !k->sigterm || !k->sigint ||
	    !k->sighup)
		return -ENOMEM;
	if (!k->steer)
		return 0;
	k->figures = every(k, FIGURES_MS, on_figures);
	if (!k->figures)
		return -ENOMEM;
	k->seen = event_new(k->base, steer_seen_fd(k->steer), EV_READ | EV_PERSIST, on_seen, k);
	return k->seen && !event_add(k->seen, NULL) ? 0 : -ENOMEM;
}

static void event_drop(struct event **e)
{
	if (*e)
		event_free(*e);
	*e = NULL;
}

/* The ladder read upward. Programs go before the network under them. Leaves the configuration. */
static void parts_end(struct tarnd *k)
{
	struct event **const events[] = { &k->tick,   &k->roles,   &k->sweep,
					  &k->seen,   &k->figures, &k->sigterm,
					  &k->sigint, &k->sighup,  &k->anew_soon };

	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		event_drop(events[i]);
	status_free(&k->status);
	selftest_free(&k->selftest);
	plane_free(&k->plane);
	authority_free(&k->authority);
	change_free(&k->change);
	appliance_free(&k->appliance);
	if (k->admin_fd >= 0) {
		close(k->admin_fd);
		(void)unlink(k->config.settings.proxy.admin_socket);
	}
	steer_close(&k->steer);
	net_remove(&k->net);
	if (k->kernel)
		k->kernel->ops->close(&k->kernel);
}

int tarnd_new(struct event_base *base, struct tarnd_config *config, struct tarnd **ret_tarnd,
	      char why[TARND_WHY_MAX])
{
	struct tarnd *k = calloc(1, sizeof(*k));
	const char *socket;
	int rc;

	if (!k)
		return -ENOMEM;
	k->base = base;
	k->config = *config;
	k->admin_fd = -1;
	socket = k->config.settings.keeper.socket;
	k->step_since_ms = clock_read().mono_ms;
	rc = authority_new(k->config.settings.keeper.state, &k->authority);
	if (!rc)
		rc = network_begin(k, why);
	if (!rc &&
	    (rc = selftest_new(base, k->steer, k->net, (uint64_t)k->config.settings.keeper.selftest,
			       selftest_done, k, &k->selftest)))
		snprintf(why, TARND_WHY_MAX, "selftest: %s", strerror(-rc));
	if (!rc)
		rc = plane_begin(k, why);
	if (!rc && (rc = status_new(base, socket, keeper_status_document, k, &k->status)))
		snprintf(why, TARND_WHY_MAX, "%s: %s", socket, strerror(-rc));
	if (!rc && (rc = events_begin(k)))
		snprintf(why, TARND_WHY_MAX, "events: %s", strerror(-rc));
	if (rc) {
		parts_end(k);
		free(k);
		return rc;
	}
	*config = (struct tarnd_config){ 0 };
	/* First: the data plane may look into the folder, and is confined to what is there when it starts. */
	authority_see_to(k->authority, k->config.profiles, clock_read().wall_ms / 1000);
	plane_start(k->plane);
	*ret_tarnd = k;
	return 0;
}

bool tarnd_anew(const struct tarnd *tarnd)
{
	return tarnd->anew;
}

void tarnd_free(struct tarnd **tarnd)
{
	if (!*tarnd)
		return;
	parts_end(*tarnd);
	tarnd_config_free(&(*tarnd)->config);
	free(*tarnd);
	*tarnd = NULL;
}
