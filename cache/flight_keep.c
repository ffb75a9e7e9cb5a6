/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a flight goes to the store, and when.
 *
 * Each chunk goes to the writer when it is full and stays in memory until it is committed. The record follows at
 * the end, behind its chunks in the writer's queue, so that a new object replaces the old one only when it is
 * whole; a flight that fills holes of an object, or can only be a part of one, finds or puts the
 * record at its start. A body that fits goes into the record. When the writer refuses or fails, the flight goes on
 * from memory alone.
 *
 * The writer's thread calls back (chunk_done, record_done) and takes the flight's lock for a moment. The flight
 * is settled, and leaves the table, when the writer has answered to the record and to all chunks before it.
 */
#include <stdlib.h>

#include "cache/flight_priv.h"
#include "firmware/base/stat.h"

/* Work that is with the writer; freed by its answer. */
struct keep_job {
	struct flight *flight; /* a reference */
	uint32_t slot;
};

static void settle(struct flight *f)
{
	flight_unlist(f);
	pthread_mutex_lock(&f->lock);
	f->settled = true;
	flight_wake_readers(f);
	pthread_mutex_unlock(&f->lock);
}

/* ---- the start ----------------------------------------------------------------------------------- */

static void part_done(void *arg, int rc)
{
	struct flight *f = arg;

	(void)rc; /* who waits for it looks the store up */
	pthread_mutex_lock(&f->lock);
	f->awaited = false;
	flight_wake_readers(f);
	pthread_mutex_unlock(&f->lock);
	flight_unref(&f);
}

/* Only a part of an object that is new: others may fill the rest, so they must find it. */
static void keep_part(struct flight *f)
{
	f->merging = f->awaited = true;
	flight_ref(f);
	if (writer_put_object(f->all->writer, f->object, part_done, f) == 0) {
		writer_hurry(f->all->writer);
		return;
	}
	f->awaited = false;
	lease_unref(&f->lease);
	flight_unref(&(struct flight *){ f });
}

/* No reader or writer knows of the lease and the id yet: the state is still NEW. */
void flight_keep_begin(struct flight *f, uint64_t store_id)
{
	f->merging = store_id != 0;
	f->id = store_id ? store_id : store_id_new(f->all->store);
	f->lease = lease_new(f->all->store, f->id);
	f->object->id = f->id;
	if (f->lease && !f->merging && f->first > 0)
		keep_part(f);
}

/* ---- chunks -------------------------------------------------------------------------------------- */

static void chunk_done(void *arg, int rc)
{
	struct keep_job *job = arg;
	struct flight *f = job->flight;

	pthread_mutex_lock(&f->lock);
	if (rc == 0) {
		flight_slot_drop(f, job->slot, SLOT_STORED);
	} else {
		f->slots[job->slot].state = SLOT_HELD;
		f->keeping = false;
		flight_trim(f);
	}
	flight_wake_producer(f);
	pthread_mutex_unlock(&f->lock);
	flight_unref(&f);
	free(job);
}

/* May this chunk go to the writer? Then it is QUEUED, and *ret_chunk a reference. */
static bool chunk_queue(struct flight *f, uint32_t i, struct chunk **ret_chunk)
{
	bool ok;

	pthread_mutex_lock(&f->lock);
	ok = f->keeping;
	if (ok) {
		f->slots[i].state = SLOT_QUEUED;
		*ret_chunk = chunk_ref(f->slots[i].chunk);
	} else {
		flight_trim(f);
	}
	pthread_mutex_unlock(&f->lock);
	return ok;
}

void flight_keep_chunk(struct flight *f, uint32_t i)
{
	uint32_t index = (uint32_t)(f->first / CONFIG_CHUNK_BYTES) + i;
	struct keep_job *job;
	struct chunk *chunk;
	int rc = -ENOMEM;

	if (!chunk_queue(f, i, &chunk))
		return;
	job = malloc(sizeof(*job));
	if (job) {
		*job = (struct keep_job){ flight_ref(f), i };
		rc = writer_put_chunk(f->all->writer, f->id, index, chunk, chunk_done, job);
	}
	chunk_unref(&chunk);
	if (rc == 0)
		return;
	STAT_INC(STAT_STORE_DROPPED);
	if (job)
		chunk_done(job, rc);
}

/* ---- the record ---------------------------------------------------------------------------------- */

static void record_done(void *arg, int rc)
{
	struct flight *f = arg;

	(void)rc; /* counted by the writer; the next request fetches again */
	settle(f);
	flight_unref(&f);
}

/* The record as it is now, borrowed from the flight. */
static struct object record_of(struct flight *f)
{
	struct object record = *f->object;

	pthread_mutex_lock(&f->lock);
	record.length = f->length;
	if (f->state == FLIGHT_DONE && f->slots_n == 1 && f->slots[0].state == SLOT_HELD &&
	    f->first == 0 && object_fits_inline(&record, f->published))
		record.body = span_make(f->slots[0].chunk->data, f->published);
	pthread_mutex_unlock(&f->lock);
	return record;
}

/* The last, short chunk, unless the body goes inline. */
static void keep_last(struct flight *f)
{
	uint32_t last;
	bool held;

	pthread_mutex_lock(&f->lock);
	last = f->slots_n - 1;
	held = f->slots_n && f->slots[last].state == SLOT_HELD;
	pthread_mutex_unlock(&f->lock);
	if (held)
		flight_keep_chunk(f, last);
}

static bool worth_keeping(struct flight *f, int rc)
{
	bool worth;

	pthread_mutex_lock(&f->lock);
	worth = f->keeping;
	if (rc < 0)
		worth = worth && f->partial && f->length >= 0 &&
			f->published - f->first >= CONFIG_CHUNK_BYTES;
	pthread_mutex_unlock(&f->lock);
	return worth;
}

static bool is_dropped(struct flight *f)
{
	bool dropped;

	pthread_mutex_lock(&f->lock);
	dropped = f->dropped;
	pthread_mutex_unlock(&f->lock);
	return dropped;
}

static int put_record(struct flight *f, int rc)
{
	struct object record = record_of(f);

	if (rc == 0 && !record.body.n)
		keep_last(f);
	if (f->verdict == FLIGHT_REFRESHED || f->merging)
		return writer_update_object(f->all->writer, &record, record_done, f);
	return writer_put_object(f->all->writer, &record, record_done, f);
}

/* The writer has the record. If it was forgotten in the meantime, the removal may have come before. */
static void record_put(struct flight *f)
{
	struct cache_key key = key_of(f->object->key);
	bool dropped;

	pthread_mutex_lock(&f->lock);
	f->put = true;
	dropped = f->dropped;
	pthread_mutex_unlock(&f->lock);
	if (dropped && f->verdict == FLIGHT_STORE &&
	    writer_remove(f->all->writer, &key, f->id, NULL, NULL) < 0)
		STAT_INC(STAT_STORE_DROPPED);
}

void flight_keep_end(struct flight *f, int rc)
{
	bool refreshed = rc == 0 && f->verdict == FLIGHT_REFRESHED && f->lease && !is_dropped(f);

	if (rc < 0)
		flight_unlist(f);
	if (!refreshed && !worth_keeping(f, rc)) {
		settle(f);
		return;
	}
	flight_ref(f);
	if (put_record(f, rc) == 0) {
		record_put(f);
		return;
	}
	settle(f);
	flight_unref(&(struct flight *){ f });
}
