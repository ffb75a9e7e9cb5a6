/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object that is imported: its record is made by the same policy as if the vendor had just sent these fields, so that
 * nothing gets into the store which the box would not have stored itself; its bytes go to the writer as they come.
 * The record follows when all of them are here and are what was announced.
 */
#include <stdlib.h>

#include "firmware/base/stat.h"
#include "proxy/carry/carry_priv.h"

/* An imported generation may be all that there is, for as long as it takes: no failure makes it too old. */
#define STALE_IF_ERROR (10u * 365 * 86400)

/* About 30 KiB: there is one import and one thread. */
static struct {
	char text[IMPORT_FIELDS_MAX + 256];
	char fields[POLICY_HEAD_MAX];
	struct http_head head;
	char key[CACHE_KEY_TEXT_MAX], staged[CACHE_KEY_TEXT_MAX];
} scratch;

/* ---- what can be a member -------------------------------------------------------------------------- */

/* "<profile> <group>[:port] <path>" */
struct named {
	char group[PROFILE_GROUP_MAX];
	uint16_t port;
	struct span path;
};

static bool group_is(const struct profiles *profiles, const struct profile *profile,
		     const char *group)
{
	struct profile_match match;
	size_t n;

	if (group[0] == '@')
		return profile_mirrors(profile, group, &n) != NULL;
	return profile_match_host(profiles, span_of(group), &match) && match.profile == profile &&
	       !match.never && strcmp(match.group, group) == 0;
}

static bool name_read(struct span key, struct named *ret)
{
	struct span rest = key, word;
	size_t colon;
	uint64_t port = 0;

	if (!span_cut(&rest, ' ', &word) || !span_cut(&rest, ' ', &word) || !rest.n)
		return false;
	colon = span_find(word, ':');
	if (colon < word.n &&
	    (span_u64(span_drop(word, colon + 1), &port) < 0 || !port || port > UINT16_MAX))
		return false;
	ret->port = (uint16_t)port;
	ret->path = rest;
	return span_copy(span_head(word, colon), ret->group, sizeof(ret->group)) == 0;
}

/* Is it the key that a device's request for it would have? */
static bool key_is_ours(const struct profile *profile, const struct named *named, struct span key)
{
	const struct policy_target target = {
		.profile = profile,
		.group = named->group,
		.port = named->port,
		.path = named->path,
	};
	struct cache_key made;

	return policy_key(&target, scratch.key, sizeof(scratch.key), &made) == 0 &&
	       span_eq(made.text, key);
}

static int member_check(struct import *import, const struct profile *profile,
			const struct import_object *object, struct named *named,
			char why[IMPORT_WHY_MAX])
{
	const struct profiles *profiles = import->all->control->config->profiles;
	const char *is = NULL;
	enum profile_kind kind;

	if (!name_read(object->key, named) || !key_is_ours(profile, named, object->key) ||
	    object->key.n > CACHE_KEY_TEXT_MAX - MANIFEST_PREVIOUS_KEY.n)
		is = "this can't be a key";
	else if (!group_is(profiles, profile, named->group))
		is = "the profile here has no such host or group";
	if (!is) {
		kind = profile_classify(profile, named->path)->kind;
		if (kind == PROFILE_PASS)
			is = "the profile here does not store it";
		else if ((kind == PROFILE_INDEX) != object->index)
			is = "by the profile here it is of another class";
	}
	if (!is && import->what.bytes < object->size)
		is = "it is larger than all was said to be";
	if (is)
		(void)snprintf(why, IMPORT_WHY_MAX, "%s", is);
	return is ? -EINVAL : 0;
}

/* ---- its record ------------------------------------------------------------------------------------ */

