/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL on a non-blocking socket.
 *
 * The hello was read before it was known that we would answer it, and for which name (proxy/tls/hello.h): that SSL goes on
 * here, now with the leaf's context. What came behind the hello is read from memory first, and the socket once that is used
 * up. OpenSSL reads as much as there is, so a request may be with it while the socket is empty (tls_conn_pending); `dry`
 * says that what is left there is no whole record.
 *
 * Bytes go out in records of TLS_SERVER_RECORD: what is smaller than one (a head and a small body) is put together into
 * one; what is larger is encrypted from where it is. The kernel is told when more follows (MSG_MORE), so that records do
 * not wake the network one by one. Certificate and key are set up once a leaf, in a context that the leaf keeps. A connection
 * takes some rules from the context that it began with (versions, options, tickets), others from the leaf's (ALPN, suites):
 * both have all (ctx_set).
 *
 * A record that the socket does not take is OpenSSL's until it goes out: `owed` says how many bytes it holds, which
 * the caller still believes unsent. So no call may be of more than one record: a device may have asked for small ones.
 */
#include "proxy/tls/server.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/stat.h"
#include "proxy/tls/hello.h"
#include "proxy/tls/leaf.h"

#define NAME_BYTES 16 /* of a ticket key */

struct ticket_key {
	uint8_t name[NAME_BYTES];
	uint8_t aes[32], mac[32];
	uint64_t made_ms; /* mono; 0: none */
};

struct tls_server {
	EVP_CIPHER *ticket_cipher;
	BIO_METHOD *wire;
	bool offload; /* the kernel has TLS */
	pthread_mutex_t lock;
	struct ticket_key now, before;
};

struct tls_conn {
	SSL *ssl;
	int fd;
	uint8_t *read; /* what was read before, until it is used up */
	size_t read_at, read_n;
	bool ended;	/* the socket's end was read */
	bool empty;	/* so was all that it had, in this turn */
	bool dry;	/* OpenSSL has no whole record */
	bool more;	/* the next record follows at once */
	bool offloaded; /* the kernel encrypts */
	size_t record;	/* bytes of the largest that the device takes */
	size_t owed;
};

/* ---- the socket, for OpenSSL ------------------------------------------------------------------- */

static int read_before(struct tls_conn *s, char *p, size_t n)
{
	if (n > s->read_n - s->read_at)
		n = s->read_n - s->read_at;
	memcpy(p, s->read + s->read_at, n);
	s->read_at += n;
	if (s->read_at == s->read_n) {
		free(s->read);
		s->read = NULL;
	}
	return (int)n;
}

static int wire_read(BIO *bio, char *p, int n)
{
	struct tls_conn *s = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (s->read)
		return read_before(s, p, (size_t)n);
	if (s->empty) {
		errno = EAGAIN;
		BIO_set_retry_read(bio);
		return -1;
	}
	got = recv(s->fd, p, (size_t)n, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(bio);
	s->empty = got > 0 && got < n;
	s->ended |= got == 0;
	return (int)got;
}

static int wire_write(BIO *bio, const char *p, int n)
{
	struct tls_conn *s = BIO_get_data(bio);
	ssize_t put = send(s->fd, p, (size_t)n, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));

	BIO_clear_retry_flags(bio);
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)put;
}

static long wire_ctrl(BIO *bio, int what, long n, void *p)
{
	const struct tls_conn *s = BIO_get_data(bio);

	(void)n, (void)p;
	if (what == BIO_CTRL_EOF)
		return s->ended;
	return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *wire_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "device");

	if (method && BIO_meth_set_read(method, wire_read) == 1 &&
	    BIO_meth_set_write(method, wire_write) == 1 &&
	    BIO_meth_set_ctrl(method, wire_ctrl) == 1)
		return method;
	BIO_meth_free(method);
	return NULL;
}

/* A kernel without TLS says so for each connection: once is enough. */
static bool kernel_has_tls(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has;

	if (fd < 0)
		return false;
	/* It is not connected: that is what one says that has it (net/tls/tls_main.c, tls_init). */
	has = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 || errno == ENOTCONN;
	close(fd);
	return has;
}

/* ---- tickets ----------------------------------------------------------------------------------- */

static int key_make(struct ticket_key *key, uint64_t now_ms)
{
	if (RAND_bytes(key->name, sizeof(key->name)) != 1 ||
	    RAND_bytes(key->aes, sizeof(key->aes)) != 1 ||
	    RAND_bytes(key->mac, sizeof(key->mac)) != 1)
		return -ENOMEM;
	key->made_ms = now_ms;
	return 0;
}

