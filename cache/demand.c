/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demand table. See demand_priv.h for its shape.
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/demand_priv.h"
#include "firmware/base/addr.h"
#include "firmware/base/stat.h"

/* ---- life ---------------------------------------------------------------------------------------- */

int demand_new(const struct demand_limits *limits, enum demand_devices devices,
	       struct demand **ret_demand)
{
	struct demand *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->limits = *limits;
	CHECK(limits->objects && limits->devices && limits->pairs &&
	      limits->pairs <= DEMAND_PAIRS_MAX);
	d->devices = devices;
	d->wish_rows = (limits->objects + DEMAND_ROW_OBJECTS - 1) / DEMAND_ROW_OBJECTS;
	d->wishes = calloc(limits->objects, sizeof(*d->wishes));
	d->askers = calloc(limits->devices, sizeof(*d->askers));
	d->row_dirty = calloc(d->wish_rows, sizeof(*d->row_dirty));
	d->asker_gone = calloc(limits->devices, sizeof(*d->asker_gone));
	if (!d->wishes || !d->askers || !d->row_dirty || !d->asker_gone ||
	    RAND_bytes(d->salt, sizeof(d->salt)) != 1) {
		demand_free(&d);
		return -ENOMEM;
	}
	d->head_dirty = true;
	*ret_demand = d;
	return 0;
}

static void asker_drop(struct demand *d, struct asker *asker)
{
	HASH_DELETE(hh, d->by_id, asker);
	d->askers[asker->slot] = NULL;
	d->asker_gone[asker->slot] = true;
	if (asker->slot < d->asker_free)
		d->asker_free = asker->slot;
	free(asker->pairs);
	free(asker);
}

static void askers_drop(struct demand *d)
{
	for (uint32_t i = 0; i < d->limits.devices; i++)
		if (d->askers[i])
			asker_drop(d, d->askers[i]);
}

/* Nobody's pair names it any more. */
static void wish_drop(struct demand *d, struct wish *wish)
{
	HASH_DELETE(hh, d->by_key, wish);
	d->wishes[wish->slot] = NULL;
	d->row_dirty[wish->slot / DEMAND_ROW_OBJECTS] = true;
	if (wish->slot < d->wish_free)
		d->wish_free = wish->slot;
	free(wish);
}

void demand_free(struct demand **demand)
{
	struct demand *d = *demand;

	*demand = NULL;
	if (!d)
		return;
	if (d->askers && d->asker_gone)
		askers_drop(d);
	for (uint32_t i = 0; d->wishes && d->row_dirty && i < d->limits.objects; i++)
		if (d->wishes[i])
			wish_drop(d, d->wishes[i]);
	free(d->wishes);
	free(d->askers);
	free(d->row_dirty);
	free(d->asker_gone);
	free(d);
}

void demand_devices_set(struct demand *d, enum demand_devices devices)
{
	if (d->devices == devices)
		return;
	askers_drop(d);
	d->devices = devices;
	d->head_dirty = true;
}

/* ---- objects ------------------------------------------------------------------------------------- */

struct wish *demand_wish_add(struct demand *d, uint32_t slot, struct span key)
{
	struct wish *wish = calloc(1, sizeof(*wish) + key.n + 1);

	if (!wish)
		return NULL;
	wish->slot = slot;
	wish->key_n = (uint32_t)key.n;
	memcpy(wish->key, key.p, key.n);
	HASH_ADD_KEYPTR(hh, d->by_key, wish->key, wish->key_n, wish);
	if (!wish->hh.tbl) {
		free(wish);
		return NULL;
	}
	d->wishes[slot] = wish;
	return wish;
}

/* Takes the pairs of all marked slots out of every device, then the objects. */
static void wishes_drop(struct demand *d, const bool *marked)
{
	for (uint32_t i = 0; i < d->limits.devices; i++) {
		struct asker *asker = d->askers[i];
		uint32_t n = 0;

		for (uint32_t k = 0; asker && k < asker->pairs_n; k++)
			if (!marked[asker->pairs[k].object])
				asker->pairs[n++] = asker->pairs[k];
		if (!asker || n == asker->pairs_n)
			continue;
		asker->pairs_n = n;
		asker->dirty = true;
	}
	for (uint32_t i = 0; i < d->limits.objects; i++)
		if (marked[i])
			wish_drop(d, d->wishes[i]);
}

