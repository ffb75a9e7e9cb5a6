/* SPDX-License-Identifier: Apache-2.0 */
/* No state but the disk's. Every file comes into being by rename(2), after fsync(2). */
#include "firmware/keeper/record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TEXT_MAX (1u << 20) /* settings_read() takes no more */
#define HEAD	 "# tarn change 1 "
#define HEAD_MAX 200

static int path_make(const char *path, const char *suffix, char ret_path[PATH_MAX])
{
	int n = snprintf(ret_path, PATH_MAX, "%s%s", path, suffix);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static int read_all(int fd, struct conf_text *ret_text)
{
	char *text = malloc(TEXT_MAX + HEAD_MAX + 1);
	size_t n = 0;
	ssize_t got;

	if (!text)
		return -ENOMEM;
	do {
		got = read(fd, text + n, TEXT_MAX + HEAD_MAX - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0 || n == TEXT_MAX + HEAD_MAX) {
		int rc = got < 0 ? -errno : -EFBIG;

		free(text);
		return rc;
	}
	text[n] = 0;
	*ret_text = (struct conf_text){ text, n };
	return 0;
}

int conf_text_read(const char *path, struct conf_text *ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	if (fd < 0 && errno == ENOENT) {
		*ret_text = (struct conf_text){ 0 };
		return 0;
	}
	if (fd < 0)
		return -errno;
	rc = read_all(fd, ret_text);
	close(fd);
	return rc;
}

void conf_text_free(struct conf_text *text)
{
	free(text->text);
	*text = (struct conf_text){ 0 };
}

uint64_t conf_text_print(const struct conf_text *text)
{
	uint64_t print = text->text ? XXH3_64bits(text->text, text->n) : 0;

	return text->text && !print ? 1 : print;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static int write_all(int fd, struct span bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		bytes = span_drop(bytes, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

/* `like`: whose mode and owner it gets, if that is there. */
static int file_write(const char *path, const char *like, mode_t mode, struct span a, struct span b)
{
	struct stat st;
	int fd, rc;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, a);
	rc = rc ? rc : write_all(fd, b);
	if (!rc && like && stat(like, &st) == 0) {
		mode = st.st_mode & 0777;
		rc = fchown(fd, st.st_uid, st.st_gid) ? -errno : 0;
	}
	if (!rc && (fchmod(fd, mode) || fsync(fd)))
		rc = -errno;
	close(fd);
	if (rc)
		(void)unlink(path);
	return rc;
}

static int folder_sync(const char *path)
{
	char folder[PATH_MAX], *slash;
	int fd, rc;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

static int file_move(const char *from, const char *to)
{
	return rename(from, to) ? -errno : folder_sync(to);
}

static int file_remove(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : folder_sync(path);
}

int conf_stage(const char *path, struct span text)
{
	char fresh[PATH_MAX];
	int rc = path_make(path, RECORD_NEW, fresh);

	return rc ? rc : file_write(fresh, path, 0644, text, SPAN(""));
}

int conf_commit(const char *path)
{
	char fresh[PATH_MAX];
	int rc = path_make(path, RECORD_NEW, fresh);

	return rc ? rc : file_move(fresh, path);
}

void conf_unstage(const char *path)
{
	char fresh[PATH_MAX];

	if (path_make(path, RECORD_NEW, fresh) == 0)
		(void)unlink(fresh);
}

int conf_replace(const char *path, const struct conf_text *text)
{
	int rc;

	if (!text->text)
		return file_remove(path);
	rc = conf_stage(path, span_make(text->text, text->n));
	return rc ? rc : conf_commit(path);
}

int conf_secret(const char *path, struct span text)
{
	char fresh[PATH_MAX];
	int rc = path_make(path, RECORD_NEW, fresh);

	rc = rc ? rc : file_write(fresh, NULL, 0600, text, SPAN(""));
	return rc ? rc : file_move(fresh, path);
}

/* ---- records ------------------------------------------------------------------------------------ */

/* "# tarn change 1 BOOT UNTIL AFTER AT file|none" */
static int head_parse(const char *text, struct record *record, bool *ret_file)
{
	char what[8] = "";

	if (sscanf(text, HEAD "%39s %" SCNu64 " %" SCNx64 " %" SCNu64 " %7s", record->boot,
		   &record->until_ms, &record->after, &record->at_ms, what) != 5)
		return -EBADMSG;
	*ret_file = strcmp(what, "file") == 0;
	return *ret_file || strcmp(what, "none") == 0 ? 0 : -EBADMSG;
}

int record_read(const char *path, const char *suffix, struct record *ret_record)
{
	struct record record = { 0 };
	struct conf_text all;
	char full[PATH_MAX];
	bool file = false;
	size_t head;
	int rc = path_make(path, suffix, full);

	rc = rc ? rc : conf_text_read(full, &all);
	if (rc)
		return rc;
	if (!all.text)
		return -ENOENT;
	head = span_find(span_make(all.text, all.n), '\n');
	rc = head < all.n ? head_parse(all.text, &record, &file) : -EBADMSG;
	if (!rc && file) {
		memmove(all.text, all.text + head + 1, all.n - head); /* the ending zero, too */
		record.before = (struct conf_text){ all.text, all.n - head - 1 };
		all.text = NULL;
	}
	conf_text_free(&all);
	if (!rc)
		*ret_record = record;
	return rc;
}

int record_write(const char *path, const char *suffix, const struct record *record)
{
	char full[PATH_MAX], fresh[PATH_MAX], head[HEAD_MAX];
	int rc = path_make(path, suffix, full);

	rc = rc ? rc : path_make(full, RECORD_NEW, fresh);
	if (rc)
		return rc;
	(void)snprintf(head, sizeof(head), HEAD "%s %" PRIu64 " %" PRIx64 " %" PRIu64 " %s\n",
		       record->boot, record->until_ms, record->after, record->at_ms,
		       record->before.text ? "file" : "none");
	rc = file_write(fresh, path, 0600, span_of(head),
			span_make(record->before.text, record->before.n));
	return rc ? rc : file_move(fresh, full);
}

int record_move(const char *path, const char *from, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];
	int rc = path_make(path, from, a);

	if (rc || !to)
		return rc ? rc : file_remove(a);
	rc = path_make(path, to, b);
	return rc ? rc : file_move(a, b);
}

void record_free(struct record *record)
{
	conf_text_free(&record->before);
	*record = (struct record){ 0 };
}

void record_boot(char ret_boot[RECORD_BOOT], uint64_t *ret_now_ms)
{
	struct timespec now = { 0 };
	ssize_t n = 0;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, ret_boot, RECORD_BOOT - 1);
		close(fd);
	}
	while (n > 0 && ret_boot[n - 1] == '\n')
		n--;
	ret_boot[n > 0 ? n : 0] = 0;
	if (n <= 0)
		strcpy(ret_boot, "unknown");
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	*ret_now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
