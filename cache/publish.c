/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A publication as one piece of the writer's work: the next generation's objects take the place of this one's, and
 * the row that says so is put, in one transaction. First everything is looked at, then done: a refusal leaves all
 * as it was.
 *
 * In op->data: the row's name, its value, then the items, each u64 staged id | u32 n | n bytes of key.
 */
#include <stdlib.h>

#include "cache/batch_priv.h"
#include "cache/manifest.h"
#include "cache/writer_priv.h"

#define ITEM_BYTES 12
#define ITEM_COST  4096 /* two records are written again */

static size_t data_size(const struct publish_item *items, size_t n, struct span name,
			struct span value)
{
	size_t size = name.n + value.n;

	for (size_t i = 0; i < n; i++)
		size += ITEM_BYTES + items[i].key.n;
	return size;
}

static uint8_t *bytes_put(uint8_t *p, struct span bytes)
{
	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	return p + bytes.n;
}

int writer_publish(struct writer *w, const struct publish_item *items, size_t n, struct span name,
		   struct span value, writer_done_f *done, void *arg)
{
	struct op *op;
	uint8_t *p;

	if (name.n == 0 || name.n > WRITER_NAME_MAX || value.n > WRITER_STATE_MAX ||
	    n > MANIFEST_MEMBERS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (items[i].key.n > CACHE_KEY_TEXT_MAX - MANIFEST_PREVIOUS_KEY.n)
			return -EINVAL;
	op = op_new(OP_PUBLISH, data_size(items, n, name, value), done, arg);
	if (!op)
		return -ENOMEM;
	op->split = name.n;
	op->items = name.n + value.n;
	op->cost = op->n + n * ITEM_COST;
	p = bytes_put(bytes_put(op->data, name), value);
	for (size_t i = 0; i < n; i++) {
		db_put_u64(p, items[i].staged_id);
		db_put_u32(p + 8, (uint32_t)items[i].key.n);
		p = bytes_put(p + ITEM_BYTES, items[i].key);
	}
	return op_queue(w, op);
}

/* The three places of an item. */
struct places {
	struct cache_key plain, staged, previous;
	uint64_t id;
};

struct buffers {
	char staged[CACHE_KEY_TEXT_MAX], previous[CACHE_KEY_TEXT_MAX];
};

static void item_next(struct cursor *c, struct buffers *buf, struct places *ret)
{
	struct span key;
	uint32_t n;

	CHECK_OK(cursor_u64be(c, &ret->id));
	CHECK_OK(cursor_u32be(c, &n));
	CHECK_OK(cursor_bytes(c, n, &key));
	ret->plain = key_of(key);
	CHECK_OK(
		manifest_key(key, MANIFEST_STAGED, buf->staged, sizeof(buf->staged), &ret->staged));
	CHECK_OK(manifest_key(key, MANIFEST_PREVIOUS_KEY, buf->previous, sizeof(buf->previous),
			      &ret->previous));
}

/* What stands under a key: 0 and its id, or -ENOENT, -errno. Unreadable is absent. */
static int id_under(struct batch *b, const struct cache_key *key, uint64_t *ret_id)
{
	struct object o;
	int rc = store_record(b->store, b->txn, key->hash, &o);

	if (rc == 0 && !span_eq(o.key, key->text))
		rc = -ENOENT;
	if (rc == 0)
		*ret_id = o.id;
	return rc == -EBADMSG ? -ENOENT : rc;
}

static int item_check(struct batch *b, const struct places *at)
{
	uint64_t id = 0;
	int rc = at->id ? id_under(b, &at->staged, &id) : 0;

	return rc == -ENOENT || (rc == 0 && id != at->id) ? -ESTALE : rc;
}

static int remove_under(struct batch *b, const struct cache_key *key)
{
	uint64_t id, pages;
	int rc = id_under(b, key, &id);

	if (rc == 0)
		rc = batch_doom(b, key->hash, id, &pages);
	return rc == -ENOENT ? 0 : rc;
}

static int item_apply(struct batch *b, const struct places *at)
{
	uint64_t id;
	int rc = remove_under(b, &at->previous);

	if (rc || !at->id)
		return rc;
	rc = id_under(b, &at->plain, &id);
	if (rc == 0)
		rc = batch_move(b, at->plain.hash, &at->previous);
	if (rc && rc != -ENOENT)
		return rc;
	return batch_move(b, at->staged.hash, &at->plain);
}

typedef int item_f(struct batch *b, const struct places *at);

static int items_each(struct batch *b, struct op *op, struct buffers *buf, item_f *f)
{
	struct cursor c = cursor_make(op->data + op->items, op->n - op->items);
	struct places at;
	int rc = 0;

	while (rc == 0 && cursor_remaining(&c)) {
		item_next(&c, buf, &at);
		rc = f(b, &at);
	}
	return rc;
}

int batch_publish(struct batch *b, struct op *op)
{
	struct buffers *buf = malloc(sizeof(*buf));
	int rc = buf ? items_each(b, op, buf, item_check) : -ENOMEM;

	if (rc == -ESTALE) {
		op->rc = rc;
		rc = 0;
	} else if (rc == 0) {
		rc = items_each(b, op, buf, item_apply);
		if (rc == 0)
			rc = batch_put_state(
				b, span_make(op->data, op->split),
				span_make(op->data + op->split, op->items - op->split));
	}
	free(buf);
	return rc;
}
