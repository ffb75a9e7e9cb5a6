/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lan_in and wan_in by BPF_PROG_TEST_RUN: each test sets the scene (SETUP), makes a frame (PKTGEN), lets the
 * program see it and looks at verdict, counters, maps and the rewritten frame (CHECK).
 *
 * In a network namespace of its own; with real listeners in the socket map. What prog_run can't do - VLAN tags in
 * metadata, sk_lookup, sending - stands in tests/netns.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "build/bpf/names.skel.h"
#include "build/bpf/steer.skel.h"
#include "firmware/steer/listener.h"
#include "firmware/steer/name.h"
#include "firmware/steer/scope.h"

#define MARK	  0x5441524eu
#define IFINDEX	  1 /* lo of our namespace stands for the LAN port */
#define SECOND_NS 1000000000ull
#define SYN	  0x02
#define ACK	  0x10

#define DEVICE	  "10.7.0.11"
#define VENDOR	  "198.51.100.10"
#define OTHER	  "203.0.113.7"
#define RESOLVER  "198.51.100.53"
#define DEVICE6	  "2001:db8:7::11"
#define VENDOR6	  "2001:db8:51::10"
#define ROUTER6	  "2001:db8:7::1"
#define ROUTER	  "10.7.0.1"

static const uint8_t device_mac[6] = { 2, 0, 0, 0, 0, 0x11 };
static const uint8_t router_mac[6] = { 2, 0, 0, 0, 0, 0x01 };
static const uint8_t icpt_mac[6] = { 2, 0, 0, 0, 0, 0xee };

static struct steer_bpf *main_bpf;
static struct names_bpf *names_bpf;
static int listener = -1;

/* ---- PKTGEN ------------------------------------------------------------------------------------ */

struct frame {
	size_t n;
	uint8_t b[2048];
};

static void put(struct frame *f, const void *p, size_t n)
{
	assert_true(f->n + n <= sizeof(f->b));
	memcpy(f->b + f->n, p, n);
	f->n += n;
}

static void put8(struct frame *f, uint8_t v)
{
	put(f, &v, 1);
}

static void put16(struct frame *f, uint16_t v)
{
	v = htons(v);
	put(f, &v, 2);
}

static void put32(struct frame *f, uint32_t v)
{
	v = htonl(v);
	put(f, &v, 4);
}

static struct frame ether(uint16_t type)
{
	struct frame f = { 0 };

	put(&f, router_mac, 6);
	put(&f, device_mac, 6);
	put16(&f, type);
	return f;
}

static bool is_v6(const char *address)
{
	return strchr(address, ':') != NULL;
}

static void put_address(struct frame *f, const char *text)
{
	uint8_t a[16];

	assert_int_equal(inet_pton(is_v6(text) ? AF_INET6 : AF_INET, text, a), 1);
	put(f, a, is_v6(text) ? 16 : 4);
}

/* An IP header without options. */
static void put_ip(struct frame *f, const char *src, const char *dst, uint8_t protocol,
		   uint16_t payload)
{
	if (is_v6(src)) {
		put32(f, 0x60000000);
		put16(f, payload);
		put8(f, protocol);
		put8(f, 64);
	} else {
		put16(f, 0x4500);
		put16(f, (uint16_t)(20 + payload));
		put32(f, 0x4000); /* id 0, DF */
		put8(f, 64);
		put8(f, protocol);
		put16(f, 0);
	}
	put_address(f, src);
	put_address(f, dst);
}

static void put_tcp(struct frame *f, uint16_t sport, uint16_t dport, uint32_t seq, uint8_t flags)
{
	put16(f, sport);
	put16(f, dport);
	put32(f, seq);
	put32(f, 0);
	put8(f, 5 << 4);
	put8(f, flags);
	put16(f, 1024);
	put32(f, 0);
}

static struct frame tcp_seq(const char *src, uint16_t sport, const char *dst, uint16_t dport,
			    uint8_t flags, uint32_t seq)
{
	struct frame f = ether(is_v6(src) ? ETH_P_IPV6 : ETH_P_IP);

	put_ip(&f, src, dst, IPPROTO_TCP, 20);
	put_tcp(&f, sport, dport, seq, flags);
	return f;
}

static struct frame tcp(const char *src, uint16_t sport, const char *dst, uint16_t dport,
			uint8_t flags)
{
	return tcp_seq(src, sport, dst, dport, flags, 1000);
}

static struct frame udp(const char *src, uint16_t sport, const char *dst, uint16_t dport,
			const void *data, size_t n)
{
	struct frame f = ether(is_v6(src) ? ETH_P_IPV6 : ETH_P_IP);

	put_ip(&f, src, dst, IPPROTO_UDP, (uint16_t)(8 + n));
	put16(&f, sport);
	put16(&f, dport);
	put16(&f, (uint16_t)(8 + n));
	put16(&f, 0);
	put(&f, data, n);
	return f;
}

/* An ICMP error from `src` to the vendor about a packet of ours to the device. */
static struct frame icmp_error(const char *src, const char *vendor, const char *device,
			       uint16_t device_port, uint8_t type, uint8_t code)
{
	bool v6 = is_v6(src);
	struct frame f = ether(v6 ? ETH_P_IPV6 : ETH_P_IP);

	put_ip(&f, src, vendor, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, v6 ? 68 : 48);
	put8(&f, type);
	put8(&f, code);
	put16(&f, 0);
	put32(&f, 1280);
	put_ip(&f, vendor, device, IPPROTO_TCP, 20);
	put_tcp(&f, 80, device_port, 1, ACK);
	return f;
}

/* ---- SETUP ------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static struct tarn_addr address(const char *text)
{
	struct tarn_addr a = { { 0 } };

	if (!is_v6(text))
		a.b[10] = a.b[11] = 0xff;
	assert_int_equal(
		inet_pton(is_v6(text) ? AF_INET6 : AF_INET, text, a.b + (is_v6(text) ? 0 : 12)), 1);
	return a;
}

static void config_set(struct tarn_config c)
{
	__u32 zero = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(main_bpf->maps.config), &zero, &c, BPF_ANY), 0);
}

static struct tarn_config well(void)
{
	return (struct tarn_config){
		.armed = 1, .workers = 1, .stale_ms = 500, .ttl_min = 600, .ttl_max = 86400
	};
}

static void beat_set(uint64_t at)
{
	__u32 zero = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(main_bpf->maps.beats), &zero, &at, BPF_ANY), 0);
}

static void vendor_set(const char *text, int64_t seconds)
{
	struct tarn_vendor v = { .expires_ns =
					 now_ns() + (uint64_t)(seconds * (int64_t)SECOND_NS) };
	struct tarn_addr a = address(text);

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(main_bpf->maps.vendors), &a, &v, BPF_ANY),
			 0);
}

static bool vendor_get(const char *text, struct tarn_vendor *ret)
{
	struct tarn_addr a = address(text);

	return !bpf_map_lookup_elem(bpf_map__fd(main_bpf->maps.vendors), &a, ret);
}

static bool vendor_known(const char *text)
{
	struct tarn_vendor v;

	return vendor_get(text, &v);
}

static void listener_set(bool there)
{
	int map = bpf_map__fd(main_bpf->maps.listeners);
	__u64 value = (__u64)listener;
	__u32 zero = 0;

	(void)bpf_map_delete_elem(map, &zero);
	if (there)
		assert_int_equal(bpf_map_update_elem(map, &zero, &value, BPF_ANY), 0);
}

static void doom_set(__u32 value)
{
	__u32 zero = 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(main_bpf->maps.doom), &zero, &value, BPF_ANY), 0);
}

static void map_empty(const struct bpf_map *map)
{
	uint8_t key[256];

	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), key), 0);
}

static void name_set(const char *name, bool suffix, __u32 what)
{
	struct tarn_name_key key;

	assert_int_equal(name_key(name, strlen(name), suffix, &key), 0);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(names_bpf->maps.names), &key, &what, BPF_ANY), 0);
}

/* Words, separated by blanks, as in [scope]. */
static struct scope_list scopes(const char *text)
{
	static struct scope_item items[2][8];
	static unsigned turn;
	struct scope_list list = { .v = items[turn++ % 2] };
	struct span rest = span_of(text), word;

