/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's allocator for a process that holds a key. A block that moves is copied and overwritten, not realloc()ed:
 * that would leave the old bytes.
 */
#include "firmware/mint/secret.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define SECURE_BYTES 262144 /* the CA's file, its key, and signing */
#define SECURE_LEAST 32

static void *wiped_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return malloc(n);
}

static void wiped_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *wiped_realloc(void *p, size_t n, const char *file, int line)
{
	size_t old = p ? malloc_usable_size(p) : 0;
	void *fresh = malloc(n);

	if (!fresh)
		return NULL;
	if (p)
		memcpy(fresh, p, old < n ? old : n);
	wiped_free(p, file, line);
	return fresh;
}

int secret_memory(void)
{
	if (CRYPTO_set_mem_functions(wiped_malloc, wiped_realloc, wiped_free) != 1)
		return -EALREADY;
	/* 2: it could not be locked into memory; the rest holds. */
	return CRYPTO_secure_malloc_init(SECURE_BYTES, SECURE_LEAST) ? 0 : -EALREADY;
}
