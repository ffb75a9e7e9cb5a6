/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imports: a generation that somebody carried here becomes the profile's, all of it or nothing. The objects come over
 * the admin socket, one after the other; each is checked against the digest that was announced for it and waits under
 * its staged key (cache/manifest.h), where no device finds it, until the whole is published. Whose word the digests
 * are, and that the indexes name these very objects, is for who imports to check (firmware/carry): only
 * the local socket leads here.
 *
 * One import at a time; a new one ends the one before, whose importer was killed. What that had brought is found again.
 * Control loop only. What a function has to say of a failure goes to `why`, for people.
 */
#ifndef TARN_PROXY_CARRY_IMPORT_H
#define TARN_PROXY_CARRY_IMPORT_H

#include "firmware/base/span.h"

#define IMPORT_WHY_MAX	  256
#define IMPORT_DIGEST	  32 /* SHA-256 */
#define IMPORT_FIELDS_MAX 32768

struct imports;
struct worker;

/* After sync_new(). 0 or -ENOMEM, -EUSERS. */
MUST_USE int imports_new(struct worker *control, struct imports **ret_imports);
/* The control loop ends: no answer comes any more. */
void imports_stop(struct imports *imports);
/* After the writer has ended. */
void imports_free(struct imports **imports);

struct import_begin {
	const char *profile;
	int64_t published_ms; /* when that generation was published where it comes from; wall */
	size_t objects;
	uint64_t bytes; /* of all */
	bool older;	/* also if what is here was published later */
};

/*
 * 0 with the import's number, by which the other functions know it; -ENOENT (no such profile), -EINVAL (it can't be, or
 * there is no room in the store for it), -ESTALE (older than what is here), -EBUSY (a run of sync is on), -ENOMEM, -EIO.
 */
MUST_USE int import_begin(struct imports *imports, const struct import_begin *what,
			  uint64_t *ret_number, char why[IMPORT_WHY_MAX]);

struct import_object {
	struct span key; /* plain */
	uint64_t size;
	uint8_t sha256[IMPORT_DIGEST];
	bool index;
	struct span fields; /* header lines of the vendor's response */
};

struct import_answer {
	const char *word; /* as each function says */
	uint64_t number;  /* of the generation that is published */
	size_t changed;	  /* objects that were not here as they are now */
};

/* rc: 0, or as the function that it was given to. Called once, perhaps before that returns. */
typedef void import_done_f(void *arg, int rc, const struct import_answer *answer, const char *why);

/*
 * The next object: "have", or "send" its bytes. -ESTALE (this import is over), -EBUSY (asked before the
 * answer came), -EINVAL (no object of this profile can be that), -EIO, -ENOMEM.
 */
void import_object(struct imports *imports, uint64_t number, const struct import_object *object,
		   import_done_f *done, void *arg);

/*
 * The next piece of it, CONFIG_CHUNK_BYTES unless it is the last, as base64 that stays until the answer: "more", or
 * "whole" with the last. -EBADMSG: its digest is not the one announced; the object is dropped. Else as above.
 */
void import_chunk(struct imports *imports, uint64_t number, struct span base64, import_done_f *done,
		  void *arg);

/*
 * All objects are here: they become the profile's generation. "published", or "unchanged": it has it already. -EINVAL:
 * some are missing. -EIO: the store has not kept one. -ESTALE: one has been evicted; or as above.
 */
void import_publish(struct imports *imports, uint64_t number, import_done_f *done, void *arg);

/* Gives it up; what was staged goes. `number` 0: whichever there is. */
void import_end(struct imports *imports, uint64_t number);

#endif
