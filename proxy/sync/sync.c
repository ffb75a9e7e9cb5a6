/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When runs begin. A vendor is due by the clock (schedule.h), after a failure (with growing pauses), because a
 * device's request showed a new index, or because somebody said so. One run at a time: the others wait.
 */
#include <stdio.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "proxy/dns/reach.h"
#include "proxy/sync/schedule.h"
#include "proxy/sync/sync_priv.h"

#define TICK_MS	 250
#define EVENT_MS 1000 /* between a run and one that a device's request begins */
/* Between a run and one for what its generation lacks: devices ask for many things at once. */
#define JOIN_MS 5000

static const struct tarn_settings *settings_of(const struct sync *sync)
{
	return &sync->control->config->settings;
}

/* ---- vendors ------------------------------------------------------------------------------------- */

static struct vendor *vendor_find(struct sync *sync, const char *name)
{
	struct vendor *vendor;

	LIST_FOREACH(vendor, &sync->vendors, link)
	if (!strcmp(vendor->name, name))
		return vendor;
	return NULL;
}

static void vendor_plan(struct sync *sync, struct vendor *vendor)
{
	struct now now = *worker_now(sync->control);
	uint32_t random = (uint32_t)(clock_mono_ns() * UINT64_C(2654435761) >> 16);

	if (vendor->failures)
		vendor->next_at = now.mono_ms + schedule_retry(settings_of(sync), vendor->failures);
	else
		vendor->next_at = now.mono_ms +
				  1000 * (uint64_t)schedule_next(settings_of(sync), vendor->last,
								 now.wall_ms / 1000, random);
}

static struct vendor *vendor_add(struct sync *sync, const char *name)
{
	struct vendor *vendor = calloc(1, sizeof(*vendor));

	if (!vendor)
		return NULL;
	if (span_copy(span_of(name), vendor->name, sizeof(vendor->name)) < 0) {
		free(vendor);
		return NULL;
	}
	history_load_vendor(sync, vendor);
	LIST_INSERT_HEAD(&sync->vendors, vendor, link);
	return vendor;
}

void sync_reload(struct sync *sync)
{
	const struct profiles *profiles = sync->control->config->profiles;
	const struct tarn_settings *settings = settings_of(sync);
	struct generation_limits limits = { (uint64_t)settings->sync.publish_limit,
					    (uint64_t)settings->sync.finish_limit };
	struct vendor *vendor;

	generations_limit(sync->control->proxy->generations, &limits);
	LIST_FOREACH(vendor, &sync->vendors, link)
	vendor->gone = true;
	for (size_t i = 0; i < profiles_count(profiles); i++) {
		const struct profile *profile = profiles_at(profiles, i);

		if (!profile_ahead(profile) || !settings->sync.enabled)
			continue;
		vendor = vendor_find(sync, profile_name(profile));
		if (!vendor)
			vendor = vendor_add(sync, profile_name(profile));
		if (!vendor)
			continue;
		vendor->gone = false;
		vendor_plan(sync, vendor);
	}
}

/* ---- beginning ----------------------------------------------------------------------------------- */

struct reach_of {
	const char *name;
	bool unreachable;
};

static void see_reach(const struct reach_view *view, void *arg)
{
	struct reach_of *of = arg;

	if (!strcmp(view->vendor, of->name))
		of->unreachable = view->checked && !view->reachable;
}

static bool is_reachable(const struct sync *sync, const struct vendor *vendor)
{
	struct reach_of of = { .name = vendor->name };

	if (sync->control->proxy->reach)
		reach_each(sync->control->proxy->reach, see_reach, &of);
	return !of.unreachable;
}

static void begin(struct sync *sync, struct vendor *vendor)
{
	const char *why = vendor->due ? vendor->why : vendor->failures ? "retry" : "schedule";

	vendor->due = false;
	vendor->last = worker_now(sync->control)->wall_ms / 1000;
	holding_note(sync, vendor->name);
	if (!is_reachable(sync, vendor)) {
		vendor->failures++;
		(void)snprintf(vendor->trouble, sizeof(vendor->trouble),
			       "the vendor can't be reached, neither by the system's DNS nor by "
			       "public ones");
		vendor_plan(sync, vendor);
		return;
	}
	if (run_begin(sync, vendor, why) < 0)
		vendor_plan(sync, vendor);
	else
		history_save_vendor(sync, vendor); /* a restart goes on with it */
}

/* May it begin by itself now? */
static bool is_time(const struct sync *sync, const struct vendor *vendor)
{
	struct now now = *worker_now(sync->control);

	if (vendor->due)
		return now.mono_ms >= vendor->due_at;
	return now.mono_ms >= vendor->next_at &&
	       !schedule_is_quiet(settings_of(sync), now.wall_ms / 1000);
}

/* Devices ask for more than before: is it in what is published? */
static void look_joins(struct sync *sync)
{
	struct demand_count count;
	struct vendor *vendor;

	demand_count(intake_demand(sync->control->proxy->intake), &count);
	if (count.objects == sync->objects_seen)
		return;
	sync->objects_seen = count.objects;
	LIST_FOREACH(vendor, &sync->vendors, link)
	{
		/* A run that is tried again takes all with it. */
		if (vendor->gone || vendor->due || vendor->failures || !join_wanted(sync, vendor))
			continue;
		vendor->due = true;
		vendor->due_at = worker_now(sync->control)->mono_ms + EVENT_MS;
		if (vendor->ended && vendor->due_at < vendor->ended + JOIN_MS)
			vendor->due_at = vendor->ended + JOIN_MS;
		vendor->why = "a device asked for what the generation lacks";
	}
}

