/* SPDX-License-Identifier: Apache-2.0 */
/* Who asked for what: noted, bounded, forgotten in time, kept over restarts; and the ring that brings it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "cache/demand.h"
#include "tests/unit/cache/rig.h"

#define DAY INT64_C(86400)
#define T0  INT64_C(1700000000)

static struct demand *demand;
static const struct demand_limits limits = { .objects = 100, .devices = 8, .pairs = 20 };

static int setup(void **state)
{
	(void)state;
	return demand_new(&limits, DEMAND_DEVICES_ON, &demand);
}

static int teardown(void **state)
{
	(void)state;
	demand_free(&demand);
	return 0;
}

static struct demand_event event_of(unsigned device, const char *key, uint64_t id, int64_t at)
{
	struct demand_event e = {
		.device = { [10] = 0xff, 0xff, 192, 0, 2, (uint8_t)device },
		.at = at,
		.bytes = 1000,
		.id = id,
		.generation = 5,
		.bits = DEMAND_WHOLE,
		.key = span_of(key),
		.host = SPAN("h.example:8080"),
	};

	return e;
}

static void note(unsigned device, const char *key, uint64_t id, int64_t at, uint32_t bits)
{
	struct demand_event e = event_of(device, key, id, at);

	e.bits = bits;
	demand_note(demand, &e);
}

/* ---- collecting -------------------------------------------------------------------------------- */

struct seen {
	unsigned n;
	struct demand_object last;
	struct demand_device device;
	uint64_t got;
};

static int see_object(void *arg, const struct demand_object *object)
{
	struct seen *seen = arg;

	seen->n++;
	seen->last = *object;
	return 0;
}

static int see_device(void *arg, const struct demand_device *device)
{
	struct seen *seen = arg;

	seen->n++;
	seen->device = *device;
	return 0;
}

static int see_pair(void *arg, const struct demand_object *object, int64_t last, uint64_t got)
{
	struct seen *seen = arg;

	(void)last;
	seen->n++;
	seen->last = *object;
	seen->got = got;
	return 0;
}

static struct seen objects(const char *profile, int64_t since)
{
	struct seen seen = { 0 };

	assert_int_equal(demand_each_object(demand, profile, since, see_object, &seen), 0);
	return seen;
}

static struct seen devices(void)
{
	struct seen seen = { 0 };

	assert_int_equal(demand_each_device(demand, see_device, &seen), 0);
	return seen;
}

static struct seen pairs(uint32_t slot)
{
	struct seen seen = { 0 };

	assert_int_equal(demand_each_pair(demand, slot, see_pair, &seen), 0);
	return seen;
}

/* ---- noting ------------------------------------------------------------------------------------ */

