/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	plan	the list from the proxy; what earlier runs are known to have written (the signed manifest and
 *		journal, matched by key and id); room for what is not there, or refuse
 *	files	each one: there and as it must be? else written beside (TARN/<profile>.part), flushed, its
 *		pages dropped, read back, renamed into place, noted in the journal
 *	end	the manifest takes its place; then what only the last one named is removed
 *
 * Until the manifest is replaced the old one stands, and says of changed files what is not true any more: import sees
 * that by their digests and changes nothing.
 */
#include "firmware/carry/export.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "firmware/base/clock.h"

#define MARGIN	 (1u << 20) /* bytes for folders and the manifest */
#define PER_FILE 4096	    /* what a file takes beyond its bytes, about */
#define EVERY_MS 100

struct exporting {
	const struct export_config *config;
	struct export_result *result;
	struct repository *wanted;
	struct repository *known;  /* sorted; what we have written before, as far as signed */
	struct repository *before; /* the last manifest, or NULL */
	struct carry_progress progress;
	uint64_t shown_ms;
	int journal;
	uint8_t *buf;
};

static void show(struct exporting *e, bool now)
{
	uint64_t ms = clock_read().mono_ms;

	if (!e->config->progress || (!now && ms - e->shown_ms < EVERY_MS))
		return;
	e->shown_ms = ms;
	e->config->progress(&e->progress, e->config->arg);
}

