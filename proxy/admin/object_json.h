/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is stored, for people: its name, whether a pattern means it, its JSON.
 */
#ifndef TARN_PROXY_ADMIN_OBJECT_JSON_H
#define TARN_PROXY_ADMIN_OBJECT_JSON_H

#include <jansson.h>

#include "cache/store.h"

#define OBJECT_NAME_MAX 2048 /* with the NUL; a longer one is cut */

/* From where objects are looked at. */
struct object_view {
	struct worker *control;
	struct store_reader *reader;
	int64_t now; /* seconds since 1970 */
	/* the profile last asked for, and its generation */
	char profile[64];
	uint64_t generation;
};

/* The key's first word. */
struct span object_profile(const struct object *object);

/* "@group/path?query" or "host/path?query": what patterns are compared with. Gives `buf`. */
const char *object_name(const struct object *object, char buf[OBJECT_NAME_MAX]);

/*
 * A pattern of the shell's, whose '*' stands for '/' too; one without '*', '?' and '[' is looked for anywhere in the
 * name. "http://" in front counts for nothing.
 */
bool object_matches(const struct object *object, const char *pattern);

/* "fresh" or "stale". */
const char *object_state(struct object_view *view, const struct object *object);

/* A line of a list, and all that is known. NULL: no memory. */
json_t *object_row(struct object_view *view, const struct object *object);
json_t *object_all(struct object_view *view, const struct object *object);

#endif
