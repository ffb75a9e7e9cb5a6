/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/carry/verify.h"

#include <stdlib.h>
#include <unistd.h>

#include "firmware/base/clock.h"

#define PIECE 65536

struct verifying {
	const struct repository *r;
	const struct profile *profile;
	struct file_check *checks;
	struct verify_fault *fault;
	const struct repository_file *index; /* that is read */
	char group[PROFILE_GROUP_MAX];	     /* of it, without a port */
};

__attribute__((format(printf, 4, 5))) static int fault(struct verify_fault *f, const char *place,
						       int rc, const char *format, ...)
{
	va_list args;

	(void)snprintf(f->place, sizeof(f->place), "%.255s", place);
	va_start(args, format);
	(void)vsnprintf(f->why, sizeof(f->why), format, args);
	va_end(args);
	return rc;
}

int verify_files(int top, const struct repository *r, struct verify_fault *ret_fault)
{
	for (size_t i = 0; i < r->n; i++) {
		char place[REPOSITORY_PLACE_MAX];
		uint64_t size;
		int fd, rc;

		repository_place(r, &r->files[i], place);
		rc = tree_read(top, place, &fd, &size);
		if (rc < 0)
			return fault(ret_fault, place, rc == -ENOENT ? rc : -EBADMSG, "%s",
				     rc == -ENOENT ? "it is missing" : strerror(-rc));
		(void)close(fd);
		if (size != r->files[i].size)
			return fault(ret_fault, place, -EBADMSG,
				     "it has %llu bytes, by the manifest it has %llu",
				     (unsigned long long)size,
				     (unsigned long long)r->files[i].size);
	}
	return 0;
}

/* ---- what an index names ---------------------------------------------------------------------------- */

static int named_wrong(struct verifying *v, const struct repository_file *file, const char *what)
{
	char place[REPOSITORY_PLACE_MAX];

	repository_place(v->r, file, place);
	return fault(v->fault, place, -EBADMSG, "its %s is not the one that %.200s names", what,
		     v->index->path);
}

static int named_check(struct verifying *v, const struct repository_file *file,
		       const struct index_entry *entry)
{
	struct file_check *check = &v->checks[file - v->r->files];

	check->named = true;
	if (entry->size != INDEX_SIZE_UNKNOWN && entry->size != file->size)
		return named_wrong(v, file, "size");
	if (!entry->digest_n)
		return 0;
	if (entry->kind == INDEX_DIGEST_SHA256)
		return memcmp(entry->digest, file->sha256, FILE_DIGEST) == 0
			       ? 0
			       : named_wrong(v, file, "digest");
	if (check->kind == entry->kind &&
	    memcmp(check->digest, entry->digest, entry->digest_n) != 0)
		return named_wrong(v, file, "digest");
	check->kind = entry->kind;
	memcpy(check->digest, entry->digest, entry->digest_n);
	return 0;
}

static int path_check(struct verifying *v, struct span path, const struct index_entry *entry)
{
	const struct repository_file *file;
	char name[INDEX_PATH_MAX + 1];

	if (!path.n || file_name_of(path, name, sizeof(name)) < 0)
		return 0;
	file = repository_find(v->r, v->index->group, name);
	return file ? named_check(v, file, entry) : 0;
}

static int on_entry(const struct index_entry *entry, void *arg)
{
	int rc = path_check(arg, entry->path, entry);

	return rc < 0 ? rc : path_check(arg, entry->alias, entry);
}

/* ---- an index ------------------------------------------------------------------------------------------ */

static int reader_new(struct verifying *v, const struct profile_index *format,
		      const char **one_host, struct index_reader **ret_reader)
{
	struct index_config config = {
		.format = format,
		.path = span_of(v->index->path),
		.limits = INDEX_LIMITS_DEFAULT,
		.entry = on_entry,
		.arg = v,
	};
	struct span group = span_of(v->index->group);

	if (span_copy(span_head(group, span_find(group, ':')), v->group, sizeof(v->group)) < 0)
		return -EINVAL;
	config.hosts = profile_mirrors(v->profile, v->group, &config.hosts_n);
	if (!config.hosts) {
		*one_host = v->group;
		config.hosts = one_host;
		config.hosts_n = 1;
	}
	return index_reader_new(&config, ret_reader);
}

static int feed(struct verifying *v, struct index_reader *reader, int fd, const char *place)
{
	char *buf = malloc(PIECE);
	uint64_t at = 0;
	int rc = buf ? 0 : -ENOMEM;
	ssize_t n = 1;

	while (rc == 0 && n > 0) {
		n = pread(fd, buf, PIECE, (off_t)at);
		if (n < 0)
			rc = fault(v->fault, place, -errno, "%s", strerror(errno));
		else
			rc = index_reader_feed(reader, span_make(buf, (size_t)n), n == 0,
					       clock_read().mono_ms);
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
	if (rc < 0 && !v->fault->why[0] && index_reader_error(reader)) {
		char text[600];

		rc = fault(v->fault, place, -EBADMSG, "%s",
			   index_error_text(index_reader_error(reader), text, sizeof(text)));
	}
	return rc;
}

static int index_verify(struct verifying *v, int top)
{
	const struct profile_index *format =
		profile_index_find(v->profile, span_of(v->index->path));
	char place[REPOSITORY_PLACE_MAX];
	uint8_t digest[FILE_DIGEST];
	struct index_reader *reader;
	const char *host;
	uint64_t size;
	int fd, rc;

	if (!format)
		return 0;
	repository_place(v->r, v->index, place);
	rc = tree_read(top, place, &fd, &size);
	if (rc < 0)
		return fault(v->fault, place, rc, "%s", strerror(-rc));
	rc = tree_digest(fd, "SHA256", v->index->size, digest);
	if (rc == -EBADMSG || (rc == 0 && memcmp(digest, v->index->sha256, FILE_DIGEST) != 0))
		rc = fault(v->fault, place, -EBADMSG, "it is not what the manifest says");
	else if (rc < 0)
		rc = fault(v->fault, place, rc, "%s", strerror(-rc));
	if (rc == 0)
		rc = reader_new(v, format, &host, &reader);
	if (rc == 0) {
		rc = feed(v, reader, fd, place);
		index_reader_free(&reader);
	}
	(void)close(fd);
	return rc;
}

int verify_indexes(int top, const struct repository *r, const struct profile *profile,
		   struct file_check *checks, struct verify_fault *ret_fault)
{
	struct verifying v = { .r = r, .profile = profile, .checks = checks, .fault = ret_fault };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->n; i++) {
		v.index = &r->files[i];
		if (v.index->index)
			rc = index_verify(&v, top);
	}
	return rc;
}
