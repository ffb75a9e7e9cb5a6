/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: the repository of each profile, for tarnctl export and tarn-mount, who write and show it
 * as files. A list is lines of JSON, made while it is sent:
 *
 *	{"source": group, "number": N, "published_ms": T, "whole": bool}
 *	{"key": ..., "id": ..., "size": ..., "index": ..., ...}		one an object
 *	{"end": objects, "missing": those that have been evicted since}
 *
 * Where no generation is published, it is all that is stored whole, as number 0; for that every record is looked at
 * once. Control loop only; a body's bytes are sent from the store's map, under a lease that goes with the last
 * of them. They are read from the disk on this loop, at most BODY_MAX at a time.
 */
#include <event2/buffer.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "cache/manifest.h"
#include "proxy/admin/route.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/policy/policy.h"
#include "proxy/proxy.h"

#define PIECE_OBJECTS 256
#define BODY_MAX      (1 << 20)

/* ---- what there is ----------------------------------------------------------------------------- */

static json_t *info_json(struct store_reader *reader, const char *profile,
			 enum manifest_which which)
{
	struct manifest *manifest;
	const struct manifest_info *info;
	uint64_t bytes = 0;
	json_t *json;

	if (manifest_load(reader, profile, which, &manifest) < 0)
		return json_null();
	info = manifest_info(manifest);
	for (size_t i = 0; i < info->n; i++)
		bytes += (uint64_t)manifest_at(manifest, i)->size;
	json = json_pack("{s:I, s:I, s:b, s:I, s:I}", "number", (json_int_t)info->number,
			 "published_ms", (json_int_t)info->published_ms, "whole", info->whole,
			 "objects", (json_int_t)info->n, "bytes", (json_int_t)bytes);
	manifest_free(&manifest);
	return json;
}

static void get_repositories(struct admin_ask *ask)
{
	const struct profiles *profiles = ask->control->config->profiles;
	json_t *rows = json_array(), *answer = NULL;
	struct store_reader *reader;
	int rc = store_reader_new(ask->control->proxy->store, &reader);

	if (rc < 0) {
		json_decref(rows);
		return admin_answer_errno(ask, rc);
	}
	for (size_t i = 0; i < profiles_count(profiles); i++) {
		const struct profile *p = profiles_at(profiles, i);

		(void)json_array_append_new(
			rows,
			json_pack("{s:s, s:s, s:o, s:o}", "profile", profile_name(p), "title",
				  profile_title(p), "current",
				  info_json(reader, profile_name(p), MANIFEST_CURRENT), "previous",
				  info_json(reader, profile_name(p), MANIFEST_PREVIOUS)));
	}
	store_reader_free(&reader);
	answer = json_pack("{s:o}", "profiles", rows);
	admin_answer_json(ask, 200, answer);
}

/* ---- a list --------------------------------------------------------------------------------------- */

struct listing {
	struct worker *control;
	struct manifest *manifest; /* or NULL: */
	struct manifest_member *found;
	size_t n, size;
	size_t at, missing;
	bool headed;
	char source[POLICY_PLACE_MAX];
	const char *profile; /* for the walk */
	int rc;
};

/* The group that the update source's tree is of. */
static void source_find(struct listing *l, const struct profile *profile)
{
	struct policy_target target = { .profile = profile,
					.secure = profile_upstream_secure(profile) };
	struct profile_match match;
	uint16_t port = 0;
	const char *host = profile_source(profile, &port);

	if (!host || !profile_match_host(l->control->config->profiles, span_of(host), &match))
		return;
	target.group = match.group;
	target.port = port;
	(void)policy_place(&target, l->source);
}

