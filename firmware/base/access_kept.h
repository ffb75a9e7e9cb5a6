/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the admin page, as it is kept beside the store (firmware/keeper/access.h): hashes, never a password. No state.
 */
#ifndef FIRMWARE_BASE_ACCESS_KEPT_H
#define FIRMWARE_BASE_ACCESS_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/base/span.h"

#define ACCESS_HASH_MAX 128 /* bytes, with the ending zero */
#define ACCESS_TEXT_MAX 512 /* bytes of the whole text, with the ending zero */

struct access_kept {
	uint64_t serial; /* grows with each change; 0: nothing was ever kept */
	/* Zero-filled; "": none. */
	char operate[ACCESS_HASH_MAX], view[ACCESS_HASH_MAX], token[ACCESS_HASH_MAX];
};

/* A serial number, and each hash of letters, digits and "$./+=-" alone. */
bool access_kept_valid(const struct access_kept *kept);
/* What access_kept_parse() reads. The length. */
size_t access_kept_text(const struct access_kept *kept, char ret_text[ACCESS_TEXT_MAX]);
/* 0 or -EBADMSG. */
MUST_USE int access_kept_parse(struct span text, struct access_kept *ret_kept);
/* From a descriptor's first byte. 0; -ENOENT: empty; -EBADMSG; or of pread(2). */
MUST_USE int access_kept_read(int fd, struct access_kept *ret_kept);

#endif
