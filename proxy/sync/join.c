/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices ask for of the generation that is published, and that was not in it, joins it: once it is here and is what
 * the indexes name, without a new number, so no device is behind for it. A run that finds the indexes unchanged does so
 * (run.c); one is begun soon after the first such request.
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "proxy/sync/sync_priv.h"

/* The keys of a generation. */
struct known {
	UT_hash_handle hh;
};

struct members {
	struct manifest *manifest;
	struct known *rows, *by_key;
};

static void members_free(struct members *m)
{
	HASH_CLEAR(hh, m->by_key);
	free(m->rows);
	manifest_free(&m->manifest);
}

/* 0, or -ENOENT (nothing is published), -errno. */
static int members_load(struct sync *sync, const char *profile, struct members *ret_members)
{
	struct members m = { 0 };
	int rc = manifest_load(sync->reader, profile, MANIFEST_CURRENT, &m.manifest);
	size_t n;

	if (rc < 0)
		return rc;
	n = manifest_info(m.manifest)->n;
	m.rows = calloc(n + 1, sizeof(*m.rows));
	for (size_t i = 0; m.rows && i < n; i++) {
		const struct manifest_member *member = manifest_at(m.manifest, i);

		HASH_ADD_KEYPTR(hh, m.by_key, member->key.p, member->key.n, &m.rows[i]);
	}
	if (!m.rows) {
		manifest_free(&m.manifest);
		return -ENOMEM;
	}
	*ret_members = m;
	return 0;
}

static bool is_member(const struct members *m, struct span key)
{
	struct known *row;

	HASH_FIND(hh, m->by_key, key.p, key.n, row);
	return row != NULL;
}

static int see_object(void *arg, const struct demand_object *object)
{
	return !object->index && !is_member(arg, object->key);
}

bool join_wanted(struct sync *sync, const struct vendor *vendor)
{
	const struct worker *control = sync->control;
	int64_t since = worker_now(sync->control)->wall_ms / 1000 -
			control->config->settings.demand.window / 1000;
	struct members members;
	bool wanted;

	if (members_load(sync, vendor->name, &members) < 0)
		return false;
	wanted = demand_each_object(intake_demand(control->proxy->intake), vendor->name, since,
				    see_object, &members) != 0;
	members_free(&members);
	return wanted;
}

bool join_begin(struct run *run)
{
	struct members members;

	if (members_load(run->sync, run->vendor->name, &members) < 0)
		return false;
	for (size_t i = 0; i < run->n; i++) {
		struct item *item = run->items[i];

		item->member = is_member(&members, span_of(item->key));
		run->joining |= !item->index && !item->member;
	}
	if (run->joining)
		run->generation = manifest_info(members.manifest)->number;
	members_free(&members);
	return run->joining;
}

/* One that is not there, or not what the index names, waits for the next generation. */
static bool joins(const struct item *item)
{
	return !item->index && !item->member && item->done && item->id && item->found_key &&
	       (item->outcome == PULL_UNCHANGED || item->outcome == PULL_FRESH);
}

int join_write(struct run *run, writer_done_f *done)
{
	const struct proxy *proxy = run->sync->control->proxy;
	struct manifest_member *members = calloc(run->n + 1, sizeof(*members));
	struct publish what = {
		.profile = run->vendor->name,
		.info.number = run->generation,
		.members = members,
	};
	int rc;

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < run->n; i++) {
		const struct item *item = run->items[i];

		if (joins(item))
			members[what.n++] = (struct manifest_member){
				.key = span_of(item->found_key),
				.id = item->id,
				.size = item->size,
			};
	}
	rc = what.n ? manifest_extend(run->sync->reader, proxy->writer, &what, done, run) : -ENOENT;
	if (rc == 0) {
		LOG(LOG_L_INFO, "sync.join", "vendor=%s generation=%ju objects=%zu", what.profile,
		    (uintmax_t)run->generation, what.n);
		writer_hurry(proxy->writer);
	}
	free(members);
	return rc;
}
