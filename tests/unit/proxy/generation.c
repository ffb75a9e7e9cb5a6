/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proxy/generation.h"
#include "tests/unit/cache/rig.h"

struct scene {
	struct rig rig;
	struct generations *g;
};

static int scene_new(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	rig_new(&s->rig, RIG_LIMIT);
	CHECK_OK(generations_new(s->rig.writer, &s->g));
	*state = s;
	return 0;
}

static int scene_free(void **state)
{
	struct scene *s = *state;

	generations_free(&s->g);
	rig_free(&s->rig);
	free(s);
	return 0;
}

static struct object index_of(const char *key, const char *etag, int64_t last_modified,
			      int64_t length)
{
	return (struct object){ .key = span_of(key),
				.etag = span_of(etag),
				.last_modified = last_modified,
				.length = length };
}

static uint64_t number(struct scene *s, const char *profile)
{
	return generation_of(s->g, s->rig.reader, profile);
}

static bool see(struct scene *s, const char *profile, struct object index)
{
	s->rig.now = now_after(s->rig.now, 10);
	return generation_index(s->g, s->rig.reader, profile, &index, s->rig.now);
}

static void begins_at_nothing(void **state)
{
	assert_int_equal(number(*state, "a"), 0);
	assert_int_equal(generation_of(NULL, NULL, "a"), 0);
}

