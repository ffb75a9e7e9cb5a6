/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enough of a kernel for firmware/net's logic: names are unique, deleting a bridge frees its ports, deleting one
 * end of a veth deletes the other, routes go with their device.
 */
#include "firmware/net/fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX 64
#define OTHER_MAX 16

struct fake_kernel {
	struct net_kernel base;
	struct net_link links[LINKS_MAX];
	char peer[LINKS_MAX][IFNAMSIZ];
	struct {
		char name[IFNAMSIZ];
		struct net_offloads has;
	} offloads[OTHER_MAX];
	size_t n_links;
	struct net_rule rules[OTHER_MAX];
	size_t n_rules;
	struct net_route routes[OTHER_MAX];
	size_t n_routes;
	int next_ifindex;
	int router_port;
	int changes;
	int fail_at; /* of changes; -1: never */
};

static struct fake_kernel *fake_of(const struct net_kernel *k)
{
	return (struct fake_kernel *)k;
}

/* Every change passes here. */
static int change(struct fake_kernel *f)
{
	return f->changes++ == f->fail_at ? -EIO : 0;
}

static struct net_link *find(struct fake_kernel *f, const char *name)
{
	for (size_t i = 0; i < f->n_links; i++)
		if (!strcmp(f->links[i].name, name))
			return &f->links[i];
	return NULL;
}

static struct net_link *add(struct fake_kernel *f, const char *name, const char *kind)
{
	struct net_link *link = &f->links[f->n_links];

	if (f->n_links == LINKS_MAX)
		abort();
	memset(link, 0, sizeof(*link));
	memset(f->peer[f->n_links], 0, IFNAMSIZ);
	f->n_links++;
	snprintf(link->name, sizeof(link->name), "%s", name);
	snprintf(link->kind, sizeof(link->kind), "%s", kind);
	link->ifindex = ++f->next_ifindex;
	link->ethernet = true;
	link->mtu = 1500;
	return link;
}

static void routes_of_device_drop(struct fake_kernel *f, int ifindex)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_routes; i++)
		if (f->routes[i].ifindex != ifindex)
			f->routes[n++] = f->routes[i];
	f->n_routes = n;
}

static void drop(struct fake_kernel *f, struct net_link *link)
{
	size_t i = (size_t)(link - f->links);
	int ifindex = link->ifindex;

	routes_of_device_drop(f, ifindex);
	f->links[i] = f->links[f->n_links - 1];
	memcpy(f->peer[i], f->peer[f->n_links - 1], IFNAMSIZ);
	f->n_links--;
	for (size_t j = 0; j < f->n_links; j++)
		if (f->links[j].master == ifindex)
			f->links[j].master = 0;
}

static int fake_link_get(struct net_kernel *k, const char *name, struct net_link *ret_link)
{
	const struct net_link *link = find(fake_of(k), name);

	if (!link)
		return -ENODEV;
	*ret_link = *link;
	return 0;
}

static int fake_link_each(struct net_kernel *k, net_link_f *f, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < fake_of(k)->n_links && !rc; i++)
		rc = f(&fake_of(k)->links[i], arg);
	return rc;
}

static int fake_bridge_add(struct net_kernel *k, const char *name)
{
	struct fake_kernel *f = fake_of(k);

	if (change(f))
		return -EIO;
	if (find(f, name))
		return -EEXIST;
	add(f, name, "bridge")->ours = true;
	return 0;
}

static int fake_vlan_add(struct net_kernel *k, const char *name, const char *parent, unsigned id)
{
	struct fake_kernel *f = fake_of(k);

	(void)id;
	if (change(f))
		return -EIO;
	if (!find(f, parent))
		return -ENODEV;
	if (find(f, name))
		return -EEXIST;
	(void)add(f, name, "vlan");
	return 0;
}

static int fake_veth_add(struct net_kernel *k, const char *name, const char *peer, unsigned mtu)
{
	struct fake_kernel *f = fake_of(k);
	struct net_link *link;

	if (change(f))
		return -EIO;
	if (find(f, name) || find(f, peer))
		return -EEXIST;
	for (int end = 0; end < 2; end++) {
		link = add(f, end ? peer : name, "veth");
		link->ours = true;
		link->mtu = mtu;
		snprintf(f->peer[f->n_links - 1], IFNAMSIZ, "%s", end ? name : peer);
	}
	return 0;
}

static int fake_link_del(struct net_kernel *k, const char *name)
{
	struct fake_kernel *f = fake_of(k);
	struct net_link *link = find(f, name);
	char peer[IFNAMSIZ];

	if (change(f))
		return -EIO;
	if (!link)
		return -ENODEV;
	memcpy(peer, f->peer[link - f->links], IFNAMSIZ);
	drop(f, link);
	link = *peer ? find(f, peer) : NULL;
	if (link)
		drop(f, link);
	return 0;
}

static int fake_link_up(struct net_kernel *k, const char *name, bool up, bool noarp)
{
	struct net_link *link = find(fake_of(k), name);

	(void)noarp;
	if (change(fake_of(k)))
		return -EIO;
	if (!link)
		return -ENODEV;
	link->up = up;
	return 0;
}

static int fake_link_mtu_set(struct net_kernel *k, const char *name, unsigned mtu)
{
	struct net_link *link = find(fake_of(k), name);

	if (change(fake_of(k)))
		return -EIO;
	if (!link)
		return -ENODEV;
	link->mtu = mtu;
	return 0;
}

