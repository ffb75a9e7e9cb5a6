/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every fuzzer shares: the entry point, an assertion, and memory of exactly the input's size,
 * so that the sanitizer sees a read of one byte too much.
 */
#ifndef TARN_TEST_FUZZ_H
#define TARN_TEST_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "firmware/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Freed by the caller. */
static inline char *fuzz_copy(struct span s)
{
	char *copy = malloc(s.n ? s.n : 1);

	CHECK(copy);
	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}

/* Takes one byte off the front, 0 at the end. */
static inline unsigned fuzz_byte(struct span *s)
{
	unsigned byte = s->n ? (uint8_t)s->p[0] : 0;

	*s = span_drop(*s, 1);
	return byte;
}

static inline uint64_t fuzz_u64(struct span *s)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | fuzz_byte(s);
	return value;
}

static inline bool span_lies_in(struct span inner, struct span outer)
{
	return inner.n == 0 || (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

#endif
