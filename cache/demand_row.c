/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demand table's rows of state. All numbers are big-endian.
 *
 *	demand:		u32 version | u8 how devices are known | salt
 *	demand/o/<row>:	u32 version | u32 count | count x (u32 slot | u8 index | u64 first | u64 last |
 *			u64 wanted | u64 asked | u16 n, host | u16 n, key)
 *	demand/d/<slot>: u32 version | id | u8 link known | 6 x u8 MAC | u16 VLAN | u8 n, name | u64 first | u64 last |
 *			u32 standings x (u8 n, profile | 7 x u64) | u32 pairs x (u32 object | u32 last | u64 got id)
 *
 * Version 1 had neither what is wanted (all was) nor a link, version 2 no name.
 *
 * Rows are written one by one: after a crash a device may name an object whose row is older or newer. A pair
 * whose object is not there is left out.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cache/db.h"
#include "cache/demand_priv.h"
#include "firmware/base/log.h"

#define VERSION	  3
#define ROW_ROOM  WRITER_STATE_MAX
#define HEAD_NAME SPAN("demand")

struct out {
	uint8_t *at, *end;
};

static void put(struct out *o, uint64_t value, unsigned width)
{
	CHECK(o->at + width <= o->end);
	for (unsigned i = 0; i < width; i++)
		*o->at++ = (uint8_t)(value >> (8 * (width - 1 - i)));
}

static void put_bytes(struct out *o, const void *p, size_t n)
{
	CHECK(n <= (size_t)(o->end - o->at));
	if (n)
		memcpy(o->at, p, n);
	o->at += n;
}

static struct span row_name(char kind, uint32_t number, char buf[32])
{
	int n = snprintf(buf, 32, "demand/%c/%u", kind, number);

	return span_make(buf, (size_t)n);
}

/* ---- writing ------------------------------------------------------------------------------------- */

static bool head_write(struct demand *d, struct writer *writer)
{
	uint8_t row[64];
	struct out o = { row, row + sizeof(row) };

	put(&o, VERSION, 4);
	put(&o, d->devices, 1);
	put_bytes(&o, d->salt, sizeof(d->salt));
	return writer_put_state(writer, HEAD_NAME, span_make(row, (size_t)(o.at - row)), NULL,
				NULL) == 0;
}

static void wish_write(struct out *o, const struct wish *wish)
{
	size_t host_n = strlen(wish->host);

	put(o, wish->slot, 4);
	put(o, wish->index, 1);
	put(o, (uint64_t)wish->first, 8);
	put(o, (uint64_t)wish->last, 8);
	put(o, (uint64_t)wish->wanted, 8);
	put(o, wish->asked, 8);
	put(o, host_n, 2);
	put_bytes(o, wish->host, host_n);
	put(o, wish->key_n, 2);
	put_bytes(o, wish->key, wish->key_n);
}

_Static_assert(8 + DEMAND_ROW_OBJECTS * (41 + DEMAND_HOST_MAX + DEMAND_KEY_MAX) <= ROW_ROOM,
	       "the longest of objects fit a row");

static bool wishes_write(struct demand *d, struct writer *writer, uint32_t row, uint8_t *buf)
{
	struct out o = { buf, buf + ROW_ROOM };
	uint32_t from = row * DEMAND_ROW_OBJECTS, n = 0;
	char name[32];

	put(&o, VERSION, 4);
	put(&o, 0, 4);
	for (uint32_t i = from; i < from + DEMAND_ROW_OBJECTS && i < d->limits.objects; i++) {
		if (!d->wishes[i])
			continue;
		wish_write(&o, d->wishes[i]);
		n++;
	}
	db_put_u32(buf + 4, n);
	return writer_put_state(writer, row_name('o', row, name),
				span_make(buf, n ? (size_t)(o.at - buf) : 0), NULL, NULL) == 0;
}

static void standing_write(struct out *o, const struct demand_standing *s)
{
	put(o, strlen(s->profile), 1);
	put_bytes(o, s->profile, strlen(s->profile));
	put(o, (uint64_t)s->last, 8);
	put(o, (uint64_t)s->updated, 8);
	put(o, s->generation, 8);
	put(o, s->bytes, 8);
	put(o, s->requests, 8);
	put(o, s->hits, 8);
	put(o, s->errors, 8);
}

_Static_assert(54 + DEMAND_NAME_MAX + DEMAND_STANDINGS_MAX * (57 + DEMAND_NAME_MAX) +
			       DEMAND_PAIRS_MAX * 16 <=
		       ROW_ROOM,
	       "a device fits a row");

