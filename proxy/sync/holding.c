/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices have, and the generation still has as they have it, stays in demand while they look at its indexes. Without
 * this, what does not change for longer than [demand] window would fall out of the repository that is shown and exported, and
 * would not be fetched ahead when it does change.
 */
#include <stdlib.h>

#include "proxy/sync/sync_priv.h"
#include "proxy/sync/whom.h"

struct row {
	UT_hash_handle hh;
	uint64_t id;
};

struct holding {
	const struct tarn_settings *settings;
	struct row *rows, *by_key;
};

static bool is_current(void *arg, struct span key, uint64_t id)
{
	const struct holding *h = arg;
	struct row *row;

	HASH_FIND(hh, h->by_key, key.p, key.n, row);
	return row && (!id || row->id == id);
}

static bool counts(void *arg, const struct demand_device *device)
{
	const struct holding *h = arg;
	struct scope_who who;

	whom_known(device, &who);
	return scope_takes(&h->settings->scope.ahead, &h->settings->scope.not_ahead, &who, NULL);
}

void holding_note(struct sync *sync, const char *profile)
{
	const struct tarn_settings *settings = &sync->control->config->settings;
	struct holding h = { .settings = settings };
	struct manifest *manifest;
	size_t n;

	if (manifest_load(sync->reader, profile, MANIFEST_CURRENT, &manifest) < 0)
		return; /* none is published */
	n = manifest_info(manifest)->n;
	h.rows = calloc(n + 1, sizeof(*h.rows));
	for (size_t i = 0; h.rows && i < n; i++) {
		const struct manifest_member *m = manifest_at(manifest, i);

		h.rows[i].id = m->id;
		HASH_ADD_KEYPTR(hh, h.by_key, m->key.p, m->key.n, &h.rows[i]);
	}
	if (h.rows)
		demand_hold(intake_demand(sync->control->proxy->intake), profile,
			    settings->demand.window / 1000 / 16, is_current, counts, &h);
	HASH_CLEAR(hh, h.by_key);
	free(h.rows);
	manifest_free(&manifest);
}
