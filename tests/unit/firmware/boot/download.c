/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/boot/download.c: files that come whole, in parts, or not, from a server that is a table here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/boot/download.h"

#define URL	"https://updates.example/tarn-2.update"
#define CONTENT "0123456789abcdefghijklmnopqrstuvwxyz"
#define SIZE	36

/* One answer: `line` as it comes, then `bytes` of the content from `at`; `rc` is what the asking gives. */
struct answer {
	const char *url, *line;
	size_t at, bytes;
	int rc;
};

static struct {
	const struct answer *answers;
	size_t n, asked;
	unsigned rested;
	uint64_t from[8];
	char tag[8][32];
	int early, early_rc;
} server;
static char dir[48], path[80], why[DOWNLOAD_WHY];

/* In pieces of three bytes: none may be expected to hold a whole line. */
static int send_slowly(const char *bytes, size_t n, download_piece_f *piece, void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i += 3)
		rc = piece(arg, bytes + i, n - i < 3 ? n - i : 3);
	return rc;
}

static int ask(void *arg, const char *url, uint64_t from, const char *etag, download_piece_f *piece,
	       void *piece_arg, char ret_why[DOWNLOAD_WHY])
{
	const struct answer *a = &server.answers[server.asked];
	int rc;

	(void)arg;
	assert_true(server.asked < server.n);
	assert_string_equal(url, a->url ? a->url : URL);
	server.from[server.asked] = from;
	(void)snprintf(server.tag[server.asked], sizeof(server.tag[0]), "%s", etag);
	server.asked++;
	if (a->rc)
		(void)snprintf(ret_why, DOWNLOAD_WHY, "refused");
	if (!a->line)
		return a->rc;
	rc = send_slowly(a->line, strlen(a->line), piece, piece_arg);
	rc = rc ? rc : send_slowly(CONTENT + a->at, a->bytes, piece, piece_arg);
	return rc ? rc : a->rc;
}

static int early(void *arg, int fd)
{
	char head[4];

	(void)arg;
	assert_int_equal(pread(fd, head, 4, 0), 4);
	assert_memory_equal(head, CONTENT, 4);
	server.early++;
	return server.early_rc;
}

static void rest(void *arg, unsigned seconds)
{
	(void)arg;
	server.rested += seconds;
}

static int fetch(const struct answer *answers, size_t n)
{
	const struct download d = { .url = URL,
				    .path = path,
				    .limit = 1000,
				    .ask = ask,
				    .early = early,
				    .early_bytes = 4,
				    .rest = rest };
	char text[SIZE + 1] = "";
	int fd = -1, rc;

	rc = server.early_rc;
	memset(&server, 0, sizeof(server));
	server.early_rc = rc;
	server.answers = answers;
	server.n = n;
	rc = download(&d, &fd, why);
	if (!rc) {
		assert_int_equal(pread(fd, text, SIZE, 0), SIZE);
		assert_string_equal(text, CONTENT);
		close(fd);
	}
	return rc;
}
#define FETCH(answers) fetch((answers), sizeof(answers) / sizeof((answers)[0]))

#define WHOLE	       "{\"status\":200,\"size\":36,\"from\":0,\"etag\":\"\\\"v2\\\"\",\"location\":null}\n"
#define PART(from)                                                                                 \
	"{\"status\":206,\"size\":36,\"from\":" #from                                              \
	",\"etag\":\"\\\"v2\\\"\",\"location\":null}\n"
#define MOVED(to) "{\"status\":302,\"size\":-1,\"from\":0,\"etag\":null,\"location\":\"" to "\"}\n"
#define STATUS(n) "{\"status\":" #n ",\"size\":-1,\"from\":0,\"etag\":null,\"location\":null}\n"

static int dir_make(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tarn-download-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/update.part", dir);
	server.early_rc = 0;
	return 0;
}

static int dir_end(void **state)
{
	(void)state;
	download_forget(path);
	return rmdir(dir);
}

static void test_whole(void **state)
{
	const struct answer answers[] = { { .line = WHOLE, .bytes = SIZE } };

	(void)state;
	assert_int_equal(FETCH(answers), 0);
	assert_int_equal(server.early, 1);
	assert_int_equal(server.rested, 0);
}

static void test_resumed(void **state)
{
	const struct answer answers[] = { { .line = WHOLE, .bytes = 10 },
					  { .rc = -EAGAIN },
					  { .line = PART(10), .at = 10, .bytes = 26 } };

	(void)state;
	assert_int_equal(FETCH(answers), 0);
	assert_int_equal(server.from[1], 10);
	assert_int_equal(server.from[2], 10);
	assert_string_equal(server.tag[2], "\"v2\"");
	assert_int_equal(server.early, 1);
}

/* Another run goes on, if it is after the same, and else begins anew. */
static void test_next_run(void **state)
{
	const struct answer cut[] = { { .line = WHOLE, .bytes = 10 }, { .rc = -EINVAL } };
	const struct answer more[] = { { .line = PART(10), .at = 10, .bytes = 26 } };
	const struct answer anew[] = { { .url = "https://x/y", .line = WHOLE, .bytes = SIZE } };
	const struct download other = {
		.url = "https://x/y", .path = path, .limit = 99, .ask = ask, .rest = rest
	};
	int fd;

	(void)state;
	assert_int_equal(FETCH(cut), -EINVAL);
	assert_int_equal(FETCH(more), 0);
	assert_int_equal(server.from[0], 10);
	assert_int_equal(FETCH(cut), -EINVAL);
	server.answers = anew;
	server.n = 1;
	server.asked = 0;
	assert_int_equal(download(&other, &fd, why), 0);
	assert_int_equal(server.from[0], 0);
	close(fd);
}

