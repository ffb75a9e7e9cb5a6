/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClientHellos for tests: built byte by byte around one extension, or said by OpenSSL's client in memory.
 */
#ifndef TESTS_UNIT_PROXY_TLS_HELLOS_H
#define TESTS_UNIT_PROXY_TLS_HELLOS_H

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/tls/hello.h"

struct bytes {
	uint8_t p[40000];
	size_t n;
};

static inline void put(struct bytes *b, const void *p, size_t n)
{
	CHECK(n <= sizeof(b->p) - b->n);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void put_uint(struct bytes *b, size_t width, size_t value)
{
	for (size_t i = width; i-- > 0;) {
		uint8_t byte = (uint8_t)(value >> 8 * i);

		put(b, &byte, 1);
	}
}

/* `inner` with its length before it. */
static inline void put_vector(struct bytes *b, size_t width, const struct bytes *inner)
{
	put_uint(b, width, inner->n);
	put(b, inner->p, inner->n);
}

static inline void put_extension(struct bytes *b, unsigned type, const struct bytes *body)
{
	put_uint(b, 2, type);
	put_vector(b, 2, body);
}

/* An SNI extension with this name, whatever it is. */
static inline void put_sni(struct bytes *b, const void *name, size_t n)
{
	static struct bytes list, body;

	list.n = body.n = 0;
	put_uint(&list, 1, 0);
	put_uint(&list, 2, n);
	put(&list, name, n);
	put_vector(&body, 2, &list);
	put_extension(b, TLSEXT_TYPE_server_name, &body);
}

/* A hello with these extensions, in records of at most `fragment` bytes. */
static inline void put_hello(struct bytes *b, const struct bytes *extensions, size_t fragment)
{
	static struct bytes body, message;

	body.n = message.n = 0;
	put_uint(&body, 2, TLS1_2_VERSION);
	for (unsigned i = 0; i < 32; i++)
		put_uint(&body, 1, i * 7); /* random */
	put_uint(&body, 1, 0);		   /* no session id */
	put_uint(&body, 2, 4);
	put_uint(&body, 2, 0x1301); /* TLS_AES_128_GCM_SHA256 */
	put_uint(&body, 2, 0xc02f); /* ECDHE-RSA-AES128-GCM-SHA256 */
	put_uint(&body, 2, 0x0100); /* no compression */
	put_vector(&body, 2, extensions);
	put_uint(&message, 1, 1);
	put_vector(&message, 3, &body);
	for (size_t at = 0; at < message.n; at += fragment) {
		size_t n = message.n - at < fragment ? message.n - at : fragment;

		put_uint(b, 1, 22);
		put_uint(b, 2, 0x0301);
		put_uint(b, 2, n);
		put(b, message.p + at, n);
	}
}

/* What OpenSSL's client says first. Takes ctx; NULL and {} leave a part out. */
static inline void say_hello_of(struct bytes *b, SSL_CTX *ctx, const char *host, struct span alpn)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl;

	CHECK(ctx && in && out);
	ssl = SSL_new(ctx);
	CHECK(ssl);
	if (host)
		CHECK(SSL_set_tlsext_host_name(ssl, host) == 1);
	if (alpn.n)
		CHECK(SSL_set_alpn_protos(ssl, (const uint8_t *)alpn.p, (unsigned)alpn.n) == 0);
	SSL_set_bio(ssl, in, out);
	(void)SSL_connect(ssl);
	b->n = (size_t)BIO_read(out, b->p, sizeof(b->p));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static inline void say_hello(struct bytes *b, const char *host, int max_version, struct span alpn)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	CHECK(ctx && SSL_CTX_set_max_proto_version(ctx, max_version) == 1);
	say_hello_of(b, ctx, host, alpn);
}

/* Reads `bytes` in pieces of `first`, then `step` bytes. As hello_feed(). */
static inline int hello_read(struct hellos *hellos, struct span bytes, size_t first, size_t step,
			     struct hello *ret_hello)
{
	struct hello_reader *reader;
	int rc;

	CHECK(hello_reader_new(hellos, &reader) == 0);
	rc = hello_feed(reader, span_head(bytes, first), ret_hello);
	bytes = span_drop(bytes, first);
	while (rc == -EAGAIN && bytes.n) {
		rc = hello_feed(reader, span_head(bytes, step), ret_hello);
		bytes = span_drop(bytes, step);
	}
	hello_reader_free(&reader);
	return rc;
}

#endif
