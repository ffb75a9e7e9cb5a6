/* SPDX-License-Identifier: Apache-2.0 */
/* The private key's file is made whole beside its place and linked into it, so two first uses agree. */
#include "firmware/carry/seal.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES  32
#define SIGN_BYTES 64

struct seal {
	EVP_PKEY *key;
};

/* ---- base64url ------------------------------------------------------------------------------------- */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t *bytes, size_t n, char *text)
{
	for (size_t bit = 0; bit < 8 * n; bit += 6) {
		unsigned pair =
			(unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < n ? bytes[bit / 8 + 1] : 0u);

		*text++ = letters[pair >> (10 - bit % 8) & 63];
	}
	*text = '\0';
}

/* Exactly n bytes, and nothing in the bits that are left over. */
static bool decode(struct span text, uint8_t *bytes, size_t n)
{
	unsigned bits = 0, value = 0;
	size_t at = 0;

	if (text.n != (n * 8 + 5) / 6)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const char *letter = text.p[i] ? strchr(letters, text.p[i]) : NULL;

		if (!letter)
			return false;
		value = value << 6 | (unsigned)(letter - letters);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[at++] = (uint8_t)(value >> bits);
			value &= (1u << bits) - 1;
		}
	}
	return value == 0;
}

/* ---- the key's file --------------------------------------------------------------------------------- */

static int key_read(const char *path, EVP_PKEY **ret_key)
{
	FILE *file = fopen(path, "re");
	EVP_PKEY *key;

	if (!file)
		return -errno;
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	(void)fclose(file);
	if (!key || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
		EVP_PKEY_free(key);
		return -EBADMSG;
	}
	*ret_key = key;
	return 0;
}

static int key_write(int fd, EVP_PKEY *key)
{
	FILE *file = fdopen(fd, "w");
	bool written;

	if (!file) {
		(void)close(fd);
		return -ENOMEM;
	}
	written = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
		  fflush(file) == 0 && fsync(fd) == 0;
	return fclose(file) == 0 && written ? 0 : -EIO;
}

static int key_make(const char *path)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char *beside = NULL;
	int fd, rc = key ? 0 : -ENOMEM;

	if (rc == 0 && asprintf(&beside, "%s.XXXXXX", path) < 0)
		rc = -ENOMEM;
	if (rc < 0) {
		EVP_PKEY_free(key);
		return rc;
	}
	fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
	rc = fd < 0 ? -errno : key_write(fd, key);
	if (rc == 0 && link(beside, path) < 0 && errno != EEXIST)
		rc = -errno;
	if (fd >= 0)
		(void)unlink(beside);
	free(beside);
	EVP_PKEY_free(key);
	return rc;
}

int seal_open(const char *dir, struct seal **ret_seal)
{
	struct seal *seal = calloc(1, sizeof(*seal));
	char *path = NULL;
	int rc = seal ? 0 : -ENOMEM;

	if (rc == 0 && asprintf(&path, "%s/%s", dir, SEAL_FILE) < 0)
		rc = -ENOMEM;
	if (rc == 0)
		rc = key_read(path, &seal->key);
	if (rc == -ENOENT) {
		(void)mkdir(dir, 0755);
		rc = key_make(path);
		if (rc == 0)
			rc = key_read(path, &seal->key);
	}
	free(path);
	if (rc < 0) {
		free(seal);
		return rc;
	}
	*ret_seal = seal;
	return 0;
}

void seal_free(struct seal **seal)
{
	if (*seal)
		EVP_PKEY_free((*seal)->key);
	free(*seal);
	*seal = NULL;
}

/* ---- signatures -------------------------------------------------------------------------------------- */

void seal_key_text(const struct seal *seal, char ret_text[SEAL_KEY_TEXT])
{
	uint8_t bytes[KEY_BYTES];
	size_t n = sizeof(bytes);

	CHECK(EVP_PKEY_get_raw_public_key(seal->key, bytes, &n) == 1 && n == KEY_BYTES);
	encode(bytes, n, ret_text);
}

int seal_sign(const struct seal *seal, struct span bytes, char ret_text[SEAL_SIGN_TEXT])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t sign[SIGN_BYTES];
	size_t n = sizeof(sign);
	bool done = context && EVP_DigestSignInit(context, NULL, NULL, NULL, seal->key) == 1 &&
		    EVP_DigestSign(context, sign, &n, (const uint8_t *)bytes.p, bytes.n) == 1 &&
		    n == SIGN_BYTES;

	EVP_MD_CTX_free(context);
	if (!done)
		return -ENOMEM;
	encode(sign, n, ret_text);
	return 0;
}

bool seal_key_valid(struct span key)
{
	uint8_t bytes[KEY_BYTES];

	return decode(key, bytes, sizeof(bytes));
}

bool seal_verify(struct span key, struct span sign, struct span bytes)
{
	uint8_t raw_key[KEY_BYTES], raw_sign[SIGN_BYTES];
	EVP_MD_CTX *context;
	EVP_PKEY *pkey;
	bool good;

	if (!decode(key, raw_key, sizeof(raw_key)) || !decode(sign, raw_sign, sizeof(raw_sign)))
		return false;
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw_key, sizeof(raw_key));
	context = EVP_MD_CTX_new();
	good = pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
	       EVP_DigestVerify(context, raw_sign, sizeof(raw_sign), (const uint8_t *)bytes.p,
				bytes.n) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	return good;
}
