/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders that the keeper makes for the data plane.
 */
#ifndef FIRMWARE_KEEPER_FOLDER_H
#define FIRMWARE_KEEPER_FOLDER_H

#include <sys/types.h>

#include "firmware/base/check.h"

/*
 * Makes `path` and the folder that it is in, if they are not there, and gives `path` to this user. One that is there is
 * its owner's business, and so is a link: nothing is followed. 0 or -errno.
 */
MUST_USE int folder_make(const char *path, uid_t uid, gid_t gid);

#endif
