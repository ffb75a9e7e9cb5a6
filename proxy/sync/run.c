/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run: one vendor, from its indexes to a published generation.
 *
 *	run_begin --> INDEXES -- none changed --------------------------------> "unchanged"
 *	                 | one has, or a device asked for what the published generation lacks (join.c)
 *	                 v
 *	   +----------> READ (read.c): what they name; old and new together tell what took whose place
 *	   |             |
 *	   |             v
 *	   |          OBJECTS -- one can't be had ------------------------------> "failed"
 *	   | changed     |
 *	   | again       v
 *	   +---------- RECHECK -- not what the index names, and that is no other -> "failed"
 *	                 | as before
 *	                 v
 *	              PUBLISH (publish.c) --------------------------------------> "done"
 *
 * That the indexes are the same before and after makes the objects in between theirs, also where an index says nothing
 * of what it names. What was staged stays, so a run that is tried again only asks whether it still holds.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/sync/publication.h"
#include "proxy/sync/sync_priv.h"

/* ---- items --------------------------------------------------------------------------------------- */

void run_trouble(struct run *run, const char *format, ...)
{
	va_list args;

	if (run->trouble[0])
		return; /* the first says most */
	va_start(args, format);
	(void)vsnprintf(run->trouble, sizeof(run->trouble), format, args);
	va_end(args);
}

static size_t base_of(struct span key)
{
	size_t line = span_find(key, '\n'), query = span_find(span_head(key, line), '?');

	return query;
}

struct item *run_find(struct run *run, struct span base)
{
	struct item *item;

	HASH_FIND(hh, run->by_base, base.p, base.n, item);
	return item;
}

static void item_free(struct item *item)
{
	free(item->key);
	free(item->host);
	free(item->found_key);
	free(item);
}

static bool items_grow(struct run *run)
{
	size_t room = run->room ? run->room * 2 : 64;
	struct item **items;

	if (run->n < run->room)
		return true;
	items = realloc(run->items, room * sizeof(*items));
	if (!items)
		return false;
	run->items = items;
	run->room = room;
	return true;
}

struct item *run_item(struct run *run, struct span key, struct span host, bool index, bool asked)
{
	struct item *item =
		run->n < SYNC_ITEMS_MAX && items_grow(run) ? calloc(1, sizeof(*item)) : NULL;

	if (!item)
		return NULL;
	item->key = span_dup(key);
	item->host = span_dup(host);
	if (!item->key || !item->host) {
		item_free(item);
		return NULL;
	}
	item->base_n = base_of(key);
	item->index = index;
	item->asked = asked;
	item->run = run;
	/* Queries and variants of one path share its entry in the index: the first stands for them. */
	if (!run_find(run, span_make(item->key, item->base_n)))
		HASH_ADD_KEYPTR(hh, run->by_base, item->key, item->base_n, item);
	run->items[run->n++] = item;
	return item;
}

/* ---- what goes out ------------------------------------------------------------------------------- */

struct text {
	char *p;
	size_t n, size;
	bool full;
};

static void text_add(struct text *t, struct span s)
{
	if (t->full || s.n >= t->size - t->n) {
		t->full = true;
		return;
	}
	memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
	t->p[t->n] = 0;
}

/* What {name} stands for: p NULL if it is none of ours. */
static struct span value_of(const struct run *run, struct span name, char buf[32])
{
	const struct tarn_settings *s = &run->config->settings;

	if (span_eq(name, SPAN("product_id")))
		return span_of(s->sync.product_id);
	if (span_eq(name, SPAN("product_version")))
		return span_of(s->sync.product_version);
	if (span_eq(name, SPAN("installation_id")))
		return span_of(s->sync.installation_id);
	if (span_eq(name, SPAN("licence_id")))
		return span_of(s->sync.licence_id);
	if (!span_eq(name, SPAN("run")))
		return (struct span){ 0 };
	return span_make(buf, (size_t)snprintf(buf, 32, "%016jx", (uintmax_t)run->number));
}

/* False: something in it has no value. */
static bool template_write(const struct run *run, struct span template, struct text *out)
{
	while (template.n) {
		size_t open = span_find(template, '{');
		struct span inside, value;
		char buf[32];

		text_add(out, span_head(template, open));
		if (open == template.n)
			return true;
		template = span_drop(template, open + 1);
		inside = span_head(template, span_find(template, '}'));
		value = value_of(run, inside, buf);
		if (!value.n || inside.n == template.n)
			return false;
		text_add(out, value);
		template = span_drop(template, inside.n + 1);
	}
	return true;
}

