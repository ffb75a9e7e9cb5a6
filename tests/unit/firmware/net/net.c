/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/net/net.c on a kernel in memory: what it makes, adopts, refuses and removes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firmware/net/fake.h"
#include "firmware/net/net.h"

static struct net_kernel *kernel;
static char why[NET_WHY_MAX];

static int box(void **state)
{
	(void)state;
	if (fake_kernel_open(&kernel))
		return -1;
	fake_link(kernel, "lan0", "", NULL);
	fake_link(kernel, "wan0", "", NULL);
	return 0;
}

static int box_end(void **state)
{
	(void)state;
	kernel->ops->close(&kernel);
	return 0;
}

static struct net_plan plan(const char *lan, const char *wan)
{
	return (struct net_plan){ .bridge_mode = true, .bridge = "br0", .lan = lan, .wan = wan };
}

static struct network *setup(struct net_plan p)
{
	struct network *net = NULL;

	assert_int_equal(net_setup(kernel, &p, &net, why), 0);
	return net;
}

static int refused(struct net_plan p)
{
	struct network *net = NULL;
	int before = fake_changes(kernel), rc = net_setup(kernel, &p, &net, why);

	assert_int_not_equal(rc, 0);
	assert_null(net);
	assert_true(why[0] != '\0');
	assert_int_equal(fake_changes(kernel), before);
	return rc;
}

static struct net_link link_of(const char *name)
{
	struct net_link link = { 0 };

	assert_int_equal(kernel->ops->link_get(kernel, name, &link), 0);
	return link;
}

static bool there(const char *name)
{
	struct net_link link;

	return !kernel->ops->link_get(kernel, name, &link);
}

static enum net_role role_of(const struct network *net, const char *name)
{
	const struct net_port *ports;
	size_t n;

	ports = net_ports(net, &n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(ports[i].name, name))
			return ports[i].role;
	fail();
	return NET_UNKNOWN;
}

static uint64_t silence(int ifindex, void *arg)
{
	(void)ifindex, (void)arg;
	return 0;
}

static uint64_t heard_on(int ifindex, void *arg)
{
	return ifindex == *(int *)arg;
}

static void makes_everything_and_removes_it(void **state)
{
	struct network *net;

	(void)state;
	net = setup(plan("lan0", "wan0"));
	assert_true(link_of("br0").up);
	assert_int_equal(link_of("lan0").master, link_of("br0").ifindex);
	assert_int_equal(link_of("wan0").master, link_of("br0").ifindex);
	assert_true(link_of("lan0").up);
	assert_true(link_of("icpt0").up);
	assert_int_equal(fake_rules(kernel), 4);
	assert_int_equal(fake_routes(kernel), 4);
	assert_int_equal(role_of(net, "lan0"), NET_LAN);
	assert_int_equal(role_of(net, "wan0"), NET_WAN);
	net_remove(&net);
	assert_null(net);
	assert_int_equal(fake_links(kernel), 3);
	assert_int_equal(fake_rules(kernel) + fake_routes(kernel), 0);
	assert_int_equal(link_of("lan0").master, 0);
	assert_false(link_of("lan0").up);
}

/* Whichever step fails, nothing stays. */
static void a_failure_leaves_nothing(void **state)
{
	struct net_plan p = plan("lan0", "wan0");
	struct network *net = NULL;
	int step, failures = 0;

	(void)state;
	for (step = 0; step < 64; step++) {
		fake_fail(kernel, step);
		if (net_setup(kernel, &p, &net, why)) {
			failures++;
			assert_null(net);
			assert_true(why[0] != '\0');
		} else {
			fake_fail(kernel, -1);
			net_remove(&net);
		}
		fake_fail(kernel, -1);
		assert_int_equal(fake_links(kernel), 3);
		assert_int_equal(fake_rules(kernel) + fake_routes(kernel), 0);
		assert_int_equal(link_of("lan0").master, 0);
		assert_int_equal(link_of("wan0").master, 0);
	}
	assert_in_range(failures, 10, 60);
}

static void adopts_what_a_killed_keeper_left(void **state)
{
	struct network *first, *second;
	int bridge, icpt;

	(void)state;
	first = setup(plan("lan0", "wan0"));
	bridge = link_of("br0").ifindex;
	icpt = link_of("icpt0").ifindex;
	/* Killed: nobody removes anything. */
	second = setup(plan("lan0", "wan0"));
	assert_int_equal(link_of("br0").ifindex, bridge);
	assert_int_equal(link_of("icpt0").ifindex, icpt);
	assert_int_equal(fake_rules(kernel), 4);
	net_remove(&second);
	assert_int_equal(fake_links(kernel), 3);
	assert_int_equal(fake_rules(kernel) + fake_routes(kernel), 0);
	free(first);
}

