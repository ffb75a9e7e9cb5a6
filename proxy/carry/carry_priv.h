/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms of importing share: import.c (its life), object.c (one object), have.c (is it here already?). */
#ifndef TARN_PROXY_CARRY_CARRY_PRIV_H
#define TARN_PROXY_CARRY_CARRY_PRIV_H

#include <openssl/evp.h>
#include <sys/queue.h>

#include "cache/manifest.h"
#include "proxy/carry/import.h"
#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/policy/policy.h"
#include "proxy/proxy.h"
#include "proxy/sync/publication.h"

#define IMPORT_CHUNKS 32 /* in memory at once: 8 MiB */

/* A member of the generation to be. */
struct part {
	char *key; /* plain */
	uint64_t id;
	int64_t size;
	bool index, staged;
	bool brought; /* by this import */
};

/* The object that comes now. */
struct coming {
	struct object *record; /* under its staged key; a copy of its own */
	struct part part;
	struct lease *lease;
	EVP_MD_CTX *digest;
	struct chunk *chunk; /* of a body that is perhaps to be inline */
	uint64_t at;	     /* bytes that have come */
	uint32_t index;
};

struct import {
	struct imports *all;
	uint64_t number; /* of the import */
	uint64_t generation;
	char *name; /* of the profile */
	struct import_begin what;
	struct part *parts;
	size_t n;
	struct coming coming;
	uint64_t touched; /* mono_ms: when the importer was last heard */
	/* the answer that is owed */
	import_done_f *done;
	void *arg;
	/* have.c */
	struct event turn;
	struct stored *found;
	EVP_MD_CTX *digest;
	uint32_t chunk;
	struct span base64; /* a piece that waits for memory; the asker's */
	/* at the end */
	struct publication *publication;
	struct import_job *job;
};

struct imports {
	struct worker *control;
	struct store_reader *reader;
	struct chunk_pool *pool;
	struct chunk_waiter waiter;
	struct mail memory;
	struct event tick;
	struct import *import; /* or NULL */
	LIST_HEAD(, import_job)
	jobs; /* that the writer owes an answer to, or whose mail is on its way */
	uint64_t numbers;
	bool stopping;
};

/* What the writer answers to; freed on the control loop, or by imports_free(). */
struct import_job {
	struct mail mail;
	LIST_ENTRY(import_job) link;
	struct imports *all;
	struct import *import; /* NULL: it is over */
	void (*next)(struct import *import, int rc);
	int rc;
};

/* Answers what is owed. */
void import_answer(struct import *import, int rc, const struct import_answer *answer,
		   const char *why);
__attribute__((format(printf, 3, 4))) void import_refuse(struct import *import, int rc,
							 const char *format, ...);

/* ---- object.c */
/* Looks at what is announced: 0 with `coming` filled, or refused. */
MUST_USE int coming_begin(struct import *import, const struct import_object *object,
			  char why[IMPORT_WHY_MAX]);
void coming_end(struct import *import);
/* A piece in base64. Answers, or waits for memory. */
void coming_piece(struct import *import);
/* The object is a member now. Takes the part's key. */
MUST_USE int part_add(struct import *import, struct part *part);

/* ---- have.c */
/* Is it here? Then it is a member. Answers "have" or "send". */
void have_begin(struct import *import);
void have_end(struct import *import);

#endif