	while (rest.n && span_cut(&rest, ' ', &word))
		assert_int_equal(scope_parse(word, &list.v[list.n++]), 0);
	return list;
}

static void scope_set(const char *take, const char *straight)
{
	struct scope_maps maps = { bpf_map__fd(main_bpf->maps.scope_nets),
				   bpf_map__fd(main_bpf->maps.scope_links) };
	struct scope_list in = scopes(take), out = scopes(straight);
	struct tarn_config c = well();

	assert_int_equal(scope_maps_fill(&maps, &in, &out), 0);
	c.flags = TARN_CFG_QUIC_DROP | (in.n || out.n ? TARN_CFG_SCOPE : 0) |
		  (in.n ? TARN_CFG_LISTED : 0);
	config_set(c);
}

/* The admin page's port on a bridge with this MAC address; 0: it is open to all. */
static void front_set(uint16_t port, const uint8_t mac[6])
{
	struct tarn_front front = { .ports = port != 0, .bridge = IFINDEX, .port = { [3] = port } };
	__u32 zero = 0;

	if (mac)
		memcpy(front.mac, mac, 6);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(main_bpf->maps.front_door), &zero, &front, BPF_ANY),
		0);
}

/* All is well: armed, a beating worker with a listener, both vendor addresses known, nothing remembered. */
static int scene(void **state)
{
	(void)state;
	map_empty(main_bpf->maps.flows);
	map_empty(main_bpf->maps.bypass);
	map_empty(main_bpf->maps.vendors);
	map_empty(main_bpf->maps.queries);
	map_empty(main_bpf->maps.scope_nets);
	map_empty(main_bpf->maps.scope_links);
	front_set(0, NULL);
	config_set(well());
	beat_set(now_ns());
	listener_set(true);
	doom_set(0);
	vendor_set(VENDOR, 3600);
	vendor_set(VENDOR6, 3600);
	return 0;
}

/* ---- CHECK ------------------------------------------------------------------------------------- */

static uint64_t stat_get(enum tarn_stat stat)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t each[256] = { 0 }, sum = 0;
	__u32 key = stat;

	assert_true(cpus > 0 && cpus <= 256);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(main_bpf->maps.stats), &key, each), 0);
	for (int i = 0; i < cpus; i++)
		sum += each[i];
	return sum;
}

static int run_program(const struct bpf_program *program, const struct frame *f,
		       struct frame *ret_out)
{
	struct __sk_buff ctx = { .ifindex = IFINDEX };
	struct frame out;
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->b, .data_size_in = (__u32)f->n,
		    .data_out = out.b, .data_size_out = sizeof(out.b), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &o), 0);
	out.n = o.data_size_out;
	if (ret_out)
		*ret_out = out;
	return (int)o.retval;
}

static int lan_in(struct frame f)
{
	return run_program(main_bpf->progs.lan_in, &f, NULL);
}

static int wan_in(struct frame f)
{
	return run_program(names_bpf->progs.wan_in, &f, NULL);
}

/* The frame gets this verdict, and exactly this counter moves. */
static void expect(struct frame f, int verdict, enum tarn_stat stat)
{
	uint64_t before[TARN_STAT_COUNT];

	for (unsigned i = 0; i < TARN_STAT_COUNT; i++)
		before[i] = stat_get(i);
	assert_int_equal(lan_in(f), verdict);
	for (unsigned i = 0; i < TARN_STAT_COUNT; i++)
		assert_int_equal(stat_get(i) - before[i], i == stat);
}

#define steered(frame, stat) expect(frame, TC_ACT_REDIRECT, TARN_STAT_##stat)
#define passed(frame, stat)  expect(frame, TC_ACT_OK, TARN_STAT_##stat)
#define uncounted(frame)     expect(frame, TC_ACT_OK, TARN_STAT_COUNT)

/* ---- new connections --------------------------------------------------------------------------- */

static void syn_to_vendor_is_steered(void **state)
{
	(void)state;
	steered(tcp(DEVICE, 40000, VENDOR, 80, SYN), SYN_STEERED);
	steered(tcp(DEVICE, 40001, VENDOR, 443, SYN), SYN_STEERED);
	steered(tcp(DEVICE6, 40000, VENDOR6, 80, SYN), SYN_STEERED);
	steered(tcp(DEVICE6, 40001, VENDOR6, 443, SYN), SYN_STEERED);
}

static void steering_rewrites_only_the_destination_mac(void **state)
{
	struct frame in = tcp(DEVICE, 40000, VENDOR, 80, SYN), out;

	(void)state;
	assert_int_equal(run_program(main_bpf->progs.lan_in, &in, &out), TC_ACT_REDIRECT);
	assert_int_equal(out.n, in.n);
	assert_memory_equal(out.b, icpt_mac, 6);
	assert_memory_equal(out.b + 6, in.b + 6, in.n - 6);
}

static void steering_remembers_the_way_back(void **state)
{
	struct tarn_flow_key key = { .client = address(DEVICE),
				     .vendor = address(VENDOR),
				     .client_port = htons(40000),
				     .vendor_port = htons(80) };
	struct tarn_flow flow;

	(void)state;
	steered(tcp(DEVICE, 40000, VENDOR, 80, SYN), SYN_STEERED);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(main_bpf->maps.flows), &key, &flow), 0);
	assert_memory_equal(flow.client_mac, device_mac, 6);
	assert_memory_equal(flow.router_mac, router_mac, 6);
	assert_int_equal(flow.ifindex, IFINDEX);
	assert_int_equal(flow.tagged, 0);
}

static void other_ports_and_addresses_pass(void **state)
{
	(void)state;
	uncounted(tcp(DEVICE, 40000, VENDOR, 8080, SYN));
	uncounted(tcp(DEVICE, 80, VENDOR, 40000, SYN));
	passed(tcp(DEVICE, 40000, OTHER, 80, SYN), PASS_NOT_VENDOR);
	passed(tcp(DEVICE, 40000, OTHER, 443, ACK), PASS_NOT_VENDOR);
}

static void expired_vendor_passes(void **state)
{
	(void)state;
	vendor_set(VENDOR, -1);
	passed(tcp(DEVICE, 40000, VENDOR, 80, SYN), PASS_EXPIRED);
}

static void disarmed_passes(void **state)
{
	struct tarn_config c = well();

	(void)state;
	c.armed = 0;
	config_set(c);
	passed(tcp(DEVICE, 40000, VENDOR, 80, SYN), PASS_DISARMED);
	c = well();
	c.workers = 0;
	config_set(c);
	passed(tcp(DEVICE, 40001, VENDOR, 80, SYN), PASS_DISARMED);
	c.workers = TARN_WORKERS_MAX + 1;
	config_set(c);
	passed(tcp(DEVICE, 40002, VENDOR, 80, SYN), PASS_DISARMED);
}

