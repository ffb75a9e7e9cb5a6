/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can a vendor be reached, and through whose DNS?
 *
 * Control loop only (but reach_hurry). Owns one site for each profile: its machine (machine.h decides, this
 * room acts), and up to two probes under way, one of the system's path and one of a public one. One timer
 * for all, set to the earliest thing that is due.
 *
 * A probe: resolver_ask_fresh() -> probe_resolved() -> connect_addrs() -> probe_connected() -> verdict(). It has one
 * time limit for its DNS part, and connect_timeout for the other.
 *
 * The walk: while a vendor is reachable ([steer] offline: always), its exact hosts are resolved through the path in use, a few at a
 * time, and again before their answers run out. What they give is told to the owner (and so to the keeper).
 */
#include "proxy/dns/reach.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/dns/machine.h"
#include "proxy/dns/resolve.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/connect.h"
#include "proxy/upstream/parent.h"

#define FAST_MIN_MS 500
#define FAST_MAX_MS 3000
#define WALK_MS	    250 /* between two hosts of the walk ... */
#define WALK_NEW_MS 10	/* ... while there are some that were never resolved */
#define AGAIN_MIN_S 30	/* a host is resolved again after its TTL, within these */
#define AGAIN_MAX_S 600

struct site;

struct probe {
	struct site *site;
	bool open;
	unsigned path;
	struct resolver_ask ask;
	struct connect *connect;
	struct event limit;
};

struct site {
	struct reach *reach;
	const struct profile *profile; /* of reach->config */
	struct machine machine;
	const char *host; /* NULL: no reach host, counts as reachable */
	uint16_t port;
	bool lost; /* said so already: what follows is told at its end */
	struct probe system, public;
};

/* An exact host of a profile. */
struct walker {
	struct reach *reach;
	size_t site;
	struct resolver_ask ask;
	bool open;
	uint64_t due_ms;
	char host[PROFILE_HOST_MAX];
};

struct reach {
	struct worker *control;
	struct config *config; /* the sites' */
	reach_changed_f *changed;
	reach_vendor_f *vendor;
	void *arg;
	bool any, told;
	char why[128]; /* that was told */
	size_t sites_n, walkers_n, walk_at;
	struct site *sites;
	struct walker *walkers;
	struct event timer, walk;
	struct mail hurry;
};

static uint64_t now_ms(struct reach *reach)
{
	return worker_now(reach->control)->mono_ms;
}

static bool has_parent(const struct site *site)
{
	return parents_reach(site->reach->control->proxy->parents, profile_name(site->profile),
			     now_ms(site->reach));
}

static bool site_reachable(const struct site *site)
{
	return !site->host || machine_reachable(&site->machine) || has_parent(site);
}

/* Whose addresses are to be known: they are steered to. */
static bool site_walked(const struct site *site)
{
	return site_reachable(site) || site->reach->config->settings.steer.offline;
}

static const struct addr *site_resolver(const struct site *site)
{
	unsigned path = site->host ? machine_path(&site->machine) : 0;

	return path ? &profile_resolvers(site->profile)->v[path - 1] : NULL;
}

/* ---- telling ---------------------------------------------------------------------------------- */

static void tell(struct reach *reach)
{
	char why[128] = "no vendor profile";
	unsigned unreachable = 0;
	bool any = false;

	for (size_t i = 0; i < reach->sites_n; i++) {
		const struct site *site = &reach->sites[i];

		if (site_reachable(site)) {
			any = true;
			continue;
		}
		unreachable++;
		snprintf(why, sizeof(why), "vendor %s: %s", profile_name(site->profile),
			 site->machine.step == MACHINE_START ? "not checked yet" : "not reachable");
	}
	STAT_SET(STAT_REACH_UNREACHABLE, unreachable);
	if (any)
		*why = '\0';
	if (reach->told && any == reach->any && !strcmp(why, reach->why))
		return;
	reach->told = true;
	reach->any = any;
	memcpy(reach->why, why, sizeof(reach->why));
	reach->changed(reach->arg, any, why);
}

