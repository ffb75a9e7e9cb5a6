/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is stored of a response, and its record: the bytes of it in the store. Version 1.
 *
 * The store keeps one record a key. A body that fits stands in the record itself, any other
 * in chunks of CONFIG_CHUNK_BYTES (the last one is shorter) under the object's id.
 */
#ifndef CACHE_OBJECT_H
#define CACHE_OBJECT_H

#include "cache/key.h"

#define OBJECT_VERSION 1
/* A record up to this size lives inside a leaf page: a body that fits in here is stored inline. */
#define OBJECT_RECORD_INLINE  2012
#define OBJECT_DIGEST_BYTES   32
#define OBJECT_LENGTH_UNKNOWN (-1)
#define OBJECT_TIME_UNKNOWN   INT64_MIN

/* The fields of a VARY record are the selecting field names, comma separated: the response is under the
 * key that key_vary() makes of them. */
enum object_kind {
	OBJECT_RESPONSE = 1,
	OBJECT_VARY = 2,
};

/* Bits of object.flags that the store knows; the others (from OBJECT_POLICY_SHIFT up) are policy's. */
enum object_flag {
	OBJECT_COMPLETE = 1 << 0, /* all bytes of the body are stored; only the writer sets it */
	OBJECT_DIGEST = 1 << 1,	  /* `digest` is the SHA-256 of the whole body */
};
#define OBJECT_POLICY_SHIFT 16

/* A record in memory. All spans are borrowed, or belong to the object if it came from object_dup(). */
struct object {
	enum object_kind kind;
	uint16_t status;
	uint8_t class; /* policy's: which class of the profile */
	uint32_t flags;
	uint64_t id;	    /* of the chunks; store_id_new() */
	struct span key;    /* the key's whole text */
	struct span fields; /* end-to-end header fields ready to send: "Name: value\r\n" ... */
	struct span etag;   /* as on the wire, W/ and quotes included; empty if none */
	int64_t requested,
		received; /* when: seconds since 1970 (RFC 9111 4.2.3 request_time, response_time) */
	int64_t date, last_modified, expires; /* OBJECT_TIME_UNKNOWN if absent or invalid */
	uint32_t age;			      /* Age as received, seconds */
	uint32_t lifetime;		 /* freshness lifetime, seconds: policy's sum of it all */
	uint32_t stale_while_revalidate; /* seconds past it */
	uint32_t stale_if_error;	 /* seconds past it */
	uint64_t
		generation; /* of the profile that it was stored or confirmed for: good up to this one */
	int64_t length; /* of the whole body, or OBJECT_LENGTH_UNKNOWN while it is being fetched */
	uint8_t digest[OBJECT_DIGEST_BYTES];
	struct span body; /* if inline */
	struct span
		map; /* which chunks are stored: bit i%8 of byte i/8. Empty if complete or inline */
};

/* ---- what is there --------------------------------------------------------------------------- */

bool object_complete(const struct object *object);

/* Chunks of the whole body; 0 if the body is inline, empty or of unknown length. */
uint32_t object_chunks(const struct object *object);

/* Is the chunk stored? Always false for an inline body. */
bool object_has_chunk(const struct object *object, uint32_t index);

/* How many bytes of the body are here, inline ones too. */
uint64_t object_stored_bytes(const struct object *object);

/* How far from `from` on bytes are stored without a hole: the offset of the first that is not; `from` itself
 * if that one is not. Never beyond the length. */
uint64_t object_stored_until(const struct object *object, uint64_t from);

/* ---- copies ---------------------------------------------------------------------------------- */

/* A copy in one allocation, all spans its own; NULL without memory. */
MUST_USE struct object *object_dup(const struct object *object);
void object_free(struct object **object);

/* ---- the record ------------------------------------------------------------------------------ */

/* Bytes of its record with a body of `body` bytes inside (0 for none) and without a map. */
size_t object_record_size(const struct object *object, size_t body);

/* May a body of `body` bytes be stored inline? */
bool object_fits_inline(const struct object *object, uint64_t body);

/*
 * Writes the record; `size` is what object_record_size() said plus map.n, or more (the rest is zeroed). 0,
 * -ENOSPC, or -EINVAL (a part too long for its length field, a kind or length that cannot be).
 */
MUST_USE int object_encode(const struct object *object, uint8_t *buf, size_t size);

/*
 * Reads a record; the spans borrow from it. Bytes behind the record are padding. 0, -EBADMSG (damaged:
 * lengths or checksum are wrong, or the parts contradict each other) or -EPROTONOSUPPORT (another version).
 */
MUST_USE int object_decode(struct span record, struct object *ret_object);

#endif
