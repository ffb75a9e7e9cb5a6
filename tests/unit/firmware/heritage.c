/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/heritage.h: what is a message, and what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "firmware/heritage.h"

static union heritage_message message(uint32_t type, size_t size)
{
	union heritage_message m;

	memset(&m, 0, sizeof(m));
	m.head.type = type;
	m.head.size = (uint32_t)size;
	if (type == HERITAGE_READY)
		m.ready.workers = 1;
	if (type == HERITAGE_MINT)
		m.mint.host[0] = 'a';
	if (type == HERITAGE_MINTED)
		m.minted.n = 1;
	if (type == HERITAGE_SETTING)
		m.setting.id = 1;
	if (type == HERITAGE_CHANGE)
		m.change.id = 1;
	if (type == HERITAGE_SELFTEST_RUN)
		m.selftest_run.id = 1;
	if (type == HERITAGE_SYSTEMS)
		m.systems.id = 1;
	if (type == HERITAGE_SYSTEMS_SAID)
		m.systems_said.id = 1;
	if (type == HERITAGE_ACCESS)
		m.access.kept.serial = 1;
	if (type == HERITAGE_ACCESS_KEPT)
		m.access_kept.serial = 1;
	if (type == HERITAGE_KERNEL)
		m.kernel.name[0] = 'a';
	return m;
}

static void each_message_goes_one_way(void **state)
{
	(void)state;
#define X(name, shape, number, from_proxy, what)                                                   \
	{                                                                                          \
		union heritage_message m = message(number, sizeof(struct shape));                  \
                                                                                                   \
		assert_int_equal(heritage_valid(&m, m.head.size, true), from_proxy);               \
		assert_int_equal(heritage_valid(&m, m.head.size, false), !(from_proxy));           \
	}
	HERITAGE_MESSAGES(X)
#undef X
}

static void sizes_must_agree(void **state)
{
	union heritage_message m = message(HERITAGE_READY, sizeof(struct heritage_ready));

	(void)state;
	for (size_t n = 0; n < sizeof(m); n++)
		assert_int_equal(heritage_valid(&m, n, true), n == sizeof(struct heritage_ready));
	m.head.size++;
	assert_false(heritage_valid(&m, sizeof(struct heritage_ready), true));
	assert_false(heritage_valid(&m, sizeof(struct heritage_ready) + 1, true));
}

static void unknown_types_are_refused(void **state)
{
	union heritage_message m = message(0, sizeof(struct heritage_stop));

	(void)state;
	assert_false(heritage_valid(&m, m.head.size, true));
	m.head.type = 99;
	assert_false(heritage_valid(&m, m.head.size, false));
}

static void values_must_be_in_range(void **state)
{
	union heritage_message m = message(HERITAGE_READY, sizeof(struct heritage_ready));

	(void)state;
	m.ready.workers = 0;
	assert_false(heritage_valid(&m, m.head.size, true));
	m.ready.workers = HERITAGE_WORKERS_MAX + 1;
	assert_false(heritage_valid(&m, m.head.size, true));
	m = message(HERITAGE_HEALTH, sizeof(struct heritage_health));
	m.health.reachable = 2;
	assert_false(heritage_valid(&m, m.head.size, true));
	m = message(HERITAGE_VENDOR_ADDR, sizeof(struct heritage_vendor));
	m.vendor.ttl = HERITAGE_TTL_MAX + 1;
	assert_false(heritage_valid(&m, m.head.size, true));
	m.vendor.ttl = HERITAGE_TTL_MAX;
	assert_true(heritage_valid(&m, m.head.size, true));
	m = message(HERITAGE_STATE, sizeof(struct heritage_state));
	m.state.far = 1;
	assert_true(heritage_valid(&m, m.head.size, false));
	m.state.far = 2;
	assert_false(heritage_valid(&m, m.head.size, false));
	m = message(HERITAGE_SELFTEST_RUN, sizeof(struct heritage_selftest_run));
	m.selftest_run.id = 0;
	assert_false(heritage_valid(&m, m.head.size, true));
	m = message(HERITAGE_KERNEL, sizeof(struct heritage_kernel));
	memset(m.kernel.name, 'a', sizeof(m.kernel.name)); /* does not end */
	assert_false(heritage_valid(&m, m.head.size, false));
	memcpy(m.kernel.name, "a\"} 12", 7);
	memset(m.kernel.name + 7, 0, sizeof(m.kernel.name) - 7);
	assert_false(heritage_valid(&m, m.head.size, false));
	memcpy(m.kernel.name, "map_123", 7);
	assert_true(heritage_valid(&m, m.head.size, false));
	m = message(HERITAGE_STATION, sizeof(struct heritage_station));
	memset(m.station.name, 'a', sizeof(m.station.name)); /* does not end */
	assert_false(heritage_valid(&m, m.head.size, false));
	m.station.name[sizeof(m.station.name) - 1] = 0;
	assert_true(heritage_valid(&m, m.head.size, false));
	m.station.name[0] = '\n';
	assert_false(heritage_valid(&m, m.head.size, false));
	m = message(HERITAGE_SELFTEST, sizeof(struct heritage_selftest));
	m.selftest.state = SELFTEST_STATES_N;
	assert_false(heritage_valid(&m, m.head.size, false));
	m.selftest.state = 0;
	m.selftest.fault = SELFTEST_FAULTS_N;
	assert_false(heritage_valid(&m, m.head.size, false));
	m = message(HERITAGE_CHANGE, sizeof(struct heritage_change));
	m.change.settings = HERITAGE_SETTINGS_MAX + 1;
	assert_false(heritage_valid(&m, m.head.size, true));
	m.change.settings = 0;
	m.change.id = 0;
	assert_false(heritage_valid(&m, m.head.size, true));
	m = message(HERITAGE_SETTING, sizeof(struct heritage_setting));
	memcpy(m.setting.value, "\xc3\xa4", 3); /* a value may be UTF-8 */
	assert_true(heritage_valid(&m, m.head.size, true));
	memcpy(m.setting.value, "a\n[log]", 8); /* and is one line */
	assert_false(heritage_valid(&m, m.head.size, true));
	memset(m.setting.value, 'x', HERITAGE_VALUE);
	assert_false(heritage_valid(&m, m.head.size, true));
}

