/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one that signs itself is made before the process is confined; those of the CA are leaves.h's, asked for at each
 * handshake, so that they are renewed in time. An unencrypted key never touches a file.
 */
#include "proxy/admin/cert.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "firmware/base/profile.h"
#include "firmware/mint/public.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/tls/leaves.h"

#define VALID_S	  (365 * 86400L)
#define BEFORE_S  86400L /* clocks differ */
#define NAMES_MAX 2048
/* The keeper is not there yet when we begin, and may be busy. */
#define WARM_S	   1
#define WARM_TRIES 5

struct cert {
	struct worker *control;
	SSL_CTX *ctx;
	struct string_list names; /* in their normal form */
	struct leaf_ask *ask;	  /* one at a time */
	struct event timer;
	size_t warm; /* the name whose turn it is */
	unsigned warm_tries;
};

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

/* ---- of the CA ------------------------------------------------------------------------------------ */

static bool is_ours(const struct cert *cert, const char *host)
{
	for (size_t i = 0; i < cert->names.n; i++)
		if (!strcmp(cert->names.v[i], host))
			return true;
	return false;
}

static void on_leaf(void *arg, int rc, struct leaf *leaf)
{
	struct cert *cert = arg;

	(void)rc;
	cert->ask = NULL;
	leaf_unref(&leaf); /* it is kept there: the next look finds it */
}

/* What is there at once: a reference, or NULL; then it is asked for. */
static struct leaf *leaf_now(struct cert *cert, const char *host)
{
	struct leaves *leaves = cert->control->proxy->leaves;
	struct leaf_ask *ask;
	struct leaf *leaf = NULL;
	int rc;

	if (!leaves || cert->ask)
		return NULL;
	rc = leaves_ask(leaves, cert->control, host, LEAF_ECDSA, on_leaf, cert, &ask, &leaf);
	if (rc == -EINPROGRESS)
		cert->ask = ask;
	return rc == 0 ? leaf : NULL;
}

/* The hello is here. What can't be had is no failure: the context has a certificate of its own. */
static int on_hello(SSL *ssl, void *arg)
{
	struct cert *cert = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char host[PROFILE_HOST_MAX];
	struct leaf *leaf;

	(void)arg;
	if (!cert || !name || host_normalise(span_of(name), host) < 0 || !is_ours(cert, host))
		return 1;
	leaf = leaf_now(cert, host);
	if (leaf && SSL_use_certificate(ssl, leaf_certificate(leaf)) == 1)
		(void)SSL_use_PrivateKey(ssl, leaf_key(leaf));
	leaf_unref(&leaf);
	return 1;
}

/* Before the first visitor comes: names one after the other, until each has had its turn with an answer. */
static void on_warm(evutil_socket_t fd, short what, void *arg)
{
	struct cert *cert = arg;
	struct timeval wait = { WARM_S, 0 };
	struct leaf *leaf;

	(void)fd;
	(void)what;
	while (cert->warm < cert->names.n) {
		leaf = leaf_now(cert, cert->names.v[cert->warm]);
		if (!leaf && cert->warm_tries++ < WARM_TRIES)
			break;
		leaf_unref(&leaf);
		cert->warm++;
		cert->warm_tries = 0;
	}
	if (cert->warm < cert->names.n)
		CHECK_OK(event_add(&cert->timer, &wait));
}

/* ---- life ----------------------------------------------------------------------------------------- */

static int own_context(const struct addr_list *addresses, const struct string_list *names,
		       int64_t now_s, SSL_CTX **ret_ctx)
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

/* Those that are asked for. */
static int names_copy(struct cert *cert, const struct string_list *names)
{
	cert->names.v = calloc(names->n + 1, sizeof(*cert->names.v));
	if (!cert->names.v)
		return -ENOMEM;
	for (size_t i = 0; i < names->n; i++) {
		char host[PROFILE_HOST_MAX];

		/* The CA speaks for no other name of ours; to ask for one is to be refused. */
		if (host_normalise(span_of(names->v[i]), host) < 0 ||
		    strcmp(host, CA_OWN_NAME) != 0)
			continue;
		cert->names.v[cert->names.n] = strdup(host);
		if (!cert->names.v[cert->names.n])
			return -ENOMEM;
		cert->names.n++;
	}
	return 0;
}

int cert_new(struct worker *control, const struct string_list *names,
	     const struct addr_list *addresses, struct cert **ret_cert)
{
	struct cert *cert = calloc(1, sizeof(*cert));
	int rc;

	if (!cert)
		return -ENOMEM;
	cert->control = control;
	CHECK_OK(evtimer_assign(&cert->timer, control->base, on_warm, cert));
	rc = names_copy(cert, names);
	rc = rc ? rc
		: own_context(addresses, names, worker_now(control)->wall_ms / 1000, &cert->ctx);
	if (rc < 0 || SSL_CTX_set_app_data(cert->ctx, cert) != 1) {
		cert_free(&cert);
		return -ENOMEM;
	}
	SSL_CTX_set_cert_cb(cert->ctx, on_hello, NULL);
	event_active(&cert->timer, EV_TIMEOUT, 0);
	*ret_cert = cert;
	return 0;
}

void cert_free(struct cert **ptr)
{
	struct cert *cert = *ptr;

	*ptr = NULL;
	if (!cert)
		return;
	event_del(&cert->timer);
	if (cert->ask)
		leaf_ask_cancel(cert->control->proxy->leaves, &cert->ask);
	if (cert->ctx)
		(void)SSL_CTX_set_app_data(cert->ctx, NULL);
	SSL_CTX_free(cert->ctx);
	for (size_t i = 0; i < cert->names.n; i++)
		free(cert->names.v[i]);
	free(cert->names.v);
	free(cert);
}

SSL_CTX *cert_context(const struct cert *cert)
{
	return cert->ctx;
}
