/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest of an exported tree, TARN/<profile>.manifest: one line "tarn-export 1 <key> <signature>",
 * then JSON, which the signature is on. It says which generation this is and, of every file, its key in the
 * store, size, SHA-256 and header fields. Where a file stands follows from its key, never from the text.
 *
 * The journal, TARN/<profile>.journal, is what an export that is under way has verified: a line a file,
 * "<signature> <JSON>", each signed, so that nobody can make the next run believe in a file that it did not write.
 */
#ifndef FIRMWARE_CARRY_BUNDLE_H
#define FIRMWARE_CARRY_BUNDLE_H

#include "firmware/carry/seal.h"
#include "firmware/carry/tree.h"

#define BUNDLE_DIR "TARN"
#define BUNDLE_MAX (128u << 20) /* bytes of a manifest or journal */

/* Writes and signs the manifest. All files have their SHA-256. 0 or -errno. */
MUST_USE int bundle_write(int top, const struct repository *repository, const struct seal *seal,
			  int64_t now_s);

/*
 * Reads a manifest whose key is one of `trust`. 0; -ENOENT (there is none), -EKEYREJECTED (the signature is wrong, or
 * nobody's who is trusted; ret_key tells whose it claims to be, "" if it can't be read), -EBADMSG (signed,
 * but not of this form), or -errno.
 */
MUST_USE int bundle_read(int top, const char *profile, const struct string_list *trust,
			 struct repository **ret_repository, char ret_key[SEAL_KEY_TEXT]);

/* Adds a file, of which sha256 is known, to the journal `fd`. */
MUST_USE int journal_add(int fd, const struct repository_file *file, const struct seal *seal);
/* What the journal says and this seal has signed, added to `known`. Lines that are not are left out. */
MUST_USE int journal_read(int top, const char *profile, const struct seal *seal,
			  struct repository *known);

void bundle_place(const char *profile, const char *kind, char buf[REPOSITORY_PLACE_MAX]);

#endif