static void a_request_is_an_object_and_a_device(void **state)
{
	struct seen s;

	(void)state;
	note(7, "v g /a", 11, T0, DEMAND_WHOLE | DEMAND_HIT);
	note(7, "v g /index", 12, T0 + 1, DEMAND_WHOLE | DEMAND_INDEX);
	s = objects("v", 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(objects("v", T0 + 1).n, 1);
	assert_int_equal(objects("w", 0).n, 0);
	assert_true(span_eq(objects("v", T0 + 1).last.host, SPAN("h.example:8080")));
	s = devices();
	assert_int_equal(s.n, 1);
	assert_string_equal(s.device.name, "192.0.2.7");
	assert_int_equal(s.device.standings_n, 1);
	assert_string_equal(s.device.standings[0].profile, "v");
	assert_int_equal(s.device.standings[0].updated, T0 + 1);
	assert_int_equal(s.device.standings[0].generation, 5);
	assert_int_equal(s.device.standings[0].requests, 2);
	assert_int_equal(s.device.standings[0].hits, 1);
	assert_int_equal(s.device.standings[0].bytes, 2000);
	assert_int_equal(pairs(s.device.slot).n, 2);
}

static void what_was_not_got_whole_is_not_had(void **state)
{
	(void)state;
	note(1, "v g /a", 11, T0, DEMAND_WHOLE);
	note(1, "v g /a", 12, T0 + 1, 0);
	assert_int_equal(pairs(devices().device.slot).got, 11);
	note(1, "v g /a", 12, T0 + 2, DEMAND_WHOLE);
	assert_int_equal(pairs(devices().device.slot).got, 12);
	assert_int_equal(objects("v", 0).last.asked, 3);
}

static void an_error_is_no_demand(void **state)
{
	(void)state;
	note(1, "v g /absent", 0, T0, DEMAND_ERROR);
	assert_int_equal(objects("v", 0).n, 0);
	assert_int_equal(devices().device.standings[0].errors, 1);
}

static void hashed_devices_are_told_apart_but_not_named(void **state)
{
	(void)state;
	demand_devices_set(demand, DEMAND_DEVICES_HASHED);
	note(1, "v g /a", 1, T0, DEMAND_WHOLE);
	note(2, "v g /a", 1, T0, DEMAND_WHOLE);
	note(1, "v g /b", 2, T0, DEMAND_WHOLE);
	assert_int_equal(devices().n, 2);
	assert_int_equal(strlen(devices().device.name), 16);
	assert_null(strchr(devices().device.name, '.'));
	demand_devices_set(demand, DEMAND_DEVICES_OFF);
	assert_int_equal(devices().n, 0);
	note(1, "v g /a", 1, T0, DEMAND_WHOLE);
	assert_int_equal(devices().n, 0);
	assert_int_equal(objects("v", 0).n, 2);
}

/* ---- bounds and time --------------------------------------------------------------------------- */

static void the_oldest_make_room(void **state)
{
	char key[32];
	struct demand_count count;

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		(void)snprintf(key, sizeof(key), "v g /%u", i);
		note(i % 20, key, i + 1, T0 + i, DEMAND_WHOLE);
	}
	demand_count(demand, &count);
	assert_true(count.objects <= limits.objects);
	assert_true(count.objects > limits.objects * 9 / 10);
	assert_int_equal(count.devices, limits.devices);
	assert_true(count.dropped > 0);
	assert_int_equal(objects("v", T0 + 450).n, 50); /* the newest are all there */
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "v g /%u", 400 + i);
		note(1, key, i + 1, T0 + 1000 + i, DEMAND_WHOLE);
	}
	assert_true(pairs(devices().device.slot).n <= limits.pairs);
}

static void what_nobody_asks_for_is_forgotten(void **state)
{
	(void)state;
	note(1, "v g /old", 1, T0, DEMAND_WHOLE);
	note(1, "v g /new", 2, T0 + 10 * DAY, DEMAND_WHOLE);
	note(2, "v g /old", 1, T0, DEMAND_WHOLE);
	demand_expire(demand, T0 + 15 * DAY - 14 * DAY);
	assert_int_equal(objects("v", 0).n, 1);
	assert_int_equal(devices().n, 1);
	assert_int_equal(pairs(devices().device.slot).n, 1);
	demand_gone(demand, SPAN("v g /none"));
	demand_gone(demand, SPAN("v g /new"));
	assert_int_equal(objects("v", 0).n, 0);
	assert_int_equal(pairs(devices().device.slot).n, 0);
	note(1, "v g /new", 2, T0 + 10 * DAY, DEMAND_WHOLE);
	demand_expire(demand, T0 + 30 * DAY);
	assert_int_equal(objects("v", 0).n, 0);
	assert_int_equal(devices().n, 0);
}

static bool is_current(void *arg, struct span key, uint64_t id)
{
	(void)arg;
	return !span_eq(key, SPAN("v g /dropped")) && (!id || id == 11);
}

static bool counts(void *arg, const struct demand_device *device)
{
	(void)arg;
	return strcmp(device->name, "192.0.2.9") != 0;
}

static void hold(int64_t step)
{
	demand_hold(demand, "v", step, is_current, counts, NULL);
}

