/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate authority's life with the keeper. */
#ifndef FIRMWARE_KEEPER_AUTHORITY_H
#define FIRMWARE_KEEPER_AUTHORITY_H

#include "firmware/base/profile.h"

/*
 * Sees to it that there is a CA in `dir`, and says in the log what it is about. Without one nothing else suffers, so
 * nothing fails here; the next start or reload tries again.
 */
void authority_see_to(const char *dir, const struct profiles *profiles, int64_t wall_s);

#endif