static void selftest_is_steered_though_nothing_is_armed(void **state)
{
	static const uint8_t mac[6] = TARN_SELFTEST_MAC;
	struct frame f = tcp(DEVICE, 40000, VENDOR, 80, SYN);
	struct tarn_config c = well();

	(void)state;
	memcpy(f.b, mac, sizeof(mac));
	steered(f, SELFTEST);
	c.armed = 0;
	config_set(c);
	f = tcp(DEVICE, 40001, VENDOR, 80, SYN);
	passed(f, PASS_DISARMED);
	f = tcp(DEVICE, 40002, VENDOR, 80, SYN);
	memcpy(f.b, mac, sizeof(mac));
	steered(f, SELFTEST);
	/* Nor is it steered to a worker that would not answer. */
	beat_set(0);
	f = tcp(DEVICE, 40003, VENDOR, 80, SYN);
	memcpy(f.b, mac, sizeof(mac));
	passed(f, PASS_STALE);
}

static void old_heartbeat_passes(void **state)
{
	(void)state;
	beat_set(now_ns() - 600 * 1000000ull);
	passed(tcp(DEVICE, 40000, VENDOR, 80, SYN), PASS_STALE);
	beat_set(0);
	passed(tcp(DEVICE, 40001, VENDOR, 80, SYN), PASS_STALE);
	beat_set(now_ns() + SECOND_NS); /* the other CPU's clock was read later */
	steered(tcp(DEVICE, 40002, VENDOR, 80, SYN), SYN_STEERED);
}

static void no_listener_passes(void **state)
{
	(void)state;
	listener_set(false);
	passed(tcp(DEVICE, 40000, VENDOR, 80, SYN), PASS_NO_LISTENER);
}

static void dying_data_plane_passes(void **state)
{
	(void)state;
	doom_set(1);
	passed(tcp(DEVICE, 40000, VENDOR, 80, SYN), PASS_DYING);
}

/* Workers share the devices: all get some, and a dead one's share passes. */
static void connections_spread_over_workers(void **state)
{
	struct tarn_config c = well();
	unsigned n_steered = 0, n_passed = 0;

	(void)state;
	c.workers = 2; /* the second has neither heartbeat nor listener */
	config_set(c);
	for (uint16_t port = 40000; port < 40400; port++) {
		if (lan_in(tcp(DEVICE, port, VENDOR, 80, SYN)) == TC_ACT_REDIRECT)
			n_steered++;
		else
			n_passed++;
	}
	assert_in_range(n_steered, 120, 280);
	assert_int_equal(n_steered + n_passed, 400);
}

/* ---- later packets ----------------------------------------------------------------------------- */

static void retransmission_goes_the_way_of_its_first_copy(void **state)
{
	struct tarn_config c = well();

	(void)state;
	c.armed = 0;
	config_set(c);
	passed(tcp_seq(DEVICE, 40000, VENDOR, 80, SYN, 7), PASS_DISARMED);
	config_set(well());
	passed(tcp_seq(DEVICE, 40000, VENDOR, 80, SYN, 7), PASS_RETRANSMIT);
	passed(tcp_seq(DEVICE, 40000, VENDOR, 80, ACK, 8), PASS_BYPASSED);
	/* The same ports again: a new connection. */
	steered(tcp_seq(DEVICE, 40000, VENDOR, 80, SYN, 9000), SYN_STEERED);
}

static void passing_forgets_an_earlier_steered_connection(void **state)
{
	struct tarn_config c = well();

	(void)state;
	steered(tcp_seq(DEVICE, 40000, VENDOR, 80, SYN, 7), SYN_STEERED);
	c.armed = 0;
	config_set(c);
	passed(tcp_seq(DEVICE, 40000, VENDOR, 80, SYN, 90), PASS_DISARMED);
	passed(tcp_seq(DEVICE, 40000, VENDOR, 80, ACK, 91), PASS_BYPASSED);
}

static void packet_without_socket_passes(void **state)
{
	(void)state;
	passed(tcp(DEVICE, 40000, VENDOR, 80, ACK), PASS_NO_SOCKET);
	passed(tcp(DEVICE6, 40000, VENDOR6, 443, ACK), PASS_NO_SOCKET);
}

static void ack_of_a_cookie_is_steered_while_somebody_listens(void **state)
{
	(void)state;
	steered(tcp(DEVICE, 40000, VENDOR, 80, SYN), SYN_STEERED);
	steered(tcp(DEVICE, 40000, VENDOR, 80, ACK), PKT_STEERED);
	listener_set(false);
	passed(tcp(DEVICE, 40000, VENDOR, 80, ACK), PASS_NO_SOCKET);
}

static void a_service_of_this_machine_takes_nothing(void **state)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	passed(tcp(DEVICE, 40000, VENDOR, 80, ACK), PASS_NO_SOCKET);
	passed(tcp(DEVICE6, 40000, VENDOR6, 80, ACK), PASS_NO_SOCKET);
	close(fd);
}

/* ---- what is not ours ---------------------------------------------------------------------------- */

static void unusual_packets_pass(void **state)
{
	struct frame f;

	(void)state;
	f = tcp(DEVICE, 40000, VENDOR, 80, SYN);
	f.b[ETH_HLEN + 6] |= 0x20; /* more fragments */
	passed(f, PASS_FRAGMENT);
	f = tcp(DEVICE, 40000, VENDOR, 80, SYN);
	f.b[ETH_HLEN + 7] = 1; /* a later fragment */
	passed(f, PASS_FRAGMENT);
	f = tcp(DEVICE, 40000, VENDOR, 80, SYN);
	f.b[ETH_HLEN] = 0x46; /* options */
	passed(f, PASS_IP_OPTIONS);
	f = tcp(DEVICE6, 40000, VENDOR6, 80, SYN);
	f.b[ETH_HLEN + 6] = 0; /* hop-by-hop */
	passed(f, PASS_IP_OPTIONS);
	f = tcp(DEVICE6, 40000, VENDOR6, 80, SYN);
	f.b[ETH_HLEN + 6] = 44; /* fragment */
	passed(f, PASS_FRAGMENT);
	f = ether(ETH_P_PPP_SES);
	f.n = 80;
	passed(f, PASS_PPPOE);
	f = ether(ETH_P_ARP);
	f.n = 60;
	uncounted(f);
}

static void short_packets_pass(void **state)
{
	static const char *const pairs[][2] = { { DEVICE, VENDOR }, { DEVICE6, VENDOR6 } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct frame whole = tcp(pairs[i][0], 40000, pairs[i][1], 80, SYN);

		/* Shorter ones than the IP header test_run does not take. */
		for (size_t n = ETH_HLEN + (i ? 40 : 20); n < whole.n; n++) {
			struct frame cut = whole;

			cut.n = n;
			assert_int_equal(lan_in(cut), TC_ACT_OK);
		}
	}
}

/* ---- ICMP ---------------------------------------------------------------------------------------- */

static void icmp_errors_about_our_flows_are_ours(void **state)
{
	(void)state;
	steered(tcp(DEVICE, 40000, VENDOR, 80, SYN), SYN_STEERED);
	steered(icmp_error(ROUTER, VENDOR, DEVICE, 40000, 3, 4), ICMP_STEERED);
	steered(tcp(DEVICE6, 40000, VENDOR6, 80, SYN), SYN_STEERED);
	steered(icmp_error(ROUTER6, VENDOR6, DEVICE6, 40000, 2, 0), ICMP_STEERED);
}

