/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of runs and publications, in rows of state, as JSON: the runs of all vendors, as the API gives them, in
 * one row, and a row for each vendor, for what a row may hold is bounded (WRITER_STATE_MAX):
 *
 *	{"history": [run ...]}
 *	{"last": seconds, "published": [[number, at ms] ...], "paused": true, "cuts": how often in a row a run was cut off,
 *	 counting the one that runs, "stopped": the program was told to end while one ran, which is no cut}
 */
#include <stdio.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/sync/schedule.h"
#include "proxy/sync/sync_priv.h"

#define ROW	     SPAN("sync/history")
#define ROW_NAME_MAX (12 + DEMAND_NAME_MAX)

void history_published(struct vendor *vendor, uint64_t number, int64_t at_ms)
{
	if (vendor->published_n == SYNC_NUMBERS_MAX) {
		vendor->published_n--;
		memmove(vendor->published, vendor->published + 1,
			vendor->published_n * sizeof(vendor->published[0]));
	}
	vendor->published[vendor->published_n].number = number;
	vendor->published[vendor->published_n++].at_ms = at_ms;
}

static void row_add(struct sync *sync, json_t *row)
{
	if (!row)
		return;
	if (json_array_size(sync->history) == SYNC_HISTORY_MAX)
		(void)json_array_remove(sync->history, 0);
	(void)json_array_append_new(sync->history, row);
}

void history_add(struct run *run, const char *result)
{
	struct sync *sync = run->sync;
	uint64_t took = worker_now(sync->control)->mono_ms - run->began;
	json_t *row = json_pack(
		"{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:s}", "at",
		(json_int_t)run->began_wall, "profile", run->vendor->name, "result", result, "why",
		run->why, "generation", (json_int_t)(strcmp(result, "done") ? 0 : run->generation),
		"items", (json_int_t)run->n, "objects", (json_int_t)run->objects, "bytes",
		(json_int_t)run->bytes, "took_s", (double)took / 1000, "trouble", run->trouble);

	row_add(sync, row);
}

void history_add_carried(struct sync *sync, const struct sync_carried *carried)
{
	row_add(sync, json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:s}", "at",
				(json_int_t)worker_now(sync->control)->wall_ms, "profile",
				carried->profile, "result", "done", "why", "import", "generation",
				(json_int_t)carried->number, "items", (json_int_t)carried->objects,
				"objects", (json_int_t)carried->objects, "bytes",
				(json_int_t)carried->bytes, "took_s", 0.0, "trouble", ""));
}

static json_t *vendor_pack(const struct vendor *vendor, bool running)
{
	json_t *published = json_array();

	for (unsigned i = 0; published && i < vendor->published_n; i++)
		(void)json_array_append_new(
			published, json_pack("[I, I]", (json_int_t)vendor->published[i].number,
					     (json_int_t)vendor->published[i].at_ms));
	return json_pack("{s:I, s:o*, s:b, s:i, s:b}", "last", (json_int_t)vendor->last,
			 "published", published, "paused", vendor->paused, "cuts",
			 (int)vendor->cuts + running, "stopped", vendor->stopped);
}

static void row_put(struct sync *sync, struct span name, json_t *row)
{
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;

	if (!text ||
	    writer_put_state(sync->control->proxy->writer, name, span_of(text), NULL, NULL) < 0) {
		STAT_INC(STAT_STORE_DROPPED);
		LOG(LOG_L_INFO, "sync.not_saved", "row=%.*s bytes=%zu", (int)name.n, name.p,
		    text ? strlen(text) : 0);
	}
	free(text);
	json_decref(row);
}

static struct span vendor_row(const struct vendor *vendor, char buf[ROW_NAME_MAX])
{
	return span_make(buf, (size_t)snprintf(buf, ROW_NAME_MAX, "sync/vendor/%s", vendor->name));
}

void history_save(struct sync *sync)
{
	row_put(sync, ROW, json_pack("{s:O}", "history", sync->history));
}

void history_save_vendor(struct sync *sync, const struct vendor *vendor)
{
	char name[ROW_NAME_MAX];

	row_put(sync, vendor_row(vendor, name),
		vendor_pack(vendor, !vendor->stopped && sync->run && sync->run->vendor == vendor));
}

static json_t *row_get(const struct sync *sync, struct span name)
{
	char *text = malloc(WRITER_STATE_MAX);
	json_t *row = NULL;
	size_t n;

	if (text && store_state_get(sync->reader, name, text, WRITER_STATE_MAX, &n) == 0)
		row = json_loadb(text, n, 0, NULL);
	free(text);
	return row;
}

/* Tarn before 27 November 2026 had the vendors in the row of runs, as "vendors". */
static json_t *row_older(const struct sync *sync, const struct vendor *vendor)
{
	json_t *all = row_get(sync, ROW);
	json_t *row = json_incref(json_object_get(json_object_get(all, "vendors"), vendor->name));

	json_decref(all);
	return row;
}

void history_load_vendor(struct sync *sync, struct vendor *vendor)
{
	char name[ROW_NAME_MAX];
	json_t *row = row_get(sync, vendor_row(vendor, name));
	bool older = !row && (row = row_older(sync, vendor)) != NULL;
	const json_t *published = json_object_get(row, "published"), *one;
	size_t i;

	vendor->last = json_integer_value(json_object_get(row, "last"));
	vendor->paused = json_is_true(json_object_get(row, "paused"));
	vendor->cuts = (unsigned)json_integer_value(json_object_get(row, "cuts"));
	vendor->due = vendor->cuts > 0 || json_is_true(json_object_get(row, "stopped"));
	vendor->why = "it was cut off by a restart";
	/* One that ends the program each time must not do so without a pause. */
	if (vendor->cuts > 1)
		vendor->due_at = worker_now(sync->control)->mono_ms +
				 schedule_retry(&sync->control->config->settings, vendor->cuts - 1);
	json_array_foreach(published, i, one)
	{
		uint64_t number = (uint64_t)json_integer_value(json_array_get(one, 0));

		if (number)
			history_published(vendor, number,
					  json_integer_value(json_array_get(one, 1)));
	}
	json_decref(row);
	/* The next run that is saved leaves no vendors in its row. */
	if (older)
		history_save_vendor(sync, vendor);
}

void history_load(struct sync *sync)
{
	json_t *row = row_get(sync, ROW), *history = json_object_get(row, "history");

	if (json_is_array(history)) {
		json_decref(sync->history);
		sync->history = json_incref(history);
	}
	json_decref(row);
}
