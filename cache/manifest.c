/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests: rows of state. All numbers are big-endian.
 *
 *	published/<profile>:	u32 version | 2 x (u64 number | u64 published ms | u32 members | u32 pages | u8 whole);
 *				the current generation, then the previous one (number 0: none)
 *	manifest/<profile>/<number in hex>/<page>:
 *				u32 version | u32 count | count x (u8 flags | u64 id | u64 size | u16 n | n bytes of key)
 *
 * A manifest's rows are written before the row that points to them, in the writer's order, so what is pointed to
 * is there, also after a crash.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cache/db.h"
#include "cache/manifest.h"
#include "firmware/base/log.h"

#define VERSION	     1
#define ROW_MAX	     65536
#define ROW_NAME_MAX 224
#define HEAD_BYTES   8
#define ONE_BYTES    19 /* of a member, without its key */
#define SLOT_BYTES   25
#define FLAG_INDEX   1
#define FLAG_CHANGED 2

/* One generation in the published row. */
struct slot {
	struct manifest_info info;
	uint32_t pages;
};

struct manifest {
	struct manifest_info info;
	struct manifest_member *members;
	char **pages; /* which the keys point into */
	size_t pages_n;
};

/* ---- names and keys ------------------------------------------------------------------------------ */

static int published_name(const char *profile, char buf[ROW_NAME_MAX], struct span *ret_name)
{
	int n = snprintf(buf, ROW_NAME_MAX, "published/%s", profile);

	*ret_name = span_make(buf, n > 0 ? (size_t)n : 0);
	return n > 0 && n < ROW_NAME_MAX ? 0 : -EINVAL;
}

static int page_name(const char *profile, uint64_t number, uint32_t page, char buf[ROW_NAME_MAX],
		     struct span *ret_name)
{
	int n = snprintf(buf, ROW_NAME_MAX, "manifest/%s/%016jx/%u", profile, (uintmax_t)number,
			 page);

	*ret_name = span_make(buf, n > 0 ? (size_t)n : 0);
	return n > 0 && n < ROW_NAME_MAX ? 0 : -EINVAL;
}

int manifest_key(struct span key, struct span suffix, char *buf, size_t size,
		 struct cache_key *ret_key)
{
	size_t plain = span_find(key, '\n');

	if (key.n + suffix.n > size || key.n + suffix.n > CACHE_KEY_TEXT_MAX)
		return -ENOSPC;
	memmove(buf + plain + suffix.n, key.p + plain, key.n - plain);
	memmove(buf, key.p, plain);
	memcpy(buf + plain, suffix.p, suffix.n);
	*ret_key = key_of(span_make(buf, key.n + suffix.n));
	return 0;
}

bool manifest_key_is_beside(struct span key)
{
	return span_starts(span_drop(key, span_find(key, '\n')), SPAN("\n:"));
}

/* ---- reading ------------------------------------------------------------------------------------- */

static int slot_read(struct cursor *c, struct slot *ret)
{
	uint64_t number, published;
	uint32_t n, pages;
	uint8_t whole;

	if (cursor_u64be(c, &number) < 0 || cursor_u64be(c, &published) < 0 ||
	    cursor_u32be(c, &n) < 0 || cursor_u32be(c, &pages) < 0 || cursor_u8(c, &whole) < 0 ||
	    n > MANIFEST_MEMBERS_MAX || pages > n)
		return -EBADMSG;
	ret->info = (struct manifest_info){ number, (int64_t)published, whole != 0, n };
	ret->pages = pages;
	return 0;
}

/* What is published: both slots; those of nothing are zero. */
static int published_read(struct store_reader *reader, const char *profile, struct slot slots[2])
{
	uint8_t row[4 + 2 * SLOT_BYTES];
	char buf[ROW_NAME_MAX];
	struct span name;
	struct cursor c;
	uint32_t version;
	size_t n;
	int rc = published_name(profile, buf, &name);

	memset(slots, 0, 2 * sizeof(*slots));
	if (rc == 0)
		rc = store_state_get(reader, name, row, sizeof(row), &n);
	if (rc == -ENOSPC || (rc == 0 && n != sizeof(row)))
		return -EBADMSG;
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	c = cursor_make(row, n);
	if (cursor_u32be(&c, &version) < 0 || version != VERSION ||
	    slot_read(&c, &slots[MANIFEST_CURRENT]) < 0 ||
	    slot_read(&c, &slots[MANIFEST_PREVIOUS]) < 0)
		return -EBADMSG;
	return 0;
}

