/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A generation on its way to be published: its members, and which of them take the place of what stands under their
 * plain key. Whoever has brought the objects together (a run of proxy/sync, an import) fills one, starts it, and
 * ends it when the writer has answered. Control loop only.
 */
#ifndef TARN_PROXY_SYNC_PUBLICATION_H
#define TARN_PROXY_SYNC_PUBLICATION_H

#include "cache/manifest.h"
#include "proxy/generation.h"

struct publication;

/* For at most `room` members. 0 or -ENOMEM. */
MUST_USE int publication_new(const char *profile, size_t room,
			     struct publication **ret_publication);
/* After the writer has answered, or if it was never started. */
void publication_free(struct publication **publication);

struct publication_member {
	struct span key; /* plain; borrowed until publication_free() */
	uint64_t id;
	int64_t size;
	bool index;
	bool staged;	    /* it stands under its staged key */
	uint64_t marker_id; /* of the staged marker before a staged variant (a Vary), or 0 */
};

/* Beyond the room: ignored. */
void publication_add(struct publication *publication, const struct publication_member *member);

/* How many of the members are staged. */
size_t publication_changes(const struct publication *publication);

/*
 * Begins it: what the generation before had put aside goes, unless this one puts something aside there. `info`: number,
 * published_ms and whole. As manifest_publish(). With 0, publication_over() has to follow.
 */
MUST_USE int publication_start(struct publication *publication, struct generations *generations,
			       struct store_reader *reader, struct writer *writer,
			       const struct manifest_info *info, writer_done_f *done, void *arg);

/* The writer answered `rc`: the generation is the profile's now, or nothing has changed. */
void publication_over(struct publication *publication, struct generations *generations,
		      struct store_reader *reader, uint64_t number, int rc, struct now now);

#endif