/* The sixteenth that was asked for longest ago makes room, all at once: each time costs a walk. */
static void wishes_make_room(struct demand *d)
{
	int64_t oldest = INT64_MAX, newest = INT64_MIN, limit;
	uint32_t most = d->limits.objects / 16 + 1, n = 0;
	bool *marked = calloc(d->limits.objects, sizeof(*marked));

	for (uint32_t i = 0; i < d->limits.objects; i++) {
		if (d->wishes[i] && d->wishes[i]->last < oldest)
			oldest = d->wishes[i]->last;
		if (d->wishes[i] && d->wishes[i]->last > newest)
			newest = d->wishes[i]->last;
	}
	limit = oldest + (newest - oldest) / 16;
	for (uint32_t i = 0; marked && i < d->limits.objects && n < most; i++)
		if (d->wishes[i] && d->wishes[i]->last <= limit) {
			marked[i] = true;
			n++;
		}
	if (marked)
		wishes_drop(d, marked);
	free(marked);
	d->dropped += n;
}

static uint32_t wish_slot(struct demand *d)
{
	while (d->wish_free < d->limits.objects && d->wishes[d->wish_free])
		d->wish_free++;
	return d->wish_free;
}

/* The one of this key, or a new one with `first`; NULL without room. */
static struct wish *wish_get(struct demand *d, struct span key, int64_t first)
{
	struct wish *wish;

	HASH_FIND(hh, d->by_key, key.p, key.n, wish);
	if (wish)
		return wish;
	if (wish_slot(d) == d->limits.objects)
		wishes_make_room(d);
	wish = wish_slot(d) < d->limits.objects ? demand_wish_add(d, wish_slot(d), key) : NULL;
	if (wish)
		wish->first = first;
	else
		d->dropped++;
	return wish;
}

static struct wish *wish_of(struct demand *d, const struct demand_event *e)
{
	struct wish *wish = wish_get(d, e->key, e->at);

	if (!wish)
		return NULL;
	wish->last = e->at;
	if (!(e->bits & DEMAND_APART))
		wish->wanted = e->at;
	wish->asked++;
	wish->index = e->bits & DEMAND_INDEX;
	if (e->host.n)
		(void)!span_copy(e->host, wish->host, sizeof(wish->host));
	d->row_dirty[wish->slot / DEMAND_ROW_OBJECTS] = true;
	return wish;
}

void demand_replaced(struct demand *d, struct span key, struct span by)
{
	struct wish *wish, *was;
	struct wish copy;

	HASH_FIND(hh, d->by_key, key.p, key.n, was);
	if (!was || was->index)
		return;
	copy = *was; /* it may be what makes room */
	wish = wish_get(d, by, copy.first);
	if (!wish)
		return;
	if (copy.last > wish->last)
		wish->last = copy.last;
	if (copy.wanted > wish->wanted)
		wish->wanted = copy.wanted;
	if (!wish->host[0])
		memcpy(wish->host, copy.host, sizeof(wish->host));
	d->row_dirty[wish->slot / DEMAND_ROW_OBJECTS] = true;
	HASH_FIND(hh, d->by_key, key.p, key.n, was);
	if (!was || was == wish)
		return;
	was->wanted = 0;
	d->row_dirty[was->slot / DEMAND_ROW_OBJECTS] = true;
}

/* ---- devices ------------------------------------------------------------------------------------- */

struct asker *demand_asker_add(struct demand *d, uint32_t slot, const uint8_t id[16])
{
	struct asker *asker = calloc(1, sizeof(*asker));

	if (!asker)
		return NULL;
	asker->slot = slot;
	memcpy(asker->id, id, sizeof(asker->id));
	HASH_ADD(hh, d->by_id, id, sizeof(asker->id), asker);
	if (!asker->hh.tbl) {
		free(asker);
		return NULL;
	}
	d->askers[slot] = asker;
	d->asker_gone[slot] = false;
	return asker;
}

