/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A bounded cursor over Ethernet, IPv4/IPv6 and the first bytes above. It says "not ours" to all that
 * is unusual - fragments, IPv4 options, IPv6 extension headers, a second VLAN tag, PPPoE - and such
 * packets take the way they would take without us.
 */
#ifndef TARN_BPF_PARSE_H
#define TARN_BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "bpf/maps.h"

/* ICMP: linux/icmp.h and linux/icmpv6.h draw libc in. Type, code, checksum and four bytes. */
#define ICMP_HEADER	  8
#define ICMP4_UNREACHABLE 3
#define ICMP4_EXCEEDED	  11
#define ICMP4_PARAMETER	  12
#define VLAN_ID_MASK	  0xfff
#define ICMP6_ERRORS_END  128 /* types below are errors (RFC 4443, 2.1) */

/* The VLAN tag nearest to the MACs is in skb metadata when tc sees the frame, on ingress of every
 * device since the kernel untags in __netif_receive_skb_core(). */
struct packet {
	void *data;
	void *end;
	__u32 l4;      /* offset of what follows the IP header */
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP or IPPROTO_ICMPV6 */
	__u8 v6;
	__be16 sport; /* of TCP and UDP */
	__be16 dport;
};

static __always_inline bool port_is_web(__be16 port)
{
	return port == bpf_htons(80) || port == bpf_htons(443);
}

/* Makes the first `need` bytes readable through p->data. */
static __always_inline bool packet_need(struct __sk_buff *skb, struct packet *p, __u32 need)
{
	p->data = (void *)(long)skb->data;
	p->end = (void *)(long)skb->data_end;
	if (p->data + need <= p->end)
		return true;
	if (bpf_skb_pull_data(skb, need))
		return false;
	p->data = (void *)(long)skb->data;
	p->end = (void *)(long)skb->data_end;
	return p->data + need <= p->end;
}

static __always_inline bool packet_open4(struct __sk_buff *skb, struct packet *p)
{
	struct iphdr *ip;

	/* Nothing we read is shorter than 8 bytes above IP. */
	p->l4 = ETH_HLEN + sizeof(*ip);
	if (!packet_need(skb, p, ETH_HLEN + sizeof(*ip) + 8))
		return false;
	ip = p->data + ETH_HLEN;
	p->v6 = 0;
	p->protocol = ip->protocol;
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP && p->protocol != IPPROTO_ICMP)
		return false;
	if (ip->frag_off & bpf_htons(0x3fff))
		return verdict(TARN_STAT_PASS_FRAGMENT, false);
	if (ip->ihl != 5)
		return verdict(TARN_STAT_PASS_IP_OPTIONS, false);
	return true;
}

static __always_inline bool packet_open6(struct __sk_buff *skb, struct packet *p)
{
	struct ipv6hdr *ip;

	p->l4 = ETH_HLEN + sizeof(*ip);
	if (!packet_need(skb, p, ETH_HLEN + sizeof(*ip) + 8))
		return false;
	ip = p->data + ETH_HLEN;
	p->v6 = 1;
	p->protocol = ip->nexthdr;
	switch (p->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_ICMPV6:
		return true;
	case IPPROTO_FRAGMENT:
		return verdict(TARN_STAT_PASS_FRAGMENT, false);
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return verdict(TARN_STAT_PASS_IP_OPTIONS, false);
	default:
		return false;
	}
}

/* True if the packet is one we may understand; p->sport and p->dport are set for TCP and UDP. */
static __always_inline bool packet_open(struct __sk_buff *skb, struct packet *p)
{
	const __be16 *ports;

	switch (skb->protocol) {
	case bpf_htons(ETH_P_IP):
		if (!packet_open4(skb, p))
			return false;
		ports = p->data + ETH_HLEN + sizeof(struct iphdr);
		break;
	case bpf_htons(ETH_P_IPV6):
		if (!packet_open6(skb, p))
			return false;
		ports = p->data + ETH_HLEN + sizeof(struct ipv6hdr);
		break;
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return verdict(TARN_STAT_PASS_QINQ, false);
	case bpf_htons(ETH_P_PPP_SES):
		return verdict(TARN_STAT_PASS_PPPOE, false);
	default:
		return false;
	}
	if (skb->vlan_present && skb->vlan_proto != bpf_htons(ETH_P_8021Q))
		return verdict(TARN_STAT_PASS_QINQ, false);
	p->sport = ports[0];
	p->dport = ports[1];
	return true;
}

/* Needs packet_open(). Source and destination address of the IP header. */
static __always_inline void packet_addrs(const struct packet *p, struct tarn_addr *ret_src,
					 struct tarn_addr *ret_dst)
{
	if (p->v6) {
		const struct ipv6hdr *ip = p->data + ETH_HLEN;

		if ((void *)(ip + 1) > p->end)
			return;
		__builtin_memcpy(ret_src->b, &ip->saddr, 16);
		__builtin_memcpy(ret_dst->b, &ip->daddr, 16);
	} else {
		const struct iphdr *ip = p->data + ETH_HLEN;

		if ((void *)(ip + 1) > p->end)
			return;
		ret_src->b[10] = ret_src->b[11] = 0xff;
		ret_dst->b[10] = ret_dst->b[11] = 0xff;
		__builtin_memcpy(ret_src->b + 12, &ip->saddr, 4);
		__builtin_memcpy(ret_dst->b + 12, &ip->daddr, 4);
	}
}

#endif
