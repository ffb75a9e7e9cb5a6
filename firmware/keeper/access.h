/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the admin page, kept in the folder of the keeper's state for a data plane that may write no file there: FOLDER/access,
 * readable by root alone. What is in it are hashes (firmware/base/access_kept.h).
 */
#ifndef FIRMWARE_KEEPER_ACCESS_H
#define FIRMWARE_KEEPER_ACCESS_H

#include "firmware/base/access_kept.h"
#include "firmware/base/check.h"

/* A descriptor to be read, of the null device where nothing is kept; -errno if not even that is there. */
MUST_USE int access_open(const char *folder);
/* On the disk when this returns. 0 or -errno: what was kept before still is. */
MUST_USE int access_keep(const char *folder, const struct access_kept *kept);

#endif
