/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "firmware/base/addr.h"

static char buf[ADDR_TEXT_MAX];

static const char *parsed(const char *text)
{
	struct addr addr;

	return addr_parse(span_of(text), 53, &addr) < 0 ? "refused" : addr_format(&addr, buf);
}

static void parses_and_formats(void **state)
{
	(void)state;
	assert_string_equal(parsed("192.0.2.1"), "192.0.2.1:53");
	assert_string_equal(parsed("192.0.2.1:80"), "192.0.2.1:80");
	assert_string_equal(parsed("192.0.2.1:0"), "192.0.2.1:0");
	assert_string_equal(parsed("2001:DB8:0::1"), "[2001:db8::1]:53");
	assert_string_equal(parsed("[2001:db8::1]"), "[2001:db8::1]:53");
	assert_string_equal(parsed("[2001:db8::1]:65535"), "[2001:db8::1]:65535");
	assert_string_equal(parsed("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535"),
			    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const wrong[] = {
		"",
		"host",
		"192.0.2",
		"192.0.2.1.5",
		"192.0.2.256",
		"192.0.2.1:",
		"192.0.2.1:65536",
		"192.0.2.1:-1",
		"192.0.2.1: 80",
		" 192.0.2.1",
		"[192.0.2.1]:80",
		"[2001:db8::1",
		"2001:db8::1]",
		"[2001:db8::1]x",
		"[]:80",
		"[2001:db8::1]:x",
		"192.0.2.01",
		"0x7f.0.0.1",
		"2130706433",
		":::",
		"[fe80::1%eth0]:80",
		"192.0.2.1:080000",
	};
	struct addr addr = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (addr_parse(span_of(wrong[i]), 1, &addr) == 0)
			fail_msg("took %s", wrong[i]);
		assert_int_equal(addr.sa.sa_family, AF_UNSPEC);
	}
	assert_int_equal(addr_parse(SPAN("192.0.2.1\0"), 1, &addr), -EINVAL);
}

static void mapped_becomes_ipv4(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(99) };
	struct addr addr;

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.9", &in6.sin6_addr), 1);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &addr), 0);
	assert_string_equal(addr_format(&addr, buf), "192.0.2.9:99");
	assert_int_equal(addr_len(&addr), sizeof(struct sockaddr_in));
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&in6, 8, &addr), -EAFNOSUPPORT);
	in6.sin6_family = AF_UNIX;
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&in6, sizeof(in6), &addr),
			 -EAFNOSUPPORT);
}

static void as_in6_and_back(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1", "0.0.0.0", "::" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr addr, back;
		uint8_t bytes[16];

		assert_int_equal(addr_parse(span_of(texts[i]), 0, &addr), 0);
		addr_to_in6(&addr, bytes);
		assert_int_equal(addr_in6_is_ip4(bytes), addr.sa.sa_family == AF_INET);
		addr_from_in6(bytes, &back);
		assert_true(addr_eq(&addr, &back));
		assert_int_equal(back.sa.sa_family, addr.sa.sa_family);
	}
}

static void compares(void **state)
{
	struct addr a, b, c, none = { 0 };

	(void)state;
	assert_int_equal(addr_parse(SPAN("192.0.2.1:1"), 0, &a), 0);
	assert_int_equal(addr_parse(SPAN("192.0.2.1:2"), 0, &b), 0);
	assert_int_equal(addr_parse(SPAN("[::ffff:192.0.2.1]:1"), 0, &c), 0);
	assert_true(addr_ip_eq(&a, &b));
	assert_false(addr_eq(&a, &b));
	addr_port_set(&b, 1);
	assert_int_equal(addr_port(&b), 1);
	assert_true(addr_eq(&a, &b));
	assert_false(addr_ip_eq(&a, &c));
	assert_false(addr_ip_eq(&a, &none));
	assert_string_equal(addr_format(&none, buf), "none");
}

