/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Interception without an address: TCP to a vendor is taken off the LAN port, handed to the local
 * stack as if it had come in on icpt0, and answered out of the same port with the MACs and the VLAN tag
 * the device would have seen anyway.
 *
 *   device ─► port ─ lan_in ─► icpt0 ─► stack ─ lookup ─► a worker's listener
 *   device ◄─ port ◄──────── ic_out ◄─ icpt0 ◄─ stack (marked replies are routed to icpt0)
 *
 * The routing around it is firmware/net's: packets from icpt0 are local, marked packets leave by icpt0.
 *
 * Fail open: only a SYN starts an interception, and only while the keeper has armed it, the worker
 * that would get it has a fresh heartbeat, a listener and room in its accept queue. Everything else is
 * passed. A flow keeps the way of its SYN:
 *   `flows`   SYN was steered. Later packets are steered while a socket of ours knows them.
 *   `bypass`  SYN was passed. Later packets are passed even if a socket left over from an earlier
 *             connection on the same ports (TIME_WAIT) would match; so are retransmissions.
 *   neither   (forgotten by LRU) a socket of ours decides.
 *
 * ICMP errors about a steered flow (path MTU from a router between the device and us, unreachable)
 * carry the vendor's address as destination. They are given to our stack, which owns the flow; the
 * vendor never saw it. Errors from the WAN side can't be about such a flow: its packets never went there.
 *
 * Whom it is about ([scope]) is asked last, of the SYN alone: a connection keeps its way when that changes.
 *
 * Not steered, by design: fragments, IPv4 options, IPv6 extension headers, two VLAN tags, PPPoE.
 */
#include "bpf/dhcp.h"
#include "bpf/front.h"

#include <linux/pkt_cls.h>

/* Set before loading. */
const volatile __u32 icpt_ifindex;
const volatile __u8 icpt_mac[ETH_ALEN];
const volatile __u32 steer_mark;
/* Without, what only newer kernels take is left out (firmware/steer/steer.c). */
const volatile bool hostnames_able = true;

/* How long after a SYN an ACK without socket may be the answer to a SYN cookie, and a SYN with the same
 * sequence number its retransmission. */
#define SYN_WINDOW_NS (60 * SECOND_NS)

/* What we read of the kernel's sockets; CO-RE finds where it is. */
struct sock {
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
} __attribute__((preserve_access_index));
struct inet_sock {
	struct sock sk;
} __attribute__((preserve_access_index));
struct inet_connection_sock {
	struct inet_sock icsk_inet;
} __attribute__((preserve_access_index));
struct tcp_sock {
	struct inet_connection_sock inet_conn;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, TARN_WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TARN_WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} beats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TARN_FLOWS_MAX);
	__type(key, struct tarn_flow_key);
	__type(value, struct tarn_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TARN_FLOWS_MAX);
	__type(key, struct tarn_flow_key);
	__type(value, struct tarn_bypass);
} bypass SEC(".maps");

/* User space fills both (firmware/steer/scope.c); TARN_SCOPE_* are the values. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TARN_SCOPE_MAX);
	__type(key, struct tarn_scope_net);
	__type(value, __u32);
} scope_nets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, TARN_SCOPE_MAX);
	__type(key, struct tarn_scope_link);
	__type(value, __u32);
} scope_links SEC(".maps");

/* For user space, which asks who is behind an address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TARN_STATIONS_MAX);
	__type(key, struct tarn_addr);
	__type(value, struct tarn_station);
} stations SEC(".maps");

/* Which worker serves this device's connection: lan_in asks before steering, lookup when assigning. */
static __always_inline __u32 worker_pick(const struct tarn_addr *client, __be16 port, __u32 workers)
{
	__u32 w[4], h;

	__builtin_memcpy(w, client, sizeof(w));
	h = w[0] ^ (w[1] << 7 | w[1] >> 25) ^ (w[2] << 13 | w[2] >> 19) ^ (w[3] << 19 | w[3] >> 13);
	h = (h ^ ((__u32)port << 16) ^ port) * 0x9e3779b1u;
	h = (h ^ h >> 15) * 0x85ebca6bu;
	h ^= h >> 13;
	return (__u64)h * workers >> 32;
}

