/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket for each interface and family, bound to the group: what is sent to the box itself is not heard. Who floods the
 * group takes at most SECOND_MAX packets' time of a second; then nothing is read until it is over, and the kernel drops
 * what does not fit into the socket.
 */
#include "proxy/sync/heard.h"

#include <stdlib.h>
#include <unistd.h>

#include "cache/demand.h"
#include "firmware/base/addr.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/config.h"
#include "proxy/loop.h"

#define PORT	   5353
#define GROUP4	   "224.0.0.251"
#define GROUP6	   "ff02::fb"
#define EARS_MAX   8
#define TURN_MAX   16 /* packets in a turn of the loop */
#define SECOND_MAX 200
#define AGAIN_MS   10000
#define REST_MS	   1000

struct ear {
	struct event event; /* of its socket */
	struct heard *heard;
};

struct heard {
	struct worker *control;
	heard_f *f;
	void *arg;
	struct ear ears[EARS_MAX];
	unsigned n;
	struct event again; /* an interface was not there */
	struct event rest;  /* the second is over */
	bool warned;
	uint64_t second; /* of the clock that never steps */
	unsigned read;	 /* packets in it */
};

/* ---- packets ------------------------------------------------------------------------------------- */

static void packet_in(struct heard *h, struct span packet, const struct sockaddr *from,
		      socklen_t from_n)
{
	char name[MDNS_NAME_MAX];
	enum mdns_verdict verdict;
	uint8_t source[16];
	struct addr addr;

	if (addr_from_sockaddr(from, from_n, &addr) < 0)
		return;
	addr_to_in6(&addr, source);
	verdict = mdns_read(packet, source, name);
	stat_add(STAT_MDNS_FIRST + verdict, 1);
	if (verdict == MDNS_NAMED)
		h->f(h->arg, source, name);
}

static bool is_flooded(struct heard *h)
{
	uint64_t second = worker_now(h->control)->mono_ms / 1000;

	if (second != h->second)
		h->read = 0;
	h->second = second;
	return h->read >= SECOND_MAX;
}

static void ears_rest(struct heard *h)
{
	STAT_INC(STAT_MDNS_FLOODED);
	for (unsigned i = 0; i < h->n; i++)
		event_del(&h->ears[i].event);
	CHECK_OK(event_add(&h->rest, worker_timeout(h->control, REST_MS)));
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct heard *h = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < h->n; i++)
		CHECK_OK(event_add(&h->ears[i].event, NULL));
}

static void on_packet(evutil_socket_t fd, short what, void *arg)
{
	struct heard *h = ((struct ear *)arg)->heard;
	char buf[MDNS_PACKET_MAX + 1];

	(void)what;
	for (unsigned i = 0; i < TURN_MAX; i++) {
		struct sockaddr_storage from;
		socklen_t from_n = sizeof(from);
		ssize_t n;

		if (is_flooded(h)) {
			ears_rest(h);
			return;
		}
		n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_n);
		if (n < 0)
			return;
		h->read++;
		packet_in(h, span_make(buf, (size_t)n), (struct sockaddr *)&from, from_n);
	}
}

/* ---- sockets ------------------------------------------------------------------------------------- */

static bool set(int fd, int level, int option, const void *value, size_t n)
{
	return setsockopt(fd, level, option, value, (socklen_t)n) == 0;
}

static int join(int fd, const struct addr *group, int ifindex)
{
	struct ip_mreqn four = { .imr_multiaddr = group->in4.sin_addr, .imr_ifindex = ifindex };
	struct ipv6_mreq six = { .ipv6mr_interface = (unsigned)ifindex };

	if (group->sa.sa_family == AF_INET)
		return set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four)) ? 0 : -errno;
	six.ipv6mr_multiaddr = group->in6.sin6_addr;
	return set(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &six, sizeof(six)) ? 0 : -errno;
}

/*
 * A socket, or -errno. Another program of this machine may listen, too. An interface's number is asked of the socket: other
 * ways need more calls.
 */
