/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate of ours for a host, with its key and the CA's. Shared by reference, never changed. Any thread.
 */
#ifndef TARN_PROXY_TLS_LEAF_H
#define TARN_PROXY_TLS_LEAF_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>

struct leaf;

/* By its key. All are signed by the same CA, whose key is on P-256. */
enum leaf_kind {
	LEAF_ECDSA, /* P-256 */
	LEAF_RSA,   /* 2048 bits, for clients that verify with ECDSA but take no such key */
};

/*
 * Takes `key` and `certificate`, and a reference to `authority`. NULL: the authority has not signed it, it is not
 * for that key, or there is no memory; then what was given is freed.
 */
__attribute__((warn_unused_result)) struct leaf *leaf_new(EVP_PKEY *key, X509 *certificate,
							  X509 *authority);
struct leaf *leaf_ref(struct leaf *leaf);
/* Nulls it; NULL is nothing. */
void leaf_unref(struct leaf **leaf);

EVP_PKEY *leaf_key(const struct leaf *leaf);
X509 *leaf_certificate(const struct leaf *leaf);
X509 *leaf_authority(const struct leaf *leaf); /* the rest of the chain */
int64_t leaf_until(const struct leaf *leaf);   /* seconds since 1970 */

/* A CA in short: the first bytes of its certificate's SHA-256, big-endian. 0: no memory. */
uint64_t authority_number(const X509 *authority);
/* That of the CA which has signed the leaf. */
uint64_t leaf_authority_number(const struct leaf *leaf);

/* What is made of a leaf once, by whoever speaks with it, and goes with it. */
typedef void leaf_made_free_f(void *made);
/* NULL: nothing was kept. */
void *leaf_made(const struct leaf *leaf);
/* Takes `made`; if another thread was first, that one's stays. Gives what is kept. */
void *leaf_keep(struct leaf *leaf, void *made, leaf_made_free_f *made_free);

#endif