static __always_inline bool beat_fresh(__u32 worker, __u32 stale_ms, __u64 now)
{
	__u64 *beat = bpf_map_lookup_elem(&beats, &worker);
	__u64 at = beat ? *(volatile __u64 *)beat : 0;

	/* The other CPU may have read the clock a moment after us. */
	return at && (at > now || now - at <= stale_ms * 1000000ull);
}

/* Why this worker takes no new connection now; TARN_STAT_SYN_STEERED if it does. */
static __always_inline enum tarn_stat listener_refusal(__u32 worker)
{
	enum tarn_stat stat = TARN_STAT_SYN_STEERED;
	struct bpf_sock *sk = bpf_map_lookup_elem(&listeners, &worker);
	struct tcp_sock *tp;
	__u32 max;

	if (!sk)
		return TARN_STAT_PASS_NO_LISTENER;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp) {
		/* The last quarter is for those whose handshake is under way. */
		max = tp->inet_conn.icsk_inet.sk.sk_max_ack_backlog;
		if (tp->inet_conn.icsk_inet.sk.sk_ack_backlog >= max - max / 4)
			stat = TARN_STAT_PASS_QUEUE_FULL;
	}
	bpf_sk_release(sk);
	return stat;
}

/* Why a new connection of this client is passed; TARN_STAT_SYN_STEERED if it is to be steered. */
static __always_inline enum tarn_stat refusal(const struct tarn_addr *client, __be16 port,
					      __u64 now, bool selftest)
{
	const struct tarn_config *cfg = config_get();
	__u32 zero = 0, worker, *dying = bpf_map_lookup_elem(&doom, &zero);

	if (!dying || *(volatile __u32 *)dying)
		return TARN_STAT_PASS_DYING;
	if (!cfg || !(cfg->armed || selftest) || !cfg->workers || cfg->workers > TARN_WORKERS_MAX)
		return TARN_STAT_PASS_DISARMED;
	worker = worker_pick(client, port, cfg->workers);
	if (!beat_fresh(worker, cfg->stale_ms, now))
		return TARN_STAT_PASS_STALE;
	return listener_refusal(worker);
}

static __always_inline bool mac_is_selftest(const __u8 *mac)
{
	const __u8 selftest[ETH_ALEN] = TARN_SELFTEST_MAC;

	return bytes_same(mac, selftest, ETH_ALEN);
}

static __always_inline bool frame_is_selftest(const struct packet *p)
{
	const struct ethhdr *eth = p->data;

	return (void *)(eth + 1) <= p->end && mac_is_selftest(eth->h_dest);
}

/* TARN_SCOPE_*; 0: nothing names this device. The most precise entry decides: MAC, subnet, VLAN. */
static __always_inline __u32 scope_word(struct __sk_buff *skb, const struct packet *p,
					const struct tarn_addr *client)
{
	struct tarn_scope_net net = { .bits = 8 + 128, .family = p->v6 ? 6 : 4 };
	struct tarn_scope_link link = { .vlan = TARN_SCOPE_MAC };
	const struct ethhdr *eth = p->data;
	const __u32 *word;

	if ((void *)(eth + 1) > p->end)
		return TARN_SCOPE_STRAIGHT;
	__builtin_memcpy(link.mac, eth->h_source, ETH_ALEN);
	word = bpf_map_lookup_elem(&scope_links, &link);
	if (word)
		return *word;
	__builtin_memcpy(net.addr, client, sizeof(net.addr));
	word = bpf_map_lookup_elem(&scope_nets, &net);
	if (word)
		return *word;
	__builtin_memset(link.mac, 0, ETH_ALEN);
	link.vlan = skb->vlan_present ? skb->vlan_tci & VLAN_ID_MASK : 0;
	word = bpf_map_lookup_elem(&scope_links, &link);
	return word ? *word : 0;
}

/* Does the device go straight, whatever else is well? */
static __always_inline bool outside_scope(struct __sk_buff *skb, const struct packet *p,
					  const struct tarn_addr *client)
{
	const struct tarn_config *cfg = config_get();
	__u32 word;

	if (!cfg || !(cfg->flags & TARN_CFG_SCOPE))
		return false;
	word = scope_word(skb, p, client);
	return word ? word != TARN_SCOPE_TAKE : (cfg->flags & TARN_CFG_LISTED) != 0;
}