int carry_lock(int top, int *ret_fd)
{
	int fd, rc = tree_folders(top, BUNDLE_DIR "/x");

	if (rc < 0)
		return rc;
	fd = openat(top, BUNDLE_DIR, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- what is known of earlier runs -------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct repository_file *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : (x->id > y->id) - (x->id < y->id);
}

static int known_find(struct exporting *e)
{
	char key[SEAL_KEY_TEXT], unused[SEAL_KEY_TEXT];
	char *keys[] = { key };
	const struct string_list trust = { keys, 1 };
	int rc = repository_new(e->config->profile, &e->known);

	if (rc < 0)
		return rc;
	seal_key_text(e->config->seal, key);
	rc = bundle_read(e->config->top, e->config->profile, &trust, &e->before, unused);
	if (rc == -ENOMEM)
		return rc;
	for (size_t i = 0; e->before && i < e->before->n; i++)
		if (repository_add(e->known, &e->before->files[i]) == -ENOMEM)
			return -ENOMEM;
	rc = journal_read(e->config->top, e->config->profile, e->config->seal, e->known);
	if (e->known->n)
		qsort(e->known->files, e->known->n, sizeof(*e->known->files), by_key);
	return rc;
}

/* If an earlier run wrote this very object, its digest is known. */
static void digest_recall(const struct exporting *e, struct repository_file *file)
{
	const struct repository_file *known =
		e->known->n ? bsearch(file, e->known->files, e->known->n, sizeof(*file), by_key)
			    : NULL;

	if (file->has_sha256 || !known || known->size != file->size ||
	    known->last_modified != file->last_modified || strcmp(known->etag, file->etag) != 0)
		return;
	memcpy(file->sha256, known->sha256, FILE_DIGEST);
	file->has_sha256 = true;
}

/* ---- room ----------------------------------------------------------------------------------------------- */

static bool is_there(const struct exporting *e, const struct repository_file *file)
{
	char place[REPOSITORY_PLACE_MAX];
	uint64_t size;
	int fd;

	repository_place(e->wanted, file, place);
	if (!file->has_sha256 || tree_read(e->config->top, place, &fd, &size) < 0)
		return false;
	(void)close(fd);
	return size == file->size;
}

static int room_check(struct exporting *e)
{
	struct statvfs fs;
	uint64_t need = MARGIN;

	for (size_t i = 0; i < e->wanted->n; i++)
		if (!is_there(e, &e->wanted->files[i]))
			need += e->wanted->files[i].size + PER_FILE;
	if (fstatvfs(e->config->top, &fs) < 0)
		return -errno;
	if (need <= (uint64_t)fs.f_bavail * fs.f_frsize)
		return 0;
	e->result->need = need;
	e->result->room = (uint64_t)fs.f_bavail * fs.f_frsize;
	return -ENOSPC;
}

/* ---- a file ----------------------------------------------------------------------------------------------- */

/* Is it there, byte for byte? */
static bool is_right(const struct exporting *e, const struct repository_file *file,
		     const char *place)
{
	uint8_t digest[FILE_DIGEST];
	uint64_t size;
	bool right;
	int fd;

	if (!file->has_sha256 || tree_read(e->config->top, place, &fd, &size) < 0)
		return false;
	right = size == file->size && tree_digest(fd, "SHA256", size, digest) == 0 &&
		memcmp(digest, file->sha256, FILE_DIGEST) == 0;
	(void)close(fd);
	return right;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* The body from the proxy to `fd`, and its digest. */
static int body_copy(struct exporting *e, const struct repository_file *file, int fd,
		     uint8_t digest[FILE_DIGEST])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int rc = context && EVP_DigestInit_ex2(context, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;

	for (uint64_t at = 0; rc == 0 && at < file->size;) {
		uint64_t left = file->size - at;
		size_t n = left < REPOSITORY_READ_MAX ? (size_t)left : REPOSITORY_READ_MAX;

		rc = repository_read(e->config->asker, file, at, e->buf, n);
		if (rc == 0)
			rc = EVP_DigestUpdate(context, e->buf, n) == 1 ? 0 : -ENOMEM;
		if (rc == 0)
			rc = write_all(fd, e->buf, n);
		if (rc == 0)
			e->progress.bytes += n;
		at += n;
		show(e, false);
	}
	if (rc == 0 && EVP_DigestFinal_ex(context, digest, NULL) != 1)
		rc = -ENOMEM;
	EVP_MD_CTX_free(context);
	return rc;
}

/* To the medium and back. */
static int read_back(int fd, const struct repository_file *file)
{
	const struct timespec times[2] = { { .tv_sec = file->mtime }, { .tv_sec = file->mtime } };
	uint8_t digest[FILE_DIGEST];
	int rc;

	if (fsync(fd) < 0)
		return -errno;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	rc = tree_digest(fd, "SHA256", file->size, digest);
	if (rc == 0 && memcmp(digest, file->sha256, FILE_DIGEST) != 0)
		rc = -EIO;
	(void)futimens(fd, times);
	return rc == -EBADMSG ? -EIO : rc;
}

static int file_write(struct exporting *e, struct repository_file *file, const char *place)
{
	char part[REPOSITORY_PLACE_MAX];
	uint8_t digest[FILE_DIGEST];
	uint64_t before = e->progress.bytes;
	int fd = -1, rc;

	bundle_place(e->config->profile, "part", part);
	rc = tree_create(e->config->top, part, &fd);
	if (rc == 0)
		rc = body_copy(e, file, fd, digest);
	/* What the store says of a body's digest is what it must be. */
	if (rc == 0 && file->has_sha256 && memcmp(digest, file->sha256, FILE_DIGEST) != 0)
		rc = -EIO;
	if (rc == 0) {
		memcpy(file->sha256, digest, FILE_DIGEST);
		file->has_sha256 = true;
		rc = read_back(fd, file);
	}
	if (fd >= 0)
		(void)close(fd);
	if (rc == 0)
		rc = tree_rename(e->config->top, part, place);
	if (rc == 0)
		rc = journal_add(e->journal, file, e->config->seal);
	if (rc < 0)
		e->progress.bytes = before;
	return rc;
}

/* 1: evicted meanwhile, to be left out. */
static int file_export(struct exporting *e, struct repository_file *file)
{
	char place[REPOSITORY_PLACE_MAX];
	int rc = 0;

	repository_place(e->wanted, file, place);
	if (is_right(e, file, place)) {
		e->result->kept++;
		e->progress.bytes += file->size;
	} else {
		rc = file_write(e, file, place);
		if (rc == -ENOENT)
			return 1;
		if (rc < 0) {
			(void)snprintf(e->result->place, sizeof(e->result->place), "%.255s", place);
			return rc;
		}
		e->result->written++;
		e->result->bytes_written += file->size;
	}
	e->progress.files++;
	show(e, false);
	return 0;
}

static int journal_open(struct exporting *e)
{
	char place[REPOSITORY_PLACE_MAX];
	int rc;

	bundle_place(e->config->profile, "journal", place);
	rc = tree_append(e->config->top, place, &e->journal);
	/* What a kill left half written ends here. */
	if (rc == 0 && write(e->journal, "\n", 1) != 1)
		rc = errno == ENOSPC ? -ENOSPC : -EIO;
	return rc;
}

static int files_export(struct exporting *e)
{
	for (size_t i = 0; i < e->wanted->n;) {
		int rc = file_export(e, &e->wanted->files[i]);

		if (rc < 0)
			return rc;
		if (rc == 1) {
			e->result->missing++;
			repository_remove(e->wanted, i);
		} else {
			i++;
		}
	}
	e->result->files = e->wanted->n;
	return 0;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

/* What the last manifest named and this one does not. Files of nobody's manifest are not ours to remove. */
static void old_remove(struct exporting *e)
{
	char place[REPOSITORY_PLACE_MAX];

	for (size_t i = 0; e->before && i < e->before->n; i++) {
		const struct repository_file *old = &e->before->files[i];

		if (repository_find(e->wanted, old->group, old->name))
			continue;
		repository_place(e->before, old, place);
		tree_remove(e->config->top, place);
		e->result->removed++;
	}
}

static int finish(struct exporting *e)
{
	const struct export_config *config = e->config;
	char key[SEAL_KEY_TEXT + 1], place[REPOSITORY_PLACE_MAX];
	int rc;

	e->wanted->whole = e->wanted->whole && !e->result->missing;
	e->result->whole = e->wanted->whole;
	e->progress.doing = "finishing";
	show(e, true);
	if (syncfs(config->top) < 0)
		return -errno;
	seal_key_text(config->seal, key);
	memcpy(key + SEAL_KEY_TEXT - 1, "\n", 2);
	rc = tree_store(config->top, BUNDLE_DIR "/key", span_make(key, SEAL_KEY_TEXT));
	if (rc == 0)
		rc = bundle_write(config->top, e->wanted, config->seal, config->now_s);
	if (rc == 0) {
		old_remove(e);
		bundle_place(config->profile, "journal", place);
		tree_remove(config->top, place);
		bundle_place(config->profile, "part", place);
		tree_remove(config->top, place);
		if (syncfs(config->top) < 0)
			rc = -errno;
	}
	return rc;
}

static int run(struct exporting *e)
{
	const struct export_config *config = e->config;
	int rc = repository_get(config->asker, config->profile, REPOSITORY_CURRENT, &e->wanted);

	if (rc == 0 && !e->wanted->n)
		rc = -ENOENT;
	if (rc == 0)
		rc = known_find(e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < e->wanted->n; i++)
		digest_recall(e, &e->wanted->files[i]);
	e->progress.bytes_all = e->wanted->bytes;
	e->progress.files_all = e->wanted->n;
	e->result->number = e->wanted->number;
	e->result->left_out = e->wanted->left_out;
	rc = room_check(e);
	if (rc == 0)
		rc = journal_open(e);
	e->progress.doing = "writing";
	if (rc == 0)
		rc = files_export(e);
	e->result->bytes = e->wanted->bytes;
	return rc == 0 ? finish(e) : rc;
}

int export_run(const struct export_config *config, struct export_result *ret_result)
{
	struct exporting e = {
		.config = config,
		.result = ret_result,
		.progress = { .profile = config->profile, .doing = "checking" },
		.journal = -1,
	};
	int lock, rc;

	*ret_result = (struct export_result){ 0 };
	rc = carry_lock(config->top, &lock);
	if (rc < 0)
		return rc;
	e.buf = malloc(REPOSITORY_READ_MAX);
	rc = e.buf ? run(&e) : -ENOMEM;
	if (e.journal >= 0)
		(void)close(e.journal);
	repository_free(&e.wanted);
	repository_free(&e.known);
	repository_free(&e.before);
	free(e.buf);
	(void)close(lock);
	return rc;
}