/* The machine may have moved: log and count what it did. */
static void moved(struct site *site, enum machine_step before, unsigned path_before)
{
	const struct machine *machine = &site->machine;
	const struct addr *resolver = site_resolver(site);
	unsigned path = machine_path(machine);
	char text[ADDR_TEXT_MAX];

	if (machine->step == before && path == path_before)
		return;
	if (machine_reachable(machine))
		site->lost = false;
	LOG(site->lost ? LOG_L_DEBUG : LOG_L_NOTICE, "reach.step",
	    "vendor=%s host=%s from=%s to=%s resolver=%s", profile_name(site->profile), site->host,
	    machine_step_name(before), machine_step_name(machine->step),
	    resolver ? addr_format(resolver, text) : "system");
	if (machine->step == MACHINE_LOST)
		site->lost = true;
	/* Devices are steered from now on: the addresses must be known soon. */
	if (machine_reachable(machine))
		CHECK_OK(event_add(&site->reach->walk,
				   worker_timeout(site->reach->control, WALK_NEW_MS)));
	if (path && path != path_before)
		STAT_INC(STAT_REACH_SWITCH_PUBLIC);
	if (!path && path_before && machine->step == MACHINE_SYSTEM)
		STAT_INC(STAT_REACH_SWITCH_SYSTEM);
	tell(site->reach);
}

/* ---- probes ----------------------------------------------------------------------------------- */

static void schedule(struct reach *reach);

static void probe_end(struct probe *probe)
{
	struct reach *reach = probe->site->reach;

	if (!probe->open)
		return;
	probe->open = false;
	resolver_ask_cancel(reach->control->proxy->resolver, &probe->ask);
	connect_cancel(&probe->connect);
	event_del(&probe->limit);
}

static void verdict(struct probe *probe, int err)
{
	struct site *site = probe->site;
	enum machine_step before = site->machine.step;
	unsigned path = machine_path(&site->machine);

	probe_end(probe);
	if (err) {
		STAT_INC(STAT_REACH_PROBE_FAILURES);
		LOG(site->lost ? LOG_L_DEBUG : LOG_L_INFO, "reach.probe_failed",
		    "vendor=%s host=%s path=%u error=%s", profile_name(site->profile), site->host,
		    probe->path, strerrorname_np(-err));
	}
	machine_verdict(&site->machine, probe->path, !err, now_ms(site->reach));
	moved(site, before, path);
	schedule(site->reach);
}

static void probe_connected(void *arg, int err, int fd, const struct addr *peer)
{
	struct probe *probe = arg;

	(void)peer;
	probe->connect = NULL;
	if (!err)
		close(fd);
	verdict(probe, err);
}

static void probe_resolved(void *arg, int err, const struct addr *addrs, size_t n, uint32_t ttl)
{
	struct probe *probe = arg;
	struct addr with_port[RESOLVE_ADDRS_MAX];

	(void)ttl;
	event_del(&probe->limit);
	for (size_t i = 0; i < n; i++) {
		with_port[i] = addrs[i];
		addr_port_set(&with_port[i], probe->site->port);
	}
	if (!err)
		err = connect_addrs(probe->site->reach->control, with_port, n, probe_connected,
				    probe, &probe->connect);
	if (err)
		verdict(probe, err);
}

static void probe_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	verdict(arg, -ETIMEDOUT);
}

static void probe_begin(struct probe *probe, unsigned path)
{
	struct site *site = probe->site;
	struct reach *reach = site->reach;
	unsigned limit = (unsigned)reach->config->settings.dns.timeout;
	const struct addr *server = path ? &profile_resolvers(site->profile)->v[path - 1] : NULL;

	probe_end(probe);
	probe->open = true;
	probe->path = path;
	probe->ask.f = probe_resolved;
	probe->ask.arg = probe;
	STAT_INC(STAT_REACH_PROBES);
	machine_began(&site->machine, path);
	/* A little more than one try of c-ares, so that its own verdict, which says more, comes first. */
	CHECK_OK(event_add(&probe->limit, worker_timeout(reach->control, limit + limit / 4)));
	resolver_ask_fresh(reach->control->proxy->resolver, site->host, server, &probe->ask);
}