static bool asker_write(const struct asker *asker, struct writer *writer, uint8_t *buf)
{
	struct out o = { buf, buf + ROW_ROOM };
	char name[32];

	put(&o, VERSION, 4);
	put_bytes(&o, asker->id, sizeof(asker->id));
	put(&o, asker->link.known, 1);
	put_bytes(&o, asker->link.mac, sizeof(asker->link.mac));
	put(&o, asker->link.vlan, 2);
	put(&o, strlen(asker->link.name), 1);
	put_bytes(&o, asker->link.name, strlen(asker->link.name));
	put(&o, (uint64_t)asker->first, 8);
	put(&o, (uint64_t)asker->last, 8);
	put(&o, asker->standings_n, 4);
	for (unsigned i = 0; i < asker->standings_n; i++)
		standing_write(&o, &asker->standings[i]);
	put(&o, asker->pairs_n, 4);
	for (uint32_t i = 0; i < asker->pairs_n; i++) {
		put(&o, asker->pairs[i].object, 4);
		put(&o, asker->pairs[i].last, 4);
		put(&o, asker->pairs[i].got_id, 8);
	}
	return writer_put_state(writer, row_name('d', asker->slot, name),
				span_make(buf, (size_t)(o.at - buf)), NULL, NULL) == 0;
}

static bool save_askers(struct demand *d, struct writer *writer, uint8_t *buf, unsigned *rows)
{
	for (uint32_t i = 0; i < d->limits.devices; i++) {
		struct asker *asker = d->askers[i];
		char name[32];

		if (!d->asker_gone[i] && !(asker && asker->dirty))
			continue;
		if (!*rows)
			return true;
		--*rows;
		if (asker && !asker_write(asker, writer, buf))
			return true;
		if (!asker &&
		    writer_put_state(writer, row_name('d', i, name), SPAN(""), NULL, NULL) < 0)
			return true;
		d->asker_gone[i] = false;
		if (asker)
			asker->dirty = false;
	}
	return false;
}

