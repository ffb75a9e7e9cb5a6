/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `runs`: there is a thread to be joined; `ended`: it has nothing more to do. It tells of the key before it has ended, and
 * holds no lock then, so that whoever is told may ask.
 */
#include "proxy/tls/rsa_key.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "firmware/base/thread.h"
#include "firmware/heritage.h"

struct rsa_key {
	rsa_key_made_f *made;
	void *arg;
	pthread_mutex_t lock;
	EVP_PKEY *key; /* NULL: not made yet */
	pthread_t thread;
	bool runs, ended;
};

static void *run(void *arg)
{
	struct rsa_key *key = arg;
	EVP_PKEY *made = EVP_RSA_gen(8 * HERITAGE_MODULUS);

	ERR_clear_error();
	pthread_mutex_lock(&key->lock);
	key->key = made;
	pthread_mutex_unlock(&key->lock);
	key->made(key->arg);
	pthread_mutex_lock(&key->lock);
	key->ended = true;
	pthread_mutex_unlock(&key->lock);
	return NULL;
}

static int begin_locked(struct rsa_key *key)
{
	int rc;

	if (key->key || (key->runs && !key->ended))
		return 0;
	if (key->runs)
		CHECK_OK(pthread_join(key->thread, NULL));
	key->ended = false;
	rc = thread_start(&key->thread, run, key);
	key->runs = rc == 0;
	return rc;
}

int rsa_key_begin(struct rsa_key *key)
{
	int rc;

	pthread_mutex_lock(&key->lock);
	rc = begin_locked(key);
	pthread_mutex_unlock(&key->lock);
	return rc;
}

EVP_PKEY *rsa_key_get(struct rsa_key *key)
{
	EVP_PKEY *got = NULL;

	pthread_mutex_lock(&key->lock);
	if (key->key && EVP_PKEY_up_ref(key->key) == 1)
		got = key->key;
	pthread_mutex_unlock(&key->lock);
	return got;
}

int rsa_key_new(rsa_key_made_f *made, void *arg, struct rsa_key **ret_key)
{
	struct rsa_key *key = calloc(1, sizeof(*key));

	if (!key)
		return -ENOMEM;
	key->made = made;
	key->arg = arg;
	CHECK_OK(pthread_mutex_init(&key->lock, NULL));
	*ret_key = key;
	return 0;
}

void rsa_key_free(struct rsa_key **ptr)
{
	struct rsa_key *key = *ptr;

	*ptr = NULL;
	if (!key)
		return;
	if (key->runs)
		CHECK_OK(pthread_join(key->thread, NULL));
	EVP_PKEY_free(key->key);
	CHECK_OK(pthread_mutex_destroy(&key->lock));
	free(key);
}
