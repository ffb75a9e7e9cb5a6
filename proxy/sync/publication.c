/* SPDX-License-Identifier: Apache-2.0 */
/* From its start on, the index that a device is given decides on which generation its update is (proxy/generation.h). */
#include "proxy/sync/publication.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A key that the publication puts something aside for. */
struct listed {
	UT_hash_handle hh;
};

struct publication {
	char *profile;
	size_t room, members_n, items_n;
	struct manifest_member *members;
	struct publish_item *items; /* 2 a member: its marker's, its own */
	struct listed *rows, *by_key;
};

int publication_new(const char *profile, size_t room, struct publication **ret_publication)
{
	struct publication *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->room = room;
	p->profile = strdup(profile);
	p->members = calloc(room + 1, sizeof(*p->members));
	p->items = calloc(2 * room + 1, sizeof(*p->items));
	p->rows = calloc(2 * room + 1, sizeof(*p->rows));
	if (!p->profile || !p->members || !p->items || !p->rows) {
		publication_free(&p);
		return -ENOMEM;
	}
	*ret_publication = p;
	return 0;
}

void publication_free(struct publication **publication)
{
	struct publication *p = *publication;

	*publication = NULL;
	if (!p)
		return;
	HASH_CLEAR(hh, p->by_key);
	free(p->rows);
	free(p->items);
	free(p->members);
	free(p->profile);
	free(p);
}

static bool is_listed(const struct publication *p, struct span key)
{
	struct listed *row;

	HASH_FIND(hh, p->by_key, key.p, key.n, row);
	return row != NULL;
}

/* A marker may come with several variants: once is enough. */
static void item_add(struct publication *p, struct span key, uint64_t id)
{
	struct listed *row = &p->rows[p->items_n];

	if (is_listed(p, key))
		return;
	HASH_ADD_KEYPTR(hh, p->by_key, key.p, key.n, row);
	p->items[p->items_n++] = (struct publish_item){ key, id };
}

void publication_add(struct publication *p, const struct publication_member *m)
{
	if (p->members_n == p->room)
		return;
	p->members[p->members_n++] = (struct manifest_member){
		.key = m->key,
		.id = m->id,
		.size = m->size,
		.index = m->index,
		.changed = m->staged,
	};
	if (m->staged && m->marker_id)
		item_add(p, span_head(m->key, span_find(m->key, '\n')), m->marker_id);
	if (m->staged)
		item_add(p, m->key, m->id);
}

size_t publication_changes(const struct publication *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->members_n; i++)
		n += p->members[i].changed;
	return n;
}

/* What the publication before put aside, and this one does not, goes. */
static int drops_add(struct publication *p, const struct manifest *before)
{
	size_t n = manifest_info(before)->n;
	struct publish_item *items = realloc(p->items, (p->items_n + n + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	p->items = items;
	for (size_t i = 0; i < n; i++) {
		const struct manifest_member *m = manifest_at(before, i);

		if (m->changed && !is_listed(p, m->key))
			items[p->items_n++] = (struct publish_item){ m->key, 0 };
	}
	return 0;
}

int publication_start(struct publication *p, struct generations *generations,
		      struct store_reader *reader, struct writer *writer,
		      const struct manifest_info *info, writer_done_f *done, void *arg)
{
	struct manifest *before = NULL;
	struct publish what = { .profile = p->profile, .info = *info };
	int rc = manifest_load(reader, p->profile, MANIFEST_CURRENT, &before);

	rc = rc == 0 ? drops_add(p, before) : rc == -ENOMEM ? rc : 0;
	what.members = p->members;
	what.n = p->members_n;
	what.items = p->items;
	what.items_n = p->items_n;
	if (rc == 0) {
		generation_publishing(generations, reader, p->profile, info->number);
		rc = manifest_publish(reader, writer, &what, done, arg);
		if (rc < 0)
			generation_keep(generations, p->profile);
	}
	manifest_free(&before);
	if (rc == 0)
		writer_hurry(writer);
	return rc;
}

void publication_over(struct publication *p, struct generations *generations,
		      struct store_reader *reader, uint64_t number, int rc, struct now now)
{
	struct stored *stored;

	if (rc < 0) {
		generation_keep(generations, p->profile);
		return;
	}
	for (size_t i = 0; i < p->members_n; i++) {
		struct cache_key key = key_of(p->members[i].key);

		if (!p->members[i].index || store_peek(reader, &key, &stored) < 0)
			continue;
		generation_know(generations, reader, p->profile, stored_object(stored));
		stored_free(&stored);
	}
	generation_publish(generations, reader, p->profile, number, now);
}
