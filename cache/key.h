/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache keys: what is asked for, as one text, and its hash.
 *
 * The text is "<profile> <group> <path>[?<query>]" and, for a variant, one more line a selecting field
 * ("\n<name>:<value>", RFC 9111 section 4.1). The store finds records by the hash and compares the
 * whole text: two texts with one hash are a miss, never the wrong bytes.
 */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include "firmware/base/span.h"

#define CACHE_KEY_HASH_BYTES 16
/* The longest text that is stored; a longer one is not cacheable. */
#define CACHE_KEY_TEXT_MAX 16384

struct cache_key {
	uint8_t hash[CACHE_KEY_HASH_BYTES]; /* XXH3-128 of the text, big-endian */
	struct span text;		    /* borrowed */
};

/* The key of a text that the caller keeps alive. */
struct cache_key key_of(struct span text);

bool key_eq(const struct cache_key *a, const struct cache_key *b);

/*
 * Writes the text of a key to `buf` and makes the key of it (which borrows `buf`). `query` is without the
 * '?'; an empty one leaves none. An empty path is "/". 0, -ENOSPC, or -EINVAL (a space or line
 * feed in profile or group, a line feed in path or query: they would make two keys one).
 */
MUST_USE int key_build(struct span profile, struct span group, struct span path, struct span query,
		       char *buf, size_t size, struct cache_key *ret_key);

/*
 * Adds a selecting field to a text in `buf` (of which *key is the key): the variant's key. An absent
 * field has `value` with p NULL, which differs from an empty one. `key` may be the result of an
 * earlier call. 0, -ENOSPC, or -EINVAL (a line feed inside).
 */
MUST_USE int key_vary(struct cache_key *key, struct span name, struct span value, char *buf,
		      size_t size);

#endif