static void a_new_index_is_a_new_generation(void **state)
{
	struct scene *s = *state;
	uint64_t first, second;

	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	first = number(s, "a");
	assert_true(first != 0);
	assert_false(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	assert_int_equal(number(s, "a"), first);
	assert_true(see(s, "a", index_of("i", "\"2\"", 100, 5)));
	second = number(s, "a");
	assert_true(second > first);
	assert_int_equal(number(s, "b"), 0);
}

static void each_validator_counts(void **state)
{
	struct scene *s = *state;

	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	assert_true(see(s, "a", index_of("i", "\"1\"", 101, 5)));
	assert_true(see(s, "a", index_of("i", "\"1\"", 101, 6)));
	assert_true(see(s, "a", index_of("i", "", 101, 6)));
	assert_false(see(s, "a", index_of("i", "", 101, 6)));
	assert_true(see(s, "a", index_of("i", "", OBJECT_TIME_UNKNOWN, 6)));
	/* Without any, each response may be another. */
	assert_true(see(s, "a", index_of("i", "", OBJECT_TIME_UNKNOWN, 6)));
}

static void indexes_do_not_disturb_each_other(void **state)
{
	struct scene *s = *state;
	uint64_t last;

	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	assert_true(see(s, "a", index_of("j", "\"1\"", 100, 5)));
	last = number(s, "a");
	assert_false(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	assert_false(see(s, "a", index_of("j", "\"1\"", 100, 5)));
	assert_int_equal(number(s, "a"), last);
}

static void grows_though_the_clock_stands(void **state)
{
	struct scene *s = *state;
	struct object index = index_of("i", "\"1\"", 100, 5);
	struct now never = { 0 };
	uint64_t first;

	assert_true(generation_index(s->g, s->rig.reader, "a", &index, s->rig.now));
	first = number(s, "a");
	index.etag = SPAN("\"2\"");
	assert_true(generation_index(s->g, s->rig.reader, "a", &index, never));
	assert_int_equal(number(s, "a"), first + 1);
}

static void survives_a_restart(void **state)
{
	struct scene *s = *state;
	uint64_t last;

	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	last = number(s, "a");
	CHECK_OK(rig_commit(&s->rig));
	generations_free(&s->g);
	CHECK_OK(generations_new(s->rig.writer, &s->g));
	assert_int_equal(number(s, "a"), last);
	assert_false(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	assert_true(see(s, "a", index_of("i", "\"2\"", 100, 5)));
}

/* The row of a new generation is lost: its number must not come again for another index. */
static void lost_rows_do_no_harm(void **state)
{
	struct scene *s = *state;
	uint64_t lost;

	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	CHECK_OK(rig_commit(&s->rig));
	assert_true(see(s, "a", index_of("i", "\"2\"", 100, 5)));
	lost = number(s, "a");
	generations_free(&s->g); /* nothing was committed since */
	CHECK_OK(generations_new(s->rig.writer, &s->g));
	assert_true(number(s, "a") < lost);
	assert_true(see(s, "a", index_of("i", "\"3\"", 100, 5)));
	assert_true(number(s, "a") > lost);
}

static void profiles_beyond_the_limit_stay_at_0(void **state)
{
	struct scene *s = *state;
	char name[8];

	for (unsigned i = 0; i < GENERATION_PROFILES_MAX; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		assert_true(see(s, name, index_of("i", "\"1\"", 100, 5)));
	}
	assert_false(see(s, "more", index_of("i", "\"1\"", 100, 5)));
	assert_int_equal(number(s, "more"), 0);
}

/* ---- publishing ---------------------------------------------------------------------------------- */

static unsigned told;

static void tell(void *arg)
{
	(void)arg;
	told++;
}

static const uint8_t device_a[16] = { [15] = 1 }, device_b[16] = { [15] = 2 };

static void watch(struct scene *s)
{
	struct generation_limits limits = { .hold_ms = 10000, .finish_ms = 5000 };

	told = 0;
	generations_watch(s->g, tell, NULL);
	generations_limit(s->g, &limits);
}

static bool hold(struct scene *s, const char *etag)
{
	struct object index = index_of("i", etag, 100, 5);

	return generation_hold(s->g, s->rig.reader, "a", &index, s->rig.now);
}

static uint64_t pinned(struct scene *s, const uint8_t device[16], const char *key, bool index)
{
	return generation_pinned(s->g, "a", device, span_of(key), index, s->rig.now);
}

static void publish(struct scene *s, uint64_t n)
{
	generation_publishing(s->g, s->rig.reader, "a", n);
	generation_publish(s->g, s->rig.reader, "a", n, s->rig.now);
}

static void a_changed_index_is_held_for_a_time(void **state)
{
	struct scene *s = *state;
	struct object now_known = index_of("i", "\"2\"", 100, 5);

	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	assert_false(hold(s, "\"2\"")); /* nobody would publish it */
	watch(s);
	assert_false(hold(s, "\"1\""));
	assert_true(hold(s, "\"2\""));
	assert_true(hold(s, "\"2\""));
	assert_int_equal(told, 1);
	assert_true(generation_take_change(s->g, "a"));
	assert_false(generation_take_change(s->g, "a"));
	assert_true(generation_is_held(s->g, "a", s->rig.now));
	s->rig.now = now_after(s->rig.now, 9999);
	assert_true(generation_is_held(s->g, "a", s->rig.now));
	s->rig.now = now_after(s->rig.now, 1);
	assert_false(generation_is_held(s->g, "a", s->rig.now));
	assert_false(hold(s, "\"2\"")); /* that was long enough */
	assert_true(hold(s, "\"3\""));	/* another one has its own time */
	generation_know(s->g, s->rig.reader, "a", &now_known);
	assert_false(hold(s, "\"2\""));
	generation_release(s->g, "a");
	assert_false(generation_is_held(s->g, "a", s->rig.now));
}

static void who_began_before_finishes_on_that(void **state)
{
	struct scene *s = *state;
	uint64_t before, after;

	watch(s);
	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	before = number(s, "a");
	assert_int_equal(pinned(s, device_a, "i", true), 0);
	after = generation_next(s->g, s->rig.reader, "a", s->rig.now);
	assert_true(after > before);
	publish(s, after);
	assert_int_equal(number(s, "a"), after);
	/* a goes on, also with another index; b begins now. */
	assert_int_equal(pinned(s, device_a, "object", false), before);
	assert_int_equal(pinned(s, device_a, "j", true), before);
	assert_int_equal(pinned(s, device_b, "object", false), 0);
	assert_int_equal(pinned(s, device_b, "i", true), 0);
	assert_int_equal(pinned(s, device_b, "object", false), 0);
	/* An index that it had is another update. */
	assert_int_equal(pinned(s, device_a, "i", true), 0);
	assert_int_equal(pinned(s, device_a, "object", false), 0);
}

static void but_not_for_ever(void **state)
{
	struct scene *s = *state;
	uint64_t before;

	watch(s);
	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	before = number(s, "a");
	assert_int_equal(pinned(s, device_a, "i", true), 0);
	publish(s, before + 1000);
	assert_int_equal(pinned(s, device_a, "object", false), before);
	s->rig.now = now_after(s->rig.now, 5000);
	assert_int_equal(pinned(s, device_a, "object", false), 0);
	assert_int_equal(pinned(s, device_a, "j", true), 0);
}

/* While it is being committed nobody can know which index a device will find: what it was given tells. */
static void the_index_that_was_given_decides(void **state)
{
	struct scene *s = *state;
	uint64_t before, after;

	watch(s);
	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	before = number(s, "a");
	after = before + 1000;
	generation_publishing(s->g, s->rig.reader, "a", after);
	(void)pinned(s, device_a, "i", true);
	generation_served(s->g, "a", device_a, before);
	(void)pinned(s, device_b, "i", true);
	generation_served(s->g, "a", device_b, after);
	assert_int_equal(pinned(s, device_a, "object", false), before);
	assert_int_equal(pinned(s, device_b, "object", false), 0);
	generation_publish(s->g, s->rig.reader, "a", after, s->rig.now);
	assert_int_equal(pinned(s, device_a, "object", false), before);
	assert_int_equal(pinned(s, device_b, "object", false), 0);
}

/* Each loop reads the clock for itself: one may be a little behind the one that began it. */
static void a_clock_that_is_behind_ends_nothing(void **state)
{
	struct scene *s = *state;
	uint64_t before;

	watch(s);
	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	before = number(s, "a");
	assert_int_equal(pinned(s, device_a, "i", true), 0);
	assert_true(hold(s, "\"2\""));
	s->rig.now.mono_ms--;
	assert_true(generation_is_held(s->g, "a", s->rig.now));
	assert_true(hold(s, "\"2\""));
	publish(s, before + 1000);
	assert_int_equal(pinned(s, device_a, "j", true), before);
}

static void what_fails_leaves_all_as_it_was(void **state)
{
	struct scene *s = *state;
	uint64_t before;

	watch(s);
	assert_true(see(s, "a", index_of("i", "\"1\"", 100, 5)));
	before = number(s, "a");
	(void)pinned(s, device_a, "i", true);
	generation_publishing(s->g, s->rig.reader, "a", before + 1000);
	generation_keep(s->g, "a");
	assert_int_equal(number(s, "a"), before);
	assert_int_equal(pinned(s, device_a, "object", false), 0);
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, scene_new, scene_free)
	const struct CMUnitTest tests[] = {
		SCENE(begins_at_nothing),
		SCENE(a_new_index_is_a_new_generation),
		SCENE(each_validator_counts),
		SCENE(indexes_do_not_disturb_each_other),
		SCENE(grows_though_the_clock_stands),
		SCENE(survives_a_restart),
		SCENE(lost_rows_do_no_harm),
		SCENE(profiles_beyond_the_limit_stay_at_0),
		SCENE(a_changed_index_is_held_for_a_time),
		SCENE(who_began_before_finishes_on_that),
		SCENE(but_not_for_ever),
		SCENE(the_index_that_was_given_decides),
		SCENE(a_clock_that_is_behind_ends_nothing),
		SCENE(what_fails_leaves_all_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
