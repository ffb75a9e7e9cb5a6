/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS sessions to resume, by host and port, with the time until which what was verified then may be relied on: a resumed
 * handshake shows no certificate. Any thread.
 */
#ifndef TARN_PROXY_UPSTREAM_SESSIONS_H
#define TARN_PROXY_UPSTREAM_SESSIONS_H

#include <openssl/ssl.h>

#include "firmware/base/check.h"
#include "firmware/base/profile.h"

#define SESSIONS_HOSTS	256
#define SESSIONS_A_HOST 8

struct sessions;

/* 0 or -ENOMEM. */
MUST_USE int sessions_new(struct sessions **ret_sessions);
void sessions_free(struct sessions **sessions);

/* Takes the reference; the oldest of the host's gives way, as does another host if there are too many. */
void sessions_put(struct sessions *sessions, const char *host, uint16_t port, SSL_SESSION *session,
		  int64_t until);

/*
 * The newest that holds at `wall_s`, or NULL: a reference. One of TLS 1.3 is not given twice (RFC 8446, C.4).
 */
SSL_SESSION *sessions_take(struct sessions *sessions, const char *host, uint16_t port,
			   int64_t wall_s, int64_t *ret_until);

#endif
