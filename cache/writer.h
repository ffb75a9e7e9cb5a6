/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer: the only one who writes to the store. Takes work from any thread, commits it in batches:
 * when CONFIG_COMMIT_BYTES wait, when the oldest waits for CONFIG_COMMIT_MS, or when hurried.
 *
 * Each function that takes work gives 0 (then `done` is called exactly once, on the writer's thread, after
 * the commit that makes it durable or with -errno) or -errno (then never). Work is done in the order in
 * which it came. Who works with an id holds a lease on it from its first chunk to its record's answer: an id that
 * nobody holds may be gone and forgotten. `done` may be NULL; it may post a mail and nothing else.
 */
#ifndef CACHE_WRITER_H
#define CACHE_WRITER_H

#include "cache/chunk.h"
#include "cache/store.h"

struct writer;

/* Bytes of a row of state, and of its name. */
#define WRITER_STATE_MAX 65536
#define WRITER_NAME_MAX	 256

/* rc: 0, -ENOSPC (no room, nothing left to evict), -EIO ..., -ESTALE (see there), -ECANCELED (closing). */
typedef void writer_done_f(void *arg, int rc);

/* Work that comes while the store is not SERVING is refused with this: serve on, uncached. */
#define WRITER_REFUSED (-EAGAIN)

MUST_USE int writer_new(struct store *store, struct writer **ret_writer);
/* Starts its thread. Tests may call writer_step() instead. 0 or -errno. */
MUST_USE int writer_start(struct writer *writer);
/* Commits what waits, stops the thread and frees. Work that can't be written ends with -ECANCELED. */
void writer_stop(struct writer **writer);

/*
 * Puts a chunk's bytes [0, chunk->len) as part `index` of an id from store_id_new(). Takes its own
 * reference until done. Every chunk but the body's last is CONFIG_CHUNK_BYTES long. Until a record of
 * this id is put, the chunk is a loose end: swept when its last lease goes. If there is a record, the chunk
 * shows in its map with the same commit. A chunk that is there already is left alone. 0, WRITER_REFUSED,
 * -ENOMEM. The caller holds a lease on the id.
 */
MUST_USE int writer_put_chunk(struct writer *writer, uint64_t id, uint32_t index,
			      struct chunk *chunk, writer_done_f *done, void *arg);

/*
 * Puts the record of a response (or vary marker) under object->key, in place of the one that is there,
 * whose chunks go when unused. `complete` and `map` are found out from what is stored, never believed: a
 * chunk whose write failed is a hole. The body is stored inline if object->body is set and it fits
 * (object_fits_inline(), else -EMSGSIZE). 0, WRITER_REFUSED, -ENOMEM, -EINVAL, -EMSGSIZE.
 */
MUST_USE int writer_put_object(struct writer *writer, const struct object *object,
			       writer_done_f *done, void *arg);

/*
 * Puts a changed record (a 304's new fields, a length that is known now) of the same id. Done with -ESTALE
 * if the key's record is another one by now, or gone.
 */
MUST_USE int writer_update_object(struct writer *writer, const struct object *object,
				  writer_done_f *done, void *arg);

/* Removes what is stored under a key; with `id` not 0 only if it is that one. Absent is no failure. */
MUST_USE int writer_remove(struct writer *writer, const struct cache_key *key, uint64_t id,
			   writer_done_f *done, void *arg);

/* Puts a named row of state, at most WRITER_STATE_MAX; an empty value removes it. */
MUST_USE int writer_put_state(struct writer *writer, struct span name, struct span value,
			      writer_done_f *done, void *arg);

struct publish_item; /* cache/manifest.h, where this is called from */

/*
 * All or nothing: each item's staged record takes the place of the plain one, which becomes the previous one; and the
 * row of state is put. Done with -ESTALE if a staged record is not the one that the item names: nothing was done.
 */
MUST_USE int writer_publish(struct writer *writer, const struct publish_item *items, size_t n,
			    struct span name, struct span value, writer_done_f *done, void *arg);

/* Called when all work that came before is durable; makes the writer commit at once. */
MUST_USE int writer_flush(struct writer *writer, writer_done_f *done, void *arg);

/*
 * Makes the writer commit what waits without waiting for more: for a flight whose window fills up.
 * Cheap; many calls are one commit.
 */
void writer_hurry(struct writer *writer);

/*
 * One turn of the writer's thread: commits if it is time, sweeps, heals. Gives the milliseconds until it
 * wants the next turn. Only without writer_start().
 */
uint32_t writer_step(struct writer *writer, struct now now);

#endif
