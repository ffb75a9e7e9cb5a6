/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: one LMDB environment of records, chunks and small state rows. This header is how to
 * open it and to read; writer.h is how to write.
 *
 * It opens even if the disk is broken: then every lookup is a miss, nothing can be written, and
 * the writer's thread tries again with growing pauses. Service goes on uncached.
 */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <sys/types.h>

#include "cache/lease.h"
#include "cache/object.h"
#include "firmware/base/clock.h"

struct store;
struct store_reader;
struct stored;

/* X(NAME, "name", what it means) */
#define STORE_STATES(X)                                                                            \
	X(SERVING, "serving", "reads and writes")                                                  \
	X(DEGRADED, "degraded", "reads; the last write failed, tries again after a pause")         \
	X(OFFLINE, "offline", "every lookup is a miss: opening, or setting a broken file aside")

enum store_state {
#define X(name, text, help) STORE_##name,
	STORE_STATES(X)
#undef X
};

const char *store_state_name(enum store_state state);

struct store_config {
	const char *path;      /* directory; made if missing (mode 0700) */
	uint64_t limit;	       /* bytes of the data file; 0: the partition less 10 % */
	uint32_t readers;      /* most store_readers at once; 0: 128 */
	uint64_t commit_bytes; /* 0: CONFIG_COMMIT_BYTES */
	uint32_t commit_ms;    /* 0: CONFIG_COMMIT_MS */
};

/*
 * Opens the store. Call it once a directory and process, after the last fork. A missing, full, read-only or
 * forbidden directory, or one in use by another process, is no failure here (see above). A broken or
 * foreign file is set aside as store.mdb.broken-<time>. 0, -ENOMEM, or -EINVAL.
 */
MUST_USE int store_open(const struct store_config *config, struct now now,
			struct store **ret_store);

/* Writer stopped, readers freed, no lease left. */
void store_close(struct store **store);

enum store_state store_state(const struct store *store);

/* An id that no object had before. */
uint64_t store_id_new(struct store *store);

/* The descriptor of the data file. Valid while a lease is held. -1 if offline. */
int store_fd(const struct store *store);

/* ---- reading --------------------------------------------------------------------------------- */

/* One a thread. 0, -ENOMEM, or -EUSERS (more than config.readers). */
MUST_USE int store_reader_new(struct store *store, struct store_reader **ret_reader);
void store_reader_free(struct store_reader **reader);

/*
 * For the crash report of the reader's thread (check_context_f): a crash inside LMDB's tree means that the file
 * is damaged where no checksum sees it. Leaves a note, by which the next start sets the file aside instead of
 * crashing again. Nothing happens if the thread was elsewhere. Async-signal-safe; NULL is nothing.
 */
void store_reader_crashed(struct store_reader *reader);

/*
 * Finds what is stored under a key: a copy of its record and a lease on its chunks. An unreadable
 * record or another key's text counts as absent. 0 or -ENOENT, -ENOMEM.
 */
MUST_USE int store_lookup(struct store_reader *reader, const struct cache_key *key,
			  struct stored **ret_stored);

/* The same for onlookers: what is only looked at is not kept any longer for it. */
MUST_USE int store_peek(struct store_reader *reader, const struct cache_key *key,
			struct stored **ret_stored);

/*
 * The nth of the variants that a marker lists, the newest first; for onlookers, too. 0, -ENOENT (not there any more, or
 * older than the marker), -ERANGE: there are no more; -ENOMEM.
 */
MUST_USE int store_variant(struct store_reader *reader, const struct object *marker, unsigned nth,
			   struct stored **ret_stored);

const struct object *stored_object(const struct stored *stored);
/* The lease it holds, borrowed. */
struct lease *stored_lease(const struct stored *stored);
/* Frees the copy and gives the lease back. */
void stored_free(struct stored **stored);

/* Where the bytes of a chunk are: in memory, and in the file of store_fd(). */
struct store_place {
	struct span bytes;
	off_t offset;
};

/*
 * The bytes of a chunk, whose id the caller has leased; valid as long as the lease. Checked against its
 * checksum before its first use since the start. 0, -ENOENT (not stored), -EBADMSG (damaged: dropped,
 * to be fetched again), or -EIO (could not be read; counted and dropped as well).
 */
MUST_USE int store_chunk(struct store_reader *reader, uint64_t id, uint32_t index,
			 struct store_place *ret_place);

/* The same for what store_lookup() gave, where a chunk that is known already costs no second search. */
MUST_USE int stored_chunk(struct store_reader *reader, const struct stored *stored, uint32_t index,
			  struct store_place *ret_place);
/* The same for who does not read `bytes` but sends them from the file: nothing is read ahead. */
MUST_USE int stored_place(struct store_reader *reader, const struct stored *stored, uint32_t index,
			  struct store_place *ret_place);

/* Would it? Checks the chunk if it was not, and remembers where it is. 0, or as store_chunk(). */
MUST_USE int stored_sound(struct store_reader *reader, struct stored *stored, uint32_t index);

/* All bytes of what fits one chunk, as store_chunk(); n is 0 if they can't be had. */
struct span stored_bytes(struct store_reader *reader, const struct stored *stored);

/* A named row of state: copies up to `size` bytes. 0 with its length, -ENOENT, or -ENOSPC. */
MUST_USE int store_state_get(struct store_reader *reader, struct span name, void *buf, size_t size,
			     size_t *ret_n);

/* ---- looking it over ------------------------------------------------------------------------- */

/* What is not 0 ends it. Spans die with the call. */
typedef int store_each_f(const struct object *object, void *arg);

/*
 * Calls back for every object whose key text starts with `prefix`, in the order in which they came, in short
 * transactions (in one go: walk.h is for loops that have other things to do): what comes or goes meanwhile may be missed or shown. 0, what the callback gave, or -EIO.
 */
MUST_USE int store_each(struct store_reader *reader, struct span prefix, store_each_f *f,
			void *arg);

struct store_stat {
	enum store_state state;
	int last_error; /* -errno of the last failure, 0 if there was none */
	uint64_t limit; /* bytes of the file allowed now (on a full disk: of live data, and less) */
	uint64_t live;	/* bytes of pages in use */
	uint64_t doomed;      /* of these, waiting for a reader to finish */
	uint64_t file;	      /* bytes of the data file */
	uint64_t map;	      /* bytes it can never exceed */
	uint64_t objects;     /* records */
	uint64_t leases;      /* ids in use */
	uint64_t queue_bytes; /* waiting for the writer */
	uint64_t queue_ops;
	uint64_t commits, commit_errors;
	uint64_t map_full; /* no run of free pages was long enough: less was live for a while */
	uint32_t commit_worst_ms;
	uint32_t lag_ms;  /* age of the oldest write that waits */
	uint64_t padding; /* bytes added to reach page classes since the start */
	uint64_t evicted, evicted_bytes;
	uint64_t bad_chunks, bad_records;
	uint64_t set_aside; /* broken files set aside */
	uint64_t reopened;
};

/* Any thread; figures of the last commit. */
void store_stat(struct store *store, struct store_stat *ret_stat);

#endif
