/* SPDX-License-Identifier: Apache-2.0 */
/* Generations: published as one, read back, all or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache/manifest.h"
#include "tests/unit/cache/each.h"

#define BIG (2 * RIG_CHUNK + 7)

static struct publish publish_of(uint64_t number, const struct manifest_member *members, size_t n,
				 const struct publish_item *items, size_t items_n)
{
	return (struct publish){
		.profile = "v",
		.info = { .number = number, .published_ms = 1000, .whole = true },
		.members = members,
		.n = n,
		.items = items,
		.items_n = items_n,
	};
}

/* Publishes and commits; gives what it was answered with. */
static int publish(const struct publish *what)
{
	struct rig answer = { 0 };
	int rc = manifest_publish(rig.reader, rig.writer, what, rig_done, &answer);

	if (rc < 0)
		return rc;
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(answer.done, 1);
	return answer.rc;
}

static struct manifest_member member_of(const char *key, uint64_t id, uint64_t size, bool changed)
{
	return (struct manifest_member){ span_of(key), id, (int64_t)size, false, changed };
}

static void more_joins_the_current_one(void **state)
{
	uint64_t a = body_put(&rig, "v g /a", 100, 1), b = body_put(&rig, "v g /b", 200, 2);
	uint64_t c = body_put(&rig, "v g /c", 300, 3);
	const struct manifest_member one[] = { member_of("v g /a", a, 100, false) };
	const struct manifest_member more[] = { member_of("v g /b", b, 200, false),
						member_of("v g /c", c, 300, false) };
	struct publish what = publish_of(7, one, 1, NULL, 0), add = publish_of(7, more, 1, NULL, 0);
	struct rig answer = { 0 };
	struct manifest *m;

	(void)state;
	assert_int_equal(manifest_extend(rig.reader, rig.writer, &add, rig_done, &answer), -ESTALE);
	assert_int_equal(publish(&what), 0);
	for (size_t i = 0; i < 2; i++) {
		add.members = more + i;
		assert_int_equal(manifest_extend(rig.reader, rig.writer, &add, rig_done, &answer),
				 0);
		assert_int_equal(rig_commit(&rig), 0);
	}
	assert_int_equal(answer.rc, 0);
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_CURRENT, &m), 0);
	assert_int_equal(manifest_info(m)->number, 7);
	assert_int_equal(manifest_info(m)->published_ms, 1000);
	assert_int_equal(manifest_info(m)->n, 3);
	assert_int_equal(manifest_find(m, SPAN("v g /a"))->id, a);
	assert_int_equal(manifest_find(m, SPAN("v g /c"))->id, c);
	manifest_free(&m);
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_PREVIOUS, &m), -ENOENT);

	/* The next one takes over from it as from any other, and it can't be added to any more. */
	what.info.number = 8;
	assert_int_equal(publish(&what), 0);
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_PREVIOUS, &m), 0);
	assert_int_equal(manifest_info(m)->n, 3);
	manifest_free(&m);
	assert_int_equal(manifest_extend(rig.reader, rig.writer, &add, rig_done, &answer), -ESTALE);
}

static void nothing_is_published_at_first(void **state)
{
	struct manifest *m = NULL;

	(void)state;
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_CURRENT, &m), -ENOENT);
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_PREVIOUS, &m), -ENOENT);
	assert_null(m);
}

static void keys_get_their_suffix_before_the_variants_lines(void **state)
{
	char buf[CACHE_KEY_TEXT_MAX];
	struct cache_key key;

	(void)state;
	assert_int_equal(manifest_key(SPAN("v g /a"), MANIFEST_STAGED, buf, sizeof(buf), &key), 0);
	assert_true(span_eq(key.text, SPAN("v g /a\n:staged")));
	assert_true(manifest_key_is_beside(key.text));
	assert_int_equal(manifest_key(SPAN("v g /a\nx:y"), MANIFEST_STAGED, buf, sizeof(buf), &key),
			 0);
	assert_true(span_eq(key.text, SPAN("v g /a\n:staged\nx:y")));
	assert_false(manifest_key_is_beside(SPAN("v g /a\nx:y")));
	assert_false(manifest_key_is_beside(SPAN("v g /a")));
	assert_int_equal(manifest_key(SPAN("v g /a"), MANIFEST_STAGED, buf, 12, &key), -ENOSPC);
}

static void the_staged_takes_the_plain_ones_place(void **state)
{
	uint64_t a = body_put(&rig, "v g /a", BIG, 1), b = body_put(&rig, "v g /b", 100, 2);
	uint64_t a2 = body_put(&rig, "v g /a\n:staged", BIG + 1, 3);
	const struct manifest_member members[] = { member_of("v g /a", a2, BIG + 1, true),
						   member_of("v g /b", b, 100, false) };
	const struct publish_item items[] = { { SPAN("v g /a"), a2 } };
	struct publish what = publish_of(7, members, 2, items, 1);
	struct manifest *m;
	struct stored *stored;

	(void)state;
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(body_check(rig.reader, "v g /a", BIG, 1), 0);
	assert_int_equal(publish(&what), 0);
	assert_int_equal(body_check(rig.reader, "v g /a", BIG + 1, 3), 0);
	assert_int_equal(body_check(rig.reader, "v g /a\n:previous", BIG, 1), 0);
	assert_int_equal(body_check(rig.reader, "v g /a\n:staged", BIG + 1, 3), -ENOENT);
	assert_int_equal(body_check(rig.reader, "v g /b", 100, 2), 0);

	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_CURRENT, &m), 0);
	assert_int_equal(manifest_info(m)->number, 7);
	assert_int_equal(manifest_info(m)->n, 2);
	assert_true(manifest_info(m)->whole);
	assert_true(span_eq(manifest_at(m, 0)->key, SPAN("v g /a")));
	assert_true(manifest_at(m, 0)->changed);
	assert_int_equal(manifest_at(m, 1)->size, 100);
	assert_ptr_equal(manifest_find(m, SPAN("v g /b")), manifest_at(m, 1));
	assert_null(manifest_find(m, SPAN("v g /c")));
	assert_int_equal(manifest_look(rig.reader, manifest_at(m, 0), &stored), 0);
	assert_int_equal(stored_object(stored)->id, a2);
	stored_free(&stored);
	manifest_free(&m);
	assert_true(a != a2);
}

