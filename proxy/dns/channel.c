/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to c-ares.
 *
 * A channel owns its c-ares channel, one event for each socket that c-ares has open, and one timer. c-ares says by
 * sock_state() which sockets it wants watched; after everything that may change them the timer is set anew.
 * c-ares must not be destroyed inside its own callbacks, so a retired channel goes by a timer event of its own.
 */
#include "proxy/dns/channel.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "firmware/base/stat.h"
#include "proxy/loop.h"

#define TRIES	  2
#define ADDRS_MAX 16

struct watch {
	LIST_ENTRY(watch) link;
	struct channel *channel;
	struct event event;
	ares_socket_t fd;
};

struct question {
	struct channel *channel;
	channel_f *f;
	void *arg;
	int family;
};

struct channel {
	struct worker *control;
	ares_channel ares;
	LIST_HEAD(, watch) watches;
	struct event timer, last_event;
	unsigned open; /* questions under way */
	bool retired;
};

static void timer_set(struct channel *channel)
{
	struct timeval tv;

	if (ares_timeout(channel->ares, NULL, &tv))
		CHECK_OK(event_add(&channel->timer, &tv));
	else
		event_del(&channel->timer);
}

static void timer_run(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;

	(void)fd;
	(void)what;
	ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	timer_set(channel);
}

static void watch_run(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	struct channel *channel = watch->channel;

	/* After this call the watch may be gone. */
	ares_process_fd(channel->ares, what & EV_READ ? fd : ARES_SOCKET_BAD,
			what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	timer_set(channel);
}

static struct watch *watch_of(struct channel *channel, ares_socket_t fd)
{
	struct watch *watch;

	LIST_FOREACH(watch, &channel->watches, link)
	if (watch->fd == fd)
		return watch;
	return NULL;
}

/* c-ares opened, closes or waits otherwise for a socket. */
static void sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct channel *channel = arg;
	struct watch *watch = watch_of(channel, fd);
	short what = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	if (watch)
		event_del(&watch->event);
	if (!what) {
		if (watch) {
			LIST_REMOVE(watch, link);
			free(watch);
		}
		return;
	}
	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return; /* this question runs into its time limit */
		watch->channel = channel;
		watch->fd = fd;
		LIST_INSERT_HEAD(&channel->watches, watch, link);
	}
	CHECK_OK(event_assign(&watch->event, channel->control->base, fd, (short)(what | EV_PERSIST),
			      watch_run, watch));
	if (event_add(&watch->event, NULL) < 0) {
		LIST_REMOVE(watch, link);
		free(watch);
	}
}

static void last_run(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;

	(void)fd;
	(void)what;
	channel_free(&channel);
}

/* [dns] servers, or a public resolver: IP and port each. */
static int servers_set(ares_channel ares, const struct addr *servers, size_t n)
{
	struct ares_addr_port_node *nodes = calloc(n, sizeof(*nodes));
	int status;

	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct addr *server = &servers[i];

		nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
		nodes[i].family = server->sa.sa_family;
		nodes[i].udp_port = nodes[i].tcp_port = addr_port(server);
		if (server->sa.sa_family == AF_INET)
			memcpy(&nodes[i].addr.addr4, &server->in4.sin_addr, 4);
		else
			memcpy(&nodes[i].addr.addr6, &server->in6.sin6_addr, 16);
	}
	status = ares_set_servers_ports(ares, nodes);
	free(nodes);
	return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

int channel_new(struct worker *control, const struct addr *servers, size_t servers_n,
		unsigned timeout_ms, struct channel **ret_channel)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	struct ares_options options = { .timeout = (int)timeout_ms, .tries = TRIES };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS |
		   ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
	char lookups[] = "fb", lookups_servers[] = "b";
	int rc = 0;

	if (!channel)
		return -ENOMEM;
	options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
	options.sock_state_cb = sock_state;
	options.sock_state_cb_data = channel;
	options.lookups = servers_n ? lookups_servers : lookups;
	channel->control = control;
	LIST_INIT(&channel->watches);
	switch (ares_init_options(&channel->ares, &options, mask)) {
	case ARES_SUCCESS:
		break;
	case ARES_EFILE:
		rc = -EIO;
		break;
	default:
		rc = -ENOMEM;
		break;
	}
	if (rc < 0) {
		free(channel);
		return rc;
	}
	CHECK_OK(evtimer_assign(&channel->timer, control->base, timer_run, channel));
	CHECK_OK(evtimer_assign(&channel->last_event, control->base, last_run, channel));
	if (servers_n)
		rc = servers_set(channel->ares, servers, servers_n);
	if (rc < 0) {
		channel_free(&channel);
		return rc;
	}
	*ret_channel = channel;
	return 0;
}

