/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel has to be told so that a packet which comes "from" icpt0 is local whatever its address,
 * and a marked packet leaves by icpt0 without any address, route or neighbour for the devices' subnet:
 *
 *	icpt0 (veth, no ARP, no address) <-> icpt1 (unused)
 *	rule 100: iif icpt0   -> table 100: local default dev lo
 *	rule 101: fwmark MARK -> table 200: default dev icpt0
 *	icpt0: src_valid_mark=1, so that the reverse-path check uses rule 101 and stays on
 *
 * and in bridge mode the bridge with its ports. Order: the ports join last, when all else stands.
 *
 * Ownership: what carries our alias (links) or protocol (rules, routes) is a keeper's. A keeper that was
 * killed leaves it in place, traffic flows on over its bridge, and the next one adopts it: it is never taken
 * down and made again. net_remove() takes it down, in reverse order.
 * One thread.
 */
#include "firmware/base/log.h"
#include "firmware/net/net.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE_FROM_ICPT 100
#define RULE_MARKED    101
#define TABLE_LOCAL    100
#define TABLE_ICPT     200

struct network {
	struct net_kernel *k;
	struct net_link icpt;
	char bridge[IFNAMSIZ]; /* empty: routed */
	bool bridge_ours;
	bool named;	/* a port's role is the owner's word */
	unsigned moved; /* looks in a row that saw the router behind a port of devices */
	size_t n;
	struct net_port ports[NET_PORTS_MAX];
};

__attribute__((format(printf, 3, 4))) static int refuse(char why[NET_WHY_MAX], int rc,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, NET_WHY_MAX, format, args);
	va_end(args);
	return rc;
}

static struct net_port *port_find(struct network *net, const char *name)
{
	for (size_t i = 0; i < net->n; i++)
		if (!strcmp(net->ports[i].name, name))
			return &net->ports[i];
	return NULL;
}

static int port_add(struct network *net, const struct net_link *link, enum net_role role,
		    char why[NET_WHY_MAX])
{
	struct net_port *port = port_find(net, link->name);

	if (port) {
		if (role != NET_UNKNOWN && port->role != NET_UNKNOWN && port->role != role)
			return refuse(why, -EINVAL, "port %s is named as lan and as wan",
				      link->name);
		if (role != NET_UNKNOWN)
			port->role = role;
		return 0;
	}
	if (net->n == NET_PORTS_MAX)
		return refuse(why, -E2BIG, "more than %d ports", NET_PORTS_MAX);
	port = &net->ports[net->n++];
	snprintf(port->name, sizeof(port->name), "%s", link->name);
	port->ifindex = link->ifindex;
	port->role = role;
	port->hardware = !*link->kind;
	return 0;
}

/* Each name of a list "a, b c". */
static int ports_named(struct network *net, const char *list, enum net_role role,
		       char why[NET_WHY_MAX])
{
	const char *setting = role == NET_LAN ? "lan" : "wan";
	struct net_link link;
	char name[IFNAMSIZ];
	size_t len;
	int rc;

	for (; *list; list += len) {
		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (!len)
			break;
		if (len >= sizeof(name))
			return refuse(why, -EINVAL, "[steer] %s: '%.*s' is no interface name",
				      setting, (int)len, list);
		memcpy(name, list, len);
		name[len] = '\0';
		rc = net->k->ops->link_get(net->k, name, &link);
		if (rc == -ENODEV)
			return refuse(why, rc, "[steer] %s: there is no interface '%s'", setting,
				      name);
		if (rc)
			return refuse(why, rc, "interface %s: %s", name, strerror(-rc));
		if (!link.ethernet || link.loopback || link.ours)
			return refuse(why, -EINVAL, "[steer] %s: '%s' is no Ethernet port", setting,
				      name);
		rc = port_add(net, &link, role, why);
		if (rc)
			return rc;
	}
	return 0;
}

