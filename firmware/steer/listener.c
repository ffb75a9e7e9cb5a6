/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bound to the loopback address and any port: sk_lookup gives it connections to whatever address and port,
 * but nobody on the network can reach it without being intercepted. Dual stack: sk_lookup may give it IPv4
 * connections although ::1 is no IPv4 address.
 */
#include "firmware/steer/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

int listener_open(uint32_t mark)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	/* IP_TRANSPARENT of an IPv6 socket is for the IPv4 connections that it gets. */
	if (option(fd, SOL_IPV6, IPV6_V6ONLY, 0) || option(fd, SOL_IP, IP_TRANSPARENT, 1) ||
	    option(fd, SOL_IPV6, IPV6_TRANSPARENT, 1) || option(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
	    option(fd, SOL_SOCKET, SO_MARK, (int)mark) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, BACKLOG)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}
