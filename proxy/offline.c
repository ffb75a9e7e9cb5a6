/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/offline.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cache/store.h"
#include "proxy/config.h"
#include "proxy/dns/reach.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

/* Would a packet to somebody far away find a way? No packet is sent: connect(2) of a datagram socket only looks it up. */
static bool leads_out(const void *to, socklen_t n, int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool there = fd >= 0 && !connect(fd, to, n);

	if (fd >= 0)
		close(fd);
	return there;
}

/* Nobody is at these (RFC 5737, RFC 3849), so no route but the default one leads there. */
static bool has_way_out(void)
{
	const struct sockaddr_in ip4 = { .sin_family = AF_INET,
					 .sin_port = htons(9),
					 .sin_addr.s_addr = htonl(0xcb0071fe) };
	struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(9),
				    .sin6_addr.s6_addr = { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff } };

	ip6.sin6_addr.s6_addr[15] = 1;
	return leads_out(&ip4, sizeof(ip4), AF_INET) || leads_out(&ip6, sizeof(ip6), AF_INET6);
}

const char *offline_lacks(struct worker *control)
{
	struct store_stat stat = { 0 };

	if (control->proxy->store)
		store_stat(control->proxy->store, &stat);
	if (!stat.objects)
		return "nothing is stored yet";
	if (!has_way_out())
		return "this box has no default route, by which it would see a vendor come back";
	return NULL;
}

bool offline_serves(struct worker *control)
{
	return control->config->settings.steer.offline && control->proxy->reach &&
	       !reach_any(control->proxy->reach) && !offline_lacks(control);
}
