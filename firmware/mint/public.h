/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What everybody may know of the box's certificate authority: its certificate.
 */
#ifndef FIRMWARE_MINT_PUBLIC_H
#define FIRMWARE_MINT_PUBLIC_H

#include <openssl/x509.h>

#include "firmware/mint/names.h"

#define CA_PUBLIC "ca.crt" /* the certificate, for everybody */

/* The public copy in `dir`. 0, -EBADMSG, -ENOMEM, or -errno. Freed by X509_free(). */
MUST_USE int ca_certificate(const char *dir, X509 **ret_certificate);

/* The DNS names that it is permitted, or not. 0 or -ENOMEM. */
MUST_USE int ca_permitted(const X509 *certificate, struct ca_names *ret_names);
MUST_USE int ca_excluded(const X509 *certificate, struct ca_names *ret_names);

#endif
