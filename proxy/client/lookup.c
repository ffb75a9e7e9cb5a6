/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of a request, and what the store has under them. A URI whose responses vary has a marker under its primary
 * key, which names the request fields that select; the response is under the key of the variant.
 */
#include "proxy/client/client_priv.h"

static struct worker *worker_of(const struct request *req)
{
	return req->conn->worker;
}

static int text_set(char **text, size_t *n, struct span value)
{
	char *copy = malloc(value.n + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, value.p, value.n);
	copy[value.n] = 0;
	free(*text);
	*text = copy;
	*n = value.n;
	return 0;
}

static struct cache_key primary_key(const struct request *req)
{
	return key_of(span_make(req->key, req->key_n));
}

/* The key of the variant that this request selects, in client->text. */
static int variant_key(struct request *req, struct span names, struct cache_key *ret_key)
{
	struct client *client = worker_of(req)->client;

	memcpy(client->text, req->key, req->key_n);
	*ret_key = key_of(span_make(client->text, req->key_n));
	return policy_vary_key(names, &req->head, client->text, sizeof(client->text), ret_key);
}

/* The key under which this request's flights are. */
struct cache_key request_flight_key(const struct request *req)
{
	return req->variant ? key_of(span_make(req->variant, req->variant_n)) : primary_key(req);
}

int request_cond_key(struct request *req, struct cache_key *ret_key)
{
	struct client *client = worker_of(req)->client;
	struct cache_key key = request_flight_key(req);
	size_t n = key.text.n;

	if (n > sizeof(client->scratch))
		return -ENOSPC;
	memcpy(client->scratch, key.text.p, n);
	for (unsigned i = 0; i < req->head.nfields; i++) {
		const struct http_field *f = &req->head.fields[i];

		if (req->alone ? f->id != HTTP_FIELD_RANGE
			       : f->id != HTTP_FIELD_IF_NONE_MATCH &&
					 f->id != HTTP_FIELD_IF_MODIFIED_SINCE)
			continue;
		if (sizeof(client->scratch) - n < f->value.n + 3)
			return -ENOSPC;
		/* '?' begins no field's name and no word of cache/manifest.h: the device writes what follows. */
		memcpy(client->scratch + n,
		       req->alone			   ? "\n?r"
		       : f->id == HTTP_FIELD_IF_NONE_MATCH ? "\n?n"
							   : "\n?s",
		       3);
		memcpy(client->scratch + n + 3, f->value.p, f->value.n);
		n += 3 + f->value.n;
	}
	*ret_key = key_of(span_make(client->scratch, n));
	return 0;
}

/* The names in a variant's key: its lines behind the primary, "\n<name>:<value>". */
static int names_of(struct span lines, char *buf, size_t size, struct span *ret_names)
{
	struct span line;
	size_t n = 0;

	while (span_cut(&lines, '\n', &line)) {
		size_t name = span_find(line, ':');

		if (!line.n)
			continue;
		if (n + name + 1 > size)
			return -ENOSPC;
		if (n)
			buf[n++] = ',';
		memcpy(buf + n, line.p, name);
		n += name;
	}
	*ret_names = span_make(buf, n);
	return 0;
}

/* The lines behind the primary key, of a part's as of a whole's. */
static struct span lines_of(const struct request *req, struct span key)
{
	struct span lines = span_drop(key, req->key_n);

	return span_starts(lines, POLICY_PART_KEY) ? span_drop(lines, POLICY_PART_KEY.n) : lines;
}

/* Does this request select the response that another's fetch brought? */
bool request_selects(struct request *req, const struct object *object)
{
	struct span primary = span_make(req->key, req->key_n);
	struct span lines;
	char names_buf[POLICY_VARY_MAX + POLICY_VARY_FIELDS_MAX];
	struct span names;
	struct cache_key key;

	if (!span_starts(object->key, primary))
		return false;
	lines = lines_of(req, object->key);
	if (!lines.n)
		return true;
	return names_of(lines, names_buf, sizeof(names_buf), &names) == 0 &&
	       variant_key(req, names, &key) == 0 && span_eq(span_drop(key.text, primary.n), lines);
}

/* ---- looking up ---------------------------------------------------------------------------------- */

/*
 * What a flight of ours brought is for another variant. Its key tells the fields that select, before the marker is
 * committed that says so: this request looks for its own from now on.
 */
int request_learn(struct request *req, const struct object *object)
{
	char names_buf[POLICY_VARY_MAX + POLICY_VARY_FIELDS_MAX];
	struct span names;
	struct cache_key key;
	size_t n;
	int rc;

	if (!span_starts(object->key, span_make(req->key, req->key_n)))
		return -EINVAL;
	rc = names_of(lines_of(req, object->key), names_buf, sizeof(names_buf), &names);
	if (rc == 0)
		rc = variant_key(req, names, &key);
	if (rc == 0)
		rc = text_set(&req->variant, &req->variant_n, key.text);
	if (rc == 0)
		rc = text_set(&req->vary, &n, names);
	return rc;
}