struct candidates {
	struct network *net;
	int bridge;   /* ifindex, 0 if there is none yet */
	bool members; /* only what is in the bridge */
	char *why;
};

static int candidate(const struct net_link *link, void *arg)
{
	struct candidates *c = arg;

	if (!link->ethernet || link->loopback || link->ours)
		return 0;
	if (c->members) {
		if (!c->bridge || link->master != c->bridge)
			return 0;
	} else if (link->master || (*link->kind && strcmp(link->kind, "veth"))) {
		return 0;
	}
	return port_add(c->net, link, NET_UNKNOWN, c->why);
}

/* With wan known all others are LAN; with one port not named, it is the WAN. */
static void roles_complete(struct network *net)
{
	size_t unknown = 0, wan = 0, lan = 0;

	for (size_t i = 0; i < net->n; i++) {
		unknown += net->ports[i].role == NET_UNKNOWN;
		wan += net->ports[i].role == NET_WAN;
		lan += net->ports[i].role == NET_LAN;
	}
	if (!wan && !(lan && unknown == 1))
		return;
	for (size_t i = 0; i < net->n; i++)
		if (net->ports[i].role == NET_UNKNOWN)
			net->ports[i].role = wan ? NET_LAN : NET_WAN;
}

/* The ports that the plan means, with the roles that it says. */
static int ports_collect(struct network *net, const struct net_plan *plan, char why[NET_WHY_MAX])
{
	struct candidates c = { .net = net, .why = why };
	struct net_link bridge;
	int rc = ports_named(net, plan->lan, NET_LAN, why);

	if (!rc)
		rc = ports_named(net, plan->wan, NET_WAN, why);
	if (rc)
		return rc;
	if (!plan->bridge_mode)
		return *plan->lan ? 0
				  : refuse(why, -EINVAL,
					   "[steer] mode = gateway needs lan = INTERFACE");
	rc = net->k->ops->link_get(net->k, plan->bridge, &bridge);
	if (!rc && strcmp(bridge.kind, "bridge"))
		return refuse(why, -EBUSY, "[steer] bridge: '%s' is there and no bridge",
			      plan->bridge);
	if (rc && rc != -ENODEV)
		return refuse(why, rc, "interface %s: %s", plan->bridge, strerror(-rc));
	if (!*plan->lan || !*plan->wan) {
		c.bridge = rc ? 0 : bridge.ifindex;
		c.members = true;
		rc = net->k->ops->link_each(net->k, candidate, &c);
		c.members = false;
		if (!rc && net->n < 2)
			rc = net->k->ops->link_each(net->k, candidate, &c);
		if (rc)
			return rc;
	}
	if (net->n < 2)
		return refuse(why, -ENODEV, "a bridge needs two ports, found %zu%s%s", net->n,
			      net->n ? ": " : "", net->n ? net->ports[0].name : "");
	roles_complete(net);
	return 0;
}

int net_check(struct net_kernel *k, const struct net_plan *plan, char why[NET_WHY_MAX])
{
	struct network net = { .k = k };
	struct net_link link;
	int rc;

	*why = '\0';
	rc = ports_collect(&net, plan, why);
	if (rc)
		return rc;
	rc = k->ops->link_get(k, NET_ICPT, &link);
	if (!rc && !link.ours)
		return refuse(why, -EBUSY, "an interface " NET_ICPT " is there that is not ours");
	if (rc == -EPERM)
		return refuse(why, rc, "no permission");
	return 0;
}

static unsigned mtu_of(struct network *net)
{
	struct net_link link;
	unsigned mtu = 0;

	for (size_t i = 0; i < net->n; i++)
		if (!net->k->ops->link_get(net->k, net->ports[i].name, &link) &&
		    (!mtu || link.mtu < mtu))
			mtu = link.mtu;
	return mtu ? mtu : 1500;
}