/* The one that was seen longest ago. */
static void asker_make_room(struct demand *d)
{
	struct asker *oldest = NULL;

	for (uint32_t i = 0; i < d->limits.devices; i++)
		if (d->askers[i] && (!oldest || d->askers[i]->last < oldest->last))
			oldest = d->askers[i];
	if (oldest)
		asker_drop(d, oldest);
	d->dropped++;
}

static uint32_t asker_slot(struct demand *d)
{
	while (d->asker_free < d->limits.devices && d->askers[d->asker_free])
		d->asker_free++;
	return d->asker_free;
}

/* As it is known: false if it is not. */
static bool device_id(const struct demand *d, const uint8_t device[16], uint8_t ret_id[16])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (d->devices == DEMAND_DEVICES_OFF)
		return false;
	memcpy(ret_id, device, 16);
	if (d->devices == DEMAND_DEVICES_ON)
		return true;
	if (!HMAC(EVP_sha256(), d->salt, sizeof(d->salt), device, 16, mac, &n) || n < 8)
		return false;
	memset(ret_id, 0, 16);
	memcpy(ret_id, mac, 8);
	return true;
}

static struct asker *asker_of(struct demand *d, const struct demand_event *e)
{
	struct asker *asker;
	uint8_t id[16];

	if (!device_id(d, e->device, id))
		return NULL;
	HASH_FIND(hh, d->by_id, id, sizeof(id), asker);
	if (!asker) {
		if (asker_slot(d) == d->limits.devices)
			asker_make_room(d);
		asker = demand_asker_add(d, asker_slot(d), id);
		if (!asker)
			return NULL;
		asker->first = e->at;
	}
	asker->last = e->at;
	asker->dirty = true;
	return asker;
}

static struct demand_standing *standing_of(struct asker *asker, struct span profile)
{
	struct demand_standing *s;

	for (unsigned i = 0; i < asker->standings_n; i++)
		if (span_eq(span_of(asker->standings[i].profile), profile))
			return &asker->standings[i];
	if (asker->standings_n == DEMAND_STANDINGS_MAX)
		return NULL;
	s = &asker->standings[asker->standings_n];
	*s = (struct demand_standing){ 0 };
	if (span_copy(profile, s->profile, sizeof(s->profile)) < 0)
		return NULL;
	asker->standings_n++;
	return s;
}

static uint32_t pair_place(const struct asker *asker, uint32_t object)
{
	uint32_t from = 0, to = asker->pairs_n;

	while (from < to) {
		uint32_t middle = (from + to) / 2;

		if (asker->pairs[middle].object < object)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void pair_make_room(struct asker *asker)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < asker->pairs_n; i++)
		if (asker->pairs[i].last < asker->pairs[oldest].last)
			oldest = i;
	asker->pairs_n--;
	memmove(asker->pairs + oldest, asker->pairs + oldest + 1,
		(asker->pairs_n - oldest) * sizeof(*asker->pairs));
}

static bool pairs_grow(struct asker *asker)
{
	uint32_t room = asker->pairs_room ? asker->pairs_room * 2 : 16;
	struct pair *pairs;

	if (asker->pairs_n < asker->pairs_room)
		return true;
	pairs = realloc(asker->pairs, room * sizeof(*pairs));
	if (!pairs)
		return false;
	asker->pairs = pairs;
	asker->pairs_room = room;
	return true;
}

struct pair *demand_pair_of(struct demand *d, struct asker *asker, uint32_t object)
{
	uint32_t at = pair_place(asker, object);

	if (at < asker->pairs_n && asker->pairs[at].object == object)
		return &asker->pairs[at];
	if (asker->pairs_n == d->limits.pairs) {
		pair_make_room(asker);
		at = pair_place(asker, object);
	}
	if (!pairs_grow(asker))
		return NULL;
	memmove(asker->pairs + at + 1, asker->pairs + at,
		(asker->pairs_n - at) * sizeof(*asker->pairs));
	asker->pairs[at] = (struct pair){ .object = object };
	asker->pairs_n++;
	return &asker->pairs[at];
}

