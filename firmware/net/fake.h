/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel in memory behind the same door, for tests: it keeps what it is told, and fails when it is told to.
 */
#ifndef FIRMWARE_NET_FAKE_H
#define FIRMWARE_NET_FAKE_H

#include "firmware/net/kernel.h"

__attribute__((warn_unused_result)) int fake_kernel_open(struct net_kernel **ret_kernel);

/* A link that is there; gives its ifindex. `kind` "" is hardware. */
int fake_link(struct net_kernel *k, const char *name, const char *kind, const char *master);
void fake_link_mtu(struct net_kernel *k, const char *name, unsigned mtu);
void fake_offloads(struct net_kernel *k, const char *name, const struct net_offloads *offloads);
/* The port that router_port() finds; 0: none. */
void fake_router_port(struct net_kernel *k, int ifindex);
/* The n-th change from now on (0: the next one) fails with -EIO, once. Negative: none. */
void fake_fail(struct net_kernel *k, int n);

/* How many changes were asked for since the beginning. */
int fake_changes(const struct net_kernel *k);
size_t fake_rules(const struct net_kernel *k);
size_t fake_routes(const struct net_kernel *k);
size_t fake_links(const struct net_kernel *k);

#endif
