/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The box's certificate authority: made once, held by tarnd, never by the process that faces the network.
 *
 * It is of little use to a thief: it can speak for the profiles' names alone (critical name constraints), for
 * servers alone (extended key usage), not for addresses, and not through another CA (path length 0).
 */
#ifndef FIRMWARE_MINT_CA_H
#define FIRMWARE_MINT_CA_H

#include <openssl/x509.h>

#include "firmware/mint/names.h"

#define CA_FILE	     "ca.pem" /* key and certificate; mode 0600 */
#define CA_PUBLIC    "ca.crt" /* the certificate, for everybody */
#define CA_DAYS	     3650
#define CA_CLOCK_MIN 1735689600 /* 2025-01-01: before it the clock is not set */

/*
 * The CA of `dir` (made with mode 0755 if it is not there): makes it if there is none, with the names of `profiles`,
 * and sees to it that the public copy is right. *ret_made: it is new. `wall_s`: seconds since 1970. 0, -ENOENT:
 * there is none and no name for it; -EAGAIN: there is none and the clock is not set; -EBADMSG: what is there
 * is no CA with its key; -ENOMEM, or -errno of a file.
 */
MUST_USE int ca_ensure(const char *dir, const struct profiles *profiles, int64_t wall_s,
		       bool *ret_made);

/* The public copy in `dir`. 0, -EBADMSG, -ENOMEM, or -errno. Freed by X509_free(). */
MUST_USE int ca_certificate(const char *dir, X509 **ret_certificate);

/* The DNS names that it is permitted, or not. 0 or -ENOMEM. */
MUST_USE int ca_permitted(const X509 *certificate, struct ca_names *ret_names);
MUST_USE int ca_excluded(const X509 *certificate, struct ca_names *ret_names);

#endif
