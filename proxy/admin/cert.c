/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made before the process is confined; OpenSSL alone. An unencrypted key never touches a file.
 */
#include "proxy/admin/cert.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define VALID_S	  (365 * 86400L)
#define BEFORE_S  86400L /* clocks differ */
#define NAMES_MAX 2048

/* "DNS:tarn,IP:192.0.2.1": what subjectAltName wants. */
static const char *alt_names(const struct string_list *names, const struct addr_list *addresses,
			     char buf[NAMES_MAX])
{
	char text[ADDR_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < names->n && n < NAMES_MAX - 300; i++)
		n += (size_t)snprintf(buf + n, NAMES_MAX - n, "DNS:%.253s,", names->v[i]);
	for (size_t i = 0; i < addresses->n && n < NAMES_MAX - 100; i++)
		n += (size_t)snprintf(buf + n, NAMES_MAX - n, "IP:%s,",
				      addr_ip_format(&addresses->v[i], text));
	(void)snprintf(buf + n, NAMES_MAX - n, "DNS:localhost");
	return buf;
}

static bool extend(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	added = extension && X509_add_ext(x, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *alternatives, int64_t now_s)
{
	X509_NAME *name = X509_get_subject_name(x);
	time_t now = (time_t)now_s;
	uint64_t serial = 0;

	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1) == 1 &&
	       X509_time_adj_ex(X509_getm_notBefore(x), 0, -BEFORE_S, &now) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), 0, VALID_S, &now) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)"Tarn admin page", -1, -1,
					  0) == 1 &&
	       X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	       extend(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       extend(x, NID_key_usage, "critical,digitalSignature") &&
	       extend(x, NID_ext_key_usage, "serverAuth") &&
	       extend(x, NID_subject_alt_name, alternatives) && X509_sign(x, key, EVP_sha256()) > 0;
}

int cert_context(const struct string_list *names, const struct addr_list *addresses, int64_t now_s,
		 SSL_CTX **ret_ctx)
{
	char alternatives[NAMES_MAX];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int rc = -ENOMEM;

	if (key && x && ctx && fill(x, key, alt_names(names, addresses, alternatives), now_s) &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
						 SSL_OP_NO_COMPRESSION);
		SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
		*ret_ctx = ctx;
		ctx = NULL;
		rc = 0;
	}
	SSL_CTX_free(ctx);
	X509_free(x);
	EVP_PKEY_free(key);
	return rc;
}
