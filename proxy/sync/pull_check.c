/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pull finds in the store, under plain and staged keys, and whether that is what the index names: its size, then its
 * digest, a chunk a turn of the loop.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "cache/manifest.h"
#include "firmware/base/stat.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/sync/pull_priv.h"
#include "proxy/upstream/parent.h"

/* ---- keys ---------------------------------------------------------------------------------------- */

/* The part of a variant's key that all its variants share. */
struct span pull_primary(struct span key)
{
	return span_head(key, span_find(key, '\n'));
}

struct cache_key pull_staged_key(struct span plain, char *buf)
{
	struct cache_key key;

	CHECK_OK(manifest_key(plain, MANIFEST_STAGED, buf, CACHE_KEY_TEXT_MAX, &key));
	return key;
}

/* The plain key of a record's, which may be staged. */
static char *plain_of(struct span key)
{
	size_t at = span_find(key, '\n');
	struct span rest = span_drop(key, at);
	char *text = malloc(key.n + 1);

	if (!text)
		return NULL;
	if (span_starts(rest, MANIFEST_STAGED))
		rest = span_drop(rest, MANIFEST_STAGED.n);
	memcpy(text, key.p, at);
	memcpy(text + at, rest.p, rest.n);
	text[at + rest.n] = 0;
	return text;
}

int pull_peek(const struct pull *p, struct span text, struct stored **ret_stored)
{
	struct cache_key key = key_of(text);
	int rc = store_peek(p->worker->reader, &key, ret_stored);

	if (rc == 0 && stored_object(*ret_stored)->kind == OBJECT_RESPONSE)
		return 0;
	if (rc == 0)
		stored_free(ret_stored);
	return rc < 0 ? rc : -ENOENT;
}

/* Of the marker under a primary key: its id, 0 if there is none; and its names. */
uint64_t pull_marker(const struct pull *p, struct span key, char names[POLICY_VARY_MAX])
{
	struct cache_key at = key_of(key);
	struct stored *stored;
	uint64_t id = 0;

	names[0] = 0;
	if (store_peek(p->worker->reader, &at, &stored) < 0)
		return 0;
	if (stored_object(stored)->kind == OBJECT_VARY &&
	    span_copy(stored_object(stored)->fields, names, POLICY_VARY_MAX) == 0)
		id = stored_object(stored)->id;
	stored_free(&stored);
	return id;
}

/* ---- checking what is stored ---------------------------------------------------------------------- */

const char *pull_digest(const struct pull *p)
{
	return p->expect.known && p->expect.digest_n ? index_digest_name(p->expect.kind) : NULL;
}

bool pull_size_is_right(const struct pull *p, const struct object *object)
{
	return !p->expect.known || p->expect.size == INDEX_SIZE_UNKNOWN ||
	       (uint64_t)object->length == p->expect.size;
}

static void confirmed(struct pull *p)
{
	struct object object = *stored_object(p->found);

	object.generation = p->generation;
	object.body = span_make(NULL, 0);
	if (stored_object(p->found)->body.n)
		object.body = stored_object(p->found)->body;
	if (writer_update_object(p->worker->proxy->writer, &object, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}

static void settle_result(struct pull *p)
{
	const struct object *object = stored_object(p->found);
	char names[POLICY_VARY_MAX], buf[CACHE_KEY_TEXT_MAX];
	bool staged = manifest_key_is_beside(object->key);

	p->result.id = object->id;
	p->result.size = object->length;
	p->result_key = plain_of(object->key);
	if (!p->result_key) {
		pull_finish(p, PULL_FAILED, -ENOMEM);
		return;
	}
	if (staged)
		p->result.marker_id = pull_marker(
			p, pull_staged_key(pull_primary(span_of(p->result_key)), buf).text, names);
	if (p->for_plain)
		confirmed(p);
	pull_finish(p,
		    staged		      ? PULL_STAGED
		    : p->base || p->for_plain ? PULL_UNCHANGED
					      : PULL_FRESH,
		    0);
}

/* It is not what the index names. What was there before stays. */
static void mismatch(struct pull *p)
{
	const struct object *object = stored_object(p->found);
	struct cache_key key = key_of(object->key);
	bool came = !p->base || stored_object(p->base)->id != object->id ||
		    manifest_key_is_beside(object->key);

	if (p->for_plain) {
		stored_free(&p->found);
		p->for_plain = false;
		pull_fetch(p);
		return;
	}
	if (came && writer_remove(p->worker->proxy->writer, &key, object->id, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
	if (!p->direct && parents_count(p->worker->proxy->parents)) {
		p->direct = true; /* a parent may have had an old one */
		pull_look(p);
		return;
	}
	STAT_INC(STAT_SYNC_MISMATCH);
	pull_finish(p, PULL_MISMATCH, 0);
}

static void check_end(struct pull *p)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool right = EVP_DigestFinal_ex(p->digest, digest, &n) == 1 && n == p->expect.digest_n &&
		     !memcmp(digest, p->expect.digest, n);

	EVP_MD_CTX_free(p->digest);
	p->digest = NULL;
	if (right)
		settle_result(p);
	else
		mismatch(p);
}

/* The next chunk, then the loop's other events. */
void pull_check_turn(evutil_socket_t fd, short what, void *arg)
{
	struct pull *p = arg;
	const struct object *object = stored_object(p->found);
	struct store_place place;

	(void)fd;
	(void)what;
	if (object->body.n)
		(void)EVP_DigestUpdate(p->digest, object->body.p, object->body.n);
	if (p->chunk >= object_chunks(object)) {
		check_end(p);
		return;
	}
	if (stored_chunk(p->worker->reader, p->found, p->chunk++, &place) < 0) {
		pull_finish(p, PULL_FAILED, -EIO); /* damaged: the next run finds a hole */
		return;
	}
	(void)EVP_DigestUpdate(p->digest, place.bytes.p, place.bytes.n);
	worker_next_turn(&p->turn);
}

/* What there is, `found`, against what the index names. */
void pull_check(struct pull *p)
{
	const EVP_MD *md = pull_digest(p) ? EVP_get_digestbyname(pull_digest(p)) : NULL;

	p->step = STEP_CHECK;
	if (!pull_size_is_right(p, stored_object(p->found))) {
		mismatch(p);
		return;
	}
	if (!md) {
		settle_result(p);
		return;
	}
	p->chunk = 0;
	p->digest = EVP_MD_CTX_new();
	if (!p->digest || EVP_DigestInit_ex(p->digest, md, NULL) != 1) {
		pull_finish(p, PULL_FAILED, -ENOMEM);
		return;
	}
	worker_next_turn(&p->turn);
}
