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

#include "firmware/mint/public.h"

#define CA_FILE	     "ca.pem" /* key and certificate; mode 0600 */
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

/*
 * A new CA in place of the one that is there, if any; devices have to be told. 0; -ENOENT: there is no name for it,
 * -EAGAIN: the clock is not set, -ENOMEM, or -errno of a file: then the old one stands.
 */
MUST_USE int ca_rotate(const char *dir, const struct profiles *profiles, int64_t wall_s);

/* Key and certificate, each to be freed. 0, -ENOENT, -EBADMSG, -ENOMEM, or -errno of the file. */
MUST_USE int ca_load(const char *dir, EVP_PKEY **ret_key, X509 **ret_certificate);

#endif