/* NAME=TEMPLATE with its value, between `before`, `middle` and `after`; nothing if it has none. */
static void row_write(const struct run *run, const char *row, struct text *out, struct span before,
		      struct span middle, struct span after)
{
	struct span rest = span_of(row), name;
	struct text was = *out;
	bool whole;

	if (!span_cut(&rest, '=', &name) || !name.n || !rest.n)
		return;
	text_add(out, before);
	text_add(out, name);
	text_add(out, middle);
	whole = template_write(run, rest, out);
	text_add(out, after);
	if (!whole)
		*out = was;
	out->p[out->n] = 0;
}

/* The lines that select a variant, and what the profile says of us. */
static void headers_write(const struct run *run, const struct profile *profile, struct span key,
			  struct text *out)
{
	const struct string_list *rows = profile_sync_headers(profile);
	struct span lines = span_drop(key, span_find(key, '\n')), line;

	while (span_cut(&lines, '\n', &line)) {
		size_t colon = span_find(line, ':');

		if (!line.n || colon + 1 >= line.n)
			continue;
		text_add(out, span_head(line, colon));
		text_add(out, SPAN(": "));
		text_add(out, span_drop(line, colon + 1));
		text_add(out, SPAN("\r\n"));
	}
	for (size_t i = 0; i < rows->n; i++)
		row_write(run, rows->v[i], out, SPAN(""), SPAN(": "), SPAN("\r\n"));
}

static void target_write(const struct run *run, const struct profile *profile, struct span key,
			 struct text *out)
{
	const struct string_list *rows = profile_sync_query(profile);
	struct span rest = span_head(key, span_find(key, '\n')), word;

	(void)span_cut(&rest, ' ', &word);
	(void)span_cut(&rest, ' ', &word);
	text_add(out, rest);
	for (size_t i = 0; i < rows->n; i++) {
		bool first = !memchr(out->p, '?', out->n);

		row_write(run, rows->v[i], out, first ? SPAN("?") : SPAN("&"), SPAN("="), SPAN(""));
	}
}

/* ---- pulls --------------------------------------------------------------------------------------- */

static void sent_add(struct run *run, const char *head)
{
	json_t *sent = run->sync->sent;

	if (!*head || !sent)
		return;
	if (json_array_size(sent) == SYNC_SENT_MAX)
		(void)json_array_remove(sent, 0);
	(void)json_array_append_new(sent,
				    json_pack("{s:I, s:s, s:s}", "at",
					      (json_int_t)worker_now(run->sync->control)->wall_ms,
					      "profile", run->vendor->name, "head", head));
}

static void result_count(struct run *run, const struct item *item, const struct pull_result *result)
{
	if (result->outcome != PULL_STAGED && result->outcome != PULL_FRESH)
		return;
	if (!result->asked || result->status == 304 || item->id == result->id)
		return;
	run->objects++;
	run->bytes += (uint64_t)result->size;
	STAT_INC(STAT_SYNC_OBJECTS);
	STAT_ADD(STAT_SYNC_BYTES, (uint64_t)result->size);
}

static uint64_t rate_of(const struct run *run)
{
	return (uint64_t)run->config->settings.sync.rate;
}

/* A fetch keeps to the rate from its second read on: of small objects that is none of it. One at a time is fetched then. */
static void rest_after(struct run *run, const struct item *item, const struct pull_result *result)
{
	if (rate_of(run) && result->asked && result->status != 304 && result->size > 0)
		run->rests_until = item->began + (uint64_t)result->size * 1000 / rate_of(run);
}

static void on_pulled(void *arg, const struct pull_result *result, const char *sent)
{
	struct item *item = arg;
	struct run *run = item->run;

	item->pull = NULL;
	rest_after(run, item, result);
	item->done = true;
	run->pulls--;
	sent_add(run, sent);
	result_count(run, item, result);
	item->outcome = result->outcome;
	item->id = result->id;
	item->marker_id = result->marker_id;
	item->size = result->size;
	free(item->found_key);
	item->found_key = span_dup(result->key);
	if (!item->found_key)
		item->outcome = PULL_FAILED;
	if (result->outcome == PULL_FAILED)
		run_trouble(run, "%s: %s", item->key,
			    result->status >= 400 ? "the vendor answered with an error"
						  : strerror(-result->error));
	if (result->outcome == PULL_GONE && !item->index)
		demand_gone(intake_demand(run->sync->control->proxy->intake), span_of(item->key));
	run->mismatch |= result->outcome == PULL_MISMATCH;
	run_go_on(run);
}