static int walk(const struct object *object, void *arg)
{
	struct listing *l = arg;
	struct manifest_member *grown;
	char *key;

	if (object->kind != OBJECT_RESPONSE || object->status != 200 || !object_complete(object) ||
	    span_find(object->key, '\n') < object->key.n || l->n == MANIFEST_MEMBERS_MAX)
		return 0;
	if (l->n == l->size) {
		grown = realloc(l->found, (l->size * 2 + 64) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		l->found = grown;
		l->size = l->size * 2 + 64;
	}
	key = span_dup(object->key);
	if (!key)
		return -ENOMEM;
	l->found[l->n++] = (struct manifest_member){ .key = { key, object->key.n },
						     .id = object->id,
						     .size = object->length,
						     .index = object->class == PROFILE_INDEX };
	return 0;
}

static int stored_find(struct listing *l, struct store_reader *reader,
		       const struct profile *profile)
{
	char prefix[64];
	int n = snprintf(prefix, sizeof(prefix), "%s ", profile_name(profile));

	return store_each(reader, span_make(prefix, (size_t)n), walk, l);
}

static void listing_end(void *arg)
{
	struct listing *l = arg;

	manifest_free(&l->manifest);
	for (size_t i = 0; i < (l->found ? l->n : 0); i++)
		free((char *)(uintptr_t)l->found[i].key.p);
	free(l->found);
	free(l);
}

static int line_add(struct evbuffer *out, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int rc = text && evbuffer_add_printf(out, "%s\n", text) >= 0 ? 0 : -ENOMEM;

	free(text);
	json_decref(json);
	return rc;
}

static void put(json_t *json, const char *name, json_t *value)
{
	(void)json_object_set_new(json, name, value);
}

static json_t *fields_json(struct span fields)
{
	unsigned char *text = malloc(fields.n / 3 * 4 + 8);
	json_t *json = NULL;

	if (text) {
		(void)EVP_EncodeBlock(text, (const unsigned char *)fields.p, (int)fields.n);
		json = json_string((char *)text);
	}
	free(text);
	return json;
}

static json_t *object_json(const struct manifest_member *member, const struct object *o)
{
	char hex[2 * OBJECT_DIGEST_BYTES + 1];
	json_t *json = json_object();

	put(json, "key", json_stringn(member->key.p, member->key.n));
	put(json, "id", json_integer((json_int_t)o->id));
	put(json, "size", json_integer(o->length));
	put(json, "index", json_boolean(member->index));
	put(json, "date", json_integer(o->date == OBJECT_TIME_UNKNOWN ? o->received : o->date));
	put(json, "lifetime", json_integer(o->lifetime));
	put(json, "fields", fields_json(o->fields));
	if (o->etag.n)
		put(json, "etag", json_stringn(o->etag.p, o->etag.n));
	if (o->last_modified != OBJECT_TIME_UNKNOWN)
		put(json, "last_modified", json_integer(o->last_modified));
	if (o->flags & OBJECT_DIGEST) {
		for (unsigned i = 0; i < OBJECT_DIGEST_BYTES; i++)
			(void)sprintf(hex + 2 * i, "%02x", o->digest[i]);
		put(json, "sha256", json_string(hex));
	}
	return json;
}

static size_t listing_n(const struct listing *l)
{
	return l->manifest ? manifest_info(l->manifest)->n : l->n;
}

static int member_add(struct listing *l, struct store_reader *reader, struct evbuffer *out)
{
	const struct manifest_member *member =
		l->manifest ? manifest_at(l->manifest, l->at) : &l->found[l->at];
	struct stored *stored;
	int rc = manifest_look(reader, member, &stored);

	l->at++;
	if (rc == -ENOENT) {
		l->missing++;
		return 0;
	}
	if (rc < 0)
		return rc;
	if (object_complete(stored_object(stored)))
		rc = line_add(out, object_json(member, stored_object(stored)));
	else
		l->missing++;
	stored_free(&stored);
	return rc;
}

static int head_add(struct listing *l, struct evbuffer *out)
{
	const struct manifest_info none = { .whole = true };
	const struct manifest_info *info = l->manifest ? manifest_info(l->manifest) : &none;

	l->headed = true;
	return line_add(out, json_pack("{s:s, s:I, s:I, s:b}", "source", l->source, "number",
				       (json_int_t)info->number, "published_ms",
				       (json_int_t)info->published_ms, "whole", info->whole));
}

static int listing_next(void *arg, struct evbuffer *out)
{
	struct listing *l = arg;
	struct store_reader *reader;
	size_t end = l->at + PIECE_OBJECTS;
	int rc = store_reader_new(l->control->proxy->store, &reader);

	if (rc < 0)
		return rc;
	if (!l->headed)
		rc = head_add(l, out);
	while (rc == 0 && l->at < listing_n(l) && l->at < end)
		rc = member_add(l, reader, out);
	store_reader_free(&reader);
	if (rc < 0 || l->at < listing_n(l))
		return rc < 0 ? rc : 1;
	return line_add(out, json_pack("{s:I, s:I}", "end", (json_int_t)(l->at - l->missing),
				       "missing", (json_int_t)l->missing));
}

static const struct admin_source listing_source = { listing_next, listing_end };

/* The generation, or all that is stored. 0 or -errno; -ENOENT: there is none. */
static int listing_find(struct listing *l, const struct profile *profile, bool previous)
{
	struct store_reader *reader;
	int rc = store_reader_new(l->control->proxy->store, &reader);

	if (rc < 0)
		return rc;
	rc = manifest_load(reader, profile_name(profile),
			   previous ? MANIFEST_PREVIOUS : MANIFEST_CURRENT, &l->manifest);
	if (rc == -ENOENT && !previous)
		rc = stored_find(l, reader, profile);
	store_reader_free(&reader);
	return rc;
}

static void get_repository(struct admin_ask *ask)
{
	const struct profile *profile =
		profiles_by_name(ask->control->config->profiles, span_of(ask->name));
	const char *which = admin_query(ask, "which");
	struct listing *l;
	int rc;

	if (!profile)
		return admin_answer_error(ask, 404, "unknown_profile", "there is no such profile");
	if (which && strcmp(which, "current") != 0 && strcmp(which, "previous") != 0)
		return admin_answer_error(ask, 400, "which", "which=current or which=previous");
	l = calloc(1, sizeof(*l));
	if (!l)
		return admin_answer_errno(ask, -ENOMEM);
	l->control = ask->control;
	source_find(l, profile);
	rc = listing_find(l, profile, which && which[0] == 'p');
	if (rc < 0) {
		listing_end(l);
		return admin_answer_errno(ask, rc);
	}
	(void)admin_stream_open(ask, "application/x-ndjson", NULL, &listing_source, l);
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

/* A piece on its way to the asker. */
static void piece_sent(const void *data, size_t n, void *arg)
{
	struct lease *lease = arg;

	(void)data, (void)n;
	lease_unref(&lease);
}

static int piece_add(struct store_reader *reader, const struct stored *stored, uint64_t from,
		     size_t n, struct evbuffer *out, size_t *ret_n)
{
	uint32_t index = (uint32_t)(from / CONFIG_CHUNK_BYTES);
	struct store_place place;
	struct lease *lease;
	struct span bytes;
	int rc = stored_chunk(reader, stored, index, &place);

	if (rc < 0)
		return rc;
	bytes = span_head(span_drop(place.bytes, from % CONFIG_CHUNK_BYTES), n);
	if (!bytes.n)
		return -EIO;
	lease = lease_ref(stored_lease(stored));
	if (evbuffer_add_reference(out, bytes.p, bytes.n, piece_sent, lease) < 0) {
		lease_unref(&lease);
		return -ENOMEM;
	}
	*ret_n = bytes.n;
	return 0;
}

static int body_add(struct store_reader *reader, const struct stored *stored, uint64_t from,
		    uint64_t n, struct evbuffer *out)
{
	const struct object *o = stored_object(stored);
	size_t got = 0;
	int rc = 0;

	if (from > (uint64_t)o->length || n > (uint64_t)o->length - from)
		return -ERANGE;
	if (!object_complete(o))
		return -ENOENT;
	if (o->body.n)
		return evbuffer_add(out, o->body.p + from, n) < 0 ? -ENOMEM : 0;
	for (; rc == 0 && n; from += got, n -= got)
		rc = piece_add(reader, stored, from, n, out, &got);
	return rc;
}

static void get_body(struct admin_ask *ask)
{
	const char *key = admin_query(ask, "key");
	struct evbuffer *out;
	struct store_reader *reader;
	struct stored *stored;
	int64_t id, from, n;
	int rc;

	if (admin_query_number(ask, "id", 0, INT64_MAX, 0, &id) < 0 ||
	    admin_query_number(ask, "from", 0, INT64_MAX, 0, &from) < 0 ||
	    admin_query_number(ask, "n", 0, BODY_MAX, 0, &n) < 0)
		return;
	if (!key)
		return admin_answer_error(ask, 400, "key", "key=, id=, from= and n=");
	out = evbuffer_new();
	rc = out ? store_reader_new(ask->control->proxy->store, &reader) : -ENOMEM;
	if (rc == 0) {
		const struct manifest_member member = { .key = span_of(key), .id = (uint64_t)id };

		rc = manifest_look(reader, &member, &stored);
		if (rc == 0) {
			rc = body_add(reader, stored, (uint64_t)from, (uint64_t)n, out);
			stored_free(&stored);
		}
		store_reader_free(&reader);
	}
	if (rc == 0)
		admin_answer_bytes(ask, "application/octet-stream", out);
	else if (rc == -ERANGE)
		admin_answer_error(ask, 400, "range", "it has no such bytes");
	else /* a damaged chunk has just been dropped: as good as evicted */
		admin_answer_errno(ask, rc == -EBADMSG || rc == -EIO ? -ENOENT : rc);
	if (out)
		evbuffer_free(out);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/repository", ADMIN_VIEW, get_repositories },
	{ ADMIN_GET, "/api/v1/repository/{name}", ADMIN_VIEW, get_repository },
	{ ADMIN_GET, "/api/v1/repository_body", ADMIN_VIEW, get_body },
};
ADMIN_TABLE(repository, routes);