static int group_open(const char *interface, struct span group_text)
{
	socklen_t n = sizeof(int);
	struct addr group;
	int fd, ifindex, rc;

	CHECK_OK(addr_parse(group_text, PORT, &group));
	fd = socket(group.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!set(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) ||
	    !set(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, strlen(interface) + 1) ||
	    getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ifindex, &n) < 0) {
		rc = -errno;
		goto fail;
	}
	if (group.sa.sa_family == AF_INET6)
		group.in6.sin6_scope_id = (uint32_t)ifindex;
	rc = bind(fd, &group.sa, addr_len(&group)) < 0 ? -errno : join(fd, &group, ifindex);
	if (rc < 0)
		goto fail;
	return fd;
fail:
	(void)close(fd);
	return rc;
}

static void ears_close(struct heard *h)
{
	event_del(&h->again);
	event_del(&h->rest);
	for (; h->n; h->n--) {
		struct ear *ear = &h->ears[h->n - 1];

		event_del(&ear->event);
		(void)close(event_get_fd(&ear->event));
	}
}

/* A machine without IPv6 hears IPv4 alone, and the other way round. */
static int interface_open(struct heard *h, const char *interface)
{
	static const char *const groups[] = { GROUP4, GROUP6 };
	int error = 0, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(groups) && h->n < EARS_MAX; i++) {
		struct ear *ear = &h->ears[h->n];
		int fd = group_open(interface, span_of(groups[i]));

		if (fd < 0) {
			error = fd;
			continue;
		}
		ear->heard = h;
		CHECK_OK(event_assign(&ear->event, h->control->base, fd, EV_READ | EV_PERSIST,
				      on_packet, ear));
		CHECK_OK(event_add(&ear->event, NULL));
		h->n++;
		n++;
	}
	return n ? 0 : error;
}

static void interface_try(struct heard *h, const char *interface)
{
	int rc = interface_open(h, interface);

	if (rc == 0)
		return;
	if (!h->warned)
		LOG(LOG_L_WARN, "demand.no_mdns", "interface=%s error=%s", interface,
		    strerrorname_np(-rc));
	h->warned = true;
	CHECK_OK(event_add(&h->again, worker_timeout(h->control, AGAIN_MS)));
}

/* [steer] lan: names, separated by spaces or commas. */
static void ports_try(struct heard *h, const char *names)
{
	char name[16]; /* IFNAMSIZ */

	for (size_t n; names += strspn(names, ", "), *names; names += n) {
		n = strcspn(names, ", ");
		if (span_copy(span_make(names, n), name, sizeof(name)) == 0)
			interface_try(h, name);
	}
}

static void ears_open(struct heard *h)
{
	const struct tarn_settings *s = &h->control->config->settings;

	ears_close(h);
	if (!tarn_conf_hears_mdns(s) || s->demand.devices != (int)DEMAND_DEVICES_ON)
		return;
	if (s->steer.mode == TARN_STEER_GATEWAY)
		ports_try(h, s->steer.lan);
	else
		interface_try(h, s->steer.bridge);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ears_open(arg);
}

static void labels_set(void)
{
	static const struct {
		const char *label, *help;
	} verdicts[] = {
#define X(name, label_, help_) [MDNS_##name] = { label_, help_ },
		MDNS_VERDICTS(X)
#undef X
	};

	_Static_assert(MDNS_VERDICTS_N <= STAT_MDNS_LAST - STAT_MDNS_FIRST + 1, "stats.h");
	for (unsigned i = 0; i < MDNS_VERDICTS_N; i++)
		stat_label(STAT_MDNS_FIRST, i, verdicts[i].label, verdicts[i].help);
}

int heard_new(struct worker *control, heard_f *f, void *arg, struct heard **ret_heard)
{
	struct heard *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	labels_set();
	h->control = control;
	h->f = f;
	h->arg = arg;
	CHECK_OK(evtimer_assign(&h->again, control->base, on_again, h));
	CHECK_OK(evtimer_assign(&h->rest, control->base, on_rested, h));
	ears_open(h);
	*ret_heard = h;
	return 0;
}

void heard_free(struct heard **heard)
{
	struct heard *h = *heard;

	*heard = NULL;
	if (!h)
		return;
	ears_close(h);
	free(h);
}

void heard_reload(struct heard *h)
{
	h->warned = false;
	ears_open(h);
}
