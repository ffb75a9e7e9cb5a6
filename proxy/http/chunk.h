/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunked transfer coding (RFC 9112 7.1): a decoder that takes bytes as they come, over any
 * split, and never copies; and the few bytes of an encoder.
 */
#ifndef TARN_HTTP_CHUNK_H
#define TARN_HTTP_CHUNK_H

#include <stdint.h>
#include "firmware/base/span.h"
#include "proxy/http/limits.h"
#include "proxy/http/refusal.h"

struct chunk_dec {
	uint8_t state;	     /* chunk.c */
	int16_t refusal;     /* for which it broke off */
	uint8_t digits;	     /* of the size that is being read */
	uint64_t left;	     /* data bytes of the current chunk still to come */
	uint32_t ext;	     /* bytes of extension in this chunk's line */
	uint32_t ext_total;  /* ... in the body so far */
	uint32_t trailer;    /* bytes of trailer section so far */
	uint32_t lines;	     /* trailer field lines so far */
	uint64_t data_total; /* data bytes given out so far */
};

#define CHUNK_DEC_INIT ((struct chunk_dec){ 0 })

/*
 * Looks at in[0..n) and takes some of it:
 *  1          *ret_data is a piece of body, inside @in, not empty; call again with the rest
 *  0          the body is complete; bytes behind *ret_used belong to the next message
 *  -EAGAIN    all n bytes are used up, no data; call again with more
 *  a refusal  the body is malformed: the message can't be completed and its connection not reused;
 *             further calls say the same
 * ret_used (bytes of @in consumed) is set in the first three cases. Extensions and trailer
 * fields are checked by the rules for fields, bounded, and dropped (RFC 9112 7.1.1, 7.1.2;
 * RFC 9110 6.5.1 lets a recipient drop trailers).
 */
MUST_USE int chunk_decode(struct chunk_dec *d, const char *in, size_t n, size_t *ret_used,
			  struct span *ret_data);

/* ---- encoder: head, data, CHUNK_END, head, data, CHUNK_END, ..., CHUNK_LAST ---------------- */

#define CHUNK_HEAD_MAX 18 /* 16 digits, CR, LF */
#define CHUNK_END      "\r\n"
#define CHUNK_LAST     "0\r\n\r\n"

/* Writes the line before @size (> 0) bytes of data; returns its length. */
size_t chunk_head_write(char buf[CHUNK_HEAD_MAX], uint64_t size);

#endif