/* A device that has the newest looks at the index alone. */
static void what_a_device_has_is_asked_for_as_long_as_it_looks(void **state)
{
	(void)state;
	note(1, "v g /kept", 11, T0, DEMAND_WHOLE);
	note(1, "v g /changed", 10, T0, DEMAND_WHOLE);
	note(1, "v g /dropped", 11, T0, DEMAND_WHOLE);
	note(1, "v g /half", 11, T0, 0);
	note(1, "w g /other", 11, T0, DEMAND_WHOLE);
	note(9, "v g /apart", 11, T0, DEMAND_WHOLE | DEMAND_APART);
	note(1, "v g /index", 12, T0 + 20 * DAY, DEMAND_WHOLE | DEMAND_INDEX);
	note(9, "v g /index", 12, T0 + 20 * DAY, DEMAND_WHOLE | DEMAND_INDEX | DEMAND_APART);
	hold(30 * DAY); /* not worth a row each time */
	assert_int_equal(objects("v", T0 + 1).n, 1);
	hold(DAY);
	assert_int_equal(objects("v", T0 + 20 * DAY).n, 2);
	demand_expire(demand, T0 + 20 * DAY);
	assert_int_equal(objects("v", 0).n, 3);
	assert_int_equal(objects("v", 1).n, 2); /* nobody wants /apart */
	assert_int_equal(objects("w", 0).n, 0);
	assert_int_equal(pairs(devices().device.slot).n, 2);
	/* It looks no more. */
	hold(DAY);
	demand_expire(demand, T0 + 20 * DAY + 1);
	assert_int_equal(objects("v", 0).n, 0);
}

static void where_no_device_is_known_all_that_is_current_is(void **state)
{
	(void)state;
	demand_devices_set(demand, DEMAND_DEVICES_OFF);
	note(1, "v g /kept", 11, T0, DEMAND_WHOLE);
	note(1, "v g /dropped", 11, T0, DEMAND_WHOLE);
	hold(DAY);
	note(1, "v g /index", 12, T0 + 20 * DAY, DEMAND_WHOLE | DEMAND_INDEX);
	hold(DAY);
	demand_expire(demand, T0 + 20 * DAY);
	assert_int_equal(objects("v", 0).n, 2);
}

static void what_takes_the_place_of_something_is_in_demand_as_that_was(void **state)
{
	(void)state;
	note(1, "v g /diff-1", 11, T0, DEMAND_WHOLE);
	demand_replaced(demand, SPAN("v g /diff-1"), SPAN("v g /diff-2"));
	demand_replaced(demand, SPAN("v g /diff-2"), SPAN("v g /diff-3"));
	demand_replaced(demand, SPAN("v g /none"), SPAN("v g /diff-4"));
	assert_int_equal(objects("v", T0).n, 1);
	assert_int_equal(objects("v", T0 + 1).n, 0);
	assert_true(span_eq(objects("v", T0).last.key, SPAN("v g /diff-3")));
	assert_true(span_eq(objects("v", T0).last.host, SPAN("h.example:8080")));
	note(1, "v g /diff-3", 13, T0 + DAY, DEMAND_WHOLE);
	assert_int_equal(objects("v", T0 + DAY).n, 1);
	/* As much, and no longer. */
	demand_replaced(demand, SPAN("v g /diff-3"), SPAN("v g /diff-4"));
	demand_expire(demand, T0 + DAY + 1);
	assert_int_equal(objects("v", 0).n, 0);
	/* Of nobody who counts: nor is what took its place. */
	note(1, "v g /a", 11, T0, DEMAND_WHOLE | DEMAND_APART);
	demand_replaced(demand, SPAN("v g /a"), SPAN("v g /b"));
	assert_int_equal(objects("v", 1).n, 0);
	/* What makes room for it may be what it takes the place of. */
	for (unsigned i = 0; i < 99; i++) {
		char key[32];

		snprintf(key, sizeof(key), "v g /%u", i);
		note(1, key, i + 1, T0 + 50 * DAY, DEMAND_WHOLE);
	}
	demand_replaced(demand, SPAN("v g /a"), SPAN("v g /c"));
}

/* ---- restarts ---------------------------------------------------------------------------------- */

static void save_all(struct rig *rig)
{
	for (unsigned i = 0; demand_save(demand, rig->writer, 3); i++) {
		assert_true(i < 100);
		assert_int_equal(rig_commit(rig), 0);
	}
	assert_int_equal(rig_commit(rig), 0);
}

static void reload(struct rig *rig, enum demand_devices how)
{
	demand_free(&demand);
	assert_int_equal(demand_new(&limits, how, &demand), 0);
	demand_load(demand, rig->reader);
}