static int member_read(struct cursor *c, struct manifest_member *ret)
{
	struct manifest_member m = { 0 };
	uint64_t size;
	uint16_t n;
	uint8_t flags;

	if (cursor_u8(c, &flags) < 0 || cursor_u64be(c, &m.id) < 0 || cursor_u64be(c, &size) < 0 ||
	    cursor_u16be(c, &n) < 0 || size > INT64_MAX || cursor_bytes(c, n, &m.key) < 0 ||
	    n > CACHE_KEY_TEXT_MAX)
		return -EBADMSG;
	m.size = (int64_t)size;
	m.index = flags & FLAG_INDEX;
	m.changed = flags & FLAG_CHANGED;
	*ret = m;
	return 0;
}

/* Adds the members of a page, which is kept in the manifest. */
static int page_read(struct store_reader *reader, const char *profile, uint32_t page,
		     struct manifest *m, size_t *at)
{
	char buf[ROW_NAME_MAX];
	struct span name;
	struct cursor c;
	uint32_t version, count;
	char *row = malloc(ROW_MAX);
	size_t n;
	int rc = row ? page_name(profile, m->info.number, page, buf, &name) : -ENOMEM;

	if (row)
		m->pages[m->pages_n++] = row;
	if (rc == 0)
		rc = store_state_get(reader, name, row, ROW_MAX, &n);
	if (rc < 0)
		return rc == -ENOENT || rc == -ENOSPC ? -EBADMSG : rc;
	c = cursor_make(row, n);
	if (cursor_u32be(&c, &version) < 0 || version != VERSION || cursor_u32be(&c, &count) < 0 ||
	    count > m->info.n - *at)
		return -EBADMSG;
	for (; count; count--)
		if (member_read(&c, &m->members[(*at)++]) < 0)
			return -EBADMSG;
	return 0;
}

int manifest_load(struct store_reader *reader, const char *profile, enum manifest_which which,
		  struct manifest **ret_manifest)
{
	struct slot slots[2];
	struct manifest *m;
	size_t at = 0;
	int rc = published_read(reader, profile, slots);

	if (rc < 0 || !slots[which].info.number)
		return rc < 0 ? rc : -ENOENT;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->info = slots[which].info;
	m->members = calloc(m->info.n + 1, sizeof(*m->members));
	m->pages = calloc(slots[which].pages + 1, sizeof(*m->pages));
	if (!m->members || !m->pages)
		rc = -ENOMEM;
	for (uint32_t page = 0; rc == 0 && page < slots[which].pages; page++)
		rc = page_read(reader, profile, page, m, &at);
	if (rc == 0 && at != m->info.n)
		rc = -EBADMSG;
	if (rc < 0) {
		manifest_free(&m);
		return rc;
	}
	*ret_manifest = m;
	return 0;
}

void manifest_free(struct manifest **manifest)
{
	struct manifest *m = *manifest;

	*manifest = NULL;
	if (!m)
		return;
	for (size_t i = 0; i < m->pages_n; i++)
		free(m->pages[i]);
	free(m->pages);
	free(m->members);
	free(m);
}

const struct manifest_info *manifest_info(const struct manifest *m)
{
	return &m->info;
}

const struct manifest_member *manifest_at(const struct manifest *m, size_t i)
{
	CHECK(i < m->info.n);
	return &m->members[i];
}

const struct manifest_member *manifest_find(const struct manifest *m, struct span key)
{
	for (size_t i = 0; i < m->info.n; i++)
		if (span_eq(m->members[i].key, key))
			return &m->members[i];
	return NULL;
}

int manifest_look(struct store_reader *reader, const struct manifest_member *member,
		  struct stored **ret_stored)
{
	char buf[CACHE_KEY_TEXT_MAX];
	struct cache_key key = key_of(member->key);
	struct stored *stored;

	for (int i = 0; i < 2; i++) {
		int rc = store_peek(reader, &key, &stored);

		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (rc == 0 && stored_object(stored)->id == member->id) {
			*ret_stored = stored;
			return 0;
		}
		if (rc == 0)
			stored_free(&stored);
		if (manifest_key(member->key, MANIFEST_PREVIOUS_KEY, buf, sizeof(buf), &key) < 0)
			break;
	}
	return -ENOENT;
}

