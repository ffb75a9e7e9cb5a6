/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	manifest   signed by whom? whole? each file there, of its size?
 *	indexes    what they name against the manifest; digests of other kinds are noted
 *	files	   each is announced; what the proxy has not is read, digested and sent, piece by piece. It counts there only
 *		   when all of it is what the manifest says
 *	end	   published, in one transaction of the proxy's; or given up, and nothing has changed
 */
#include "firmware/carry/import.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "firmware/base/clock.h"

#define EVERY_MS  100
#define PIECE_MAX (1u << 20)

struct importing {
	const struct import_config *config;
	struct import_result *result;
	struct repository *r;
	struct file_check *checks;
	struct carry_progress progress;
	uint64_t shown_ms;
	json_int_t import; /* its number in the proxy */
	size_t piece;
	uint8_t *buf;
	char *text; /* a piece as base64 */
};

static void show(struct importing *im, bool now)
{
	uint64_t ms = clock_read().mono_ms;

	if (!im->config->progress || (!now && ms - im->shown_ms < EVERY_MS))
		return;
	im->shown_ms = ms;
	im->config->progress(&im->progress, im->config->arg);
}

static int fault(struct importing *im, const struct repository_file *file, int rc, const char *why)
{
	struct verify_fault *f = &im->result->fault;
	char place[REPOSITORY_PLACE_MAX] = "";

	if (file)
		repository_place(im->r, file, place);
	(void)snprintf(f->place, sizeof(f->place), "%.255s", place);
	(void)snprintf(f->why, sizeof(f->why), "%.600s", why);
	return rc;
}

/* ---- asking ------------------------------------------------------------------------------------------ */

/* Takes the body. 0 with the answer, whose reference is the caller's. */
static int ask(struct importing *im, const struct repository_file *file, const char *target,
	       json_t *body, json_t **ret_answer)
{
	int status = 0, rc;

	if (!body)
		return -ENOMEM;
	rc = asker_json(im->config->asker, "POST", target, body, &status, ret_answer);
	json_decref(body);
	if (rc == 0 && status / 100 != 2)
		rc = fault(im, file, -EPROTO, asker_refusal(im->config->asker));
	return rc;
}

static int begin(struct importing *im)
{
	const struct repository *r = im->r;
	json_int_t piece = 0;
	json_t *answer = NULL;
	int rc = ask(im, NULL, "/api/v1/import",
		     json_pack("{s:s, s:I, s:I, s:I, s:b}", "profile", r->profile, "published_ms",
			       (json_int_t)im->result->published_ms, "objects", (json_int_t)r->n,
			       "bytes", (json_int_t)r->bytes, "older", im->config->older),
		     &answer);

	if (rc < 0)
		return rc;
	if (json_unpack(answer, "{s:I, s:I}", "import", &im->import, "piece", &piece) < 0 ||
	    piece <= 0 || piece > PIECE_MAX)
		rc = -EBADMSG;
	json_decref(answer);
	im->piece = (size_t)piece;
	im->buf = rc == 0 ? malloc(im->piece) : NULL;
	im->text = rc == 0 ? malloc(im->piece / 3 * 4 + 8) : NULL;
	return rc == 0 && (!im->buf || !im->text) ? -ENOMEM : rc;
}

static void give_up(struct importing *im)
{
	char target[64];
	json_t *answer = NULL;
	int status;

	(void)snprintf(target, sizeof(target), "/api/v1/import?import=%lld", (long long)im->import);
	if (asker_json(im->config->asker, "DELETE", target, NULL, &status, &answer) == 0)
		json_decref(answer);
}

/* Is it there already? 1: it is; 0: its bytes are wanted. */
static int announce(struct importing *im, const struct repository_file *file)
{
	char hex[2 * FILE_DIGEST + 1];
	const char *word;
	json_t *answer = NULL;
	int rc;

	for (unsigned i = 0; i < FILE_DIGEST; i++)
		(void)sprintf(hex + 2 * i, "%02x", file->sha256[i]);
	rc = ask(im, file, "/api/v1/import/object",
		 json_pack("{s:I, s:s, s:I, s:s, s:b, s:s}", "import", im->import, "key", file->key,
			   "size", (json_int_t)file->size, "sha256", hex, "index", file->index,
			   "fields", file->fields),
		 &answer);
	if (rc < 0)
		return rc;
	word = json_string_value(json_object_get(answer, "result"));
	rc = !word ? -EBADMSG : strcmp(word, "send") != 0;
	json_decref(answer);
	return rc;
}