static void standing_note(struct demand_standing *s, const struct demand_event *e)
{
	s->last = e->at;
	s->requests++;
	s->bytes += e->bytes;
	s->hits += (e->bits & DEMAND_HIT) != 0;
	s->errors += (e->bits & DEMAND_ERROR) != 0;
	if ((e->bits & (DEMAND_INDEX | DEMAND_WHOLE)) == (DEMAND_INDEX | DEMAND_WHOLE)) {
		s->updated = e->at;
		s->generation = e->generation;
	}
}

void demand_note(struct demand *d, const struct demand_event *e)
{
	/* An error is nothing that is asked for again: the object may not even exist. */
	struct wish *wish = e->id ? wish_of(d, e) : NULL;
	struct asker *asker = asker_of(d, e);
	struct demand_standing *s;
	struct pair *pair;

	if (!asker)
		return;
	s = standing_of(asker, span_head(e->key, span_find(e->key, ' ')));
	if (s)
		standing_note(s, e);
	pair = wish ? demand_pair_of(d, asker, wish->slot) : NULL;
	if (!pair)
		return;
	pair->last = (uint32_t)e->at;
	if (e->bits & DEMAND_WHOLE)
		pair->got_id = e->id;
}

static void device_name(const struct demand *d, const struct asker *asker,
			char name[DEMAND_DEVICE_TEXT])
{
	if (d->devices == DEMAND_DEVICES_HASHED)
		for (unsigned i = 0; i < 8; i++)
			(void)snprintf(name + 2 * i, 3, "%02x", asker->id[i]);
	else if (addr_in6_is_ip4(asker->id))
		(void)!inet_ntop(AF_INET, asker->id + 12, name, DEMAND_DEVICE_TEXT);
	else
		(void)!inet_ntop(AF_INET6, asker->id, name, DEMAND_DEVICE_TEXT);
}

void demand_asker_view(const struct demand *d, const struct asker *asker,
		       struct demand_device *view)
{
	device_name(d, asker, view->name);
	memcpy(view->id, asker->id, sizeof(view->id));
	view->named = d->devices == DEMAND_DEVICES_ON;
	view->link = asker->link;
	view->first = asker->first;
	view->last = asker->last;
	view->standings = asker->standings;
	view->standings_n = asker->standings_n;
	view->slot = asker->slot;
}

static struct asker *asker_known(struct demand *d, const uint8_t device[16])
{
	struct asker *asker = NULL;
	uint8_t id[16];

	if (device_id(d, device, id))
		HASH_FIND(hh, d->by_id, id, sizeof(id), asker);
	return asker;
}

void demand_link_set(struct demand *d, const uint8_t device[16], const struct demand_link *link)
{
	struct asker *asker = d->devices == DEMAND_DEVICES_ON ? asker_known(d, device) : NULL;

	struct demand_link now = *link;

	if (!asker)
		return;
	/* Another machine that has the address now is not called as the one before. */
	if (!now.name[0] && !memcmp(asker->link.mac, now.mac, sizeof(now.mac)))
		memcpy(now.name, asker->link.name, sizeof(now.name));
	if (asker->link.known == now.known && asker->link.vlan == now.vlan &&
	    !memcmp(asker->link.mac, now.mac, sizeof(now.mac)) &&
	    !strcmp(asker->link.name, now.name))
		return;
	asker->link = now;
	asker->dirty = true;
}

void demand_name_set(struct demand *d, const uint8_t device[16], const char *name)
{
	struct asker *asker = d->devices == DEMAND_DEVICES_ON ? asker_known(d, device) : NULL;

	if (!asker || !strcmp(asker->link.name, name))
		return;
	memset(asker->link.name, 0, sizeof(asker->link.name));
	CHECK_OK(span_copy(span_of(name), asker->link.name, sizeof(asker->link.name)));
	asker->dirty = true;
}

void demand_names_forget(struct demand *d)
{
	for (uint32_t i = 0; i < d->limits.devices; i++) {
		struct asker *asker = d->askers[i];

		if (!asker || !asker->link.name[0])
			continue;
		memset(asker->link.name, 0, sizeof(asker->link.name));
		asker->dirty = true;
	}
}

