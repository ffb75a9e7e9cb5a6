/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's links, rules and routes by libnl-route. What we make carries a mark of ours, so that it can
 * be told from the owner's: links an alias, rules and routes a protocol number.
 */
#include "firmware/net/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/link/vlan.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUR_ALIAS    "tarn"
#define OUR_PROTOCOL 84 /* 'T'; free in iproute2's rt_protos */

struct netlink_kernel {
	struct net_kernel base;
	struct nl_sock *sock;
};

static struct nl_sock *sock_of(struct net_kernel *k)
{
	return ((struct netlink_kernel *)k)->sock;
}

/* libnl has error numbers of its own. */
static int errno_of(int nl)
{
	if (nl >= 0)
		return 0;
	switch (-nl) {
	case NLE_EXIST:
		return -EEXIST;
	case NLE_OBJ_NOTFOUND:
	case NLE_NODEV:
		return -ENODEV;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_RANGE:
		return -ERANGE;
	default:
		return -EIO;
	}
}

static void link_read(struct rtnl_link *link, struct net_link *out)
{
	const char *kind = rtnl_link_get_type(link), *alias = rtnl_link_get_ifalias(link);
	struct nl_addr *mac = rtnl_link_get_addr(link);

	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", rtnl_link_get_name(link));
	snprintf(out->kind, sizeof(out->kind), "%s", kind ? kind : "");
	out->ours = alias && !strcmp(alias, OUR_ALIAS);
	out->up = rtnl_link_get_flags(link) & IFF_UP;
	out->loopback = rtnl_link_get_flags(link) & IFF_LOOPBACK;
	out->ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER;
	out->ifindex = rtnl_link_get_ifindex(link);
	out->master = rtnl_link_get_master(link);
	out->mtu = rtnl_link_get_mtu(link);
	if (mac && nl_addr_get_len(mac) == NET_MAC)
		memcpy(out->mac, nl_addr_get_binary_addr(mac), NET_MAC);
}

static int netlink_link_get(struct net_kernel *k, const char *name, struct net_link *ret_link)
{
	struct rtnl_link *link;
	int rc = rtnl_link_get_kernel(sock_of(k), 0, name, &link);

	if (rc < 0)
		return errno_of(rc);
	link_read(link, ret_link);
	rtnl_link_put(link);
	return 0;
}

static int netlink_link_each(struct net_kernel *k, net_link_f *f, void *arg)
{
	struct nl_object *object;
	struct nl_cache *cache;
	struct net_link link;
	int rc = rtnl_link_alloc_cache(sock_of(k), AF_UNSPEC, &cache);

	if (rc < 0)
		return errno_of(rc);
	rc = 0;
	for (object = nl_cache_get_first(cache); object && !rc;
	     object = nl_cache_get_next(object)) {
		link_read((struct rtnl_link *)object, &link);
		rc = f(&link, arg);
	}
	nl_cache_free(cache);
	return rc;
}

/* Sends `change` for the link `name`. */
static int link_change(struct net_kernel *k, const char *name, struct rtnl_link *change)
{
	struct rtnl_link *link;
	int rc = rtnl_link_get_kernel(sock_of(k), 0, name, &link);

	if (rc < 0)
		return errno_of(rc);
	rc = rtnl_link_change(sock_of(k), link, change, 0);
	rtnl_link_put(link);
	return errno_of(rc);
}

static int alias_set(struct net_kernel *k, const char *name)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int rc;

	if (!change)
		return -ENOMEM;
	rtnl_link_set_ifalias(change, OUR_ALIAS);
	rc = link_change(k, name, change);
	rtnl_link_put(change);
	return rc;
}

static int netlink_link_del(struct net_kernel *k, const char *name)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int rc;

	if (!link)
		return -ENOMEM;
	rtnl_link_set_name(link, name);
	rc = rtnl_link_delete(sock_of(k), link);
	rtnl_link_put(link);
	return errno_of(rc);
}

static int netlink_bridge_add(struct net_kernel *k, const char *name)
{
	struct rtnl_link *link = rtnl_link_bridge_alloc();
	int rc;

	if (!link)
		return -ENOMEM;
	rtnl_link_set_name(link, name);
	rc = errno_of(rtnl_link_add(sock_of(k), link, NLM_F_CREATE | NLM_F_EXCL));
	rtnl_link_put(link);
	if (rc)
		return rc;
	rc = alias_set(k, name);
	if (rc)
		(void)netlink_link_del(k, name);
	return rc;
}