static int piece_send(struct importing *im, const struct repository_file *file, size_t n)
{
	json_t *answer = NULL;
	int rc;

	(void)EVP_EncodeBlock((uint8_t *)im->text, im->buf, (int)n);
	rc = ask(im, file, "/api/v1/import/chunk",
		 json_pack("{s:I, s:s}", "import", im->import, "bytes", im->text), &answer);
	if (rc == 0)
		json_decref(answer);
	return rc;
}

static int publish(struct importing *im)
{
	json_int_t number = 0, changed = 0;
	const char *word = NULL;
	json_t *answer = NULL;
	int rc = ask(im, NULL, "/api/v1/import/publish", json_pack("{s:I}", "import", im->import),
		     &answer);

	if (rc < 0)
		return rc;
	if (json_unpack(answer, "{s:s, s:I, s:I}", "result", &word, "generation", &number,
			"changed", &changed) < 0)
		rc = -EBADMSG;
	im->result->unchanged = rc == 0 && strcmp(word, "unchanged") == 0;
	im->result->number = (uint64_t)number;
	im->result->changed = (size_t)changed;
	json_decref(answer);
	return rc;
}

/* ---- a file ------------------------------------------------------------------------------------------- */

/* Of the bytes as they are read: SHA-256, and what the index has. */
struct digests {
	EVP_MD_CTX *sha256, *other;
};

static int digests_begin(struct digests *d, const struct file_check *check)
{
	const char *name = index_digest_name(check->kind);
	const EVP_MD *md = name ? EVP_get_digestbyname(name) : NULL;

	d->sha256 = EVP_MD_CTX_new();
	d->other = md ? EVP_MD_CTX_new() : NULL;
	if (!d->sha256 || EVP_DigestInit_ex(d->sha256, EVP_sha256(), NULL) != 1 || (name && !md) ||
	    (md && (!d->other || EVP_DigestInit_ex(d->other, md, NULL) != 1)))
		return -ENOMEM;
	return 0;
}

static int digests_add(struct digests *d, const uint8_t *p, size_t n)
{
	return EVP_DigestUpdate(d->sha256, p, n) == 1 &&
			       (!d->other || EVP_DigestUpdate(d->other, p, n) == 1)
		       ? 0
		       : -ENOMEM;
}

static void digests_end(struct digests *d)
{
	EVP_MD_CTX_free(d->sha256);
	EVP_MD_CTX_free(d->other);
}

static int digests_check(struct importing *im, const struct repository_file *file,
			 struct digests *d)
{
	const struct file_check *check = &im->checks[file - im->r->files];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestFinal_ex(d->sha256, digest, &n) != 1)
		return -ENOMEM;
	if (memcmp(digest, file->sha256, FILE_DIGEST) != 0)
		return fault(im, file, -EBADMSG, "it is not what the manifest says");
	if (d->other && (EVP_DigestFinal_ex(d->other, digest, &n) != 1 ||
			 memcmp(digest, check->digest, n) != 0))
		return fault(im, file, -EBADMSG, "its digest is not the one that the index names");
	return 0;
}

