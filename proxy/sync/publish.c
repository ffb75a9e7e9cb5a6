/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run: what it brought together is published as one generation (publication.h). */
#include "firmware/base/log.h"
#include "proxy/sync/publication.h"
#include "proxy/sync/sync_priv.h"

static bool is_member(const struct item *item)
{
	return item->done && item->id && item->found_key &&
	       (item->outcome == PULL_UNCHANGED || item->outcome == PULL_STAGED ||
		item->outcome == PULL_FRESH);
}

static void add_members(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct item *item = run->items[i];
		const struct publication_member member = {
			.key = span_of(item->found_key),
			.id = item->id,
			.size = item->size,
			.index = item->index,
			.staged = item->outcome == PULL_STAGED,
			.marker_id = item->marker_id,
		};

		if (is_member(item))
			publication_add(run->publication, &member);
	}
}

/* What was fetched in the place of something is in demand as that was: it may be replaced before anybody asks for it. */
static void demand_goes_on(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct item *item = run->items[i];

		if (item->takes && is_member(item))
			demand_replaced(intake_demand(run->sync->control->proxy->intake),
					span_of(item->takes->key), span_of(item->found_key));
	}
}

static void published_over(struct run *run, int rc)
{
	struct worker *control = run->sync->control;
	struct now now = *worker_now(control);

	if (run->publication)
		publication_over(run->publication, control->proxy->generations, run->sync->reader,
				 run->generation, rc, now);
	if (rc < 0) {
		run_trouble(run, "not published: %s", strerrorname_np(-rc));
		run_end(run, "failed");
		return;
	}
	demand_goes_on(run);
	if (!run->joining)
		history_published(run->vendor, run->generation, now.wall_ms);
	run_end(run, "done");
}

static void on_mail(struct worker *control, struct mail *mail)
{
	struct run *run = (struct run *)((char *)mail - offsetof(struct run, mail));

	(void)control;
	published_over(run, run->published);
}

/* The writer's thread. */
static void on_written(void *arg, int rc)
{
	struct run *run = arg;

	run->published = rc;
	mailbox_post(run->sync->control, &run->mail);
}

void run_publish(struct run *run)
{
	struct proxy *proxy = run->sync->control->proxy;
	const struct manifest_info info = {
		.number = run->generation,
		.published_ms = worker_now(run->sync->control)->wall_ms,
		.whole = true,
	};
	int rc;

	mail_init(&run->mail, on_mail);
	rc = run->joining ? join_write(run, on_written)
			  : publication_new(run->vendor->name, run->n, &run->publication);
	if (rc == -ENOENT && run->joining) {
		run_end(run, "unchanged");
		return;
	}
	if (rc == 0 && !run->joining) {
		add_members(run);
		rc = publication_start(run->publication, proxy->generations, run->sync->reader,
				       proxy->writer, &info, on_written, run);
	}
	if (rc < 0)
		published_over(run, rc);
	else
		run->publishing = true;
}