/* Remembers how this frame reached us. */
static __always_inline bool flow_of_frame(struct __sk_buff *skb, const struct packet *p,
					  struct tarn_flow *ret_flow)
{
	const struct ethhdr *eth = p->data;

	if ((void *)(eth + 1) > p->end)
		return false;
	__builtin_memcpy(ret_flow->client_mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(ret_flow->router_mac, eth->h_dest, ETH_ALEN);
	ret_flow->ifindex = skb->ifindex;
	ret_flow->tagged = skb->vlan_present;
	ret_flow->vlan_tci = skb->vlan_present ? skb->vlan_tci : 0;
	return true;
}

static __always_inline bool flow_same_way(const struct tarn_flow *a, const struct tarn_flow *b)
{
	return a->ifindex == b->ifindex && a->tagged == b->tagged && a->vlan_tci == b->vlan_tci &&
	       bytes_same(a->client_mac, b->client_mac, ETH_ALEN) &&
	       bytes_same(a->router_mac, b->router_mac, ETH_ALEN);
}

static __always_inline void station_note(const struct tarn_addr *client,
					 const struct tarn_flow *flow)
{
	struct tarn_station station = { .vlan = flow->vlan_tci & VLAN_ID_MASK };

	__builtin_memcpy(station.mac, flow->client_mac, ETH_ALEN);
	bpf_map_update_elem(&stations, client, &station, BPF_ANY);
}

/* Hands the packet to our stack. The destination MAC makes it ours; the mark lets the reverse-path check
 * (with src_valid_mark) find the route back over icpt0. */
static __always_inline int steer(struct __sk_buff *skb, enum tarn_stat stat)
{
	__u8 mac[ETH_ALEN];

	for (int i = 0; i < ETH_ALEN; i++)
		mac[i] = icpt_mac[i];
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return TC_ACT_OK;
	if (bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), 0))
		return TC_ACT_OK;
	skb->mark = steer_mark;
	return verdict(stat, bpf_redirect(icpt_ifindex, BPF_F_INGRESS));
}

static __always_inline int syn_pass(const struct tarn_flow_key *key, __be32 seq, __u64 now,
				    enum tarn_stat why)
{
	struct tarn_bypass passed = { .syn_ns = now, .seq = seq };

	bpf_map_delete_elem(&flows, key);
	bpf_map_update_elem(&bypass, key, &passed, BPF_ANY);
	return verdict(why, TC_ACT_OK);
}

static __always_inline int syn_in(struct __sk_buff *skb, const struct packet *p,
				  const struct tarn_flow_key *key, __be32 seq)
{
	const struct tarn_vendor *vendor = bpf_map_lookup_elem(&vendors, &key->vendor);
	const struct tarn_bypass *passed;
	bool selftest = frame_is_selftest(p);
	struct tarn_flow flow = {};
	enum tarn_stat why;
	__u64 now;

	if (!vendor) {
		/* An address that left the set: nothing of the earlier flow may hold this one. */
		if (!bpf_map_delete_elem(&flows, key))
			return syn_pass(key, seq, bpf_ktime_get_ns(), TARN_STAT_PASS_NOT_VENDOR);
		return verdict(TARN_STAT_PASS_NOT_VENDOR, TC_ACT_OK);
	}
	now = bpf_ktime_get_ns();
	if (vendor->expires_ns <= now)
		return syn_pass(key, seq, now, TARN_STAT_PASS_EXPIRED);
	passed = bpf_map_lookup_elem(&bypass, key);
	if (passed && passed->seq == seq && now - passed->syn_ns < SYN_WINDOW_NS)
		return verdict(TARN_STAT_PASS_RETRANSMIT, TC_ACT_OK);
	why = refusal(&key->client, key->client_port, now, selftest);
	if (!selftest && why == TARN_STAT_SYN_STEERED && outside_scope(skb, p, &key->client))
		why = TARN_STAT_PASS_SCOPE;
	if (why != TARN_STAT_SYN_STEERED)
		return syn_pass(key, seq, now, why);
	flow.syn_ns = now;
	if (!flow_of_frame(skb, p, &flow) || bpf_map_update_elem(&flows, key, &flow, BPF_ANY))
		return syn_pass(key, seq, now, TARN_STAT_PASS_NO_LISTENER);
	if (passed)
		bpf_map_delete_elem(&bypass, key);
	if (!selftest)
		station_note(&key->client, &flow);
	return steer(skb, selftest ? TARN_STAT_SELFTEST : TARN_STAT_SYN_STEERED);
}