static int icpt_make(struct network *net)
{
	const struct net_kernel_ops *ops = net->k->ops;
	unsigned mtu = mtu_of(net);
	int rc = ops->link_get(net->k, NET_ICPT, &net->icpt);

	if (!rc && !net->icpt.ours) {
		net->icpt.ours = false;
		return -EBUSY;
	}
	if (rc == -ENODEV)
		rc = ops->veth_add(net->k, NET_ICPT, NET_ICPT_PEER, mtu);
	else if (!rc && net->icpt.mtu != mtu)
		rc = ops->link_mtu(net->k, NET_ICPT, mtu);
	if (rc)
		return rc;
	rc = ops->sysctl(net->k, "net/ipv4/conf/" NET_ICPT "/src_valid_mark", "1");
	if (rc)
		return rc;
	/* Without IPv6 in the kernel there is nothing to set, and nothing to steer. */
	(void)ops->sysctl(net->k, "net/ipv6/conf/" NET_ICPT "/addr_gen_mode", "1");
	(void)ops->sysctl(net->k, "net/ipv6/conf/" NET_ICPT_PEER "/addr_gen_mode", "1");
	(void)ops->sysctl(net->k, "net/ipv6/conf/" NET_ICPT "/accept_ra", "0");
	rc = ops->link_up(net->k, NET_ICPT_PEER, true, true);
	if (!rc)
		rc = ops->link_up(net->k, NET_ICPT, true, true);
	if (!rc)
		rc = ops->link_up(net->k, "lo", true, false); /* table 100 points to it */
	if (!rc)
		rc = ops->link_get(net->k, NET_ICPT, &net->icpt);
	return rc;
}

/* Rules and routes of one family, made in this order and taken down in the other. */
static int routing_set(struct network *net, int family, bool add)
{
	const struct net_kernel_ops *ops = net->k->ops;
	const struct net_route routes[] = {
		{ .family = family, .table = TABLE_LOCAL, .ifindex = 1, .local = true },
		{ .family = family, .table = TABLE_ICPT, .ifindex = net->icpt.ifindex },
	};
	const struct net_rule rules[] = {
		{ .family = family, .pref = RULE_FROM_ICPT, .iif = NET_ICPT, .table = TABLE_LOCAL },
		{ .family = family, .pref = RULE_MARKED, .mark = NET_MARK, .table = TABLE_ICPT },
	};
	int rc = 0, all = 0;

	for (size_t i = 0; i < 2; i++) {
		rc = add ? ops->route_set(net->k, &routes[i], true)
			 : ops->rule_set(net->k, &rules[1 - i], false);
		if (rc && add)
			return rc;
		all = all ? all : rc;
	}
	for (size_t i = 0; i < 2; i++) {
		rc = add ? ops->rule_set(net->k, &rules[i], true)
			 : ops->route_set(net->k, &routes[1 - i], false);
		if (rc && add)
			return rc;
		all = all ? all : rc;
	}
	return all;
}

/*
 * A router must route what we pass, though its stack may still have a socket for these addresses and ports: of a
 * connection that was intercepted a minute ago (TIME_WAIT) or whose process was killed. The kernel looks for such a
 * socket before it routes a packet, and ip_forward() drops what has one. So no looking before routing. It stays so
 * after us, as the sockets do.
 */
static void routed_first(struct network *net)
{
	int rc =
		net->k->ops->sysctl(net->k, "net/ipv4/tcp_early_demux", "0"); /* of both families */

	if (rc)
		LOG(LOG_L_WARN, "net.early_demux_stays", "error=%d", rc);
}

/*
 * What a switch keeps to itself crosses our bridge as it would a cable: 802.1X, LLDP and the like (IEEE 802.1Q, table
 * 8-1). The kernel forwards all but STP, pause and link aggregation frames. Not every kernel lets us: then these stay.
 */
