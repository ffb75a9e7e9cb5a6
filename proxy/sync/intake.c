/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intake: a ring for each worker, emptied by the control loop every LOOK_MS, or at once when one is half full.
 * The table is saved every SAVE_MS, some rows at a time; what a crash loses is the demand of that time.
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "firmware/heritage.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/sync/heard.h"
#include "proxy/sync/intake.h"
#include "proxy/sync/whom.h"

#define LOOK_MS	  1000
#define SAVE_MS	  30000
#define SAVE_ROWS 64 /* at once, so that the writer's queue has room for the rest */
#define MORE_MS	  200

struct intake {
	struct worker *control;
	struct demand *demand;
	struct whom *whom;
	struct heard *heard;
	struct config *config; /* by which [scope] was applied last */
	struct demand_ring *rings[HERITAGE_WORKERS_MAX];
	struct mail hurry;
	struct event look, save;
};

static void link_put(struct intake *in, const uint8_t device[16], const struct scope_who *who)
{
	struct demand_link link = { .known = who->link_known, .vlan = who->vlan };
	const char *name = whom_name(in->whom, device);

	if (who->link_known) {
		memcpy(link.mac, who->mac, sizeof(link.mac));
		CHECK_OK(span_copy(span_of(name), link.name, sizeof(link.name)));
		demand_link_set(in->demand, device, &link);
	} else if (name[0]) {
		demand_name_set(in->demand, device, name);
	}
}

static void note(struct intake *in, struct demand_event *event)
{
	struct scope_who who;

	whom_look(in->whom, event->device, &who);
	if (!whom_counts(in->whom, event->device, &who))
		event->bits |= DEMAND_APART;
	demand_note(in->demand, event);
	link_put(in, event->device, &who);
}

static void drain(struct intake *in)
{
	struct demand_count count;
	struct demand_event event;

	for (unsigned i = 0; i < ARRAY_LEN(in->rings); i++)
		while (in->rings[i] && demand_ring_get(in->rings[i], &event))
			note(in, &event);
	demand_count(in->demand, &count);
	STAT_SET(STAT_DEMAND_OBJECTS, count.objects);
	STAT_SET(STAT_DEMAND_DEVICES, count.devices);
	STAT_SET(STAT_DEMAND_FORGOTTEN, count.dropped);
}

static struct intake *intake_of(struct worker *control)
{
	return control->proxy->intake;
}

static void on_hurry(struct worker *control, struct mail *mail)
{
	(void)mail;
	drain(intake_of(control));
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct intake *in = arg;

	(void)fd;
	(void)what;
	drain(in);
	CHECK_OK(event_add(&in->look, worker_timeout(in->control, LOOK_MS)));
}

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	struct intake *in = arg;
	int64_t window = in->control->config->settings.demand.window / 1000;
	bool more;

	(void)fd;
	(void)what;
	demand_expire(in->demand, worker_now(in->control)->wall_ms / 1000 - window);
	more = demand_save(in->demand, in->control->proxy->writer, SAVE_ROWS);
	CHECK_OK(event_add(&in->save, worker_timeout(in->control, more ? MORE_MS : SAVE_MS)));
}

static enum demand_devices devices_of(const struct worker *control)
{
	return (enum demand_devices)control->config->settings.demand.devices;
}

static void on_heard(void *arg, const uint8_t device[16], const char *name)
{
	struct intake *in = arg;

	whom_heard(in->whom, device, name);
	drain(in);
	demand_name_set(in->demand, device, whom_name(in->whom, device));
}

static void names_see_to(struct intake *in)
{
	whom_reload(in->whom);
	if (in->control->config->settings.demand.names == TARN_NAMES_OFF)
		demand_names_forget(in->demand);
}

static int read_last(struct intake *in)
{
	struct store_reader *reader;
	int rc = store_reader_new(in->control->proxy->store, &reader);

	if (rc < 0)
		return rc;
	demand_load(in->demand, reader);
	store_reader_free(&reader);
	names_see_to(in);
	return 0;
}

