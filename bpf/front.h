/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The box's own front door: its admin page is for the devices' side ([admin] from = lan), so what comes in by the upstream
 * port for that page is dropped. Only what is addressed to this machine, never what is on its way to others:
 *   bridge   by the frame's MAC address, which is the bridge's or the port's own; where the machine forwards as well, its
 *            routing table has to say that the packet ends here.
 *   gateway  at the lookup of a listener, behind whatever translates addresses (bpf/steer.bpf.c, lookup); and what is
 *            for a connection that this machine has, from before.
 * What a router could tear apart or hide a header behind - fragments, IPv4 options, IPv6 extension headers - is looked
 * into all the same.
 */
#ifndef TARN_BPF_FRONT_H
#define TARN_BPF_FRONT_H

#include <linux/if_packet.h>

#include "bpf/parse.h"

#define AF_INET		   2
#define AF_INET6	   10
#define FRONT_CHAIN_MAX	   8 /* IPv6 extension headers; nobody sends the page more */
#define FRONT_PORT_HIDDEN  0xffff
#define FRONT_NO_TCP	   0
#define IPPROTO_AH_	   51
#define FRONT_FRAGMENT_OFF 0x1fff

static __always_inline const struct tarn_front *front_get(void)
{
	__u32 zero = 0;
	const struct tarn_front *front = bpf_map_lookup_elem(&front_door, &zero);

	return front && front->ports ? front : NULL;
}

/* `port` in host order. */
static __always_inline bool front_has(const struct tarn_front *front, __u32 port)
{
	for (int i = 0; i < TARN_FRONT_PORTS; i++)
		if (front->port[i] && front->port[i] == port)
			return true;
	return false;
}

/* The port that TCP at `at` is for. */
static __always_inline __u32 front_port_at(struct __sk_buff *skb, __u32 at,
					   struct bpf_fib_lookup *fib)
{
	__be16 ports[2];

	if (bpf_skb_load_bytes(skb, at, ports, sizeof(ports)))
		return FRONT_NO_TCP;
	fib->sport = ports[0];
	fib->dport = ports[1];
	return bpf_ntohs(ports[1]);
}

static __always_inline __u32 front_port4(struct __sk_buff *skb, struct bpf_fib_lookup *fib)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.protocol != IPPROTO_TCP ||
	    ip.frag_off & bpf_htons(FRONT_FRAGMENT_OFF))
		return FRONT_NO_TCP;
	fib->family = AF_INET;
	fib->ipv4_src = ip.saddr;
	fib->ipv4_dst = ip.daddr;
	return front_port_at(skb, ETH_HLEN + ip.ihl * 4u, fib);
}

/* A fragment that is not the first has no port, and comes to nothing without the first. */
static __always_inline __u32 front_port6(struct __sk_buff *skb, struct bpf_fib_lookup *fib)
{
	struct ipv6hdr ip;
	__u32 at = ETH_HLEN + sizeof(ip);
	__u8 next, head[4]; /* next header, length, and a fragment's place */

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return FRONT_NO_TCP;
	fib->family = AF_INET6;
	__builtin_memcpy(fib->ipv6_src, &ip.saddr, sizeof(fib->ipv6_src));
	__builtin_memcpy(fib->ipv6_dst, &ip.daddr, sizeof(fib->ipv6_dst));
	next = ip.nexthdr;
	for (int i = 0; i < FRONT_CHAIN_MAX; i++) {
		if (next == IPPROTO_TCP)
			return front_port_at(skb, at, fib);
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH_)
			return FRONT_NO_TCP;
		if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
			return FRONT_NO_TCP;
		if (next == IPPROTO_FRAGMENT && (head[2] || head[3] & 0xf8))
			return FRONT_NO_TCP;
		at += next == IPPROTO_FRAGMENT ? 8
		      : next == IPPROTO_AH_    ? (head[1] + 2u) * 4
					       : (head[1] + 1u) * 8;
		next = head[0];
	}
	return FRONT_PORT_HIDDEN;
}

/* Is the frame for this machine by its MAC address? */
static __always_inline bool front_frame(struct __sk_buff *skb, const struct tarn_front *front)
{
	__u8 mac[ETH_ALEN];

	return skb->pkt_type == PACKET_HOST || (!bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)) &&
						bytes_same(mac, front->mac, ETH_ALEN));
}

/* Does it end at this machine, by its routing table? */
static __always_inline bool front_ends(struct __sk_buff *skb, __u32 bridge,
				       struct bpf_fib_lookup *fib)
{
	long way;

	fib->l4_protocol = IPPROTO_TCP;
	fib->ifindex = bridge;
	/* The ports are no part of the question. */
	fib->sport = fib->dport = 0;
	way = bpf_fib_lookup(skb, fib, sizeof(*fib), 0);
	return way < 0 || way == BPF_FIB_LKUP_RET_NOT_FWDED || way == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* Has this machine a connection for it? Of one that is translated to another's it has none. */
static __always_inline bool front_connected(struct __sk_buff *skb, const struct bpf_fib_lookup *fib)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk;
	bool known;

	if (fib->family == AF_INET6) {
		__builtin_memcpy(t.ipv6.saddr, fib->ipv6_src, 16);
		__builtin_memcpy(t.ipv6.daddr, fib->ipv6_dst, 16);
		t.ipv6.sport = fib->sport;
		t.ipv6.dport = fib->dport;
		sk = bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	} else {
		t.ipv4.saddr = fib->ipv4_src;
		t.ipv4.daddr = fib->ipv4_dst;
		t.ipv4.sport = fib->sport;
		t.ipv4.dport = fib->dport;
		sk = bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return false;
	known = sk->state != BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return known;
}

/* Comes in by the upstream port: is it for the page that is not shown there? */
static __always_inline bool front_shut(struct __sk_buff *skb)
{
	const struct tarn_front *front = front_get();
	struct bpf_fib_lookup fib = {};
	__u32 port;

	if (!front || (!front->bridge && front->outside != skb->ifindex) ||
	    !front_frame(skb, front))
		return false;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		port = front_port4(skb, &fib);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		port = front_port6(skb, &fib);
	else
		return false;
	if (port != FRONT_PORT_HIDDEN && (port == FRONT_NO_TCP || !front_has(front, port)))
		return false;
	if (!front->bridge)
		return port != FRONT_PORT_HIDDEN && front_connected(skb, &fib);
	return front_ends(skb, front->bridge, &fib);
}

/* A gateway's: has a new connection for the page come in by the upstream port? */
static __always_inline bool front_behind(__u32 ifindex, __u32 port)
{
	const struct tarn_front *front = front_get();

	return front && front->outside && front->outside == ifindex && front_has(front, port);
}

#endif
