/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has what: for each device and vendor its last update, the generation of the index that it got then, and how
 * many of the objects that it asks for it has of the generation now. A result for each device, none for all; of one that
 * can't use the repository a note (apart.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/sync/apart.h"
#include "proxy/sync/sync_priv.h"
#include "proxy/sync/whom.h"

#define UPDATING_S  900
#define STALE_HOURS 72

/* The members of a vendor's generation now, by key. */
struct member {
	UT_hash_handle hh;
	const struct manifest_member *m;
};

struct current {
	struct current *next;
	const char *profile;
	struct manifest *manifest; /* NULL: nothing is published */
	struct member *members;
	struct member *by_key;
};

struct report {
	struct sync *sync;
	json_t *rows;
	struct current *currents;
	struct apart *apart;
	int64_t now;
};

static void current_free(struct current *c)
{
	HASH_CLEAR(hh, c->by_key);
	free(c->members);
	manifest_free(&c->manifest);
	free(c);
}

static struct current *current_of(struct report *r, const char *profile)
{
	struct current *c;
	size_t n;

	for (c = r->currents; c; c = c->next)
		if (!strcmp(c->profile, profile))
			return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->profile = profile;
	c->next = r->currents;
	r->currents = c;
	if (manifest_load(r->sync->reader, profile, MANIFEST_CURRENT, &c->manifest) < 0) {
		c->manifest = NULL;
		return c;
	}
	n = manifest_info(c->manifest)->n;
	c->members = calloc(n + 1, sizeof(*c->members));
	for (size_t i = 0; c->members && i < n; i++) {
		c->members[i].m = manifest_at(c->manifest, i);
		HASH_ADD_KEYPTR(hh, c->by_key, c->members[i].m->key.p, c->members[i].m->key.n,
				&c->members[i]);
	}
	return c;
}

struct tally_of {
	struct current *current;
	unsigned have, of;
};

static int count_pair(void *arg, const struct demand_object *object, int64_t last, uint64_t got_id)
{
	struct tally_of *tally = arg;
	struct member *member;

	(void)last;
	HASH_FIND(hh, tally->current->by_key, object->key.p, object->key.n, member);
	if (!member || member->m->index)
		return 0;
	tally->of++;
	tally->have += member->m->id == got_id;
	return 0;
}

/* How many generations were published since that one, and when the first of them was. */
static unsigned behind_by(const struct vendor *vendor, uint64_t generation, int64_t *ret_since_ms)
{
	unsigned n = 0;

	for (unsigned i = vendor ? vendor->published_n : 0; i-- > 0;) {
		if (vendor->published[i].number <= generation)
			break;
		n++;
		*ret_since_ms = vendor->published[i].at_ms;
	}
	return n;
}

static struct vendor *vendor_of(struct sync *sync, const char *name)
{
	struct vendor *vendor;

	LIST_FOREACH(vendor, &sync->vendors, link)
	if (!strcmp(vendor->name, name))
		return vendor;
	return NULL;
}

struct verdict {
	const char *state;
	enum apart_reason apart;
	char reason[160];
	unsigned behind;
	double hours;
	struct tally_of tally;
};

static void judge_apart(struct verdict *v, enum apart_reason reason)
{
	v->apart = reason;
	v->state = "apart";
	(void)snprintf(v->reason, sizeof(v->reason), "%s", apart_help(reason));
}

static void judge(struct report *r, const struct demand_device *device,
		  const struct demand_standing *s, struct verdict *v)
{
	enum apart_reason apart = apart_of(r->apart, device, s);
	int64_t since = 0;

	if (apart != APART_NO) {
		judge_apart(v, apart);
		return;
	}
	v->tally.current = current_of(r, s->profile);
	if (!s->updated) {
		v->state = s->errors == s->requests ? "failing" : "unknown";
		(void)snprintf(v->reason, sizeof(v->reason), "it has got no index here yet");
		return;
	}
	if (!v->tally.current || !v->tally.current->manifest) {
		v->state = "unknown";
		(void)snprintf(v->reason, sizeof(v->reason),
			       "no generation has been published yet");
		return;
	}
	(void)demand_each_pair(intake_demand(r->sync->control->proxy->intake), device->slot,
			       count_pair, &v->tally);
	v->behind = behind_by(vendor_of(r->sync, s->profile), s->generation, &since);
	if (v->behind) {
		v->hours = (double)(r->now * 1000 - since) / 3600000;
		v->state = v->hours > STALE_HOURS ? "stale" : "behind";
		(void)snprintf(v->reason, sizeof(v->reason), "%u generation%s, %.1f hours behind",
			       v->behind, v->behind == 1 ? "" : "s", v->hours);
	} else if (v->tally.have < v->tally.of) {
		v->state = r->now - s->last < UPDATING_S ? "updating" : "behind";
		(void)snprintf(v->reason, sizeof(v->reason), "partial: %u of %u objects",
			       v->tally.have, v->tally.of);
	} else {
		v->state = "current";
	}
}

