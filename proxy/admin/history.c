/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timer looks at the counters and adds what they grew by to the three rings' newest slots. A day is the local one: it
 * begins where the time zone of now says; of days before a change of the clocks the hour may be off.
 */
#include "proxy/admin/history.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/store.h"
#include "cache/writer.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/admin/ring.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define LOOK_MS	   10000
#define SAVE_LOOKS 30 /* looks between two savings: five minutes */

enum kind {
	SUM,
	LAST
};

struct series {
	const char *name;
	enum kind kind;
	enum stat_id id;
};

static const struct series series[] = {
#define X(name, kind, id) { #name, kind, id },
	HISTORY_SERIES(X)
#undef X
};
#define SERIES ARRAY_LEN(series)

struct kept {
	const char *name, *row;
	int64_t step_s;
	unsigned slots;
};

static const struct kept rings[] = {
	{ "minute", "history/minute", 60, 240 },
	{ "hour", "history/hour", 3600, 336 },
	{ "day", "history/day", 86400, 400 },
};
#define RINGS ARRAY_LEN(rings)

_Static_assert(SERIES <= RING_SERIES_MAX && 64 + 400 * SERIES * 8 <= WRITER_STATE_MAX,
	       "each ring fits a row of state");

struct history {
	struct worker *control;
	struct event look_event;
	struct ring rings[RINGS];
	int64_t before[SERIES]; /* the counters at the last look */
	unsigned looks;
};

/* ---- time ------------------------------------------------------------------------------------- */

/* Seconds that local time is ahead of UTC. */
static int64_t zone_s(int64_t wall_s)
{
	time_t at = (time_t)wall_s;
	struct tm tm;

	return localtime_r(&at, &tm) ? tm.tm_gmtoff : 0;
}

static int64_t step_of(const struct kept *kept, int64_t wall_s)
{
	int64_t s = wall_s + (kept->step_s == 86400 ? zone_s(wall_s) : 0);

	return s > 0 ? s / kept->step_s : 0;
}

/* The end of a step, ms since 1970. */
static int64_t end_of(const struct kept *kept, int64_t step)
{
	int64_t s = (step + 1) * kept->step_s;

	return 1000 * (s - (kept->step_s == 86400 ? zone_s(s) : 0));
}

/* ---- looking ---------------------------------------------------------------------------------- */

static void add(int64_t *values, const int64_t grown[SERIES], const int64_t now[SERIES])
{
	for (size_t i = 0; i < SERIES; i++) {
		if (series[i].kind == LAST)
			values[i] = now[i];
		else
			values[i] = (values[i] == RING_NONE ? 0 : values[i]) + grown[i];
	}
}

static void look(struct history *history)
{
	int64_t wall_s = worker_now(history->control)->wall_ms / 1000;
	int64_t now[SERIES], grown[SERIES];

	for (size_t i = 0; i < SERIES; i++) {
		now[i] = stat_read(series[i].id);
		grown[i] = now[i] - history->before[i];
		history->before[i] = now[i];
	}
	for (size_t r = 0; r < RINGS; r++)
		add(ring_at(&history->rings[r], step_of(&rings[r], wall_s)), grown, now);
}

/* ---- rows ------------------------------------------------------------------------------------- */

static void save(struct history *history)
{
	struct writer *writer = history->control->proxy->writer;
	uint8_t *bytes = malloc(WRITER_STATE_MAX);
	int rc = bytes && writer ? 0 : -ENOMEM;

	for (size_t r = 0; r < RINGS && rc == 0; r++) {
		ring_write(&history->rings[r], bytes);
		rc = writer_put_state(writer, span_of(rings[r].row),
				      span_make(bytes, ring_bytes(&history->rings[r])), NULL, NULL);
	}
	if (rc < 0)
		LOG(LOG_L_WARN, "history.save", "rc=%d", rc);
	free(bytes);
}

