/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run: its manifest, and one transaction in which the staged objects take their places. From its
 * beginning on, the index that a device is given decides on which generation its update is (proxy/generation.h).
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "proxy/sync/sync_priv.h"

struct lists {
	struct manifest_member *members;
	struct publish_item *items;
	size_t members_n, items_n, items_room;
};

static bool is_member(const struct item *item)
{
	return item->done && item->id && item->found_key &&
	       (item->outcome == PULL_UNCHANGED || item->outcome == PULL_STAGED ||
		item->outcome == PULL_FRESH);
}

static void add_item(struct lists *l, struct span key, uint64_t id)
{
	for (size_t i = 0; i < l->items_n; i++)
		if (l->items[i].staged_id == id && id)
			return; /* a marker, of several variants */
	l->items[l->items_n++] = (struct publish_item){ key, id };
}

static void add_members(const struct run *run, struct lists *l)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct item *item = run->items[i];
		struct span key = span_of(item->found_key);

		if (!is_member(item))
			continue;
		l->members[l->members_n++] = (struct manifest_member){
			.key = key,
			.id = item->id,
			.size = item->size,
			.index = item->index,
			.changed = item->outcome == PULL_STAGED,
		};
		if (item->outcome != PULL_STAGED)
			continue;
		if (item->marker_id)
			add_item(l, span_head(key, span_find(key, '\n')), item->marker_id);
		add_item(l, key, item->id);
	}
}

static bool is_listed(const struct lists *l, struct span key)
{
	for (size_t i = 0; i < l->items_n; i++)
		if (span_eq(l->items[i].key, key))
			return true;
	return false;
}

/* What the publication before put aside, and this one does not, goes. */
static void add_drops(const struct manifest *before, struct lists *l)
{
	size_t n = before ? manifest_info(before)->n : 0;

	for (size_t i = 0; i < n; i++) {
		const struct manifest_member *m = manifest_at(before, i);

		if (m->changed && !is_listed(l, m->key))
			l->items[l->items_n++] = (struct publish_item){ m->key, 0 };
	}
}

static void published_over(struct run *run)
{
	struct worker *control = run->sync->control;
	struct generations *g = control->proxy->generations;
	const char *name = run->vendor->name;
	struct stored *stored;

	if (run->published < 0) {
		generation_keep(g, name);
		run_trouble(run, "not published: %s", strerrorname_np(-run->published));
		run_end(run, "failed");
		return;
	}
	for (size_t i = 0; i < run->n; i++) {
		const struct item *item = run->items[i];
		struct cache_key key = key_of(span_of(item->found_key));

		if (!item->index || !is_member(item) ||
		    store_peek(run->sync->reader, &key, &stored) < 0)
			continue;
		generation_know(g, run->sync->reader, name, stored_object(stored));
		stored_free(&stored);
	}
	generation_publish(g, run->sync->reader, name, run->generation, *worker_now(control));
	history_published(run->vendor, run->generation, worker_now(control)->wall_ms);
	run_end(run, "done");
}

static void on_mail(struct worker *control, struct mail *mail)
{
	(void)control;
	published_over((struct run *)((char *)mail - offsetof(struct run, mail)));
}

/* The writer's thread. */
static void on_written(void *arg, int rc)
{
	struct run *run = arg;

	run->published = rc;
	mailbox_post(run->sync->control, &run->mail);
}

static int publish(struct run *run, struct lists *l)
{
	struct worker *control = run->sync->control;
	struct publish what = {
		.profile = run->vendor->name,
		.info = { .number = run->generation,
			  .published_ms = worker_now(control)->wall_ms,
			  .whole = true },
		.members = l->members,
		.n = l->members_n,
		.items = l->items,
		.items_n = l->items_n,
	};
	int rc;

	mail_init(&run->mail, on_mail);
	generation_publishing(control->proxy->generations, run->sync->reader, run->vendor->name,
			      run->generation);
	rc = manifest_publish(run->sync->reader, control->proxy->writer, &what, on_written, run);
	if (rc == 0) {
		run->publishing = true;
		writer_hurry(control->proxy->writer);
	}
	return rc;
}

void run_publish(struct run *run)
{
	struct manifest *before = NULL;
	struct lists l = { 0 };
	size_t room;
	int rc;

	if (manifest_load(run->sync->reader, run->vendor->name, MANIFEST_CURRENT, &before) < 0)
		before = NULL;
	room = 2 * run->n + (before ? manifest_info(before)->n : 0) + 1;
	l.members = calloc(run->n + 1, sizeof(*l.members));
	l.items = calloc(room, sizeof(*l.items));
	rc = l.members && l.items ? 0 : -ENOMEM;
	if (rc == 0) {
		add_members(run, &l);
		add_drops(before, &l);
		rc = publish(run, &l);
	}
	free(l.members);
	free(l.items);
	manifest_free(&before);
	if (rc == 0)
		return;
	run->published = rc;
	published_over(run);
}
