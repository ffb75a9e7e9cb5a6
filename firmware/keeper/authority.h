/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate authority's life with the keeper. */
#ifndef FIRMWARE_KEEPER_AUTHORITY_H
#define FIRMWARE_KEEPER_AUTHORITY_H

#include <jansson.h>

#include "firmware/heritage.h"

struct profiles;
struct authority;

/* The CA in `dir`, there or not. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int authority_new(const char *dir,
						      struct authority **ret_authority);
void authority_free(struct authority **authority);

/*
 * Sees to it that there is a CA, and says in the log what it is about. Without one nothing else suffers, so nothing
 * fails here.
 */
void authority_see_to(struct authority *authority, const struct profiles *profiles, int64_t wall_s);
/* Call often: while there is none, tries again (the clock may have been set). */
void authority_watch(struct authority *authority, const struct profiles *profiles, int64_t wall_s);

/* Answers what the data plane asks. */
void authority_mint(struct authority *authority, const struct profiles *profiles,
		    const struct heritage_mint *ask, struct heritage_minted *ret_answer);

/* {"issued": n, "refused_name": n, ...}; NULL without memory. */
json_t *authority_json(const struct authority *authority);

#endif
