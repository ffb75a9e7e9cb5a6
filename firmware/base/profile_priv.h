/* SPDX-License-Identifier: Apache-2.0 */
/* What a loaded set of profiles looks like: made by profile.c (a file) and profiles.c
 * (the set), read by profile_match.c. */
#ifndef FIRMWARE_BASE_PROFILE_PRIV_H
#define FIRMWARE_BASE_PROFILE_PRIV_H

#include <stdatomic.h>

/* A hash that can't grow for want of memory is the world's failure, not an exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "firmware/base/profile.h"
#include "firmware/base/profile_index.h"

#define PROFILE_KINDS (PROFILE_PASS + 1)

/* A [group NAME]. The hosts outside any group belong to none. */
struct group {
	char name[PROFILE_GROUP_MAX];	  /* "@NAME" */
	struct string_list exact, suffix; /* empty after loading: moved to the claims */
	const char **mirrors;		  /* names owned by the profile's claims */
	size_t n;
	uint8_t seen[2];
	struct group *next;
};

enum claim_kind {
	CLAIM_EXACT,
	CLAIM_SUFFIX,	    /* the name itself and all below it */
	CLAIM_NEVER,	    /* this very name */
	CLAIM_NEVER_SUFFIX, /* the name itself and all below it */
	CLAIM_NEVER_GLOB,   /* '*' within one label */
	CLAIM_KINDS
};

/* "This name is ours", one of a profile's file. */
struct claim {
	enum claim_kind kind;
	char *text;	  /* as the file has it, lower case, braces expanded */
	const char *name; /* the same without the leading "." of a never suffix */
	struct profile *profile;
	struct group *group; /* NULL: the host is a group of its own */
	unsigned line;
	struct claim *next;
};

/* A class's rules, in the file's order over all classes. */
struct rule {
	const struct profile_class *class;
	char *pattern;
	struct rule *next;
};

/* The settings of one [class]. */
struct class_values {
	struct string_list path; /* empty after loading: moved to the rules */
	int64_t default_ttl, max_ttl, force_ttl, stale_if_error; /* 0: not set */
};

struct profile {
	char *file;
	/* the table's part */
	char *name;
	char *title;
	char *source_text;
	int upstream; /* index of upstreams[] in profile.c: 1 is https */
	int schemes;  /* enum profile_schemes */
	bool enabled;
	struct string_list exact, suffix, never; /* empty after loading: moved to the claims */
	struct string_list keep, drop;
	bool drop_all;
	char *reach_host_text;
	int64_t reach_port;
	struct addr_list resolvers;
	int tls_mode;
	char *ca_file; /* "": none */
	bool ahead;
	struct string_list sync_headers, sync_query;
	/* made of it */
	struct claim *claims;
	struct group *groups;
	struct rule *rules;
	struct profile_index *indexes;
	struct profile_class classes[PROFILE_KINDS];
	char reach_host[PROFILE_HOST_MAX];
	char source_host[PROFILE_HOST_MAX];
	uint16_t source_port;
};

/* All claims of one name, of all profiles. */
struct host {
	const char *name; /* the first claim's */
	const struct claim *claims[CLAIM_KINDS];
	UT_hash_handle hh;
};

struct profiles {
	atomic_uint refs;
	struct profile **v; /* enabled ones, by file name */
	size_t n;
	struct host *hosts;	    /* uthash, by name */
	const struct claim **globs; /* of kind CLAIM_NEVER_GLOB */
	size_t n_globs;
};

/* One file, checked as far as one file can be. As settings_load. */
MUST_USE int profile_load(const char *path, struct profile **ret_profile,
			  struct settings_error *error);
void profile_free(struct profile **profile);

/* Says so in *error. Returns -ENOMEM. */
int profile_no_memory(struct settings_error *error);

/* '*' stands for any bytes but `separator`. */
bool glob_match(struct span pattern, struct span text, char separator);

/* "**" only as a whole segment: so a match costs no more than path times pattern. */
bool profile_is_pattern(struct span pattern);

/* Segment by segment: a star within one, and a segment of two stars for any number of them. */
bool path_match(struct span pattern, struct span path);

#endif
