/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to c-ares: one set of DNS servers, asked on the control loop. Nothing is remembered here.
 */
#ifndef TARN_PROXY_DNS_CHANNEL_H
#define TARN_PROXY_DNS_CHANNEL_H

#include "firmware/base/addr.h"

struct worker;
struct channel;

/*
 * The end of a question, perhaps before channel_ask() has returned. `err` 0: n >= 1 addresses with port 0, and the
 * shortest TTL in seconds. Else -ENOENT (no such name), -ENODATA (no address of this family), -ETIMEDOUT,
 * -EHOSTUNREACH (refused, server failure, no server), -ENOMEM, -ECANCELED (the channel went away).
 */
typedef void channel_f(void *arg, int err, const struct addr *addrs, size_t n, uint32_t ttl);

/*
 * `servers_n` 0: the system's, as /etc/resolv.conf says now (and /etc/hosts before them). A server is given
 * `timeout_ms` for its first answer; each is tried twice. 0 or -errno.
 */
MUST_USE int channel_new(struct worker *control, const struct addr *servers, size_t servers_n,
			 unsigned timeout_ms, struct channel **ret_channel);
/* Questions under way still get their answer; it is freed after the last one. Nulls. */
void channel_retire(struct channel **channel);
/* At once: questions under way end with -ECANCELED. Not from a callback of it. */
void channel_free(struct channel **channel);

/* Whom it asks, in order: "192.0.2.53:53,[2001:db8::53]:53". free() it; NULL: no memory. */
char *channel_servers(const struct channel *channel);

/* Addresses of one family. No search list: the name is taken as complete. */
void channel_ask(struct channel *channel, const char *host, int family, channel_f *f, void *arg);

#endif
