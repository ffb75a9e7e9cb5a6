/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/ntp.c: when the time client is started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "firmware/boot/ntp.h"

#define HOUR 3600000LL

static struct now at(uint64_t mono_ms, int64_t off_ms)
{
	return (struct now){ .mono_ms = mono_ms,
			     .wall_ms = 20000 * 24 * HOUR + (int64_t)mono_ms + off_ms };
}

static void test_again(void **state)
{
	struct ntp ntp = { 0 };
	uint64_t wait = NTP_FIRST_MS;

	(void)state;
	assert_false(ntp_again(&ntp, at(1000, 0), false, 0));
	assert_false(ntp_again(&ntp, at(50000, 0), false, NTP_FIRST_MS - 1));
	assert_true(ntp_again(&ntp, at(60000, 0), false, NTP_FIRST_MS));
	for (int i = 0; i < 10; i++) {
		wait = wait * 2 < NTP_LAST_MS ? wait * 2 : NTP_LAST_MS;
		assert_false(ntp_again(&ntp, at(70000, 0), false, 0));
		assert_false(ntp_again(&ntp, at(80000, 0), false, wait - 1));
		assert_true(ntp_again(&ntp, at(90000, 0), false, wait));
	}
	assert_int_equal(wait, NTP_LAST_MS);
	/* It follows a server, and loses it later. */
	assert_false(ntp_again(&ntp, at(95000, 0), true, 2 * NTP_LAST_MS));
	assert_false(ntp_again(&ntp, at(99000, 0), false, 2 * NTP_LAST_MS));
}

static void test_set(void **state)
{
	struct ntp ntp = { 0 };

	(void)state;
	assert_false(ntp_again(&ntp, at(1000, 0), false, 0));
	/* By somebody else, while it did not run; then by it. */
	assert_false(ntp_again(&ntp, at(2000, 5000), false, 0));
	assert_false(ntp.right);
	assert_false(ntp_again(&ntp, at(3000, 5000 + NTP_STEPPED_MS), false, 1000));
	assert_false(ntp.right);
	assert_false(ntp_again(&ntp, at(4000, -9 * HOUR), false, 2000));
	assert_true(ntp.right);
	assert_false(ntp_again(&ntp, at(5000, -9 * HOUR), false, 2 * NTP_LAST_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
