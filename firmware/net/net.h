/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network around interception: ports, bridge, icpt0, rules and routes; and which port leads to the
 * router. It makes what is missing, adopts what is there, and removes exactly what it (or a keeper that was
 * killed before) made.
 */
#ifndef FIRMWARE_NET_NET_H
#define FIRMWARE_NET_NET_H

#include "firmware/net/kernel.h"

#define NET_ICPT	"icpt0"	    /* packets for and from intercepted connections */
#define NET_ICPT_PEER	"icpt1"	    /* its unused other end */
#define NET_MARK	0x5441524eu /* "TARN": on packets of intercepted connections */
#define NET_PORTS_MAX	32
#define NET_WHY_MAX	160

#define NET_MOVED_LOOKS 5

enum net_role {
	NET_UNKNOWN,
	NET_LAN,
	NET_WAN
};

struct net_plan {
	bool bridge_mode; /* else the ports are routed: icpt0, rules, routes, and tcp_early_demux is set to 0 */
	const char *bridge; /* its name */
	const char *lan;    /* names, separated by spaces or commas; "": all other ports */
	const char *wan;    /* a name; "": to be found out, or (routed) none */
};

struct net_port {
	char name[IFNAMSIZ];
	int ifindex;
	enum net_role role;
	bool hardware;
	bool joined; /* we put it into the bridge */
	bool raised; /* we set it up */
};

/* Signs that a router is behind a port, counted elsewhere. */
typedef uint64_t net_heard_f(int ifindex, void *arg);

struct network;

/*
 * Would net_setup() find what the plan names? Touches nothing.
 * 0; -ENODEV, -EINVAL, -EBUSY with `why` in words: the plan does not fit this machine. Else as the kernel.
 */
__attribute__((warn_unused_result)) int net_check(struct net_kernel *k, const struct net_plan *plan,
						  char why[NET_WHY_MAX]);

/* Makes it all, or nothing: on failure (-errno, `why` in words) what was made is removed again. Does not
 * take the kernel; it must outlive the net. */
__attribute__((warn_unused_result)) int net_setup(struct net_kernel *k, const struct net_plan *plan,
						  struct network **ret_net, char why[NET_WHY_MAX]);
void net_remove(struct network **net);

const struct net_port *net_ports(const struct network *net, size_t *ret_n);
/* Is there a port, and each of them hardware, so that what leaves by it leaves this machine? */
bool net_ports_hardware(const struct network *net);
const struct net_link *net_icpt(const struct network *net);
/* The bridge, as it is now. -ENODEV: there is none (routed, or it has gone); else as the kernel. */
__attribute__((warn_unused_result)) int net_bridge(const struct network *net,
						   struct net_link *ret_link);

/*
 * Looks for the router's port. First the owner's word, then the bridge's
 * forwarding entry of the default route's next hop, then the only port on which `heard` is not 0. Where the owner named
 * none, that entry also shows that cables were swapped, once it has been seen behind another port NET_MOVED_LOOKS times in
 * a row. True if roles changed.
 */
bool net_roles_update(struct network *net, net_heard_f *heard, void *arg);
bool net_roles_known(const struct network *net);

/*
 * What a port's hardware may do behind our back, in a few words with its port ("lro of lan0", "lan0, wan0: one switch
 * chip"), the most harmful first. False: nothing is known.
 */
#define NET_OFFLOAD_MAX 48
bool net_offload(const struct network *net, char ret_text[NET_OFFLOAD_MAX]);
const char *net_role_name(enum net_role role);

#endif
