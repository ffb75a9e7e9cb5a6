/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APT's indexes (Debian's RepositoryFormat; deb822): Release and InRelease list the other indexes by
 * digest, size and path in their folder; Packages and Sources are stanzas of fields.
 *
 *	Release		"SHA256:" then lines " DIGEST SIZE PATH"; the strongest list that is there counts
 *	Packages	Package, Architecture, Filename, Size, SHA256, an empty line
 *	Sources		Package, Directory, "Checksums-Sha256:" then lines " DIGEST SIZE NAME"
 *
 * InRelease is the same in a cleartext signature; its other lines are no list's. The signature itself is the
 * device's to check.
 */
#include <stdlib.h>

#include "firmware/index/index_priv.h"

#define FIELD_MAX 1024

struct apt {
	enum index_digest list; /* Release, Sources: the list we are in; NONE */
	bool by_hash;
	/* Packages, Sources: of the stanza */
	bool any;
	char package[FIELD_MAX], architecture[FIELD_MAX], filename[FIELD_MAX];
	char directory[FIELD_MAX], size[FIELD_MAX], digest[FIELD_MAX];
	enum index_digest kind;
};

int apt_new(struct apt **ret_apt)
{
	struct apt *apt = calloc(1, sizeof(*apt));

	if (!apt)
		return -ENOMEM;
	*ret_apt = apt;
	return 0;
}

void apt_free(struct apt **apt)
{
	free(*apt);
	*apt = NULL;
}

/* Takes the next word off *rest; empty at the end. */
static struct span word_take(struct span *rest)
{
	size_t n = 0;
	struct span word;

	*rest = span_trim(*rest);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	word = span_head(*rest, n);
	*rest = span_drop(*rest, n);
	return word;
}

/* "Name: value" if the line is a field of that name. */
static bool field_is(struct span line, const char *name, struct span *ret_value)
{
	struct span want = span_of(name);

	if (!span_istarts(line, want) || line.n <= want.n || line.p[want.n] != ':')
		return false;
	*ret_value = span_trim(span_drop(line, want.n + 1));
	return true;
}

/* " DIGEST SIZE PATH" of a list in `folder`. */
static int list_line(struct index_reader *reader, struct span line, struct span folder,
		     struct span name)
{
	struct raw_entry raw = { .folder = folder, .kind = reader->apt->list, .name = name };

	raw.digest = word_take(&line);
	raw.size = word_take(&line);
	raw.path = word_take(&line);
	if (!raw.path.n || span_trim(line).n)
		return index_refuse(reader, INDEX_LINE_, "not a digest, a size and a path");
	if (reader->apt->by_hash)
		raw.alias_folder = SPAN("by-hash/SHA256/");
	return index_emit(reader, &raw);
}

int apt_release_line(struct index_reader *reader, struct span line)
{
	struct apt *apt = reader->apt;
	struct span value;

	if (!line.p)
		return 0;
	if (line.n && line.p[0] == ' ')
		return apt->list == INDEX_DIGEST_SHA256
			       ? list_line(reader, line, SPAN(""), SPAN(""))
			       : 0;
	apt->list = field_is(line, "SHA256", &value) ? INDEX_DIGEST_SHA256 : INDEX_DIGEST_NONE;
	if (field_is(line, "Acquire-By-Hash", &value))
		apt->by_hash = span_ieq(value, SPAN("yes"));
	return 0;
}

static int stanza_end(struct index_reader *reader)
{
	struct apt *apt = reader->apt;
	struct raw_entry raw = {
		.path = span_of(apt->filename),
		.size = span_of(apt->size),
		.digest = span_of(apt->digest),
		.kind = apt->kind,
	};
	char name[2 * FIELD_MAX];
	int rc = 0;

	(void)snprintf(name, sizeof(name), "%s/%s", apt->package, apt->architecture);
	raw.name = span_of(name);
	if (apt->any && apt->filename[0])
		rc = index_emit(reader, &raw);
	else if (apt->any && !apt->directory[0])
		rc = index_refuse(reader, INDEX_NO_PATH_, "a stanza without Filename");
	*apt = (struct apt){ 0 };
	return rc;
}

static int field_copy(struct index_reader *reader, struct span value, char buf[FIELD_MAX])
{
	if (span_copy(value, buf, FIELD_MAX) < 0)
		return index_refuse(reader, INDEX_TOO_LONG_, "a field of more than %d bytes",
				    FIELD_MAX - 1);
	return 0;
}

/* The name of a file of a source package, without its version: what replaces it is called so, too. */
static struct span source_name(const struct apt *apt, struct span line, char buf[FIELD_MAX * 2])
{
	struct span file = { "", 0 };
	size_t dot;

	for (unsigned i = 0; i < 3; i++)
		file = word_take(&line);
	/* foo_1.2-3.debian.tar.xz: what says which of them it is begins after the last digit's dot. */
	dot = file.n;
	for (size_t i = 0; i + 1 < file.n; i++)
		if (file.p[i] == '.' && !(file.p[i + 1] >= '0' && file.p[i + 1] <= '9')) {
			dot = i;
			break;
		}
	(void)snprintf(buf, FIELD_MAX * 2, "%s/source%.*s", apt->package,
		       SPAN_FMT(span_drop(file, dot)));
	return span_of(buf);
}

int apt_packages_line(struct index_reader *reader, struct span line)
{
	static const struct {
		const char *field;
		size_t offset;
	} fields[] = {
		{ "Package", offsetof(struct apt, package) },
		{ "Architecture", offsetof(struct apt, architecture) },
		{ "Filename", offsetof(struct apt, filename) },
		{ "Directory", offsetof(struct apt, directory) },
		{ "Size", offsetof(struct apt, size) },
		{ "SHA256", offsetof(struct apt, digest) },
	};
	struct apt *apt = reader->apt;
	char name[FIELD_MAX * 2];
	struct span value;

	if (!line.n)
		return stanza_end(reader);
	apt->any = true;
	if (line.p[0] == ' ' || line.p[0] == '\t') {
		if (apt->list == INDEX_DIGEST_NONE)
			return 0;
		return list_line(reader, line, span_of(apt->directory),
				 source_name(apt, line, name));
	}
	apt->list = INDEX_DIGEST_NONE;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (field_is(line, fields[i].field, &value)) {
			if (i + 1 == ARRAY_LEN(fields))
				apt->kind = INDEX_DIGEST_SHA256;
			return field_copy(reader, value, (char *)apt + fields[i].offset);
		}
	if (field_is(line, "Checksums-Sha256", &value))
		apt->list = INDEX_DIGEST_SHA256;
	return 0;
}