static void pieces_lie_within_the_whole(void **state)
{
	union heritage_message m =
		message(HERITAGE_SYSTEMS_SAID, sizeof(struct heritage_systems_said));
	struct heritage_systems_said *said = &m.systems_said;

	(void)state;
	said->total = HERITAGE_SYSTEMS_MAX;
	said->at = said->total - 4;
	said->n = 4;
	assert_true(heritage_valid(&m, m.head.size, false));
	said->n = 5;
	assert_false(heritage_valid(&m, m.head.size, false));
	said->at = said->total + 1;
	said->n = 0;
	assert_false(heritage_valid(&m, m.head.size, false));
	said->at = 0;
	said->n = HERITAGE_PIECE + 1;
	assert_false(heritage_valid(&m, m.head.size, false));
	said->n = 0;
	said->total = HERITAGE_SYSTEMS_MAX + 1;
	assert_false(heritage_valid(&m, m.head.size, false));
	m = message(HERITAGE_SYSTEMS, sizeof(struct heritage_systems));
	m.systems.what = HERITAGE_SYSTEMS_UPLOADED + 1;
	assert_false(heritage_valid(&m, m.head.size, true));
	m.systems.what = 0;
	memset(m.systems.when, '0', sizeof(m.systems.when));
	assert_false(heritage_valid(&m, m.head.size, true));
}

static void texts_end_and_are_printable(void **state)
{
	union heritage_message m = message(HERITAGE_HEALTH, sizeof(struct heritage_health));

	(void)state;
	memset(m.health.reason, 'x', HERITAGE_REASON);
	assert_false(heritage_valid(&m, m.head.size, true));
	m.health.reason[HERITAGE_REASON - 1] = '\0';
	assert_true(heritage_valid(&m, m.head.size, true));
	m.health.reason[3] = '\n';
	assert_false(heritage_valid(&m, m.head.size, true));
	heritage_reason(m.health.reason,
			"line\nbreak and \xff, and something that is much longer than sixty-four");
	assert_true(heritage_valid(&m, m.head.size, true));
	assert_memory_equal(m.health.reason, "line?break and ?, and", 21);
}

static void hosts_are_zero_behind_their_end(void **state)
{
	union heritage_message m = message(HERITAGE_MINT, sizeof(struct heritage_mint));

	(void)state;
	m.mint.host[HERITAGE_HOST - 1] = 'x';
	assert_false(heritage_valid(&m, m.head.size, true));
	memset(m.mint.host, 'x', HERITAGE_HOST);
	assert_false(heritage_valid(&m, m.head.size, true));
	m.mint.host[HERITAGE_HOST - 1] = '\0';
	assert_true(heritage_valid(&m, m.head.size, true));
	m.mint.rsa = 2;
	assert_false(heritage_valid(&m, m.head.size, true));
	m.mint.rsa = 1;
	assert_true(heritage_valid(&m, m.head.size, true));
	memset(m.mint.host, 0, HERITAGE_HOST);
	assert_false(heritage_valid(&m, m.head.size, true));
}

static void there_is_a_leaf_or_a_reason(void **state)
{
	union heritage_message m = message(HERITAGE_MINTED, sizeof(struct heritage_minted));

	(void)state;
	m.minted.n = HERITAGE_LEAF;
	assert_true(heritage_valid(&m, m.head.size, false));
	m.minted.n = HERITAGE_LEAF + 1;
	assert_false(heritage_valid(&m, m.head.size, false));
	m.minted.n = 0;
	assert_false(heritage_valid(&m, m.head.size, false));
	m.minted.error = 13;
	assert_true(heritage_valid(&m, m.head.size, false));
	m.minted.n = 1;
	assert_false(heritage_valid(&m, m.head.size, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_goes_one_way),
		cmocka_unit_test(sizes_must_agree),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(values_must_be_in_range),
		cmocka_unit_test(pieces_lie_within_the_whole),
		cmocka_unit_test(texts_end_and_are_printable),
		cmocka_unit_test(hosts_are_zero_behind_their_end),
		cmocka_unit_test(there_is_a_leaf_or_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