static int item_pull(struct run *run, struct item *item)
{
	char target[8192], headers[4096];
	struct text t = { target, 0, sizeof(target), false },
		    h = { headers, 0, sizeof(headers), false };
	const struct profile *profile =
		profiles_by_name(run->config->profiles, span_of(run->vendor->name));
	struct pull_ask ask = {
		.key = span_of(item->key),
		.host = span_of(item->host),
		.generation = run->generation,
		.rate = rate_of(run),
		.index = item->index,
		.expect = item->expect,
	};
	unsigned worker = (unsigned)(run->next % workers_count(run->sync->control->proxy->workers));

	if (!profile)
		return -ENOENT;
	headers[0] = target[0] = 0;
	target_write(run, profile, ask.key, &t);
	headers_write(run, profile, ask.key, &h);
	ask.target = span_make(target, t.n);
	ask.headers = span_make(headers, h.n);
	if (t.full || h.full || !t.n)
		return -EMSGSIZE;
	item->began = worker_now(run->sync->control)->mono_ms;
	return pull_start(run->sync->control,
			  workers_at(run->sync->control->proxy->workers, worker), &ask, on_pulled,
			  item, &item->pull);
}

/* ---- stages -------------------------------------------------------------------------------------- */

static bool is_of_stage(const struct run *run, const struct item *item)
{
	if (run->stage == RUN_OBJECTS)
		return !item->index && !(item->in_old && !item->in_new) &&
		       !(run->joining && item->member);
	return item->index && (run->stage == RUN_INDEXES || run->stage == RUN_RECHECK);
}

static void stage_enter(struct run *run, enum run_stage stage)
{
	run->stage = stage;
	run->next = 0;
	for (size_t i = 0; i < run->n; i++)
		if (is_of_stage(run, run->items[i])) {
			run->items[i]->done = false;
			run->items[i]->id_before = run->items[i]->id;
		}
}

static bool any(const struct run *run, bool index, enum pull_outcome outcome)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->items[i]->index == index && run->items[i]->done &&
		    run->items[i]->outcome == outcome)
			return true;
	return false;
}

static bool is_published(struct run *run)
{
	struct manifest *manifest;
	int rc = manifest_load(run->sync->reader, run->vendor->name, MANIFEST_CURRENT, &manifest);

	if (rc == 0)
		manifest_free(&manifest);
	return rc == 0;
}

static void indexes_over(struct run *run)
{
	bool changed = any(run, true, PULL_STAGED) || any(run, true, PULL_FRESH);

	if (any(run, true, PULL_FAILED)) {
		run_end(run, "failed");
	} else if (!changed && !any(run, true, PULL_UNCHANGED)) {
		run_trouble(run, any(run, true, PULL_GONE)
					 ? "the vendor has none of the indexes any more"
					 : "no device has asked for an index");
		run_end(run, "unchanged");
	} else if (!changed && is_published(run) && !join_begin(run)) {
		run_end(run, "unchanged");
	} else {
		run->stage = RUN_READ;
		reading_begin(run);
	}
}

void run_read(struct run *run)
{
	reading_free(&run->reading);
	if (run->trouble[0]) {
		run_end(run, "failed");
		return;
	}
	stage_enter(run, RUN_OBJECTS);
	run_go_on(run);
}

static void recheck_over(struct run *run)
{
	bool changed = false;

	for (size_t i = 0; i < run->n; i++)
		changed |= run->items[i]->index && run->items[i]->id != run->items[i]->id_before;
	if (any(run, true, PULL_FAILED)) {
		run_end(run, "failed");
	} else if (changed && ++run->round == SYNC_ROUNDS) {
		run_trouble(run, "the indexes changed %u times in one run", run->round);
		run_end(run, "failed");
	} else if (changed) {
		/* What was confirmed for the last round is not for this one. */
		uint64_t next =
			generation_next(run->sync->control->proxy->generations, run->sync->reader,
					run->vendor->name, *worker_now(run->sync->control));

		run->generation = next > run->generation ? next : run->generation + 1;
		run->mismatch = run->joining = false;
		run->stage = RUN_READ;
		reading_begin(run);
	} else if (run->mismatch && !run->joining) {
		run_trouble(run, "objects are not what the index names");
		run_end(run, "failed");
	} else {
		run->stage = RUN_PUBLISH;
		run_publish(run);
	}
}

static void stage_over(struct run *run)
{
	switch (run->stage) {
	case RUN_INDEXES:
		indexes_over(run);
		break;
	case RUN_OBJECTS:
		if (!run->joining && any(run, false, PULL_FAILED)) {
			run_end(run, "failed");
			break;
		}
		stage_enter(run, RUN_RECHECK);
		run_go_on(run);
		break;
	case RUN_RECHECK:
		recheck_over(run);
		break;
	case RUN_READ:
	case RUN_PUBLISH:
		break;
	}
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_go_on(arg);
}

