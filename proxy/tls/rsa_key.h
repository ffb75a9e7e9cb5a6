/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RSA key that all RSA leaves share. It takes too long to make on a loop, and few devices need one: a thread makes
 * it when it is first needed, and ends.
 */
#ifndef TARN_PROXY_TLS_RSA_KEY_H
#define TARN_PROXY_TLS_RSA_KEY_H

#include <openssl/types.h>

#include "firmware/base/check.h"

struct rsa_key;

/* On the thread that makes it: it is made, or could not be. */
typedef void(rsa_key_made_f)(void *arg);

/* Nothing is begun yet. 0 or -ENOMEM. */
MUST_USE int rsa_key_new(rsa_key_made_f *made, void *arg, struct rsa_key **ret_key);
/* Waits for the thread. Nulls it; NULL is nothing. */
void rsa_key_free(struct rsa_key **key);

/* Any thread: it shall be there soon. One that could not be made is tried again. 0 or -errno. */
MUST_USE int rsa_key_begin(struct rsa_key *key);
/* Any thread: a reference; NULL: it is not there. */
EVP_PKEY *rsa_key_get(struct rsa_key *key);

#endif
