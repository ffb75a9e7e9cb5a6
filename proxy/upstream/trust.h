/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom we believe when a vendor shows a certificate, and how TLS is spoken to him: an OpenSSL context a profile. Part
 * of a configuration (proxy/config.h): a reload makes new ones, and what was verified by the old ones is
 * not reused.
 */
#ifndef TARN_PROXY_UPSTREAM_TRUST_H
#define TARN_PROXY_UPSTREAM_TRUST_H

#include <openssl/ssl.h>

#include "firmware/base/profile.h"
#include "firmware/base/tarn_conf.h"

struct trust;
struct sessions;

/*
 * Reads the profiles' own certificates. 0 or -errno with *error filled: a file can't be read, or has none. The profiles
 * must live as long.
 */
MUST_USE int trust_new(const struct tarn_settings *settings, const struct profiles *profiles,
		       struct trust **ret_trust, struct settings_error *error);
void trust_free(struct trust **trust);

/*
 * The context for the hosts of `profile`, which may be another configuration's of that name; NULL for those of none. Borrowed; it lives as long as a connection made with
 * it. The first call reads the system's list (some 15 ms). NULL: no memory. Any thread.
 */
SSL_CTX *trust_context(struct trust *trust, const struct profile *profile);

/* The sessions of a context. */
struct sessions *trust_sessions(SSL_CTX *context);

/* Another number for each configuration. */
unsigned trust_serial(const struct trust *trust);

#endif
