/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a head: whole, byte by byte, and cut at every place; leading empty lines; limits.
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/scan.h"

struct scan_row {
	const char *rfc;
	const char *text;
	struct span in;
	bool exact;
	int want;
	size_t skipped;
	size_t len;
};

static const struct scan_row rows[] = {
	{ "RFC 9112 2.1", "one head", TEXT("GET / HTTP/1.1\r\nA: b\r\n\r\n"), false, 0, 0, 24 },
	{ "RFC 9112 2.1", "body behind it", TEXT("GET / HTTP/1.1\r\n\r\nbody\r\n\r\n"), false, 0, 0,
	  18 },
	{ "RFC 9112 2.1", "not yet", TEXT("GET / HTTP/1.1\r\nA: b\r\n"), false, -EAGAIN, 0, 0 },
	{ "RFC 9112 2.1", "CR LF CR", TEXT("GET / HTTP/1.1\r\n\r"), false, -EAGAIN, 0, 0 },
	{ "RFC 9112 2.2", "leading empty line", TEXT("\r\nGET /\r\n\r\n"), false, 0, 2, 9 },
	{ "RFC 9112 2.2", "two leading empty lines", TEXT("\r\n\r\nGET /\r\n\r\n"), false, 0, 2,
	  2 },
	{ "RFC 9112 2.2", "leading empty line of a response", TEXT("\r\nHTTP/1.1 200\r\n\r\n"),
	  true, 0, 0, 2 },
	{ "RFC 9112 2.2", "only the empty line", TEXT("\r\n"), false, -EAGAIN, 2, 0 },
	{ "RFC 9112 2.2", "leading LF is not skipped", TEXT("\nGET /\r\n\r\n"), false, 0, 0, 1 },
	{ "RFC 9112 2.2", "LF LF ends a head", TEXT("GET /\n\nrest"), false, 0, 0, 7 },
	{ "RFC 9112 2.2", "CR LF LF ends a head", TEXT("GET /\r\n\nrest"), false, 0, 0, 8 },
	{ "RFC 9112 2.2", "LF CR LF ends a head", TEXT("GET /\n\r\nrest"), false, 0, 0, 8 },
	{ "RFC 9112 2.2", "CR CR LF is no empty line", TEXT("GET /\r\n\r\r\nrest"), false, -EAGAIN,
	  0, 0 },
	{ "RFC 9112 2.1", "nothing", TEXT(""), false, -EAGAIN, 0, 0 },
};

static void check(const struct scan_row *row, const struct head_scan *s, int rc, size_t len)
{
	ROW_NUMBER(row, "result", rc, row->want);
	ROW_NUMBER(row, "skipped", s->skipped, row->skipped);
	if (rc == 0)
		ROW_NUMBER(row, "length", len, row->len);
}

static void test_whole(void **state)
{
	(void)state;
	for (const struct scan_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		struct head_scan s = { .exact = row->exact };
		char *copy = exact_copy(row->in);
		size_t len = 0;
		int rc = head_scan(&s, copy, row->in.n, 1000, &len);

		check(row, &s, rc, len);
		test_free(copy);
	}
}

/* However the bytes come, the end is found at the same place, and never before its last byte. */
static void test_every_split(void **state)
{
	(void)state;
	for (const struct scan_row *row = rows; row < rows + ARRAY_LEN(rows); row++)
		for (size_t split = 0; split <= row->in.n; split++) {
			struct head_scan s = { .exact = row->exact };
			size_t len = 0;
			int rc = head_scan(&s, row->in.p, split, 1000, &len);

			if (rc == -EAGAIN)
				rc = head_scan(&s, row->in.p, row->in.n, 1000, &len);
			else
				assert_true(split >= s.skipped + len);
			check(row, &s, rc, len);
		}
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (const struct scan_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		struct head_scan s = { .exact = row->exact };
		size_t len = 0;
		int rc = -EAGAIN;

		for (size_t n = 0; n <= row->in.n && rc == -EAGAIN; n++)
			rc = head_scan(&s, row->in.p, n, 1000, &len);
		check(row, &s, rc, len);
	}
}

static void test_limit(void **state)
{
	struct span head = SPAN("GET / HTTP/1.1\r\nA: b\r\n\r\n");

	(void)state;
	for (size_t n = 0; n <= head.n; n++) {
		struct head_scan fits = HEAD_SCAN_REQUEST, tight = HEAD_SCAN_REQUEST;
		size_t len;

		assert_int_equal(head_scan(&fits, head.p, n, head.n, &len),
				 n < head.n ? -EAGAIN : 0);
		/* One byte less: known as soon as the limit is reached without an end. */
		assert_int_equal(head_scan(&tight, head.p, n, head.n - 1, &len),
				 n < head.n - 1 ? -EAGAIN : -EMSGSIZE);
	}
}

/* A leading empty line does not count, and what follows the head does not either. */
static void test_limit_counts_the_head_only(void **state)
{
	struct span in = SPAN("\r\nGET /\r\n\r\nmany bytes of a body");
	struct head_scan s = HEAD_SCAN_REQUEST;
	size_t len;

	(void)state;
	assert_int_equal(head_scan(&s, in.p, in.n, 9, &len), 0);
	assert_int_equal(len, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limit_counts_the_head_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