static void bridge_as_cable(struct network *net)
{
	char path[64];
	int rc;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/bridge/group_fwd_mask", net->bridge);
	rc = net->k->ops->sysctl(net->k, path, "0xfff8");
	if (rc)
		LOG(LOG_L_WARN, "net.group_frames_stay", "bridge=%s error=%d", net->bridge, rc);
}

static int bridge_make(struct network *net)
{
	const struct net_kernel_ops *ops = net->k->ops;
	struct net_link link;
	int rc = ops->link_get(net->k, net->bridge, &link);

	if (rc == -ENODEV) {
		rc = ops->bridge_add(net->k, net->bridge);
		net->bridge_ours = !rc;
		if (!rc)
			bridge_as_cable(net);
	} else if (!rc) {
		net->bridge_ours = link.ours;
	}
	if (!rc)
		rc = ops->link_get(net->k, net->bridge, &link);
	for (size_t i = 0; i < net->n && !rc; i++) {
		struct net_port *port = &net->ports[i];
		struct net_link now;

		rc = ops->link_get(net->k, port->name, &now);
		if (rc)
			break;
		if (now.master != link.ifindex) {
			rc = now.master ? -EBUSY
					: ops->link_master(net->k, port->name, net->bridge);
			port->joined = !rc;
		}
		if (!rc && !now.up) {
			rc = ops->link_up(net->k, port->name, true, false);
			port->raised = !rc;
		}
	}
	return rc ? rc : ops->link_up(net->k, net->bridge, true, false);
}

int net_setup(struct net_kernel *k, const struct net_plan *plan, struct network **ret_net,
	      char why[NET_WHY_MAX])
{
	struct network *net;
	int rc = net_check(k, plan, why);

	if (rc)
		return rc;
	net = calloc(1, sizeof(*net));
	if (!net)
		return refuse(why, -ENOMEM, "out of memory");
	net->k = k;
	net->named = *plan->lan || *plan->wan;
	if (plan->bridge_mode)
		snprintf(net->bridge, sizeof(net->bridge), "%s", plan->bridge);
	else
		routed_first(net);
	rc = ports_collect(net, plan, why);
	if (!rc && (rc = icpt_make(net)))
		(void)refuse(why, rc, NET_ICPT ": %s", strerror(-rc));
	if (!rc && (rc = routing_set(net, AF_INET, true)))
		(void)refuse(why, rc, "IPv4 rules and routes: %s", strerror(-rc));
	if (!rc && (rc = routing_set(net, AF_INET6, true)))
		(void)refuse(why, rc, "IPv6 rules and routes: %s", strerror(-rc));
	if (!rc && *net->bridge && (rc = bridge_make(net)))
		(void)refuse(why, rc, "bridge %s: %s", net->bridge, strerror(-rc));
	if (rc) {
		net_remove(&net);
		return rc;
	}
	*ret_net = net;
	return 0;
}

/* Not finding something is no failure here; there is nobody to tell of others. */
void net_remove(struct network **net_p)
{
	struct network *net = *net_p;
	const struct net_kernel_ops *ops;
	struct net_link link;

	if (!net)
		return;
	ops = net->k->ops;
	for (size_t i = net->n; i-- > 0;) {
		if (net->ports[i].joined)
			(void)ops->link_master(net->k, net->ports[i].name, NULL);
		if (net->ports[i].raised)
			(void)ops->link_up(net->k, net->ports[i].name, false, false);
	}
	if (net->bridge_ours)
		(void)ops->link_del(net->k, net->bridge);
	(void)routing_set(net, AF_INET6, false);
	(void)routing_set(net, AF_INET, false);
	if (!ops->link_get(net->k, NET_ICPT, &link) && link.ours)
		(void)ops->link_del(net->k, NET_ICPT);
	free(net);
	*net_p = NULL;
}

const struct net_port *net_ports(const struct network *net, size_t *ret_n)
{
	*ret_n = net->n;
	return net->ports;
}

bool net_ports_hardware(const struct network *net)
{
	size_t n = 0;

	while (n < net->n && net->ports[n].hardware)
		n++;
	return n > 0 && n == net->n;
}

