/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction of the writer: room is made, work is applied, it is committed or all undone. The
 * writer's thread alone.
 */
#ifndef CACHE_BATCH_H
#define CACHE_BATCH_H

#include <sys/queue.h>

#include "cache/chunk.h"
#include "cache/doom.h"
#include "cache/writer.h"

enum op_type {
	OP_CHUNK,
	OP_PUT,
	OP_UPDATE,
	OP_REMOVE,
	OP_STATE,
	OP_PUBLISH,
	OP_FLUSH,
	OP_DROP, /* a damaged chunk or record */
};

/* One piece of work. Owns its lease, its reference of the chunk and the bytes at its end. */
struct op {
	STAILQ_ENTRY(op) link;
	enum op_type type;
	int rc;
	writer_done_f *done;
	void *arg;
	uint64_t id;
	uint32_t index;
	uint64_t sum; /* CHUNK: XXH3-64 of its bytes */
	struct lease *lease;
	struct chunk *chunk;
	uint8_t hash[CACHE_KEY_HASH_BYTES];
	size_t cost;  /* bytes that it will write, about */
	size_t split; /* STATE, PUBLISH: bytes of the name; the value follows */
	size_t items; /* PUBLISH: where in data they begin */
	size_t n;
	uint8_t data[]; /* PUT, UPDATE: the record. REMOVE: the key's text. */
};

STAILQ_HEAD(op_list, op);

/* What the writer keeps from one transaction to the next. */
struct batch_base {
	struct store *store;
	struct doom_set doom;
	uint64_t hand;	      /* id at which eviction goes on */
	uint64_t passed;      /* objects that it has passed over in this round */
	uint64_t soft_limit;  /* bytes; below the store's limit when the disk is full */
	volatile bool inside; /* a transaction is open: read by a crash report */
};

/* Reads the hand and the doomed rows after the environment was opened. 0 or -errno. */
MUST_USE int batch_load(struct batch_base *base);
void batch_unload(struct batch_base *base);

/*
 * Applies the work and commits. 0 and each op's rc is set; or -errno and nothing of it has happened: -ENOBUFS (no
 * room, because what could go is in use), -ENOSPC (the disk is full), -EDQUOT (the map is, or has no run that fits), ...
 */
MUST_USE int batch_run(struct batch_base *base, struct op_list *ops);

/* Frees room down to what the limits say, waits for it to be usable; also a test of the disk. 0 or -errno. */
MUST_USE int batch_probe(struct batch_base *base);

/* Deletes what is ripe. 0 or -errno. */
MUST_USE int batch_sweep(struct batch_base *base);

#endif
