/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate of the admin page: one that signs itself, ECDSA P-256, made at each start, valid for a year.
 */
#ifndef TARN_PROXY_ADMIN_CERT_H
#define TARN_PROXY_ADMIN_CERT_H

#include <openssl/ssl.h>

#include "firmware/base/settings.h"

/* A server's context (TLS 1.2 and later) for `names` and the addresses listened at. 0 or -errno. SSL_CTX_free() it. */
MUST_USE int cert_context(const struct string_list *names, const struct addr_list *addresses,
			  int64_t now_s, SSL_CTX **ret_ctx);

#endif
