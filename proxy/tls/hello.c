/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClientHellos. Records, the handshake message and its list of extensions are read by OpenSSL, which is given a copy of the
 * bytes in memory and stops in its ClientHello callback, before it has chosen or answered anything. What stands inside the
 * extensions that are looked at goes through the cursor. If we are to answer, the same SSL goes on from there
 * (hello_reader_take): no hello is read twice.
 *
 * `hellos` is immutable after hellos_new() and whoever answers (hellos_ctx); a reader belongs to one thread. Time and memory
 * are bounded: each byte is given to OpenSSL once, and no more than HELLO_BYTES_MAX of them.
 */
#include "proxy/tls/hello.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

/* Extensions that this OpenSSL may not know: encrypted_client_hello, and its draft encrypted_server_name. */
#define EXT_ECH	       0xfe0d
#define EXT_ESNI       0xffce

#define NAME_TYPE_HOST 0 /* RFC 6066, 3 */

struct hellos {
	SSL_CTX *ctx;
};

struct hello_reader {
	SSL *ssl;
	BIO *in; /* ssl's */
	size_t fed;
	bool read; /* the callback ran */
	struct hello hello;
};

/* ---- extensions -------------------------------------------------------------------------------- */

static bool extension(SSL *ssl, unsigned type, struct cursor *ret_body)
{
	const unsigned char *p;
	size_t n;

	if (!SSL_client_hello_get0_ext(ssl, type, &p, &n))
		return false;
	*ret_body = cursor_make(p, n);
	return true;
}

/* A vector whose length, in `width` bytes, stands before it (RFC 8446, 3.4). */
static int vector(struct cursor *c, size_t width, struct cursor *ret_body)
{
	struct cursor at = *c;
	struct span bytes;
	uint64_t n;

	if (cursor_uint_be(&at, width, &n) < 0 || cursor_bytes(&at, (size_t)n, &bytes) < 0)
		return -EBADMSG;
	*c = at;
	*ret_body = cursor_make(bytes.p, bytes.n);
	return 0;
}

/* Exactly one name, of type host_name, and nothing behind it: all that clients send. */
static int sni_read(struct cursor body, struct span *ret_name)
{
	struct cursor list, name;
	uint8_t type;

	if (vector(&body, 2, &list) < 0 || body.n || cursor_u8(&list, &type) < 0 ||
	    type != NAME_TYPE_HOST || vector(&list, 2, &name) < 0 || list.n)
		return -EBADMSG;
	*ret_name = span_make(name.p, name.n);
	return 0;
}

/* An IPv4 address passes host_normalise(), but has no place in an SNI (RFC 6066, 3). */
static enum hello_name name_of(SSL *ssl, char ret_host[PROFILE_HOST_MAX])
{
	struct cursor body;
	struct span name;
	struct addr addr;
	char host[PROFILE_HOST_MAX] = "";

	if (!extension(ssl, TLSEXT_TYPE_server_name, &body))
		return HELLO_NAME_NONE;
	if (sni_read(body, &name) < 0 || host_normalise(name, host) < 0 ||
	    addr_parse(span_of(host), 0, &addr) == 0)
		return HELLO_NAME_ODD;
	memcpy(ret_host, host, sizeof(host));
	return HELLO_NAME_HOST;
}

static void version_seen(struct hello *hello, unsigned version)
{
	hello->tls12 |= version == TLS1_2_VERSION;
	hello->tls13 |= version == TLS1_3_VERSION;
}

/* RFC 8446, 4.2.1; without the extension it is TLS 1.2 at best (4.1.2). */
static void versions_of(SSL *ssl, struct hello *hello)
{
	struct cursor body, list;
	uint16_t version;

	if (!extension(ssl, TLSEXT_TYPE_supported_versions, &body)) {
		hello->tls12 = SSL_client_hello_get0_legacy_version(ssl) >= TLS1_2_VERSION;
		return;
	}
	if (vector(&body, 1, &list) < 0)
		return;
	while (cursor_u16be(&list, &version) == 0)
		version_seen(hello, version);
}

/* RFC 7301, 3.1 */
static bool speaks_http1(SSL *ssl)
{
	struct cursor body, list, name;

	if (!extension(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &body))
		return true;
	if (vector(&body, 2, &list) < 0)
		return false;
	while (vector(&list, 1, &name) == 0)
		if (span_eq(span_make(name.p, name.n), SPAN("http/1.1")))
			return true;
	return false;
}

