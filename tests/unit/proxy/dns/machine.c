/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which DNS path reaches a vendor: whole stories, told with a clock of our own.
 */
#include "tests/unit/proxy/rig.h"
#include "proxy/dns/machine.h"

#define SLOW 30000
#define FAST 3000

static const struct machine_rules two_publics = {
	.publics = 2, .fail = 3, .good = 3, .interval_ms = SLOW, .fast_ms = FAST
};
static const struct machine_rules no_public = {
	.publics = 0, .fail = 3, .good = 3, .interval_ms = SLOW, .fast_ms = FAST
};

/* A world: which paths work. Runs the machine until `until`, doing every probe that is due. */
struct world {
	struct machine machine;
	bool works[3];
	unsigned probes[3];
	uint64_t now;
};

static void probe(struct world *world, unsigned path)
{
	world->probes[path]++;
	machine_began(&world->machine, path);
	machine_verdict(&world->machine, path, world->works[path], world->now);
}

static void run(struct world *world, uint64_t ms)
{
	uint64_t end = world->now + ms;
	unsigned public;
	bool system;

	for (;;) {
		uint64_t next = machine_next_ms(&world->machine);

		if (next > end)
			break;
		if (next > world->now)
			world->now = next;
		machine_due(&world->machine, world->now, &system, &public);
		assert_true(system || public);
		if (public)
			probe(world, public);
		if (system && world->machine.system_due_ms <= world->now)
			probe(world, 0);
	}
	world->now = end;
}

static void begin(struct world *world, const struct machine_rules *rules)
{
	memset(world, 0, sizeof(*world));
	world->now = 1000000;
	machine_init(&world->machine, rules, world->now);
}

static void test_all_is_well(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	world.works[0] = true;
	assert_false(machine_reachable(&world.machine));
	run(&world, 0);
	assert_int_equal(world.machine.step, MACHINE_SYSTEM);
	assert_true(machine_reachable(&world.machine));
	run(&world, 10 * SLOW);
	assert_int_equal(world.probes[0], 11);
	assert_int_equal(world.probes[1] + world.probes[2], 0);
}

static void test_two_failures_switch_nothing(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	world.works[0] = true;
	run(&world, SLOW);
	for (int i = 0; i < 20; i++) {
		world.works[0] = false;
		run(&world, machine_next_ms(&world.machine) - world.now);
		run(&world, machine_next_ms(&world.machine) - world.now);
		assert_int_equal(world.machine.step, MACHINE_SYSTEM);
		assert_true(machine_reachable(&world.machine));
		world.works[0] = true;
		run(&world, machine_next_ms(&world.machine) - world.now);
	}
	assert_int_equal(world.probes[1], 0);
}

static void test_the_third_failure_switches(void **state)
{
	struct world world;
	uint64_t dead;

	(void)state;
	begin(&world, &two_publics);
	world.works[0] = world.works[1] = world.works[2] = true;
	run(&world, SLOW);
	world.works[0] = false;
	dead = world.now;
	while (world.machine.step == MACHINE_SYSTEM)
		run(&world, 100);
	assert_int_equal(world.machine.step, MACHINE_PUBLIC);
	assert_int_equal(machine_path(&world.machine), 1);
	assert_true(machine_reachable(&world.machine));
	/* The next slow probe and two fast ones. */
	assert_in_range(world.now - dead, 2 * FAST, SLOW + 2 * FAST + 100);
	assert_int_equal(world.probes[2], 0);
}

static void test_publics_in_order(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	world.works[2] = true;
	run(&world, 2 * FAST);
	assert_int_equal(world.machine.step, MACHINE_PUBLIC);
	assert_int_equal(machine_path(&world.machine), 2);
	assert_int_equal(world.probes[1], 1);
}

static void test_three_good_ones_return(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	world.works[1] = true;
	run(&world, 2 * FAST);
	assert_int_equal(world.machine.step, MACHINE_PUBLIC);
	run(&world, SLOW);

	/* Two good ones and a bad one: it stays. */
	world.works[0] = true;
	while (world.machine.system_good < 2)
		run(&world, 100);
	world.works[0] = false;
	run(&world, FAST);
	assert_int_equal(world.machine.step, MACHINE_PUBLIC);
	assert_int_equal(world.machine.system_good, 0);

	world.works[0] = true;
	run(&world, SLOW + 3 * FAST);
	assert_int_equal(world.machine.step, MACHINE_SYSTEM);
	assert_int_equal(machine_path(&world.machine), 0);
}

