/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading an index: which objects does it name, how large are they, what is their digest? By the
 * profile's [index NAME] (firmware/base/profile_index.h). A pure function over bytes that come in
 * pieces: no socket, no file, no clock. XML goes through libexpat.
 *
 * An index comes from the network and is believed in nothing. Whatever is odd about it refuses the
 * whole of it, with file, place and reason, and counts; so act on its entries only when the last
 * piece has been fed. One thread a reader.
 */
#ifndef FIRMWARE_INDEX_INDEX_H
#define FIRMWARE_INDEX_INDEX_H

#include "firmware/base/profile_index.h"

#define INDEX_SIZE_UNKNOWN UINT64_MAX
#define INDEX_DIGEST_MAX   64
#define INDEX_PATH_MAX	   1024 /* of a path that is normal, without a NUL */
#define INDEX_SEGMENT_MAX  255	/* of one of its segments: it must be a file's name, too */

/* X(NAME, "label of its counter", help) */
#define INDEX_REFUSALS(X)                                                                          \
	X(TOO_LARGE, "too_large", "more bytes than an index may have, unpacked")                   \
	X(TOO_MANY, "too_many", "more entries than an index may have")                             \
	X(TOO_DEEP, "too_deep", "elements nested too deeply")                                      \
	X(TOO_LONG, "too_long", "one tag, text or line that is too long")                          \
	X(TOO_SLOW, "too_slow", "it took too long to come")                                        \
	X(DOCTYPE, "doctype", "a document type declaration: entities could be behind it")          \
	X(MALFORMED, "malformed", "XML that is not well-formed")                                   \
	X(TAIL, "tail", "something after the XML that is no signature")                            \
	X(PACKED, "packed", "gzip or xz that is damaged or asks for too much memory")              \
	X(TRUNCATED, "truncated", "it ends in the middle")                                         \
	X(LINE, "line", "a line that is not of the profile's pattern")                             \
	X(NO_PATH, "no_path", "an entry without a path")                                           \
	X(PATH_OUTSIDE, "path_outside", "a path with . or .. that leaves its folder")              \
	X(PATH_FOREIGN, "path_foreign", "an absolute URL to another host or by another scheme")    \
	X(PATH_BYTES, "path_bytes", "a NUL, line feed, backslash, '?' or the like in a path")      \
	X(PATH_LONG, "path_long", "a path that is too long")                                       \
	X(SIZE, "size", "a size that is no number")                                                \
	X(DIGEST, "digest", "a digest of the wrong length, or not hexadecimal")                    \
	X(CONFLICT, "conflict", "one path twice with different sizes or digests")

enum index_refusal {
#define X(name, label, help) INDEX_##name##_,
	INDEX_REFUSALS(X)
#undef X
	INDEX_REFUSALS_N
};

/* Names the counters. Once, before the threads start. */
void index_label_counters(void);
/* As its counter: "path_outside". */
const char *index_refusal_name(enum index_refusal refusal);

struct index_limits {
	uint64_t bytes;	  /* unpacked */
	uint64_t entries; /* of objects */
	uint32_t depth;	  /* of elements */
	uint32_t token;	  /* bytes of one tag, text or line */
	uint32_t time_ms; /* from the first piece to the last */
};

#define INDEX_LIMITS_DEFAULT                                                                       \
	((struct index_limits){ .bytes = 64u << 20,                                                \
				.entries = 500000,                                                 \
				.depth = 32,                                                       \
				.token = 256u << 10,                                               \
				.time_ms = 600000 })

struct index_entry {
	struct span
		path; /* normal and absolute: "/bases/a.dat". Bytes that must be encoded in a URL are */
	/* Another path of the same bytes (APT's by-hash); empty if there is none. */
	struct span alias;
	/*
	 * What this entry replaces has the same name in an older index: APT's "package/architecture", the
	 * profile's at_name or {name}, else the path.
	 */
	struct span name;
	uint64_t size;		/* or INDEX_SIZE_UNKNOWN */
	enum index_digest kind; /* never ANY */
	uint8_t digest[INDEX_DIGEST_MAX];
	size_t digest_n; /* 0 with kind NONE */
};

/* Gives 0, or what ends the reading. Spans die with the call. */
typedef int index_entry_f(const struct index_entry *entry, void *arg);

struct index_config {
	const struct profile_index *format; /* outlives the reader */
	struct span path;		    /* of the index: "/index/a.xml"; copied */
	/* The hosts that an absolute URL in it may name: those of its group. They outlive the reader. */
	const char *const *hosts;
	size_t hosts_n;
	struct index_limits limits;
	index_entry_f *entry;
	void *arg;
};

struct index_error {
	enum index_refusal refusal;
	char file[256];	       /* the index's path, quoted */
	uint64_t line, column; /* from 1; of the unpacked text */
	char what[200];	       /* in printable text */
};

/* "/index/a.xml:3:17: path_outside: ..." into `buf`, which it gives back. */
const char *index_error_text(const struct index_error *error, char *buf, size_t size);

struct index_reader;

/* 0 or -ENOMEM; -EINVAL if the index's own path is not a normal one. */
MUST_USE int index_reader_new(const struct index_config *config, struct index_reader **ret_reader);
void index_reader_free(struct index_reader **reader);

/*
 * The next bytes as the vendor sent them (gzip and xz are seen by their first bytes and unpacked); `last`: there are
 * no more. `now_ms` is monotonic. 0; -EBADMSG (refused: see index_reader_error()), -ENOMEM, or what the
 * callback gave. After a failure it gives the same again.
 */
MUST_USE int index_reader_feed(struct index_reader *reader, struct span bytes, bool last,
			       uint64_t now_ms);
/* Why it was refused; NULL if it was not. */
const struct index_error *index_reader_error(const struct index_reader *reader);
/* Objects named so far. */
uint64_t index_reader_entries(const struct index_reader *reader);

/* ---- digests --------------------------------------------------------------------------------- */

/* Bytes of one; 0 for NONE and ANY. */
size_t index_digest_bytes(enum index_digest kind);
/* As OpenSSL calls it, "SHA256"; NULL for NONE and ANY. */
const char *index_digest_name(enum index_digest kind);

#endif
