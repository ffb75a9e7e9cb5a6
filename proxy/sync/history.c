/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of runs and publications, in one row of state, as the JSON that the API gives:
 *
 *	{"history": [run ...], "vendors": {name: {"last": seconds, "published": [[number, at ms] ...], "paused": true,
 *	 "cuts": how often in a row a run was cut off, counting the one that runs}}}
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "proxy/sync/schedule.h"
#include "proxy/sync/sync_priv.h"

#define ROW SPAN("sync/history")

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
	return json_pack("{s:I, s:o*, s:b, s:i}", "last", (json_int_t)vendor->last, "published",
			 published, "paused", vendor->paused, "cuts", (int)vendor->cuts + running);
}

void history_save(struct sync *sync)
{
	json_t *vendors = json_object();
	json_t *all = json_pack("{s:O, s:o*}", "history", sync->history, "vendors", vendors);
	const struct vendor *vendor;
	char *text;

	LIST_FOREACH(vendor, &sync->vendors, link)
	if (all && vendors)
		(void)json_object_set_new(
			vendors, vendor->name,
			vendor_pack(vendor, sync->run && sync->run->vendor == vendor));
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	if (!text ||
	    writer_put_state(sync->control->proxy->writer, ROW, span_of(text), NULL, NULL) < 0)
		LOG(LOG_L_INFO, "sync.not_saved", "bytes=%zu", text ? strlen(text) : 0);
	free(text);
	json_decref(all);
}

static void vendor_unpack(const struct sync *sync, struct vendor *vendor, const json_t *all)
{
	const json_t *row = json_object_get(json_object_get(all, "vendors"), vendor->name);
	const json_t *published = json_object_get(row, "published"), *one;
	size_t i;

	vendor->last = json_integer_value(json_object_get(row, "last"));
	vendor->paused = json_is_true(json_object_get(row, "paused"));
	vendor->cuts = (unsigned)json_integer_value(json_object_get(row, "cuts"));
	vendor->due = vendor->cuts > 0;
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
}

void history_load(struct sync *sync)
{
	char *text = malloc(WRITER_STATE_MAX);
	struct vendor *vendor;
	json_t *all = NULL;
	size_t n;

	if (text && store_state_get(sync->reader, ROW, text, WRITER_STATE_MAX, &n) == 0)
		all = json_loadb(text, n, 0, NULL);
	free(text);
	if (!json_is_object(all) || !json_is_array(json_object_get(all, "history"))) {
		json_decref(all);
		return;
	}
	json_decref(sync->history);
	sync->history = json_incref(json_object_get(all, "history"));
	LIST_FOREACH(vendor, &sync->vendors, link)
	vendor_unpack(sync, vendor, all);
	json_decref(all);
	sync_reload(sync); /* the next run counts from the last one */
}
