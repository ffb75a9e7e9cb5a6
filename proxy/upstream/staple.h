/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stapled OCSP response of a handshake (RFC 6960, RFC 6066, 8): a client that gets one must check it, and one
 * whose certificate says must-staple (RFC 7633) must have it.
 */
#ifndef TARN_PROXY_UPSTREAM_STAPLE_H
#define TARN_PROXY_UPSTREAM_STAPLE_H

#include <openssl/ssl.h>

#include "proxy/upstream/secure.h"

/*
 * `chain`: as verified, the server's own first. 0: nothing is against it, and *ret_until (seconds since 1970) is not
 * later than the response says; -EPERM: *ret_reason (REVOKED, NO_STAPLE, BAD_STAPLE).
 */
MUST_USE int staple_check(SSL *ssl, STACK_OF(X509) * chain, int64_t wall_s, int64_t *ret_until,
			  enum secure_reason *ret_reason);

#endif