/* Has our stack a connection (not only a listener) for this packet? */
static __always_inline bool socket_knows(struct __sk_buff *skb, const struct packet *p,
					 const struct tarn_flow_key *key)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk;
	bool known;

	if (p->v6) {
		__builtin_memcpy(t.ipv6.saddr, key->client.b, 16);
		__builtin_memcpy(t.ipv6.daddr, key->vendor.b, 16);
		t.ipv6.sport = key->client_port;
		t.ipv6.dport = key->vendor_port;
		sk = bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv6), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(&t.ipv4.saddr, key->client.b + 12, 4);
		__builtin_memcpy(&t.ipv4.daddr, key->vendor.b + 12, 4);
		t.ipv4.sport = key->client_port;
		t.ipv4.dport = key->vendor_port;
		sk = bpf_skc_lookup_tcp(skb, &t, sizeof(t.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return false;
	known = sk->state != BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return known;
}

/* An ACK of a steered SYN that our stack answered with a cookie has no socket yet. */
static __always_inline bool cookie_possible(const struct tarn_flow_key *key,
					    const struct tarn_flow *flow)
{
	const struct tarn_config *cfg = config_get();
	struct bpf_sock *sk;
	__u32 worker;

	if (!flow || !flow->syn_ns || bpf_ktime_get_ns() - flow->syn_ns > SYN_WINDOW_NS)
		return false;
	if (!cfg || !cfg->workers || cfg->workers > TARN_WORKERS_MAX)
		return false;
	worker = worker_pick(&key->client, key->client_port, cfg->workers);
	sk = bpf_map_lookup_elem(&listeners, &worker);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

static __always_inline int later_in(struct __sk_buff *skb, const struct packet *p,
				    const struct tarn_flow_key *key)
{
	const struct tarn_flow *flow = bpf_map_lookup_elem(&flows, key);
	struct tarn_flow seen = {};

	if (!flow) {
		/* An expired address still owns the connections that it had. */
		if (!bpf_map_lookup_elem(&vendors, &key->vendor))
			return verdict(TARN_STAT_PASS_NOT_VENDOR, TC_ACT_OK);
		if (bpf_map_lookup_elem(&bypass, key))
			return verdict(TARN_STAT_PASS_BYPASSED, TC_ACT_OK);
	}
	if (!socket_knows(skb, p, key) && !cookie_possible(key, flow))
		return verdict(TARN_STAT_PASS_NO_SOCKET, TC_ACT_OK);
	if (!flow_of_frame(skb, p, &seen))
		return TC_ACT_OK;
	if (!flow || !flow_same_way(flow, &seen)) {
		seen.syn_ns = flow ? flow->syn_ns : 0;
		bpf_map_update_elem(&flows, key, &seen, BPF_ANY);
	}
	return steer(skb,
		     mac_is_selftest(seen.router_mac) ? TARN_STAT_SELFTEST : TARN_STAT_PKT_STEERED);
}

/* The two words of the TCP header that we look at. */
static __always_inline bool tcp_head(struct __sk_buff *skb, struct packet *p, __be32 *ret_seq,
				     bool *ret_syn)
{
	const struct tcphdr *tcp;

	if (p->v6) {
		if (!packet_need(skb, p, ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(*tcp)))
			return false;
		tcp = p->data + ETH_HLEN + sizeof(struct ipv6hdr);
		*ret_seq = tcp->seq;
		*ret_syn = tcp->syn && !tcp->ack;
		return true;
	}
	if (!packet_need(skb, p, ETH_HLEN + sizeof(struct iphdr) + sizeof(*tcp)))
		return false;
	tcp = p->data + ETH_HLEN + sizeof(struct iphdr);
	*ret_seq = tcp->seq;
	*ret_syn = tcp->syn && !tcp->ack;
	return true;
}

static __always_inline int tcp_in(struct __sk_buff *skb, struct packet *p)
{
	struct tarn_flow_key key = {};
	__be32 seq;
	bool syn;

	if (!port_is_web(p->dport) || !tcp_head(skb, p, &seq, &syn))
		return TC_ACT_OK;
	packet_addrs(p, &key.client, &key.vendor);
	key.client_port = p->sport;
	key.vendor_port = p->dport;
	return syn ? syn_in(skb, p, &key, seq) : later_in(skb, p, &key);
}

/* Remembers DNS questions for bpf/names.bpf.c, shows DHCP requests to bpf/dhcp.h, and drops QUIC where that is wanted, so that
 * devices use TCP; never while a TCP connection would not be intercepted. */
static __always_inline int udp_in(struct __sk_buff *skb, const struct packet *p)
{
	const struct tarn_config *cfg;
	struct tarn_query_key query = {};
	struct tarn_addr src = {}, dst = {};
	__u8 one = 1;

	if (p->dport == bpf_htons(53)) {
		if (bpf_skb_load_bytes(skb, p->l4 + sizeof(struct udphdr), &query.id,
				       sizeof(query.id)))
			return TC_ACT_OK;
		packet_addrs(p, &query.client, &query.server);
		query.client_port = p->sport;
		bpf_map_update_elem(&queries, &query, &one, BPF_ANY);
		return TC_ACT_OK;
	}
	if (hostnames_able && p->dport == bpf_htons(DHCP_SERVER_PORT))
		dhcp_in(skb, p);
	if (p->dport != bpf_htons(443))
		return TC_ACT_OK;
	cfg = config_get();
	if (!cfg || !(cfg->flags & TARN_CFG_QUIC_DROP))
		return TC_ACT_OK;
	packet_addrs(p, &src, &dst);
	if (!bpf_map_lookup_elem(&vendors, &dst) ||
	    refusal(&src, p->sport, bpf_ktime_get_ns(), false) != TARN_STAT_SYN_STEERED ||
	    outside_scope(skb, p, &src))
		return TC_ACT_OK;
	return verdict(TARN_STAT_QUIC_DROPPED, TC_ACT_SHOT);
}

/* The start of the packet that an ICMP error quotes: addresses and ports as our side sent them. */
static __always_inline bool quoted_key(struct __sk_buff *skb, const struct packet *p,
				       struct tarn_flow_key *ret_key)
{
	__u32 at = p->l4 + ICMP_HEADER;
	__be16 ports[2];

	if (p->v6) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.nexthdr != IPPROTO_TCP ||
		    bpf_skb_load_bytes(skb, at + sizeof(ip), ports, sizeof(ports)))
			return false;
		__builtin_memcpy(ret_key->vendor.b, &ip.saddr, 16);
		__builtin_memcpy(ret_key->client.b, &ip.daddr, 16);
	} else {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || ip.protocol != IPPROTO_TCP ||
		    ip.ihl != 5 || ip.version != 4 ||
		    bpf_skb_load_bytes(skb, at + sizeof(ip), ports, sizeof(ports)))
			return false;
		ret_key->vendor.b[10] = ret_key->vendor.b[11] = 0xff;
		ret_key->client.b[10] = ret_key->client.b[11] = 0xff;
		__builtin_memcpy(ret_key->vendor.b + 12, &ip.saddr, 4);
		__builtin_memcpy(ret_key->client.b + 12, &ip.daddr, 4);
	}
	ret_key->vendor_port = ports[0];
	ret_key->client_port = ports[1];
	return true;
}

