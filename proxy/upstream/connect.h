/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection to a host or an address: Happy Eyeballs (RFC 8305) over its addresses, one winner.
 */
#ifndef TARN_PROXY_UPSTREAM_CONNECT_H
#define TARN_PROXY_UPSTREAM_CONNECT_H

#include "firmware/base/addr.h"

struct worker;
struct connect;

/*
 * The end, never before connect_*() has returned; the handle is gone then. `err` 0: `fd` is the callee's
 * (non-blocking, close-on-exec, TCP_NODELAY), `peer` what it is connected to. Else fd is -1 and `err` as
 * resolve_f's, or the last attempt's (-ECONNREFUSED, -ETIMEDOUT, -ENETUNREACH ...).
 */
typedef void connect_f(void *arg, int err, int fd, const struct addr *peer);

/*
 * Time limit and stagger are those of the settings: connect_timeout holds for resolving and all attempts
 * together. Addresses that fail are rested (balance.h). 0, -EINVAL, -ENOMEM.
 */
MUST_USE int connect_host(struct worker *worker, const char *host, uint16_t port, connect_f *f,
			  void *arg, struct connect **ret_connect);
/* To one of these addresses (at most RESOLVE_ADDRS_MAX), tried in their order. */
MUST_USE int connect_addrs(struct worker *worker, const struct addr *addrs, size_t n, connect_f *f,
			   void *arg, struct connect **ret_connect);
/* To exactly this address; its failure is nobody else's business. */
MUST_USE int connect_addr(struct worker *worker, const struct addr *addr, connect_f *f, void *arg,
			  struct connect **ret_connect);
/* The callback will not come; nulls. NULL is allowed. */
void connect_cancel(struct connect **connect);

#endif
