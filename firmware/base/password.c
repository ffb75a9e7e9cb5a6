/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any thread; no state.
 */
#include "firmware/base/password.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define SALT_BYTES 16
#define HASH_BYTES 32
#define LOG_N	   14
#define PREFIX	   "scrypt$14$8$1$"

_Static_assert(sizeof(PREFIX) + 2 * SALT_BYTES + 1 + 2 * HASH_BYTES <= PASSWORD_TEXT_MAX, "room");

static int derive(struct span password, const uint8_t salt[SALT_BYTES],
		  uint8_t ret_hash[HASH_BYTES])
{
	uint64_t n = 1u << LOG_N;
	uint32_t r = 8, p = 1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD,
						  (void *)(uintptr_t)password.p, password.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt,
						  SALT_BYTES),
		OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int rc = ctx && EVP_KDF_derive(ctx, ret_hash, HASH_BYTES, params) == 1 ? 0 : -ENOMEM;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return rc;
}

static char *put_hex(char *to, const uint8_t *bytes, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*to++ = hex[bytes[i] >> 4];
		*to++ = hex[bytes[i] & 15];
	}
	*to = 0;
	return to;
}

static bool take_hex(struct span *text, uint8_t *bytes, size_t n)
{
	uint64_t byte;

	for (size_t i = 0; i < n; i++) {
		if (text->n < 2 || span_hex(span_head(*text, 2), &byte) < 0)
			return false;
		bytes[i] = (uint8_t)byte;
		*text = span_drop(*text, 2);
	}
	return true;
}

int password_hash(struct span password, char ret_text[PASSWORD_TEXT_MAX])
{
	uint8_t salt[SALT_BYTES], hash[HASH_BYTES];
	char *to = ret_text;
	int rc;

	if (password.n < PASSWORD_MIN || password.n > PASSWORD_MAX)
		return -EINVAL;
	CHECK(RAND_bytes(salt, sizeof(salt)) == 1);
	rc = derive(password, salt, hash);
	if (rc < 0)
		return rc;
	memcpy(to, PREFIX, sizeof(PREFIX));
	to = put_hex(to + sizeof(PREFIX) - 1, salt, sizeof(salt));
	*to++ = '$';
	(void)put_hex(to, hash, sizeof(hash));
	return 0;
}

static bool text_parse(const char *text, uint8_t ret_salt[SALT_BYTES], uint8_t ret_hash[HASH_BYTES])
{
	struct span rest = span_of(text);

	if (!span_starts(rest, SPAN(PREFIX)))
		return false;
	rest = span_drop(rest, sizeof(PREFIX) - 1);
	if (!take_hex(&rest, ret_salt, SALT_BYTES) || !span_starts(rest, SPAN("$")))
		return false;
	rest = span_drop(rest, 1);
	return take_hex(&rest, ret_hash, HASH_BYTES) && !rest.n;
}

bool password_hash_valid(const char *text)
{
	uint8_t salt[SALT_BYTES], hash[HASH_BYTES];

	return text_parse(text, salt, hash);
}

bool password_fits(struct span password, const char *text)
{
	uint8_t salt[SALT_BYTES], want[HASH_BYTES], hash[HASH_BYTES];

	return password.n <= PASSWORD_MAX && text_parse(text, salt, want) &&
	       derive(password, salt, hash) == 0 && CRYPTO_memcmp(hash, want, sizeof(hash)) == 0;
}

void password_make(char ret_password[PASSWORD_MADE])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, no l, o, 0, 1 */
	uint8_t bytes[16];
	size_t n = 0;

	_Static_assert(sizeof(letters) == 33, "five bits each");
	CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		if (i && i % 4 == 0)
			ret_password[n++] = '-';
		ret_password[n++] = letters[bytes[i] & 31];
	}
	ret_password[n] = 0;
	CHECK(n + 1 == PASSWORD_MADE);
}