/* 1: *ret_key is to be used; 2: it is old, a new ticket is due; 0: none. */
static int key_find(struct tls_server *server, const uint8_t *name, struct ticket_key *ret_key)
{
	uint64_t now_ms = clock_read().mono_ms, life = TLS_SERVER_TICKET_KEY_S * UINT64_C(1000);
	struct ticket_key fresh;
	int found = 0;

	pthread_mutex_lock(&server->lock);
	if (now_ms - server->now.made_ms >= life && key_make(&fresh, now_ms) == 0) {
		server->before = now_ms - server->now.made_ms < 2 * life ? server->now
									 : (struct ticket_key){ 0 };
		server->now = fresh;
	}
	if (!name || !CRYPTO_memcmp(name, server->now.name, NAME_BYTES)) {
		*ret_key = server->now;
		found = 1;
	} else if (server->before.made_ms &&
		   !CRYPTO_memcmp(name, server->before.name, NAME_BYTES)) {
		*ret_key = server->before;
		found = 2;
	}
	pthread_mutex_unlock(&server->lock);
	return found;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	char sha[] = "SHA256";
	struct ticket_key key;
	OSSL_PARAM params[3];
	int found = key_find(server, encrypt ? NULL : name, &key);

	if (!found)
		return 0;
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof(key.mac));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha, 0);
	params[2] = OSSL_PARAM_construct_end();
	if (encrypt) {
		memcpy(name, key.name, NAME_BYTES);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(server->ticket_cipher)) != 1)
			found = -1;
	}
	if (found > 0 &&
	    (EVP_CipherInit_ex2(cipher, server->ticket_cipher, key.aes, iv, encrypt, NULL) != 1 ||
	     EVP_MAC_CTX_set_params(mac, params) != 1))
		found = -1;
	OPENSSL_cleanse(&key, sizeof(key));
	return found;
}

/* ---- what all have in common ------------------------------------------------------------------- */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
		   const unsigned char *in, unsigned in_n, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_n, ours,
				     sizeof(ours) - 1, in, in_n) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

/* The name is known already; a ticket remembers it. */
static int on_name(SSL *ssl, int *alert, void *arg)
{
	(void)ssl, (void)alert, (void)arg;
	return SSL_TLSEXT_ERR_OK;
}

static int ctx_set(SSL_CTX *ctx, struct tls_server *server)
{
	static const unsigned char id[] = "tarn";

	SSL_CTX_set_app_data(ctx, server);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_PRIORITIZE_CHACHA |
					 (server->offload ? SSL_OP_ENABLE_KTLS : 0));
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
			       SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
			       SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
			       SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1 &&
			       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1
		       ? 0
		       : -ENOMEM;
}

int tls_server_new(struct hellos *hellos, struct tls_server **ret_server)
{
	struct tls_server *server = calloc(1, sizeof(*server));
	int rc;

	if (!server)
		return -ENOMEM;
	CHECK_OK(pthread_mutex_init(&server->lock, NULL));
	server->offload = kernel_has_tls();
	server->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	server->wire = wire_method();
	rc = server->ticket_cipher && server->wire ? 0 : -ENOMEM;
	rc = rc ? rc : key_make(&server->now, clock_read().mono_ms);
	rc = rc ? rc : ctx_set(hellos_ctx(hellos), server);
	if (rc < 0) {
		ERR_clear_error();
		tls_server_free(&server);
		return rc;
	}
	*ret_server = server;
	return 0;
}

void tls_server_free(struct tls_server **ptr)
{
	struct tls_server *server = *ptr;

	*ptr = NULL;
	if (!server)
		return;
	EVP_CIPHER_free(server->ticket_cipher);
	BIO_meth_free(server->wire);
	CHECK_OK(pthread_mutex_destroy(&server->lock));
	OPENSSL_cleanse(server, sizeof(*server));
	free(server);
}

/* ---- life -------------------------------------------------------------------------------------- */

