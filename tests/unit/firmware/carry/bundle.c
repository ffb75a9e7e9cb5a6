/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests firmware/carry: names of files, what can't stand beside another, seals, manifests that somebody changed,
 * journals, and a tree whose links lead outside.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "firmware/carry/bundle.h"

static char dir[] = "/tmp/tarn-bundle-XXXXXX";
static int top = -1;

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) && tree_open(dir, false, &top) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	(void)close(top);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void test_names(void **state)
{
	static const struct {
		const char *path, *name;
	} rows[] = {
		{ "/a", "a" },	      { "/a/b.dat", "a/b.dat" },
		{ "/a%20b", "a b" },  { "/%D0%B0/x", "\xd0\xb0/x" },
		{ "/a/..", NULL },    { "/a%2fb", NULL },
		{ "/", NULL },	      { "/a/", NULL },
		{ "/a%00", NULL },    { "/a?b", NULL },
		{ "relative", NULL }, { "/a%2", "a%2" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = file_name_of(span_of(rows[i].path), buf, sizeof(buf));

		if ((rc == 0) != (rows[i].name != NULL) || (rc == 0 && strcmp(buf, rows[i].name)))
			/* "/a%2" is no normal path: '%' must be encoded */
			assert_true(strcmp(rows[i].path, "/a%2") == 0 && rc == -EINVAL);
	}
	assert_int_equal(file_name_of(SPAN("/abcdef"), buf, 4), -ENOSPC);
}

static struct repository_file file_of(const char *key, uint64_t size)
{
	return (struct repository_file){ .key = (char *)(uintptr_t)key,
					 .etag = "\"e\"",
					 .fields = "eA==",
					 .id = 7,
					 .size = size,
					 .mtime = 1700000000,
					 .last_modified = INT64_MIN,
					 .has_sha256 = true,
					 .sha256 = { 1, 2, 3 } };
}

static void test_beside(void **state)
{
	static const char *const keys[] = { "x @g /b/c",    "x @g /b",	 "x @g /a%41",	"x @g /aA",
					    "x h.com /b",   "x @g /b.x", "x @g /q?a=b", "y @g /z",
					    "x @g /v\nx:y", "x ../h /a", "x @g /../a" };
	struct repository *r;
	struct repository_file file;
	char place[REPOSITORY_PLACE_MAX];

	(void)state;
	assert_int_equal(repository_new("x", &r), 0);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		file = file_of(keys[i], 10);
		(void)!repository_add(r, &file);
	}
	assert_int_equal(r->left_out, 5);
	repository_sort(r);
	/* "/b" is the folder of "/b/c"; of "/a%41" and "/aA" one stays. */
	assert_int_equal(r->left_out, 7);
	assert_int_equal(r->n, 4);
	assert_int_equal(r->bytes, 40);
	assert_non_null(repository_find(r, "@g", "aA"));
	assert_non_null(repository_find(r, "@g", "b.x"));
	assert_non_null(repository_find(r, "@g", "b/c"));
	assert_null(repository_find(r, "@g", "b"));
	free(r->source);
	r->source = strdup("@g");
	repository_place(r, repository_find(r, "@g", "b/c"), place);
	assert_string_equal(place, "x/b/c");
	repository_place(r, repository_find(r, "h.com", "b"), place);
	assert_string_equal(place, "x@h.com/b");
	repository_free(&r);
}

static void test_seal(void **state)
{
	char key[SEAL_KEY_TEXT], again[SEAL_KEY_TEXT], sign[SEAL_SIGN_TEXT], path[64];
	struct seal *seal;
	struct stat st;

	(void)state;
	assert_int_equal(seal_open(dir, &seal), 0);
	seal_key_text(seal, key);
	assert_int_equal(seal_sign(seal, SPAN("text"), sign), 0);
	seal_free(&seal);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, SEAL_FILE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(seal_open(dir, &seal), 0); /* the same again */
	seal_key_text(seal, again);
	assert_string_equal(key, again);
	seal_free(&seal);
	assert_true(seal_verify(span_of(key), span_of(sign), SPAN("text")));
	assert_false(seal_verify(span_of(key), span_of(sign), SPAN("texT")));
	for (size_t i = 0; sign[i]; i++) {
		char was = sign[i];

		sign[i] = was == 'A' ? 'B' : 'A';
		assert_false(seal_verify(span_of(key), span_of(sign), SPAN("text")));
		sign[i] = was;
	}
	assert_true(seal_key_valid(span_of(key)));
	assert_false(seal_key_valid(SPAN("")));
	key[42] = 'B'; /* bits that no byte has */
	assert_false(seal_key_valid(span_of(key)));
}

static void read_fails(int rc, const struct string_list *trust)
{
	char key[SEAL_KEY_TEXT];
	struct repository *r = NULL;

	assert_int_equal(bundle_read(top, "x", trust, &r, key), rc);
	assert_null(r);
}