static int record_make(struct import *import, const struct profile *profile,
		       const struct import_object *object, const struct named *named,
		       struct object *ret, char why[IMPORT_WHY_MAX])
{
	const struct config *config = import->all->control->config;
	int64_t wall = worker_now(import->all->control)->wall_ms / 1000;
	const struct policy_times times = { wall, wall };
	const struct policy_env env = {
		.now = wall,
		.generation = import->generation,
		.heuristic_max = config->settings.cache.heuristic_max / 1000,
	};
	struct policy_req request = { 0 };
	struct policy_stored stored;
	struct cache_key key;
	int n = snprintf(scratch.text, sizeof(scratch.text), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");

	(void)snprintf(why, IMPORT_WHY_MAX, "its header fields make no sense");
	CHECK_OK(http_request_parse(&scratch.head, scratch.text, (size_t)n));
	policy_request(&scratch.head, profile_classify(profile, named->path), &request, NULL);
	n = snprintf(scratch.text, sizeof(scratch.text),
		     "HTTP/1.1 200 OK\r\n%.*sContent-Length: %ju\r\n\r\n", SPAN_FMT(object->fields),
		     (uintmax_t)object->size);
	if (n >= (int)sizeof(scratch.text) ||
	    http_response_parse(&scratch.head, scratch.text, (size_t)n) < 0 ||
	    scratch.head.size != (size_t)n ||
	    policy_response(&request, &scratch.head, &times, &env, scratch.fields,
			    sizeof(scratch.fields), &stored, NULL) < 0)
		return -EINVAL;
	if (!stored.store || stored.vary.n || stored.private_fields.n) {
		(void)snprintf(why, IMPORT_WHY_MAX, "it would not be stored here: %s",
			       stored.store ? "it has variants"
					    : policy_reason_info(stored.reason)->text);
		return -EINVAL;
	}
	*ret = stored.object;
	CHECK_OK(manifest_key(object->key, MANIFEST_STAGED, scratch.staged, sizeof(scratch.staged),
			      &key));
	ret->key = key.text;
	ret->status = 200;
	ret->length = (int64_t)object->size;
	ret->generation = import->generation;
	ret->flags |= OBJECT_DIGEST | POLICY_F_STALE_IF_ERROR;
	ret->stale_if_error = STALE_IF_ERROR;
	memcpy(ret->digest, object->sha256, OBJECT_DIGEST_BYTES);
	return 0;
}

int coming_begin(struct import *import, const struct import_object *object,
		 char why[IMPORT_WHY_MAX])
{
	struct coming *c = &import->coming;
	const struct profile *profile =
		profiles_by_name(import->all->control->config->profiles, span_of(import->name));
	struct named named;
	struct object record;
	int rc;

	if (!profile) {
		(void)snprintf(why, IMPORT_WHY_MAX, "the profile is gone");
		return -EINVAL;
	}
	rc = member_check(import, profile, object, &named, why);
	if (rc == 0)
		rc = record_make(import, profile, object, &named, &record, why);
	if (rc < 0)
		return rc;
	record.id = store_id_new(import->all->control->proxy->store);
	c->part = (struct part){
		.key = span_dup(object->key),
		.id = record.id,
		.size = record.length,
		.index = object->index,
		.staged = true,
		.brought = true,
	};
	c->record = object_dup(&record);
	c->lease = lease_new(import->all->control->proxy->store, record.id);
	c->digest = EVP_MD_CTX_new();
	if (c->part.key && c->record && c->lease && c->digest &&
	    EVP_DigestInit_ex(c->digest, EVP_sha256(), NULL) == 1)
		return 0;
	coming_end(import);
	(void)snprintf(why, IMPORT_WHY_MAX, "no memory");
	return -ENOMEM;
}

void coming_end(struct import *import)
{
	struct coming *c = &import->coming;

	free(c->part.key);
	object_free(&c->record);
	if (c->lease)
		lease_unref(&c->lease);
	if (c->chunk)
		chunk_unref(&c->chunk);
	EVP_MD_CTX_free(c->digest);
	*c = (struct coming){ 0 };
}

int part_add(struct import *import, struct part *part)
{
	CHECK(import->n < import->what.objects);
	import->parts[import->n++] = *part;
	part->key = NULL;
	return 0;
}

/* ---- its bytes --------------------------------------------------------------------------------------- */

/* All bytes have been seen: they are what was announced, or it is dropped. */
static bool is_right(struct coming *c)
{
	uint8_t digest[IMPORT_DIGEST];
	unsigned n = 0;

	return EVP_DigestFinal_ex(c->digest, digest, &n) == 1 && n == sizeof(digest) &&
	       memcmp(digest, c->record->digest, sizeof(digest)) == 0;
}

static int record_put(struct import *import)
{
	struct coming *c = &import->coming;
	struct object record = *c->record;

	if (c->chunk)
		record.body = span_make(c->chunk->data, c->chunk->len);
	return writer_put_object(import->all->control->proxy->writer, &record, NULL, NULL);
}

static void whole(struct import *import)
{
	struct coming *c = &import->coming;
	int rc = is_right(c) ? record_put(import) : -EBADMSG;

	if (rc == 0)
		rc = part_add(import, &c->part);
	if (rc == 0) {
		STAT_INC(STAT_IMPORT_OBJECTS);
		STAT_ADD(STAT_IMPORT_BYTES, (uint64_t)c->record->length);
	}
	coming_end(import);
	if (rc == -EBADMSG)
		import_refuse(import, rc, "its digest is not the one that the manifest has");
	else if (rc < 0)
		import_refuse(import, rc == WRITER_REFUSED ? -EIO : rc,
			      "the store takes nothing now");
	else
		import_answer(import, 0, &(struct import_answer){ .word = "whole" }, NULL);
}

/* Decodes into the chunk; what a piece must be is known. */
static bool decode(struct span base64, struct chunk *chunk, uint64_t want)
{
	int n = base64.n <= CONFIG_CHUNK_BYTES / 3 * 4 + 4 && base64.n % 4 == 0
			? EVP_DecodeBlock(chunk->data, (const uint8_t *)base64.p, (int)base64.n)
			: -1;

	for (size_t i = base64.n; n > 0 && i-- > base64.n - 2 && base64.p[i] == '=';)
		n--;
	if (n < 0 || (uint64_t)n != want)
		return false;
	chunk->len = (uint32_t)n;
	return true;
}

static int chunk_put(struct import *import, struct chunk *chunk)
{
	struct coming *c = &import->coming;

	c->at += chunk->len;
	if (EVP_DigestUpdate(c->digest, chunk->data, chunk->len) != 1)
		return -ENOMEM;
	if (c->at == (uint64_t)c->record->length && object_fits_inline(c->record, c->at)) {
		c->chunk = chunk_ref(chunk);
		return 0;
	}
	return writer_put_chunk(import->all->control->proxy->writer, c->record->id, c->index++,
				chunk, NULL, NULL);
}

void coming_piece(struct import *import)
{
	struct coming *c = &import->coming;
	uint64_t left = (uint64_t)c->record->length - c->at;
	uint64_t want = left < CONFIG_CHUNK_BYTES ? left : CONFIG_CHUNK_BYTES;
	struct chunk *chunk = chunk_new(import->all->pool);
	int rc;

	if (!chunk) { /* the writer has them all */
		writer_hurry(import->all->control->proxy->writer);
		chunk_wait(import->all->pool, &import->all->waiter);
		return;
	}
	rc = decode(import->base64, chunk, want) ? chunk_put(import, chunk) : -EINVAL;
	chunk_unref(&chunk);
	if (rc < 0) {
		coming_end(import);
		import_refuse(import, rc == WRITER_REFUSED ? -EIO : rc, "%s",
			      rc == -EINVAL ? "a piece is not of the size that it has to be"
					    : "the store takes nothing now");
	} else if (c->at < (uint64_t)c->record->length) {
		import_answer(import, 0, &(struct import_answer){ .word = "more" }, NULL);
	} else {
		whole(import);
	}
}
