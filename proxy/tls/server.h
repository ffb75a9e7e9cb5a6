/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of a device's TLS connection: the handshake, then bytes in and out. Non-blocking; a connection belongs to
 * one thread, the server to all.
 *
 * TLS 1.2 and 1.3; http/1.1; tickets, whose keys are renewed and never leave memory; no renegotiation, compression, early
 * data, or log of keys. Where the kernel has TLS, it encrypts what is sent.
 */
#ifndef TARN_PROXY_TLS_SERVER_H
#define TARN_PROXY_TLS_SERVER_H

#include <stdint.h>
#include <sys/uio.h>

#include "firmware/base/span.h"

struct hello_reader;
struct hellos;
struct leaf;
struct tls_server;
struct tls_conn;

#define TLS_SERVER_RECORD 16384
#define TLS_SERVER_TICKET_KEY_S                                                                    \
	28800 /* a key is used so long for new tickets, and as long again for old ones */

/* Answers what `hellos` reads, which outlive it and have read nothing yet. 0 or -ENOMEM. */
MUST_USE int tls_server_new(struct hellos *hellos, struct tls_server **ret_server);
void tls_server_free(struct tls_server **server);

/*
 * On a connected socket that stays the caller's, whose hello `reader` has read, and whatever came behind it. A leaf is used
 * with one server only. 0, with the reader used up; or -ENOMEM, with nothing changed.
 */
MUST_USE int tls_conn_new(struct tls_server *server, int fd, struct leaf *leaf,
			  struct hello_reader **reader, struct tls_conn **ret_conn);
/* `said`: it ended in good order; the device is told so, with the shutdown(2) or close(2) that is to follow. Nulls it; NULL
 * is nothing. */
void tls_conn_free(struct tls_conn **conn, bool said);

/*
 * Goes on with the handshake. 0: done; -EAGAIN: when the socket can be read, or with *ret_write when it can be
 * written; -EPROTO: the device sent an alert; -ECONNRESET: it closed the connection; -EOPNOTSUPP: nothing in
 * common; -ENOMEM.
 */
MUST_USE int tls_conn_handshake(struct tls_conn *conn, bool *ret_write);
bool tls_conn_resumed(const struct tls_conn *conn);
/* Does the kernel encrypt what is sent? Once the handshake is done. */
bool tls_conn_offloaded(const struct tls_conn *conn);

/* As recv(2) of a non-blocking socket: bytes, 0 at the end, or -1 with errno. */
ssize_t tls_conn_recv(struct tls_conn *conn, void *buf, size_t n);
/* Was more read from the socket than was received? Then it may be received without the socket being readable. */
bool tls_conn_pending(const struct tls_conn *conn);

/*
 * As writev(2). After -1 with EAGAIN the next call must begin with the same bytes, and may say that more were taken
 * than it gave: the rest of what the call before was given.
 */
ssize_t tls_conn_send(struct tls_conn *conn, const struct iovec *iov, unsigned n);
/* Is part of a message on its way? Then nothing else may be sent. */
bool tls_conn_blocked(const struct tls_conn *conn);

#endif
