/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache keys. Pure functions over bytes; any thread.
 */
#include <xxhash.h>

#include "cache/key.h"

struct cache_key key_of(struct span text)
{
	struct cache_key key = { .text = text };
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.p, text.n));
	_Static_assert(sizeof(canonical.digest) == CACHE_KEY_HASH_BYTES, "the hash is 128 bits");
	memcpy(key.hash, canonical.digest, sizeof(key.hash));
	return key;
}

bool key_eq(const struct cache_key *a, const struct cache_key *b)
{
	return memcmp(a->hash, b->hash, sizeof(a->hash)) == 0 && span_eq(a->text, b->text);
}

/* Appends parts to a text buffer; remembers that something did not fit. */
struct key_text {
	char *buf;
	size_t size;
	size_t n;
	bool overflow;
};

static void text_add(struct key_text *text, struct span part)
{
	if (text->overflow || text->size - text->n < part.n) {
		text->overflow = true;
		return;
	}
	if (part.n)
		memcpy(text->buf + text->n, part.p, part.n);
	text->n += part.n;
}

static int text_key(const struct key_text *text, struct cache_key *ret_key)
{
	if (text->overflow)
		return -ENOSPC;
	*ret_key = key_of(span_make(text->buf, text->n));
	return 0;
}

static bool span_has(struct span s, char c)
{
	return span_find(s, c) != s.n;
}

/* A word that ends at the first space. */
static bool word_ok(struct span s)
{
	return !span_has(s, ' ') && !span_has(s, '\n');
}

int key_build(struct span profile, struct span group, struct span path, struct span query,
	      char *buf, size_t size, struct cache_key *ret_key)
{
	struct key_text text = { .buf = buf, .size = size };

	if (!word_ok(profile) || !word_ok(group) || span_has(path, '\n') || span_has(query, '\n'))
		return -EINVAL;
	text_add(&text, profile);
	text_add(&text, SPAN(" "));
	text_add(&text, group);
	text_add(&text, SPAN(" "));
	text_add(&text, path.n ? path : SPAN("/"));
	if (query.n) {
		text_add(&text, SPAN("?"));
		text_add(&text, query);
	}
	return text_key(&text, ret_key);
}

int key_vary(struct cache_key *key, struct span name, struct span value, char *buf, size_t size)
{
	struct key_text text = { .buf = buf, .size = size, .n = key->text.n };

	CHECK(key->text.p == buf && key->text.n <= size);
	if (span_has(name, '\n') || span_has(name, ':') || span_has(value, '\n'))
		return -EINVAL;
	text_add(&text, SPAN("\n"));
	for (size_t i = 0; i < name.n; i++) {
		char lower = span_lower(name.p[i]);

		text_add(&text, span_make(&lower, 1));
	}
	/* No colon: the request had no such field. */
	if (value.p) {
		text_add(&text, SPAN(":"));
		text_add(&text, value);
	}
	return text_key(&text, key);
}
