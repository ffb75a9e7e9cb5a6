/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of the admin page. Who asks by a name of the box that its CA may speak for (tarn.internal) gets one of
 * that CA's, which the keeper signs: whoever trusts the CA sees no warning. All others, above all who asks by an address, get one
 * that signs itself, ECDSA P-256, made at each start, valid for a year: the CA is never to speak for addresses.
 */
#ifndef TARN_PROXY_ADMIN_CERT_H
#define TARN_PROXY_ADMIN_CERT_H

#include <openssl/ssl.h>

#include "firmware/base/settings.h"

struct worker;
struct cert;

/* For `names` and the addresses listened at. 0 or -ENOMEM. The control loop's. */
MUST_USE int cert_new(struct worker *control, const struct string_list *names,
		      const struct addr_list *addresses, struct cert **ret_cert);
/* Connections may outlive it; nulls. NULL is allowed. */
void cert_free(struct cert **cert);

/* A server's context (TLS 1.2 and later); borrowed. */
SSL_CTX *cert_context(const struct cert *cert);

#endif
