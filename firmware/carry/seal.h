/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seal on an export: Ed25519 (RFC 8032) by OpenSSL. The key is made at its first use and stays on
 * this box; its public half is a word of 43 characters that goes into [repository] trust of the boxes
 * that shall take what this one exports.
 */
#ifndef FIRMWARE_CARRY_SEAL_H
#define FIRMWARE_CARRY_SEAL_H

#include "firmware/base/span.h"

/* base64url without padding (RFC 4648, 5), with its NUL: 32 bytes, and 64 bytes. */
#define SEAL_KEY_TEXT  44
#define SEAL_SIGN_TEXT 87
#define SEAL_FILE      "export.key" /* PKCS#8 PEM, mode 0600, in the state directory */

struct seal;

/* The key of `dir`, made if there is none. 0, or -errno; -EBADMSG: the file is no Ed25519 key. */
MUST_USE int seal_open(const char *dir, struct seal **ret_seal);
void seal_free(struct seal **seal);

void seal_key_text(const struct seal *seal, char ret_text[SEAL_KEY_TEXT]);
MUST_USE int seal_sign(const struct seal *seal, struct span bytes, char ret_text[SEAL_SIGN_TEXT]);

/* Is `sign` the signature on `bytes` by the key of that text? */
bool seal_verify(struct span key, struct span sign, struct span bytes);

/* Is this the text of a key? */
bool seal_key_valid(struct span key);

#endif