static void asker_count_in(struct demand *d, const struct asker *asker)
{
	for (uint32_t i = 0; i < asker->pairs_n; i++) {
		struct wish *wish = d->wishes[asker->pairs[i].object];

		if (wish->wanted >= asker->pairs[i].last)
			continue;
		wish->wanted = asker->pairs[i].last;
		d->row_dirty[wish->slot / DEMAND_ROW_OBJECTS] = true;
	}
}

void demand_count_in(struct demand *d, const uint8_t device[16])
{
	const struct asker *asker = asker_known(d, device);

	if (asker)
		asker_count_in(d, asker);
}

void demand_count_again(struct demand *d, demand_counts_f *counts, void *arg)
{
	if (d->devices != DEMAND_DEVICES_ON)
		return;
	for (uint32_t i = 0; i < d->limits.objects; i++)
		if (d->wishes[i]) {
			d->wishes[i]->wanted = 0;
			d->row_dirty[i / DEMAND_ROW_OBJECTS] = true;
		}
	for (uint32_t i = 0; i < d->limits.devices; i++) {
		struct demand_device view = { 0 };

		if (!d->askers[i])
			continue;
		demand_asker_view(d, d->askers[i], &view);
		if (counts(arg, &view))
			asker_count_in(d, d->askers[i]);
	}
}

void demand_gone(struct demand *d, struct span key)
{
	bool *marked = calloc(d->limits.objects, sizeof(*marked));
	struct wish *wish;

	HASH_FIND(hh, d->by_key, key.p, key.n, wish);
	if (wish && marked) {
		marked[wish->slot] = true;
		wishes_drop(d, marked);
	}
	free(marked);
}

void demand_expire(struct demand *d, int64_t before)
{
	bool *marked = calloc(d->limits.objects, sizeof(*marked));
	bool any = false;

	for (uint32_t i = 0; i < d->limits.devices; i++)
		if (d->askers[i] && d->askers[i]->last < before)
			asker_drop(d, d->askers[i]);
	for (uint32_t i = 0; marked && i < d->limits.objects; i++) {
		marked[i] = d->wishes[i] && d->wishes[i]->last < before;
		any |= marked[i];
	}
	if (any)
		wishes_drop(d, marked);
	free(marked);
}

/* ---- looking ------------------------------------------------------------------------------------- */

static struct demand_object object_view(const struct wish *wish)
{
	return (struct demand_object){
		.key = span_make(wish->key, wish->key_n),
		.host = span_of(wish->host),
		.index = wish->index,
		.first = wish->first,
		.last = wish->last,
		.asked = wish->asked,
	};
}

int demand_each_object(const struct demand *d, const char *profile, int64_t since,
		       demand_object_f *f, void *arg)
{
	struct span name = span_of(profile);
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < d->limits.objects; i++) {
		const struct wish *wish = d->wishes[i];
		struct demand_object view;

		if (!wish || wish->wanted < since)
			continue;
		view = object_view(wish);
		if (span_eq(span_head(view.key, span_find(view.key, ' ')), name))
			rc = f(arg, &view);
	}
	return rc;
}

int demand_each_device(const struct demand *d, demand_device_f *f, void *arg)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < d->limits.devices; i++) {
		const struct asker *asker = d->askers[i];
		struct demand_device view = { 0 };

		if (!asker)
			continue;
		demand_asker_view(d, asker, &view);
		rc = f(arg, &view);
	}
	return rc;
}

int demand_each_pair(const struct demand *d, uint32_t slot, demand_pair_f *f, void *arg)
{
	const struct asker *asker = slot < d->limits.devices ? d->askers[slot] : NULL;
	int rc = 0;

	for (uint32_t i = 0; asker && rc == 0 && i < asker->pairs_n; i++) {
		const struct pair *pair = &asker->pairs[i];
		struct demand_object view = object_view(d->wishes[pair->object]);

		rc = f(arg, &view, pair->last, pair->got_id);
	}
	return rc;
}

void demand_count(const struct demand *d, struct demand_count *ret)
{
	*ret = (struct demand_count){
		.objects = HASH_CNT(hh, d->by_key),
		.devices = HASH_CNT(hh, d->by_id),
		.dropped = d->dropped,
	};
}