static __always_inline int icmp_in(struct __sk_buff *skb, const struct packet *p)
{
	struct tarn_addr src = {}, dst = {};
	struct tarn_flow_key key = {};
	__u8 type;

	if (bpf_skb_load_bytes(skb, p->l4, &type, sizeof(type)))
		return TC_ACT_OK;
	if (p->v6 ? type >= ICMP6_ERRORS_END
		  : type != ICMP4_UNREACHABLE && type != ICMP4_EXCEEDED && type != ICMP4_PARAMETER)
		return TC_ACT_OK;
	packet_addrs(p, &src, &dst);
	if (!quoted_key(skb, p, &key) || !bytes_same(dst.b, key.vendor.b, sizeof(dst.b)) ||
	    !bpf_map_lookup_elem(&flows, &key))
		return TC_ACT_OK;
	return steer(skb, TARN_STAT_ICMP_STEERED);
}

/* Ingress of a LAN port. */
SEC("tc")
int lan_in(struct __sk_buff *skb)
{
	struct packet p;

	if (!packet_open(skb, &p))
		return TC_ACT_OK;
	switch (p.protocol) {
	case IPPROTO_TCP:
		return tcp_in(skb, &p);
	case IPPROTO_UDP:
		return udp_in(skb, &p);
	default:
		return icmp_in(skb, &p);
	}
}

