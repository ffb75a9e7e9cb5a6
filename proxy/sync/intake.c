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
#include "proxy/sync/intake.h"

#define LOOK_MS	  1000
#define SAVE_MS	  30000
#define SAVE_ROWS 64 /* at once, so that the writer's queue has room for the rest */
#define MORE_MS	  200

struct intake {
	struct worker *control;
	struct demand *demand;
	struct demand_ring *rings[HERITAGE_WORKERS_MAX];
	struct mail hurry;
	struct event look, save;
};

static void drain(struct intake *in)
{
	struct demand_count count;
	struct demand_event event;

	for (unsigned i = 0; i < ARRAY_LEN(in->rings); i++)
		while (in->rings[i] && demand_ring_get(in->rings[i], &event))
			demand_note(in->demand, &event);
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

static int read_last(struct intake *in)
{
	struct store_reader *reader;
	int rc = store_reader_new(in->control->proxy->store, &reader);

	if (rc < 0)
		return rc;
	demand_load(in->demand, reader);
	store_reader_free(&reader);
	return 0;
}

int intake_new(struct worker *control, struct intake **ret_intake)
{
	struct intake *in = calloc(1, sizeof(*in));
	int rc;

	if (!in)
		return -ENOMEM;
	in->control = control;
	mail_init(&in->hurry, on_hurry);
	CHECK_OK(evtimer_assign(&in->look, control->base, on_look, in));
	CHECK_OK(evtimer_assign(&in->save, control->base, on_save, in));
	rc = demand_new(&DEMAND_LIMITS_DEFAULT, devices_of(control), &in->demand);
	if (rc == 0)
		rc = read_last(in);
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
	if (in->demand) {
		drain(in);
		(void)demand_save(in->demand, in->control->proxy->writer, UINT32_MAX);
	}
	mail_cancel(in->control, &in->hurry);
	event_del(&in->look);
	event_del(&in->save);
	for (unsigned i = 0; i < ARRAY_LEN(in->rings); i++)
		demand_ring_free(&in->rings[i]);
	demand_free(&in->demand);
	free(in);
}

void intake_reload(struct intake *in)
{
	demand_devices_set(in->demand, devices_of(in->control));
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