static void it_is_kept_over_a_restart(void **state)
{
	struct rig rig;
	struct seen s;

	(void)state;
	rig_new(&rig, RIG_LIMIT);
	note(1, "v g /a", 11, T0, DEMAND_WHOLE);
	note(1, "v g /index", 12, T0 + 5, DEMAND_WHOLE | DEMAND_INDEX);
	note(2, "w g /b", 13, T0 + 6, DEMAND_WHOLE);
	save_all(&rig);
	reload(&rig, DEMAND_DEVICES_ON);
	assert_int_equal(objects("v", 0).n, 2);
	assert_int_equal(objects("v", T0 + 5).n, 1);
	assert_true(objects("v", T0 + 5).last.index);
	assert_int_equal(devices().n, 2);
	s = pairs(devices().device.slot);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.got, 13);
	/* What was forgotten does not come back. */
	demand_expire(demand, T0 + 6);
	save_all(&rig);
	reload(&rig, DEMAND_DEVICES_ON);
	assert_int_equal(objects("v", 0).n, 0);
	assert_int_equal(devices().n, 1);
	/* Nor do devices that are known in another way. */
	reload(&rig, DEMAND_DEVICES_HASHED);
	assert_int_equal(devices().n, 0);
	save_all(&rig);
	reload(&rig, DEMAND_DEVICES_ON);
	assert_int_equal(devices().n, 0);
	assert_int_equal(objects("w", 0).n, 1);
	rig_free(&rig);
}

static void damaged_rows_are_left_out(void **state)
{
	struct rig rig;

	(void)state;
	rig_new(&rig, RIG_LIMIT);
	note(1, "v g /a", 11, T0, DEMAND_WHOLE);
	save_all(&rig);
	for (size_t n = 0; n < 40; n++) {
		uint8_t junk[40];

		memset(junk, (int)n, sizeof(junk));
		memcpy(junk, "\0\0\0\1\0\0\0\5", 8);
		assert_int_equal(writer_put_state(rig.writer, SPAN("demand/d/0"),
						  span_make(junk, n), NULL, NULL),
				 0);
		assert_int_equal(writer_put_state(rig.writer, SPAN("demand/o/0"),
						  span_make(junk, n), NULL, NULL),
				 0);
		assert_int_equal(rig_commit(&rig), 0);
		reload(&rig, DEMAND_DEVICES_ON);
	}
	rig_free(&rig);
}

/* ---- the ring ---------------------------------------------------------------------------------- */

static void a_full_ring_drops(void **state)
{
	struct demand_event e = event_of(1, "v g /a", 1, T0), got;
	struct demand_ring *ring;
	unsigned put = 0, n = 0;
	bool hurry = false;

	(void)state;
	assert_int_equal(demand_ring_new(&ring), 0);
	assert_false(demand_ring_get(ring, &got));
	while (demand_ring_put(ring, &e, &hurry))
		put++;
	assert_true(put > 1000);
	assert_true(hurry);
	while (demand_ring_get(ring, &got)) {
		assert_true(span_eq(got.key, e.key));
		assert_true(span_eq(got.host, e.host));
		n++;
	}
	assert_int_equal(n, put);
	assert_true(demand_ring_put(ring, &e, &hurry));
	assert_false(hurry);
	demand_ring_free(&ring);
}

#define PASSED 300000

static void *put_many(void *arg)
{
	char key[64];
	bool hurry;

	for (unsigned i = 0; i < PASSED; i++) {
		struct demand_event e = event_of(1, "", i, T0);
		int n = snprintf(key, sizeof(key), "v g /%.*s%u", (int)(i % 13), "aaaaaaaaaaaaaa",
				 i);

		e.key = span_make(key, (size_t)n);
		while (!demand_ring_put(arg, &e, &hurry))
			sched_yield();
	}
	return NULL;
}

static void two_threads_lose_nothing(void **state)
{
	struct demand_event got;
	struct demand_ring *ring;
	pthread_t thread;

	(void)state;
	assert_int_equal(demand_ring_new(&ring), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_many, ring), 0);
	for (unsigned i = 0; i < PASSED; i++) {
		uint64_t number;

		while (!demand_ring_get(ring, &got))
			sched_yield();
		assert_int_equal(got.id, i);
		assert_int_equal(span_u64(span_drop(got.key, 5 + i % 13), &number), 0);
		assert_int_equal(number, i);
	}
	pthread_join(thread, NULL);
	demand_ring_free(&ring);
}

