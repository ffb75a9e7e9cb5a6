/* SPDX-License-Identifier: Apache-2.0 */
/* A profile of one [index] section, and what reading a text by it gives, as lines of text. */
#ifndef TARN_TEST_INDEX_RIG_H
#define TARN_TEST_INDEX_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "firmware/base/profile_priv.h"
#include "firmware/index/index.h"

struct rig {
	char out[65536]; /* "path size digest name alias", a line each */
	size_t n;
	int rc;
	struct index_error error;
	struct index_limits limits;
	const char *path; /* of the index */
	size_t pieces;	  /* bytes fed at once; 0: all */
	unsigned entries;
};

static const char *const rig_hosts[] = { "a.example.com", "b.example.com" };

static inline int rig_entry(const struct index_entry *entry, void *arg)
{
	struct rig *rig = arg;
	int n;

	rig->entries++;
	if (rig->entries > 100)
		return 0;
	n = snprintf(rig->out + rig->n, sizeof(rig->out) - rig->n, "%.*s %lld ",
		     SPAN_FMT(entry->path),
		     entry->size == INDEX_SIZE_UNKNOWN ? -1ll : (long long)entry->size);
	rig->n += (size_t)n;
	for (size_t i = 0; i < entry->digest_n && i < 4; i++)
		rig->n += (size_t)sprintf(rig->out + rig->n, "%02x", entry->digest[i]);
	n = snprintf(rig->out + rig->n, sizeof(rig->out) - rig->n, "%s %.*s %.*s\n",
		     entry->digest_n ? "" : "-", SPAN_FMT(entry->name), SPAN_FMT(entry->alias));
	rig->n += (size_t)n;
	return 0;
}

static inline struct profile *rig_profile(const char *section)
{
	char path[] = "/tmp/tarn-index-XXXXXX";
	int fd = mkstemp(path);
	struct settings_error error;
	struct profile *profile = NULL;
	FILE *file = fdopen(fd, "w");

	assert_non_null(file);
	fprintf(file, "[vendor]\nname = x\n[hosts]\nexact = a.example.com\n%s", section);
	assert_int_equal(fclose(file), 0);
	if (profile_load(path, &profile, &error) < 0)
		fail_msg("%s (%s)", error.what, error.allowed);
	(void)unlink(path);
	return profile;
}

/* Reads `text`; rig->rc and rig->out tell. */
static inline void rig_read(struct rig *rig, const char *section, struct span text)
{
	struct profile *profile = rig_profile(section);
	struct index_config config = {
		.path = span_of(rig->path ? rig->path : "/up/index/i.xml"),
		.hosts = rig_hosts,
		.hosts_n = 2,
		.limits = rig->limits.bytes ? rig->limits : INDEX_LIMITS_DEFAULT,
		.entry = rig_entry,
		.arg = rig,
	};
	struct index_reader *reader;
	size_t piece = rig->pieces ? rig->pieces : text.n;

	config.format = profile_index_find(profile, config.path);
	assert_non_null(config.format);
	rig->n = 0;
	rig->out[0] = '\0';
	rig->entries = 0;
	assert_int_equal(index_reader_new(&config, &reader), 0);
	do {
		struct span head = span_head(text, piece);
		char *copy = malloc(head.n + 1); /* so that a sanitizer sees what is kept of it */

		assert_non_null(copy);
		if (head.n)
			memcpy(copy, head.p, head.n);
		text = span_drop(text, piece);
		rig->rc = index_reader_feed(reader, span_make(copy, head.n), text.n == 0, 1000);
		free(copy);
	} while (rig->rc == 0 && text.n);
	if (index_reader_error(reader))
		rig->error = *index_reader_error(reader);
	index_reader_free(&reader);
	profile_free(&profile);
}

/* It reads as `expected`, in pieces of any size. */
static inline void reads_at(const char *section, const char *path, struct span text,
			    const char *expected)
{
	static const size_t pieces[] = { 0, 1, 7, 4096 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct rig rig = { .pieces = pieces[i], .path = path };
		char error[512];

		rig_read(&rig, section, text);
		if (rig.rc)
			fail_msg("%d %s", rig.rc, index_error_text(&rig.error, error, 512));
		assert_string_equal(rig.out, expected);
	}
}

/* It is refused, for this reason and at this place, however it is cut. */
static inline void refused_at(const char *section, const char *path, struct span text,
			      enum index_refusal refusal, unsigned line)
{
	static const size_t pieces[] = { 0, 1, 7, 4096 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct rig rig = { .pieces = pieces[i], .path = path };
		char error[512];

		if (pieces[i] == 1 && text.n > 100000)
			continue;
		rig_read(&rig, section, text);
		if (rig.rc != -EBADMSG)
			fail_msg("%d, not refused: %s", rig.rc, rig.out);
		(void)index_error_text(&rig.error, error, sizeof(error));
		if (rig.error.refusal != refusal || (line && rig.error.line != line))
			fail_msg("not %s at line %u: %s", index_refusal_name(refusal), line, error);
		assert_true(rig.error.column > 0 || !line);
		assert_true(strlen(rig.error.what) > 0);
		for (const char *p = error; *p; p++)
			assert_true(*p >= ' ' && *p < 0x7f);
	}
}

#endif
