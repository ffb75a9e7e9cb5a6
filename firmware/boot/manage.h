/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the box itself is in the network, and how large frames are ([appliance] management_vlan, mtu). Its addresses, and so
 * its way to vendors and its admin page, are on the bridge, or on a VLAN of it; the other of the two has none. Nothing here
 * touches what passes the bridge, but for the ports' MTU.
 *
 * IPv4 addresses are asked for by DHCP (udhcpc), IPv6 ones as the router's advertisements say (dhcpcd: SLAAC, DHCPv6 or both), for
 * ever. One thread.
 */
#ifndef FIRMWARE_BOOT_MANAGE_H
#define FIRMWARE_BOOT_MANAGE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define MANAGE_PORTS 16

struct net_kernel;
struct service;

struct manage {
	struct net_kernel *kernel;
	struct service *dhcp, *dhcp6;
	/* the rest is manage.c's */
	bool begun;
	bool ports_changed;	  /* the caller takes it back */
	char interface[IFNAMSIZ]; /* with the box's addresses; "": not begun */
	unsigned vlan, mtu;
	struct {
		char name[IFNAMSIZ];
		unsigned own; /* MTU that it had */
	} port[MANAGE_PORTS];
	const char *dhcp_argv[20], *dhcp6_argv[6];
};

/* As the settings say; what is so already stays untouched. 0 is none of either. */
void manage_set(struct manage *manage, unsigned vlan, unsigned mtu, uint64_t now_ms);

/* A port has joined the bridge. */
void manage_port(struct manage *manage, const char *name);

#endif