const struct net_link *net_icpt(const struct network *net)
{
	return &net->icpt;
}

int net_bridge(const struct network *net, struct net_link *ret_link)
{
	return *net->bridge ? net->k->ops->link_get(net->k, net->bridge, ret_link) : -ENODEV;
}

bool net_roles_known(const struct network *net)
{
	for (size_t i = 0; i < net->n; i++)
		if (net->ports[i].role == NET_UNKNOWN)
			return false;
	return true;
}

/* Behind it is the next hop of the default route, as the bridge has learned. */
static struct net_port *router_port(struct network *net)
{
	int ifindex;

	if (net->k->ops->router_port(net->k, net->bridge, &ifindex))
		return NULL;
	for (size_t i = 0; i < net->n; i++)
		if (net->ports[i].ifindex == ifindex)
			return &net->ports[i];
	return NULL;
}

/* Were cables swapped? One look is not enough: who sends by the router's address moves its entry for a moment. */
static bool roles_moved(struct network *net)
{
	struct net_port *wan = net->named ? NULL : router_port(net);

	net->moved = wan && wan->role != NET_WAN ? net->moved + 1 : 0;
	if (net->moved < NET_MOVED_LOOKS)
		return false;
	net->moved = 0;
	for (size_t i = 0; i < net->n; i++)
		net->ports[i].role = &net->ports[i] == wan ? NET_WAN : NET_LAN;
	return true;
}

bool net_roles_update(struct network *net, net_heard_f *heard, void *arg)
{
	struct net_port *wan;
	int signs = 0;

	if (!*net->bridge)
		return false;
	if (net_roles_known(net))
		return roles_moved(net);
	wan = router_port(net);
	for (size_t i = 0; i < net->n && !wan && signs < 2; i++)
		signs += heard(net->ports[i].ifindex, arg) > 0;
	for (size_t i = 0; i < net->n && !wan && signs == 1; i++)
		if (heard(net->ports[i].ifindex, arg))
			wan = &net->ports[i];
	if (!wan || wan->role == NET_LAN)
		return false;
	wan->role = NET_WAN;
	roles_complete(net);
	return true;
}

/* Two ports of a bridge that one chip may forward between by itself. */
static bool chip_shared(const struct network *net, char text[NET_OFFLOAD_MAX])
{
	struct net_offloads a, b;

	for (size_t i = 0; i < net->n && *net->bridge; i++) {
		net->k->ops->offloads(net->k, net->ports[i].name, &a);
		for (size_t j = i + 1; j < net->n && *a.chip; j++) {
			net->k->ops->offloads(net->k, net->ports[j].name, &b);
			if (strcmp(a.chip, b.chip) != 0)
				continue;
			(void)snprintf(text, NET_OFFLOAD_MAX, "%s, %s: one switch chip",
				       net->ports[i].name, net->ports[j].name);
			return true;
		}
	}
	return false;
}

bool net_offload(const struct network *net, char ret_text[NET_OFFLOAD_MAX])
{
	const char *what = NULL, *port = NULL;
	struct net_offloads o;

	if (chip_shared(net, ret_text))
		return true;
	for (size_t i = 0; i < net->n; i++) {
		net->k->ops->offloads(net->k, net->ports[i].name, &o);
		if (!o.lro && (what || !o.hw_tc))
			continue;
		what = o.lro ? "lro" : "hw-tc-offload";
		port = net->ports[i].name;
		if (o.lro)
			break;
	}
	if (what)
		(void)snprintf(ret_text, NET_OFFLOAD_MAX, "%s of %s", what, port);
	return what != NULL;
}

const char *net_role_name(enum net_role role)
{
	static const char *const names[] = {
		[NET_UNKNOWN] = "unknown",
		[NET_LAN] = "lan",
		[NET_WAN] = "wan",
	};

	return names[role];
}