static bool public(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(span_of(text), 0, &addr), 0);
	return addr_is_public(&addr);
}

static void knows_local_addresses(void **state)
{
	static const struct {
		const char *text;
		bool local, loopback;
	} rows[] = {
		{ "127.0.0.1", true, true },
		{ "127.255.0.9", true, true },
		{ "::1", true, true },
		{ "::ffff:127.0.0.1", true, true },
		{ "0.0.0.0", true, false },
		{ "::", true, false },
		{ "169.254.169.254", true, false },
		{ "fe80::1", true, false },
		{ "10.0.0.1", false, false },
		{ "::2", false, false },
		{ "128.0.0.1", false, false },
		{ "2001:db8::1", false, false },
	};
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(addr_parse(span_of(rows[i].text), 0, &addr), 0);
		if (addr_is_local(&addr) != rows[i].local ||
		    addr_is_loopback(&addr) != rows[i].loopback)
			fail_msg("%s", rows[i].text);
	}
}

static void knows_private_addresses(void **state)
{
	static const char *const no[] = {
		"0.0.0.0",    "10.1.2.3",	 "127.0.0.1",	"169.254.1.1",
		"172.16.0.1", "172.31.255.255",	 "192.168.0.1", "100.64.0.1",
		"224.0.0.1",  "255.255.255.255", "::",		"::1",
		"fe80::1",    "fc00::1",	 "fdff::1",	"ff02::1",
	};
	static const char *const yes[] = {
		"192.0.2.1",   "198.51.100.1", "203.0.113.1",	  "172.32.0.1",	 "172.15.0.1",
		"100.128.0.1", "11.0.0.1",     "223.255.255.255", "2001:db8::1",
	};
	struct addr none = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (public(no[i]))
			fail_msg("%s counts as public", no[i]);
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!public(yes[i]))
			fail_msg("%s counts as private", yes[i]);
	assert_false(addr_is_public(&none));
}

static bool inside(const char *net_text, const char *addr_text)
{
	struct addr addr;
	struct net net;

	assert_int_equal(net_parse(span_of(net_text), &net), 0);
	assert_int_equal(addr_parse(span_of(addr_text), 0, &addr), 0);
	return net_contains(&net, &addr);
}

static void networks(void **state)
{
	static const char *const wrong[] = {
		"192.0.2.0/33",	  "192.0.2.1/24", "192.0.2.0/", "192.0.2.0/x", "2001:db8::1/32",
		"2001:db8::/129", "/8",		  "",		"a/8"
	};
	struct net net;

	(void)state;
	assert_true(inside("192.0.2.0/25", "192.0.2.127"));
	assert_false(inside("192.0.2.0/25", "192.0.2.128"));
	assert_true(inside("192.0.2.7", "192.0.2.7"));
	assert_false(inside("192.0.2.7", "192.0.2.6"));
	assert_true(inside("0.0.0.0/0", "255.255.255.255"));
	assert_false(inside("0.0.0.0/0", "2001:db8::1"));
	assert_false(inside("::/0", "192.0.2.1"));
	assert_true(inside("::/0", "2001:db8::1"));
	assert_true(inside("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(inside("2001:db8::/33", "2001:db8:8000::1"));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (net_parse(span_of(wrong[i]), &net) == 0)
			fail_msg("took %s", wrong[i]);
	assert_int_equal(net_parse(SPAN("10.0.0.0/8"), &net), 0);
	assert_string_equal(net_format(&net, buf), "10.0.0.0/8");
	assert_int_equal(net_parse(SPAN("fc00::/7"), &net), 0);
	assert_string_equal(net_format(&net, buf), "fc00::/7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_formats),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(mapped_becomes_ipv4),
		cmocka_unit_test(as_in6_and_back),
		cmocka_unit_test(compares),
		cmocka_unit_test(knows_local_addresses),
		cmocka_unit_test(knows_private_addresses),
		cmocka_unit_test(networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
