/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rests of failed addresses, and the order in which addresses are tried.
 */
#include "tests/unit/proxy/rig.h"

static struct addr at(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(span_of(text), 80, &addr), 0);
	return addr;
}

static void test_rest_grows(void **state)
{
	struct balance *balance;
	struct addr a = at("192.0.2.1");
	uint64_t now = 1000, rest = BALANCE_REST_MIN_MS;

	(void)state;
	assert_int_equal(balance_new(&balance), 0);
	assert_false(balance_rested(balance, &a, now));
	for (int i = 0; i < 10; i++) {
		balance_failed(balance, &a, now);
		/* A second failure at the same time is the same one. */
		balance_failed(balance, &a, now);
		assert_true(balance_rested(balance, &a, now + rest - 1));
		assert_false(balance_rested(balance, &a, now + rest));
		now += rest;
		rest = rest * 2 > BALANCE_REST_MAX_MS ? BALANCE_REST_MAX_MS : rest * 2;
	}
	balance_good(balance, &a);
	balance_failed(balance, &a, now);
	assert_false(balance_rested(balance, &a, now + BALANCE_REST_MIN_MS));
	balance_free(&balance);
}

static void test_ports_are_apart(void **state)
{
	struct balance *balance;
	struct addr http = at("192.0.2.1:80"), https = at("192.0.2.1:443");

	(void)state;
	assert_int_equal(balance_new(&balance), 0);
	balance_failed(balance, &http, 5);
	assert_true(balance_rested(balance, &http, 6));
	assert_false(balance_rested(balance, &https, 6));
	balance_free(&balance);
}

/* Far more failures than there is room for: the latest are remembered. */
static void test_bounded(void **state)
{
	struct balance *balance;
	struct addr addr = at("192.0.2.1");

	(void)state;
	assert_int_equal(balance_new(&balance), 0);
	for (unsigned port = 1; port <= 5000; port++) {
		addr_port_set(&addr, (uint16_t)port);
		balance_failed(balance, &addr, 1000 + port);
	}
	assert_true(balance_rested(balance, &addr, 6001));
	addr_port_set(&addr, 1);
	assert_false(balance_rested(balance, &addr, 1002));
	balance_free(&balance);
}

static void order_is(struct balance *balance, unsigned turn, const char *const *in,
		     const char *const *want, size_t n)
{
	struct addr addrs[BALANCE_ORDER_MAX], wanted;
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		addrs[i] = at(in[i]);
	balance_order(balance, addrs, n, turn, 100);
	for (size_t i = 0; i < n; i++) {
		wanted = at(want[i]);
		if (!addr_eq(&addrs[i], &wanted))
			fail_msg("turn %u, place %zu: %s, not %s", turn, i,
				 addr_format(&addrs[i], text), want[i]);
	}
}

static void test_order(void **state)
{
	static const char *const in[] = { "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2" };
	static const char *const plain[] = { "2001:db8::1", "192.0.2.1", "2001:db8::2",
					     "192.0.2.2" };
	static const char *const turned[] = { "2001:db8::2", "192.0.2.1", "2001:db8::1",
					      "192.0.2.2" };
	static const char *const rested[] = { "2001:db8::2", "192.0.2.1", "192.0.2.2",
					      "2001:db8::1" };
	static const char *const no_v6[] = { "192.0.2.1", "192.0.2.2", "2001:db8::2",
					     "2001:db8::1" };
	struct balance *balance;
	struct addr v6 = at("2001:db8::1");

	(void)state;
	assert_int_equal(balance_new(&balance), 0);
	order_is(balance, 0, in, plain, 4);
	order_is(balance, 1, in, turned, 4);
	balance_failed(balance, &v6, 50);
	order_is(balance, 0, in, rested, 4);
	v6 = at("2001:db8::2");
	balance_failed(balance, &v6, 50);
	order_is(balance, 1, in, no_v6, 4);
	balance_free(&balance);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rest_grows),
		cmocka_unit_test(test_ports_are_apart),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
