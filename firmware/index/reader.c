/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: limits, the way of the bytes, and the checks that every entry passes.
 *
 *	index_reader_feed ── unpack_feed ── take ──┬── xml_feed ─────────────────────┬── index_emit
 *	                     (gzip, xz)   (limit)  └── lines_feed ── line_match ... ─┘   (rules)
 *
 * It owns all its parts. The first failure stays; after it nothing is looked at any more.
 */
#include "firmware/index/index_priv.h"

#include <stdarg.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"

static const struct {
	const char *label, *help;
} refusals[] = {
#define X(name, label_, help_) { label_, help_ },
	INDEX_REFUSALS(X)
#undef X
};

_Static_assert(INDEX_REFUSALS_N <= STAT_INDEX_REFUSED_LAST - STAT_INDEX_REFUSED_FIRST + 1,
	       "a counter each");

void index_label_counters(void)
{
	for (unsigned i = 0; i < INDEX_REFUSALS_N; i++)
		stat_label(STAT_INDEX_REFUSED_FIRST, i, refusals[i].label, refusals[i].help);
}

const char *index_refusal_name(enum index_refusal refusal)
{
	return refusals[refusal].label;
}

static const struct {
	const char *name;
	size_t bytes;
} digests[] = {
	[INDEX_DIGEST_NONE] = { NULL, 0 },	  [INDEX_DIGEST_MD5] = { "MD5", 16 },
	[INDEX_DIGEST_SHA1] = { "SHA1", 20 },	  [INDEX_DIGEST_SHA256] = { "SHA256", 32 },
	[INDEX_DIGEST_SHA512] = { "SHA512", 64 }, [INDEX_DIGEST_ANY] = { NULL, 0 },
};

size_t index_digest_bytes(enum index_digest kind)
{
	return digests[kind].bytes;
}

const char *index_digest_name(enum index_digest kind)
{
	return digests[kind].name;
}

/* ---- refusing --------------------------------------------------------------------------------- */

int index_refuse(struct index_reader *reader, enum index_refusal refusal, const char *what, ...)
{
	struct index_error *error = &reader->error;
	va_list args;

	if (reader->rc)
		return reader->rc;
	error->refusal = refusal;
	error->line = reader->line;
	error->column = reader->column;
	(void)snprintf(error->file, sizeof(error->file), "%s", LOG_QUOTE(span_of(reader->path)));
	va_start(args, what);
	(void)vsnprintf(error->what, sizeof(error->what), what, args);
	va_end(args);
	for (char *p = error->what; *p; p++)
		*p = *p < ' ' || *p >= 0x7f ? '?' : *p;
	stat_add(STAT_INDEX_REFUSED_FIRST + refusal, 1);
	reader->rc = -EBADMSG;
	return -EBADMSG;
}

const char *index_error_text(const struct index_error *error, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s:%llu:%llu: %s: %s", error->file,
		       (unsigned long long)error->line, (unsigned long long)error->column,
		       index_refusal_name(error->refusal), error->what);
	return buf;
}

/* ---- an entry --------------------------------------------------------------------------------- */

static int read_size(struct index_reader *reader, struct span text, uint64_t *ret_size)
{
	*ret_size = INDEX_SIZE_UNKNOWN;
	if (!text.n)
		return 0;
	if (span_u64(text, ret_size) < 0 || *ret_size > INT64_MAX)
		return index_refuse(reader, INDEX_SIZE_, "%s is no size", LOG_QUOTE(text));
	return 0;
}

static int read_digest(struct index_reader *reader, enum index_digest kind, struct span text,
		       struct index_entry *entry)
{
	uint64_t byte;

	entry->kind = INDEX_DIGEST_NONE;
	if (!text.n || kind == INDEX_DIGEST_NONE)
		return 0;
	for (unsigned k = 0; kind == INDEX_DIGEST_ANY && k < INDEX_DIGEST_ANY; k++)
		if (digests[k].bytes && text.n == 2 * digests[k].bytes)
			kind = (enum index_digest)k;
	if (text.n != 2 * digests[kind].bytes)
		return index_refuse(reader, INDEX_DIGEST_, "%s has the wrong length for %s",
				    LOG_QUOTE(text),
				    digests[kind].name ? digests[kind].name : "a digest");
	for (size_t i = 0; i < text.n; i += 2) {
		if (span_hex(span_sub(text, i, i + 2), &byte) < 0)
			return index_refuse(reader, INDEX_DIGEST_, "%s is not hexadecimal",
					    LOG_QUOTE(text));
		entry->digest[i / 2] = (uint8_t)byte;
	}
	entry->kind = kind;
	entry->digest_n = digests[kind].bytes;
	return 0;
}

/* The path in its folder. `buf` gets it. */
static int read_path(struct index_reader *reader, const struct raw_entry *raw,
		     char buf[INDEX_PATH_MAX], size_t *ret_n)
{
	const struct index_config *config = &reader->config;
	char folder[INDEX_PATH_MAX];
	enum index_refusal why = INDEX_NO_PATH_;
	size_t folder_n;

	if (path_folder(span_make(reader->base, reader->base_n), raw->folder, folder, &folder_n,
			&why) < 0)
		return index_refuse(reader, why, "folder %s", LOG_QUOTE(raw->folder));
	if (path_resolve(span_make(folder, folder_n), raw->path, config->hosts, config->hosts_n,
			 buf, ret_n, &why) < 0)
		return index_refuse(reader, why, "path %s", LOG_QUOTE(raw->path));
	return 0;
}

