/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked is checked in this order: the name's form, the profiles, the CA's own constraints, the key, and how
 * often. So an answer tells whoever took over the asking process nothing that the profiles do not say.
 */
#include "firmware/mint/mint.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/bn.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "firmware/base/addr.h"
#include "firmware/mint/ca.h"
#include "firmware/mint/certificate.h"

#define COMMON_MAX 64 /* ub-common-name, RFC 5280 A.1 */
#define PATH_BYTES 4096

struct mint {
	char *dir;
	EVP_PKEY *key; /* NULL: none was read */
	X509 *certificate;
	struct ca_names permitted, excluded;
	int64_t ca_until_s;
	struct stat seen; /* the file that was read */
	unsigned tokens;
	uint64_t token_ms; /* mono_ms of the last one that was added */
	uint64_t counts[MINT_OUTCOMES_N];
};

static const struct {
	int rc;
	const char *name;
} outcomes[] = {
#define X(name_, rc_, text, help) { rc_, text },
	MINT_OUTCOMES(X)
#undef X
};

int mint_new(const char *dir, struct mint **ret_mint)
{
	struct mint *mint = calloc(1, sizeof(*mint));

	if (!mint)
		return -ENOMEM;
	mint->dir = strdup(dir);
	mint->tokens = MINT_BURST;
	if (!mint->dir) {
		free(mint);
		return -ENOMEM;
	}
	*ret_mint = mint;
	return 0;
}

static void ca_forget(struct mint *mint)
{
	EVP_PKEY_free(mint->key);
	X509_free(mint->certificate);
	ca_names_free(&mint->permitted);
	ca_names_free(&mint->excluded);
	mint->key = NULL;
	mint->certificate = NULL;
}

void mint_free(struct mint **mint)
{
	if (!*mint)
		return;
	ca_forget(*mint);
	free((*mint)->dir);
	free(*mint);
	*mint = NULL;
}

/* ---- the CA ------------------------------------------------------------------------------------ */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int ca_read(struct mint *mint)
{
	int rc = ca_load(mint->dir, &mint->key, &mint->certificate);

	rc = rc ? rc : ca_permitted(mint->certificate, &mint->permitted);
	rc = rc ? rc : ca_excluded(mint->certificate, &mint->excluded);
	rc = rc ? rc : certificate_until(mint->certificate, &mint->ca_until_s);
	if (rc < 0)
		ca_forget(mint);
	return rc;
}

/* Replaced by rename(2), so what is there is whole. 0, -ENOENT, or -ENOMEM for all else. */
static int ca_current(struct mint *mint)
{
	char path[PATH_BYTES];
	struct stat st;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/" CA_FILE, mint->dir);
	if (stat(path, &st) < 0) {
		ca_forget(mint);
		return errno == ENOENT ? -ENOENT : -ENOMEM;
	}
	if (mint->key && is_same_file(&st, &mint->seen))
		return 0;
	ca_forget(mint);
	rc = ca_read(mint);
	mint->seen = st;
	return rc == 0 || rc == -ENOENT ? rc : -ENOMEM;
}

/* ---- what may be asked ------------------------------------------------------------------------- */

/* Only what is in its normal form already: whoever asks for another form wants something else. */
static int name_check(struct span host, char ret_host[PROFILE_HOST_MAX])
{
	struct addr addr;

	if (!host.n || host.n >= PROFILE_HOST_MAX || host_normalise(host, ret_host) < 0 ||
	    !span_eq(host, span_of(ret_host)) || addr_parse(host, 0, &addr) == 0)
		return -EINVAL;
	return 0;
}

static int host_check(const struct mint *mint, const struct profiles *profiles, const char *host)
{
	struct profile_match match;
	bool own = !strcmp(host, CA_OWN_NAME);

	if (!own && (!profile_match_host(profiles, span_of(host), &match) || match.never))
		return -EACCES;
	if (!ca_names_cover(&mint->permitted, span_of(host)) ||
	    ca_names_cover(&mint->excluded, span_of(host)))
		return -EDOM;
	return 0;
}

static int token_take(struct mint *mint, struct now now)
{
	uint64_t more = now_since(now, mint->token_ms) / MINT_EACH_MS;

	if (more) {
		mint->tokens = more < MINT_BURST - mint->tokens ? mint->tokens + (unsigned)more
								: MINT_BURST;
		mint->token_ms = now.mono_ms;
	}
	if (!mint->tokens)
		return -EBUSY;
	mint->tokens--;
	return 0;
}

static EVP_PKEY *key_of(const char *type, OSSL_PARAM params[])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* NULL: no point on the curve, or no memory. */
static EVP_PKEY *point_key(struct span point)
{
	char group[] = "prime256v1";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
						  (void *)(uintptr_t)point.p, point.n),
		OSSL_PARAM_construct_end(),
	};

	return point.p[0] == 4 ? key_of("EC", params) : NULL;
}

/* NULL: not all its bits are used, it is even, or no memory. Whether it has two factors only its owner knows. */
static EVP_PKEY *modulus_key(struct span modulus)
{
	uint8_t native[MINT_MODULUS];
	unsigned exponent = RSA_F4;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, native, sizeof(native)),
		OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &exponent),
		OSSL_PARAM_construct_end(),
	};
	BIGNUM *n = BN_bin2bn((const uint8_t *)modulus.p, MINT_MODULUS, NULL);
	EVP_PKEY *key = NULL;

	if (n && BN_num_bits(n) == 8 * MINT_MODULUS && BN_is_odd(n) &&
	    BN_bn2nativepad(n, native, sizeof(native)) == MINT_MODULUS)
		key = key_of("RSA", params);
	BN_free(n);
	return key;
}