static int leaf_use(SSL_CTX *ctx, const struct leaf *leaf)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	int rc = -ENOMEM;

	if (chain && sk_X509_push(chain, leaf_authority(leaf)) > 0 &&
	    SSL_CTX_use_cert_and_key(ctx, leaf_certificate(leaf), leaf_key(leaf), chain, 1) == 1)
		rc = 0;
	sk_X509_free(chain);
	/* Its certificate is for signing: a device shall not encrypt to it. */
	if (rc == 0 && EVP_PKEY_is_a(leaf_key(leaf), "RSA") &&
	    SSL_CTX_set_cipher_list(ctx, "DEFAULT:!kRSA") != 1)
		rc = -ENOMEM;
	return rc;
}

static void ctx_free(void *ctx)
{
	SSL_CTX_free(ctx);
}

/* NULL: no memory. */
static SSL_CTX *ctx_of(struct tls_server *server, struct leaf *leaf)
{
	SSL_CTX *ctx = leaf_made(leaf);

	if (ctx)
		return ctx;
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx || ctx_set(ctx, server) < 0 || leaf_use(ctx, leaf) < 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return leaf_keep(leaf, ctx, ctx_free);
}

/* What the kernel encrypts goes by OpenSSL's own way to sockets. */
static int wire(struct tls_conn *s, SSL *ssl, const struct tls_server *server)
{
	BIO *in = BIO_new(server->wire), *out;

	if (!in)
		return -ENOMEM;
	BIO_set_data(in, s);
	BIO_set_init(in, 1);
	if (server->offload) {
		out = BIO_new_socket(s->fd, BIO_NOCLOSE);
		if (!out) {
			BIO_free(in);
			return -ENOMEM;
		}
	} else {
		out = in; /* of the same one SSL_set_bio() takes its second reference itself */
	}
	SSL_set_bio(ssl, in, out);
	return 0;
}

static int read_keep(struct tls_conn *s, struct span read)
{
	if (!read.n) /* as nearly always */
		return 0;
	s->read = malloc(read.n);
	if (!s->read)
		return -ENOMEM;
	memcpy(s->read, read.p, read.n);
	s->read_n = read.n;
	return 0;
}

int tls_conn_new(struct tls_server *server, int fd, struct leaf *leaf, struct hello_reader **reader,
		 struct tls_conn **ret_conn)
{
	struct tls_conn *s = calloc(1, sizeof(*s));
	SSL_CTX *ctx = ctx_of(server, leaf);
	int rc = -ENOMEM;

	if (s && ctx) {
		s->fd = fd;
		rc = read_keep(s, hello_reader_rest(*reader));
		if (rc == 0 && !SSL_set_SSL_CTX(hello_reader_ssl(*reader), ctx))
			rc = -ENOMEM;
		rc = rc ? rc : wire(s, hello_reader_ssl(*reader), server);
	}
	if (rc < 0) {
		ERR_clear_error();
		if (s)
			free(s->read);
		free(s);
		return rc;
	}
	s->ssl = hello_reader_take(reader);
	s->empty =
		true; /* a hello is waited for with; if there is more after all, the loop says so */
	STAT_INC(STAT_TLS_OPEN);
	*ret_conn = s;
	return 0;
}

void tls_conn_free(struct tls_conn **conn, bool said)
{
	struct tls_conn *s = *conn;

	*conn = NULL;
	if (!s)
		return;
	s->more = true; /* the end of the connection, which takes this along */
	if (said && !s->owed && SSL_is_init_finished(s->ssl))
		(void)SSL_shutdown(s->ssl);
	ERR_clear_error();
	SSL_free(s->ssl);
	free(s->read);
	free(s);
	STAT_DEC(STAT_TLS_OPEN);
}

/* ---- the handshake ----------------------------------------------------------------------------- */

/* Errors that a peer's alert makes are numbered from 1000 on (SSL_AD_REASON_OFFSET). */
static int failure(int error)
{
	int reason = ERR_GET_REASON(ERR_peek_error());

	if (error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
	    reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return -ECONNRESET;
	return reason >= SSL_AD_REASON_OFFSET ? -EPROTO : -EOPNOTSUPP;
}

/* RFC 6066, 4: 512, 1024, 2048 or 4096 bytes, if the device has asked for that. */
static size_t record_max(const struct tls_conn *s)
{
	uint8_t mode = SSL_SESSION_get_max_fragment_length(SSL_get0_session(s->ssl));

	return mode ? (size_t)256 << mode : TLS_SERVER_RECORD;
}

static void finished(struct tls_conn *s)
{
	s->record = record_max(s);
	s->offloaded = BIO_get_ktls_send(SSL_get_wbio(s->ssl));
	STAT_INC(STAT_TLS_HANDSHAKES);
	if (SSL_session_reused(s->ssl))
		STAT_INC(STAT_TLS_RESUMED);
}

int tls_conn_handshake(struct tls_conn *s, bool *ret_write)
{
	int rc, error;

	ERR_clear_error();
	rc = SSL_do_handshake(s->ssl);
	s->empty = false;
	if (rc == 1) {
		finished(s);
		return 0;
	}
	error = SSL_get_error(s->ssl, rc);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		*ret_write = error == SSL_ERROR_WANT_WRITE;
		return -EAGAIN;
	}
	rc = failure(error);
	ERR_clear_error();
	return rc;
}