/* ---- the clock -------------------------------------------------------------------------------- */

static void site_run(struct site *site)
{
	unsigned public;
	bool system;

	machine_due(&site->machine, now_ms(site->reach), &system, &public);
	if (public)
		probe_begin(&site->public, public);
	if (system)
		probe_begin(&site->system, 0);
}

static void timer_run(evutil_socket_t fd, short what, void *arg)
{
	struct reach *reach = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < reach->sites_n; i++)
		if (reach->sites[i].host)
			site_run(&reach->sites[i]);
	schedule(reach);
}

static void schedule(struct reach *reach)
{
	uint64_t next = UINT64_MAX, now = now_ms(reach), wait;
	struct timeval tv;

	for (size_t i = 0; i < reach->sites_n; i++) {
		uint64_t due = reach->sites[i].host ? machine_next_ms(&reach->sites[i].machine)
						    : UINT64_MAX;

		if (due < next)
			next = due;
	}
	event_del(&reach->timer);
	if (next == UINT64_MAX)
		return;
	wait = next > now ? next - now : 0;
	tv = (struct timeval){ (time_t)(wait / 1000), (suseconds_t)(wait % 1000) * 1000 };
	CHECK_OK(event_add(&reach->timer, &tv));
}

static void hurry_run(struct worker *control, struct mail *mail)
{
	struct reach *reach = control->proxy->reach;

	(void)mail;
	for (size_t i = 0; i < reach->sites_n; i++)
		if (reach->sites[i].host)
			machine_hurry(&reach->sites[i].machine, now_ms(reach));
	schedule(reach);
}

void reach_hurry(struct reach *reach)
{
	if (reach)
		mailbox_post(reach->control, &reach->hurry);
}

/* ---- the walk over exact hosts ---------------------------------------------------------------- */

static void walker_resolved(void *arg, int err, const struct addr *addrs, size_t n, uint32_t ttl)
{
	struct walker *walker = arg;
	struct reach *reach = walker->reach;
	uint32_t again = err || ttl < AGAIN_MIN_S ? AGAIN_MIN_S : ttl;

	walker->open = false;
	walker->due_ms =
		now_ms(reach) + (again > AGAIN_MAX_S ? AGAIN_MAX_S : again) * UINT64_C(1000);
	if (!site_walked(&reach->sites[walker->site]))
		return;
	for (size_t i = 0; i < n; i++)
		reach->vendor(reach->arg, &addrs[i], ttl);
}

static void walk_run(evutil_socket_t fd, short what, void *arg)
{
	struct reach *reach = arg;
	uint64_t now = now_ms(reach);

	(void)fd;
	(void)what;
	CHECK_OK(event_add(&reach->walk, worker_timeout(reach->control, WALK_MS)));
	for (size_t i = 0; i < reach->walkers_n; i++) {
		size_t at = (reach->walk_at + i) % reach->walkers_n;
		struct walker *walker = &reach->walkers[at];
		struct site *site = &reach->sites[walker->site];

		if (walker->open || walker->due_ms > now || !site_walked(site))
			continue;
		reach->walk_at = at + 1;
		if (!walker->due_ms)
			CHECK_OK(event_add(&reach->walk,
					   worker_timeout(reach->control, WALK_NEW_MS)));
		walker->open = true;
		resolver_ask_fresh(reach->control->proxy->resolver, walker->host,
				   site_resolver(site), &walker->ask);
		return;
	}
}

