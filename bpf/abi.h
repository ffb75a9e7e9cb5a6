/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the BPF programs and user space share: shapes of keys and values, sizes, counters. No code.
 * Addresses are in6_addr in network order, IPv4 as ::ffff:a.b.c.d. Ports are in network order.
 * Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns).
 */
#ifndef TARN_BPF_ABI_H
#define TARN_BPF_ABI_H

#include <linux/types.h>

#define TARN_WORKERS_MAX   64	 /* slots in `beats` and `listeners` */
#define TARN_FLOWS_MAX	   65536 /* remembered flows, steered and passed each (LRU) */
#define TARN_VENDORS_MAX   8192	 /* vendor addresses (LRU) */
#define TARN_QUERIES_MAX   8192	 /* DNS queries waiting for their answer (LRU) */
#define TARN_NAMES_MAX	   4096	 /* vendor names and suffixes */
#define TARN_NAME_BYTES	   128	 /* of a name's end are compared */
#define TARN_LABEL_MAX	   44	 /* bytes in a label of a configured name: see bpf/names.bpf.c */
#define TARN_PORTS_MAX	   32	 /* network ports with a program of ours */
#define TARN_DNS_BYTES	   1472	 /* of a DNS answer are read */
#define TARN_DNS_RECORDS   64	 /* of a DNS answer are read */
#define TARN_STATIONS_MAX  8192	 /* devices whose frames are remembered (LRU) */
#define TARN_SCOPE_MAX	   4096	 /* subnets, and as many MAC addresses and VLANs */
#define TARN_HOSTNAMES_MAX 4096	 /* devices whose DHCP host names are remembered (LRU) */
#define TARN_SEEN_BYTES	   65536 /* ring buffer of addresses learned from DNS */
#define TARN_FRONT_PORTS   8	 /* of the admin page are kept from the upstream side */

struct tarn_addr {
	__u8 b[16];
};

/* A TCP flow as the device began it. */
struct tarn_flow_key {
	struct tarn_addr client;
	struct tarn_addr vendor;
	__be16 client_port;
	__be16 vendor_port;
};

/* A steered flow: how to send to the device as it would have been answered without us. */
struct tarn_flow {
	__u64 syn_ns;	    /* last steered SYN; 0 if the entry was made by a later packet */
	__u32 ifindex;	    /* port the device was seen on */
	__u8 client_mac[6]; /* source of its frames */
	__u8 router_mac[6]; /* destination of its frames */
	__u16 vlan_tci;	    /* host order; valid if tagged */
	__u16 tagged;	    /* 1 if the frames carried an 802.1Q tag */
	__u32 zero;
};

/* A flow whose SYN was passed on. A retransmission of it must be passed on, too. */
struct tarn_bypass {
	__u64 syn_ns;
	__be32 seq;
	__u32 zero;
};

/* Where the selftest's frames go: a group that bridges drop (IEEE 802.3, 31B: pause). Such a flow is steered although
 * nothing is armed, and its answers stay on this machine: they leave by icpt0 to its other end. */
#define TARN_SELFTEST_MAC                                                                          \
	{                                                                                          \
		0x01, 0x80, 0xc2, 0x00, 0x00, 0x01                                                 \
	}

#define TARN_VENDOR_DNS	  1u /* source: seen in a device's DNS answer */
#define TARN_VENDOR_PROXY 2u /* source: resolved or remembered by the data plane */

struct tarn_vendor {
	__u64 expires_ns;
	__u32 sources; /* TARN_VENDOR_* */
	__u32 zero;
};

/* A name in reversed wire format without the root: "upd.example.com" is "moc\3elpmaxe\7dpu\3", in
 * lower case. A suffix matches itself and everything below it; an exact name ends in
 * TARN_NAME_START. bpf/names.bpf.c says why TARN_LABEL_MAX makes that unambiguous. */
#define TARN_NAME_START 0xff

struct tarn_name_key {
	__u32 bits; /* of `text` that count */
	__u8 text[TARN_NAME_BYTES];
};