static void test_manifest(void **state)
{
	char key[SEAL_KEY_TEXT], said[SEAL_KEY_TEXT],
		other[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	char *keys[] = { other, key };
	struct string_list trust = { keys, 2 }, others = { keys, 1 };
	struct repository_file file = file_of("x @g /a", 3);
	struct repository *r, *back = NULL;
	struct seal *seal;
	char *text;
	size_t n;

	(void)state;
	read_fails(-ENOENT, &trust);
	assert_int_equal(seal_open(dir, &seal), 0);
	seal_key_text(seal, key);
	assert_int_equal(repository_new("x", &r), 0);
	r->number = 5;
	r->whole = true;
	assert_int_equal(repository_add(r, &file), 0);
	assert_int_equal(bundle_write(top, r, seal, 1), 0);
	assert_int_equal(bundle_read(top, "x", &trust, &back, said), 0);
	assert_string_equal(said, key);
	assert_int_equal(back->n, 1);
	assert_true(back->whole && back->number == 5);
	assert_memory_equal(back->files[0].sha256, file.sha256, FILE_DIGEST);
	assert_string_equal(back->files[0].name, "a");
	repository_free(&back);
	read_fails(-EKEYREJECTED, &others); /* signed, but by nobody that we know */

	/* Any byte that is another refuses it. */
	assert_int_equal(tree_load(top, "TARN/x.manifest", BUNDLE_MAX, &text, &n), 0);
	for (size_t i = 0; i < n; i += 3) {
		text[i] ^= 1;
		assert_int_equal(tree_store(top, "TARN/x.manifest", span_make(text, n)), 0);
		read_fails(-EKEYREJECTED, &trust);
		text[i] ^= 1;
	}
	assert_int_equal(tree_store(top, "TARN/x.manifest", span_make(text, n - 1)), 0);
	read_fails(-EKEYREJECTED, &trust);
	/* Well signed, but with a file that can't be one. */
	free(r->files[0].key);
	r->files[0].key = strdup("x @g /../../etc/passwd");
	assert_int_equal(bundle_write(top, r, seal, 1), 0);
	read_fails(-EBADMSG, &trust);
	free(text);
	repository_free(&r);
	seal_free(&seal);
}

static void test_journal(void **state)
{
	struct repository_file a = file_of("x @g /a", 3), b = file_of("x @g /b", 4);
	struct repository *known;
	struct seal *seal;
	char *text;
	size_t n;
	int fd;

	(void)state;
	assert_int_equal(seal_open(dir, &seal), 0);
	assert_int_equal(tree_append(top, "TARN/x.journal", &fd), 0);
	assert_int_equal(journal_add(fd, &a, seal), 0);
	assert_int_equal(write(fd, "half a li", 9), 9);
	assert_int_equal(write(fd, "\n", 1), 1);
	assert_int_equal(journal_add(fd, &b, seal), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(repository_new("x", &known), 0);
	assert_int_equal(journal_read(top, "x", seal, known), 0);
	assert_int_equal(known->n, 2);
	repository_free(&known);
	/* A line that somebody changed is no line. */
	assert_int_equal(tree_load(top, "TARN/x.journal", BUNDLE_MAX, &text, &n), 0);
	*strstr(text, "010203") = '2';
	assert_int_equal(tree_store(top, "TARN/x.journal", span_make(text, n)), 0);
	free(text);
	assert_int_equal(repository_new("x", &known), 0);
	assert_int_equal(journal_read(top, "x", seal, known), 0);
	assert_int_equal(known->n, 1);
	repository_free(&known);
	seal_free(&seal);
}

static void test_links(void **state)
{
	uint64_t size;
	int fd;

	(void)state;
	assert_int_equal(symlinkat("/etc", top, "out"), 0);
	assert_int_equal(symlinkat("passwd", top, "file"), 0);
	assert_int_equal(mkfifoat(top, "fifo", 0600), 0);
	assert_int_equal(tree_read(top, "out/passwd", &fd, &size), -ELOOP);
	assert_int_equal(tree_read(top, "file", &fd, &size), -ELOOP);
	assert_int_equal(tree_read(top, "../etc/passwd", &fd, &size), -EXDEV);
	assert_int_equal(tree_read(top, "/etc/passwd", &fd, &size), -EXDEV);
	assert_int_equal(tree_read(top, "fifo", &fd, &size), -EINVAL);
	assert_int_equal(tree_read(top, "absent", &fd, &size), -ENOENT);
	assert_int_equal(tree_create(top, "out/x", &fd), -ELOOP);
	assert_int_equal(tree_create(top, "file", &fd), 0); /* in place of the link */
	assert_int_equal(close(fd), 0);
	assert_int_equal(tree_create(top, "d/e/f", &fd), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(tree_create(top, "d/g", &fd), 0);
	assert_int_equal(close(fd), 0);
	tree_remove(top, "d/e/f"); /* and the folder that is empty then */
	assert_int_equal(faccessat(top, "d/e", F_OK, 0), -1);
	assert_int_equal(faccessat(top, "d/g", F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_beside),
		cmocka_unit_test(test_seal),	cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_journal), cmocka_unit_test(test_links),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
