/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices ask for of the generation that is published, and that was not in it, joins it: once it is here and is what
 * the indexes name, without a new number, so no device is behind for it. A run that finds the indexes unchanged does so
 * (run.c); one is begun soon after the first such request.
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "proxy/sync/sync_priv.h"

/* The keys of the generation that is published, and of the one before: what a new index dropped is not lacking. */
struct known {
	UT_hash_handle hh;
};

struct members {
	struct manifest *manifests[2]; /* by enum manifest_which; the previous may be NULL */
	struct known *rows[2], *by_key;
};

static void members_free(struct members *m)
{
	HASH_CLEAR(hh, m->by_key);
	for (unsigned i = 0; i < 2; i++) {
		free(m->rows[i]);
		if (m->manifests[i])
			manifest_free(&m->manifests[i]);
	}
}

static bool is_member(const struct members *m, struct span key)
{
	struct known *row;

	HASH_FIND(hh, m->by_key, key.p, key.n, row);
	return row != NULL;
}

static int members_add(struct sync *sync, const char *profile, enum manifest_which which,
		       struct members *m)
{
	int rc = manifest_load(sync->reader, profile, which, &m->manifests[which]);
	size_t n = rc == 0 ? manifest_info(m->manifests[which])->n : 0;

	if (rc < 0)
		return rc;
	m->rows[which] = calloc(n + 1, sizeof(*m->rows[which]));
	if (!m->rows[which])
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct span key = manifest_at(m->manifests[which], i)->key;

		if (!is_member(m, key))
			HASH_ADD_KEYPTR(hh, m->by_key, key.p, key.n, &m->rows[which][i]);
	}
	return 0;
}

/* 0, or -ENOENT (nothing is published), -errno. */
static int members_load(struct sync *sync, const char *profile, struct members *ret_members)
{
	struct members m = { 0 };
	int rc = members_add(sync, profile, MANIFEST_CURRENT, &m);

	if (rc == 0)
		rc = members_add(sync, profile, MANIFEST_PREVIOUS, &m);
	if (rc < 0 && (rc != -ENOENT || !m.manifests[MANIFEST_CURRENT])) {
		members_free(&m);
		return rc;
	}
	*ret_members = m;
	return 0;
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
		run->generation = manifest_info(members.manifests[MANIFEST_CURRENT])->number;
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
