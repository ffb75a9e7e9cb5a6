/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: events; the log's level; and streams. A stream looks each second at what is new: as server-sent
 * events for the page (with the live figures), or a JSON object a line for tarnctl.
 */
#include <event2/event.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/admin/events.h"
#include "proxy/admin/route.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define LIMIT_MAX   1000
#define LIMIT_USUAL 100
#define STREAM_MS   1000
#define STREAMS_MAX 32

static unsigned streams_open; /* the control loop's */

static void get_events(struct admin_ask *ask)
{
	struct events *events = ask->control->proxy->events;
	int64_t after, limit;

	if (admin_query_number(ask, "after", 0, INT64_MAX, -1, &after) < 0 ||
	    admin_query_number(ask, "limit", 1, LIMIT_MAX, LIMIT_USUAL, &limit) < 0)
		return;
	if (!events)
		return admin_answer_error(ask, 503, "starting", "not yet: the proxy is starting");
	admin_answer_json(ask, 200,
			  json_pack("{s:o}", "events", events_json(events, after, (size_t)limit)));
}

/* ---- the log's level ------------------------------------------------------------------------------ */

static json_t *level_json(void)
{
	return json_pack("{s:s}", "level",
			 log_level_name((enum log_level)atomic_load(&log_level_now)));
}

static void get_log(struct admin_ask *ask)
{
	admin_answer_json(ask, 200, level_json());
}

/* Until the next reload or restart: then it is the configuration's again. */
static void put_log(struct admin_ask *ask)
{
	const char *text = admin_body_text(ask, "level");
	enum log_level level;

	if (!text || log_level_parse(span_of(text), &level) < 0)
		return admin_answer_error(ask, 422, "level",
					  "level is error, warn, notice, info or debug");
	log_level_set(level);
	LOG(LOG_L_NOTICE, "log.level", "level=%s", log_level_name(level));
	admin_answer_json(ask, 200, level_json());
}

/* ---- streams -------------------------------------------------------------------------------------- */

struct watch {
	struct worker *control;
	struct admin_stream *stream;
	struct event tick;
	int64_t seen; /* the last event that was sent */
	bool due;     /* a second has passed */
	bool live;    /* server-sent events with figures, not lines */
};

static bool put_json(struct evbuffer *out, const char *before, json_t *json, const char *after)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	bool put = text && evbuffer_add_printf(out, "%s%s%s", before, text, after) >= 0;

	free(text);
	json_decref(json);
	return put;
}

static json_t *live_json(struct worker *control)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "at", worker_now(control)->wall_ms,
			 "to_devices", stat_read(STAT_BYTES_TO_DEVICES), "from_vendor",
			 stat_read(STAT_BYTES_FROM_VENDOR), "requests", stat_read(STAT_REQUESTS),
			 "connections", stat_read(STAT_CONN_OPEN), "flights",
			 stat_read(STAT_FLIGHT_OPEN));
}

static int watch_next(void *arg, struct evbuffer *out)
{
	struct watch *watch = arg;
	json_t *rows, *row;
	bool put = true;
	size_t i;

	if (!watch->due)
		return -EAGAIN;
	watch->due = false;
	if (watch->live)
		put = put_json(out, "event: live\ndata: ", live_json(watch->control), "\n\n");
	rows = events_json(watch->control->proxy->events, watch->seen, LIMIT_USUAL);
	json_array_foreach(rows, i, row)
	{
		watch->seen = json_integer_value(json_object_get(row, "id"));
		put = put && put_json(out, watch->live ? "event: event\ndata: " : "",
				      json_incref(row), watch->live ? "\n\n" : "\n");
	}
	json_decref(rows);
	return put ? -EAGAIN : -ENOMEM;
}

static void watch_end(void *arg)
{
	struct watch *watch = arg;

	streams_open--;
	event_del(&watch->tick);
	free(watch);
}

/* The stream may end within the wake, and the watch with it: so that comes last. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;

	(void)fd, (void)what;
	watch->due = true;
	CHECK_OK(event_add(&watch->tick, worker_timeout(watch->control, STREAM_MS)));
	admin_stream_wake(watch->stream);
}

static void open_stream(struct admin_ask *ask, const char *type, bool live)
{
	static const struct admin_source source = { watch_next, watch_end };
	struct worker *control = ask->control;
	struct admin_stream *stream;
	struct watch *watch;
	int64_t after;

	if (!control->proxy->events)
		return admin_answer_error(ask, 503, "starting", "not yet: the proxy is starting");
	if (admin_query_number(ask, "after", 0, INT64_MAX, events_newest(control->proxy->events),
			       &after) < 0)
		return;
	if (streams_open >= STREAMS_MAX)
		return admin_answer_error(ask, 503, "streams", "%d streams are open already",
					  STREAMS_MAX);
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return admin_answer_errno(ask, -ENOMEM);
	streams_open++;
	watch->control = control;
	watch->seen = after;
	watch->live = live;
	watch->due = true;
	CHECK_OK(evtimer_assign(&watch->tick, control->base, on_tick, watch));
	stream = admin_stream_open(ask, type, NULL, &source, watch);
	if (!stream)
		return; /* and the watch is gone */
	watch->stream = stream;
	CHECK_OK(event_add(&watch->tick, worker_timeout(control, STREAM_MS)));
}

static void get_stream(struct admin_ask *ask)
{
	open_stream(ask, "text/event-stream", true);
}

static void get_follow(struct admin_ask *ask)
{
	open_stream(ask, "application/x-ndjson", false);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/events", ADMIN_VIEW, get_events },
	{ ADMIN_GET, "/api/v1/events/follow", ADMIN_VIEW, get_follow },
	{ ADMIN_GET, "/api/v1/stream", ADMIN_VIEW, get_stream },
	{ ADMIN_GET, "/api/v1/log", ADMIN_VIEW, get_log },
	{ ADMIN_PUT, "/api/v1/log", ADMIN_OPERATE, put_log },
};
ADMIN_TABLE(events, routes);