static void retired_check(struct channel *channel)
{
	static const struct timeval at_once = { 0, 0 };

	if (channel->retired && !channel->open)
		CHECK_OK(event_add(&channel->last_event, &at_once));
}

void channel_retire(struct channel **channel)
{
	if (!*channel)
		return;
	(*channel)->retired = true;
	retired_check(*channel);
	*channel = NULL;
}

void channel_free(struct channel **ptr)
{
	struct channel *channel = *ptr;

	*ptr = NULL;
	if (!channel)
		return;
	channel->retired = false;
	/* Ends every question, and closes (by sock_state) every socket. */
	ares_destroy(channel->ares);
	CHECK(!channel->open);
	CHECK(LIST_EMPTY(&channel->watches));
	event_del(&channel->timer);
	event_del(&channel->last_event);
	free(channel);
}

static int status_errno(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENOTFOUND:
		return -ENOENT;
	case ARES_ENODATA:
		return -ENODATA;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_ENOMEM:
		return -ENOMEM;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return -ECANCELED;
	default:
		return -EHOSTUNREACH;
	}
}

static void answered(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *question = arg;
	struct channel *channel = question->channel;
	struct addr addrs[ADDRS_MAX];
	uint32_t ttl = UINT32_MAX;
	size_t n = 0;
	int err = status_errno(status);

	(void)timeouts;
	for (struct ares_addrinfo_node *node = info ? info->nodes : NULL; node && n < ADDRS_MAX;
	     node = node->ai_next) {
		if (node->ai_family != question->family ||
		    addr_from_sockaddr(node->ai_addr, node->ai_addrlen, &addrs[n]) < 0)
			continue;
		addr_port_set(&addrs[n], 0);
		if (node->ai_ttl >= 0 && (uint32_t)node->ai_ttl < ttl)
			ttl = (uint32_t)node->ai_ttl;
		n++;
	}
	if (info)
		ares_freeaddrinfo(info);
	if (!err && !n)
		err = -ENODATA;
	channel->open--;
	question->f(question->arg, err, addrs, err ? 0 : n, err ? 0 : ttl);
	free(question);
	retired_check(channel);
}

void channel_ask(struct channel *channel, const char *host, int family, channel_f *f, void *arg)
{
	/* No sorting by RFC 6724: it opens a socket an address, and Happy Eyeballs finds out better. */
	struct ares_addrinfo_hints hints = { .ai_family = family,
					     .ai_socktype = SOCK_STREAM,
					     .ai_flags = ARES_AI_NOSORT };
	struct question *question = malloc(sizeof(*question));

	CHECK(!channel->retired);
	if (!question) {
		f(arg, -ENOMEM, NULL, 0, 0);
		return;
	}
	*question = (struct question){ channel, f, arg, family };
	channel->open++;
	STAT_INC(STAT_DNS_LOOKUPS);
	ares_getaddrinfo(channel->ares, host, NULL, &hints, answered, question);
	timer_set(channel);
}

char *channel_servers(const struct channel *channel)
{
	struct ares_addr_port_node *servers = NULL;
	char *made = NULL, text[ADDR_TEXT_MAX];
	struct addr addr;
	size_t n = 0;
	FILE *to;

	if (ares_get_servers_ports(channel->ares, &servers) != ARES_SUCCESS)
		return NULL;
	to = open_memstream(&made, &n);
	for (const struct ares_addr_port_node *s = servers; to && s; s = s->next) {
		uint16_t port = s->udp_port ? (uint16_t)s->udp_port : 53;

		if (addr_from_bytes(
			    span_make((const char *)&s->addr, s->family == AF_INET ? 4 : 16), port,
			    &addr) == 0)
			fprintf(to, "%s%s", s == servers ? "" : ",", addr_format(&addr, text));
	}
	if (to && fclose(to) != 0) {
		free(made);
		made = NULL;
	}
	ares_free_data(servers);
	return made;
}
