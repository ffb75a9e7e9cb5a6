/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of TLS, against OpenSSL as the device: its bytes are in memory, so that each test says how they are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/mint/certificate.h"
#include "proxy/tls/hello.h"
#include "proxy/tls/leaf.h"
#include "proxy/tls/server.h"

#define BODY_BYTES (8 * 1024 * 1024)

static struct hellos *hellos;
static struct tls_server *server;
static struct leaf *leaf;

struct pair {
	int ours, theirs;
	SSL_CTX *ctx;
	SSL *device;
	BIO *in, *out;
	struct tls_conn *conn;
};

/* Signs itself. */
static X509 *certificate_make(EVP_PKEY *key)
{
	uint8_t serial[CERTIFICATE_SERIAL];
	X509 *x = X509_new();

	assert_non_null(x);
	assert_true(certificate_number(x, serial));
	assert_true(certificate_date(x, 1700000000, 4000000000));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
						    (const uint8_t *)"t.example", -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(x)), 1);
	assert_int_equal(X509_set_pubkey(x, key), 1);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

static int begin(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = certificate_make(key);

	(void)state;
	assert_int_equal(hellos_new(&hellos), 0);
	assert_int_equal(tls_server_new(hellos, &server), 0);
	assert_int_equal(X509_up_ref(x), 1);
	leaf = leaf_new(key, x, x);
	assert_non_null(leaf);
	X509_free(x);
	return 0;
}

static int end(void **state)
{
	(void)state;
	leaf_unref(&leaf);
	tls_server_free(&server);
	hellos_free(&hellos);
	return 0;
}

/* ---- the device -------------------------------------------------------------------------------- */

static bool over_tcp; /* only the kernel's own TLS needs it */

static void tcp_pair(int fds[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(to);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&to, n), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &n), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[1], (struct sockaddr *)&to, n), 0);
	fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fds[0] >= 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	close(listener);
}

static void pair_open(struct pair *p, int version)
{
	int fds[2];

	*p = (struct pair){ 0 };
	if (over_tcp)
		tcp_pair(fds);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->ours = fds[0];
	p->theirs = fds[1];
	p->ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_min_proto_version(p->ctx, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(p->ctx, version), 1);
}

static void device_begin(struct pair *p)
{
	p->device = SSL_new(p->ctx);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(p->in, -1);
	SSL_set_bio(p->device, p->in, p->out);
	SSL_set_connect_state(p->device);
}

static void pair_close(struct pair *p)
{
	tls_conn_free(&p->conn, false);
	close(p->ours);
	if (p->theirs >= 0)
		close(p->theirs);
	SSL_free(p->device);
	SSL_CTX_free(p->ctx);
	ERR_clear_error();
}

/* What the device has to say goes on its way: all of it, or so many bytes. */
static void say(struct pair *p, size_t limit)
{
	char buf[65536];
	int n = BIO_read(p->out, buf, limit < sizeof(buf) ? (int)limit : (int)sizeof(buf));

	if (n > 0)
		assert_int_equal(send(p->theirs, buf, (size_t)n, 0), n);
}

static void hear(struct pair *p)
{
	char buf[65536];
	ssize_t n;

	while ((n = recv(p->theirs, buf, sizeof(buf), 0)) > 0)
		assert_int_equal(BIO_write(p->in, buf, (int)n), n);
}

/* Reads `n` bytes that have come. As hello_feed(). */
static int look(struct pair *p, struct hello_reader *reader, size_t n)
{
	struct hello hello;
	char read[4096];
	ssize_t got = recv(p->ours, read, n < sizeof(read) ? n : sizeof(read), 0);

	assert_true(got > 0);
	return hello_feed(reader, span_make(read, (size_t)got), &hello);
}

/* The hello as it is sniffed: the first `cut` bytes of it, then the rest. */
static void conn_begin(struct pair *p, size_t cut)
{
	struct hello_reader *reader;
	int rc;

	assert_true(SSL_do_handshake(p->device) < 0);
	say(p, SIZE_MAX);
	assert_int_equal(hello_reader_new(hellos, &reader), 0);
	rc = look(p, reader, cut);
	if (rc == -EAGAIN)
		rc = look(p, reader, SIZE_MAX);
	assert_int_equal(rc, 0);
	assert_int_equal(tls_conn_new(server, p->ours, leaf, &reader, &p->conn), 0);
	assert_null(reader);
}

