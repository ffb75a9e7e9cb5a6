/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No spanning tree of our own, no forward delay, no multicast snooping: a cable has none of them. The bridge forwards
 * the switches' own spanning tree frames (net/bridge/br_input.c does so while it has no STP itself), so that a loop
 * through us is found by those whom it concerns.
 */
#include "firmware/boot/bridge.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "firmware/net/kernel.h"

#define SYS "/sys/class/net/" BRIDGE_NAME

/* What differs from the kernel's defaults, and why the kernel may refuse it: an option left out of its build. */
static const struct {
	const char *path, *value;
} options[] = {
	{ SYS "/bridge/stp_state", "0" },
	{ SYS "/bridge/forward_delay", "0" },
	{ SYS "/bridge/multicast_snooping", "0" },
	/* As firmware/net: what a switch keeps to itself passes, but for pause and link aggregation. */
	{ SYS "/bridge/group_fwd_mask", "0xfff8" },
	/* Addresses come when it is known where the box itself is (manage.h). */
	{ "net/ipv6/conf/" BRIDGE_NAME "/disable_ipv6", "1" },
	/* Not a keeper's: see the top of bridge.h. */
	{ SYS "/ifalias", "\n" },
};

int bridge_make(struct net_kernel *k)
{
	int rc = k->ops->bridge_add(k, BRIDGE_NAME);

	if (rc && rc != -EEXIST)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		(void)k->ops->sysctl(k, options[i].path, options[i].value);
	return k->ops->link_up(k, BRIDGE_NAME, true, false);
}

int bridge_join(struct net_kernel *k, const char *name)
{
	struct net_link link;
	char path[96];
	int rc = k->ops->link_get(k, name, &link);

	if (rc)
		return rc == -ENODEV ? 0 : rc;
	if (!link.ethernet || link.loopback || link.ours || link.master || *link.kind)
		return 0;
	/* A port has no address of its own. */
	(void)snprintf(path, sizeof(path), "net/ipv6/conf/%.15s/disable_ipv6", name);
	(void)k->ops->sysctl(k, path, "1");
	rc = k->ops->link_master(k, name, BRIDGE_NAME);
	if (!rc)
		rc = k->ops->link_up(k, name, true, false);
	return rc ? rc : 1;
}

void bridge_each_port(void (*f)(const char *name, void *arg), void *arg)
{
	DIR *dir = opendir(SYS "/brif");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			f(e->d_name, arg);
	if (dir)
		closedir(dir);
}

static void port_count(const char *name, void *arg)
{
	size_t *n = arg;

	(void)name;
	*n += 1;
}

size_t bridge_ports(void)
{
	size_t n = 0;

	bridge_each_port(port_count, &n);
	return n;
}
