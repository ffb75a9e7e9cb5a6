/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is an announced object here already? Under its staged key, from an import that was cut short, or under the plain
 * one: then it is only confirmed for the generation to be. Where no digest is known of what is stored it is
 * read, a chunk a turn of the loop, and known from then on.
 */
#include "firmware/base/stat.h"
#include "proxy/carry/carry_priv.h"

void have_end(struct import *import)
{
	if (import->found)
		stored_free(&import->found);
	EVP_MD_CTX_free(import->digest);
	import->digest = NULL;
	event_del(&import->turn);
}

static void not_here(struct import *import)
{
	have_end(import);
	if (import->coming.record->length > 0) {
		import_answer(import, 0, &(struct import_answer){ .word = "send" }, NULL);
		return;
	}
	import->base64 = (struct span){ "", 0 }; /* nothing is to come */
	coming_piece(import);
}

/* The record as it is, for this generation, with its digest. */
static void confirm(struct import *import)
{
	const struct object *announced = import->coming.record;
	struct object object = *stored_object(import->found);

	object.generation = announced->generation;
	object.flags |= OBJECT_DIGEST | POLICY_F_STALE_IF_ERROR;
	object.stale_if_error = announced->stale_if_error;
	memcpy(object.digest, announced->digest, sizeof(object.digest));
	if (writer_update_object(import->all->control->proxy->writer, &object, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}

static void here(struct import *import)
{
	struct part part = import->coming.part;

	import->coming.part.key = NULL;
	part.id = stored_object(import->found)->id;
	part.staged = manifest_key_is_beside(stored_object(import->found)->key);
	part.brought = false;
	confirm(import);
	have_end(import);
	CHECK_OK(part_add(import, &part));
	coming_end(import);
	import_answer(import, 0, &(struct import_answer){ .word = "have" }, NULL);
}

static void digest_over(struct import *import)
{
	uint8_t digest[IMPORT_DIGEST];
	unsigned n = 0;
	bool same = EVP_DigestFinal_ex(import->digest, digest, &n) == 1 &&
		    memcmp(digest, import->coming.record->digest, sizeof(digest)) == 0;

	if (same)
		here(import);
	else
		not_here(import);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct import *import = arg;
	const struct object *object = stored_object(import->found);
	struct store_place place = { .bytes = object->body };

	(void)fd;
	(void)what;
	import->touched = worker_now(import->all->control)->mono_ms;
	if (import->chunk >= object_chunks(object) && !(object->body.n && import->chunk == 0)) {
		digest_over(import);
		return;
	}
	if (!object->body.n &&
	    stored_chunk(import->all->reader, import->found, import->chunk, &place) < 0) {
		not_here(import); /* damaged, and dropped */
		return;
	}
	import->chunk++;
	(void)EVP_DigestUpdate(import->digest, place.bytes.p, place.bytes.n);
	worker_next_turn(&import->turn);
}

/* What may be it: whole, of this length, and no digest speaks against it. */
static bool may_be(const struct import *import, struct span key, struct stored **ret)
{
	const struct object *want = import->coming.record, *object;
	struct cache_key at = key_of(key);

	if (store_peek(import->all->reader, &at, ret) < 0)
		return false;
	object = stored_object(*ret);
	if (object->kind == OBJECT_RESPONSE && object->status == 200 && object_complete(object) &&
	    object->length == want->length &&
	    (!(object->flags & OBJECT_DIGEST) ||
	     memcmp(object->digest, want->digest, sizeof(want->digest)) == 0))
		return true;
	stored_free(ret);
	return false;
}

void have_begin(struct import *import)
{
	const struct coming *c = &import->coming;

	CHECK_OK(evtimer_assign(&import->turn, import->all->control->base, on_turn, import));
	/* The plain one first: if that is it, nothing has to be moved. */
	if (!may_be(import, span_of(c->part.key), &import->found) &&
	    !may_be(import, c->record->key, &import->found)) {
		import->found = NULL;
		not_here(import);
		return;
	}
	if (stored_object(import->found)->flags & OBJECT_DIGEST) {
		here(import);
		return;
	}
	import->chunk = 0;
	import->digest = EVP_MD_CTX_new();
	if (!import->digest || EVP_DigestInit_ex(import->digest, EVP_sha256(), NULL) != 1) {
		not_here(import);
		return;
	}
	worker_next_turn(&import->turn);
}
