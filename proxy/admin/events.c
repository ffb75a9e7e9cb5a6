/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring under a lock, for lines come from any thread: event `id` is in slot id % EVENTS_MAX, and ids have no
 * gaps. Page p of the store's rows is slots p * EVENTS_A_PAGE on; pages in which something is new are saved every
 * SAVE_MS and at the end. A kill loses what is younger.
 *
 * The ring is static: a thread that is still in the tap when events_free() returns finds it there.
 */
#include "proxy/admin/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/store.h"
#include "cache/writer.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define SAVE_MS 5000

struct event_row {
	int64_t id, at; /* id 0: none */
	enum log_level level;
	char what[EVENT_WHAT_MAX];
	char text[EVENT_TEXT_MAX];
};

struct events {
	struct worker *control;
	struct event save;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct event_row ring[EVENTS_MAX]; /* and what follows: under the lock */
static int64_t newest;
static bool dirty[EVENT_PAGES];

static void tap(enum log_level level, const char *event, const char *text)
{
	int64_t at = clock_read().wall_ms;
	struct event_row *row;

	if (level > LOG_L_NOTICE)
		return;
	CHECK_OK(pthread_mutex_lock(&lock));
	newest++;
	row = &ring[newest % EVENTS_MAX];
	row->id = newest;
	row->at = at;
	row->level = level;
	(void)snprintf(row->what, sizeof(row->what), "%s", event);
	(void)snprintf(row->text, sizeof(row->text), "%s", text);
	dirty[newest % EVENTS_MAX / EVENTS_A_PAGE] = true;
	CHECK_OK(pthread_mutex_unlock(&lock));
}

/* ---- the rows ------------------------------------------------------------------------------------- */

static void row_name(unsigned page, char name[32])
{
	(void)snprintf(name, 32, "events/%u", page);
}

static json_t *page_json(unsigned page)
{
	json_t *rows = json_array();

	CHECK_OK(pthread_mutex_lock(&lock));
	for (unsigned i = 0; i < EVENTS_A_PAGE && rows; i++) {
		const struct event_row *row = &ring[page * EVENTS_A_PAGE + i];

		if (row->id)
			(void)json_array_append_new(rows, json_pack("[I, I, i, s, s]", row->id,
								    row->at, (int)row->level,
								    row->what, row->text));
	}
	dirty[page] = false;
	CHECK_OK(pthread_mutex_unlock(&lock));
	return rows;
}

static void page_save(struct events *events, unsigned page)
{
	json_t *rows = page_json(page);
	char *text = rows ? json_dumps(rows, JSON_COMPACT) : NULL;
	char name[32];

	row_name(page, name);
	/* What can't be saved now is so with the page's next event. */
	if (text && writer_put_state(events->control->proxy->writer, span_of(name), span_of(text),
				     NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
	free(text);
	json_decref(rows);
}

static void save(struct events *events)
{
	for (unsigned page = 0; page < EVENT_PAGES; page++) {
		bool is_dirty;

		CHECK_OK(pthread_mutex_lock(&lock));
		is_dirty = dirty[page];
		CHECK_OK(pthread_mutex_unlock(&lock));
		if (is_dirty)
			page_save(events, page);
	}
}

/* What makes no sense is left out. */
static void row_load(json_t *json)
{
	const char *what, *text;
	json_int_t id, at;
	int level;

	if (json_unpack(json, "[I, I, i, s, s]", &id, &at, &level, &what, &text) < 0 || id < 1 ||
	    level < LOG_L_ERROR || level > LOG_L_NOTICE)
		return;
	CHECK_OK(pthread_mutex_lock(&lock));
	if (ring[id % EVENTS_MAX].id < id) {
		struct event_row *row = &ring[id % EVENTS_MAX];

		row->id = id;
		row->at = at;
		row->level = (enum log_level)level;
		(void)snprintf(row->what, sizeof(row->what), "%s", what);
		(void)snprintf(row->text, sizeof(row->text), "%s", text);
	}
	if (id > newest)
		newest = id;
	CHECK_OK(pthread_mutex_unlock(&lock));
}

static void pages_load(struct store_reader *reader, char *buf)
{
	for (unsigned page = 0; page < EVENT_PAGES; page++) {
		char name[32];
		json_t *rows, *row;
		size_t n = 0, i;

		row_name(page, name);
		if (store_state_get(reader, span_of(name), buf, WRITER_STATE_MAX, &n) < 0)
			continue;
		rows = json_loadb(buf, n, 0, NULL);
		json_array_foreach(rows, i, row)
		{
			row_load(row);
		}
		json_decref(rows);
	}
}

static void load(struct events *events)
{
	char *buf = malloc(WRITER_STATE_MAX);
	struct store_reader *reader;

	if (buf && store_reader_new(events->control->proxy->store, &reader) == 0) {
		pages_load(reader, buf);
		store_reader_free(&reader);
	}
	free(buf);
}

/* ---- its life, and what it tells ------------------------------------------------------------------ */

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	struct events *events = arg;

	(void)fd, (void)what;
	save(events);
	CHECK_OK(event_add(&events->save, worker_timeout(events->control, SAVE_MS)));
}

int events_new(struct worker *control, struct events **ret_events)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	events->control = control;
	CHECK_OK(evtimer_assign(&events->save, control->base, on_save, events));
	load(events);
	log_tap_set(tap);
	on_save(-1, 0, events);
	*ret_events = events;
	return 0;
}

void events_free(struct events **ptr)
{
	struct events *events = *ptr;

	*ptr = NULL;
	if (!events)
		return;
	log_tap_set(NULL);
	event_del(&events->save);
	save(events);
	free(events);
}

int64_t events_newest(struct events *events)
{
	int64_t id;

	(void)events;
	CHECK_OK(pthread_mutex_lock(&lock));
	id = newest;
	CHECK_OK(pthread_mutex_unlock(&lock));
	return id;
}

json_t *events_json(struct events *events, int64_t after, size_t limit)
{
	int64_t last = events_newest(events), first = after < 0 ? last - (int64_t)limit : after;
	json_t *rows = json_array();
	bool bad = !rows;

	if (first < last - EVENTS_MAX)
		first = last - EVENTS_MAX;
	for (int64_t id = first + 1; id <= last && !bad && json_array_size(rows) < limit; id++) {
		struct event_row row;

		if (id < 1)
			continue;
		CHECK_OK(pthread_mutex_lock(&lock));
		row = ring[id % EVENTS_MAX];
		CHECK_OK(pthread_mutex_unlock(&lock));
		if (row.id == id) /* the kill of a proxy may have left gaps */
			bad = json_array_append_new(rows,
						    json_pack("{s:I, s:I, s:s, s:s, s:s}", "id",
							      row.id, "at", row.at, "level",
							      log_level_name(row.level), "what",
							      row.what, "text", row.text)) < 0;
	}
	if (!bad)
		return rows;
	json_decref(rows);
	return NULL;
}
