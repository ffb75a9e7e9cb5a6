/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS to a vendor, over one connection: a handshake that verifies who is there, then bytes. Nothing is sent to whom it did not
 * accept, and nothing that he sent is used.
 *
 * Verified are (RFC 5280, 9525, 6066, 7633): the chain, up to the system's list or the profile's own; the name by
 * subjectAltName alone; the times; key sizes and digests as the system's OpenSSL policy has it, at least security level
 * 2; a stapled OCSP response, which must be there if the certificate says so (must-staple). TLS 1.2 or 1.3.
 */
#ifndef TARN_PROXY_UPSTREAM_SECURE_H
#define TARN_PROXY_UPSTREAM_SECURE_H

#include <openssl/ssl.h>
#include <sys/types.h>

#include "firmware/base/check.h"
#include "firmware/base/profile.h"

/* X(NAME, "label of the counter upstream.tls_refused", "help"). Append; at most 32. */
#define SECURE_REASONS(X)                                                                          \
	X(VERSION, "version", "the vendor's side speaks no TLS that is new enough")                \
	X(CIPHER, "cipher", "no cipher or key exchange in common that the policy allows")          \
	X(PROTOCOL, "protocol", "what came was no TLS handshake, or broke its rules")              \
	X(CLIENT_CERTIFICATE, "client_certificate",                                                \
	  "a certificate of ours was wanted, and there is none")                                   \
	X(EXPIRED, "expired", "the certificate, or one above it, has expired")                     \
	X(NOT_YET_VALID, "not_yet_valid", "the certificate, or one above it, is not valid yet")    \
	X(WRONG_NAME, "wrong_name", "the certificate is for another name")                         \
	X(SELF_SIGNED, "self_signed", "the certificate signs itself and nobody vouches for it")    \
	X(UNKNOWN_CA, "unknown_ca", "the certificate leads to nobody who is trusted")              \
	X(WEAK, "weak", "a key or digest in the chain is weaker than the policy allows")           \
	X(CHAIN, "chain", "the chain of certificates breaks another rule")                         \
	X(REVOKED, "revoked", "the stapled OCSP response says that the certificate is revoked")    \
	X(NO_STAPLE, "no_staple", "the certificate says must-staple, and no response was stapled") \
	X(BAD_STAPLE, "bad_staple", "the stapled OCSP response is not valid, or not of this one")  \
	X(CLOSED, "closed", "the connection ended in the middle of the handshake")                 \
	X(TIMEOUT, "timeout", "the handshake took longer than connect_timeout")

enum secure_reason {
#define X(name, label, help) SECURE_##name,
	SECURE_REASONS(X)
#undef X
};

/* As errors that a fetch ends with; no errno is so great, no refusal of HTTP is either. */
#define SECURE_ERROR_BASE 2000
/* CLOSED and TIMEOUT are what they are to others: -ECONNRESET, -ETIMEDOUT. */
int secure_error(enum secure_reason reason);
/* True, and which: it was refused for what was seen. */
bool secure_error_reason(int error, enum secure_reason *ret_reason);
/* For Cache-Status: "tls_expired"; NULL for other errors. */
const char *secure_error_name(int error);

const char *secure_reason_name(enum secure_reason reason);
const char *secure_reason_help(enum secure_reason reason);
void secure_reason_count(enum secure_reason reason);
/* Names the counters. Once, before the threads start. */
void secure_label_counters(void);

struct secure;

/* What a context of trust.c needs of this room: sessions are kept, certificates of ours refused. */
void secure_prepare(SSL_CTX *context);

/*
 * For a connected, non-blocking socket, which stays the caller's. `context` as trust_context() gives it; `host` lower
 * case, or an address; `wall_s`: now, seconds since 1970; `resume`: a
 * session of before, if there is one. 0 or -ENOMEM.
 */
MUST_USE int secure_new(SSL_CTX *context, int fd, const char *host, uint16_t port, int64_t wall_s,
			bool resume, struct secure **ret_secure);
/* Ends it with close_notify, if it can be said at once. Nulls. NULL is allowed. */
void secure_free(struct secure **secure);

/*
 * Goes on with the handshake. 0: done, and whoever is there is whom we meant; -EAGAIN: again when *ret_write is true
 * and the socket takes bytes, or has some; -EPERM: refused, *ret_reason says why.
 */
MUST_USE int secure_handshake(struct secure *secure, bool *ret_write,
			      enum secure_reason *ret_reason);

/*
 * As recv(2) and send(2) do on a non-blocking socket; 0 bytes is the end that the other side has said (close_notify):
 * a connection that just ends gives ECONNRESET, for anybody on the way could have cut it (RFC 8446, 6.1).
 */
ssize_t secure_recv(struct secure *secure, void *buf, size_t n);
ssize_t secure_send(struct secure *secure, const void *buf, size_t n);
/* Is there something in here that no event of the socket will tell of? */
bool secure_has_more(const struct secure *secure);
/* Nothing of the response is there, and no end: what came since was TLS's own (tickets). */
bool secure_is_idle(struct secure *secure);

/* Is it still what this context would accept? */
bool secure_is_of(const struct secure *secure, const SSL_CTX *context);
bool secure_resumed(const struct secure *secure);
/* Did the other side ask for a certificate of ours? */
bool secure_wants_certificate(const struct secure *secure);
/* Until when what was verified holds: seconds since 1970. */
int64_t secure_until(const struct secure *secure);

#endif
