/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gzipped tar archive (ustar, POSIX.1-1988) of small files from memory, written as it goes.
 */
#ifndef FIRMWARE_CTL_TAR_H
#define FIRMWARE_CTL_TAR_H

#include "firmware/base/span.h"

struct tar;

/* A new file, its owner's alone. 0, -EEXIST, or what open(2) gave; -ENOMEM. */
MUST_USE int tar_create(const char *path, struct tar **ret_tar);
/* `name` is at most 99 bytes. A failure is told by tar_close(). */
void tar_add(struct tar *tar, const char *name, struct span bytes, uint64_t mtime_s);
/* Ends the archive and nulls. 0, or what went wrong on the way: the file is removed then. */
MUST_USE int tar_close(struct tar **tar);

#endif
