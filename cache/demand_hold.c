/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stays in demand because who has it looks whether it has changed. Most objects are held by many devices: the first that
 * looked lately settles it, and `is_current` is asked about few pairs.
 */
#include "cache/demand_priv.h"

struct hold {
	struct demand *demand;
	struct span profile;
	int64_t step;
	demand_is_current_f *is_current;
	void *arg;
};

static bool is_of(const struct wish *wish, struct span profile)
{
	struct span key = span_make(wish->key, wish->key_n);

	return span_eq(span_head(key, span_find(key, ' ')), profile);
}

static void wish_hold(const struct hold *hold, struct wish *wish, uint64_t id, int64_t at,
		      bool counts)
{
	bool later = at >= wish->last + hold->step;
	/* Of nobody who counts it stays so. */
	bool wanted = counts && wish->wanted && at >= wish->wanted + hold->step;

	if ((!later && !wanted) || wish->index || !is_of(wish, hold->profile) ||
	    !hold->is_current(hold->arg, span_make(wish->key, wish->key_n), id))
		return;
	if (later)
		wish->last = at;
	if (wanted)
		wish->wanted = at;
	hold->demand->row_dirty[wish->slot / DEMAND_ROW_OBJECTS] = true;
}

static void asker_hold(const struct hold *hold, const struct asker *asker, bool counts)
{
	int64_t at = 0;

	for (unsigned i = 0; i < asker->standings_n; i++)
		if (span_eq(span_of(asker->standings[i].profile), hold->profile))
			at = asker->standings[i].updated;
	for (uint32_t i = 0; at && i < asker->pairs_n; i++) {
		const struct pair *pair = &asker->pairs[i];

		if (pair->got_id)
			wish_hold(hold, hold->demand->wishes[pair->object], pair->got_id, at,
				  counts);
	}
}

static void nameless_hold(const struct hold *hold)
{
	const struct demand *d = hold->demand;
	int64_t at = 0;

	for (uint32_t i = 0; i < d->limits.objects; i++) {
		const struct wish *wish = d->wishes[i];

		if (wish && wish->index && wish->wanted > at && is_of(wish, hold->profile))
			at = wish->wanted;
	}
	for (uint32_t i = 0; at && i < d->limits.objects; i++)
		if (d->wishes[i])
			wish_hold(hold, d->wishes[i], 0, at, true);
}

void demand_hold(struct demand *d, const char *profile, int64_t step,
		 demand_is_current_f *is_current, demand_counts_f *counts, void *arg)
{
	const struct hold hold = { d, span_of(profile), step, is_current, arg };

	if (d->devices == DEMAND_DEVICES_OFF)
		nameless_hold(&hold);
	for (uint32_t i = 0; i < d->limits.devices; i++) {
		struct demand_device view = { 0 };

		if (!d->askers[i])
			continue;
		demand_asker_view(d, d->askers[i], &view);
		asker_hold(&hold, d->askers[i], !view.named || counts(arg, &view));
	}
}
