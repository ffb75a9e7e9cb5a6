/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sk_lookup gives these sockets connections to whatever address and port. They are bound to the wildcard
 * address, because binding an IPv6 socket to anything else makes it IPv6-only (inet6_bind), and to any port;
 * so that nobody can reach them there without being intercepted, a filter lets only marked packets in.
 * Children inherit it: intercepted connections live on marked packets alone.
 */
#include "firmware/steer/listener.h"

#include <errno.h>
#include <linux/filter.h>
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

static int marked_only(int fd, uint32_t mark)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_MARK)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

int listener_open(uint32_t mark)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	/* IP_TRANSPARENT of an IPv6 socket is for the IPv4 connections that it gets. */
	if (option(fd, SOL_IPV6, IPV6_V6ONLY, 0) || option(fd, SOL_IP, IP_TRANSPARENT, 1) ||
	    option(fd, SOL_IPV6, IPV6_TRANSPARENT, 1) || option(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
	    option(fd, SOL_SOCKET, SO_MARK, (int)mark) || marked_only(fd, mark) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, BACKLOG)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}
