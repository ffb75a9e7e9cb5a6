/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Immutable but for `made`, which is set once: whoever comes second throws its own away.
 */
#include "proxy/tls/leaf.h"

#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "firmware/mint/certificate.h"

struct leaf {
	atomic_uint refs;
	EVP_PKEY *key;
	X509 *certificate, *authority;
	uint64_t authority_number;
	int64_t until_s;
	_Atomic(void *) made;
	_Atomic(leaf_made_free_f *) made_free; /* the same for all that is ever kept */
};

uint64_t authority_number(const X509 *authority)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint64_t first = 0;
	unsigned n = 0;

	if (X509_digest(authority, EVP_sha256(), digest, &n) != 1)
		return 0;
	for (unsigned i = 0; i < sizeof(first); i++)
		first = first << 8 | digest[i];
	return first;
}

struct leaf *leaf_new(EVP_PKEY *key, X509 *certificate, X509 *authority)
{
	struct leaf *leaf = calloc(1, sizeof(*leaf));

	if (!leaf) {
		EVP_PKEY_free(key);
		X509_free(certificate);
		return NULL;
	}
	atomic_init(&leaf->refs, 1);
	leaf->key = key;
	leaf->certificate = certificate;
	if (certificate && authority &&
	    X509_verify(certificate, X509_get0_pubkey(authority)) == 1 &&
	    X509_check_private_key(certificate, key) == 1 &&
	    certificate_until(certificate, &leaf->until_s) == 0 &&
	    (leaf->authority_number = authority_number(authority)) && X509_up_ref(authority) == 1)
		leaf->authority = authority;
	else
		leaf_unref(&leaf);
	ERR_clear_error();
	return leaf;
}

struct leaf *leaf_ref(struct leaf *leaf)
{
	atomic_fetch_add_explicit(&leaf->refs, 1, memory_order_relaxed);
	return leaf;
}

void leaf_unref(struct leaf **leaf)
{
	struct leaf *l = *leaf;
	void *made;

	*leaf = NULL;
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	made = atomic_load(&l->made);
	if (made)
		atomic_load (&l->made_free)(made);
	EVP_PKEY_free(l->key);
	X509_free(l->certificate);
	X509_free(l->authority);
	free(l);
}

EVP_PKEY *leaf_key(const struct leaf *leaf)
{
	return leaf->key;
}

X509 *leaf_certificate(const struct leaf *leaf)
{
	return leaf->certificate;
}

X509 *leaf_authority(const struct leaf *leaf)
{
	return leaf->authority;
}

uint64_t leaf_authority_number(const struct leaf *leaf)
{
	return leaf->authority_number;
}

int64_t leaf_until(const struct leaf *leaf)
{
	return leaf->until_s;
}

void *leaf_made(const struct leaf *leaf)
{
	return atomic_load_explicit(&leaf->made, memory_order_acquire);
}

void *leaf_keep(struct leaf *leaf, void *made, leaf_made_free_f *made_free)
{
	void *first = NULL;

	atomic_store(&leaf->made_free, made_free);
	if (atomic_compare_exchange_strong(&leaf->made, &first, made))
		return made;
	made_free(made);
	return first;
}