bool tls_conn_resumed(const struct tls_conn *s)
{
	return SSL_session_reused(s->ssl);
}

bool tls_conn_offloaded(const struct tls_conn *s)
{
	return s->offloaded;
}

/* ---- bytes ------------------------------------------------------------------------------------- */

/* errno of what OpenSSL could not do. */
static ssize_t failed(struct tls_conn *s, int rc)
{
	int error = SSL_get_error(s->ssl, rc);
	int wrong = errno;

	ERR_clear_error();
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		errno = EAGAIN;
	else
		errno = error == SSL_ERROR_SYSCALL && wrong ? wrong : ECONNRESET;
	return -1;
}

ssize_t tls_conn_recv(struct tls_conn *s, void *buf, size_t n)
{
	size_t got;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(s->ssl, buf, n, &got);
	s->empty = false;
	s->dry = rc != 1;
	if (rc == 1)
		return (ssize_t)got;
	if (SSL_get_error(s->ssl, rc) == SSL_ERROR_ZERO_RETURN)
		return 0;
	return failed(s, rc);
}

bool tls_conn_pending(const struct tls_conn *s)
{
	return !s->dry && SSL_has_pending(s->ssl);
}

bool tls_conn_blocked(const struct tls_conn *s)
{
	return s->owed > 0;
}

/* One record: `n` bytes, or what is owed of the one before, whose bytes OpenSSL has. */
static ssize_t record_send(struct tls_conn *s, const void *p, size_t n)
{
	size_t put;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_write_ex(s->ssl, p, n, &put);
	if (rc != 1) {
		ssize_t failure_rc = failed(s, rc);

		if (errno == EAGAIN)
			s->owed = n;
		return failure_rc;
	}
	s->owed = 0;
	if (put != n) { /* more than a record: what comes next would be at the wrong place */
		errno = EPROTO;
		return -1;
	}
	return (ssize_t)put;
}

static ssize_t owed_send(struct tls_conn *s)
{
	static const char nothing[TLS_SERVER_RECORD];

	return record_send(s, nothing, s->owed);
}

/*
 * The next record, of `max` bytes, of the pieces from *i, *at on: in place if a piece has enough, else put together. Then
 * *i is where more is to be sent, or `n`.
 */
static const void *record_next(const struct iovec *iov, unsigned n, unsigned *i, size_t *at,
			       size_t max, char buf[TLS_SERVER_RECORD], size_t *ret_n)
{
	const void *p = buf;
	size_t have = 0;

	while (*i < n && (have < max || *at == iov[*i].iov_len)) {
		const char *from = (const char *)iov[*i].iov_base + *at;
		size_t left = iov[*i].iov_len - *at;
		size_t part = left < max - have ? left : max - have;

		if (part == max)
			p = from;
		else if (part)
			memcpy(buf + have, from, part);
		have += part;
		*at += part;
		if (*at == iov[*i].iov_len) {
			(*i)++;
			*at = 0;
		}
	}
	*ret_n = have;
	return p;
}

ssize_t tls_conn_send(struct tls_conn *s, const struct iovec *iov, unsigned n)
{
	static _Thread_local char buf[TLS_SERVER_RECORD];
	size_t at = 0, have, sent = 0;
	unsigned i = 0;
	ssize_t put;

	if (s->owed)
		return owed_send(s);
	if (s->offloaded) {
		struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };

		return sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	}
	while (i < n) {
		const void *p = record_next(iov, n, &i, &at, s->record, buf, &have);

		if (!have)
			break;
		s->more = i < n;
		put = record_send(s, p, have);
		s->more = false;
		if (put < 0)
			return sent ? (ssize_t)sent : -1;
		sent += (size_t)put;
	}
	return (ssize_t)sent;
}