static void the_one_before_stays_and_the_one_before_that_goes(void **state)
{
	uint64_t id[4];
	struct manifest *m;
	struct stored *stored;

	(void)state;
	for (unsigned g = 1; g < 4; g++) {
		struct manifest_member member;
		struct publish_item item = { .key = SPAN("v g /a") };
		struct publish what;

		id[g] = item.staged_id = body_put(&rig, "v g /a\n:staged", BIG, g);
		member = member_of("v g /a", id[g], BIG, true);
		what = publish_of(g, &member, 1, &item, 1);
		assert_int_equal(rig_commit(&rig), 0);
		assert_int_equal(publish(&what), 0);
	}
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_PREVIOUS, &m), 0);
	assert_int_equal(manifest_info(m)->number, 2);
	assert_int_equal(manifest_look(rig.reader, manifest_at(m, 0), &stored), 0);
	assert_int_equal(stored_object(stored)->id, id[2]);
	stored_free(&stored);
	manifest_free(&m);
	assert_int_equal(body_check(rig.reader, "v g /a", BIG, 3), 0);
	assert_int_equal(body_check(rig.reader, "v g /a\n:previous", BIG, 2), 0);
	rig_sweep(&rig);
	/* Survives: the ids lead to the records under their new keys. */
	rig_close(&rig);
	rig_open(&rig);
	assert_int_equal(body_check(rig.reader, "v g /a", BIG, 3), 0);
	assert_int_equal(body_check(rig.reader, "v g /a\n:previous", BIG, 2), 0);
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_CURRENT, &m), 0);
	assert_int_equal(manifest_info(m)->number, 3);
	manifest_free(&m);
}

static void one_that_is_missing_refuses_all(void **state)
{
	uint64_t a = body_put(&rig, "v g /a", 100, 1);
	uint64_t a2 = body_put(&rig, "v g /a\n:staged", 100, 2);
	const struct publish_item items[] = { { SPAN("v g /a"), a2 }, { SPAN("v g /b"), a2 + 1 } };
	struct manifest_member member = member_of("v g /a", a2, 100, true);
	struct publish what = publish_of(9, &member, 1, items, 2);
	struct manifest *m;

	(void)state;
	(void)a;
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(publish(&what), -ESTALE);
	assert_int_equal(body_check(rig.reader, "v g /a", 100, 1), 0);
	assert_int_equal(body_check(rig.reader, "v g /a\n:staged", 100, 2), 0);
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_CURRENT, &m), -ENOENT);
}

static void previous_ones_are_dropped_by_name(void **state)
{
	uint64_t id = body_put(&rig, "v g /a\n:previous", 100, 1);
	const struct publish_item items[] = { { SPAN("v g /a"), 0 }, { SPAN("v g /none"), 0 } };
	struct publish what = publish_of(2, NULL, 0, items, 2);

	(void)state;
	(void)id;
	assert_int_equal(rig_commit(&rig), 0);
	assert_int_equal(publish(&what), 0);
	assert_int_equal(body_check(rig.reader, "v g /a\n:previous", 100, 1), -ENOENT);
	what.info.number = 2; /* numbers grow */
	assert_int_equal(publish(&what), -EINVAL);
}

/* More members than a row holds. */
static void a_manifest_may_have_pages(void **state)
{
	enum {
		MEMBERS = 3000
	};
	static struct manifest_member members[MEMBERS];
	static char keys[MEMBERS][64];
	struct publish what = publish_of(5, members, MEMBERS, NULL, 0);
	struct manifest *m;

	(void)state;
	for (unsigned i = 0; i < MEMBERS; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "v @updates /bases/some/where/%06u.dat",
			       i);
		members[i] = member_of(keys[i], i + 1, i * 10, i % 2);
	}
	assert_int_equal(publish(&what), 0);
	assert_int_equal(manifest_load(rig.reader, "v", MANIFEST_CURRENT, &m), 0);
	assert_int_equal(manifest_info(m)->n, MEMBERS);
	for (unsigned i = 0; i < MEMBERS; i++) {
		assert_true(span_eq(manifest_at(m, i)->key, span_of(keys[i])));
		assert_int_equal(manifest_at(m, i)->size, i * 10);
		assert_int_equal(manifest_at(m, i)->changed, i % 2);
	}
	manifest_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_published_at_first, setup, teardown),
		cmocka_unit_test(keys_get_their_suffix_before_the_variants_lines),
		cmocka_unit_test_setup_teardown(the_staged_takes_the_plain_ones_place, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_one_before_stays_and_the_one_before_that_goes,
						setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_is_missing_refuses_all, setup, teardown),
		cmocka_unit_test_setup_teardown(previous_ones_are_dropped_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_manifest_may_have_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(more_joins_the_current_one, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