/* Until the device has finished; what it sends last is still with it. */
static void shake_almost(struct pair *p)
{
	bool to_write;
	int rc;

	for (int i = 0; i < 10; i++) {
		assert_int_equal(tls_conn_handshake(p->conn, &to_write), -EAGAIN);
		assert_false(to_write);
		hear(p);
		rc = SSL_do_handshake(p->device);
		if (rc == 1 || SSL_version(p->device) == TLS1_2_VERSION)
			return;
		say(p, SIZE_MAX);
	}
	fail();
}

static void shake(struct pair *p, int version)
{
	bool to_write;

	pair_open(p, version);
	device_begin(p);
	conn_begin(p, 4096);
	shake_almost(p);
	say(p, SIZE_MAX);
	assert_int_equal(tls_conn_handshake(p->conn, &to_write), 0);
	hear(p);
	assert_int_equal(SSL_do_handshake(p->device), 1);
}

static void tell(struct pair *p, const char *text)
{
	assert_int_equal(SSL_write(p->device, text, (int)strlen(text)), (int)strlen(text));
}

static void expect(struct pair *p, const char *text)
{
	char buf[64];

	assert_int_equal(tls_conn_recv(p->conn, buf, sizeof(buf)), (ssize_t)strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static void expect_nothing(struct pair *p)
{
	char c;

	assert_int_equal(tls_conn_recv(p->conn, &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_false(tls_conn_pending(p->conn));
}

/* ---- handshakes -------------------------------------------------------------------------------- */

static void test_versions(void **state)
{
	struct pair p;

	(void)state;
	shake(&p, TLS1_2_VERSION);
	assert_string_equal(SSL_get_version(p.device), "TLSv1.2");
	pair_close(&p);
	shake(&p, TLS1_3_VERSION);
	assert_string_equal(SSL_get_version(p.device), "TLSv1.3");
	assert_false(tls_conn_resumed(p.conn));
	pair_close(&p);
}

/* A box has millions of connections before it is restarted. */
static void test_nothing_is_left(void **state)
{
	size_t before = 0, after;
	struct pair p;

	(void)state;
	for (unsigned i = 0; i < 800; i++) {
		if (i == 600) /* malloc keeps some of what is free, and counts it as used */
			before = mallinfo2().uordblks;
		shake(&p, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		pair_close(&p);
	}
	after = mallinfo2().uordblks;
	if (after > before && after - before > 50 * 200)
		fail_msg("%zu bytes are left of 200 connections", after - before);
}

static void test_hello_in_two(void **state)
{
	struct pair p;

	(void)state;
	for (size_t cut = 1; cut < 200; cut += 33) {
		bool to_write;

		pair_open(&p, TLS1_3_VERSION);
		device_begin(&p);
		conn_begin(&p, cut);
		shake_almost(&p);
		say(&p, SIZE_MAX);
		assert_int_equal(tls_conn_handshake(p.conn, &to_write), 0);
		pair_close(&p);
	}
}

static void test_ticket(void **state)
{
	SSL_SESSION *session;
	struct pair p;
	bool to_write;
	char c;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		shake(&p, version);
		assert_true(SSL_read(p.device, &c, 1) < 0); /* TLS 1.3: takes the ticket */
		session = SSL_get1_session(p.device);
		assert_true(SSL_SESSION_has_ticket(session));
		/* Else OpenSSL would not use it again. */
		SSL_set_shutdown(p.device, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		pair_close(&p);
		pair_open(&p, version);
		device_begin(&p);
		assert_int_equal(SSL_set_session(p.device, session), 1);
		conn_begin(&p, 4096);
		shake_almost(&p);
		SSL_do_handshake(p.device);
		say(&p, SIZE_MAX);
		assert_int_equal(tls_conn_handshake(p.conn, &to_write), 0);
		assert_true(tls_conn_resumed(p.conn));
		pair_close(&p);
		SSL_SESSION_free(session);
	}
}

/* For a client without ECDSA. Nothing is ever encrypted to its key, whatever the client would like best. */
static void test_rsa(void **state)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	X509 *x = certificate_make(key);
	struct leaf *other = leaf;
	struct pair p;
	bool to_write;

	(void)state;
	leaf = leaf_new(key, x, x);
	assert_non_null(leaf);
	X509_free(x);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		pair_open(&p, version);
		assert_int_equal(SSL_CTX_set_cipher_list(
					 p.ctx, "AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"),
				 1);
		device_begin(&p);
		conn_begin(&p, 4096);
		shake_almost(&p);
		say(&p, SIZE_MAX);
		assert_int_equal(tls_conn_handshake(p.conn, &to_write), 0);
		assert_true(EVP_PKEY_is_a(X509_get0_pubkey(SSL_get0_peer_certificate(p.device)),
					  "RSA"));
		if (version == TLS1_2_VERSION)
			assert_string_equal(SSL_get_cipher_name(p.device),
					    "ECDHE-RSA-AES128-GCM-SHA256");
		pair_close(&p);
	}
	pair_open(&p, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(p.ctx, "AES128-GCM-SHA256"), 1);
	device_begin(&p);
	conn_begin(&p, 4096);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), -EOPNOTSUPP);
	pair_close(&p);
	leaf_unref(&leaf);
	leaf = other;
}

static void test_device_distrusts(void **state)
{
	struct pair p;
	bool to_write;

	(void)state;
	pair_open(&p, TLS1_3_VERSION);
	SSL_CTX_set_verify(p.ctx, SSL_VERIFY_PEER, NULL);
	device_begin(&p);
	conn_begin(&p, 4096);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), -EAGAIN);
	hear(&p);
	assert_true(SSL_do_handshake(p.device) < 0);
	say(&p, SIZE_MAX);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), -EPROTO);
	pair_close(&p);
}

