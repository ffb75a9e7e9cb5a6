/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests firmware/boot/manage.c on a kernel in memory: where the box is, and the size of frames. That it gets addresses there, and
 * leaves br0 (whose addresses a tool flushes): tests/image/qemu/manage.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "firmware/boot/manage.h"
#include "firmware/boot/service.h"
#include "firmware/net/fake.h"

static struct net_kernel *kernel;
static struct service dhcp, dhcp6;
static struct manage manage;

static int begin(void **state)
{
	(void)state;
	dhcp = dhcp6 = (struct service){ 0 };
	if (fake_kernel_open(&kernel))
		return -1;
	fake_link(kernel, "br0", "bridge", NULL);
	fake_link(kernel, "eth0", "", "br0");
	manage = (struct manage){ .kernel = kernel, .dhcp = &dhcp, .dhcp6 = &dhcp6 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	kernel->ops->close(&kernel);
	return 0;
}

static struct net_link link_of(const char *name)
{
	struct net_link link;

	assert_int_equal(kernel->ops->link_get(kernel, name, &link), 0);
	return link;
}

static bool has_word(const char *const *argv, const char *word)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, word))
			return true;
	return false;
}

static void clients_are_on(const char *interface)
{
	assert_string_equal(manage.interface, interface);
	assert_true(dhcp.wanted && has_word(dhcp.argv, interface));
	assert_true(dhcp6.wanted && has_word(dhcp6.argv, interface));
}

static void without_a_vlan_it_is_on_the_bridge(void **state)
{
	size_t links = fake_links(kernel);

	(void)state;
	manage_set(&manage, 0, 0, 1);
	clients_are_on("br0");
	assert_int_equal(fake_links(kernel), links);
	assert_false(manage.ports_changed);
}

static void a_vlan_is_an_interface_of_its_own(void **state)
{
	struct net_link link;
	int changes;

	(void)state;
	manage_set(&manage, 20, 0, 1);
	clients_are_on("br0.20");
	assert_true(link_of("br0.20").up);
	assert_string_equal(link_of("br0.20").kind, "vlan");
	changes = fake_changes(kernel);
	manage_set(&manage, 20, 0, 2);
	assert_int_equal(fake_changes(kernel), changes);
	manage_set(&manage, 4094, 0, 3);
	clients_are_on("br0.4094");
	assert_true(link_of("br0.4094").up);
	assert_int_equal(kernel->ops->link_get(kernel, "br0.20", &link), -ENODEV);
}

/* Then there is no way, and it is not another one. */
static void a_vlan_that_cannot_be_made(void **state)
{
	(void)state;
	fake_fail(kernel, 0);
	manage_set(&manage, 20, 0, 1);
	clients_are_on("br0.20");
	manage_set(&manage, 0, 0, 2);
	clients_are_on("br0");
}

static void frames_are_of_the_size_that_is_set(void **state)
{
	(void)state;
	manage_set(&manage, 20, 2000, 1);
	manage_port(&manage, "eth0");
	assert_int_equal(link_of("eth0").mtu, 2000);
	assert_true(manage.ports_changed);
	/* Back to what it had. */
	manage.mtu = 0;
	manage_port(&manage, "eth0");
	assert_int_equal(link_of("eth0").mtu, 1500);
	/* The bridge's followed its ports; so does that of the VLAN. */
	fake_link_mtu(kernel, "br0", 1800);
	manage_port(&manage, "eth0");
	assert_int_equal(link_of("br0.20").mtu, 1800);
}

static void a_port_that_refuses_keeps_its_own(void **state)
{
	(void)state;
	manage_set(&manage, 0, 0, 1);
	manage.mtu = 9000;
	fake_fail(kernel, 0);
	manage_port(&manage, "eth0");
	assert_int_equal(link_of("eth0").mtu, 1500);
	assert_false(manage.ports_changed);
	manage_port(&manage, "none");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_vlan_it_is_on_the_bridge, begin, end),
		cmocka_unit_test_setup_teardown(a_vlan_is_an_interface_of_its_own, begin, end),
		cmocka_unit_test_setup_teardown(a_vlan_that_cannot_be_made, begin, end),
		cmocka_unit_test_setup_teardown(frames_are_of_the_size_that_is_set, begin, end),
		cmocka_unit_test_setup_teardown(a_port_that_refuses_keeps_its_own, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