static void other_icmp_passes(void **state)
{
	struct frame f;

	(void)state;
	uncounted(icmp_error(ROUTER, VENDOR, DEVICE, 40000, 3, 4)); /* no such flow */
	steered(tcp(DEVICE, 40000, VENDOR, 80, SYN), SYN_STEERED);
	uncounted(icmp_error(ROUTER, VENDOR, DEVICE, 40000, 8, 0)); /* echo */
	uncounted(
		icmp_error(ROUTER6, VENDOR6, DEVICE6, 40000, 135, 0)); /* neighbour solicitation */
	f = icmp_error(ROUTER, VENDOR, DEVICE, 40000, 3, 4);
	f.b[ETH_HLEN + 19] ^= 1; /* to another than whose packet it quotes */
	uncounted(f);
	for (size_t n = ETH_HLEN + 20; n < ETH_HLEN + 20 + 8 + 20 + 4; n++) {
		f = icmp_error(ROUTER, VENDOR, DEVICE, 40000, 3, 4);
		f.n = n;
		assert_int_equal(lan_in(f), TC_ACT_OK);
	}
}

/* ---- UDP ----------------------------------------------------------------------------------------- */

static void quic_is_dropped_only_on_request_and_while_live(void **state)
{
	struct tarn_config c = well();

	(void)state;
	uncounted(udp(DEVICE, 40000, VENDOR, 443, "quic", 4));
	c.flags = TARN_CFG_QUIC_DROP;
	config_set(c);
	expect(udp(DEVICE, 40000, VENDOR, 443, "quic", 4), TC_ACT_SHOT, TARN_STAT_QUIC_DROPPED);
	expect(udp(DEVICE6, 40000, VENDOR6, 443, "quic", 4), TC_ACT_SHOT, TARN_STAT_QUIC_DROPPED);
	uncounted(udp(DEVICE, 40000, OTHER, 443, "quic", 4));
	uncounted(udp(DEVICE, 40000, VENDOR, 4433, "quic", 4));
	listener_set(false);
	uncounted(udp(DEVICE, 40000, VENDOR, 443, "quic", 4));
	listener_set(true);
	c.armed = 0;
	config_set(c);
	uncounted(udp(DEVICE, 40000, VENDOR, 443, "quic", 4));
}

/* ---- what devices call themselves ---------------------------------------------------------------- */

/* A DHCP request with these options, from `hardware`; its cookie may be wrong. */
static struct frame dhcp(const uint8_t hardware[6], uint32_t cookie, const void *options, size_t n)
{
	struct frame message = { 0 };

	put32(&message, 0x01010600); /* BOOTREQUEST, Ethernet, 6 bytes, no hops */
	while (message.n < 28)
		put8(&message, 0);
	put(&message, hardware, 6);
	while (message.n < 236)
		put8(&message, 0);
	put32(&message, cookie);
	put(&message, options, n);
	return udp("0.0.0.0", 68, "255.255.255.255", 67, message.b, message.n);
}

#define DHCP(options)	   dhcp(device_mac, 0x63825363, options, sizeof(options) - 1)
#define noted(frame, text) name_after(frame, true, text)
#define not_noted(frame)   name_after(frame, false, "")
#define DISCOVER	   "\x35\x01\x01"

static void name_after(struct frame f, bool is_noted, const char *text)
{
	struct tarn_hostname name = { 0 };
	struct tarn_mac key = { 0 };

	map_empty(main_bpf->maps.hostnames);
	memcpy(key.b, device_mac, sizeof(key.b));
	expect(f, TC_ACT_OK, is_noted ? TARN_STAT_HOSTNAME : TARN_STAT_COUNT);
	assert_int_equal(!bpf_map_lookup_elem(bpf_map__fd(main_bpf->maps.hostnames), &key, &name),
			 is_noted);
	assert_string_equal((char *)name.text, text);
}

static void host_names_are_noted_on_request(void **state)
{
	const uint8_t other[6] = { 2, 0, 0, 0, 0, 0x12 };
	char many[2 * 40 + 7], longest[2 + 255];
	struct tarn_config c = well();
	struct frame f;

	(void)state;
	not_noted(DHCP("\x0c\x04pc-7\xff"));
	c.flags = TARN_CFG_HOSTNAMES;
	config_set(c);
	noted(DHCP("\x0c\x04pc-7\xff"), "pc-7");
	noted(DHCP(DISCOVER "\0\0\x0c\x04pc-8\xff"), "pc-8");
	noted(DHCP(DISCOVER "\x0c\x01z"), "z"); /* no end */
	not_noted(dhcp(other, 0x63825363, "\x0c\x04pc-7\xff", 7));
	not_noted(dhcp(device_mac, 0x63825364, "\x0c\x04pc-7\xff", 7));
	not_noted(DHCP("\xff\x0c\x04pc-7"));
	not_noted(DHCP("\x0c\0\xff"));
	not_noted(DHCP(DISCOVER));
	not_noted(DHCP("\x0c\x20pc-7")); /* longer than it is */
	not_noted(DHCP("\x35\xffpc-7"));
	/* A longer name's beginning; more options than are looked at. */
	memset(longest, 'n', sizeof(longest));
	memcpy(longest, "\x0c\xff", 2);
	longest[2 + 63] = 0; /* which the copy has of its own */
	noted(dhcp(device_mac, 0x63825363, longest, sizeof(longest)), longest + 2);
	for (unsigned i = 0; i < 40; i++)
		memcpy(many + 2 * i, "\x50\0", 2);
	memcpy(many + 80, "\x0c\x04pc-7\xff", 7);
	not_noted(dhcp(device_mac, 0x63825363, many, sizeof(many)));
	for (size_t n = ETH_HLEN + 28; n < ETH_HLEN + 28 + 240 + 6; n++) {
		f = DHCP("\x0c\x04pc-7\xff");
		f.n = n;
		assert_int_equal(lan_in(f), TC_ACT_OK);
	}
}

/* ---- [scope] ------------------------------------------------------------------------------------- */

#define DEVICE_MAC "02:00:00:00:00:11"

static struct frame syn_of(const char *device, uint16_t sport)
{
	return tcp(device, sport, is_v6(device) ? VENDOR6 : VENDOR, 80, SYN);
}

static void who_is_listed_as_straight_passes(void **state)
{
	(void)state;
	scope_set("", "10.7.0.0/24 2001:db8:7::/64");
	passed(syn_of(DEVICE, 40000), PASS_SCOPE);
	passed(syn_of(DEVICE6, 40000), PASS_SCOPE);
	steered(syn_of("10.7.1.11", 40000), SYN_STEERED);
	steered(syn_of("2001:db8:8::11", 40000), SYN_STEERED);
	scope_set("", "");
	steered(syn_of(DEVICE, 40001), SYN_STEERED);
}

static void only_who_is_listed_is_steered(void **state)
{
	(void)state;
	scope_set("10.7.0.11 2001:db8:7::11", "");
	steered(syn_of(DEVICE, 40000), SYN_STEERED);
	steered(syn_of(DEVICE6, 40000), SYN_STEERED);
	passed(syn_of("10.7.0.12", 40000), PASS_SCOPE);
	passed(syn_of("2001:db8:7::12", 40000), PASS_SCOPE);
}

