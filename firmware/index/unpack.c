/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip (zlib) and xz (liblzma), told by the first bytes, which neither XML nor a line of text has. Whoever
 * unpacks more than the reader's limit is stopped by the reader; here is what the libraries may take.
 */
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>

#include "firmware/index/index_priv.h"

#define MAGIC	  6
#define PIECE	  65536
#define XZ_MEMORY (96u << 20) /* xz -9 needs 65 MiB */
#define GZIP_BITS (15 + 16)

enum packing {
	PACKING_UNKNOWN, /* fewer bytes than it takes to know */
	PACKING_NONE,
	PACKING_GZIP,
	PACKING_XZ,
};

struct unpack {
	enum packing packing;
	uint8_t first[MAGIC];
	size_t first_n;
	bool done; /* the packed stream has ended */
	z_stream gzip;
	lzma_stream xz;
	uint8_t out[PIECE];
};

int unpack_new(struct unpack **ret_unpack)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack)
		return -ENOMEM;
	*ret_unpack = unpack;
	return 0;
}

void unpack_free(struct unpack **ptr)
{
	struct unpack *unpack = *ptr;

	if (!unpack)
		return;
	if (unpack->packing == PACKING_GZIP)
		(void)inflateEnd(&unpack->gzip);
	if (unpack->packing == PACKING_XZ)
		lzma_end(&unpack->xz);
	free(unpack);
	*ptr = NULL;
}

static int begin(struct unpack *unpack)
{
	struct span first = span_make(unpack->first, unpack->first_n);

	if (span_starts(first, SPAN("\x1f\x8b"))) {
		if (inflateInit2(&unpack->gzip, GZIP_BITS) != Z_OK)
			return -ENOMEM;
		unpack->packing = PACKING_GZIP;
	} else if (span_eq(first, SPAN("\xfd"
				       "7zXZ\0"))) {
		if (lzma_stream_decoder(&unpack->xz, XZ_MEMORY, 0) != LZMA_OK)
			return -ENOMEM;
		unpack->packing = PACKING_XZ;
	} else {
		unpack->packing = PACKING_NONE;
	}
	return 0;
}

/* Unpacks what is in the stream's input until it asks for more. *ret_n bytes came out. */
static int step_gzip(struct unpack *unpack, struct index_reader *reader, size_t *ret_n)
{
	z_stream *z = &unpack->gzip;
	int rc;

	z->next_out = unpack->out;
	z->avail_out = PIECE;
	rc = inflate(z, Z_NO_FLUSH);
	*ret_n = PIECE - z->avail_out;
	unpack->done = rc == Z_STREAM_END;
	if (rc == Z_MEM_ERROR)
		return -ENOMEM;
	return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR
		       ? 0
		       : index_refuse(reader, INDEX_PACKED_, "gzip: %s",
				      z->msg ? z->msg : "broken");
}

static int step_xz(struct unpack *unpack, struct index_reader *reader, size_t *ret_n)
{
	lzma_stream *xz = &unpack->xz;
	lzma_ret rc;

	xz->next_out = unpack->out;
	xz->avail_out = PIECE;
	rc = lzma_code(xz, LZMA_RUN);
	*ret_n = PIECE - xz->avail_out;
	unpack->done = rc == LZMA_STREAM_END;
	if (rc == LZMA_MEM_ERROR)
		return -ENOMEM;
	return rc == LZMA_OK || rc == LZMA_STREAM_END || rc == LZMA_BUF_ERROR
		       ? 0
		       : index_refuse(reader, INDEX_PACKED_, "xz: broken, or it asks for too much");
}

static int unpack_some(struct unpack *unpack, struct index_reader *reader, struct span bytes,
		       bytes_f *to)
{
	bool xz = unpack->packing == PACKING_XZ;
	size_t n = PIECE;
	int rc = 0;

	unpack->gzip.next_in = (Bytef *)(uintptr_t)bytes.p;
	unpack->gzip.avail_in = xz ? 0 : (uInt)bytes.n;
	unpack->xz.next_in = (const uint8_t *)bytes.p;
	unpack->xz.avail_in = xz ? bytes.n : 0;
	while (rc == 0 && !unpack->done &&
	       (n == PIECE || unpack->gzip.avail_in || unpack->xz.avail_in)) {
		rc = xz ? step_xz(unpack, reader, &n) : step_gzip(unpack, reader, &n);
		if (rc == 0 && n)
			rc = to(reader, span_make(unpack->out, n), false);
		else if (rc == 0 && !unpack->done && (unpack->gzip.avail_in || unpack->xz.avail_in))
			rc = index_refuse(reader, INDEX_PACKED_, "packed data that lead nowhere");
	}
	/* gzip may be several members, of which the first was all; what follows is somebody's trick. */
	if (rc == 0 && (unpack->gzip.avail_in || unpack->xz.avail_in))
		rc = index_refuse(reader, INDEX_PACKED_, "bytes after the packed stream");
	return rc;
}

/* Bytes of which it is known how they are packed. */
static int pass(struct unpack *unpack, struct index_reader *reader, struct span bytes, bytes_f *to)
{
	if (unpack->packing == PACKING_NONE)
		return bytes.n ? to(reader, bytes, false) : 0;
	while (bytes.n) {
		struct span piece = span_head(bytes, PIECE);
		int rc = unpack_some(unpack, reader, piece, to);

		if (rc < 0)
			return rc;
		bytes = span_drop(bytes, piece.n);
	}
	return 0;
}

int unpack_feed(struct unpack *unpack, struct index_reader *reader, struct span bytes, bool last,
		bytes_f *to)
{
	int rc = 0;

	if (unpack->packing == PACKING_UNKNOWN) {
		struct span head = span_head(bytes, MAGIC - unpack->first_n);

		if (head.n)
			memcpy(unpack->first + unpack->first_n, head.p, head.n);
		unpack->first_n += head.n;
		bytes = span_drop(bytes, head.n);
		if (unpack->first_n < MAGIC && !last)
			return 0;
		rc = begin(unpack);
		if (rc == 0)
			rc = pass(unpack, reader, span_make(unpack->first, unpack->first_n), to);
	}
	if (rc == 0)
		rc = pass(unpack, reader, bytes, to);
	if (rc == 0 && last && unpack->packing != PACKING_NONE && !unpack->done)
		rc = index_refuse(reader, INDEX_TRUNCATED_, "the packed stream is not whole");
	return rc == 0 && last ? to(reader, SPAN(""), true) : rc;
}