static void look(struct sync *sync)
{
	struct vendor *vendor;

	look_joins(sync);
	LIST_FOREACH(vendor, &sync->vendors, link)
	{
		if (vendor->gone)
			continue;
		if (generation_take_change(sync->control->proxy->generations, vendor->name)) {
			vendor->due_at = vendor->ended ? vendor->ended + EVENT_MS : 0;
			vendor->due = true;
			vendor->why = "a device was shown a new index";
		}
		if (!sync->run && !sync->stopping && !vendor->paused && !vendor->carrying &&
		    is_time(sync, vendor))
			begin(sync, vendor);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct sync *sync = arg;

	(void)fd;
	(void)what;
	look(sync);
	CHECK_OK(event_add(&sync->timer, worker_timeout(sync->control, TICK_MS)));
}

void sync_run_over(struct sync *sync, struct vendor *vendor)
{
	vendor->cuts = 0;
	vendor_plan(sync, vendor);
	history_save(sync);
	history_save_vendor(sync, vendor);
	event_active(&sync->timer, EV_TIMEOUT, 0);
}

static void on_changed(struct worker *control, struct mail *mail)
{
	(void)mail;
	look(control->proxy->sync);
}

/* Any thread. */
static void changed(void *arg)
{
	struct sync *sync = arg;

	mailbox_post(sync->control, &sync->changed);
}

/* ---- commands ------------------------------------------------------------------------------------ */

static void command(struct sync *sync, struct vendor *vendor, enum sync_action action)
{
	bool runs = sync->run && sync->run->vendor == vendor;

	switch (action) {
	case SYNC_NOW:
		vendor->due = !runs;
		vendor->due_at = 0;
		vendor->paused = false;
		vendor->why = "by hand";
		break;
	case SYNC_PAUSE:
		vendor->paused = true;
		break;
	case SYNC_RESUME:
		vendor->paused = false;
		if (runs)
			run_go_on(sync->run);
		break;
	case SYNC_CANCEL:
		vendor->due = false;
		vendor->paused = false;
		if (runs && !sync->run->publishing)
			run_cancel(sync->run);
		break;
	}
}

int sync_command(struct sync *sync, enum sync_action action, const char *profile)
{
	struct vendor *vendor;
	int rc = -ENOENT;

	LIST_FOREACH(vendor, &sync->vendors, link)
	{
		if (vendor->gone || (profile && strcmp(vendor->name, profile) != 0))
			continue;
		command(sync, vendor, action);
		history_save_vendor(sync, vendor);
		rc = 0;
	}
	event_active(&sync->timer, EV_TIMEOUT, 0);
	return rc;
}

/* ---- imports ------------------------------------------------------------------------------------- */

int sync_carrying_begin(struct sync *sync, const char *profile)
{
	struct vendor *vendor = sync ? vendor_find(sync, profile) : NULL;

	if (vendor && sync->run && sync->run->vendor == vendor)
		return -EBUSY;
	if (vendor)
		vendor->carrying = true;
	return 0;
}

void sync_carrying_end(struct sync *sync, const char *profile)
{
	struct vendor *vendor = sync ? vendor_find(sync, profile) : NULL;

	if (vendor)
		vendor->carrying = false;
}

void sync_carried_add(struct sync *sync, const struct sync_carried *carried)
{
	struct vendor *vendor = sync ? vendor_find(sync, carried->profile) : NULL;

	if (!sync)
		return;
	if (vendor) {
		history_published(vendor, carried->number, worker_now(sync->control)->wall_ms);
		history_save_vendor(sync, vendor);
	}
	history_add_carried(sync, carried);
	history_save(sync);
}

/* ---- life ---------------------------------------------------------------------------------------- */

int sync_new(struct worker *control, struct sync **ret_sync)
{
	struct sync *sync = calloc(1, sizeof(*sync));
	int rc;

	if (!sync)
		return -ENOMEM;
	sync->control = control;
	LIST_INIT(&sync->vendors);
	mail_init(&sync->changed, on_changed);
	CHECK_OK(evtimer_assign(&sync->timer, control->base, on_tick, sync));
	sync->history = json_array();
	sync->sent = json_array();
	rc = sync->history && sync->sent ? store_reader_new(control->proxy->store, &sync->reader)
					 : -ENOMEM;
	if (rc < 0) {
		sync_free(&sync);
		return rc;
	}
	generations_watch(control->proxy->generations, changed, sync);
	history_load(sync);
	sync_reload(sync);
	CHECK_OK(event_add(&sync->timer, worker_timeout(control, TICK_MS)));
	*ret_sync = sync;
	return 0;
}

void sync_stop(struct sync *sync)
{
	if (!sync || sync->stopping)
		return;
	sync->stopping = true;
	event_del(&sync->timer);
	if (sync->run && !sync->run->publishing) {
		sync->run->vendor->stopped = true;
		history_save_vendor(sync, sync->run->vendor);
		run_cancel(sync->run);
	}
}

void sync_free(struct sync **sync_)
{
	struct sync *sync = *sync_;
	struct vendor *vendor;

	*sync_ = NULL;
	if (!sync)
		return;
	event_del(&sync->timer);
	mail_cancel(sync->control, &sync->changed);
	if (sync->run && sync->run->publishing)
		mail_cancel(sync->control, &sync->run->mail);
	run_free(&sync->run);
	while ((vendor = LIST_FIRST(&sync->vendors))) {
		LIST_REMOVE(vendor, link);
		free(vendor);
	}
	json_decref(sync->history);
	json_decref(sync->sent);
	if (sync->reader)
		store_reader_free(&sync->reader);
	free(sync);
}
