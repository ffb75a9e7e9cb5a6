/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/index/path.c: what a path in an index becomes, and what is refused. */
#include "tests/unit/firmware/index/rig.h"

#include "firmware/index/path.h"

static void test_normal(void **state)
{
	static const struct {
		const char *base, *text, *path;
	} rows[] = {
		{ "/", "a", "/a" },
		{ "/up/", "a/b.dat", "/up/a/b.dat" },
		{ "/up/", "/a/b.dat", "/a/b.dat" },
		{ "/up/", "./a//b/./c", "/up/a/b/c" },
		{ "/", "a b", "/a%20b" },
		{ "/", "a%20b", "/a%20b" },
		{ "/", "a%2eb", "/a%2eb" },
		{ "/", "100%", "/100%25" },
		{ "/", "\xd0\xb0.dat", "/%D0%B0.dat" },
		{ "/", "...", "/..." },
		{ "/", "..a/b..", "/..a/b.." },
		{ "/x/", "http://a.example.com/y/z", "/y/z" },
		{ "/x/", "HTTPS://B.example.com/y", "/y" },
		{ "/x/", "//a.example.com/y", "/y" },
		{ "/x/", "p/a:b", "/x/p/a:b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum index_refusal why;
		char buf[INDEX_PATH_MAX];
		size_t n;

		assert_int_equal(path_resolve(span_of(rows[i].base), span_of(rows[i].text),
					      rig_hosts, 2, buf, &n, &why),
				 0);
		assert_int_equal(n, strlen(rows[i].path));
		assert_memory_equal(buf, rows[i].path, n);
		assert_true(path_is_normal(span_make(buf, n)));
	}
}

static void test_refused(void **state)
{
	static const struct {
		struct span text;
		enum index_refusal why;
	} rows[] = {
		{ { "../a", 4 }, INDEX_PATH_OUTSIDE_ },
		{ { "a/../../b", 9 }, INDEX_PATH_OUTSIDE_ },
		{ { "a/..", 4 }, INDEX_PATH_OUTSIDE_ },
		{ { "/..", 3 }, INDEX_PATH_OUTSIDE_ },
		{ { "a/%2e%2E/b", 10 }, INDEX_PATH_OUTSIDE_ },
		{ { "a/.%2e/b", 8 }, INDEX_PATH_OUTSIDE_ },
		{ { "a\0b", 3 }, INDEX_PATH_BYTES_ },
		{ { "a%00b", 5 }, INDEX_PATH_BYTES_ },
		{ { "a\nb", 3 }, INDEX_PATH_BYTES_ },
		{ { "a%0Ab", 5 }, INDEX_PATH_BYTES_ },
		{ { "a%2fb", 5 }, INDEX_PATH_BYTES_ },
		{ { "..\\a", 4 }, INDEX_PATH_BYTES_ },
		{ { "a%5cb", 5 }, INDEX_PATH_BYTES_ },
		{ { "a?b", 3 }, INDEX_PATH_BYTES_ },
		{ { "a#b", 3 }, INDEX_PATH_BYTES_ },
		{ { "http://evil.example.net/a", 25 }, INDEX_PATH_FOREIGN_ },
		{ { "http://a.example.com@evil/a", 27 }, INDEX_PATH_FOREIGN_ },
		{ { "http://a.example.com:81/a", 25 }, INDEX_PATH_FOREIGN_ },
		{ { "//evil/a", 8 }, INDEX_PATH_FOREIGN_ },
		{ { "file:///etc/passwd", 18 }, INDEX_PATH_FOREIGN_ },
		{ { "ftp://a.example.com/x", 21 }, INDEX_PATH_FOREIGN_ },
		{ { "c:a", 3 }, INDEX_PATH_FOREIGN_ },
		{ { "", 0 }, INDEX_NO_PATH_ },
		{ { "/", 1 }, INDEX_NO_PATH_ },
		{ { "a/", 2 }, INDEX_NO_PATH_ },
		{ { "http://a.example.com", 20 }, INDEX_NO_PATH_ },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum index_refusal why = INDEX_REFUSALS_N;
		char buf[INDEX_PATH_MAX];
		size_t n = 77;

		if (path_resolve(SPAN("/up/"), rows[i].text, rig_hosts, 2, buf, &n, &why) !=
			    -EINVAL ||
		    why != rows[i].why || n != 77)
			fail_msg("%s: %d", rows[i].text.p, (int)why);
	}
}

static void test_long(void **state)
{
	char text[INDEX_PATH_MAX + 2], buf[INDEX_PATH_MAX];
	enum index_refusal why;
	size_t n;

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(path_resolve(SPAN("/"), span_make(text, 255), NULL, 0, buf, &n, &why), 0);
	assert_int_equal(path_resolve(SPAN("/"), span_make(text, 256), NULL, 0, buf, &n, &why),
			 -EINVAL);
	assert_int_equal(why, INDEX_PATH_LONG_);
	for (size_t i = 99; i < sizeof(text); i += 100)
		text[i] = '/';
	assert_int_equal(path_resolve(SPAN("/"), span_make(text, INDEX_PATH_MAX - 1), NULL, 0, buf,
				      &n, &why),
			 0);
	assert_int_equal(n, INDEX_PATH_MAX);
	assert_int_equal(
		path_resolve(SPAN("/"), span_make(text, INDEX_PATH_MAX), NULL, 0, buf, &n, &why),
		-EINVAL);
	assert_int_equal(why, INDEX_PATH_LONG_);
}

static void test_not_normal(void **state)
{
	static const char *const rows[] = { "",	      "a",     "/",    "//a",	 "/a//b",
					    "/a/./b", "/a/",   "/a b", "/..",	 "/a\n",
					    "/a?b",   "/\xff", "/a%",  "/a%00b", "/a\\b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (path_is_normal(span_of(rows[i])))
			fail_msg("%s", rows[i]);
	assert_true(path_is_normal(SPAN("/a/b%20c")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_not_normal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
