/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What devices call themselves: the host name in their DHCP requests (RFC 2131, 2; RFC 2132, 3.14), noted by MAC address as
 * they pass, while the settings want it. The bytes are copied, not understood: user space decides what of them is shown.
 *
 * A request counts if the hardware address in it is the sender of its frame: a device may call itself what it likes, but not
 * another, and not through a relay.
 */
#ifndef TARN_BPF_DHCP_H
#define TARN_BPF_DHCP_H

#include "bpf/parse.h"

#define DHCP_SERVER_PORT 67
#define DHCP_HARDWARE	 28 /* offsets in the message */
#define DHCP_MAGIC	 236
#define DHCP_OPTIONS	 240
#define DHCP_OPTIONS_MAX 32 /* options that are looked at */
#define DHCP_PAD	 0
#define DHCP_HOSTNAME	 12
#define DHCP_END	 255

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TARN_HOSTNAMES_MAX);
	__type(key, struct tarn_mac);
	__type(value, struct tarn_hostname);
} hostnames SEC(".maps");

/* A BOOTREQUEST over Ethernet, from the device whose frame it is? */
static __always_inline bool dhcp_is_own(struct __sk_buff *skb, const struct packet *p, __u32 at,
					struct tarn_mac *ret_mac)
{
	const __u8 request[3] = { 1, 1, ETH_ALEN }, cookie[4] = { 99, 130, 83, 99 };
	const struct ethhdr *eth = p->data;
	__u8 head[3], magic[4], hardware[ETH_ALEN];

	if ((void *)(eth + 1) > p->end)
		return false;
	__builtin_memcpy(ret_mac->b, eth->h_source, ETH_ALEN);
	return !bpf_skb_load_bytes(skb, at, head, sizeof(head)) &&
	       !bpf_skb_load_bytes(skb, at + DHCP_HARDWARE, hardware, sizeof(hardware)) &&
	       !bpf_skb_load_bytes(skb, at + DHCP_MAGIC, magic, sizeof(magic)) &&
	       bytes_same(head, request, sizeof(head)) &&
	       bytes_same(magic, cookie, sizeof(magic)) &&
	       bytes_same(hardware, ret_mac->b, ETH_ALEN);
}

struct dhcp_walk {
	struct __sk_buff *skb;
	__u32 at; /* of the next option; then of the one that was found */
	__u8 option[2];
	__u8 found;
};

/* One option. By bpf_loop(): in a plain loop the verifier follows each length on its own. */
static long dhcp_option(__u32 i, void *arg)
{
	struct dhcp_walk *w = arg;

	if (bpf_skb_load_bytes(w->skb, w->at, w->option, 2) || w->option[0] == DHCP_END)
		return 1;
	w->found = w->option[0] == DHCP_HOSTNAME;
	if (w->found)
		return 1;
	w->at += w->option[0] == DHCP_PAD ? 1 : 2 + w->option[1];
	return 0;
}

/* UDP to a DHCP server. */
static __always_inline void dhcp_in(struct __sk_buff *skb, const struct packet *p)
{
	const struct tarn_config *cfg = config_get();
	__u32 at = p->l4 + sizeof(struct udphdr), n;
	struct dhcp_walk walk = { .skb = skb, .at = at + DHCP_OPTIONS };
	struct tarn_hostname name = {};
	struct tarn_mac mac = {};

	if (!cfg || !(cfg->flags & TARN_CFG_HOSTNAMES) || p->v6 || !dhcp_is_own(skb, p, at, &mac))
		return;
	bpf_loop(DHCP_OPTIONS_MAX, dhcp_option, &walk, 0);
	if (!walk.found || !walk.option[1])
		return;
	/* One less than its bytes, so that a verifier that follows no "not 0" (6.1) sees that some are read. */
	n = walk.option[1] - 1;
	if (n > sizeof(name.text) - 2)
		n = sizeof(name.text) - 2;
	asm volatile("" : "+r"(n));
	n &= sizeof(name.text) - 1;
	if (bpf_skb_load_bytes(skb, walk.at + 2, name.text, n + 1))
		return;
	if (!bpf_map_update_elem(&hostnames, &mac, &name, BPF_ANY))
		count(TARN_STAT_HOSTNAME);
}

#endif