bool demand_save(struct demand *d, struct writer *writer, unsigned rows)
{
	uint8_t *buf = malloc(ROW_ROOM);
	bool more = !buf;

	if (buf && d->head_dirty)
		more = !head_write(d, writer);
	d->head_dirty = more;
	for (uint32_t row = 0; !more && row < d->wish_rows; row++) {
		if (!d->row_dirty[row])
			continue;
		more = !rows || !wishes_write(d, writer, row, buf);
		if (more)
			break;
		rows--;
		d->row_dirty[row] = false;
	}
	if (!more)
		more = save_askers(d, writer, buf, &rows);
	free(buf);
	return more;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static bool version_is_ours(struct cursor *c, uint32_t *ret_version)
{
	return cursor_u32be(c, ret_version) == 0 && *ret_version >= 1 && *ret_version <= VERSION;
}

/* False: the rows know devices in another way, or there are none. */
static bool head_read(struct demand *d, struct store_reader *reader)
{
	uint8_t row[64];
	struct cursor c;
	struct span salt;
	uint32_t version;
	uint8_t devices;
	size_t n;

	if (store_state_get(reader, HEAD_NAME, row, sizeof(row), &n) < 0)
		return false;
	c = cursor_make(row, n);
	if (!version_is_ours(&c, &version) || cursor_u8(&c, &devices) < 0 ||
	    cursor_bytes(&c, sizeof(d->salt), &salt) < 0)
		return false;
	memcpy(d->salt, salt.p, sizeof(d->salt));
	d->head_dirty = devices != d->devices;
	return !d->head_dirty;
}

static int wish_read(struct demand *d, struct cursor *c, uint32_t version)
{
	uint64_t first, last, wanted = 0, asked;
	struct span host, key;
	struct wish *wish;
	uint32_t slot;
	uint16_t host_n, key_n;
	uint8_t index;

	if (cursor_u32be(c, &slot) < 0 || cursor_u8(c, &index) < 0 || cursor_u64be(c, &first) < 0 ||
	    cursor_u64be(c, &last) < 0 || (version > 1 && cursor_u64be(c, &wanted) < 0) ||
	    cursor_u64be(c, &asked) < 0 || cursor_u16be(c, &host_n) < 0 ||
	    cursor_bytes(c, host_n, &host) < 0 || cursor_u16be(c, &key_n) < 0 ||
	    cursor_bytes(c, key_n, &key) < 0)
		return -EBADMSG;
	HASH_FIND(hh, d->by_key, key.p, key.n, wish);
	if (wish || slot >= d->limits.objects || d->wishes[slot] || !key_n ||
	    key_n > DEMAND_KEY_MAX || host_n > DEMAND_HOST_MAX)
		return 0;
	wish = demand_wish_add(d, slot, key);
	if (!wish)
		return -ENOMEM;
	wish->index = index;
	wish->first = (int64_t)first;
	wish->last = (int64_t)last;
	wish->wanted = version > 1 ? (int64_t)wanted : wish->last;
	wish->asked = asked;
	return span_copy(host, wish->host, sizeof(wish->host));
}

static void wishes_read(struct demand *d, struct span row)
{
	struct cursor c = cursor_make(row.p, row.n);
	uint32_t count, version;

	if (!version_is_ours(&c, &version) || cursor_u32be(&c, &count) < 0)
		return;
	while (count-- && wish_read(d, &c, version) == 0)
		;
}

static int standing_read(struct cursor *c, struct demand_standing *s)
{
	uint64_t last, updated;
	struct span name;
	uint8_t n;

	if (cursor_u8(c, &n) < 0 || cursor_bytes(c, n, &name) < 0 ||
	    span_copy(name, s->profile, sizeof(s->profile)) < 0 || cursor_u64be(c, &last) < 0 ||
	    cursor_u64be(c, &updated) < 0 || cursor_u64be(c, &s->generation) < 0 ||
	    cursor_u64be(c, &s->bytes) < 0 || cursor_u64be(c, &s->requests) < 0 ||
	    cursor_u64be(c, &s->hits) < 0 || cursor_u64be(c, &s->errors) < 0)
		return -EBADMSG;
	s->last = (int64_t)last;
	s->updated = (int64_t)updated;
	return 0;
}

static int pairs_read(struct demand *d, struct asker *asker, struct cursor *c)
{
	uint32_t count;

	if (cursor_u32be(c, &count) < 0)
		return -EBADMSG;
	for (; count; count--) {
		uint32_t object, last;
		uint64_t got;
		struct pair *pair;

		if (cursor_u32be(c, &object) < 0 || cursor_u32be(c, &last) < 0 ||
		    cursor_u64be(c, &got) < 0)
			return -EBADMSG;
		if (object >= d->limits.objects || !d->wishes[object])
			continue;
		pair = demand_pair_of(d, asker, object);
		if (!pair)
			return -ENOMEM;
		pair->last = last;
		pair->got_id = got;
	}
	return 0;
}

static int link_read(struct cursor *c, uint32_t version, struct demand_link *link)
{
	struct span mac, name = { 0 };
	uint16_t vlan;
	uint8_t known, n;

	if (cursor_u8(c, &known) < 0 || cursor_bytes(c, sizeof(link->mac), &mac) < 0 ||
	    cursor_u16be(c, &vlan) < 0)
		return -EBADMSG;
	if (version > 2 && (cursor_u8(c, &n) < 0 || cursor_bytes(c, n, &name) < 0 ||
			    span_copy(name, link->name, sizeof(link->name)) < 0))
		return -EBADMSG;
	link->known = known;
	memcpy(link->mac, mac.p, sizeof(link->mac));
	link->vlan = vlan;
	return 0;
}

static void asker_read(struct demand *d, uint32_t slot, struct span row)
{
	struct cursor c = cursor_make(row.p, row.n);
	struct demand_link link = { 0 };
	struct asker *asker;
	struct span id;
	uint64_t first, last;
	uint32_t standings, version;

	if (!version_is_ours(&c, &version) || cursor_bytes(&c, 16, &id) < 0 ||
	    (version > 1 && link_read(&c, version, &link) < 0) || cursor_u64be(&c, &first) < 0 ||
	    cursor_u64be(&c, &last) < 0 || cursor_u32be(&c, &standings) < 0 ||
	    standings > DEMAND_STANDINGS_MAX)
		return;
	HASH_FIND(hh, d->by_id, id.p, 16, asker);
	if (asker)
		return;
	asker = demand_asker_add(d, slot, (const uint8_t *)id.p);
	if (!asker)
		return;
	asker->link = link;
	asker->first = (int64_t)first;
	asker->last = (int64_t)last;
	for (; standings; standings--)
		if (standing_read(&c, &asker->standings[asker->standings_n]) == 0)
			asker->standings_n++;
		else
			return;
	(void)!pairs_read(d, asker, &c);
}

void demand_load(struct demand *d, struct store_reader *reader)
{
	uint8_t *buf = malloc(ROW_ROOM);
	bool devices = buf && head_read(d, reader);
	char name[32];
	size_t n;

	for (uint32_t row = 0; buf && row < d->wish_rows; row++)
		if (store_state_get(reader, row_name('o', row, name), buf, ROW_ROOM, &n) == 0)
			wishes_read(d, span_make(buf, n));
	for (uint32_t slot = 0; buf && slot < d->limits.devices; slot++) {
		if (store_state_get(reader, row_name('d', slot, name), buf, ROW_ROOM, &n) < 0)
			continue;
		if (devices)
			asker_read(d, slot, span_make(buf, n));
		if (!d->askers[slot])
			d->asker_gone[slot] = true;
	}
	free(buf);
	LOG(LOG_L_INFO, "demand.read", "objects=%u devices=%u", HASH_CNT(hh, d->by_key),
	    HASH_CNT(hh, d->by_id));
}
