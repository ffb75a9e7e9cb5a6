/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunked body. The first byte seeds where the input is cut into pieces. Held to: the pieces give
 * the same body, the same end and the same refusal as the whole; and what our encoder makes of the
 * input, the decoder gives back.
 */
#include "tests/fuzz/fuzz.h"
#include "proxy/http/chunk.h"

struct result {
	char *body; /* as large as the input, which no body outgrows */
	size_t n;
	size_t used;
	int rc;
};

/* Decodes one piece as far as it goes. */
static void feed(struct chunk_dec *d, struct span in, struct result *r)
{
	do {
		struct span data;
		size_t used;

		r->rc = chunk_decode(d, in.p, in.n, &used, &data);
		if (r->rc < 0 && r->rc != -EAGAIN) {
			CHECK(http_is_refusal(r->rc));
			return;
		}
		CHECK(used <= in.n);
		if (r->rc == 1) {
			CHECK(data.n > 0 && span_lies_in(data, span_head(in, used)));
			memcpy(r->body + r->n, data.p, data.n);
			r->n += data.n;
		}
		r->used += used;
		in = span_drop(in, used);
	} while (r->rc == 1);
	CHECK(r->rc == 0 || in.n == 0);
}

/* In pieces of 1 .. @most bytes, as the seed says. */
static struct result decode(struct span in, unsigned seed, unsigned most)
{
	struct result r = { .body = malloc(in.n ? in.n : 1), .rc = -EAGAIN };
	struct chunk_dec d = CHUNK_DEC_INIT;

	CHECK(r.body);
	while (in.n > 0 && r.rc == -EAGAIN) {
		size_t piece = most ? 1 + (seed = seed * 1103515245 + 12345) / 65536 % most : in.n;
		char *copy;

		piece = piece < in.n ? piece : in.n;
		copy = fuzz_copy(span_head(in, piece));
		feed(&d, span_make(copy, piece), &r);
		free(copy);
		in = span_drop(in, piece);
	}
	CHECK(d.data_total == r.n);
	return r;
}

static void compare(const struct result *a, const struct result *b)
{
	CHECK(a->rc == b->rc && a->n == b->n && memcmp(a->body, b->body, a->n) == 0);
	CHECK(a->rc != 0 || a->used == b->used);
}

static void put(char *buf, size_t *len, struct span s)
{
	memcpy(buf + *len, s.p, s.n);
	*len += s.n;
}

static void round_trip(struct span in, unsigned seed)
{
	char *wire = malloc(in.n * (1 + CHUNK_HEAD_MAX + 2) + sizeof(CHUNK_LAST));
	struct span rest = in;
	struct result r;
	size_t len = 0;

	CHECK(wire);
	while (rest.n > 0) {
		size_t piece = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 300;
		char head[CHUNK_HEAD_MAX];

		piece = piece < rest.n ? piece : rest.n;
		put(wire, &len, span_make(head, chunk_head_write(head, piece)));
		put(wire, &len, span_head(rest, piece));
		put(wire, &len, SPAN(CHUNK_END));
		rest = span_drop(rest, piece);
	}
	put(wire, &len, SPAN(CHUNK_LAST));
	r = decode(span_make(wire, len), seed, 40);
	CHECK(r.rc == 0 && r.used == len && span_eq(span_make(r.body, r.n), in));
	free(r.body);
	free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);
	unsigned seed = fuzz_byte(&in);
	struct result whole = decode(in, 0, 0), pieces = decode(in, seed, 1 + seed % 17);
	struct result bytes = decode(in, 0, 1);

	compare(&whole, &pieces);
	compare(&whole, &bytes);
	round_trip(in, seed);
	free(whole.body);
	free(pieces.body);
	free(bytes.body);
	return 0;
}