static void uses_the_owners_bridge_and_leaves_it(void **state)
{
	struct network *net;

	(void)state;
	fake_link(kernel, "br0", "bridge", NULL);
	fake_link(kernel, "eth5", "", "br0");
	fake_link(kernel, "eth6", "", "br0");
	net = setup(plan("", "eth6"));
	assert_int_equal(role_of(net, "eth5"), NET_LAN);
	net_remove(&net);
	assert_true(there("br0"));
	assert_int_equal(link_of("eth5").master, link_of("br0").ifindex);
}

static void the_smallest_mtu_is_that_of_icpt0(void **state)
{
	struct network *net;

	(void)state;
	fake_link_mtu(kernel, "lan0", 1400);
	net = setup(plan("lan0", "wan0"));
	assert_int_equal(link_of("icpt0").mtu, 1400);
	net_remove(&net);
}

static void routed_makes_no_bridge(void **state)
{
	struct net_plan p = { .bridge_mode = false, .bridge = "br0", .lan = "lan0", .wan = "" };
	struct network *net = setup(p);

	(void)state;
	assert_false(there("br0"));
	assert_int_equal(fake_rules(kernel), 4);
	assert_int_equal(link_of("lan0").master, 0);
	assert_true(net_roles_known(net));
	net_remove(&net);
	assert_int_equal(fake_links(kernel), 3);
}

static void wrong_plans_touch_nothing(void **state)
{
	(void)state;
	assert_int_equal(refused(plan("lan7", "wan0")), -ENODEV);
	assert_non_null(strstr(why, "lan7"));
	assert_int_equal(refused(plan("lan0", "lan0")), -EINVAL);
	assert_int_equal(refused(plan("lo", "wan0")), -EINVAL);
	assert_int_equal(refused(plan("a-name-that-is-too-long", "wan0")), -EINVAL);
	assert_int_equal(refused((struct net_plan){ .bridge = "br0", .lan = "", .wan = "wan0" }),
			 -EINVAL);
	fake_link(kernel, "br0", "vlan", NULL);
	assert_int_equal(refused(plan("lan0", "wan0")), -EBUSY);
}

static void a_strangers_icpt0_is_refused(void **state)
{
	(void)state;
	fake_link(kernel, "icpt0", "veth", NULL);
	assert_int_equal(refused(plan("lan0", "wan0")), -EBUSY);
	assert_true(there("icpt0"));
}

static void one_port_is_no_bridge(void **state)
{
	(void)state;
	assert_int_equal(kernel->ops->link_del(kernel, "wan0"), 0);
	assert_int_equal(refused(plan("", "")), -ENODEV);
}

static void only_wired_ports_are_candidates(void **state)
{
	struct network *net;
	size_t n;

	(void)state;
	fake_link(kernel, "docker0", "bridge", NULL);
	fake_link(kernel, "vlan5", "vlan", NULL);
	fake_link(kernel, "eth9", "", "docker0");
	net = setup(plan("", ""));
	(void)net_ports(net, &n);
	assert_int_equal(n, 2);
	assert_int_equal(link_of("eth9").master, link_of("docker0").ifindex);
	net_remove(&net);
}

/* What leaves by a veth or a tap may end in a socket of this very machine. */
static void one_port_that_is_no_hardware_is_known(void **state)
{
	struct network *net = setup(plan("lan0", "wan0"));

	(void)state;
	assert_true(net_ports_hardware(net));
	net_remove(&net);
	fake_link(kernel, "vm0", "tun", NULL);
	net = setup(plan("lan0 vm0", "wan0"));
	assert_false(net_ports_hardware(net));
	net_remove(&net);
}

static void lists_take_commas_and_spaces(void **state)
{
	struct network *net;
	size_t n;

	(void)state;
	fake_link(kernel, "lan1", "", NULL);
	fake_link(kernel, "lan2", "", NULL);
	net = setup(plan("lan0, lan1 lan2", "wan0"));
	(void)net_ports(net, &n);
	assert_int_equal(n, 4);
	assert_int_equal(role_of(net, "lan2"), NET_LAN);
	net_remove(&net);
}

static void the_default_route_shows_the_wan_port(void **state)
{
	struct network *net = setup(plan("", ""));

	(void)state;
	assert_false(net_roles_known(net));
	assert_false(net_roles_update(net, silence, NULL));
	fake_router_port(kernel, link_of("wan0").ifindex);
	assert_true(net_roles_update(net, silence, NULL));
	assert_int_equal(role_of(net, "wan0"), NET_WAN);
	assert_int_equal(role_of(net, "lan0"), NET_LAN);
	assert_false(net_roles_update(net, silence, NULL));
	net_remove(&net);
}

static void what_is_heard_on_one_port_alone_shows_it(void **state)
{
	struct network *net = setup(plan("", ""));
	int wan = link_of("wan0").ifindex;

	(void)state;
	assert_true(net_roles_update(net, heard_on, &wan));
	assert_int_equal(role_of(net, "wan0"), NET_WAN);
	net_remove(&net);
}