/* What is known of its frames, and what [scope] says; all null where devices are not known by their address. */
static json_t *whose(const struct report *r, const struct demand_device *device)
{
	const struct tarn_settings *s = &r->sync->control->config->settings;
	struct scope_who who;
	struct scope_item mac = { .kind = SCOPE_MAC };
	char text[SCOPE_TEXT_MAX];
	json_t *json;

	if (!device->named)
		return json_pack("{s:n, s:n, s:n, s:n}", "mac", "vlan", "straight", "ahead");
	whom_known(device, &who);
	memcpy(mac.mac, device->link.mac, sizeof(mac.mac));
	json = json_pack("{s:s?, s:b, s:b}", "mac",
			 device->link.known ? scope_format(&mac, text) : NULL, "straight",
			 !scope_takes(&s->scope.intercept, &s->scope.straight, &who, NULL), "ahead",
			 scope_takes(&s->scope.ahead, &s->scope.not_ahead, &who, NULL));
	if (json && json_object_set_new(json, "vlan",
					device->link.known ? json_integer(device->link.vlan)
							   : json_null()) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int add_row(struct report *r, const struct demand_device *device,
		   const struct demand_standing *s, const struct verdict *v)
{
	json_t *who = whose(r, device);
	json_t *row = json_pack(
		"{s:s, s:s, s:s?, s:s, s:s, s:s?, s:s, s:I, s:i, s:f, s:i, s:i, s:I, s:I, s:I, "
		"s:I, "
		"s:I, s:I}",
		"device", device->name, "address", device->name, "name",
		device->link.name[0] ? device->link.name : NULL, "profile", s->profile, "state",
		v->state, "note", v->apart == APART_NO ? NULL : apart_name(v->apart), "reason",
		v->reason, "generation", (json_int_t)s->generation, "behind", (int)v->behind,
		"behind_hours", v->hours, "objects_have", (int)v->tally.have, "objects_of",
		(int)v->tally.of, "updated_at", (json_int_t)s->updated * 1000, "seen_at",
		(json_int_t)s->last * 1000, "bytes", (json_int_t)s->bytes, "requests",
		(json_int_t)s->requests, "hits", (json_int_t)s->hits, "errors",
		(json_int_t)s->errors);
	int rc = -ENOMEM;

	if (row && who && json_object_update(row, who) == 0)
		rc = json_array_append(r->rows, row);
	json_decref(row);
	json_decref(who);
	return rc < 0 ? -ENOMEM : 0;
}

static int add_device(void *arg, const struct demand_device *device)
{
	struct report *r = arg;
	int rc = 0;

	for (unsigned i = 0; i < device->standings_n && rc == 0; i++) {
		struct verdict v = { .state = "unknown" };

		judge(r, device, &device->standings[i], &v);
		rc = add_row(r, device, &device->standings[i], &v);
	}
	return rc;
}

/* One that has asked us for nothing: what is known of it is when it did not take our certificate. */
static int add_other(void *arg, const struct apart_other *other)
{
	struct demand_standing standing = { .last = other->since_ms / 1000 };
	struct demand_device device = { .named = true };
	struct verdict v = { 0 };

	CHECK_OK(span_copy(span_of(other->device), device.name, sizeof(device.name)));
	CHECK_OK(span_copy(span_of(other->profile), standing.profile, sizeof(standing.profile)));
	memcpy(device.id, other->id, sizeof(device.id));
	judge_apart(&v, APART_HTTPS);
	return add_row(arg, &device, &standing, &v);
}

json_t *sync_devices(struct sync *sync)
{
	struct report r = {
		.sync = sync,
		.rows = json_array(),
		.now = worker_now(sync->control)->wall_ms / 1000,
	};
	int rc = r.rows ? apart_new(sync->control, &r.apart) : -ENOMEM;

	if (rc == 0)
		rc = demand_each_device(intake_demand(sync->control->proxy->intake), add_device,
					&r);
	if (rc == 0)
		rc = apart_each_other(r.apart, add_other, &r);
	if (r.apart)
		apart_free(&r.apart);
	while (r.currents) {
		struct current *c = r.currents;

		r.currents = c->next;
		current_free(c);
	}
	if (rc < 0) {
		json_decref(r.rows);
		return NULL;
	}
	return json_pack("{s:o}", "devices", r.rows);
}
