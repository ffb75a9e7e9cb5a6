/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	manage_set ──► another VLAN: leave (clients end, addresses go) ──► enter (interface, clients begin)
 *		   ──► another MTU:  each port; who refuses it keeps what it has, and that is said
 *
 * A bridge's own MTU follows the least of its ports (net/bridge/br_if.c), a VLAN's only downwards (net/8021q/vlan.c).
 */
#include "firmware/boot/manage.h"

#include <stdio.h>
#include <string.h>

#include "firmware/base/check.h"
#include "firmware/base/log.h"
#include "firmware/boot/bridge.h"
#include "firmware/boot/run.h"
#include "firmware/boot/say.h"
#include "firmware/boot/service.h"
#include "firmware/net/kernel.h"

#define FLUSH_S 10

static void ipv6_set(struct manage *m, const char *interface, bool on)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "net/ipv6/conf/%s/disable_ipv6", interface);
	(void)m->kernel->ops->sysctl(m->kernel, path, on ? "0" : "1");
}

/* ---- the interface ------------------------------------------------------------------------------ */

static void leave(struct manage *m)
{
	static const char *const flush[] = { "/usr/bin/ip", "-4",	 "addr", "flush",
					     "dev",	    BRIDGE_NAME, NULL };
	int rc;

	service_drop(m->dhcp);
	service_drop(m->dhcp6);
	if (m->vlan) {
		rc = m->kernel->ops->link_del(m->kernel, m->interface);
	} else {
		ipv6_set(m, BRIDGE_NAME, false);
		rc = run_tool(flush, NULL, FLUSH_S);
	}
	if (rc)
		say("management", "interface=%s action=leave error=%d", m->interface, rc);
}

static void argv_set(struct manage *m)
{
	const char *const dhcp[] = { "/usr/bin/udhcpc",
				     "-f",
				     "-i",
				     m->interface,
				     "-s",
				     "/usr/lib/tarn/udhcpc",
				     "-t",
				     "4",
				     "-T",
				     "2",
				     "-A",
				     "5",
				     "-O",
				     "mtu",
				     "-O",
				     "ntpsrv",
				     "-V",
				     "tarn",
				     NULL };
	const char *const dhcp6[] = { "/usr/sbin/dhcpcd", "-B", "-f", "/usr/share/tarn/dhcpcd.conf",
				      m->interface,	  NULL };

	_Static_assert(sizeof(dhcp) <= sizeof(m->dhcp_argv) &&
			       sizeof(dhcp6) <= sizeof(m->dhcp6_argv),
		       "they fit");
	memcpy(m->dhcp_argv, dhcp, sizeof(dhcp));
	memcpy(m->dhcp6_argv, dhcp6, sizeof(dhcp6));
	m->dhcp->argv = m->dhcp_argv;
	m->dhcp6->argv = m->dhcp6_argv;
	m->dhcp6->ends_its_own = true;
}

static void vlan_mtu(struct manage *m)
{
	struct net_link bridge, own;

	if (m->vlan && !m->kernel->ops->link_get(m->kernel, BRIDGE_NAME, &bridge) &&
	    !m->kernel->ops->link_get(m->kernel, m->interface, &own) && own.mtu != bridge.mtu)
		(void)m->kernel->ops->link_mtu(m->kernel, m->interface, bridge.mtu);
}

static void enter(struct manage *m, unsigned vlan, uint64_t now_ms)
{
	const struct net_kernel_ops *ops = m->kernel->ops;
	int rc = 0;

	m->vlan = vlan;
	(void)snprintf(m->interface, sizeof(m->interface), vlan ? BRIDGE_NAME ".%u" : BRIDGE_NAME,
		       vlan);
	if (vlan) {
		rc = ops->vlan_add(m->kernel, m->interface, BRIDGE_NAME, vlan);
		if (!rc)
			rc = ops->link_up(m->kernel, m->interface, true, false);
	}
	ipv6_set(m, m->interface, true);
	argv_set(m);
	service_want(m->dhcp, now_ms);
	service_want(m->dhcp6, now_ms);
	if (vlan || m->begun)
		say("management", "interface=%s vlan=%u error=%d", m->interface, vlan, rc);
}

/* ---- ports -------------------------------------------------------------------------------------- */

/* Where its own MTU is kept. NULL: there is no room for it. */
static unsigned *own_mtu(struct manage *m, const struct net_link *link)
{
	for (size_t i = 0; i < MANAGE_PORTS; i++) {
		if (!*m->port[i].name) {
			(void)snprintf(m->port[i].name, IFNAMSIZ, "%s", link->name);
			m->port[i].own = link->mtu;
		}
		if (!strcmp(m->port[i].name, link->name))
			return &m->port[i].own;
	}
	return NULL;
}

static void port_mtu(const char *name, void *arg)
{
	struct manage *m = arg;
	const unsigned *own;
	struct net_link link;
	unsigned mtu;
	int rc;

	if (m->kernel->ops->link_get(m->kernel, name, &link))
		return;
	own = own_mtu(m, &link);
	mtu = m->mtu ? m->mtu : own ? *own : link.mtu;
	if (mtu == link.mtu)
		return;
	rc = m->kernel->ops->link_mtu(m->kernel, name, mtu);
	say("port", "name=%s mtu=%u error=%d", name, rc ? link.mtu : mtu, rc);
	m->ports_changed = m->ports_changed || !rc;
}

void manage_port(struct manage *m, const char *name)
{
	port_mtu(name, m);
	vlan_mtu(m);
}

void manage_set(struct manage *m, unsigned vlan, unsigned mtu, uint64_t now_ms)
{
	/* First: no frame of ours is to be larger than what passes. */
	if (mtu != m->mtu) {
		m->mtu = mtu;
		bridge_each_port(port_mtu, m);
	}
	if (!m->begun || vlan != m->vlan) {
		if (m->begun)
			leave(m);
		enter(m, vlan, now_ms);
		m->begun = true;
	}
	vlan_mtu(m);
}
