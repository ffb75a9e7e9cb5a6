/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vendor profiles: what of a vendor's traffic is cached, and how. One INI file a vendor; the format
 * is documented in firmware/vendors/example.conf. A loaded set is immutable, shared by reference.
 */
#ifndef FIRMWARE_BASE_PROFILE_H
#define FIRMWARE_BASE_PROFILE_H

#include "firmware/base/settings.h"

/* A host name with its NUL: 253 bytes (RFC 1035, 2.3.4, without the trailing dot). */
#define PROFILE_HOST_MAX 254
/* A content group with its NUL: "@NAME" for a [group NAME], else the host itself. */
#define PROFILE_GROUP_MAX 255

struct profiles; /* all of a directory */
struct profile;	 /* one vendor */

enum profile_kind {
	PROFILE_OBJECT,
	PROFILE_INDEX,
	PROFILE_PASS
};

/* What becomes of TLS to the profile's hosts. */
enum profile_tls {
	PROFILE_TLS_SPLICE,
	PROFILE_TLS_REFUSE,
	PROFILE_TLS_INTERCEPT
};

/* Do http and https of the profile's hosts carry the same content, path by path? */
enum profile_schemes {
	PROFILE_SCHEMES_SEPARATE,
	PROFILE_SCHEMES_SAME
};

/* How responses of one class are kept. Milliseconds; -1 is "not set". */
struct profile_class {
	enum profile_kind kind;
	int64_t default_ttl; /* freshness only where the origin states none (else RFC 9111 heuristic) */
	int64_t max_ttl;     /* fresh for at most this long, whatever the origin states */
	int64_t force_ttl;	/* fresh for exactly this long, against the origin's word */
	int64_t stale_if_error; /* serve this long past freshness while the origin is unreachable */
};

struct profile_match {
	const struct profile *profile;
	bool never;		       /* in [hosts] never: never intercepted, never cached */
	char host[PROFILE_HOST_MAX];   /* as matched: lower case, no trailing dot */
	char group[PROFILE_GROUP_MAX]; /* goes into the key: hosts of one group carry one content */
};

/* The sections of a profile, for documents. Each name's rows are the keys; the rows' own section is not to be shown. */
struct profile_section {
	const char *name; /* "vendor", "group NAME" */
	const char *help; /* sentences, or NULL */
	const struct settings_table *table;
	const char *part; /* the rows of the table that belong to it: those of this section */
};
size_t profile_sections(const struct profile_section **ret_sections);

/*
 * Reads all *.conf of `dir`. A directory without any is an empty set; one that does not exist is an
 * error. A file with `enabled = no` is checked like the others and then left out. 0 and a
 * reference, or -EINVAL, -ENOMEM, ... as settings_load with *error filled.
 */
MUST_USE int profiles_load(const char *dir, struct profiles **ret_profiles,
			   struct settings_error *error);
struct profiles *profiles_ref(struct profiles *profiles);
void profiles_unref(struct profiles **profiles);

size_t profiles_count(const struct profiles *profiles);
const struct profile *profiles_at(const struct profiles *profiles, size_t i);
/* By [vendor] name, or NULL. */
const struct profile *profiles_by_name(const struct profiles *profiles, struct span name);

/*
 * Whose is this host? `host` as on the wire: any case, perhaps a trailing dot, no port. False: no
 * vendor's (then *ret_match is untouched). True with `never` set: a vendor's, but hands off. Order:
 * never, exact, longest suffix. Constant time but for the number of labels.
 */
bool profile_match_host(const struct profiles *profiles, struct span host,
			struct profile_match *ret_match);

const char *profile_name(const struct profile *profile);
const char *profile_title(const struct profile *profile);
const char *profile_file(const struct profile *profile);
enum profile_tls profile_tls(const struct profile *profile);
/* As in the file: "splice". */
const char *profile_tls_name(const struct profile *profile);

/* [sync]: are objects fetched ahead, and generations published as a whole? */
bool profile_ahead(const struct profile *profile);
/* What the box's own requests say: "NAME=TEMPLATE", in which {product_id} and the like stand for settings. */
const struct string_list *profile_sync_headers(const struct profile *profile);
const struct string_list *profile_sync_query(const struct profile *profile);

/*
 * The class of a path (no query, starts with '/'): the first pattern in the file's order that
 * matches; else object. In a pattern '*' is any run within a segment, and a segment "**" is any
 * number of segments, also none. Compared as on the wire, without percent-decoding.
 */
const struct profile_class *profile_classify(const struct profile *profile, struct span path);
/* That pattern, for people; NULL: none matched. */
const char *profile_pattern(const struct profile *profile, struct span path);

/*
 * The query without '?', as it enters the key: parameters that the profile drops are gone, the rest
 * is as it was and in its order. Never longer than `query`. 0 or -ENOSPC.
 */
MUST_USE int profile_query_normalise(const struct profile *profile, struct span query, char *buf,
				     size_t size, size_t *ret_n);

/*
 * The exact hosts of a group ("@NAME"), in the file's order: mirrors to try. NULL and 0 for others.
 */
const char *const *profile_mirrors(const struct profile *profile, const char *group, size_t *ret_n);

/*
 * The host that /<vendor>/<path> of the update source is fetched from, and its port ([vendor]
 * source).
 */
const char *profile_source(const struct profile *profile, uint16_t *ret_port);

/* [vendor] upstream: is what the box asks for by itself, and the update source, fetched by https? */
bool profile_upstream_secure(const struct profile *profile);
bool profile_schemes_same(const struct profile *profile);
/* [tls] ca_file: who vouches for the vendor's certificates beside the system's list. NULL: nobody. */
const char *profile_ca_file(const struct profile *profile);

/* [reach]: whose connectability says "the vendor is reachable". NULL if the profile has none. */
const char *profile_reach_host(const struct profile *profile, uint16_t *ret_port);
/* Public resolvers in the profile's order. */
const struct addr_list *profile_resolvers(const struct profile *profile);

/*
 * Feeds of the vendor set: hosts to resolve ourselves; suffixes (the name itself and all below) to
 * watch DNS answers for; and the exceptions: a host, ".suffix", or a pattern with '*'. Spans live
 * as long as the set.
 */
typedef void profile_host_f(const struct profile *profile, struct span host, void *arg);
void profile_each_exact_host(const struct profiles *profiles, profile_host_f *f, void *arg);
void profile_each_suffix(const struct profiles *profiles, profile_host_f *f, void *arg);
void profile_each_never(const struct profiles *profiles, profile_host_f *f, void *arg);

/*
 * Checks and lower-cases a host name: letters, digits, '-', '_', labels of 1..63, at most 253, no
 * trailing dot left; an IPv4 or IPv6 (without brackets) literal counts too, in its usual spelling.
 * 0 or -EINVAL.
 */
MUST_USE int host_normalise(struct span host, char ret_host[PROFILE_HOST_MAX]);

#endif