/* A seat in the flight that has newer than the store, if it is for this request. */
bool request_see(struct request *req, const struct cache_key *key)
{
	if (LIKELY(!flight_see(worker_of(req)->proxy->flights, key, &req->seat)))
		return false;
	if (request_selects(req, flight_object(&req->seat)))
		return true;
	if (request_learn(req, flight_object(&req->seat)) == 0)
		req->learnt = true;
	flight_leave(&req->seat);
	return false;
}

/*
 * What lies behind a marker. Invalidation removes a marker, and all variants with it: those that are older than the
 * marker that came later are not found any more, whatever it names.
 */
static int look_variant(struct request *req, bool and_flights, const struct object *marker,
			struct stored **ret_stored)
{
	struct cache_key key;
	size_t n;
	int rc = text_set(&req->vary, &n, marker->fields);

	if (rc == 0)
		rc = variant_key(req, marker->fields, &key);
	if (rc == 0)
		rc = text_set(&req->variant, &req->variant_n, key.text);
	if (rc == 0 && and_flights) {
		key.text = span_make(req->variant, req->variant_n);
		if (request_see(req, &key))
			return -EINPROGRESS;
	}
	if (rc == 0)
		rc = store_lookup(worker_of(req)->reader, &key, ret_stored);
	if (rc == 0 && stored_object(*ret_stored)->id < marker->id) {
		stored_free(ret_stored);
		rc = -ENOENT;
	}
	return rc;
}

/* The variant that this request learnt of, in flights alone: what the store has may be older than an invalidation. */
static int look_learnt(struct request *req)
{
	struct cache_key key = key_of(span_make(req->variant, req->variant_n));

	return request_see(req, &key) ? -EINPROGRESS : -ENOENT;
}

/* There is no marker (any more): there is one response for all. */
static void forget_variant(struct request *req)
{
	free(req->vary);
	free(req->variant);
	req->vary = req->variant = NULL;
	req->variant_n = 0;
}

static int look(struct request *req, bool and_flights, struct stored **ret_stored,
		bool *ret_variants)
{
	struct cache_key key = primary_key(req);
	struct stored *stored;
	int rc;

	*ret_variants = req->learnt;
	req->marker = 0;
	if (and_flights && request_see(req, &key))
		return -EINPROGRESS;
	if (and_flights && req->learnt) {
		*ret_variants = true;
		return look_learnt(req);
	}
	rc = store_lookup(worker_of(req)->reader, &key, &stored);
	if ((rc < 0 || stored_object(stored)->kind != OBJECT_VARY) && !req->learnt)
		forget_variant(req);
	if (rc < 0)
		return rc;
	if (stored_object(stored)->kind == OBJECT_VARY) {
		struct stored *marker = stored;

		*ret_variants = true;
		req->marker = stored_object(marker)->id;
		rc = look_variant(req, and_flights, stored_object(marker), &stored);
		stored_free(&marker);
	}
	if (rc == 0)
		*ret_stored = stored;
	return rc;
}

int request_look(struct request *req, struct stored **ret_stored, bool *ret_variants)
{
	return look(req, false, ret_stored, ret_variants);
}

int request_look_all(struct request *req, struct stored **ret_stored, bool *ret_variants)
{
	return look(req, true, ret_stored, ret_variants);
}

/* ---- other variants (RFC 9111 4.3.1) ------------------------------------------------------------------- */

/* With a tag, and of bytes that are quickly copied. */
static bool may_offer(const struct object *object)
{
	return object->status == 200 && object->etag.n && object->length > 0 &&
	       object->length <= CONFIG_CHUNK_BYTES && (object->body.n || object_complete(object));
}

void request_offer(struct request *req, struct fetch_ask *ask)
{
	struct cache_key key = primary_key(req);
	struct store_reader *reader = worker_of(req)->reader;
	struct stored *marker, *other;
	int rc = 0;

	if (!req->variant || req->learnt || store_peek(reader, &key, &marker) < 0)
		return;
	for (unsigned i = 0; rc != -ERANGE && ask->others_n < FETCH_OTHERS_MAX; i++) {
		rc = store_variant(reader, stored_object(marker), i, &other);
		if (rc < 0)
			continue;
		if (may_offer(stored_object(other)))
			ask->others[ask->others_n++] = other;
		else
			stored_free(&other);
	}
	stored_free(&marker);
	if (ask->others_n)
		ask->cond = POLICY_COND_OURS;
}

int request_key_make(struct request *req)
{
	struct client *client = worker_of(req)->client;
	struct policy_target target = {
		.profile = req->profile,
		.group = req->match.group,
		.secure = req->secure,
		.port = req->port,
		.path = req->path,
		.has_query = req->head.has_query,
		.query = req->head.query,
	};
	struct cache_key key;

	if (policy_key(&target, client->text, sizeof(client->text), &key) < 0)
		return -EINVAL;
	return text_set(&req->key, &req->key_n, key.text);
}
