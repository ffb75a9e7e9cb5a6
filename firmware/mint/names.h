/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS names that a CA for these profiles may and may not speak for, as X.509 name constraints say it: a name stands
 * for itself and all names below it (RFC 5280, 4.2.1.10).
 */
#ifndef FIRMWARE_MINT_NAMES_H
#define FIRMWARE_MINT_NAMES_H

#include "firmware/base/profile.h"

/* The box's own name, which a CA may always speak for: the admin page's and the update source's. */
#define CA_OWN_NAME "tarn.internal"

struct ca_names {
	const char **v; /* each owned */
	size_t n, room;
};

/*
 * Permitted: hosts and suffixes of all profiles, without those that another stands for, and without addresses.
 * Excluded: what a profile says never about, except where that would take a permitted name away, and patterns,
 * which X.509 can't say. 0 or -ENOMEM; then both are empty.
 */
MUST_USE int ca_names_of(const struct profiles *profiles, struct ca_names *ret_permitted,
			 struct ca_names *ret_excluded);
void ca_names_free(struct ca_names *names);

/* Does one of them stand for `host`? */
bool ca_names_cover(const struct ca_names *names, struct span host);

/* The profiles' hosts and suffixes that `permitted` does not stand for. 0 or -ENOMEM. */
MUST_USE int ca_names_uncovered(const struct ca_names *permitted, const struct profiles *profiles,
				struct ca_names *ret_uncovered);

/* Adds a copy. 0 or -ENOMEM. */
MUST_USE int ca_names_add(struct ca_names *names, struct span name);

#endif
