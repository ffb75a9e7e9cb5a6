/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * On ports whose role is not known yet: who talks there as only a router's side does? It counts and passes.
 */
#include "bpf/parse.h"

#include <linux/pkt_cls.h>

#define ICMP6_ROUTER_ADVERT 134

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TARN_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct tarn_heard);
} heard SEC(".maps");

/* Ingress of a port without a role. */
SEC("tc")
int scout_in(struct __sk_buff *skb)
{
	struct tarn_heard none = {}, *h;
	__u32 port = skb->ifindex;
	bool dhcp, advert, dns;
	struct packet p;
	__u8 type = 0;

	if (!packet_open(skb, &p))
		return TC_ACT_OK;
	dhcp = p.protocol == IPPROTO_UDP && p.sport == bpf_htons(67) && p.dport == bpf_htons(68);
	dns = p.protocol == IPPROTO_UDP && p.sport == bpf_htons(53);
	advert = p.protocol == IPPROTO_ICMPV6 && !bpf_skb_load_bytes(skb, p.l4, &type, 1) &&
		 type == ICMP6_ROUTER_ADVERT;
	if (!dhcp && !dns && !advert)
		return TC_ACT_OK;
	h = bpf_map_lookup_elem(&heard, &port);
	if (!h) {
		bpf_map_update_elem(&heard, &port, &none, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&heard, &port);
	}
	if (h) {
		__sync_fetch_and_add(&h->dhcp_reply, dhcp);
		__sync_fetch_and_add(&h->router_advert, advert);
		__sync_fetch_and_add(&h->dns_reply, dns);
	}
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