static void test_device_goes(void **state)
{
	struct pair p;
	bool to_write;

	(void)state;
	pair_open(&p, TLS1_3_VERSION);
	device_begin(&p);
	conn_begin(&p, 4096);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), -EAGAIN);
	close(p.theirs);
	p.theirs = -1;
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), -ECONNRESET);
	pair_close(&p);
}

static void test_nothing_in_common(void **state)
{
	struct pair p;
	bool to_write;

	(void)state;
	pair_open(&p, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(p.ctx, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
	device_begin(&p);
	conn_begin(&p, 4096);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), -EOPNOTSUPP);
	pair_close(&p);
}

/* ---- what is read ------------------------------------------------------------------------------ */

/* The last of the handshake and a request in one segment: nothing more comes to wake us. */
static void test_request_with_the_handshake(void **state)
{
	struct pair p;
	bool to_write;

	(void)state;
	pair_open(&p, TLS1_3_VERSION);
	device_begin(&p);
	conn_begin(&p, 4096);
	shake_almost(&p);
	tell(&p, "GET /");
	say(&p, SIZE_MAX);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), 0);
	assert_true(tls_conn_pending(p.conn));
	expect(&p, "GET /");
	expect_nothing(&p);
	pair_close(&p);
}

/* In one read with the hello, a record that says nothing (RFC 8446, D.4): what comes behind the hello is not lost. */
static void test_more_than_the_hello(void **state)
{
	static const uint8_t change_cipher_spec[] = { 20, 3, 3, 0, 1, 1 };
	struct hello_reader *reader;
	bool to_write;
	struct pair p;

	(void)state;
	pair_open(&p, TLS1_3_VERSION);
	SSL_CTX_clear_options(p.ctx, SSL_OP_ENABLE_MIDDLEBOX_COMPAT); /* else it sends one itself */
	device_begin(&p);
	assert_true(SSL_do_handshake(p.device) < 0);
	say(&p, SIZE_MAX);
	assert_int_equal(send(p.theirs, change_cipher_spec, sizeof(change_cipher_spec), 0),
			 sizeof(change_cipher_spec));
	assert_int_equal(hello_reader_new(hellos, &reader), 0);
	assert_int_equal(look(&p, reader, SIZE_MAX), 0);
	assert_int_equal(tls_conn_new(server, p.ours, leaf, &reader, &p.conn), 0);
	shake_almost(&p);
	tell(&p, "GET /");
	say(&p, SIZE_MAX);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), 0);
	expect(&p, "GET /");
	pair_close(&p);
}

static void test_records_together(void **state)
{
	struct pair p;

	(void)state;
	shake(&p, TLS1_3_VERSION);
	tell(&p, "one");
	tell(&p, "two");
	say(&p, SIZE_MAX);
	expect(&p, "one");
	assert_true(tls_conn_pending(p.conn));
	expect(&p, "two");
	expect_nothing(&p);
	pair_close(&p);
}

/* Part of a record is nothing to be woken for: that would be for ever. */
static void test_record_in_parts(void **state)
{
	struct pair p;

	(void)state;
	shake(&p, TLS1_3_VERSION);
	tell(&p, "one");
	tell(&p, "two");
	say(&p, 30);
	expect(&p, "one");
	expect_nothing(&p);
	say(&p, 3);
	expect_nothing(&p);
	say(&p, SIZE_MAX);
	expect(&p, "two");
	expect_nothing(&p);
	pair_close(&p);
}