static int netlink_veth_add(struct net_kernel *k, const char *name, const char *peer, unsigned mtu)
{
	struct rtnl_link *link = rtnl_link_veth_alloc(), *other;
	int rc;

	if (!link)
		return -ENOMEM;
	other = rtnl_link_veth_get_peer(link);
	rtnl_link_set_name(link, name);
	rtnl_link_set_mtu(link, mtu);
	rtnl_link_set_name(other, peer);
	rtnl_link_set_mtu(other, mtu);
	rc = errno_of(rtnl_link_add(sock_of(k), link, NLM_F_CREATE | NLM_F_EXCL));
	rtnl_link_put(other);
	rtnl_link_put(link);
	if (rc)
		return rc;
	rc = alias_set(k, name);
	if (!rc)
		rc = alias_set(k, peer);
	if (rc)
		(void)netlink_link_del(k, name);
	return rc;
}

static int netlink_vlan_add(struct net_kernel *k, const char *name, const char *parent, unsigned id)
{
	struct rtnl_link *link;
	struct net_link below;
	int rc = netlink_link_get(k, parent, &below);

	if (rc)
		return rc;
	link = rtnl_link_vlan_alloc();
	if (!link)
		return -ENOMEM;
	rtnl_link_set_name(link, name);
	rtnl_link_set_link(link, below.ifindex);
	rc = errno_of(rtnl_link_vlan_set_id(link, (uint16_t)id));
	if (!rc)
		rc = errno_of(rtnl_link_add(sock_of(k), link, NLM_F_CREATE | NLM_F_EXCL));
	rtnl_link_put(link);
	return rc;
}

static int netlink_link_up(struct net_kernel *k, const char *name, bool up, bool noarp)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int rc;

	if (!change)
		return -ENOMEM;
	if (up)
		rtnl_link_set_flags(change, IFF_UP | (noarp ? IFF_NOARP : 0));
	else
		rtnl_link_unset_flags(change, IFF_UP);
	rc = link_change(k, name, change);
	rtnl_link_put(change);
	return rc;
}

static int netlink_link_mtu(struct net_kernel *k, const char *name, unsigned mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();
	int rc;

	if (!change)
		return -ENOMEM;
	rtnl_link_set_mtu(change, mtu);
	rc = link_change(k, name, change);
	rtnl_link_put(change);
	return rc;
}

static int netlink_link_master(struct net_kernel *k, const char *name, const char *master)
{
	struct net_link link, bridge;
	int rc = netlink_link_get(k, name, &link);

	if (!rc && master)
		rc = netlink_link_get(k, master, &bridge);
	if (rc)
		return rc;
	if (master)
		return errno_of(
			rtnl_link_enslave_ifindex(sock_of(k), bridge.ifindex, link.ifindex));
	return errno_of(rtnl_link_release_ifindex(sock_of(k), link.ifindex));
}

/* Disabled, not blocking: a bridge without spanning tree has its ports forward again at once (net/bridge/br_stp.c). */
static int netlink_port_forwards(struct net_kernel *k, const char *name, bool forwards)
{
	struct ifinfomsg head = { .ifi_family = AF_BRIDGE };
	struct nlattr *port;
	struct net_link link;
	struct nl_msg *message;
	int rc = netlink_link_get(k, name, &link);

	if (rc)
		return rc;
	head.ifi_index = link.ifindex;
	message = nlmsg_alloc_simple(RTM_SETLINK, 0);
	if (!message)
		return -ENOMEM;
	rc = nlmsg_append(message, &head, sizeof(head), NLMSG_ALIGNTO);
	port = rc ? NULL : nla_nest_start(message, IFLA_PROTINFO | NLA_F_NESTED);
	if (!port || nla_put_u8(message, IFLA_BRPORT_STATE,
				forwards ? BR_STATE_FORWARDING : BR_STATE_DISABLED)) {
		nlmsg_free(message);
		return -ENOMEM;
	}
	nla_nest_end(message, port);
	return errno_of(nl_send_sync(sock_of(k), message));
}

