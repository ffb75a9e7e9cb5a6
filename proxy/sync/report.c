/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of fetching ahead: states, progress, history, what went out. */
#include "proxy/sync/sync_priv.h"

static const char *const stages[] = {
#define X(name, text, help) [RUN_##name] = text,
	RUN_STAGES(X)
#undef X
};

struct progress {
	size_t done, total;
	uint64_t done_bytes, total_bytes;
	uint64_t coming; /* of what is being fetched */
};

/* Sizes are known where the index tells them, or the object has come. */
static struct progress progress_of(const struct run *run)
{
	struct progress p = { 0 };

	for (size_t i = 0; i < run->n; i++) {
		const struct item *item = run->items[i];
		bool sized = item->expect.known && item->expect.size != INDEX_SIZE_UNKNOWN;
		uint64_t size = sized ? item->expect.size : item->done ? (uint64_t)item->size : 0;
		uint64_t came = item->pull ? pull_bytes(item->pull) : 0;

		if (item->in_old && !item->in_new && !item->index)
			continue;
		p.total++;
		p.done += item->done;
		p.total_bytes += size > came ? size : came;
		p.done_bytes += item->done ? size : came;
		p.coming += came;
	}
	return p;
}

static void put_run(const struct sync *sync, const struct run *run, json_t *row)
{
	struct progress p = progress_of(run);
	double s = (double)(worker_now(sync->control)->mono_ms - run->began) / 1000;
	/* What was here already was not fetched. */
	double rate = s > 0.1 ? (double)(run->bytes + p.coming) / s : 0;

	(void)json_object_set_new(row, "stage", json_string(stages[run->stage]));
	(void)json_object_set_new(row, "done", json_integer((json_int_t)p.done));
	(void)json_object_set_new(row, "total", json_integer((json_int_t)p.total));
	(void)json_object_set_new(row, "done_bytes", json_integer((json_int_t)p.done_bytes));
	(void)json_object_set_new(row, "total_bytes", json_integer((json_int_t)p.total_bytes));
	(void)json_object_set_new(row, "rate", json_integer((json_int_t)rate));
	if (rate > 0)
		(void)json_object_set_new(
			row, "left_s",
			json_integer((json_int_t)((double)(p.total_bytes - p.done_bytes) / rate)));
}

static const char *state_of(const struct sync *sync, const struct vendor *vendor)
{
	if (vendor->paused)
		return "paused";
	if (sync->run && sync->run->vendor == vendor)
		return "running";
	if (vendor->due)
		return "waiting";
	return vendor->failures ? "failed" : "idle";
}

static json_t *vendor_report(const struct sync *sync, const struct vendor *vendor)
{
	struct now now = *worker_now(sync->control);
	unsigned n = vendor->published_n;
	int64_t next = now.wall_ms + (int64_t)(vendor->next_at - now.mono_ms);
	json_t *row =
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:s}", "profile", vendor->name,
			  "state", state_of(sync, vendor), "generation",
			  (json_int_t)(n ? vendor->published[n - 1].number : 0), "published_at",
			  (json_int_t)(n ? vendor->published[n - 1].at_ms : 0), "last_at",
			  (json_int_t)vendor->last * 1000, "next_at", (json_int_t)next, "held",
			  generation_is_held(sync->control->proxy->generations, vendor->name, now),
			  "why", vendor->trouble);

	if (row && sync->run && sync->run->vendor == vendor)
		put_run(sync, sync->run, row);
	return row;
}

json_t *sync_report(struct sync *sync)
{
	json_t *profiles = json_array();
	const struct vendor *vendor;

	LIST_FOREACH(vendor, &sync->vendors, link)
	if (profiles && !vendor->gone)
		(void)json_array_append_new(profiles, vendor_report(sync, vendor));
	return json_pack("{s:o*, s:O}", "profiles", profiles, "history", sync->history);
}

json_t *sync_sent(struct sync *sync)
{
	return json_pack("{s:O}", "sent", sync->sent);
}