static void test_end_and_cut(void **state)
{
	struct pair p;
	char c;

	(void)state;
	shake(&p, TLS1_3_VERSION);
	tell(&p, "bye");
	SSL_shutdown(p.device);
	say(&p, SIZE_MAX);
	expect(&p, "bye");
	assert_int_equal(tls_conn_recv(p.conn, &c, 1), 0);
	pair_close(&p);
	shake(&p, TLS1_3_VERSION);
	close(p.theirs);
	p.theirs = -1;
	assert_int_equal(tls_conn_recv(p.conn, &c, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	pair_close(&p);
}

/* ---- what is sent ------------------------------------------------------------------------------ */

static uint8_t body[BODY_BYTES], got[BODY_BYTES];

/* The device takes what is there. Bytes of the body so far. */
static size_t take(struct pair *p, size_t have)
{
	int n;

	hear(p);
	while ((n = SSL_read(p->device, got + have, (int)(sizeof(got) - have))) > 0)
		have += (size_t)n;
	return have;
}

/* All of the body, in pieces that fit no record, some empty, as fast as it is taken. */
static void body_send(struct pair *p)
{
	static const size_t parts[] = { 0, 100, 0, 16384, 65537, 0, 7, 40000, 0 };
	size_t sent = 0, have = 0;

	while (sent < BODY_BYTES) {
		struct iovec iov[ARRAY_LEN(parts)];
		size_t at = sent;
		ssize_t n;

		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			size_t part = parts[i] < BODY_BYTES - at ? parts[i] : BODY_BYTES - at;

			iov[i] = (struct iovec){ body + at, part };
			at += part;
		}
		n = tls_conn_send(p->conn, iov, ARRAY_LEN(parts));
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(tls_conn_blocked(p->conn));
			have = take(p, have);
			continue;
		}
		assert_false(n == 0);
		sent += (size_t)n;
	}
	while (have < BODY_BYTES)
		have = take(p, have);
	assert_memory_equal(got, body, BODY_BYTES);
}

static void test_body(void **state)
{
	struct pair p;

	(void)state;
	for (size_t i = 0; i < BODY_BYTES; i++)
		body[i] = (uint8_t)(i * 2654435761u >> 13);
	shake(&p, TLS1_3_VERSION);
	body_send(&p);
	pair_close(&p);
	shake(&p, TLS1_2_VERSION);
	body_send(&p);
	pair_close(&p);
}

static void test_small_records(void **state)
{
	struct pair p;
	bool to_write;

	(void)state;
	pair_open(&p, TLS1_2_VERSION);
	assert_int_equal(
		SSL_CTX_set_tlsext_max_fragment_length(p.ctx, TLSEXT_max_fragment_length_1024), 1);
	device_begin(&p);
	conn_begin(&p, 4096);
	shake_almost(&p);
	say(&p, SIZE_MAX);
	assert_int_equal(tls_conn_handshake(p.conn, &to_write), 0);
	hear(&p);
	assert_int_equal(SSL_do_handshake(p.device), 1);
	body_send(&p);
	pair_close(&p);
}

/* The kernel's own TLS is only there where its module is. */
static void kernel_encrypts_if_it_has_tls(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pair p;
	bool has;

	(void)state;
	has = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 || errno == ENOTCONN;
	close(fd);
	if (!has) {
		print_message(
			"no TLS in this kernel (CONFIG_TLS): that it encrypts is not tested\n");
		skip();
	}
	over_tcp = true;
	shake(&p, TLS1_2_VERSION);
	over_tcp = false;
	assert_true(tls_conn_offloaded(p.conn));
	body_send(&p);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_nothing_is_left),
		cmocka_unit_test(test_hello_in_two),
		cmocka_unit_test(test_ticket),
		cmocka_unit_test(test_rsa),
		cmocka_unit_test(test_device_distrusts),
		cmocka_unit_test(test_device_goes),
		cmocka_unit_test(test_nothing_in_common),
		cmocka_unit_test(test_request_with_the_handshake),
		cmocka_unit_test(test_more_than_the_hello),
		cmocka_unit_test(test_records_together),
		cmocka_unit_test(test_record_in_parts),
		cmocka_unit_test(test_end_and_cut),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_small_records),
		cmocka_unit_test(kernel_encrypts_if_it_has_tls),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
