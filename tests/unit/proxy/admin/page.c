/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page's files inside the program: found by their exact path, and compressed.
 */
#include "tests/unit/proxy/rig.h"

#include "proxy/admin/page.h"

static void test_start_page(void **state)
{
	const struct page_file *file = page_find("/");

	(void)state;
	assert_non_null(file);
	assert_string_equal(file->type, "text/html; charset=utf-8");
	assert_true(file->etag[0] == '"' && file->etag[strlen(file->etag) - 1] == '"');
	/* RFC 1952, 2.3.1: the magic number, deflate. */
	assert_true(file->gzip_n > 18);
	assert_memory_equal(file->gzip, "\x1f\x8b\x08", 3);
}

static void test_no_other_path(void **state)
{
	static const char *const paths[] = { "",   "/page",	      "/page/",
					     "//", "/index.html",     "/page/../",
					     "/?", "/page/index.html" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_null(page_find(paths[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_page),
		cmocka_unit_test(test_no_other_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