/* ---- certificates ------------------------------------------------------------------------------- */

/* Signature schemes (RFC 8446, 4.2.3), and a group (4.2.7). */
#define ECDSA_P256 0x0403
#define RSA_PKCS1  0x0401
#define RSA_PSS	   0x0804
#define GROUP_P256 0x0017
#define SUITES_MAX 3

/* For TLS 1.2: AES_128_GCM, AES_256_GCM (RFC 5289), CHACHA20_POLY1305 (RFC 7905). */
static const uint16_t ecdhe_ecdsa[SUITES_MAX] = { 0xc02b, 0xc02c, 0xcca9 };
static const uint16_t ecdhe_rsa[SUITES_MAX] = { 0xc02f, 0xc030, 0xcca8 };

static bool offers_suite(SSL *ssl, const uint16_t wanted[SUITES_MAX])
{
	const unsigned char *p;
	size_t n = SSL_client_hello_get0_ciphers(ssl, &p);
	struct cursor list = cursor_make(p, n);
	uint16_t suite;

	while (cursor_u16be(&list, &suite) == 0)
		for (size_t i = 0; i < SUITES_MAX; i++)
			if (suite == wanted[i])
				return true;
	return false;
}

/* Does that extension, a list of numbers of two bytes, have this one? */
static bool lists(SSL *ssl, unsigned type, uint16_t wanted)
{
	struct cursor body, list;
	uint16_t have;

	if (!extension(ssl, type, &body) || vector(&body, 2, &list) < 0)
		return false;
	while (cursor_u16be(&list, &have) == 0)
		if (have == wanted)
			return true;
	return false;
}

static bool signs_with(SSL *ssl, uint16_t scheme)
{
	return lists(ssl, TLSEXT_TYPE_signature_algorithms, scheme);
}

/* What the CA has signed: signature_algorithms_cert, where it is, says so instead of the other. */
static bool verifies_ours(SSL *ssl)
{
	struct cursor unused;

	return extension(ssl, TLSEXT_TYPE_signature_algorithms_cert, &unused)
		       ? lists(ssl, TLSEXT_TYPE_signature_algorithms_cert, ECDSA_P256)
		       : signs_with(ssl, ECDSA_P256);
}

/* In TLS 1.2 the groups bind certificates, too (RFC 8422, 5.1.1). */
static bool takes_curve(SSL *ssl)
{
	struct cursor unused;

	return !extension(ssl, TLSEXT_TYPE_supported_groups, &unused) ||
	       lists(ssl, TLSEXT_TYPE_supported_groups, GROUP_P256);
}

static bool takes_ecdsa(SSL *ssl, const struct hello *hello)
{
	if (!verifies_ours(ssl) || !signs_with(ssl, ECDSA_P256))
		return false;
	return hello->tls13 || (hello->tls12 && offers_suite(ssl, ecdhe_ecdsa) && takes_curve(ssl));
}

static bool takes_rsa(SSL *ssl, const struct hello *hello)
{
	if (!verifies_ours(ssl))
		return false;
	if (hello->tls13)
		return signs_with(ssl, RSA_PSS);
	return hello->tls12 && offers_suite(ssl, ecdhe_rsa) &&
	       (signs_with(ssl, RSA_PSS) || signs_with(ssl, RSA_PKCS1));
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct hello_reader *reader = SSL_get_app_data(ssl);
	struct hello *hello = &reader->hello;
	struct cursor unused;

	(void)alert;
	(void)arg;
	reader->read = true;
	hello->name = name_of(ssl, hello->host);
	hello->hidden = extension(ssl, EXT_ECH, &unused) || extension(ssl, EXT_ESNI, &unused);
	versions_of(ssl, hello);
	hello->http1 = speaks_http1(ssl);
	hello->ecdsa = takes_ecdsa(ssl, hello);
	hello->rsa = takes_rsa(ssl, hello);
	return SSL_CLIENT_HELLO_RETRY; /* that is: go no further */
}

/* ---- life -------------------------------------------------------------------------------------- */

static int on_unknown(SSL *ssl, unsigned type, unsigned context, const unsigned char *in, size_t n,
		      X509 *x, size_t chain, int *alert, void *arg)
{
	(void)ssl, (void)type, (void)context, (void)in, (void)n;
	(void)x, (void)chain, (void)alert, (void)arg;
	return 1;
}