int intake_new(struct worker *control, struct intake **ret_intake)
{
	struct intake *in = calloc(1, sizeof(*in));
	int rc;

	if (!in)
		return -ENOMEM;
	in->control = control;
	in->config = config_ref(control->config);
	mail_init(&in->hurry, on_hurry);
	CHECK_OK(evtimer_assign(&in->look, control->base, on_look, in));
	CHECK_OK(evtimer_assign(&in->save, control->base, on_save, in));
	rc = demand_new(&DEMAND_LIMITS_DEFAULT, devices_of(control), &in->demand);
	if (rc == 0)
		rc = whom_new(control, &in->whom);
	if (rc == 0)
		rc = read_last(in);
	if (rc == 0)
		rc = heard_new(control, on_heard, in, &in->heard);
	for (unsigned i = 0; rc == 0 && i < ARRAY_LEN(in->rings); i++)
		rc = demand_ring_new(&in->rings[i]);
	if (rc < 0) {
		intake_free(&in);
		return rc;
	}
	CHECK_OK(event_add(&in->look, worker_timeout(control, LOOK_MS)));
	CHECK_OK(event_add(&in->save, worker_timeout(control, SAVE_MS)));
	*ret_intake = in;
	return 0;
}

void intake_free(struct intake **intake)
{
	struct intake *in = *intake;

	*intake = NULL;
	if (!in)
		return;
	if (in->demand && in->whom) {
		drain(in);
		(void)demand_save(in->demand, in->control->proxy->writer, UINT32_MAX);
	}
	mail_cancel(in->control, &in->hurry);
	event_del(&in->look);
	event_del(&in->save);
	for (unsigned i = 0; i < ARRAY_LEN(in->rings); i++)
		demand_ring_free(&in->rings[i]);
	heard_free(&in->heard);
	whom_free(&in->whom);
	demand_free(&in->demand);
	config_unref(&in->config);
	free(in);
}

static bool counts(void *arg, const struct demand_device *device)
{
	const struct intake *in = arg;
	const struct tarn_settings *s = &in->control->config->settings;
	struct scope_who who;

	whom_known(device, &who);
	return scope_takes(&s->scope.ahead, &s->scope.not_ahead, &who, NULL);
}

void intake_reload(struct intake *in)
{
	const struct tarn_settings *now = &in->control->config->settings;
	const struct tarn_settings *before = &in->config->settings;

	drain(in);
	demand_devices_set(in->demand, devices_of(in->control));
	names_see_to(in);
	heard_reload(in->heard);
	if (!scope_list_eq(&now->scope.ahead, &before->scope.ahead) ||
	    !scope_list_eq(&now->scope.not_ahead, &before->scope.not_ahead))
		demand_count_again(in->demand, counts, in);
	config_unref(&in->config);
	in->config = config_ref(in->control->config);
}

void intake_station(struct intake *in, const struct heritage_station *station)
{
	struct scope_who who;

	if (!in)
		return;
	whom_told(in->whom, station);
	whom_peek(in->whom, station->addr, &who);
	drain(in);
	link_put(in, station->addr, &who);
	if (whom_counts(in->whom, station->addr, &who))
		demand_count_in(in->demand, station->addr);
}

void intake_link(struct intake *in, struct scope_who *who)
{
	uint8_t device[16];

	addr_to_in6(&who->addr, device);
	whom_peek(in->whom, device, who);
}

void intake_note(struct intake *in, struct worker *worker, const struct demand_event *event)
{
	bool hurry;

	if (!in || worker->index >= ARRAY_LEN(in->rings))
		return;
	if (!demand_ring_put(in->rings[worker->index], event, &hurry))
		STAT_INC(STAT_DEMAND_DROPPED);
	if (hurry)
		mailbox_post(in->control, &in->hurry);
}

struct demand *intake_demand(struct intake *in)
{
	drain(in);
	return in->demand;
}
