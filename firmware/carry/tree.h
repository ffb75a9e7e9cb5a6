/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a tree that somebody else may have made: a removable drive. Root reads and writes here, so
 * no symbolic link is followed and nothing outside the tree is reached (openat2(2), RESOLVE_BENEATH and
 * RESOLVE_NO_SYMLINKS).
 */
#ifndef FIRMWARE_CARRY_TREE_H
#define FIRMWARE_CARRY_TREE_H

#include <sys/types.h>

#include "firmware/carry/repository.h"

/* The tree's top. 0 with a descriptor, or -errno. `make`: the folder itself is made if it is missing. */
MUST_USE int tree_open(const char *path, bool make, int *ret_fd);

/* A regular file of it, for reading. 0, -ENOENT, -ELOOP or -EXDEV (it leads outside), -EINVAL (no regular file). */
MUST_USE int tree_read(int top, const char *place, int *ret_fd, uint64_t *ret_size);

/* A new empty file in place of one of that name, for writing and reading. */
MUST_USE int tree_create(int top, const char *place, int *ret_fd);

/* A file to add to, made if it is missing. */
MUST_USE int tree_append(int top, const char *place, int *ret_fd);

/* Makes the folders above `place`. */
MUST_USE int tree_folders(int top, const char *place);

/* `from` takes the place of `to`, whose folders are made. */
MUST_USE int tree_rename(int top, const char *from, const char *to);

/* Removes a file, and the folders above it that are empty then. */
void tree_remove(int top, const char *place);

/* SHA-256, or another digest of OpenSSL's, of [0, size) of a file that must have just that size. -EBADMSG: it has not. */
MUST_USE int tree_digest(int fd, const char *name, uint64_t size, uint8_t *ret_digest);

/* A whole file of at most `max` bytes. Freed by the caller; NUL-terminated. -EFBIG: larger. */
MUST_USE int tree_load(int top, const char *place, size_t max, char **ret_text, size_t *ret_n);

/* Writes a whole file so that it is there entirely or not at all, also after a crash. */
MUST_USE int tree_store(int top, const char *place, struct span bytes);

#endif