static void a_note_costs_little(void **state)
{
	struct demand_event e =
		event_of(1, "vendor @updates /bases/av/kdb/i386/base0001.dat", 1, T0);
	struct demand_event got;
	struct demand_ring *ring;
	uint64_t began, put = 0, noted = 0;
	bool hurry;

	(void)state;
	assert_int_equal(demand_ring_new(&ring), 0);
	for (unsigned round = 0; round < 200; round++) {
		began = clock_mono_ns();
		for (unsigned i = 0; i < 1000; i++)
			(void)!demand_ring_put(ring, &e, &hurry);
		put += clock_mono_ns() - began;
		began = clock_mono_ns();
		while (demand_ring_get(ring, &got))
			demand_note(demand, &got);
		noted += clock_mono_ns() - began;
	}
	print_message("# %.0f ns on a worker, %.0f ns on the control loop, a request\n",
		      (double)put / 200e3, (double)noted / 200e3);
	assert_true(put / 200000 < 5000);
	demand_ring_free(&ring);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* ---- for whom nothing is fetched ahead ----------------------------------------------------------- */

static bool is_device(void *arg, const struct demand_device *device)
{
	const uint8_t *last = arg;

	return device->named && device->id[15] == *last;
}

static void who_is_apart_makes_nothing_wanted(void **state)
{
	const uint8_t one[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	uint8_t last = 1;

	(void)state;
	note(1, "v g /a", 1, T0, DEMAND_WHOLE | DEMAND_APART);
	assert_int_equal(objects("v", T0).n, 0);
	note(2, "v g /a", 1, T0, DEMAND_WHOLE);
	note(2, "v g /b", 2, T0, DEMAND_WHOLE);
	assert_int_equal(objects("v", T0).n, 2);
	note(1, "v g /c", 3, T0, DEMAND_WHOLE | DEMAND_APART);
	assert_int_equal(objects("v", T0).n, 2);
	demand_count_in(demand, one);
	assert_int_equal(objects("v", T0).n, 3);
	demand_count_again(demand, is_device, &last); /* /a and /c are its own */
	assert_int_equal(objects("v", T0).n, 2);
	last = 9;
	demand_count_again(demand, is_device, &last);
	assert_int_equal(objects("v", T0).n, 0);
}

static void links_are_of_devices_that_are_named(void **state)
{
	const uint8_t one[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	struct demand_link link = {
		.known = true, .mac = { 2, 0, 0, 0, 0, 9 }, .vlan = 20, .name = "pc-7"
	};
	struct demand_device seen;
	struct rig rig;

	(void)state;
	rig_new(&rig, RIG_LIMIT);
	note(1, "v g /a", 1, T0, DEMAND_WHOLE | DEMAND_APART);
	demand_link_set(demand, one, &link);
	save_all(&rig);
	reload(&rig, DEMAND_DEVICES_ON);
	assert_int_equal(objects("v", T0).n, 0);
	seen = devices().device;
	assert_true(seen.link.known && seen.link.vlan == 20);
	assert_memory_equal(seen.link.mac, link.mac, sizeof(link.mac));
	assert_string_equal(seen.link.name, "pc-7");
	link.name[0] = 0; /* it did not say it again */
	demand_link_set(demand, one, &link);
	assert_string_equal(devices().device.link.name, "pc-7");
	link.mac[5] = 8; /* another one has the address now */
	demand_link_set(demand, one, &link);
	assert_string_equal(devices().device.link.name, "");
	memcpy(link.name, "pc-8", 5);
	demand_link_set(demand, one, &link);
	demand_names_forget(demand);
	assert_string_equal(devices().device.link.name, "");
	demand_devices_set(demand, DEMAND_DEVICES_HASHED);
	note(1, "v g /a", 1, T0, DEMAND_WHOLE);
	demand_link_set(demand, one, &link);
	assert_false(devices().device.link.known);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_is_an_object_and_a_device),
		T(what_was_not_got_whole_is_not_had),
		T(an_error_is_no_demand),
		T(hashed_devices_are_told_apart_but_not_named),
		T(the_oldest_make_room),
		T(what_nobody_asks_for_is_forgotten),
		T(what_a_device_has_is_asked_for_as_long_as_it_looks),
		T(where_no_device_is_known_all_that_is_current_is),
		T(what_takes_the_place_of_something_is_in_demand_as_that_was),
		T(it_is_kept_over_a_restart),
		T(damaged_rows_are_left_out),
		T(who_is_apart_makes_nothing_wanted),
		T(links_are_of_devices_that_are_named),
		T(a_full_ring_drops),
		T(two_threads_lose_nothing),
		T(a_note_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
