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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
