/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/keeper/front.h"

#include <string.h>

#include "firmware/base/log.h"
#include "firmware/base/tarn_conf.h"
#include "firmware/net/net.h"
#include "firmware/steer/steer.h"

void front_set(struct front *front, const struct tarn_settings *settings)
{
	struct tarn_front *f = &front->wanted;
	const struct addr_list *listen = &settings->admin.listen;

	f->ports = 0;
	memset(f->port, 0, sizeof(f->port));
	if (settings->admin.from == TARN_ADMIN_ANY)
		return;
	for (size_t i = 0; i < listen->n; i++) {
		uint16_t port = addr_port(&listen->v[i]);
		__u32 at = 0;

		while (at < f->ports && f->port[at] != port)
			at++;
		if (at == f->ports && at < TARN_FRONT_PORTS)
			f->port[f->ports++] = port;
		else if (at == f->ports)
			LOG(LOG_L_WARN, "keeper.front", "open_port=%u note=%s", port,
			    "\"more different ports in [admin] listen than are kept from the "
			    "upstream side\"");
	}
}

void front_see(struct front *front, const struct network *net, struct steer *steer)
{
	struct tarn_front *f = &front->wanted;
	const struct net_port *ports;
	struct net_link bridge;
	size_t n;
	int rc = net_bridge(net, &bridge);

	/* Of a bridge that can't be asked for just now what was known stays. */
	if (rc == 0) {
		f->bridge = (__u32)bridge.ifindex;
		memcpy(f->mac, bridge.mac, sizeof(f->mac));
	} else if (!f->bridge) {
		ports = net_ports(net, &n);
		f->outside = 0;
		for (size_t i = 0; i < n; i++)
			if (ports[i].role == NET_WAN)
				f->outside = (__u32)ports[i].ifindex;
	}
	if (front->is_told && !memcmp(f, &front->told, sizeof(*f)))
		return;
	rc = steer_front(steer, f);
	LOG(rc ? LOG_L_ERROR : LOG_L_NOTICE, "keeper.front", "ports=%u error=%d", f->ports, rc);
	front->is_told = rc == 0;
	front->told = *f;
}

bool front_shut(const struct front *front, const struct network *net)
{
	const struct net_port *ports;
	size_t n = 0, wan = 0;

	ports = net ? net_ports(net, &n) : NULL;
	for (size_t i = 0; i < n; i++)
		wan += ports[i].role == NET_WAN;
	return front->is_told && front->told.ports > 0 && wan > 0;
}