/* "/a/b" and "by-hash/SHA256/": "/a/by-hash/SHA256/<digest>". Empty if it does not fit. */
static struct span alias_make(struct span path, struct span folder, struct span digest,
			      char buf[INDEX_PATH_MAX])
{
	size_t slash = path.n;
	int n;

	if (!folder.n || !digest.n)
		return SPAN("");
	while (path.p[slash - 1] != '/')
		slash--;
	n = snprintf(buf, INDEX_PATH_MAX, "%.*s%.*s%.*s", (int)slash, path.p, SPAN_FMT(folder),
		     SPAN_FMT(digest));
	return n > 0 && n < INDEX_PATH_MAX ? span_make(buf, (size_t)n) : SPAN("");
}

int index_emit(struct index_reader *reader, const struct raw_entry *raw)
{
	char path[INDEX_PATH_MAX], alias[INDEX_PATH_MAX];
	struct index_entry entry = { 0 };
	size_t n = 0;
	int rc;

	if (reader->entries == reader->config.limits.entries)
		return index_refuse(reader, INDEX_TOO_MANY_, "more than %llu entries",
				    (unsigned long long)reader->config.limits.entries);
	rc = read_path(reader, raw, path, &n);
	if (rc == 0)
		rc = read_size(reader, raw->size, &entry.size);
	if (rc == 0)
		rc = read_digest(reader, raw->kind, raw->digest, &entry);
	if (rc < 0)
		return rc;
	entry.path = span_make(path, n);
	entry.alias = alias_make(entry.path, raw->alias_folder, raw->digest, alias);
	entry.name = raw->name.n ? raw->name : entry.path;
	rc = seen_add(reader->seen, &entry);
	if (rc == -EEXIST)
		return index_refuse(reader, INDEX_CONFLICT_, "%s again, with other content",
				    LOG_QUOTE(entry.path));
	reader->entries++;
	return rc < 0 ? rc : reader->config.entry(&entry, reader->config.arg);
}

/* ---- the way of the bytes ---------------------------------------------------------------------- */

static line_f *line_reader(const struct index_reader *reader)
{
	switch (reader->config.format->format) {
	case INDEX_RELEASE:
		return apt_release_line;
	case INDEX_PACKAGES:
		return apt_packages_line;
	default:
		return line_match;
	}
}

/* Unpacked bytes. */
static int take(struct index_reader *reader, struct span bytes, bool last)
{
	reader->bytes += bytes.n;
	if (reader->bytes > reader->config.limits.bytes)
		return index_refuse(reader, INDEX_TOO_LARGE_, "more than %llu bytes",
				    (unsigned long long)reader->config.limits.bytes);
	if (reader->xml)
		return xml_feed(reader->xml, reader, bytes, last);
	return lines_feed(reader->lines, reader, bytes, last, line_reader(reader));
}

int index_reader_feed(struct index_reader *reader, struct span bytes, bool last, uint64_t now_ms)
{
	int rc;

	if (reader->rc)
		return reader->rc;
	CHECK(!reader->ended);
	if (!reader->started)
		reader->started_ms = now_ms;
	reader->started = true;
	reader->ended = last;
	if (now_ms - reader->started_ms > reader->config.limits.time_ms)
		return index_refuse(reader, INDEX_TOO_SLOW_, "not here after %u ms",
				    reader->config.limits.time_ms);
	rc = unpack_feed(reader->unpack, reader, bytes, last, take);
	if (rc < 0 && !reader->rc)
		reader->rc = rc;
	return rc;
}

/* ---- its life ---------------------------------------------------------------------------------- */

/* The folder that the index lies in. */
static struct span folder_of(struct span path)
{
	while (path.p[path.n - 1] != '/')
		path.n--;
	return path;
}

/* What relative paths start from, by the profile's word. */
static struct span base_of(const struct index_reader *reader)
{
	struct span base = span_of(reader->config.format->base), path = span_of(reader->path);

	if (base.n == 0 && reader->config.format->format == INDEX_PACKAGES)
		base = SPAN("above:/dists/");
	if (span_eq(base, SPAN("host")))
		return SPAN("/");
	if (span_starts(base, SPAN("/")))
		return base;
	if (span_starts(base, SPAN("above:"))) {
		base = span_drop(base, 6);
		for (size_t i = 0; i + base.n <= path.n; i++)
			if (span_starts(span_drop(path, i), base))
				return span_head(path, i + 1);
	}
	return folder_of(path);
}

int index_reader_new(const struct index_config *config, struct index_reader **ret_reader)
{
	struct index_reader *reader;
	enum index_refusal unused;
	int rc;

	if (!path_is_normal(config->path))
		return -EINVAL;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->config = *config;
	CHECK_OK(span_copy(config->path, reader->path, sizeof(reader->path)));
	reader->config.path = span_of(reader->path);
	rc = path_folder(SPAN("/"), base_of(reader), reader->base, &reader->base_n, &unused);
	if (rc == 0)
		rc = unpack_new(&reader->unpack);
	if (rc == 0)
		rc = seen_new(&reader->seen);
	if (rc == 0 && config->format->format == INDEX_XML)
		rc = xml_new(reader, &reader->xml);
	else if (rc == 0)
		rc = lines_new(&reader->lines);
	if (rc == 0)
		rc = apt_new(&reader->apt);
	if (rc < 0) {
		index_reader_free(&reader);
		return rc;
	}
	*ret_reader = reader;
	return 0;
}

void index_reader_free(struct index_reader **ptr)
{
	struct index_reader *reader = *ptr;

	if (!reader)
		return;
	apt_free(&reader->apt);
	lines_free(&reader->lines);
	xml_free(&reader->xml);
	seen_free(&reader->seen);
	unpack_free(&reader->unpack);
	free(reader);
	*ptr = NULL;
}

const struct index_error *index_reader_error(const struct index_reader *reader)
{
	return reader->rc == -EBADMSG ? &reader->error : NULL;
}

uint64_t index_reader_entries(const struct index_reader *reader)
{
	return reader->entries;
}
