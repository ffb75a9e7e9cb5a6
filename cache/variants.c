/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variants of one URI (RFC 9111 4.1): how many are kept, and when they go.
 *
 * The body of a marker lists the hashes of the variants that were stored behind it, the oldest first. When there are
 * more than VARIANTS_MAX, the oldest goes: a field of the request that anybody can fill with anything can't
 * fill the store. When the marker goes or another takes its place, all that it lists goes with it, for nobody finds
 * it any more. Both in the transaction that causes it. What publishing moved here is in no list: it is bounded by the
 * generation's members.
 */
#include <stdlib.h>

#include "cache/batch_priv.h"
#include "cache/variants.h"

#define HASH CACHE_KEY_HASH_BYTES

static struct span primary_of(struct span key)
{
	return span_head(key, span_find(key, '\n'));
}

/* A variant's key, and no key of something beside ("\n:staged"): no field name is empty. */
static bool is_variant(struct span key)
{
	struct span lines = span_drop(key, primary_of(key).n);

	return lines.n > 1 && lines.p[1] != ':';
}

/* A copy of the record if it is a marker with that key. 0, -ENOENT, or -errno. */
static int marker_get(struct batch *b, struct span key, struct object **ret_marker)
{
	struct cache_key at = key_of(key);
	struct object o;
	int rc = store_record(b->store, b->txn, at.hash, &o);

	if (rc == -EBADMSG || (rc == 0 && (o.kind != OBJECT_VARY || !span_eq(o.key, key))))
		rc = -ENOENT;
	if (rc)
		return rc;
	*ret_marker = object_dup(&o); /* writes move what `o` points to */
	return *ret_marker ? 0 : -ENOMEM;
}

/* One that is listed goes, if it is still there. */
static int variant_drop(struct batch *b, const char *listed, struct span primary)
{
	uint8_t hash[HASH];
	struct object o;
	uint64_t pages;
	int rc;

	memcpy(hash, listed, HASH);
	rc = store_record(b->store, b->txn, hash, &o);
	if (rc == -ENOENT || rc == -EBADMSG)
		return 0;
	if (rc)
		return rc;
	if (o.kind != OBJECT_RESPONSE || !is_variant(o.key) || !span_eq(primary_of(o.key), primary))
		return 0;
	return batch_doom(b, hash, o.id, &pages);
}

bool batch_marker_again(const struct object *there, const struct object *marker)
{
	return marker->kind == OBJECT_VARY && there->kind == OBJECT_VARY &&
	       span_eq(there->key, marker->key) && span_eq(there->fields, marker->fields) &&
	       primary_of(marker->key).n == marker->key.n;
}

static bool is_listed(struct span list, const uint8_t *hash)
{
	for (size_t i = 0; i + HASH <= list.n; i += HASH)
		if (memcmp(list.p + i, hash, HASH) == 0)
			return true;
	return false;
}

/* Adds to the end of the list, at whose beginning room is made. */
static int list_add(struct batch *b, struct object *marker, const uint8_t *hash)
{
	char list[VARIANTS_MAX * HASH];
	struct span old = marker->body;
	struct cache_key key = key_of(marker->key);
	int rc = 0;

	while (rc == 0 && old.n > sizeof(list) - HASH) {
		rc = variant_drop(b, old.p, marker->key);
		old = span_drop(old, HASH);
		b->variants_dropped++;
	}
	if (rc)
		return rc;
	if (old.n)
		memcpy(list, old.p, old.n);
	memcpy(list + old.n, hash, HASH);
	marker->body = span_make(list, old.n + HASH);
	marker->length = (int64_t)marker->body.n;
	return batch_write_record(b, key.hash, marker);
}

int batch_variant_stored(struct batch *b, const uint8_t *hash, struct span key)
{
	struct object *marker;
	int rc;

	if (!is_variant(key))
		return 0;
	rc = marker_get(b, primary_of(key), &marker);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	if (!is_listed(marker->body, hash))
		rc = list_add(b, marker, hash);
	object_free(&marker);
	return rc;
}

int batch_variants_drop(struct batch *b, struct span key)
{
	struct object *marker;
	int rc = marker_get(b, key, &marker);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	for (size_t i = 0; rc == 0 && i + HASH <= marker->body.n; i += HASH)
		rc = variant_drop(b, marker->body.p + i, marker->key);
	object_free(&marker);
	return rc;
}
