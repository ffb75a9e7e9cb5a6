/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door to the kernel's links, bridges, rules, routes and sysctls of this network namespace.
 * netlink.c is the real one (libnl), fake.c the one for tests. All functions give 0 or -errno.
 */
#ifndef FIRMWARE_NET_KERNEL_H
#define FIRMWARE_NET_KERNEL_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "firmware/net/offload.h"

#define NET_MAC 6

struct net_link {
	char name[IFNAMSIZ];
	char kind[16]; /* "bridge", "veth", ...; empty for hardware */
	bool ours;     /* carries our alias: a keeper made it */
	bool up;
	bool ethernet;
	bool loopback;
	int ifindex;
	int master; /* ifindex, or 0 */
	unsigned mtu;
	uint8_t mac[NET_MAC];
};

struct net_rule {
	int family; /* AF_INET, AF_INET6 */
	unsigned pref;
	const char *iif; /* or NULL, then by mark */
	uint32_t mark;
	unsigned table;
};

/* A default route in a table of its own. */
struct net_route {
	int family;
	unsigned table;
	int ifindex;
	bool local; /* RTN_LOCAL instead of unicast */
};

typedef int net_link_f(const struct net_link *link, void *arg);

struct net_kernel {
	const struct net_kernel_ops *ops;
};

struct net_kernel_ops {
	/* -ENODEV if there is none. */
	int (*link_get)(struct net_kernel *k, const char *name, struct net_link *ret_link);
	/* Calls f for each link until it gives non-zero, which is given back. */
	int (*link_each)(struct net_kernel *k, net_link_f *f, void *arg);
	/* Both make links that carry our alias, down. */
	int (*bridge_add)(struct net_kernel *k, const char *name);
	int (*veth_add)(struct net_kernel *k, const char *name, const char *peer, unsigned mtu);
	/* A VLAN of `parent`, down, without our alias. */
	int (*vlan_add)(struct net_kernel *k, const char *name, const char *parent, unsigned id);
	int (*link_del)(struct net_kernel *k, const char *name);
	int (*link_up)(struct net_kernel *k, const char *name, bool up, bool noarp);
	int (*link_mtu)(struct net_kernel *k, const char *name, unsigned mtu);
	/* NULL master: release. */
	int (*link_master)(struct net_kernel *k, const char *name, const char *master);
	/* Does a bridge's port forward? Its link coming anew makes it do so. */
	int (*port_forwards)(struct net_kernel *k, const char *name, bool forwards);
	/* Adding what is there already (also by an earlier keeper) and deleting what is not are successes. */
	int (*rule_set)(struct net_kernel *k, const struct net_rule *rule, bool add);
	int (*route_set)(struct net_kernel *k, const struct net_route *route, bool add);
	/* `path` below /proc/sys, or absolute. */
	int (*sysctl)(struct net_kernel *k, const char *path, const char *value);
	/* The port of `bridge` behind which the next hop of a default route by it, or by a VLAN of it, is. -ENOENT: not
	 * known (yet). */
	int (*router_port)(struct net_kernel *k, const char *bridge, int *ret_ifindex);
	void (*offloads)(struct net_kernel *k, const char *name, struct net_offloads *ret_offloads);
	void (*close)(struct net_kernel **k);
};

/* The door by libnl. Packets to a socket of its own; one thread at a time. */
__attribute__((warn_unused_result)) int net_kernel_open(struct net_kernel **ret_kernel);

#endif
