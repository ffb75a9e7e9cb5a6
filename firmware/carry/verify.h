/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree against what it says of itself: each index in it is read as the profile tells, and what it names must
 * be what the manifest has, by size and digest. So a tree whose index and objects are not of one generation is seen
 * before anything of it is taken.
 */
#ifndef FIRMWARE_CARRY_VERIFY_H
#define FIRMWARE_CARRY_VERIFY_H

#include "firmware/base/profile.h"
#include "firmware/carry/tree.h"
#include "firmware/index/index.h"

#define VERIFY_WHY_MAX 640

/* What an index has said of a file; kind NONE: no digest that is not SHA-256 (that is compared here). */
struct file_check {
	bool named;
	enum index_digest kind;
	uint8_t digest[INDEX_DIGEST_MAX];
};

struct verify_fault {
	char place[256]; /* in the tree; "" if it is about the whole */
	char why[VERIFY_WHY_MAX];
};

/*
 * Is each file there, with its size? 0, or -ENOENT or -EBADMSG with the fault.
 */
MUST_USE int verify_files(int top, const struct repository *repository,
			  struct verify_fault *ret_fault);

/*
 * Reads the indexes; `checks` has one for each file. 0; -EBADMSG with the fault: an index is not the manifest's, can't be
 * read as the profile says, or names a file that is another here; -ENOMEM, or of the medium (with the place).
 */
MUST_USE int verify_indexes(int top, const struct repository *repository,
			    const struct profile *profile, struct file_check *checks,
			    struct verify_fault *ret_fault);

#endif