static EVP_PKEY *public_key(struct span key)
{
	return key.n == MINT_POINT     ? point_key(key)
	       : key.n == MINT_MODULUS ? modulus_key(key)
				       : NULL;
}

/* ---- signing ----------------------------------------------------------------------------------- */

/* The host stands in the subject, too, where it fits: some clients show it. */
static bool name_put(X509 *leaf, const char *host)
{
	X509_NAME *name = X509_get_subject_name(leaf);
	bool fits = strlen(host) <= COMMON_MAX;
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	bool ok = false;

	if (!names || !one || !text || ASN1_STRING_set(text, host, -1) != 1)
		goto out;
	GENERAL_NAME_set0_value(one, GEN_DNS, text);
	text = NULL;
	if (sk_GENERAL_NAME_push(names, one) <= 0)
		goto out;
	one = NULL;
	ok = X509_add1_ext_i2d(leaf, NID_subject_alt_name, names, !fits, 0) == 1 &&
	     (!fits || X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)host,
						  -1, -1, 0) == 1);
out:
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(one);
	GENERAL_NAMES_free(names);
	return ok;
}

/* Not beyond the CA's own end: some clients would refuse it. */
static bool leaf_date(const struct mint *mint, X509 *leaf, int64_t wall_s)
{
	int64_t until = wall_s + (int64_t)MINT_DAYS * CERTIFICATE_DAY;

	if (until > mint->ca_until_s)
		until = mint->ca_until_s;
	return certificate_date(leaf, wall_s - CERTIFICATE_DAY, until);
}

static bool leaf_fill(const struct mint *mint, X509 *leaf, EVP_PKEY *key, const char *host,
		      int64_t wall_s)
{
	uint8_t serial[CERTIFICATE_SERIAL];
	X509 *ca = mint->certificate;

	return X509_set_version(leaf, X509_VERSION_3) == 1 && certificate_number(leaf, serial) &&
	       X509_set_issuer_name(leaf, X509_get_subject_name(ca)) == 1 &&
	       leaf_date(mint, leaf, wall_s) && X509_set_pubkey(leaf, key) == 1 &&
	       name_put(leaf, host) &&
	       certificate_extend(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	       certificate_extend(leaf, ca, NID_key_usage, "critical,digitalSignature") &&
	       certificate_extend(leaf, ca, NID_ext_key_usage, "serverAuth") &&
	       certificate_extend(leaf, ca, NID_subject_key_identifier, "hash") &&
	       certificate_extend(leaf, ca, NID_authority_key_identifier, "keyid:always") &&
	       X509_sign(leaf, mint->key, EVP_sha256()) > 0;
}

/* 0 or -ENOMEM. */
static int leaf_sign(const struct mint *mint, EVP_PKEY *key, const char *host, int64_t wall_s,
		     struct span out, size_t *ret_n)
{
	uint8_t *p = (uint8_t *)(uintptr_t)out.p;
	X509 *leaf = X509_new();
	int rc = -ENOMEM, n;

	if (leaf && leaf_fill(mint, leaf, key, host, wall_s)) {
		n = i2d_X509(leaf, NULL);
		if (n > 0 && (size_t)n <= out.n) {
			*ret_n = (size_t)i2d_X509(leaf, &p);
			rc = 0;
		}
	}
	X509_free(leaf);
	return rc;
}

static int leaf_make(struct mint *mint, const struct profiles *profiles, const struct mint_ask *ask,
		     struct now now, struct span out, size_t *ret_n)
{
	char host[PROFILE_HOST_MAX];
	int64_t wall_s = now.wall_ms / 1000;
	int rc = name_check(ask->host, host);
	EVP_PKEY *key;

	rc = rc ? rc : ca_current(mint);
	rc = rc ? rc : host_check(mint, profiles, host);
	if (rc < 0)
		return rc;
	if (wall_s < CA_CLOCK_MIN || wall_s >= mint->ca_until_s)
		return -EAGAIN;
	key = public_key(ask->key);
	rc = key ? token_take(mint, now) : -EKEYREJECTED;
	rc = rc ? rc : leaf_sign(mint, key, host, wall_s, out, ret_n);
	EVP_PKEY_free(key);
	return rc;
}

int mint_leaf(struct mint *mint, const struct profiles *profiles, const struct mint_ask *ask,
	      struct now now, void *buf, size_t size, size_t *ret_n)
{
	int rc = leaf_make(mint, profiles, ask, now, span_make(buf, size), ret_n);

	ERR_clear_error();
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++)
		mint->counts[i] += outcomes[i].rc == rc;
	return rc;
}

uint64_t mint_count(const struct mint *mint, enum mint_outcome outcome)
{
	CHECK((size_t)outcome < ARRAY_LEN(mint->counts));
	return mint->counts[outcome];
}

const char *mint_outcome_name(enum mint_outcome outcome)
{
	CHECK((size_t)outcome < ARRAY_LEN(outcomes));
	return outcomes[outcome].name;
}
