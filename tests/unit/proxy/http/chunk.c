/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunked coding: every row is decoded whole, byte by byte, and cut at every place; what comes
 * out must always be the same.
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/chunk.h"

struct chunk_row {
	const char *rfc;
	const char *text;
	struct span in;
	int want;	  /* 0 complete, -EAGAIN, or a refusal */
	const char *body; /* what came out until then */
	size_t rest;	  /* bytes behind a complete body */
};

static const struct chunk_row rows[] = {
	{ "RFC 9112 7.1", "one chunk", TEXT("5\r\nhello\r\n0\r\n\r\n"), 0, "hello", 0 },
	{ "RFC 9112 7.1", "two chunks and a message behind",
	  TEXT("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET"), 0, "hello", 3 },
	{ "RFC 9112 7.1", "empty body", TEXT("0\r\n\r\n"), 0, "", 0 },
	{ "RFC 9112 7.1", "several zeros", TEXT("0000\r\n\r\n"), 0, "", 0 },
	{ "RFC 9112 7.1", "hex digits of both cases",
	  TEXT("0a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), 0, "01234567890123456789a",
	  0 },
	{ "RFC 9112 7.1", "16 digits", TEXT("0000000000000001\r\nx\r\n0\r\n\r\n"), 0, "x", 0 },
	{ "RFC 9112 7.1", "CR LF in the data", TEXT("4\r\n\r\n\r\n\r\n0\r\n\r\n"), 0, "\r\n\r\n",
	  0 },
	{ "RFC 9112 7.1", "cut in the data", TEXT("5\r\nhel"), -EAGAIN, "hel", 0 },
	{ "RFC 9112 8", "no last chunk", TEXT("5\r\nhello\r\n"), -EAGAIN, "hello", 0 },
	{ "RFC 9112 8", "no end of the trailers", TEXT("0\r\n"), -EAGAIN, "", 0 },

	{ "RFC 9112 7.1", "no size", TEXT("\r\nhello\r\n"), -HTTP_REFUSED_CHUNK_SIZE_INVALID, "",
	  0 },
	{ "RFC 9112 7.1", "17 digits", TEXT("00000000000000001\r\nx"),
	  -HTTP_REFUSED_CHUNK_SIZE_INVALID, "", 0 },
	{ "RFC 9112 7.1", "prefix 0x", TEXT("0x5\r\nhello"), -HTTP_REFUSED_CHUNK_SIZE_INVALID, "",
	  0 },
	{ "RFC 9112 7.1", "sign", TEXT("+5\r\nhello"), -HTTP_REFUSED_CHUNK_SIZE_INVALID, "", 0 },
	{ "RFC 9112 7.1", "negative", TEXT("-1\r\nhello"), -HTTP_REFUSED_CHUNK_SIZE_INVALID, "",
	  0 },
	{ "RFC 9112 7.1", "leading space", TEXT(" 5\r\nhello"), -HTTP_REFUSED_CHUNK_SIZE_INVALID,
	  "", 0 },
	{ "RFC 9112 7.1", "trailing space", TEXT("5 \r\nhello"), -HTTP_REFUSED_CHUNK_EXT_INVALID,
	  "", 0 },
	{ "RFC 9112 7.1", "not hexadecimal", TEXT("5g\r\nhello"), -HTTP_REFUSED_CHUNK_SIZE_INVALID,
	  "", 0 },
	{ "RFC 9112 2.2", "LF alone behind the size", TEXT("5\nhello"), -HTTP_REFUSED_BARE_LF, "",
	  0 },
	{ "RFC 9112 2.2", "CR alone behind the size", TEXT("5\rhello"), -HTTP_REFUSED_BARE_CR, "",
	  0 },
	{ "RFC 9112 7.1", "data longer than its size", TEXT("4\r\nhello\r\n"),
	  -HTTP_REFUSED_CHUNK_DATA_END, "hell", 0 },
	{ "RFC 9112 7.1", "LF alone behind the data", TEXT("5\r\nhello\n0"), -HTTP_REFUSED_BARE_LF,
	  "hello", 0 },
	{ "RFC 9112 7.1", "CR alone behind the data", TEXT("5\r\nhello\r0"), -HTTP_REFUSED_BARE_CR,
	  "hello", 0 },

	{ "RFC 9112 7.1.1", "extension", TEXT("1;a=b\r\nx\r\n0;c\r\n\r\n"), 0, "x", 0 },
	{ "RFC 9112 7.1.1", "bad white space around it", TEXT("1 ; a = b ;c\r\nx\r\n0\r\n\r\n"), 0,
	  "x", 0 },
	{ "RFC 9112 7.1.1", "quoted", TEXT("1;a=\";\\\"\\\\ \";b=\"\"\r\nx\r\n0\r\n\r\n"), 0, "x",
	  0 },
	{ "RFC 9112 7.1.1", "names only", TEXT("1;a;b;c\r\nx\r\n0\r\n\r\n"), 0, "x", 0 },
	{ "RFC 9112 7.1.1", "value that is neither", TEXT("1;a=;b\r\nx"),
	  -HTTP_REFUSED_CHUNK_EXT_INVALID, "", 0 },
	{ "RFC 9112 7.1.1", "escaped LF", TEXT("1;a=\"\\\n\"\r\nx"), -HTTP_REFUSED_BARE_LF, "", 0 },
	{ "RFC 9112 7.1.1", "escaped NUL", TEXT("1;a=\"\\\0\"\r\nx"),
	  -HTTP_REFUSED_CHUNK_EXT_INVALID, "", 0 },
	{ "RFC 9112 7.1.1", "LF in an extension", TEXT("1;a\nx"), -HTTP_REFUSED_BARE_LF, "", 0 },
	{ "RFC 9112 7.1.1", "LF in a quoted one", TEXT("1;a=\"\nx"), -HTTP_REFUSED_BARE_LF, "", 0 },
	{ "RFC 9112 7.1.1", "CR LF in a quoted one", TEXT("1;a=\"\r\nx"),
	  -HTTP_REFUSED_CHUNK_EXT_INVALID, "", 0 },
	{ "RFC 9112 7.1.1", "no name", TEXT("1;\r\nx"), -HTTP_REFUSED_CHUNK_EXT_INVALID, "", 0 },
	{ "RFC 9112 7.1.1", "no value", TEXT("1;a=\r\nx"), -HTTP_REFUSED_CHUNK_EXT_INVALID, "", 0 },
	{ "RFC 9112 7.1.1", "two words", TEXT("1;a b\r\nx"), -HTTP_REFUSED_CHUNK_EXT_INVALID, "",
	  0 },
	{ "RFC 9112 7.1.1", "text behind quotes", TEXT("1;a=\"b\"c\r\nx"),
	  -HTTP_REFUSED_CHUNK_EXT_INVALID, "", 0 },
	{ "RFC 9112 7.1.1", "NUL", TEXT("1;a=\"\0\"\r\nx"), -HTTP_REFUSED_CHUNK_EXT_INVALID, "",
	  0 },

	{ "RFC 9112 7.1.2", "trailer fields", TEXT("0\r\nA: b\r\nC:\r\n\r\nX"), 0, "", 1 },
	{ "RFC 9112 7.1.2", "a length in a trailer is dropped",
	  TEXT("0\r\nContent-Length: 5\r\n\r\nX"), 0, "", 1 },
	{ "RFC 9112 5.1", "space before the colon", TEXT("0\r\nA : b\r\n\r\n"),
	  -HTTP_REFUSED_FIELD_NAME_SPACE, "", 0 },
	{ "RFC 9112 5", "no colon", TEXT("0\r\nA\r\n\r\n"), -HTTP_REFUSED_FIELD_NO_COLON, "", 0 },
	{ "RFC 9112 5", "no name", TEXT("0\r\n: a\r\n\r\n"), -HTTP_REFUSED_FIELD_NAME_EMPTY, "",
	  0 },
	{ "RFC 9110 5.1", "bad name", TEXT("0\r\n(: a\r\n\r\n"), -HTTP_REFUSED_FIELD_NAME_INVALID,
	  "", 0 },
	{ "RFC 9110 5.1", "bad second character", TEXT("0\r\nA(: a\r\n\r\n"),
	  -HTTP_REFUSED_FIELD_NAME_INVALID, "", 0 },
	{ "RFC 9110 5.5", "NUL in a value", TEXT("0\r\nA: \0\r\n\r\n"),
	  -HTTP_REFUSED_FIELD_VALUE_INVALID, "", 0 },
	{ "RFC 9112 5.2", "obs-fold", TEXT("0\r\nA: b\r\n c\r\n\r\n"), -HTTP_REFUSED_OBS_FOLD, "",
	  0 },
	{ "RFC 9112 2.2", "leading space", TEXT("0\r\n A: b\r\n\r\n"), -HTTP_REFUSED_LEADING_SPACE,
	  "", 0 },
	{ "RFC 9112 2.2", "LF alone", TEXT("0\r\nA: b\n\r\n"), -HTTP_REFUSED_BARE_LF, "", 0 },
	{ "RFC 9112 2.2", "LF alone as last line", TEXT("0\r\n\n"), -HTTP_REFUSED_BARE_LF, "", 0 },
	{ "RFC 9112 2.2", "CR alone", TEXT("0\r\nA: b\rc\r\n\r\n"), -HTTP_REFUSED_BARE_CR, "", 0 },
	{ "RFC 9112 2.2", "CR alone as last line", TEXT("0\r\n\rA"), -HTTP_REFUSED_BARE_CR, "", 0 },
};

struct sink {
	char body[256];
	size_t n;
	size_t used;
	int rc;
};

/* Decodes one piece as far as it goes. */
static void feed(struct chunk_dec *d, struct span in, struct sink *sink)
{
	do {
		struct span data = { NULL, 0 };
		size_t used = 0;

		sink->rc = chunk_decode(d, in.p, in.n, &used, &data);
		if (sink->rc < 0 && sink->rc != -EAGAIN)
			return;
		assert_true(used <= in.n);
		sink->used += used;
		if (sink->rc == 1) {
			assert_true(data.n > 0 && data.p >= in.p && data.p + data.n <= in.p + used);
			assert_true(sink->n + data.n <= sizeof(sink->body));
			memcpy(sink->body + sink->n, data.p, data.n);
			sink->n += data.n;
		}
		in = span_drop(in, used);
	} while (sink->rc == 1);
	assert_true(sink->rc == 0 || in.n == 0);
}

static void check(const struct chunk_row *row, const struct sink *sink)
{
	ROW_RC(row, sink->rc, row->want);
	ROW_SPAN(row, "body", span_make(sink->body, sink->n), span_of(row->body));
	if (sink->rc == 0)
		ROW_NUMBER(row, "rest", row->in.n - sink->used, row->rest);
}

static void test_whole(void **state)
{
	(void)state;
	for (const struct chunk_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		struct chunk_dec d = CHUNK_DEC_INIT;
		struct sink sink = { .n = 0 };
		char *copy = exact_copy(row->in);

		feed(&d, span_make(copy, row->in.n), &sink);
		check(row, &sink);
		ROW_NUMBER(row, "data_total", d.data_total, sink.n);
		test_free(copy);
	}
}

static void test_every_split(void **state)
{
	(void)state;
	for (const struct chunk_row *row = rows; row < rows + ARRAY_LEN(rows); row++)
		for (size_t split = 0; split <= row->in.n; split++) {
			struct chunk_dec d = CHUNK_DEC_INIT;
			struct sink sink = { .n = 0 };

			feed(&d, span_head(row->in, split), &sink);
			if (sink.rc == -EAGAIN)
				feed(&d, span_drop(row->in, split), &sink);
			check(row, &sink);
		}
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (const struct chunk_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		struct chunk_dec d = CHUNK_DEC_INIT;
		struct sink sink = { .rc = -EAGAIN };

		for (size_t i = 0; i < row->in.n && sink.rc == -EAGAIN; i++)
			feed(&d, span_sub(row->in, i, i + 1), &sink);
		check(row, &sink);
	}
}

/* What was refused once stays refused. */
static void test_refusal_is_final(void **state)
{
	struct chunk_dec d = CHUNK_DEC_INIT;
	struct span data;
	size_t used;

	(void)state;
	assert_int_equal(chunk_decode(&d, "x", 1, &used, &data), -HTTP_REFUSED_CHUNK_SIZE_INVALID);
	assert_int_equal(chunk_decode(&d, "0\r\n\r\n", 5, &used, &data),
			 -HTTP_REFUSED_CHUNK_SIZE_INVALID);
}

/* The largest size that a signed 64-bit number holds is taken as it is, one more is none. */
static void test_largest_size(void **state)
{
	struct chunk_dec d = CHUNK_DEC_INIT;
	struct span data;
	size_t used;

	(void)state;
	assert_int_equal(chunk_decode(&d, "7fffffffffffffff\r\nab", 20, &used, &data), 1);
	assert_int_equal(data.n, 2);
	assert_true(d.left == INT64_MAX - 2);
	d = CHUNK_DEC_INIT;
	assert_int_equal(chunk_decode(&d, "8000000000000000\r\nab", 20, &used, &data),
			 -HTTP_REFUSED_CHUNK_SIZE_INVALID);
}

static int feed_repeated(struct chunk_dec *d, const char *piece, unsigned times)
{
	int rc = -EAGAIN;

	while (times-- > 0 && (rc == -EAGAIN || rc == 1)) {
		struct span in = span_of(piece), data;

		do {
			size_t used = 0;

			rc = chunk_decode(d, in.p, in.n, &used, &data);
			in = span_drop(in, used);
		} while (rc == 1);
	}
	return rc;
}

static void test_limits(void **state)
{
	struct chunk_dec line = CHUNK_DEC_INIT, total = CHUNK_DEC_INIT, trailer = CHUNK_DEC_INIT;
	struct chunk_dec fields = CHUNK_DEC_INIT;

	(void)state;
	assert_int_equal(feed_repeated(&line, "1;a", 1), -EAGAIN);
	assert_int_equal(feed_repeated(&line, "b", CONFIG_HTTP_CHUNK_EXT_MAX - 2), -EAGAIN);
	assert_int_equal(feed_repeated(&line, "bb", 1), -HTTP_REFUSED_CHUNK_EXT_TOO_LONG);

	assert_int_equal(feed_repeated(&total, "1;a=0123456789\r\nx\r\n", 1000), -EAGAIN);
	assert_int_equal(
		feed_repeated(&total, "1;a=0123456789\r\nx\r\n", CONFIG_HTTP_CHUNK_EXT_TOTAL_MAX),
		-HTTP_REFUSED_CHUNK_EXT_TOO_LONG);

	assert_int_equal(feed_repeated(&trailer, "0\r\nA:", 1), -EAGAIN);
	assert_int_equal(feed_repeated(&trailer, "b", CONFIG_HTTP_TRAILER_MAX - 2), -EAGAIN);
	assert_int_equal(feed_repeated(&trailer, "b", 1), -HTTP_REFUSED_TRAILER_TOO_LARGE);

	assert_int_equal(feed_repeated(&fields, "0\r\n", 1), -EAGAIN);
	assert_int_equal(feed_repeated(&fields, "A:\r\n", CONFIG_FIELDS_MAX), -EAGAIN);
	assert_int_equal(feed_repeated(&fields, "A:\r\n", 1), -HTTP_REFUSED_TOO_MANY_FIELDS);
}

static void test_encoder(void **state)
{
	static const uint64_t sizes[] = { 1, 15, 16, 255, 4096, 262128, UINT64_MAX };
	char buf[CHUNK_HEAD_MAX], want[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = chunk_head_write(buf, sizes[i]);

		sprintf(want, "%llx\r\n", (unsigned long long)sizes[i]);
		assert_int_equal(n, strlen(want));
		assert_memory_equal(buf, want, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	     cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_byte_by_byte), cmocka_unit_test(test_refusal_is_final),
		cmocka_unit_test(test_largest_size), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_encoder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
