/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generations in the store: which objects belong together, and how the next ones take their place.
 *
 * A profile has a row of state "published/<profile>", and for each generation that is kept one immutable manifest in
 * rows "manifest/<profile>/<number>/<page>". The records that a manifest names stand under their plain key; beside it
 * may stand
 *
 *	key "\n:staged"		what the next generation will have in its place
 *	key "\n:previous"	what the last generation had in its place
 *
 * No field name is empty, so these are no variant's keys, and no request's lookup finds them. Publishing
 * (writer_publish) is one transaction: plain becomes previous, staged becomes plain, the row is replaced.
 */
#ifndef CACHE_MANIFEST_H
#define CACHE_MANIFEST_H

#include "cache/writer.h"

#define MANIFEST_STAGED	      SPAN("\n:staged")
#define MANIFEST_PREVIOUS_KEY SPAN("\n:previous")

/* Most members of a generation; what is beyond is not in it. */
#define MANIFEST_MEMBERS_MAX 65536

enum manifest_which {
	MANIFEST_CURRENT,
	MANIFEST_PREVIOUS,
};

struct manifest_info {
	uint64_t
		number; /* a later one is greater; object.generation of what was confirmed for it is not less */
	int64_t published_ms; /* wall */
	bool whole;	      /* every member was here when it was published */
	size_t n;
};

struct manifest_member {
	struct span key; /* plain */
	uint64_t id;	 /* of the very object */
	int64_t size;	 /* of its body */
	bool index;
	bool changed; /* not what the generation before had: that stands under the previous key */
};

struct manifest;

/* 0, or -ENOENT (no such generation), -EBADMSG (rows are damaged), -ENOMEM, -EIO. */
MUST_USE int manifest_load(struct store_reader *reader, const char *profile,
			   enum manifest_which which, struct manifest **ret_manifest);
void manifest_free(struct manifest **manifest);

const struct manifest_info *manifest_info(const struct manifest *manifest);
/* i < info.n; lives as long as the manifest. */
const struct manifest_member *manifest_at(const struct manifest *manifest, size_t i);
/* The member of a plain key, or NULL. Linear. */
const struct manifest_member *manifest_find(const struct manifest *manifest, struct span key);

/* The very object of a member, with a lease: 0, or -ENOENT (evicted since), -ENOMEM. */
MUST_USE int manifest_look(struct store_reader *reader, const struct manifest_member *member,
			   struct stored **ret_stored);

/*
 * A key with one of the suffixes above, written to buf (CACHE_KEY_TEXT_MAX). 0, or -ENOSPC. A variant's key
 * keeps its lines behind it: "key\n:staged\nname:value".
 */
MUST_USE int manifest_key(struct span key, struct span suffix, char *buf, size_t size,
			  struct cache_key *ret_key);

/* Is it the key of something staged or previous? */
bool manifest_key_is_beside(struct span key);

/* ---- publishing -------------------------------------------------------------------------------- */

struct publish_item {
	struct span key; /* plain */
	/* The object that stands under the staged key and takes the plain one's place; 0: only what stands under the
	 * previous key goes. */
	uint64_t staged_id;
};

struct publish {
	const char *profile;
	struct manifest_info info; /* number, published_ms, whole; n is that of `members` */
	const struct manifest_member *members;
	size_t n;
	const struct publish_item *items;
	size_t items_n;
};

/*
 * Writes the manifest, then in one transaction replaces what the items name and the row, then forgets the manifest
 * before the previous one. Done with 0, or -ESTALE (a staged object is not there any more, or another: nothing was
 * done), or as all work. 0, or -EINVAL, -ENOMEM, WRITER_REFUSED, -EIO.
 */
MUST_USE int manifest_publish(struct store_reader *reader, struct writer *writer,
			      const struct publish *publish, writer_done_f *done, void *arg);

/*
 * Adds members to the current generation, which is info.number, behind those that it has; all else stays as it is.
 * Whoever publishes is the only one to call it, after the last one is done. 0, or -ESTALE (another is current),
 * -EINVAL, -ENOMEM, WRITER_REFUSED, -EIO.
 */
MUST_USE int manifest_extend(struct store_reader *reader, struct writer *writer,
			     const struct publish *publish, writer_done_f *done, void *arg);

#endif