static uint64_t heard_everywhere(int ifindex, void *arg)
{
	(void)ifindex, (void)arg;
	return 1;
}

static void contradicting_signs_decide_nothing(void **state)
{
	struct network *net = setup(plan("", ""));

	(void)state;
	assert_false(net_roles_update(net, heard_everywhere, NULL));
	assert_false(net_roles_known(net));
	net_remove(&net);
}

static void the_owners_word_stands(void **state)
{
	struct network *net;

	(void)state;
	fake_link(kernel, "lan1", "", NULL);
	net = setup(plan("lan0", ""));
	fake_router_port(kernel, link_of("lan0").ifindex);
	assert_false(net_roles_update(net, silence, NULL));
	assert_int_equal(role_of(net, "lan0"), NET_LAN);
	net_remove(&net);
}

static void swapped_cables_are_followed(void **state)
{
	struct network *net = setup(plan("", ""));

	(void)state;
	fake_router_port(kernel, link_of("wan0").ifindex);
	assert_true(net_roles_update(net, silence, NULL));
	fake_router_port(kernel, link_of("lan0").ifindex);
	/* Not at the first look: the bridge's table may be wrong for a moment. */
	for (int i = 1; i < NET_MOVED_LOOKS; i++)
		assert_false(net_roles_update(net, silence, NULL));
	assert_int_equal(role_of(net, "lan0"), NET_LAN);
	assert_true(net_roles_update(net, silence, NULL));
	assert_int_equal(role_of(net, "lan0"), NET_WAN);
	assert_int_equal(role_of(net, "wan0"), NET_LAN);
	assert_false(net_roles_update(net, silence, NULL));
	/* Seen there now and then only: nothing. */
	for (int i = 0; i < 3 * NET_MOVED_LOOKS; i++) {
		fake_router_port(kernel, link_of(i % 5 ? "wan0" : "lan0").ifindex);
		assert_false(net_roles_update(net, silence, NULL));
	}
	net_remove(&net);
}

static void the_owners_word_stands_when_cables_are_swapped(void **state)
{
	struct network *net = setup(plan("", "wan0"));

	(void)state;
	fake_router_port(kernel, link_of("lan0").ifindex);
	for (int i = 0; i < 2 * NET_MOVED_LOOKS; i++)
		assert_false(net_roles_update(net, silence, NULL));
	assert_int_equal(role_of(net, "wan0"), NET_WAN);
	net_remove(&net);
}

#define BOX(f) cmocka_unit_test_setup_teardown(f, box, box_end)

/* What ports may do in hardware is named, the worst first. */
static void offloads_are_named(void **state)
{
	struct network *net = setup(plan("lan0", "wan0"));
	char text[NET_OFFLOAD_MAX] = "";

	(void)state;
	assert_false(net_offload(net, text));
	fake_offloads(kernel, "lan0", &(struct net_offloads){ .hw_tc = true });
	assert_true(net_offload(net, text));
	assert_string_equal(text, "hw-tc-offload of lan0");
	fake_offloads(kernel, "wan0", &(struct net_offloads){ .lro = true, .hw_tc = true });
	assert_true(net_offload(net, text));
	assert_string_equal(text, "lro of wan0");
	fake_offloads(kernel, "lan0", &(struct net_offloads){ .chip = "01" });
	assert_true(net_offload(net, text));
	assert_string_equal(text, "lro of wan0");
	fake_offloads(kernel, "wan0", &(struct net_offloads){ .chip = "02" });
	assert_false(net_offload(net, text));
	fake_offloads(kernel, "wan0", &(struct net_offloads){ .chip = "01" });
	assert_true(net_offload(net, text));
	assert_string_equal(text, "lan0, wan0: one switch chip");
	net_remove(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOX(makes_everything_and_removes_it),
		BOX(a_failure_leaves_nothing),
		BOX(adopts_what_a_killed_keeper_left),
		BOX(uses_the_owners_bridge_and_leaves_it),
		BOX(the_smallest_mtu_is_that_of_icpt0),
		BOX(routed_makes_no_bridge),
		BOX(wrong_plans_touch_nothing),
		BOX(a_strangers_icpt0_is_refused),
		BOX(one_port_is_no_bridge),
		BOX(only_wired_ports_are_candidates),
		BOX(one_port_that_is_no_hardware_is_known),
		BOX(lists_take_commas_and_spaces),
		BOX(the_default_route_shows_the_wan_port),
		BOX(what_is_heard_on_one_port_alone_shows_it),
		BOX(contradicting_signs_decide_nothing),
		BOX(the_owners_word_stands),
		BOX(swapped_cables_are_followed),
		BOX(the_owners_word_stands_when_cables_are_swapped),
		BOX(offloads_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
