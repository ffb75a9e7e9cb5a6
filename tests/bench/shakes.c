/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shakes - TLS connections one after the other, as fast as one thread can make them.
 *
 *	shakes [-r] [-2] [-c FILE] [-t SECONDS] ADDRESS PORT NAME PATH
 *
 * Each: connect from an address of its own (127.0.0.0/8, so that a server sees many devices), a handshake for NAME, one
 * request for PATH, its whole answer, the end. -r: with the ticket of a connection before; -2: TLS 1.2; -c: the server's
 * certificate is verified by the CAs of FILE. Prints how many were complete, seconds, how many failed, how many were
 * resumed, and protocol, cipher and certificate's key of the last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536
#define WAIT_S	   10

static struct {
	const char *address, *port, *name;
	bool resume;
	SSL_CTX *ctx;
	SSL_SESSION *session;
	char request[1024];
	int request_n;
	unsigned long n, failed, resumed;
	char what[128];
} run;

static void die(const char *what)
{
	fprintf(stderr, "shakes: %s: %s\n", what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(2);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* From 127.1.x.y, another each time. -1: it did not come about. */
static int connect_next(void)
{
	static uint32_t last;
	struct sockaddr_in from = { .sin_family = AF_INET },
			   to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(run.port)) };
	struct timeval wait = { .tv_sec = WAIT_S };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(0x7f010000 + 1 + last++ % 65000);
	if (fd < 0 || inet_pton(AF_INET, run.address, &to.sin_addr) != 1)
		die(run.address);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The whole answer, until the server closes. */
static bool answer_read(SSL *ssl)
{
	static char buf[READ_BYTES];
	bool ok = false, first = true;
	int n;

	while ((n = SSL_read(ssl, buf, sizeof(buf))) > 0) {
		if (first)
			ok = n > 12 && !memcmp(buf, "HTTP/1.1 200", 12);
		first = false;
	}
	return ok && SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
}

static bool talk(SSL *ssl)
{
	return SSL_connect(ssl) == 1 && SSL_write(ssl, run.request, run.request_n) > 0 &&
	       answer_read(ssl);
}

static void describe(SSL *ssl)
{
	X509 *peer = SSL_get0_peer_certificate(ssl);

	snprintf(run.what, sizeof(run.what), "%s %s %s-%d", SSL_get_version(ssl),
		 SSL_get_cipher_name(ssl),
		 peer ? EVP_PKEY_get0_type_name(X509_get0_pubkey(peer)) : "-",
		 peer ? EVP_PKEY_get_bits(X509_get0_pubkey(peer)) : 0);
}

static bool once(void)
{
	int fd = connect_next();
	SSL *ssl = fd < 0 ? NULL : SSL_new(run.ctx);
	bool ok = false;

	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, run.name) == 1 &&
	    SSL_set1_host(ssl, run.name) == 1) {
		if (run.session)
			SSL_set_session(ssl, run.session);
		ok = talk(ssl);
		run.resumed += ok && SSL_session_reused(ssl);
	}
	if (ok)
		describe(ssl);
	if (ok && run.resume && !run.session)
		run.session = SSL_get1_session(ssl);
	if (ok)
		SSL_shutdown(ssl);
	ERR_clear_error();
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	return ok;
}

static void ctx_make(int version, const char *authorities)
{
	run.ctx = SSL_CTX_new(TLS_client_method());
	if (!run.ctx || SSL_CTX_set_min_proto_version(run.ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(run.ctx, version) != 1)
		die("TLS");
	if (!authorities)
		return;
	SSL_CTX_set_verify(run.ctx, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_file(run.ctx, authorities) != 1)
		die(authorities);
}

static void run_for(double seconds)
{
	double begin = seconds_now(), now = begin;

	for (; now - begin < seconds; now = seconds_now()) {
		if (once())
			run.n++;
		else
			run.failed++;
	}
	printf("%lu %.3f %lu %lu %s\n", run.n, now - begin, run.failed, run.resumed, run.what);
}

int main(int argc, char **argv)
{
	const char *authorities = NULL;
	int c, version = TLS1_3_VERSION;
	double seconds = 3;

	while ((c = getopt(argc, argv, "r2c:t:")) != -1) {
		if (c == 'r')
			run.resume = true;
		else if (c == '2')
			version = TLS1_2_VERSION;
		else if (c == 'c')
			authorities = optarg;
		else if (c == 't')
			seconds = strtod(optarg, NULL);
		else
			return 2;
	}
	if (argc - optind != 4) {
		fprintf(stderr, "usage: shakes [-r] [-2] [-c FILE] [-t SECONDS] ADDRESS PORT NAME "
				"PATH\n");
		return 2;
	}
	run.address = argv[optind];
	run.port = argv[optind + 1];
	run.name = argv[optind + 2];
	run.request_n = snprintf(run.request, sizeof(run.request),
				 "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
				 argv[optind + 3], run.name);
	ctx_make(version, authorities);
	/* The ticket, and nothing is made for the first time any more. */
	if (!once())
		die("the first connection failed");
	run.resumed = 0;
	run_for(seconds);
	return run.failed ? 1 : 0;
}
