/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What making a certificate takes, whoever signs it.
 */
#ifndef FIRMWARE_MINT_CERTIFICATE_H
#define FIRMWARE_MINT_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "firmware/base/check.h"

#define CERTIFICATE_DAY	   86400
#define CERTIFICATE_SERIAL 16 /* bytes */

/* An extension as the text of openssl's configuration says it; never text from outside. */
MUST_USE bool certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value);

/* Gives it a serial number: random, positive and all its bytes long. They are shown to the caller. */
MUST_USE bool certificate_number(X509 *certificate, uint8_t ret_serial[CERTIFICATE_SERIAL]);

/* Valid between two times, in seconds since 1970. */
MUST_USE bool certificate_date(X509 *certificate, int64_t from_s, int64_t until_s);

/* notAfter, in seconds since 1970. 0 or -EBADMSG. */
MUST_USE int certificate_until(const X509 *certificate, int64_t *ret_until_s);

#endif