#define TARN_NAME_VENDOR 1u /* value: addresses of this name go into the vendor set */
#define TARN_NAME_NEVER	 2u /* value: never, although a shorter suffix says so */

/* Whom it is about: subnets in one map, how frames look in another. The rule between them: firmware/base/scope.h. */
struct tarn_scope_net {
	__u32 bits;  /* that count, of what follows: 8 for the family, then those of the subnet */
	__u8 family; /* 4 or 6: ::/0 is not everything of IPv4 */
	__u8 addr[16];
	__u8 zero[3];
};

#define TARN_SCOPE_MAC 0xffff /* in place of a VLAN: the key is a MAC address */
struct tarn_scope_link {
	__u8 mac[6];
	__u16 vlan; /* host order, 0: no tag; then mac is zero */
};

#define TARN_SCOPE_TAKE	    1u /* value: intercepted */
#define TARN_SCOPE_STRAIGHT 2u /* value: never */

/* How a device's frames looked when it began a connection that was steered; its address is the key. */
struct tarn_station {
	__u8 mac[6];
	__u16 vlan; /* host order; 0: no tag */
};

struct tarn_mac {
	__u8 b[6];
	__u16 zero;
};

/* As a device sent it: any bytes, ended by a zero. */
struct tarn_hostname {
	__u8 text[64];
};

/* Ring buffer record: an address that went into the vendor set. */
struct tarn_seen {
	struct tarn_addr addr;
	__u32 ttl; /* seconds */
	__u32 zero;
};

struct tarn_query_key {
	struct tarn_addr client;
	struct tarn_addr server;
	__be16 client_port;
	__be16 id;
};

#define TARN_CFG_QUIC_DROP  1u /* drop UDP/443 to vendor addresses while interception is live */
#define TARN_CFG_DNS_ANY    2u /* take DNS answers without having seen the query (routed with NAT) */
#define TARN_CFG_PRIVATE_OK 4u	/* private addresses may be a vendor's */
#define TARN_CFG_SCOPE	    8u	/* the scope maps hold something: look there first */
#define TARN_CFG_LISTED	    16u /* who stands in no scope map goes straight */
#define TARN_CFG_HOSTNAMES  32u /* note what devices call themselves by DHCP */

/* The one entry of map `config`. Only the keeper writes it. */
struct tarn_config {
	__u32 armed;	/* 1: steer new connections */
	__u32 workers;	/* listeners in use, 1..TARN_WORKERS_MAX; 0 when no proxy runs */
	__u32 flags;	/* TARN_CFG_QUIC_DROP ... */
	__u32 stale_ms; /* a heartbeat older than this is no heartbeat */
	__u32 ttl_min;	/* seconds; a vendor address stays at least and at most that long */
	__u32 ttl_max;
};

/* The one entry of map `front_door`: which ports of this machine the upstream side does not reach. */
struct tarn_front {
	__u32 ports;		      /* how many; 0: all is open */
	__u32 bridge;		      /* its ifindex; 0: no bridge */
	__u32 outside;		      /* gateway: ifindex of the upstream port; 0: none */
	__u16 port[TARN_FRONT_PORTS]; /* host order; 0: none */
	__u8 mac[6];		      /* the bridge's */
	__u16 zero;
};

/* What a port without a role has heard, by ifindex, in map `heard`. Each is a sign that the router
 * is behind it. */
struct tarn_heard {
	__u64 dhcp_reply;
	__u64 router_advert;
	__u64 dns_reply;
};

