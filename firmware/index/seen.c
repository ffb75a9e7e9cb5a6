/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hashes a path, in an open table that doubles: 16 bytes an entry at most half full, so 16 MB
 * for half a million. Hashes are seeded at random: who writes the index can't aim at a collision.
 */
#include <openssl/rand.h>
#include <stdlib.h>
#include <xxhash.h>

#include "firmware/index/index_priv.h"

#define SEEN_FIRST 1024 /* a power of two */

struct slot {
	uint64_t path, content; /* path 0: free */
};

struct seen {
	struct slot *slots;
	size_t size, n;
	uint64_t seed;
};

int seen_new(struct seen **ret_seen)
{
	struct seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return -ENOMEM;
	seen->slots = calloc(SEEN_FIRST, sizeof(*seen->slots));
	if (!seen->slots || RAND_bytes((unsigned char *)&seen->seed, sizeof(seen->seed)) != 1) {
		seen_free(&seen);
		return -ENOMEM;
	}
	seen->size = SEEN_FIRST;
	*ret_seen = seen;
	return 0;
}

void seen_free(struct seen **seen)
{
	if (*seen)
		free((*seen)->slots);
	free(*seen);
	*seen = NULL;
}

static struct slot *slot_find(struct slot *slots, size_t size, uint64_t path)
{
	size_t i = path & (size - 1);

	while (slots[i].path && slots[i].path != path)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static int grow(struct seen *seen)
{
	size_t size = seen->size * 2;
	struct slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < seen->size; i++)
		if (seen->slots[i].path)
			*slot_find(slots, size, seen->slots[i].path) = seen->slots[i];
	free(seen->slots);
	seen->slots = slots;
	seen->size = size;
	return 0;
}

int seen_add(struct seen *seen, const struct index_entry *entry)
{
	uint64_t path = XXH3_64bits_withSeed(entry->path.p, entry->path.n, seen->seed);
	uint64_t content = XXH3_64bits_withSeed(entry->digest, entry->digest_n,
						seen->seed ^ entry->size ^ entry->kind);
	struct slot *slot;

	path += !path;
	slot = slot_find(seen->slots, seen->size, path);
	if (slot->path)
		return slot->content == content ? 0 : -EEXIST;
	*slot = (struct slot){ path, content };
	return ++seen->n > seen->size / 2 ? grow(seen) : 0;
}