static int netlink_rule_set(struct net_kernel *k, const struct net_rule *want, bool add)
{
	struct rtnl_rule *rule = rtnl_rule_alloc();
	int rc;

	if (!rule)
		return -ENOMEM;
	rtnl_rule_set_family(rule, want->family);
	rtnl_rule_set_prio(rule, want->pref);
	rtnl_rule_set_table(rule, want->table);
	rtnl_rule_set_action(rule, FR_ACT_TO_TBL);
	rtnl_rule_set_protocol(rule, OUR_PROTOCOL);
	if (want->iif)
		rtnl_rule_set_iif(rule, want->iif);
	else
		rtnl_rule_set_mark(rule, want->mark);
	if (add)
		rc = errno_of(rtnl_rule_add(sock_of(k), rule, NLM_F_CREATE | NLM_F_EXCL));
	else
		rc = errno_of(rtnl_rule_delete(sock_of(k), rule, 0));
	rtnl_rule_put(rule);
	if ((add && rc == -EEXIST) || (!add && rc == -ENODEV))
		return 0;
	return rc;
}

static struct rtnl_route *route_build(const struct net_route *want)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *all = nl_addr_build(want->family, NULL, 0);

	if (!route || !hop || !all) {
		rtnl_route_put(route);
		if (hop)
			rtnl_route_nh_free(hop);
		nl_addr_put(all);
		return NULL;
	}
	rtnl_route_set_family(route, want->family);
	rtnl_route_set_table(route, want->table);
	rtnl_route_set_type(route, want->local ? RTN_LOCAL : RTN_UNICAST);
	rtnl_route_set_scope(route, want->local ? RT_SCOPE_HOST : RT_SCOPE_LINK);
	rtnl_route_set_protocol(route, OUR_PROTOCOL);
	rtnl_route_set_dst(route, all);
	nl_addr_put(all);
	rtnl_route_nh_set_ifindex(hop, want->ifindex);
	rtnl_route_add_nexthop(route, hop);
	return route;
}

static int netlink_route_set(struct net_kernel *k, const struct net_route *want, bool add)
{
	struct rtnl_route *route = route_build(want);
	int rc;

	if (!route)
		return -ENOMEM;
	if (add)
		rc = errno_of(rtnl_route_add(sock_of(k), route, NLM_F_CREATE | NLM_F_EXCL));
	else
		rc = errno_of(rtnl_route_delete(sock_of(k), route, 0));
	rtnl_route_put(route);
	/* A route that is gone gives ESRCH, which libnl calls NLE_OBJ_NOTFOUND. */
	if ((add && rc == -EEXIST) || (!add && rc == -ENODEV))
		return 0;
	return rc;
}

static int netlink_sysctl(struct net_kernel *k, const char *path, const char *value)
{
	size_t len = strlen(value);
	char file[128];
	ssize_t n;
	int fd, rc;

	(void)k;
	snprintf(file, sizeof(file), "%s%s", path[0] == '/' ? "" : "/proc/sys/", path);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, value, len);
	rc = n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
	close(fd);
	return rc;
}

/* A bridge's forwarding table is a neighbour dump of its own family. */
static int fdb_port(struct nl_sock *sock, int bridge, const struct nl_addr *mac, int *ret_ifindex)
{
	struct nl_object *object;
	struct nl_cache *cache;
	int rc = nl_cache_alloc_name("route/neigh", &cache), found = -ENOENT;

	if (rc < 0)
		return errno_of(rc);
	nl_cache_set_arg1(cache, AF_BRIDGE);
	rc = nl_cache_refill(sock, cache);
	if (rc < 0) {
		nl_cache_free(cache);
		return errno_of(rc);
	}
	for (object = nl_cache_get_first(cache); object; object = nl_cache_get_next(object)) {
		struct rtnl_neigh *entry = (struct rtnl_neigh *)object;
		struct nl_addr *lladdr = rtnl_neigh_get_lladdr(entry);

		if (rtnl_neigh_get_family(entry) == AF_BRIDGE && lladdr &&
		    rtnl_neigh_get_master(entry) == bridge &&
		    rtnl_neigh_get_ifindex(entry) != bridge && !nl_addr_cmp(lladdr, mac)) {
			*ret_ifindex = rtnl_neigh_get_ifindex(entry);
			found = 0;
			break;
		}
	}
	nl_cache_free(cache);
	return found;
}

/* The MAC of next hop `via` on `ifindex`, if the neighbour is known. Caller puts it. */
static struct nl_addr *neighbour_mac(struct nl_sock *sock, int ifindex, struct nl_addr *via)
{
	struct nl_addr *mac = NULL;
	struct rtnl_neigh *entry;
	struct nl_cache *cache;