/* Not yet: it is called again when it is time. */
static bool rests(struct run *run)
{
	uint64_t now = worker_now(run->sync->control)->mono_ms, ms;
	struct timeval tv;

	if (run->rests_until <= now)
		return false;
	ms = run->rests_until - now;
	tv = (struct timeval){ (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };
	CHECK_OK(event_add(&run->rest, &tv));
	return true;
}

void run_go_on(struct run *run)
{
	unsigned most = rate_of(run) ? 1 : SYNC_PULLS;

	if (run->stage == RUN_READ || run->stage == RUN_PUBLISH)
		return;
	if (run->cancelled) {
		if (!run->pulls)
			run_end(run, "cancelled");
		return;
	}
	if (rests(run))
		return;
	while (!run->vendor->paused && run->pulls < most && run->next < run->n) {
		struct item *item = run->items[run->next++];

		if (item->done || !is_of_stage(run, item))
			continue;
		if (item_pull(run, item) < 0) {
			item->done = true;
			item->outcome = PULL_GONE; /* no request can be made of it any more */
			continue;
		}
		run->pulls++;
	}
	if (!run->pulls && run->next == run->n)
		stage_over(run);
}

/* ---- life ---------------------------------------------------------------------------------------- */

static int collect(void *arg, const struct demand_object *object)
{
	struct run *run = arg;

	(void)run_item(run, object->key, object->host, object->index, true);
	return 0;
}

int run_begin(struct sync *sync, struct vendor *vendor, const char *why)
{
	struct now now = *worker_now(sync->control);
	struct run *run = calloc(1, sizeof(*run));
	int64_t since = now.wall_ms / 1000 - sync->control->config->settings.demand.window / 1000;

	if (!run)
		return -ENOMEM;
	run->sync = sync;
	run->vendor = vendor;
	run->why = why;
	CHECK_OK(evtimer_assign(&run->rest, sync->control->base, on_rested, run));
	run->config = config_ref(sync->control->config);
	run->began_wall = now.wall_ms;
	run->began = now.mono_ms;
	run->generation =
		generation_next(sync->control->proxy->generations, sync->reader, vendor->name, now);
	run->number = clock_mono_ns() ^ run->generation << 20;
	demand_each_object(intake_demand(sync->control->proxy->intake), vendor->name, since,
			   collect, run);
	sync->run = run;
	(void)json_array_clear(sync->sent);
	STAT_INC(STAT_SYNC_RUNS);
	LOG(LOG_L_INFO, "sync.run", "vendor=%s why=%s items=%zu", vendor->name, why, run->n);
	stage_enter(run, RUN_INDEXES);
	run_go_on(run);
	return 0;
}

void run_cancel(struct run *run)
{
	run->cancelled = true;
	for (size_t i = 0; i < run->n; i++)
		if (run->items[i]->pull)
			pull_cancel(run->items[i]->pull);
	if (run->stage == RUN_READ)
		run_end(run, "cancelled");
	else if (!run->pulls)
		run_go_on(run);
}

void run_free(struct run **run_)
{
	struct run *run = *run_;

	*run_ = NULL;
	if (!run)
		return;
	event_del(&run->rest);
	reading_free(&run->reading);
	publication_free(&run->publication);
	HASH_CLEAR(hh, run->by_base);
	for (size_t i = 0; i < run->n; i++) {
		pull_drop(&run->items[i]->pull);
		item_free(run->items[i]);
	}
	free(run->items);
	config_unref(&run->config);
	free(run);
}

void run_end(struct run *run, const char *result)
{
	struct sync *sync = run->sync;
	struct vendor *vendor = run->vendor;
	bool failed = !strcmp(result, "failed");

	LOG(failed ? LOG_L_WARN : LOG_L_INFO, "sync.end",
	    "vendor=%s result=%s objects=%ju bytes=%ju rounds=%u why=%s", vendor->name, result,
	    (uintmax_t)run->objects, (uintmax_t)run->bytes, run->round,
	    LOG_QUOTE(span_of(run->trouble)));
	(void)snprintf(vendor->trouble, sizeof(vendor->trouble), "%s", failed ? run->trouble : "");
	vendor->ended = worker_now(sync->control)->mono_ms;
	vendor->failures = failed ? vendor->failures + 1 : 0;
	if (failed)
		STAT_INC(STAT_SYNC_FAILED);
	else
		generation_release(sync->control->proxy->generations, vendor->name);
	history_add(run, result);
	sync->run = NULL;
	run_free(&run);
	if (!sync->stopping)
		sync_run_over(sync, vendor);
}