static void the_most_precise_entry_decides(void **state)
{
	(void)state;
	scope_set("10.7.0.0/16", "10.0.0.0/8 10.7.0.11");
	passed(syn_of(DEVICE, 40000), PASS_SCOPE);
	steered(syn_of("10.7.0.12", 40000), SYN_STEERED);
	passed(syn_of("10.8.0.12", 40000), PASS_SCOPE);
	scope_set(DEVICE_MAC, "10.0.0.0/8 vlan:0");
	steered(syn_of("10.9.0.1", 40000), SYN_STEERED); /* that MAC, whatever its address */
	scope_set("10.7.0.11", DEVICE_MAC);
	passed(syn_of(DEVICE, 40001), PASS_SCOPE);
	scope_set("10.7.0.11", "vlan:0");
	steered(syn_of(DEVICE, 40002), SYN_STEERED);
	passed(syn_of("10.7.0.12", 40002), PASS_SCOPE);
	scope_set("10.7.0.11", "10.7.0.11"); /* in both: left alone */
	passed(syn_of(DEVICE, 40003), PASS_SCOPE);
}

static void all_of_ipv6_is_nothing_of_ipv4(void **state)
{
	(void)state;
	scope_set("", "::/0");
	steered(syn_of(DEVICE, 40000), SYN_STEERED);
	passed(syn_of(DEVICE6, 40000), PASS_SCOPE);
	scope_set("", "0.0.0.0/0");
	passed(syn_of(DEVICE, 40001), PASS_SCOPE);
	steered(syn_of(DEVICE6, 40001), SYN_STEERED);
}

static void who_goes_straight_keeps_quic_and_is_no_selftest(void **state)
{
	struct frame f = syn_of(DEVICE, 40000);
	const uint8_t selftest[6] = TARN_SELFTEST_MAC;

	(void)state;
	scope_set("", "10.7.0.0/24");
	uncounted(udp(DEVICE, 40000, VENDOR, 443, "quic", 4));
	expect(udp("10.7.1.11", 40000, VENDOR, 443, "quic", 4), TC_ACT_SHOT,
	       TARN_STAT_QUIC_DROPPED);
	memcpy(f.b, selftest, sizeof(selftest));
	steered(f, SELFTEST);
}

/* A retransmission of what was passed is passed, and what was steered stays so, whatever is said later. */
static void a_connection_keeps_its_way(void **state)
{
	(void)state;
	scope_set("", "10.7.0.11");
	passed(syn_of(DEVICE, 40000), PASS_SCOPE);
	scope_set("", "");
	passed(syn_of(DEVICE, 40000), PASS_RETRANSMIT);
	steered(syn_of(DEVICE, 40001), SYN_STEERED);
	scope_set("", "10.7.0.11");
	steered(tcp(DEVICE, 40001, VENDOR, 80, ACK), PKT_STEERED); /* of a cookie */
}

/* ---- DNS ----------------------------------------------------------------------------------------- */

#define TYPE_A	   1
#define TYPE_CNAME 5
#define TYPE_AAAA  28

/* A message: header and question; answers are added to it. */
struct dns {
	size_t n;
	uint8_t b[1400];
};

static void dns_put(struct dns *d, const void *p, size_t n)
{
	assert_true(d->n + n <= sizeof(d->b));
	memcpy(d->b + d->n, p, n);
	d->n += n;
}

static void dns_put16(struct dns *d, uint16_t v)
{
	v = htons(v);
	dns_put(d, &v, 2);
}

static void dns_put_name(struct dns *d, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		dns_put(d, &(uint8_t){ (uint8_t)n }, 1);
		dns_put(d, name, n);
		name += n + (name[n] == '.');
	}
	dns_put(d, "", 1);
}

static struct dns dns_response(const char *question, uint16_t type)
{
	struct dns d = { 0 };

	dns_put16(&d, 0xabcd);
	dns_put16(&d, 0x8180);
	dns_put16(&d, 1);
	dns_put16(&d, 0);
	dns_put16(&d, 0);
	dns_put16(&d, 0);
	dns_put_name(&d, question);
	dns_put16(&d, type);
	dns_put16(&d, 1);
	return d;
}

/* A record whose name points to the question's. */
static void dns_record(struct dns *d, uint16_t type, uint32_t ttl, const void *data, size_t n)
{
	dns_put16(d, 0xc00c);
	dns_put16(d, type);
	dns_put16(d, 1);
	dns_put16(d, (uint16_t)(ttl >> 16));
	dns_put16(d, (uint16_t)ttl);
	dns_put16(d, (uint16_t)n);
	dns_put(d, data, n);
	d->b[7]++;
}

static void dns_address(struct dns *d, uint32_t ttl, const char *text)
{
	struct tarn_addr a = address(text);

	if (is_v6(text))
		dns_record(d, TYPE_AAAA, ttl, a.b, 16);
	else
		dns_record(d, TYPE_A, ttl, a.b + 12, 4);
}

/* The device asks, and this is what comes back. */
static void asked_and_answered(const struct dns *d)
{
	assert_int_equal(lan_in(udp(DEVICE, 5353, RESOLVER, 53, d->b, 12)), TC_ACT_OK);
	assert_int_equal(wan_in(udp(RESOLVER, 53, DEVICE, 5353, d->b, d->n)), TC_ACT_OK);
}

static int dns_scene(void **state)
{
	struct tarn_name_key key;

	while (!bpf_map_get_next_key(bpf_map__fd(names_bpf->maps.names), NULL, &key))
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(names_bpf->maps.names), &key), 0);
	scene(state);
	map_empty(main_bpf->maps.vendors);
	name_set("upd.vendor.example", true, TARN_NAME_VENDOR);
	name_set("exact.vendor.example", false, TARN_NAME_VENDOR);
	name_set("never.upd.vendor.example", true, TARN_NAME_NEVER);
	return 0;
}

/* Does a question for this name feed the set? */
static bool learned(const char *name)
{
	struct dns d = dns_response(name, TYPE_A);
	bool known;

	dns_address(&d, 60, VENDOR);
	asked_and_answered(&d);
	known = vendor_known(VENDOR);
	map_empty(main_bpf->maps.vendors);
	return known;
}

static void names_match_by_label(void **state)
{
	(void)state;
	assert_true(learned("upd.vendor.example"));
	assert_true(learned("s00.upd.vendor.example"));
	assert_true(learned("a.b.c.upd.vendor.example"));
	assert_true(learned("S00.UPD.Vendor.EXAMPLE"));
	assert_true(learned("exact.vendor.example"));
	assert_false(learned("www.exact.vendor.example"));
	assert_false(learned("xupd.vendor.example"));
	assert_false(learned("vendor.example"));
	assert_false(learned("example"));
	assert_false(learned("upd.vendor.example.net"));
	assert_false(learned("never.upd.vendor.example"));
	assert_false(learned("x.never.upd.vendor.example"));
	assert_true(learned("xnever.upd.vendor.example"));
}

/* Bytes that could be taken for lengths, and lengths that could be taken for characters. */
static void hostile_names_do_not_match(void **state)
{
	char name[300];

	(void)state;
	assert_false(learned("x\003upd.vendor.example"));
	assert_false(learned("x\xff.exact.vendor.example"));
	assert_false(learned("\xff"
			     "exact.vendor.example"));
	/* A label of 'u' = 117 bytes can't be; one of '-' = 45 can, and is more than any configured one. */
	memset(name, 'a', sizeof(name));
	strcpy(name + 45, ".upd.vendor.example");
	assert_true(learned(name));
	strcpy(name + 63, ".upd.vendor.example");
	assert_true(learned(name));
}