	if (rtnl_neigh_alloc_cache(sock, &cache) < 0)
		return NULL;
	entry = rtnl_neigh_get(cache, ifindex, via);
	if (entry) {
		mac = rtnl_neigh_get_lladdr(entry);
		if (mac)
			nl_addr_get(mac);
		rtnl_neigh_put(entry);
	}
	nl_cache_free(cache);
	return mac;
}

/* Is it the bridge, or a VLAN of it? */
static bool is_of_bridge(struct nl_sock *sock, int ifindex, int bridge)
{
	struct rtnl_link *link;
	bool is;

	if (ifindex == bridge)
		return true;
	if (rtnl_link_get_kernel(sock, ifindex, NULL, &link) < 0)
		return false;
	is = rtnl_link_is_vlan(link) && rtnl_link_get_link(link) == bridge;
	rtnl_link_put(link);
	return is;
}

static int router_port_of(struct nl_sock *sock, int bridge, struct rtnl_route *route,
			  int *ret_ifindex)
{
	struct rtnl_nexthop *hop;
	struct nl_addr *via, *mac;
	int rc;

	if (rtnl_route_get_table(route) != RT_TABLE_MAIN ||
	    nl_addr_get_prefixlen(rtnl_route_get_dst(route)) != 0 ||
	    rtnl_route_get_nnexthops(route) < 1)
		return -ENOENT;
	hop = rtnl_route_nexthop_n(route, 0);
	via = rtnl_route_nh_get_gateway(hop);
	if (!via || !is_of_bridge(sock, rtnl_route_nh_get_ifindex(hop), bridge))
		return -ENOENT;
	mac = neighbour_mac(sock, rtnl_route_nh_get_ifindex(hop), via);
	if (!mac)
		return -ENOENT;
	rc = fdb_port(sock, bridge, mac, ret_ifindex);
	nl_addr_put(mac);
	return rc;
}

static int netlink_router_port(struct net_kernel *k, const char *bridge, int *ret_ifindex)
{
	struct nl_object *object;
	struct nl_cache *cache;
	struct net_link br;
	int rc = netlink_link_get(k, bridge, &br);

	if (rc)
		return rc;
	rc = rtnl_route_alloc_cache(sock_of(k), AF_UNSPEC, 0, &cache);
	if (rc < 0)
		return errno_of(rc);
	rc = -ENOENT;
	for (object = nl_cache_get_first(cache); object && rc; object = nl_cache_get_next(object))
		rc = router_port_of(sock_of(k), br.ifindex, (struct rtnl_route *)object,
				    ret_ifindex);
	nl_cache_free(cache);
	return rc;
}

static void netlink_offloads(struct net_kernel *k, const char *name,
			     struct net_offloads *ret_offloads)
{
	(void)k;
	offload_read(name, ret_offloads);
}

static void netlink_close(struct net_kernel **k)
{
	if (!*k)
		return;
	nl_socket_free(sock_of(*k));
	free(*k);
	*k = NULL;
}

static const struct net_kernel_ops netlink_ops = {
	.link_get = netlink_link_get,
	.link_each = netlink_link_each,
	.bridge_add = netlink_bridge_add,
	.veth_add = netlink_veth_add,
	.vlan_add = netlink_vlan_add,
	.link_del = netlink_link_del,
	.link_up = netlink_link_up,
	.link_mtu = netlink_link_mtu,
	.link_master = netlink_link_master,
	.port_forwards = netlink_port_forwards,
	.rule_set = netlink_rule_set,
	.route_set = netlink_route_set,
	.sysctl = netlink_sysctl,
	.router_port = netlink_router_port,
	.offloads = netlink_offloads,
	.close = netlink_close,
};

int net_kernel_open(struct net_kernel **ret_kernel)
{
	struct netlink_kernel *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return -ENOMEM;
	k->base.ops = &netlink_ops;
	k->sock = nl_socket_alloc();
	if (!k->sock) {
		free(k);
		return -ENOMEM;
	}
	rc = nl_connect(k->sock, NETLINK_ROUTE);
	if (rc < 0) {
		nl_socket_free(k->sock);
		free(k);
		return errno_of(rc);
	}
	*ret_kernel = &k->base;
	return 0;
}
