/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses, by c-ares on the control loop; workers ask by mail. One shared cache that keeps to the
 * answers' TTLs; equal questions in flight are asked once. Which servers are asked (the system's, or a public
 * one) is reach's decision, per vendor.
 */
#ifndef TARN_PROXY_DNS_RESOLVE_H
#define TARN_PROXY_DNS_RESOLVE_H

#include "firmware/base/addr.h"

/* More addresses of an answer are left out. */
#define RESOLVE_ADDRS_MAX 16

struct worker;
struct resolve;

/*
 * The answer, on the asking worker, never before resolve_host() has returned. `err` 0: n >= 1 addresses with the
 * port asked for, both families interleaved (RFC 8305, 4), rested ones last. Else n == 0 and `err` is
 * -ENOENT (no such name), -EHOSTUNREACH (resolvers failed), -ETIMEDOUT, -EADDRNOTAVAIL (hijacked), -ENOMEM.
 */
typedef void resolve_f(void *arg, int err, const struct addr *addrs, size_t n);

/* Asks. An address literal is answered as it is. Any worker (the control loop, too). 0, -EINVAL, -ENOMEM. */
MUST_USE int resolve_host(struct worker *worker, const char *host, uint16_t port, resolve_f *f,
			  void *arg, struct resolve **ret_resolve);
/* The callback will not come; nulls. NULL is allowed. Before the callback only (in it, it is gone already). */
void resolve_cancel(struct resolve **resolve);

#endif