/* A row that is absent or damaged: history begins anew. */
static void row_read(struct store_reader *reader, const struct kept *kept, struct ring *ring)
{
	uint8_t *bytes = malloc(WRITER_STATE_MAX);
	size_t n;
	int rc;

	rc = bytes ? store_state_get(reader, span_of(kept->row), bytes, WRITER_STATE_MAX, &n)
		   : -ENOMEM;
	if (rc == 0)
		rc = ring_read(ring, span_make(bytes, n));
	if (rc < 0 && rc != -ENOENT)
		LOG(LOG_L_WARN, "history.read", "row=%s rc=%d", kept->row, rc);
	free(bytes);
}

static void rows_read(struct history *history)
{
	struct store_reader *reader;

	if (!history->control->proxy->store ||
	    store_reader_new(history->control->proxy->store, &reader) < 0)
		return;
	for (size_t r = 0; r < RINGS; r++)
		row_read(reader, &rings[r], &history->rings[r]);
	store_reader_free(&reader);
}

/* ---- its life --------------------------------------------------------------------------------- */

static void look_run(evutil_socket_t fd, short what, void *arg)
{
	struct history *history = arg;

	(void)fd;
	(void)what;
	look(history);
	if (++history->looks % SAVE_LOOKS == 0)
		save(history);
	CHECK_OK(event_add(&history->look_event, worker_timeout(history->control, LOOK_MS)));
}

static void history_drop(struct history *history)
{
	for (size_t r = 0; r < RINGS; r++)
		ring_clear(&history->rings[r]);
	free(history);
}

int history_new(struct worker *control, struct history **ret_history)
{
	struct history *history = calloc(1, sizeof(*history));
	int rc = 0;

	if (!history)
		return -ENOMEM;
	history->control = control;
	for (size_t r = 0; r < RINGS && rc == 0; r++)
		rc = ring_init(&history->rings[r], rings[r].slots, SERIES);
	if (rc < 0) {
		history_drop(history);
		return rc;
	}
	rows_read(history);
	CHECK_OK(evtimer_assign(&history->look_event, control->base, look_run, history));
	CHECK_OK(event_add(&history->look_event, worker_timeout(control, LOOK_MS)));
	*ret_history = history;
	return 0;
}

void history_free(struct history **ptr)
{
	struct history *history = *ptr;

	*ptr = NULL;
	if (!history)
		return;
	CHECK_OK(event_del(&history->look_event));
	look(history);
	save(history);
	history_drop(history);
}

/* ---- what is asked for ------------------------------------------------------------------------ */

static json_t *values_json(const struct ring *ring, unsigned n, unsigned i)
{
	json_t *array = json_array();
	int rc = array ? 0 : -1;

	for (unsigned back = n; back-- > 0 && rc == 0;) {
		int64_t value = ring_look(ring, back, i);

		rc = json_array_append_new(array,
					   value == RING_NONE ? json_null() : json_integer(value));
	}
	if (rc == 0)
		return array;
	json_decref(array);
	return NULL;
}

/* Slots from the first measured one on. */
static unsigned filled(const struct ring *ring)
{
	unsigned n = ring->slots;

	while (n > 1 && ring_look(ring, n - 1, 0) == RING_NONE)
		n--;
	return n;
}

int history_json(struct history *history, const char *name, json_t **ret_json)
{
	json_t *all, *object;
	size_t r = 0;
	int rc = 0;

	while (r < RINGS && strcmp(rings[r].name, name) != 0)
		r++;
	if (r == RINGS)
		return -EINVAL;
	look(history);
	all = json_object();
	for (size_t i = 0; i < SERIES && rc == 0; i++)
		rc = json_object_set_new(
			all, series[i].name,
			values_json(&history->rings[r], filled(&history->rings[r]), (unsigned)i));
	object = rc < 0 ? NULL
			: json_pack("{s:s, s:I, s:I, s:O}", "ring", rings[r].name, "step_s",
				    (json_int_t)rings[r].step_s, "end",
				    (json_int_t)end_of(&rings[r], history->rings[r].newest),
				    "series", all);
	json_decref(all);
	if (!object)
		return -ENOMEM;
	*ret_json = object;
	return 0;
}
