/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firmware/keeper/arm.c: armed only when every fact is good, and always with a reason when not. And backoff.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "firmware/keeper/arm.h"
#include "firmware/keeper/backoff.h"

static struct arm_facts good(void)
{
	return (struct arm_facts){ .steering = true,
				   .roles_known = true,
				   .running = true,
				   .ready = true,
				   .health_seen = true,
				   .reachable = true,
				   .reason = "" };
}

static void is(struct arm_facts f, enum arm_step step)
{
	struct arm_verdict v = arm_decide(&f);

	assert_string_equal(arm_step_name(v.step), arm_step_name(step));
	assert_int_equal(v.why_not[0] == '\0', step == ARM_ARMED);
	assert_true(heritage_text_valid(v.why_not));
}

static void all_good_arms(void **state)
{
	(void)state;
	is(good(), ARM_ARMED);
}

static void one_bad_fact_disarms(void **state)
{
	struct arm_facts f;

	(void)state;
	f = good(), f.stopping = true;
	is(f, ARM_STOPPING);
	f = good(), f.running = false;
	is(f, ARM_IDLE);
	f = good(), f.running = false, f.restarting = true;
	is(f, ARM_BACKING_OFF);
	f = good(), f.ready = false;
	is(f, ARM_STARTING);
	f = good(), f.health_seen = false;
	is(f, ARM_WARMING);
	f = good(), f.steering = false, f.reason = "no BPF";
	is(f, ARM_UNHEALTHY);
	f = good(), f.roles_known = false;
	is(f, ARM_UNHEALTHY);
	f = good(), f.reachable = false, f.reason = "no upstream";
	is(f, ARM_UNHEALTHY);
}

static void limits_are_the_contracts(void **state)
{
	struct arm_facts f = good();

	(void)state;
	f.beat_ms = HERITAGE_STALE_MS;
	is(f, ARM_ARMED);
	f.beat_ms = HERITAGE_STALE_MS + 1;
	is(f, ARM_UNHEALTHY);
	f.beat_ms = UINT64_MAX;
	is(f, ARM_UNHEALTHY);
	f = good();
	f.health_ms = HERITAGE_HEALTH_MS;
	is(f, ARM_ARMED);
	f.health_ms = HERITAGE_HEALTH_MS + 1;
	is(f, ARM_UNHEALTHY);
}

static void the_data_planes_reason_is_ours(void **state)
{
	struct arm_facts f = good();

	(void)state;
	f.reachable = false;
	f.reason = "mirror.vendor.example does not connect";
	assert_string_equal(arm_decide(&f).why_not, f.reason);
	f.reason = "";
	is(f, ARM_UNHEALTHY);
}

static void backing_off_doubles_up_to_its_limit(void **state)
{
	struct backoff b = { 0 };
	unsigned wait = 0;

	(void)state;
	assert_int_equal(backoff_wait(&b, 0), 100);
	assert_int_equal(backoff_wait(&b, 0), 200);
	assert_int_equal(backoff_wait(&b, BACKOFF_GOOD_MS - 1), 400);
	for (int i = 0; i < 20; i++)
		wait = backoff_wait(&b, 0);
	assert_int_equal(wait, BACKOFF_MAX_MS);
	assert_int_equal(backoff_wait(&b, BACKOFF_GOOD_MS), 100);
	assert_int_equal(backoff_wait(&b, 0), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_good_arms),
		cmocka_unit_test(one_bad_fact_disarms),
		cmocka_unit_test(limits_are_the_contracts),
		cmocka_unit_test(the_data_planes_reason_is_ours),
		cmocka_unit_test(backing_off_doubles_up_to_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