static void long_names_match_by_their_end(void **state)
{
	char name[300] = "";

	(void)state;
	while (strlen(name) < 230)
		strcat(name, "a.");
	strcat(name, "upd.vendor.example");
	assert_true(learned(name));
	name[0] = '\0';
	while (strlen(name) < 230)
		strcat(name, "a.");
	strcat(name, "foreign.example");
	assert_false(learned(name));
}

static void all_addresses_of_an_answer_count(void **state)
{
	struct dns d = dns_response("s00.upd.vendor.example", TYPE_A);

	(void)state;
	dns_record(&d, TYPE_CNAME, 60, "\003cdn\007example", 13);
	dns_address(&d, 60, VENDOR);
	dns_address(&d, 60, "198.51.100.11");
	dns_address(&d, 60, VENDOR6);
	asked_and_answered(&d);
	assert_true(vendor_known(VENDOR));
	assert_true(vendor_known("198.51.100.11"));
	assert_true(vendor_known(VENDOR6));
}

static void ttl_is_kept_within_limits(void **state)
{
	struct dns d = dns_response("upd.vendor.example", TYPE_A);
	struct tarn_vendor v;
	uint64_t now = now_ns();

	(void)state;
	dns_address(&d, 1, "198.51.100.1");
	dns_address(&d, 7200, "198.51.100.2");
	dns_address(&d, 0x7fffffff, "198.51.100.3");
	dns_address(&d, 0xffffffff, "198.51.100.4");
	asked_and_answered(&d);
	assert_true(vendor_get("198.51.100.1", &v));
	assert_in_range(v.expires_ns, now + 600 * SECOND_NS, now + 605 * SECOND_NS);
	assert_true(vendor_get("198.51.100.2", &v));
	assert_in_range(v.expires_ns, now + 7200 * SECOND_NS, now + 7205 * SECOND_NS);
	assert_true(vendor_get("198.51.100.3", &v));
	assert_in_range(v.expires_ns, now + 86400 * SECOND_NS, now + 86405 * SECOND_NS);
	assert_true(vendor_get("198.51.100.4", &v));
	assert_in_range(v.expires_ns, now + 600 * SECOND_NS, now + 605 * SECOND_NS);
}

static void impossible_addresses_are_refused(void **state)
{
	static const char *const bad[] = {
		"127.0.0.1", "0.0.0.0",	   "224.0.0.1",	  "255.255.255.255", "169.254.1.1",
		"10.0.0.1",  "172.16.0.1", "192.168.1.1", "100.64.0.1",	     "::",
		"::1",	     "ff02::1",	   "fe80::1",	  "fd00::1",	     "fc00::1"
	};
	static const char *const private[] = { "10.0.0.1", "172.31.255.1", "192.168.1.1",
					       "fd00::1" };
	struct tarn_config c = well();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct dns d = dns_response("upd.vendor.example", TYPE_A);
		uint64_t before = stat_get(TARN_STAT_DNS_REFUSED);

		dns_address(&d, 60, bad[i]);
		asked_and_answered(&d);
		assert_false(vendor_known(bad[i]));
		assert_int_equal(stat_get(TARN_STAT_DNS_REFUSED), before + 1);
	}
	c.flags = TARN_CFG_PRIVATE_OK;
	config_set(c);
	for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++) {
		struct dns d = dns_response("upd.vendor.example", TYPE_A);

		dns_address(&d, 60, private[i]);
		asked_and_answered(&d);
		assert_true(vendor_known(private[i]));
	}
}

static void an_answer_needs_a_question(void **state)
{
	struct dns d = dns_response("upd.vendor.example", TYPE_A);
	struct tarn_config c = well();
	uint64_t before = stat_get(TARN_STAT_DNS_UNASKED);

	(void)state;
	dns_address(&d, 60, VENDOR);
	wan_in(udp(RESOLVER, 53, DEVICE, 5353, d.b, d.n));
	assert_int_equal(stat_get(TARN_STAT_DNS_UNASKED), before + 1);
	assert_false(vendor_known(VENDOR));
	/* Asked of another, from another port, with another id. */
	lan_in(udp(DEVICE, 5353, OTHER, 53, d.b, 12));
	lan_in(udp(DEVICE, 5354, RESOLVER, 53, d.b, 12));
	lan_in(udp(DEVICE, 5353, RESOLVER, 53, "\0\0\0\0\0\0\0\0\0\0\0", 12));
	wan_in(udp(RESOLVER, 53, DEVICE, 5353, d.b, d.n));
	assert_false(vendor_known(VENDOR));
	/* An answer counts once. */
	asked_and_answered(&d);
	assert_true(vendor_known(VENDOR));
	map_empty(main_bpf->maps.vendors);
	wan_in(udp(RESOLVER, 53, DEVICE, 5353, d.b, d.n));
	assert_false(vendor_known(VENDOR));
	/* Routed with NAT there is no telling. */
	c.flags = TARN_CFG_DNS_ANY;
	config_set(c);
	wan_in(udp(RESOLVER, 53, DEVICE, 5353, d.b, d.n));
	assert_true(vendor_known(VENDOR));
}

static void answers_over_ipv6_count(void **state)
{
	struct dns d = dns_response("upd.vendor.example", TYPE_AAAA);

	(void)state;
	dns_address(&d, 60, VENDOR6);
	lan_in(udp(DEVICE6, 5353, "2001:db8:51::53", 53, d.b, 12));
	wan_in(udp("2001:db8:51::53", 53, DEVICE6, 5353, d.b, d.n));
	assert_true(vendor_known(VENDOR6));
}

static struct dns good_answer(void)
{
	struct dns d = dns_response("upd.vendor.example", TYPE_A);

	dns_address(&d, 60, VENDOR);
	return d;
}

/* A message that must teach nothing. */
static void teaches_nothing(struct dns d, bool malformed)
{
	uint64_t before = stat_get(TARN_STAT_DNS_MALFORMED);

	asked_and_answered(&d);
	assert_false(vendor_known(VENDOR));
	assert_int_equal(stat_get(TARN_STAT_DNS_MALFORMED) - before, malformed);
}

static void messages_that_are_no_answers(void **state)
{
	struct dns d;

	(void)state;
	d = good_answer();
	d.b[2] = 0x01; /* a query */
	teaches_nothing(d, false);
	d = good_answer();
	d.b[2] = 0xa8; /* another opcode */
	teaches_nothing(d, false);
	d = good_answer();
	d.b[3] = 0x83; /* NXDOMAIN */
	teaches_nothing(d, false);
	d = good_answer();
	d.b[5] = 2; /* two questions */
	teaches_nothing(d, false);
	d = good_answer();
	d.b[5] = 0;
	teaches_nothing(d, false);
	d = good_answer();
	d.b[7] = 0; /* no answers */
	teaches_nothing(d, false);
	d = good_answer();
	d.b[12 + 20 + 3] = 3; /* class CHAOS */
	teaches_nothing(d, false);
	d = good_answer();
	d.b[12 + 24 + 5] = 3; /* the record's class */
	teaches_nothing(d, false);
}