/* Egress of icpt0: what our stack sends to devices. */
SEC("tc")
int ic_out(struct __sk_buff *skb)
{
	struct tarn_flow_key key = {};
	const struct tarn_flow *flow;
	__u8 macs[2 * ETH_ALEN];
	struct packet p;

	if (!packet_open(skb, &p) || p.protocol != IPPROTO_TCP)
		return verdict(TARN_STAT_OUT_NOT_TCP, TC_ACT_SHOT);
	packet_addrs(&p, &key.vendor, &key.client);
	key.vendor_port = p.sport;
	key.client_port = p.dport;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow)
		return verdict(TARN_STAT_OUT_NO_FLOW, TC_ACT_SHOT);
	__builtin_memcpy(macs, flow->client_mac, ETH_ALEN);
	__builtin_memcpy(macs + ETH_ALEN, flow->router_mac, ETH_ALEN);
	if (bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0))
		return verdict(TARN_STAT_OUT_ERROR, TC_ACT_SHOT);
	if (flow->tagged && bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), flow->vlan_tci))
		return verdict(TARN_STAT_OUT_ERROR, TC_ACT_SHOT);
	skb->mark = 0;
	if (mac_is_selftest(flow->router_mac))
		return TC_ACT_OK;
	return verdict(TARN_STAT_OUT_SENT, bpf_redirect(flow->ifindex, 0));
}

/* Every packet from icpt0 without a connection: which worker's listener gets it. Never another service
 * of this machine, which is why there is no SK_PASS without a socket. Of others only what is for a gateway's
 * front door is looked at. */
SEC("sk_lookup")
int lookup(struct bpf_sk_lookup *ctx)
{
	const struct tarn_config *cfg = config_get();
	struct tarn_addr client __attribute__((aligned(4))) = {};
	struct bpf_sock *sk;
	__u32 v4, worker, *words = (__u32 *)client.b;
	long err;

	if (ctx->protocol == IPPROTO_TCP && front_behind(ctx->ingress_ifindex, ctx->local_port))
		return verdict(TARN_STAT_ADMIN_OUTSIDE, SK_DROP);
	if (ctx->ingress_ifindex != icpt_ifindex || ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	if (!cfg || !cfg->workers || cfg->workers > TARN_WORKERS_MAX)
		return verdict(TARN_STAT_LOOKUP_NONE, SK_DROP);
	/* All words are read first, in straight line: of two branches clang makes one load through a
	 * computed pointer, which the verifier refuses. The IPv6 words of an IPv4 packet are zero. */
	words[0] = ctx->remote_ip6[0];
	words[1] = ctx->remote_ip6[1];
	words[2] = ctx->remote_ip6[2];
	words[3] = ctx->remote_ip6[3];
	v4 = ctx->remote_ip4;
	asm volatile("" : "+r"(v4));
	if (ctx->family == 2 /* AF_INET */) {
		client.b[10] = client.b[11] = 0xff;
		words[3] = v4;
	}
	worker = worker_pick(&client, ctx->remote_port, cfg->workers);
	sk = bpf_map_lookup_elem(&listeners, &worker);
	if (!sk)
		return verdict(TARN_STAT_LOOKUP_NONE, SK_DROP);
	/* While a restarted keeper's program follows that of a proxy which drains, the last one wins. */
	err = bpf_sk_assign(ctx, sk, BPF_SK_LOOKUP_F_REPLACE);
	bpf_sk_release(sk);
	return err ? verdict(TARN_STAT_LOOKUP_NONE, SK_DROP)
		   : verdict(TARN_STAT_LOOKUP_ASSIGNED, SK_PASS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
