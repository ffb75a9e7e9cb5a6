/* SPDX-License-Identifier: Apache-2.0 */
/* What is stored, for people. Control loop, but object_matches(), which any thread may ask. */
#include "proxy/admin/object_json.h"

#include <fnmatch.h>
#include <string.h>

#include "proxy/generation.h"
#include "proxy/loop.h"
#include "proxy/policy/policy.h"
#include "proxy/proxy.h"

/* A key's text: PROFILE PLACE PATH, then lines of the fields that chose the variant, and of the part it plays. */
struct parts {
	struct span profile, group, path;
	struct span variant; /* "name:value" lines, or nothing */
	const char *role;    /* "staged", "previous", or NULL */
	bool secure;
};

static struct span word_take(struct span *rest)
{
	size_t n = span_find(*rest, ' ');
	struct span word = span_head(*rest, n);

	*rest = span_drop(*rest, n < rest->n ? n + 1 : n);
	return word;
}

static struct parts parts_of(const struct object *object)
{
	struct span rest = object->key, place, tail;
	struct parts p = { 0 };
	size_t line;

	p.profile = word_take(&rest);
	place = word_take(&rest);
	p.group = policy_place_group(place, &p.secure);
	line = span_find(rest, '\n');
	p.path = span_head(rest, line);
	tail = span_drop(rest, line < rest.n ? line + 1 : line);
	if (span_eq(tail, SPAN(":staged")))
		p.role = "staged";
	else if (span_eq(tail, SPAN(":previous")))
		p.role = "previous";
	else
		p.variant = tail;
	return p;
}

struct span object_profile(const struct object *object)
{
	return parts_of(object).profile;
}

const char *object_name(const struct object *object, char buf[OBJECT_NAME_MAX])
{
	struct parts p = parts_of(object);

	(void)snprintf(buf, OBJECT_NAME_MAX, "%.*s%.*s", SPAN_FMT(p.group), SPAN_FMT(p.path));
	return buf;
}

bool object_matches(const struct object *object, const char *pattern)
{
	const char *scheme = strstr(pattern, "://");
	char name[OBJECT_NAME_MAX];

	if (scheme && strcspn(pattern, "/*?[") == (size_t)(scheme - pattern) + 1)
		pattern = scheme + 3;
	(void)object_name(object, name);
	if (!strpbrk(pattern, "*?["))
		return strstr(name, pattern) != NULL;
	return fnmatch(pattern, name, 0) == 0;
}

static uint64_t generation_now(struct object_view *view, const struct object *object)
{
	struct span profile = parts_of(object).profile;

	if (profile.n >= sizeof(view->profile))
		return 0;
	if (!span_eq(profile, span_of(view->profile))) {
		memcpy(view->profile, profile.p, profile.n);
		view->profile[profile.n] = '\0';
		view->generation = generation_of(view->control->proxy->generations, view->reader,
						 view->profile);
	}
	return view->generation;
}

const char *object_state(struct object_view *view, const struct object *object)
{
	struct fresh fresh = policy_fresh(object);

	if (object->class != PROFILE_INDEX && object->generation < generation_now(view, object))
		return "stale"; /* an index that is newer: asked about once more */
	return fresh_ttl(&fresh, view->now) > 0 ? "fresh" : "stale";
}

/* Bytes that no UTF-8 is are shown as '?'. */
static json_t *text_json(struct span text)
{
	json_t *json = json_stringn((const char *)text.p, text.n);
	char *copy;

	if (json)
		return json;
	copy = span_dup(text);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

static void put(json_t *object, const char *name, json_t *value)
{
	(void)json_object_set_new(object, name, value);
}

static const char *class_name(const struct object *object)
{
	return object->class == PROFILE_INDEX  ? "index"
	       : object->class == PROFILE_PASS ? "pass"
					       : "object";
}

json_t *object_row(struct object_view *view, const struct object *object)
{
	struct parts p = parts_of(object);
	json_t *row = json_object();

	put(row, "id", json_integer((json_int_t)object->id));
	put(row, "profile", text_json(p.profile));
	put(row, p.group.n && p.group.p[0] == '@' ? "group" : "host", text_json(p.group));
	put(row, "path", text_json(p.path));
	put(row, "class", json_string(class_name(object)));
	put(row, "generation", json_integer((json_int_t)object->generation));
	put(row, "size",
	    object->length >= 0 ? json_integer((json_int_t)object->length) : json_null());
	put(row, "complete", json_boolean(object_complete(object)));
	put(row, "stored_at", json_integer((json_int_t)object->received * 1000));
	put(row, "state", json_string(object_state(view, object)));
	if (p.role)
		put(row, "role", json_string(p.role));
	if (p.variant.n)
		put(row, "variant", text_json(p.variant));
	return row;
}

static json_t *time_json(int64_t seconds)
{
	return seconds == OBJECT_TIME_UNKNOWN ? json_null()
					      : json_integer((json_int_t)seconds * 1000);
}

/* The fields as lines. */
static json_t *fields_json(const struct object *object)
{
	json_t *lines = json_array();
	struct span rest = object->fields;

	while (rest.n) {
		size_t n = span_find(rest, '\r');

		(void)json_array_append_new(lines, text_json(span_head(rest, n)));
		rest = span_drop(rest, n + 2 < rest.n ? n + 2 : rest.n);
	}
	return lines;
}

json_t *object_all(struct object_view *view, const struct object *object)
{
	struct fresh fresh = policy_fresh(object);
	char digest[2 * OBJECT_DIGEST_BYTES + 1];
	json_t *row = object_row(view, object);

	for (int i = 0; i < OBJECT_DIGEST_BYTES; i++)
		(void)snprintf(digest + 2 * i, 3, "%02x", object->digest[i]);
	put(row, "key", text_json(object->key));
	put(row, "secure", json_boolean(parts_of(object).secure));
	put(row, "status", json_integer(object->status));
	put(row, "etag", object->etag.n ? text_json(object->etag) : json_null());
	put(row, "date", time_json(object->date));
	put(row, "last_modified", time_json(object->last_modified));
	put(row, "expires", time_json(object->expires));
	put(row, "age_s", json_integer((json_int_t)fresh_age(&fresh, view->now)));
	put(row, "lifetime_s", json_integer((json_int_t)fresh.lifetime));
	put(row, "left_s", json_integer((json_int_t)fresh_ttl(&fresh, view->now)));
	put(row, "stored_bytes", json_integer((json_int_t)object_stored_bytes(object)));
	put(row, "chunks", json_integer((json_int_t)object_chunks(object)));
	put(row, "sha256", object->flags & OBJECT_DIGEST ? json_string(digest) : json_null());
	put(row, "fields", fields_json(object));
	return row;
}