static void walker_count(const struct profile *profile, struct span host, void *arg)
{
	(void)profile;
	(void)host;
	++*(size_t *)arg;
}

static void walker_add(const struct profile *profile, struct span host, void *arg)
{
	struct reach *reach = arg;
	struct walker *walker = &reach->walkers[reach->walkers_n];

	walker->reach = reach;
	walker->ask.f = walker_resolved;
	walker->ask.arg = walker;
	for (size_t i = 0; i < reach->sites_n; i++)
		if (reach->sites[i].profile == profile)
			walker->site = i;
	if (host_normalise(host, walker->host) == 0)
		reach->walkers_n++;
}

/* ---- sites ------------------------------------------------------------------------------------ */

static struct machine_rules rules_of(const struct config *config, const struct profile *profile)
{
	const struct tarn_settings *settings = &config->settings;
	uint64_t fast = (uint64_t)settings->dns.probe_interval / 10;

	return (struct machine_rules){
		.publics = settings->dns.public_resolvers ? (unsigned)profile_resolvers(profile)->n
							  : 0,
		.fail = (unsigned)settings->dns.probe_fail,
		.good = (unsigned)settings->dns.probe_good,
		.interval_ms = (uint64_t)settings->dns.probe_interval,
		.fast_ms = fast < FAST_MIN_MS	? FAST_MIN_MS
			   : fast > FAST_MAX_MS ? FAST_MAX_MS
						: fast,
	};
}

/* The same vendor with the same reach host before the reload. */
static const struct site *site_before(const struct site *sites, size_t n,
				      const struct profile *profile)
{
	uint16_t port;
	const char *host = profile_reach_host(profile, &port);

	for (size_t i = 0; host && i < n; i++)
		if (sites[i].host &&
		    strcmp(profile_name(sites[i].profile), profile_name(profile)) == 0 &&
		    strcmp(sites[i].host, host) == 0 && sites[i].port == port)
			return &sites[i];
	return NULL;
}

static void site_init(struct reach *reach, struct site *site, const struct profile *profile,
		      const struct site *before)
{
	struct machine_rules rules = rules_of(reach->config, profile);

	if (rules.fast_ms > rules.interval_ms)
		rules.fast_ms = rules.interval_ms;
	site->reach = reach;
	site->profile = profile;
	site->host = profile_reach_host(profile, &site->port);
	site->system.site = site->public.site = site;
	CHECK_OK(evtimer_assign(&site->system.limit, reach->control->base, probe_late,
				&site->system));
	CHECK_OK(evtimer_assign(&site->public.limit, reach->control->base, probe_late,
				&site->public));
	if (before) {
		site->machine = before->machine;
		machine_rules_set(&site->machine, &rules, now_ms(reach));
	} else {
		machine_init(&site->machine, &rules, now_ms(reach));
	}
}

static void sites_free(struct reach *reach, struct site *sites, size_t n, struct walker *walkers,
		       size_t walkers_n)
{
	for (size_t i = 0; i < n; i++) {
		probe_end(&sites[i].system);
		probe_end(&sites[i].public);
	}
	for (size_t i = 0; i < walkers_n; i++)
		resolver_ask_cancel(reach->control->proxy->resolver, &walkers[i].ask);
	free(sites);
	free(walkers);
}

