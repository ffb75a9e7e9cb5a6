/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a profile says of the vendor's indexes: how each names the objects that belong to it. One
 * [index NAME] section is one such format; firmware/vendors/example.conf documents the keys,
 * firmware/index reads indexes by it.
 */
#ifndef FIRMWARE_BASE_PROFILE_INDEX_H
#define FIRMWARE_BASE_PROFILE_INDEX_H

#include "firmware/base/settings.h"

struct profile;

enum index_format {
	INDEX_XML,	/* elements whose attributes or children name an object */
	INDEX_LINES,	/* one object a line, by a pattern */
	INDEX_RELEASE,	/* APT: Release and InRelease */
	INDEX_PACKAGES, /* APT: Packages and Sources */
};

/* Hexadecimal in the index; ANY: the one whose length it has. */
enum index_digest {
	INDEX_DIGEST_NONE,
	INDEX_DIGEST_MD5,
	INDEX_DIGEST_SHA1,
	INDEX_DIGEST_SHA256,
	INDEX_DIGEST_SHA512,
	INDEX_DIGEST_ANY,
};

#define INDEX_NAME_MAX 33
#define INDEX_ROWS_MAX 16

/* Parts of INDEX_LINES' pattern, in its order. */
enum line_part_kind {
	LINE_LITERAL, /* these very bytes */
	LINE_BLANK,   /* one blank or more */
	LINE_PATH,
	LINE_SIZE,
	LINE_DIGEST,
	LINE_NAME,
	LINE_ANY, /* {}: anything */
};

#define LINE_PARTS_MAX 24

struct line_part {
	enum line_part_kind kind;
	struct span text; /* of a LITERAL; borrowed from profile_index.line */
};

struct profile_index {
	char name[INDEX_NAME_MAX];
	struct string_list path; /* patterns of the indexes' own paths */
	int format;		 /* enum index_format */
	char *base;		 /* what relative paths start from; see example.conf */
	int digest;		 /* enum index_digest */
	/* XML: names of elements; where in an element a thing stands */
	struct string_list element;
	struct string_list at_path, at_folder, at_size, at_digest, at_name;
	bool tail;
	/* lines */
	char *line;
	struct string_list skip;
	struct line_part parts[LINE_PARTS_MAX];
	size_t parts_n;
	/* of the loader */
	uint8_t seen[INDEX_ROWS_MAX];
	struct profile_index *next;
};

/* The format of the index at `path` (no query): the first section one of whose patterns matches. NULL: none. */
const struct profile_index *profile_index_find(const struct profile *profile, struct span path);

/* Does any section say how this profile's indexes name their objects? */
bool profile_index_any(const struct profile *profile);

/* ---- the loader's (profile.c) ---------------------------------------------------------------- */

/* One line of section [index NAME]. As settings_set. */
MUST_USE int profile_index_line(struct profile_index **list, struct span name, struct span key,
				struct span value, struct settings_error *error);
/* Checks what needs the whole section. 0 or -EINVAL with *error. */
MUST_USE int profile_index_finish(struct profile_index *list, struct settings_error *error);
void profile_index_free(struct profile_index **list);

/* The keys of [index NAME], for documents. */
extern const struct settings_table profile_index_table;

#endif
