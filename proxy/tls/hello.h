/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device's ClientHello says, read by OpenSSL from the bytes that came, with nothing answered; what read it can
 * go on to answer it (proxy/tls/server.h).
 */
#ifndef TARN_PROXY_TLS_HELLO_H
#define TARN_PROXY_TLS_HELLO_H

#include <openssl/types.h>

#include "firmware/base/profile.h"

/* A hello that is not whole within so many bytes is too large. Post-quantum key shares need some 2 KiB. */
#define HELLO_BYTES_MAX 16384

struct hellos;	     /* the way of reading them; shared by all threads */
struct hello_reader; /* one that is not whole yet */

/* The name that the device asks for (RFC 6066, 3). */
enum hello_name {
	HELLO_NAME_NONE,
	HELLO_NAME_ODD,	 /* no host name: a NUL, a wildcard, an address, too long, not ASCII, ... */
	HELLO_NAME_HOST, /* a host name as host_normalise() takes it */
};

struct hello {
	enum hello_name name;
	char host[PROFILE_HOST_MAX]; /* NAME_HOST: lower case, no trailing dot; else "" */
	bool hidden;	   /* the true name may be encrypted (ECH, or what looks like it) */
	bool tls12, tls13; /* versions offered */
	bool http1;	   /* would speak http/1.1: it says so, or has no ALPN at all */
	/* Takes in one of these versions a certificate that P-256 with SHA-256 has signed, whose key is */
	bool ecdsa; /* on P-256; */
	bool rsa;   /* RSA. */
};

/* 0 or -ENOMEM. */
MUST_USE int hellos_new(struct hellos **ret_hellos);
void hellos_free(struct hellos **hellos);

/* 0 or -ENOMEM. Some 40 KiB of memory while it lives. */
MUST_USE int hello_reader_new(struct hellos *hellos, struct hello_reader **ret_reader);
void hello_reader_free(struct hello_reader **reader);

/*
 * Takes the next bytes of the connection; each byte is given once. 0: *ret_hello is filled; -EAGAIN: more is
 * needed; -EBADMSG: this is no ClientHello; -EMSGSIZE: it is larger than HELLO_BYTES_MAX; -ENOMEM. After
 * anything but -EAGAIN the reader is done and takes no more.
 */
MUST_USE int hello_feed(struct hello_reader *reader, struct span bytes, struct hello *ret_hello);

/* What readers are made from: who answers hellos sets there how, before the first is read. */
SSL_CTX *hellos_ctx(struct hellos *hellos);
/* A reader that hello_feed() has given 0 for: its OpenSSL, which stands before its answer; the reader stays its owner. */
SSL *hello_reader_ssl(struct hello_reader *reader);
/* What it was given and OpenSSL has not taken; as long as there is the reader. */
struct span hello_reader_rest(struct hello_reader *reader);
/* Frees the reader and gives its OpenSSL to the caller. */
SSL *hello_reader_take(struct hello_reader **reader);

#endif