static void hostile_messages(void **state)
{
	struct dns d;

	(void)state;
	/* Cut at any byte: what is not whole counts for nothing. */
	for (size_t n = 0; n < good_answer().n; n++) {
		d = good_answer();
		d.n = n;
		lan_in(udp(DEVICE, 5353, RESOLVER, 53, good_answer().b, 12));
		wan_in(udp(RESOLVER, 53, DEVICE, 5353, d.b, d.n));
		assert_false(vendor_known(VENDOR));
		map_empty(main_bpf->maps.queries);
	}
	/* A pointer in the question, also to itself. */
	d = good_answer();
	d.b[12] = 0xc0;
	d.b[13] = 12;
	teaches_nothing(d, true);
	/* Reserved label types. */
	d = good_answer();
	d.b[12] = 0x40;
	teaches_nothing(d, true);
	d = good_answer();
	d.b[12 + 24] = 0x80;
	teaches_nothing(d, true);
	/* A record longer than the message. */
	d = good_answer();
	d.b[d.n - 6] = 0xff;
	teaches_nothing(d, true);
	/* An address of the wrong length. */
	d = dns_response("upd.vendor.example", TYPE_A);
	dns_record(&d, TYPE_A, 60, "\306\063\144\012\0", 5);
	teaches_nothing(d, false);
	d = dns_response("upd.vendor.example", TYPE_A);
	dns_record(&d, TYPE_AAAA, 60, "\306\063\144\012", 4);
	teaches_nothing(d, false);
	/* A question that does not end. */
	d = dns_response("upd.vendor.example", TYPE_A);
	memset(d.b + 12, 1, 600);
	d.n = 612;
	d.b[7] = 1;
	asked_and_answered(&d);
	assert_false(vendor_known(VENDOR));
}

static void a_pointer_loop_in_a_record_is_skipped(void **state)
{
	struct dns d = dns_response("upd.vendor.example", TYPE_A);
	struct tarn_addr a = address(VENDOR);

	(void)state;
	/* The record's name points to itself; names of records are not followed. */
	d.b[7] = 1;
	dns_put16(&d, (uint16_t)(0xc000 | d.n));
	dns_put16(&d, TYPE_A);
	dns_put16(&d, 1);
	dns_put16(&d, 0);
	dns_put16(&d, 60);
	dns_put16(&d, 4);
	dns_put(&d, a.b + 12, 4);
	asked_and_answered(&d);
	assert_true(vendor_known(VENDOR));
}

static void more_records_announced_than_there(void **state)
{
	struct dns d = good_answer();
	uint64_t before = stat_get(TARN_STAT_DNS_MALFORMED);

	(void)state;
	d.b[6] = 0xff;
	d.b[7] = 0xff;
	asked_and_answered(&d);
	assert_true(vendor_known(VENDOR)); /* it was there before the end */
	assert_int_equal(stat_get(TARN_STAT_DNS_MALFORMED), before + 1);
}

/* Names of 127 labels, 60 records whose names have many labels: the walk ends, with or without a result. */
static void many_labels_and_records(void **state)
{
	struct dns d = dns_response("upd.vendor.example", TYPE_A);
	char name[300] = "";

	(void)state;
	while (strlen(name) < 238)
		strcat(name, "a.");
	strcat(name, "example");
	for (int i = 0; i < 4; i++) {
		struct tarn_addr a = address("198.51.100.77");

		dns_put_name(&d, name);
		dns_put16(&d, TYPE_A);
		dns_put16(&d, 1);
		dns_put16(&d, 0);
		dns_put16(&d, 60);
		dns_put16(&d, 4);
		dns_put(&d, a.b + 12, 4);
		d.b[7]++;
	}
	asked_and_answered(&d);
	assert_true(vendor_known("198.51.100.77"));
	d = dns_response("upd.vendor.example", TYPE_A);
	for (int i = 0; i < 60; i++)
		dns_address(&d, 60, "198.51.100.1");
	dns_address(&d, 60, VENDOR);
	asked_and_answered(&d);
	assert_true(vendor_known(VENDOR));
}

static uint64_t random_state = 88172645463325252ull;

static uint32_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

/* Whatever comes, the program ends, passes it, and believes no impossible address. */
static void random_damage(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct dns d = dns_response("s00.upd.vendor.example", TYPE_A);

		dns_record(&d, TYPE_CNAME, 60, "\003cdn\007example", 13);
		dns_address(&d, 60, VENDOR);
		dns_address(&d, 60, VENDOR6);
		for (unsigned k = random_next() % 8; k > 0; k--)
			d.b[2 + random_next() % (d.n - 2)] = (uint8_t)random_next();
		d.n = 12 + random_next() % (d.n - 11);
		asked_and_answered(&d);
	}
	assert_false(vendor_known("127.0.0.1"));
	assert_false(vendor_known("::1"));
	assert_true(learned("upd.vendor.example"));
}

/* ---- cost ---------------------------------------------------------------------------------------- */

static unsigned cost(const struct bpf_program *program, struct frame f)
{
	struct __sk_buff ctx = { .ifindex = IFINDEX };
	unsigned best = ~0u;

	for (int round = 0; round < 5; round++) {
		LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f.b, .data_size_in = (__u32)f.n,
			    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 20000);

		assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &o), 0);
		assert_int_equal(o.retval, TC_ACT_OK);
		best = o.duration < best ? o.duration : best;
	}
	return best;
}

/* ---- the front door ------------------------------------------------------------------------------ */

#define PAGE 8443

static void shut(struct frame f)
{
	uint64_t before = stat_get(TARN_STAT_ADMIN_OUTSIDE);

	assert_int_equal(wan_in(f), TC_ACT_SHOT);
	assert_int_equal(stat_get(TARN_STAT_ADMIN_OUTSIDE), before + 1);
}

static void open_to(struct frame f)
{
	uint64_t before = stat_get(TARN_STAT_ADMIN_OUTSIDE);

	assert_int_equal(wan_in(f), TC_ACT_OK);
	assert_int_equal(stat_get(TARN_STAT_ADMIN_OUTSIDE), before);
}

static void the_page_is_shut_to_the_upstream_side(void **state)
{
	struct frame f;

	(void)state;
	front_set(PAGE, router_mac);
	shut(tcp(OTHER, 40000, DEVICE, PAGE, SYN));
	shut(tcp(OTHER, 40000, DEVICE, PAGE, ACK));
	shut(tcp(VENDOR6, 40000, DEVICE6, PAGE, SYN));
	/* Options, and the first of several fragments, hide nothing. */
	f = tcp(OTHER, 40000, DEVICE, PAGE, SYN);
	f.b[ETH_HLEN + 6] = 0x20;
	f.n = ETH_HLEN + 20 + 8;
	shut(f);
	f = tcp(OTHER, 40000, DEVICE, 1, SYN);
	f.b[ETH_HLEN] = 0x46;
	f.b[ETH_HLEN + 20 + 4 + 2] = PAGE >> 8;
	f.b[ETH_HLEN + 20 + 4 + 3] = PAGE & 0xff;
	shut(f);
}

static void what_is_for_others_passes_the_front_door(void **state)
{
	static const uint8_t bridge_mac[6] = { 2, 0, 0, 0, 0, 0x77 };
	struct frame f;

	(void)state;
	front_set(PAGE, bridge_mac);
	open_to(tcp(OTHER, 40000, DEVICE, PAGE, SYN));
	open_to(tcp(VENDOR6, 40000, DEVICE6, PAGE, SYN));
	front_set(PAGE, router_mac);
	open_to(tcp(OTHER, 40000, DEVICE, PAGE + 1, SYN));
	open_to(tcp(OTHER, PAGE, DEVICE, 40000, SYN | ACK));
	open_to(tcp(OTHER, 40000, DEVICE, 0, SYN));
	open_to(udp(OTHER, 40000, DEVICE, PAGE, "x", 1));
	f = tcp(OTHER, 40000, DEVICE, PAGE, SYN);
	f.b[ETH_HLEN + 7] = 1; /* a later fragment, of which no port is known */
	open_to(f);
	front_set(0, router_mac);
	open_to(tcp(OTHER, 40000, DEVICE, PAGE, SYN));
}