/* The file has changed: the server sends all of the new one. */
static void test_changed(void **state)
{
	const struct answer answers[] = { { .line = WHOLE, .bytes = 10 },
					  { .line = WHOLE, .bytes = SIZE } };
	const struct answer shorter[] = { { .line = WHOLE, .bytes = 20 },
					  { .line = STATUS(416) },
					  { .line = WHOLE, .bytes = SIZE } };

	(void)state;
	assert_int_equal(FETCH(answers), 0);
	assert_int_equal(server.early, 2);
	download_forget(path);
	assert_int_equal(FETCH(shorter), 0);
	assert_int_equal(server.from[2], 0);
}

/* Without a strong tag nobody knows whether the rest is of the same file. */
static void test_no_tag(void **state)
{
	static const char weak[] =
		"{\"status\":200,\"size\":36,\"from\":0,\"etag\":\"W/\\\"v\\\"\"}\n";
	const struct answer answers[] = { { .line = weak, .bytes = 30 },
					  { .line = weak, .bytes = SIZE } };

	(void)state;
	assert_int_equal(FETCH(answers), 0);
	assert_int_equal(server.from[1], 0);
}

static void test_redirected(void **state)
{
	const struct answer answers[] = {
		{ .line = MOVED("/a?b=c") },
		{ .url = "https://updates.example/a?b=c", .line = MOVED("https://cdn.example/x") },
		{ .url = "https://cdn.example/x", .line = WHOLE, .bytes = SIZE }
	};
	const struct answer clear[] = { { .line = MOVED("http://cdn.example/x") } };
	const struct answer round[] = {
		{ .line = MOVED("/tarn-2.update") }, { .line = MOVED("/tarn-2.update") },
		{ .line = MOVED("/tarn-2.update") }, { .line = MOVED("/tarn-2.update") },
		{ .line = MOVED("/tarn-2.update") }, { .line = MOVED("/tarn-2.update") }
	};

	(void)state;
	assert_int_equal(FETCH(answers), 0);
	assert_int_equal(FETCH(clear), -EPROTO);
	assert_int_equal(FETCH(round), -EPROTO);
	assert_string_equal(why, "the server sends elsewhere again and again");
}

static void test_refused(void **state)
{
	const struct answer gone[] = { { .line = STATUS(404) } };
	const struct answer large[] = {
		{ .line = "{\"status\":200,\"size\":1001,\"from\":0,\"etag\":null}\n", .bytes = 9 }
	};
	const struct answer wrong_place[] = { { .line = WHOLE, .bytes = 10 },
					      { .line = PART(12), .at = 12, .bytes = 9 } };
	const struct answer too_much[] = {
		{ .line = "{\"status\":200,\"size\":12,\"from\":0,\"etag\":null}\n", .bytes = 15 }
	};
	const struct answer noise[] = { { .line = "<html>\n" } };
	const struct answer down[DOWNLOAD_FAILS] = { { .rc = -EAGAIN },
						     { .rc = -EAGAIN },
						     { .rc = -EAGAIN },
						     { .rc = -EAGAIN },
						     { .rc = -EAGAIN } };

	(void)state;
	assert_int_equal(FETCH(gone), -EPROTO);
	assert_int_equal(access(path, F_OK), -1); /* nothing that could be gone on with */
	assert_string_equal(why, "the server says 404");
	assert_int_equal(FETCH(large), -EFBIG);
	assert_int_equal(FETCH(wrong_place), -EPROTO);
	download_forget(path);
	assert_int_equal(FETCH(too_much), -EPROTO);
	assert_int_equal(FETCH(noise), -EPROTO);
	assert_int_equal(FETCH(down), -EPROTO);
	assert_string_equal(why, "refused");
	assert_true(server.rested >= 15);
}

/* 36 MB are not fetched to learn that nobody has signed them. */
static void test_early(void **state)
{
	const struct answer answers[] = { { .line = WHOLE, .bytes = SIZE } };

	(void)state;
	server.early_rc = 7;
	assert_int_equal(FETCH(answers), 7);
	assert_int_equal(server.early, 1);
}

/* The folder is another's, who may put anything there. */
static void test_not_ours(void **state)
{
	const struct answer answers[] = { { .line = WHOLE, .bytes = SIZE } };
	char victim[80];
	struct stat st;
	int fd;

	(void)state;
	(void)snprintf(victim, sizeof(victim), "%s/victim", dir);
	fd = open(victim, O_WRONLY | O_CREAT | O_EXCL, 0644);
	assert_int_equal(write(fd, "dear", 4), 4);
	close(fd);
	assert_int_equal(symlink(victim, path), 0);
	assert_int_equal(FETCH(answers), 0);
	download_forget(path);
	assert_int_equal(link(victim, path), 0);
	assert_int_equal(FETCH(answers), 0);
	download_forget(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(FETCH(answers), 0);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 4);
	(void)unlink(victim);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, dir_make, dir_end)
	const struct CMUnitTest tests[] = {
		T(test_whole),	 T(test_resumed), T(test_next_run),
		T(test_changed), T(test_no_tag),  T(test_redirected),
		T(test_refused), T(test_early),	  T(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