static int fake_link_master(struct net_kernel *k, const char *name, const char *master)
{
	struct net_link *link = find(fake_of(k), name);
	const struct net_link *bridge = master ? find(fake_of(k), master) : NULL;

	if (change(fake_of(k)))
		return -EIO;
	if (!link || (master && !bridge))
		return -ENODEV;
	link->master = bridge ? bridge->ifindex : 0;
	return 0;
}

static int fake_port_forwards(struct net_kernel *k, const char *name, bool forwards)
{
	(void)forwards;
	if (change(fake_of(k)))
		return -EIO;
	return find(fake_of(k), name) ? 0 : -ENODEV;
}

static bool rule_same(const struct net_rule *a, const struct net_rule *b)
{
	return a->family == b->family && a->pref == b->pref && a->table == b->table &&
	       a->mark == b->mark && !a->iif == !b->iif && (!a->iif || !strcmp(a->iif, b->iif));
}

static int fake_rule_set(struct net_kernel *k, const struct net_rule *rule, bool on)
{
	struct fake_kernel *f = fake_of(k);

	if (change(f))
		return -EIO;
	for (size_t i = 0; i < f->n_rules; i++) {
		if (!rule_same(&f->rules[i], rule))
			continue;
		if (!on)
			f->rules[i] = f->rules[--f->n_rules];
		return 0;
	}
	if (on && f->n_rules == OTHER_MAX)
		return -ENOSPC;
	if (on)
		f->rules[f->n_rules++] = *rule;
	return 0;
}

static int fake_route_set(struct net_kernel *k, const struct net_route *route, bool on)
{
	struct fake_kernel *f = fake_of(k);

	if (change(f))
		return -EIO;
	for (size_t i = 0; i < f->n_routes; i++) {
		if (f->routes[i].family != route->family || f->routes[i].table != route->table)
			continue;
		if (!on)
			f->routes[i] = f->routes[--f->n_routes];
		return 0;
	}
	if (on && f->n_routes == OTHER_MAX)
		return -ENOSPC;
	if (on)
		f->routes[f->n_routes++] = *route;
	return 0;
}

static int fake_sysctl(struct net_kernel *k, const char *path, const char *value)
{
	(void)path, (void)value;
	return change(fake_of(k));
}

static int fake_router_port_get(struct net_kernel *k, const char *bridge, int *ret_ifindex)
{
	if (!find(fake_of(k), bridge) || !fake_of(k)->router_port)
		return -ENOENT;
	*ret_ifindex = fake_of(k)->router_port;
	return 0;
}

static void fake_offloads_get(struct net_kernel *k, const char *name,
			      struct net_offloads *ret_offloads)
{
	const struct fake_kernel *f = fake_of(k);

	*ret_offloads = (struct net_offloads){ 0 };
	for (size_t i = 0; i < OTHER_MAX; i++)
		if (!strcmp(f->offloads[i].name, name))
			*ret_offloads = f->offloads[i].has;
}

static void fake_close(struct net_kernel **k)
{
	free(fake_of(*k));
	*k = NULL;
}

static const struct net_kernel_ops fake_ops = {
	.link_get = fake_link_get,
	.link_each = fake_link_each,
	.bridge_add = fake_bridge_add,
	.veth_add = fake_veth_add,
	.vlan_add = fake_vlan_add,
	.link_del = fake_link_del,
	.link_up = fake_link_up,
	.link_mtu = fake_link_mtu_set,
	.link_master = fake_link_master,
	.port_forwards = fake_port_forwards,
	.rule_set = fake_rule_set,
	.route_set = fake_route_set,
	.sysctl = fake_sysctl,
	.router_port = fake_router_port_get,
	.offloads = fake_offloads_get,
	.close = fake_close,
};

int fake_kernel_open(struct net_kernel **ret_kernel)
{
	struct fake_kernel *f = calloc(1, sizeof(*f));
	struct net_link *lo;

	if (!f)
		return -ENOMEM;
	f->base.ops = &fake_ops;
	f->fail_at = -1;
	lo = add(f, "lo", "");
	lo->loopback = true;
	lo->ethernet = false;
	*ret_kernel = &f->base;
	return 0;
}

int fake_link(struct net_kernel *k, const char *name, const char *kind, const char *master)
{
	struct net_link *link = add(fake_of(k), name, kind);

	link->master = master ? find(fake_of(k), master)->ifindex : 0;
	return link->ifindex;
}

void fake_link_mtu(struct net_kernel *k, const char *name, unsigned mtu)
{
	find(fake_of(k), name)->mtu = mtu;
}

void fake_offloads(struct net_kernel *k, const char *name, const struct net_offloads *offloads)
{
	struct fake_kernel *f = fake_of(k);
	size_t i = 0;

	while (i < OTHER_MAX - 1 && *f->offloads[i].name && strcmp(f->offloads[i].name, name) != 0)
		i++;
	(void)snprintf(f->offloads[i].name, IFNAMSIZ, "%s", name);
	f->offloads[i].has = *offloads;
}

void fake_router_port(struct net_kernel *k, int ifindex)
{
	fake_of(k)->router_port = ifindex;
}

void fake_fail(struct net_kernel *k, int n)
{
	fake_of(k)->fail_at = n < 0 ? -1 : fake_of(k)->changes + n;
}

int fake_changes(const struct net_kernel *k)
{
	return fake_of(k)->changes;
}

size_t fake_rules(const struct net_kernel *k)
{
	return fake_of(k)->n_rules;
}

size_t fake_routes(const struct net_kernel *k)
{
	return fake_of(k)->n_routes;
}

size_t fake_links(const struct net_kernel *k)
{
	return fake_of(k)->n_links;
}