static int sites_make(struct reach *reach)
{
	struct config *config = reach->control->config, *old_config = reach->config;
	size_t n = profiles_count(config->profiles), walkers_n = 0;
	struct site *sites = calloc(n ? n : 1, sizeof(*sites)), *old = reach->sites;
	struct walker *walkers, *old_walkers = reach->walkers;
	size_t old_n = reach->sites_n, old_walkers_n = reach->walkers_n;

	profile_each_exact_host(config->profiles, walker_count, &walkers_n);
	walkers = calloc(walkers_n ? walkers_n : 1, sizeof(*walkers));
	if (!sites || !walkers) {
		free(sites);
		free(walkers);
		return -ENOMEM;
	}
	/* Probes under way end without a verdict; what is due is due again. */
	for (size_t i = 0; i < old_n; i++) {
		probe_end(&old[i].system);
		probe_end(&old[i].public);
	}
	reach->config = config_ref(config);
	for (size_t i = 0; i < n; i++) {
		const struct profile *profile = profiles_at(config->profiles, i);

		site_init(reach, &sites[i], profile, site_before(old, old_n, profile));
	}
	reach->sites = sites;
	reach->sites_n = n;
	reach->walkers = walkers;
	reach->walkers_n = reach->walk_at = 0;
	profile_each_exact_host(config->profiles, walker_add, reach);
	sites_free(reach, old, old_n, old_walkers, old_walkers_n);
	config_unref(&old_config);
	return 0;
}

/* ---- for others ------------------------------------------------------------------------------- */

static const struct addr *route(void *arg, const struct profile *profile)
{
	return reach_resolver(arg, profile);
}

static void trouble(void *arg, const struct profile *profile)
{
	(void)profile;
	reach_hurry(arg);
}

int reach_new(struct worker *control, reach_changed_f *changed, reach_vendor_f *vendor, void *arg,
	      struct reach **ret_reach)
{
	struct reach *reach = calloc(1, sizeof(*reach));
	int rc;

	if (!reach)
		return -ENOMEM;
	reach->control = control;
	reach->changed = changed;
	reach->vendor = vendor;
	reach->arg = arg;
	mail_init(&reach->hurry, hurry_run);
	CHECK_OK(evtimer_assign(&reach->timer, control->base, timer_run, reach));
	CHECK_OK(evtimer_assign(&reach->walk, control->base, walk_run, reach));
	rc = sites_make(reach);
	if (rc < 0) {
		free(reach);
		return rc;
	}
	resolver_route_set(control->proxy->resolver, route, trouble, reach);
	CHECK_OK(event_add(&reach->walk, worker_timeout(control, WALK_MS)));
	tell(reach);
	schedule(reach);
	*ret_reach = reach;
	return 0;
}

void reach_reload(struct reach *reach)
{
	if (sites_make(reach) < 0) {
		LOG(LOG_L_ERROR, "reach.reload", "error=ENOMEM");
		return;
	}
	tell(reach);
	schedule(reach);
}

void reach_free(struct reach **ptr)
{
	struct reach *reach = *ptr;

	if (!reach)
		return;
	resolver_route_set(reach->control->proxy->resolver, NULL, NULL, NULL);
	mail_cancel(reach->control, &reach->hurry);
	sites_free(reach, reach->sites, reach->sites_n, reach->walkers, reach->walkers_n);
	event_del(&reach->timer);
	event_del(&reach->walk);
	config_unref(&reach->config);
	free(reach);
	*ptr = NULL;
}

void reach_tell(struct reach *reach)
{
	if (reach)
		tell(reach);
}

bool reach_any(const struct reach *reach)
{
	return reach->any;
}

void reach_each(const struct reach *reach, reach_each_f *f, void *arg)
{
	for (size_t i = 0; i < reach->sites_n; i++) {
		const struct site *site = &reach->sites[i];
		const struct addr *resolver = site_resolver(site);
		struct reach_view view = {
			.vendor = profile_name(site->profile),
			.checked = site->host && site->machine.step != MACHINE_START,
			.reachable = site_reachable(site),
			.state = site->host ? machine_step_name(site->machine.step) : "unchecked",
			.via_public = resolver != NULL,
			.since_mono_ms = site->machine.since_ms,
		};

		if (resolver)
			view.resolver = *resolver;
		f(&view, arg);
	}
}

const struct addr *reach_resolver(const struct reach *reach, const struct profile *profile)
{
	for (size_t i = 0; i < reach->sites_n; i++)
		if (reach->sites[i].profile == profile)
			return site_resolver(&reach->sites[i]);
	return NULL;
}