static int read_full(int fd, uint8_t *buf, size_t n, uint64_t at)
{
	while (n) {
		ssize_t got = pread(fd, buf, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		buf += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

/* Reads it, and sends it if it is wanted. The last piece goes when the whole is known to be right. */
static int body_take(struct importing *im, const struct repository_file *file, int fd, bool send)
{
	struct digests d = { 0 };
	int rc = digests_begin(&d, &im->checks[file - im->r->files]);

	for (uint64_t at = 0; rc == 0 && at < file->size;) {
		uint64_t left = file->size - at;
		size_t n = left < im->piece ? (size_t)left : im->piece;

		rc = read_full(fd, im->buf, n, at);
		if (rc < 0)
			rc = fault(im, file, rc,
				   rc == -EBADMSG ? "it is shorter than it was" : strerror(-rc));
		if (rc == 0)
			rc = digests_add(&d, im->buf, n);
		at += n;
		if (rc == 0 && at == file->size)
			rc = digests_check(im, file, &d);
		if (rc == 0 && send)
			rc = piece_send(im, file, n);
		if (rc == 0)
			im->progress.bytes += n;
		show(im, false);
	}
	digests_end(&d);
	return rc;
}

static int file_import(struct importing *im, const struct repository_file *file)
{
	bool other = im->checks[file - im->r->files].kind != INDEX_DIGEST_NONE;
	char place[REPOSITORY_PLACE_MAX];
	uint64_t size;
	int fd, have = announce(im, file), rc;

	if (have < 0)
		return have;
	if (have)
		im->result->had++;
	if (have && !other) { /* it has this SHA-256, and nothing else is asked */
		im->progress.bytes += file->size;
		rc = 0;
	} else {
		repository_place(im->r, file, place);
		rc = tree_read(im->config->top, place, &fd, &size);
		if (rc < 0)
			return fault(im, file, rc, strerror(-rc));
		rc = body_take(im, file, fd, !have);
		(void)close(fd);
	}
	if (rc == 0 && !have) {
		im->result->sent++;
		im->result->bytes_sent += file->size;
	}
	im->progress.files++;
	show(im, false);
	return rc;
}

/* ---- the whole ------------------------------------------------------------------------------------------ */

static int look(struct importing *im)
{
	const struct import_config *config = im->config;
	const char *name = profile_name(config->profile);
	int rc = bundle_read(config->top, name, config->trust, &im->r, im->result->key);

	if (rc == -EBADMSG)
		return fault(im, NULL, rc, "its manifest is signed, but not of this form");
	if (rc < 0)
		return rc;
	im->result->files = im->r->n;
	im->result->bytes = im->r->bytes;
	im->result->published_ms = im->r->number ? im->r->published_ms : im->r->made_s * 1000;
	im->progress.bytes_all = im->r->bytes;
	im->progress.files_all = im->r->n;
	if (!im->r->whole)
		return fault(im, NULL, -EBADMSG,
			     "it is not whole: who wrote it did not have all files");
	if (!im->r->n)
		return fault(im, NULL, -EBADMSG, "its manifest names no file");
	im->checks = calloc(im->r->n, sizeof(*im->checks));
	if (!im->checks)
		return -ENOMEM;
	rc = verify_files(config->top, im->r, &im->result->fault);
	if (rc == 0)
		rc = verify_indexes(config->top, im->r, config->profile, im->checks,
				    &im->result->fault);
	return rc == -ENOENT ? -EBADMSG : rc;
}

static int run(struct importing *im)
{
	int rc = look(im);

	if (rc == 0)
		rc = begin(im);
	if (rc < 0)
		return rc;
	im->progress.doing = "reading";
	for (size_t i = 0; rc == 0 && i < im->r->n; i++)
		rc = file_import(im, &im->r->files[i]);
	im->progress.doing = "publishing";
	show(im, true);
	if (rc == 0)
		rc = publish(im);
	/* The proxy is there, and the tree is bad: what came of it goes. Otherwise the next run goes on from it. */
	if (rc == -EBADMSG)
		give_up(im);
	return rc;
}

int import_run(const struct import_config *config, struct import_result *ret_result)
{
	struct importing im = {
		.config = config,
		.result = ret_result,
		.progress = { .profile = profile_name(config->profile), .doing = "checking" },
	};
	int lock = -1, rc;

	*ret_result = (struct import_result){ 0 };
	rc = carry_lock(config->top, &lock);
	/* A medium that can't be written has nobody who writes it. */
	if (rc == 0 || rc == -EROFS || rc == -EACCES)
		rc = run(&im);
	if (lock >= 0)
		(void)close(lock);
	repository_free(&im.r);
	free(im.checks);
	free(im.buf);
	free(im.text);
	return rc;
}

/* ---- what there is ----------------------------------------------------------------------------------------- */

static int names_add(char ***names, size_t *n, const char *file)
{
	size_t length = strlen(file), tail = strlen(".manifest");
	char **grown;

	if (length <= tail || strcmp(file + length - tail, ".manifest") != 0)
		return 0;
	grown = realloc(*names, (*n + 2) * sizeof(**names));
	if (!grown)
		return -ENOMEM;
	*names = grown;
	grown[*n] = strndup(file, length - tail);
	grown[*n + 1] = NULL;
	return grown[(*n)++] ? 0 : -ENOMEM;
}

int import_names(int top, char ***ret_names)
{
	int fd = openat(top, BUNDLE_DIR, O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char **names = calloc(1, sizeof(*names));
	const struct dirent *entry;
	size_t n = 0;
	int rc = !names ? -ENOMEM : dir ? 0 : -errno;

	while (rc == 0 && (entry = readdir(dir)))
		rc = names_add(&names, &n, entry->d_name);
	if (dir)
		(void)closedir(dir);
	else if (fd >= 0)
		(void)close(fd);
	if (rc < 0) {
		if (names)
			repository_names_free(&names);
		return rc;
	}
	*ret_names = names;
	return 0;
}
