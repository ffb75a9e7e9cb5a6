/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can a vendor be reached, and through whose DNS? Reachable means: its reach host resolves (to an address that can be
 * true) and accepts a TCP connection; or a parent leads to it. When that fails through the system's resolvers, the
 * profile's public ones are used until the system's work again. Control loop only; readers on other threads see
 * reach_path().
 */
#ifndef TARN_PROXY_DNS_REACH_H
#define TARN_PROXY_DNS_REACH_H

#include "firmware/base/addr.h"

struct worker;
struct config;
struct profile;
struct reach;

/* What admin shows of one vendor. */
struct reach_view {
	const char *vendor;
	bool checked; /* the profile names a reach host, and a first verdict is there */
	bool reachable;
	const char *state; /* name of the machine's step */
	bool via_public;
	struct addr resolver;	/* the public resolver in use; else AF_UNSPEC */
	uint64_t since_mono_ms; /* of the last change of state */
};
typedef void reach_each_f(const struct reach_view *view, void *arg);

/* Something changed: can any vendor be reached? `why_not` is for people, "" when reachable. */
typedef void reach_changed_f(void *arg, bool reachable, const char *why_not);
/* An address of an exact host of a profile was resolved; ttl in seconds. */
typedef void reach_vendor_f(void *arg, const struct addr *addr, uint32_t ttl);

/* Begins to probe and to resolve the profiles' exact hosts. 0 or -errno. */
MUST_USE int reach_new(struct worker *control, reach_changed_f *changed, reach_vendor_f *vendor,
		       void *arg, struct reach **ret_reach);
void reach_free(struct reach **reach);
/* The configuration of the control loop changed: machines of vendors that stay keep their state. */
void reach_reload(struct reach *reach);

/* Any thread: a request could not resolve or connect a vendor's host: probe soon. */
void reach_hurry(struct reach *reach);

/* A parent is well now, or is not any more (proxy/upstream/parent.h): through it vendors can be reached. */
void reach_tell(struct reach *reach);

bool reach_any(const struct reach *reach);
void reach_each(const struct reach *reach, reach_each_f *f, void *arg);

/* The public resolver through which this vendor's hosts are to be resolved now, or NULL: the system's. */
const struct addr *reach_resolver(const struct reach *reach, const struct profile *profile);

#endif
