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
struct profile;
struct resolve;
struct resolver;

/*
 * The answer, on the asking worker, never before resolve_host() has returned. `err` 0: n >= 1 addresses with the
 * port asked for, both families interleaved (RFC 8305, 4), rested ones last. Else n == 0 and `err` is
 * -ENOENT (no such name), -EHOSTUNREACH or -ETIMEDOUT (the resolvers failed), -EADDRNOTAVAIL (the answer can't be
 * true), -ENOMEM, -ECANCELED (we are ending).
 */
typedef void resolve_f(void *arg, int err, const struct addr *addrs, size_t n);

/* Asks. An address literal is answered as it is. Any worker (the control loop, too). 0, -EINVAL, -ENOMEM. */
MUST_USE int resolve_host(struct worker *worker, const char *host, uint16_t port, resolve_f *f,
			  void *arg, struct resolve **ret_resolve);
/* The callback will not come; nulls. NULL is allowed. Before the callback only (in it, it is gone already). */
void resolve_cancel(struct resolve **resolve);

/* ---- control loop only --------------------------------------------------------------------------- */

MUST_USE int resolver_new(struct worker *control, struct resolver **ret_resolver);
/* After the workers ended. */
void resolver_free(struct resolver **resolver);
/* The control loop's configuration changed. */
void resolver_reload(struct resolver *resolver);

/* By whom the hosts of a vendor are resolved now: a public resolver, or NULL for the system's. */
typedef const struct addr *resolver_route_f(void *arg, const struct profile *profile);
/* A vendor's host could not be resolved for a request. */
typedef void resolver_trouble_f(void *arg, const struct profile *profile);
void resolver_route_set(struct resolver *resolver, resolver_route_f *route,
			resolver_trouble_f *trouble, void *arg);

/* A question of the control loop's own. Same errors; addresses have port 0. May come before resolver_ask() returns. */
typedef void resolver_f(void *arg, int err, const struct addr *addrs, size_t n, uint32_t ttl);
struct resolver_ask {
	struct resolver_ask *next; /* resolve.c's own */
	resolver_f *f; /* set by the owner, as is arg; NULL: the answer is not wanted any more */
	void *arg;
};
/* Asks `server` (NULL: the system's) afresh, past the cache; the answer goes into the cache. `ask` belongs to the
 * resolver until the callback, or until resolver_ask_cancel(). */
void resolver_ask_fresh(struct resolver *resolver, const char *host, const struct addr *server,
			struct resolver_ask *ask);
void resolver_ask_cancel(struct resolver *resolver, struct resolver_ask *ask);

/* What admin shows: a name as one set of servers told it. */
struct resolver_view {
	const char *host;
	const struct addr *server; /* a public one; NULL: the system's */
	int err;		   /* 0, or why there is no address (resolve_f's) */
	uint64_t left_ms;	   /* until it is asked again; 0: it is stale */
	const struct addr *addrs;
	size_t n;
};
typedef void resolver_each_f(const struct resolver_view *view, void *arg);
void resolver_each(const struct resolver *resolver, resolver_each_f *f, void *arg);

/* The system's resolvers, as channel_servers(); NULL: none yet, or no memory. */
char *resolver_system(const struct resolver *resolver);

#endif