/* OpenSSL shows the callback only extensions that it knows or that were announced to it. */
static int announce(SSL_CTX *ctx, unsigned type)
{
	if (SSL_extension_supported(type))
		return 0;
	return SSL_CTX_add_custom_ext(ctx, type, SSL_EXT_CLIENT_HELLO, NULL, NULL, NULL, on_unknown,
				      NULL) == 1
		       ? 0
		       : -ENOMEM;
}

int hellos_new(struct hellos **ret_hellos)
{
	struct hellos *hellos = calloc(1, sizeof(*hellos));

	if (!hellos)
		return -ENOMEM;
	hellos->ctx = SSL_CTX_new(TLS_server_method());
	if (!hellos->ctx || announce(hellos->ctx, EXT_ECH) < 0 ||
	    announce(hellos->ctx, EXT_ESNI) < 0) {
		ERR_clear_error();
		hellos_free(&hellos);
		return -ENOMEM;
	}
	SSL_CTX_set_client_hello_cb(hellos->ctx, on_hello, NULL);
	*ret_hellos = hellos;
	return 0;
}

void hellos_free(struct hellos **hellos)
{
	if (!*hellos)
		return;
	SSL_CTX_free((*hellos)->ctx);
	free(*hellos);
	*hellos = NULL;
}

static int reader_wire(struct hello_reader *reader)
{
	BIO *out = BIO_new(BIO_s_null());

	reader->in = BIO_new(BIO_s_mem());
	if (!reader->in || !out) {
		BIO_free(reader->in);
		BIO_free(out);
		return -ENOMEM;
	}
	/* What is not there yet may still come: no end of file. */
	BIO_set_mem_eof_return(reader->in, -1);
	SSL_set_bio(reader->ssl, reader->in, out);
	SSL_set_app_data(reader->ssl, reader);
	SSL_set_accept_state(reader->ssl);
	return 0;
}

int hello_reader_new(struct hellos *hellos, struct hello_reader **ret_reader)
{
	struct hello_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->ssl = SSL_new(hellos->ctx);
	if (!reader->ssl || reader_wire(reader) < 0) {
		ERR_clear_error();
		hello_reader_free(&reader);
		return -ENOMEM;
	}
	*ret_reader = reader;
	return 0;
}

void hello_reader_free(struct hello_reader **reader)
{
	if (!*reader)
		return;
	SSL_free((*reader)->ssl);
	free(*reader);
	*reader = NULL;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static int step(struct hello_reader *reader)
{
	int rc, error;

	ERR_clear_error();
	rc = SSL_do_handshake(reader->ssl);
	error = SSL_get_error(reader->ssl, rc);
	ERR_clear_error();
	if (reader->read)
		return 0;
	return error == SSL_ERROR_WANT_READ ? -EAGAIN : -EBADMSG;
}

int hello_feed(struct hello_reader *reader, struct span bytes, struct hello *ret_hello)
{
	size_t room = HELLO_BYTES_MAX - reader->fed;
	struct span taken = span_head(bytes, room);
	int rc;

	CHECK(!reader->read);
	if (taken.n && BIO_write(reader->in, taken.p, (int)taken.n) != (int)taken.n)
		return -ENOMEM;
	reader->fed += taken.n;
	rc = step(reader);
	if (rc == 0)
		*ret_hello = reader->hello;
	return rc == -EAGAIN && reader->fed == HELLO_BYTES_MAX ? -EMSGSIZE : rc;
}

/* ---- going on ---------------------------------------------------------------------------------- */

SSL_CTX *hellos_ctx(struct hellos *hellos)
{
	return hellos->ctx;
}

SSL *hello_reader_ssl(struct hello_reader *reader)
{
	CHECK(reader->read);
	return reader->ssl;
}

struct span hello_reader_rest(struct hello_reader *reader)
{
	char *p;
	long n = BIO_get_mem_data(reader->in, &p);

	return span_make(p, n > 0 ? (size_t)n : 0);
}

SSL *hello_reader_take(struct hello_reader **reader)
{
	SSL *ssl = hello_reader_ssl(*reader);

	SSL_set_app_data(ssl, NULL);
	(*reader)->ssl = NULL;
	hello_reader_free(reader);
	return ssl;
}