static void test_public_dies_too(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	world.works[1] = true;
	run(&world, 2 * FAST);
	assert_int_equal(machine_path(&world.machine), 1);
	world.works[1] = false;
	world.works[2] = true;
	run(&world, SLOW + 4 * FAST);
	assert_int_equal(world.machine.step, MACHINE_PUBLIC);
	assert_int_equal(machine_path(&world.machine), 2);
}

static void test_lost_and_found(void **state)
{
	struct world world;
	unsigned probes;

	(void)state;
	begin(&world, &two_publics);
	run(&world, 2 * FAST);
	assert_int_equal(world.machine.step, MACHINE_LOST);
	assert_false(machine_reachable(&world.machine));
	assert_int_equal(machine_path(&world.machine), 0);
	/* It goes on trying everything, without hammering. */
	probes = world.probes[1];
	run(&world, 10 * FAST);
	assert_in_range(world.probes[1] - probes, 9, 11);
	/* The first path that works is taken, at once. */
	world.works[2] = true;
	run(&world, 2 * FAST);
	assert_int_equal(machine_path(&world.machine), 2);

	begin(&world, &two_publics);
	run(&world, 2 * FAST);
	world.works[0] = true;
	run(&world, FAST);
	assert_int_equal(world.machine.step, MACHINE_SYSTEM);
}

static void test_public_forbidden(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &no_public);
	world.works[1] = true;
	run(&world, 20 * FAST);
	assert_int_equal(world.machine.step, MACHINE_LOST);
	assert_int_equal(world.probes[1], 0);
	world.works[0] = true;
	run(&world, FAST);
	assert_true(machine_reachable(&world.machine));
}

static void test_hurry(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	world.works[0] = true;
	run(&world, 0);
	assert_int_equal(machine_next_ms(&world.machine), world.now + SLOW);
	machine_hurry(&world.machine, world.now);
	assert_int_equal(machine_next_ms(&world.machine), world.now);
	/* Not while a probe is under way, and not more often than the fast interval. */
	machine_began(&world.machine, 0);
	machine_hurry(&world.machine, world.now);
	assert_true(machine_next_ms(&world.machine) == UINT64_MAX);
	machine_verdict(&world.machine, 0, false, world.now);
	assert_int_equal(machine_next_ms(&world.machine), world.now + FAST);
	machine_hurry(&world.machine, world.now);
	assert_int_equal(machine_next_ms(&world.machine), world.now + FAST);
}

static void test_new_rules(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	world.works[1] = true;
	run(&world, 2 * FAST);
	assert_int_equal(world.machine.step, MACHINE_PUBLIC);
	machine_rules_set(&world.machine, &two_publics, world.now);
	assert_int_equal(world.machine.step, MACHINE_PUBLIC);
	machine_rules_set(&world.machine, &no_public, world.now);
	assert_int_equal(world.machine.step, MACHINE_START);
	assert_int_equal(machine_path(&world.machine), 0);
}

/* A verdict that comes after the step has moved on changes nothing. */
static void test_late_verdict(void **state)
{
	struct world world;

	(void)state;
	begin(&world, &two_publics);
	for (int i = 0; i < 3; i++) {
		machine_began(&world.machine, 0);
		machine_verdict(&world.machine, 0, false, world.now);
	}
	assert_int_equal(world.machine.step, MACHINE_SEARCH);
	machine_began(&world.machine, 1);
	machine_began(&world.machine, 0);
	machine_verdict(&world.machine, 0, true, world.now);
	assert_int_equal(world.machine.step, MACHINE_SYSTEM);
	machine_verdict(&world.machine, 1, true, world.now);
	assert_int_equal(world.machine.step, MACHINE_SYSTEM);
	assert_int_equal(machine_path(&world.machine), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_well),
		cmocka_unit_test(test_two_failures_switch_nothing),
		cmocka_unit_test(test_the_third_failure_switches),
		cmocka_unit_test(test_publics_in_order),
		cmocka_unit_test(test_three_good_ones_return),
		cmocka_unit_test(test_public_dies_too),
		cmocka_unit_test(test_lost_and_found),
		cmocka_unit_test(test_public_forbidden),
		cmocka_unit_test(test_hurry),
		cmocka_unit_test(test_new_rules),
		cmocka_unit_test(test_late_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
