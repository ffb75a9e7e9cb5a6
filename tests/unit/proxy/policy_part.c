/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that are stored by themselves, and when the rest is fetched as well: RFC 9111 3.3, 3.4. */
#include "tests/unit/proxy/policy_table.h"

#define CHUNK CONFIG_CHUNK_BYTES

static struct object part_of(const char *range, int64_t length)
{
	static char fields[256];

	(void)snprintf(fields, sizeof(fields), "Content-Type: a/b\r\nContent-Range: %s\r\nX: y\r\n",
		       range);
	return (struct object){ .kind = OBJECT_RESPONSE,
				.status = 206,
				.fields = span_of(fields),
				.etag = SPAN("\"a\""),
				.length = length,
				.date = T0,
				.last_modified = OBJECT_TIME_UNKNOWN,
				.body = SPAN("xxxxx") };
}

static void a_block_has_values(void **state)
{
	struct object part = part_of("bytes 0-4/10", 5);
	struct span value = policy_block_value(part.fields, HTTP_FIELD_CONTENT_RANGE);

	(void)state;
	assert_true(span_eq(value, SPAN("bytes 0-4/10")));
	assert_int_equal(policy_block_value(part.fields, HTTP_FIELD_ETAG).n, 0);
	assert_int_equal(policy_block_value((struct span){ 0 }, HTTP_FIELD_ETAG).n, 0);
}

static void a_part_says_which_bytes_it_is(void **state)
{
	static const struct {
		const char *range;
		int64_t length;
		bool good;
	} rows[] = {
		{ "bytes 5-9/10", 5, true },  { "bytes 5-9/10", 4, false },
		{ "bytes 5-9/*", 5, false },  { "bytes */10", 5, false },
		{ "pages 5-9/10", 5, false }, { "bytes 9-5/10", 5, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object part = part_of(rows[i].range, rows[i].length);
		struct content_range cr;

		assert_int_equal(policy_part_range(&part, &cr), rows[i].good);
	}
}

static void what_is_inside_answers(void **state)
{
	static const struct {
		const char *wanted;
		bool inside;
	} rows[] = {
		{ "bytes=5-9", true },	{ "bytes=6-7", true },	{ "bytes=4-7", false },
		{ "bytes=9-99", true }, { "bytes=-11", true },	{ "bytes=-12", false },
		{ "bytes=5-", true },	{ "bytes=20-", false },
	};
	/* To the end of the object: so an open end is inside, and one that is behind it. */
	const struct content_range part = { .range = { 5, 15 }, .complete = 16 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct range_specs specs;
		struct byte_range range = { 0 };
		bool inside;

		assert_int_equal(http_range_parse(span_of(rows[i].wanted), &specs), 0);
		inside = policy_part_has(&part, &specs, &range);
		assert_int_equal(inside, rows[i].inside);
		if (inside)
			assert_true(range.first >= 5 && range.last <= 15);
	}
}

static void a_beginning_is_gone_on_with(void **state)
{
	struct object first = part_of("bytes 0-4/10", 5);
	struct content_range cr;

	(void)state;
	assert_true(policy_part_begins(&first, &cr));
	assert_int_equal(cr.range.last, 4);
	first.etag = SPAN("W/\"a\"");
	assert_false(policy_part_begins(&first, &cr));
	first = part_of("bytes 1-5/10", 5);
	assert_false(policy_part_begins(&first, &cr));
	first = part_of("bytes 0-4/5", 5);
	assert_false(policy_part_begins(&first, &cr)); /* nothing is missing */
}

static void keys_keep_the_variant(void **state)
{
	static const char key[] = "acme a.example /x\nAccept: y";
	char buf[64];
	struct cache_key part;

	(void)state;
	assert_int_equal(policy_part_key(span_of(key), 17, buf, sizeof(buf), &part), 0);
	assert_true(span_eq(part.text, SPAN("acme a.example /x\n:part\nAccept: y")));
	assert_int_equal(policy_part_key(span_of(key), 17, buf, sizeof(key) + 4, &part), -ENOSPC);
}

static void most_is_there_or_coming(void **state)
{
	const struct policy_answer answer = { .kind = POLICY_ANSWER_PARTIAL };
	struct policy_req req = { .may_store = true };
	struct object holes = part_of("", (int64_t)4 * CHUNK);
	char two[] = { 3 }, three[] = { 7 };

	(void)state;
	holes.body = (struct span){ 0 };
	holes.map = span_make(two, 1);
	assert_false(policy_fills(&req, &holes, &answer, (struct policy_coming){ 0 }));
	assert_true(
		policy_fills(&req, &holes, &answer,
			     (struct policy_coming){ 2 * (uint64_t)CHUNK, 3 * (uint64_t)CHUNK }));
	holes.map = span_make(three, 1);
	assert_true(policy_fills(&req, &holes, &answer, (struct policy_coming){ 0 }));
	assert_int_equal(object_stored_bytes(&holes), 3 * (uint64_t)CHUNK);
	req.may_store = false;
	assert_false(policy_fills(&req, &holes, &answer, (struct policy_coming){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_has_values),
		cmocka_unit_test(a_part_says_which_bytes_it_is),
		cmocka_unit_test(what_is_inside_answers),
		cmocka_unit_test(a_beginning_is_gone_on_with),
		cmocka_unit_test(keys_keep_the_variant),
		cmocka_unit_test(most_is_there_or_coming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
