/* SPDX-License-Identifier: Apache-2.0 */
/* Between the reader and its parts: unpacking, lines, XML, APT, and what has been seen. */
#ifndef FIRMWARE_INDEX_INDEX_PRIV_H
#define FIRMWARE_INDEX_INDEX_PRIV_H

#include "firmware/index/path.h"

struct unpack;
struct lines;
struct xml;
struct apt;
struct seen;

/* A raw entry, as the index has it; p NULL is absent. */
struct raw_entry {
	struct span path, folder, size, digest, name, alias_folder;
	enum index_digest kind; /* of `digest`, if the format knows it; ANY: by its length */
};

struct index_reader {
	struct index_config config;
	char path[INDEX_PATH_MAX + 1];
	char base[INDEX_PATH_MAX]; /* a normal folder */
	size_t base_n;
	struct unpack *unpack;
	struct lines *lines; /* of all formats but XML */
	struct xml *xml;
	struct apt *apt;
	struct seen *seen;
	uint64_t bytes, entries;
	uint64_t started_ms;
	bool started, ended;
	uint64_t line, column; /* of what is being looked at */
	int rc;		       /* of the first failure */
	struct index_error error;
};

/* Refuses the index at the reader's place. Gives -EBADMSG. */
__attribute__((format(printf, 3, 4))) int
index_refuse(struct index_reader *reader, enum index_refusal refusal, const char *what, ...);

/* Checks an entry and hands it on. 0 or -errno. */
MUST_USE int index_emit(struct index_reader *reader, const struct raw_entry *raw);

/* Unpacked bytes. 0 or -errno. */
typedef int bytes_f(struct index_reader *reader, struct span bytes, bool last);

/* ---- unpack.c: gzip, xz or neither ----------------------------------------------------------- */

MUST_USE int unpack_new(struct unpack **ret_unpack);
void unpack_free(struct unpack **unpack);
MUST_USE int unpack_feed(struct unpack *unpack, struct index_reader *reader, struct span bytes,
			 bool last, bytes_f *to);

/* ---- lines.c ---------------------------------------------------------------------------------- */

/* One line without its end; or NULL text p at the end of the file. */
typedef int line_f(struct index_reader *reader, struct span line);

MUST_USE int lines_new(struct lines **ret_lines);
void lines_free(struct lines **lines);
MUST_USE int lines_feed(struct lines *lines, struct index_reader *reader, struct span bytes,
			bool last, line_f *f);
/* A line by the profile's pattern. */
MUST_USE int line_match(struct index_reader *reader, struct span line);

/* ---- apt.c ------------------------------------------------------------------------------------ */

MUST_USE int apt_new(struct apt **ret_apt);
void apt_free(struct apt **apt);
MUST_USE int apt_release_line(struct index_reader *reader, struct span line);
MUST_USE int apt_packages_line(struct index_reader *reader, struct span line);

/* ---- xml.c ------------------------------------------------------------------------------------ */

MUST_USE int xml_new(struct index_reader *reader, struct xml **ret_xml);
void xml_free(struct xml **xml);
MUST_USE int xml_feed(struct xml *xml, struct index_reader *reader, struct span bytes, bool last);

/* ---- seen.c: paths so far, so that none is named twice with different content ------------------ */

MUST_USE int seen_new(struct seen **ret_seen);
void seen_free(struct seen **seen);
/* 0: new, or the same again; -EEXIST: the same path with something else; -ENOMEM. */
MUST_USE int seen_add(struct seen *seen, const struct index_entry *entry);

#endif