/* An IPv6 packet for the page behind `n` extension headers of this kind, 8 bytes each. */
static struct frame behind_headers(unsigned n, uint8_t kind)
{
	struct frame f = ether(ETH_P_IPV6);

	put_ip(&f, VENDOR6, DEVICE6, n ? kind : IPPROTO_TCP, (uint16_t)(8 * n + 20));
	for (unsigned i = 0; i < n; i++) {
		put8(&f, i + 1 < n ? kind : IPPROTO_TCP);
		put8(&f, 0);
		put16(&f, 0);
		put32(&f, 0);
	}
	put_tcp(&f, 40000, PAGE, 1000, SYN);
	return f;
}

static void extension_headers_hide_no_port(void **state)
{
	static const uint8_t kinds[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
					 IPPROTO_FRAGMENT, IPPROTO_AH };
	struct frame f;

	(void)state;
	front_set(PAGE, router_mac);
	for (size_t k = 0; k < sizeof(kinds); k++)
		for (unsigned n = 0; n < 20; n++)
			shut(behind_headers(n, kinds[k]));
	f = behind_headers(1, IPPROTO_FRAGMENT);
	f.b[ETH_HLEN + 40 + 3] = 8; /* a later fragment */
	open_to(f);
	f = behind_headers(2, IPPROTO_DSTOPTS);
	f.b[ETH_HLEN + 40 + 1] = 200; /* longer than the packet */
	open_to(f);
	/* Cut anywhere. */
	for (size_t n = ETH_HLEN + 40; n < behind_headers(3, IPPROTO_DSTOPTS).n; n++) {
		f = behind_headers(3, IPPROTO_DSTOPTS);
		f.n = n;
		(void)wan_in(f);
	}
}

/* What a packet pays that only passes: 300 ns is the goal; times here are noisy, so the limit is wide, and in an
 * emulated machine (tests/image/qemu/bpf.sh) there is none. */
static void passing_is_cheap(void **state)
{
	const struct {
		const char *what;
		struct frame f;
	} cases[] = {
		{ "another port", tcp(DEVICE, 40000, VENDOR, 8080, ACK) },
		{ "IPv6, another port", tcp(DEVICE6, 40000, VENDOR6, 8080, ACK) },
		{ "443, not a vendor", tcp(DEVICE, 40000, OTHER, 443, ACK) },
		{ "443, a vendor's, passed before", tcp(DEVICE, 40000, VENDOR, 443, ACK) },
		{ "UDP, another port", udp(DEVICE, 40000, OTHER, 5000, "x", 1) },
	};
	unsigned limit = getenv("EMULATED") ? 1000000 : 1500;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned ns = cost(main_bpf->progs.lan_in, cases[i].f);

		print_message("# lan_in, %s: %u ns\n", cases[i].what, ns);
		assert_in_range(ns, 1, limit);
		front_set(PAGE, device_mac);
		ns = cost(names_bpf->progs.wan_in, cases[i].f);
		print_message("# wan_in, %s: %u ns\n", cases[i].what, ns);
		assert_in_range(ns, 1, limit);
	}
}

/* ---- --------------------------------------------------------------------------------------------- */

static int load(void **state)
{
	__u32 map_of_main;

	(void)state;
	main_bpf = steer_bpf__open();
	names_bpf = names_bpf__open();
	if (!main_bpf || !names_bpf)
		return -1;
	main_bpf->rodata->icpt_ifindex = IFINDEX;
	main_bpf->rodata->steer_mark = MARK;
	memcpy((void *)main_bpf->rodata->icpt_mac, icpt_mac, 6);
	if (steer_bpf__load(main_bpf))
		return -1;
	map_of_main =
		(__u32)bpf_map__reuse_fd(names_bpf->maps.stats, bpf_map__fd(main_bpf->maps.stats)) |
		(__u32)bpf_map__reuse_fd(names_bpf->maps.config,
					 bpf_map__fd(main_bpf->maps.config)) |
		(__u32)bpf_map__reuse_fd(names_bpf->maps.vendors,
					 bpf_map__fd(main_bpf->maps.vendors)) |
		(__u32)bpf_map__reuse_fd(names_bpf->maps.queries,
					 bpf_map__fd(main_bpf->maps.queries)) |
		(__u32)bpf_map__reuse_fd(names_bpf->maps.doom, bpf_map__fd(main_bpf->maps.doom)) |
		(__u32)bpf_map__reuse_fd(names_bpf->maps.front_door,
					 bpf_map__fd(main_bpf->maps.front_door));
	if (map_of_main || names_bpf__load(names_bpf))
		return -1;
	listener = listener_open(MARK);
	return listener < 0 ? -1 : 0;
}

static int unload(void **state)
{
	(void)state;
	close(listener);
	names_bpf__destroy(names_bpf);
	steer_bpf__destroy(main_bpf);
	return 0;
}

#define SCENE(f) cmocka_unit_test_setup(f, scene)
#define DNS(f)	 cmocka_unit_test_setup(f, dns_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(syn_to_vendor_is_steered),
		SCENE(steering_rewrites_only_the_destination_mac),
		SCENE(steering_remembers_the_way_back),
		SCENE(other_ports_and_addresses_pass),
		SCENE(expired_vendor_passes),
		SCENE(disarmed_passes),
		SCENE(selftest_is_steered_though_nothing_is_armed),
		SCENE(old_heartbeat_passes),
		SCENE(no_listener_passes),
		SCENE(dying_data_plane_passes),
		SCENE(connections_spread_over_workers),
		SCENE(retransmission_goes_the_way_of_its_first_copy),
		SCENE(passing_forgets_an_earlier_steered_connection),
		SCENE(packet_without_socket_passes),
		SCENE(ack_of_a_cookie_is_steered_while_somebody_listens),
		SCENE(a_service_of_this_machine_takes_nothing),
		SCENE(unusual_packets_pass),
		SCENE(short_packets_pass),
		SCENE(icmp_errors_about_our_flows_are_ours),
		SCENE(other_icmp_passes),
		SCENE(quic_is_dropped_only_on_request_and_while_live),
		SCENE(host_names_are_noted_on_request),
		SCENE(who_is_listed_as_straight_passes),
		SCENE(only_who_is_listed_is_steered),
		SCENE(the_most_precise_entry_decides),
		SCENE(all_of_ipv6_is_nothing_of_ipv4),
		SCENE(who_goes_straight_keeps_quic_and_is_no_selftest),
		SCENE(a_connection_keeps_its_way),
		DNS(names_match_by_label),
		DNS(hostile_names_do_not_match),
		DNS(long_names_match_by_their_end),
		DNS(all_addresses_of_an_answer_count),
		DNS(ttl_is_kept_within_limits),
		DNS(impossible_addresses_are_refused),
		DNS(an_answer_needs_a_question),
		DNS(answers_over_ipv6_count),
		DNS(messages_that_are_no_answers),
		DNS(hostile_messages),
		DNS(a_pointer_loop_in_a_record_is_skipped),
		DNS(more_records_announced_than_there),
		DNS(many_labels_and_records),
		DNS(random_damage),
		SCENE(the_page_is_shut_to_the_upstream_side),
		SCENE(what_is_for_others_passes_the_front_door),
		SCENE(extension_headers_hide_no_port),
		SCENE(passing_is_cheap),
	};

	if (geteuid() || unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP needs root: BPF and a network namespace\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, load, unload);
}