/* Counters: one per-CPU __u64 each, in map `stats`. X(NAME, text for people) */
#define TARN_STATS(X)                                                                              \
	X(SYN_STEERED, "connections steered to the proxy")                                         \
	X(PKT_STEERED, "later packets of steered connections")                                     \
	X(ICMP_STEERED, "ICMP errors about steered connections, given to our stack")               \
	X(PASS_NOT_VENDOR, "packets to port 80 or 443 of an address outside the vendor set")       \
	X(PASS_EXPIRED, "new connections passed: the vendor address has expired")                  \
	X(PASS_DISARMED, "new vendor connections passed: not armed")                               \
	X(PASS_DYING, "new vendor connections passed: the data plane is being killed")             \
	X(PASS_STALE, "new vendor connections passed: the worker's heartbeat is old")              \
	X(PASS_NO_LISTENER, "new vendor connections passed: no listener")                          \
	X(PASS_QUEUE_FULL, "new vendor connections passed: the worker's accept queue is full")     \
	X(PASS_RETRANSMIT, "SYNs passed because their first copy was")                             \
	X(PASS_BYPASSED, "later packets of passed vendor connections")                             \
	X(PASS_NO_SOCKET, "later packets to vendors without a socket of ours")                     \
	X(PASS_FRAGMENT, "IP fragments passed")                                                    \
	X(PASS_IP_OPTIONS, "packets with IPv4 options or IPv6 extension headers passed")           \
	X(PASS_QINQ, "frames with two tags or an 802.1ad tag passed")                              \
	X(PASS_PPPOE, "PPPoE session frames passed (they cannot be steered)")                      \
	X(QUIC_DROPPED, "UDP/443 packets to vendors dropped on request")                           \
	X(OUT_SENT, "packets sent to devices")                                                     \
	X(OUT_NO_FLOW, "our packets dropped: the flow is not known")                               \
	X(OUT_NOT_TCP, "our packets dropped: not TCP")                                             \
	X(OUT_ERROR, "our packets dropped: the frame could not be rewritten")                      \
	X(LOOKUP_ASSIGNED, "sockets assigned by sk_lookup")                                        \
	X(LOOKUP_NONE, "sk_lookup without a listener: refused")                                    \
	X(DNS_ANSWERS, "DNS answers read")                                                         \
	X(DNS_UNASKED, "DNS answers ignored: nobody asked")                                        \
	X(DNS_MALFORMED, "DNS answers ignored: malformed")                                         \
	X(DNS_TRUNCATED, "DNS answers longer than what is read")                                   \
	X(DNS_NEVER, "DNS answers for names that are never intercepted")                           \
	X(DNS_ADDRESS, "addresses put into the vendor set from DNS")                               \
	X(DNS_REFUSED, "addresses in DNS answers refused (not a public unicast address)")          \
	X(DNS_RING_FULL, "learned addresses not told to user space: ring buffer full")             \
	X(SELFTEST, "packets of the selftest steered")                                             \
	X(PASS_SCOPE, "new vendor connections passed: the device goes straight ([scope])")         \
	X(HOSTNAME, "DHCP requests whose host name was noted")                                     \
	X(ADMIN_OUTSIDE,                                                                           \
	  "packets for the admin page from the upstream side, dropped ([admin] from)")

enum tarn_stat {
#define X(name, text) TARN_STAT_##name,
	TARN_STATS(X)
#undef X
	TARN_STAT_COUNT
};

_Static_assert(sizeof(struct tarn_flow_key) == 36, "tarn_flow_key");
_Static_assert(sizeof(struct tarn_flow) == 32, "tarn_flow");
_Static_assert(sizeof(struct tarn_bypass) == 16, "tarn_bypass");
_Static_assert(sizeof(struct tarn_vendor) == 16, "tarn_vendor");
_Static_assert(sizeof(struct tarn_name_key) == 132, "tarn_name_key");
_Static_assert(sizeof(struct tarn_scope_net) == 24, "tarn_scope_net");
_Static_assert(sizeof(struct tarn_scope_link) == 8, "tarn_scope_link");
_Static_assert(sizeof(struct tarn_station) == 8, "tarn_station");
_Static_assert(sizeof(struct tarn_mac) == 8, "tarn_mac");
_Static_assert(sizeof(struct tarn_hostname) == 64, "tarn_hostname");
_Static_assert(sizeof(struct tarn_seen) == 24, "tarn_seen");
_Static_assert(sizeof(struct tarn_query_key) == 36, "tarn_query_key");
_Static_assert(sizeof(struct tarn_config) == 24, "tarn_config");
_Static_assert(sizeof(struct tarn_heard) == 24, "tarn_heard");
_Static_assert(sizeof(struct tarn_front) == 36, "tarn_front");

#endif