/* ---- writing ------------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *p, uint64_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
	return p + width;
}

static uint8_t *slot_write(uint8_t *p, const struct slot *slot)
{
	p = put(p, slot->info.number, 8);
	p = put(p, (uint64_t)slot->info.published_ms, 8);
	p = put(p, slot->info.n, 4);
	p = put(p, slot->pages, 4);
	return put(p, slot->info.whole, 1);
}

static uint8_t *member_write(uint8_t *p, const struct manifest_member *m)
{
	p = put(p, (m->index ? FLAG_INDEX : 0u) | (m->changed ? FLAG_CHANGED : 0u), 1);
	p = put(p, m->id, 8);
	p = put(p, (uint64_t)m->size, 8);
	p = put(p, m->key.n, 2);
	memcpy(p, m->key.p, m->key.n);
	return p + m->key.n;
}

/* As many members as fit, from *at on. */
static int page_write(struct writer *writer, const struct publish *publish, uint32_t page,
		      uint8_t *row, size_t *at)
{
	uint8_t *p = row + HEAD_BYTES;
	uint32_t count = 0;
	char buf[ROW_NAME_MAX];
	struct span name;
	int rc = page_name(publish->profile, publish->info.number, page, buf, &name);

	for (; *at < publish->n; (*at)++, count++) {
		const struct manifest_member *m = &publish->members[*at];

		if (m->key.n > CACHE_KEY_TEXT_MAX || m->size < 0)
			return -EINVAL;
		if ((size_t)(p - row) + ONE_BYTES + m->key.n > ROW_MAX)
			break;
		p = member_write(p, m);
	}
	(void)put(put(row, VERSION, 4), count, 4);
	if (rc == 0)
		rc = writer_put_state(writer, name, span_make(row, (size_t)(p - row)), NULL, NULL);
	return rc;
}

/* Behind `page` pages that there are. */
static int pages_write(struct writer *writer, const struct publish *publish, uint32_t page,
		       uint32_t *ret_pages)
{
	uint8_t *row = malloc(ROW_MAX);
	size_t at = 0;
	int rc = row ? 0 : -ENOMEM;

	while (rc == 0 && at < publish->n)
		rc = page_write(writer, publish, page++, row, &at);
	free(row);
	if (rc == 0)
		*ret_pages = page;
	return rc;
}

static void pages_forget(struct writer *writer, const char *profile, const struct slot *slot)
{
	char buf[ROW_NAME_MAX];
	struct span name;

	for (uint32_t page = 0; page < slot->pages; page++)
		if (page_name(profile, slot->info.number, page, buf, &name) < 0 ||
		    writer_put_state(writer, name, SPAN(""), NULL, NULL) < 0)
			LOG(LOG_L_INFO, "manifest.left", "profile=%s page=%u", profile, page);
}

/* The row that says what is published. */
static void published_write(const struct slot *now, const struct slot *before,
			    uint8_t row[4 + 2 * SLOT_BYTES])
{
	(void)slot_write(slot_write(put(row, VERSION, 4), now), before);
}

int manifest_extend(struct store_reader *reader, struct writer *writer,
		    const struct publish *publish, writer_done_f *done, void *arg)
{
	uint8_t row[4 + 2 * SLOT_BYTES];
	char buf[ROW_NAME_MAX];
	struct slot slots[2];
	struct slot *now = &slots[MANIFEST_CURRENT];
	struct span name;
	int rc = published_name(publish->profile, buf, &name);

	if (rc == 0)
		rc = published_read(reader, publish->profile, slots);
	if (rc < 0)
		return rc;
	if (!now->info.number || now->info.number != publish->info.number)
		return -ESTALE;
	if (!publish->n || publish->n > MANIFEST_MEMBERS_MAX - now->info.n)
		return -EINVAL;
	rc = pages_write(writer, publish, now->pages, &now->pages);
	if (rc < 0)
		return rc;
	now->info.n += publish->n;
	published_write(now, &slots[MANIFEST_PREVIOUS], row);
	return writer_publish(writer, NULL, 0, name, span_make(row, sizeof(row)), done, arg);
}

int manifest_publish(struct store_reader *reader, struct writer *writer,
		     const struct publish *publish, writer_done_f *done, void *arg)
{
	uint8_t row[4 + 2 * SLOT_BYTES];
	struct slot slots[2], now = { .info = publish->info };
	char buf[ROW_NAME_MAX];
	struct span name;
	int rc = published_name(publish->profile, buf, &name);

	now.info.n = publish->n;
	if (rc < 0 || publish->n > MANIFEST_MEMBERS_MAX || !publish->info.number)
		return -EINVAL;
	rc = published_read(reader, publish->profile, slots);
	if (rc == -EBADMSG)
		rc = 0; /* as if nothing had been published */
	if (rc == 0 && slots[MANIFEST_CURRENT].info.number >= publish->info.number)
		return -EINVAL;
	if (rc == 0)
		rc = pages_write(writer, publish, 0, &now.pages);
	if (rc < 0)
		return rc;
	published_write(&now, &slots[MANIFEST_CURRENT], row);
	rc = writer_publish(writer, publish->items, publish->items_n, name,
			    span_make(row, sizeof(row)), done, arg);
	if (rc == 0)
		pages_forget(writer, publish->profile, &slots[MANIFEST_PREVIOUS]);
	return rc;
}
