/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a flight: the window of chunks between the producer and its readers.
 *
 * The producer writes behind `published` into the one FILLING slot, without the lock: nobody reads there. All
 * else is under the flight's lock. A reader sends from a chunk with a reference of its own, so dropping a
 * slot never takes bytes away from under it.
 *
 *	flight_buffer -> FILLING -- full, flight_publish --> QUEUED -- committed --> STORED
 *	                    |                                  |
 *	                    +--- not to be stored --> HELD <---+ commit failed
 *	                                               |
 *	                                               +-- all have passed it, flight_trim --> GONE
 *
 * Memory: at most `window` slots have a chunk; then flight_buffer() says -EAGAIN and the producer stops
 * reading its socket. QUEUED slots are freed by the writer however slow the readers are; HELD ones by the slowest
 * reader, and a reader that holds up the others for too long is cut.
 */
#include <stdlib.h>

#include "cache/flight_priv.h"
#include "firmware/base/stat.h"

/* The slot that holds byte `at` of the object. */
static uint32_t slot_at(const struct flight *f, uint64_t at)
{
	return (uint32_t)((at - f->first) / CONFIG_CHUNK_BYTES);
}

static bool has_chunk(const struct slot *slot)
{
	return slot->state == SLOT_FILLING || slot->state == SLOT_HELD ||
	       slot->state == SLOT_QUEUED;
}

void flight_slot_drop(struct flight *f, uint32_t i, enum slot_state state)
{
	struct slot *slot = &f->slots[i];

	CHECK(has_chunk(slot));
	chunk_unref(&slot->chunk);
	slot->state = state;
	f->held--;
	STAT_SUB(STAT_FLIGHT_BYTES, CONFIG_CHUNK_BYTES);
	if (state == SLOT_GONE) {
		uint64_t end = f->first + (uint64_t)(i + 1) * CONFIG_CHUNK_BYTES;

		f->floor = end > f->floor ? end : f->floor;
	}
}

void flight_slots_free(struct flight *f)
{
	for (uint32_t i = 0; i < f->slots_n; i++)
		if (has_chunk(&f->slots[i]))
			flight_slot_drop(f, i, SLOT_GONE);
	free(f->slots);
}

/* How far has the slowest reader come that still counts? */
static uint64_t readers_low(const struct flight *f)
{
	const struct flight_reader *reader;
	uint64_t low = f->published;

	TAILQ_FOREACH(reader, &f->readers, link)
	if (!reader->cut && reader->pos < low)
		low = reader->pos;
	return low;
}

void flight_trim(struct flight *f)
{
	uint64_t low;
	bool dropped = false;

	if (f->keeping || f->slots_n == 0)
		return;
	low = readers_low(f);
	for (uint32_t i = f->trimmed; i < f->slots_n; i++) {
		uint64_t end = f->first + (uint64_t)(i + 1) * CONFIG_CHUNK_BYTES;

		if (end > low)
			break;
		if (f->slots[i].state == SLOT_HELD) {
			flight_slot_drop(f, i, SLOT_GONE);
			dropped = true;
		}
		if (f->slots[i].state == SLOT_GONE && f->trimmed == i)
			f->trimmed++;
	}
	if (dropped)
		flight_wake_producer(f);
}

/* ---- readers ------------------------------------------------------------------------------------- */

static enum flight_got read_slot(struct flight *f, uint64_t from, struct flight_piece *ret)
{
	uint32_t i = slot_at(f, from);
	const struct slot *slot = &f->slots[i];
	uint64_t start = f->first + (uint64_t)i * CONFIG_CHUNK_BYTES;
	uint64_t end = start + CONFIG_CHUNK_BYTES;

	if (end > f->published)
		end = f->published;
	if (has_chunk(slot)) {
		ret->chunk = chunk_ref(slot->chunk);
		ret->bytes = span_make(slot->chunk->data + (from - start), end - from);
		return FLIGHT_GOT_BYTES;
	}
	if (slot->state != SLOT_STORED)
		return FLIGHT_GOT_CUT;
	ret->id = f->id;
	ret->index = (uint32_t)(start / CONFIG_CHUNK_BYTES);
	ret->bytes = span_make(NULL, end - from);
	return FLIGHT_GOT_STORED;
}

static enum flight_got read_locked(struct flight *f, struct flight_reader *reader, uint64_t from,
				   struct flight_piece *ret)
{
	if (reader->cut || from < f->first)
		return FLIGHT_GOT_CUT;
	if (f->state != FLIGHT_NEW && from < f->published)
		return read_slot(f, from, ret);
	if (f->state == FLIGHT_DONE)
		return FLIGHT_GOT_END;
	if (f->state == FLIGHT_FAILED || f->state == FLIGHT_REDO)
		return FLIGHT_GOT_CUT;
	reader->waiting = true;
	return FLIGHT_GOT_WAIT;
}

enum flight_got flight_read(struct flight_reader *reader, uint64_t from,
			    struct flight_piece *ret_piece)
{
	struct flight *f = reader->flight;
	struct flight_piece piece = { 0 };
	enum flight_got got;
	bool crossed;

	pthread_mutex_lock(&f->lock);
	crossed = reader->pos / CONFIG_CHUNK_BYTES != from / CONFIG_CHUNK_BYTES;
	reader->pos = from;
	got = read_locked(f, reader, from, &piece);
	if (crossed)
		flight_trim(f);
	pthread_mutex_unlock(&f->lock);
	*ret_piece = piece;
	return got;
}

void flight_piece_done(struct flight_piece *piece)
{
	if (piece->chunk)
		chunk_unref(&piece->chunk);
}

/* The slot's chunk will not grow any more. */
static void slot_fill(struct flight *f, uint32_t i, uint32_t len)
{
	f->slots[i].chunk->len = len;
	f->slots[i].state = SLOT_HELD;
}

/* ---- the producer -------------------------------------------------------------------------------- */

static void chunk_ready(struct chunk_waiter *waiter)
{
	struct flight *f =
		(struct flight *)((char *)waiter - offsetof(struct flight, chunk_waiter));

	/* The producer is there as long as the waiter waits: flight_end() cancels it first. */
	f->waiting_producer->wake(f->waiting_producer);
}

void flight_produce(struct flight *f, struct flight_producer *producer)
{
	flight_ref(f);
	pthread_mutex_lock(&f->lock);
	CHECK(!f->producer && f->state == FLIGHT_NEW);
	f->producer = producer;
	f->waiting_producer = producer;
	f->chunk_waiter.ready = chunk_ready;
	pthread_mutex_unlock(&f->lock);
}

unsigned flight_seats(struct flight *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->readers_n;
	pthread_mutex_unlock(&f->lock);
	return n;
}

bool flight_wanted(struct flight *f)
{
	bool wanted = true;

	pthread_mutex_lock(&f->lock);
	if (!f->readers_n && !f->background) {
		uint64_t left = f->length < 0 || (uint64_t)f->length < f->published
					? UINT64_MAX
					: (uint64_t)f->length - f->published;

		wanted = f->state == FLIGHT_BODY && f->keeping && f->error == 0 &&
			 (left <= f->published - f->first || left <= f->all->limits.finish);
	}
	pthread_mutex_unlock(&f->lock);
	return wanted;
}

void flight_head(struct flight *f, struct flight_head *head, struct now now)
{
	bool keep = f->all->writer && (head->verdict == FLIGHT_STORE ||
				       (head->verdict == FLIGHT_REFRESHED && !head->unstored));

	CHECK(head->first % CONFIG_CHUNK_BYTES == 0);
	if (head->key)
		flight_rekey(f, head->key);
	if (head->verdict == FLIGHT_LEADER) {
		if (head->uncollapsed)
			flight_mark_alone(f, now);
		flight_unlist(f);
	}
	pthread_mutex_lock(&f->lock);
	CHECK(f->state == FLIGHT_NEW);
	f->verdict = head->verdict;
	f->shared = head->verdict != FLIGHT_LEADER;
	f->object = head->object;
	f->first = f->published = f->floor = head->first;
	f->partial = head->partial;
	f->length = head->length;
	f->answered = head->answered;
	if (head->extra.n && (f->extra = malloc(head->extra.n))) {
		memcpy(f->extra, head->extra.p, head->extra.n);
		f->extra_n = head->extra.n;
	}
	pthread_mutex_unlock(&f->lock);
	if (keep)
		flight_keep_begin(f, head->store_id);
	if (head->verdict == FLIGHT_REFRESHED && keep)
		flight_show(f);
	pthread_mutex_lock(&f->lock);
	f->keeping = f->lease && head->verdict == FLIGHT_STORE && !f->dropped;
	f->state = FLIGHT_BODY;
	flight_wake_readers(f);
	pthread_mutex_unlock(&f->lock);
	if (head->verdict == FLIGHT_STORE) {
		flight_relist(f);
		if (f->want.anew && head->first == 0)
			flight_supersede(f);
	}
	head->object = NULL;
}

/* Room for one more slot. */
static int slots_grow(struct flight *f)
{
	uint32_t room = f->slots_room ? f->slots_room * 2 : 4;
	struct slot *slots;

	if (f->slots_n < f->slots_room)
		return 0;
	slots = realloc(f->slots, room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	f->slots = slots;
	f->slots_room = room;
	return 0;
}

/* The window is full: who has held it up for too long? With the lock. */
static void cut_laggards(struct flight *f, struct now now)
{
	struct flight_reader *reader;
	uint64_t ahead = f->published - CONFIG_CHUNK_BYTES;
	bool others = false;

	TAILQ_FOREACH(reader, &f->readers, link)
	others |= !reader->cut && reader->pos >= ahead;
	TAILQ_FOREACH(reader, &f->readers, link)
	{
		if (reader->cut || reader->pos >= ahead || !others || f->keeping) {
			reader->lag_since = 0;
		} else if (!reader->lag_since) {
			reader->lag_since = now.mono_ms;
		} else if (now.mono_ms - reader->lag_since >= f->all->limits.lag_ms) {
			reader->cut = true;
			STAT_INC(STAT_FLIGHT_SLOW_READER);
		}
	}
	flight_trim(f);
}

/* The window is half full: the writer should not wait for its timer to free it. */
static void window_filling(struct flight *f)
{
	if (f->keeping && f->held >= f->all->limits.window / 2)
		writer_hurry(f->all->writer);
}

static int slot_add(struct flight *f, struct now now)
{
	struct chunk *chunk;

	if (f->held >= f->all->limits.window)
		cut_laggards(f, now);
	if (f->held >= f->all->limits.window)
		return -EAGAIN;
	if (slots_grow(f) < 0)
		return -ENOMEM;
	chunk = chunk_new(f->all->pool);
	if (!chunk)
		return -ENOBUFS;
	f->slots[f->slots_n++] = (struct slot){ .chunk = chunk, .state = SLOT_FILLING };
	f->held++;
	STAT_ADD(STAT_FLIGHT_BYTES, CONFIG_CHUNK_BYTES);
	window_filling(f);
	return 0;
}

/* With the lock: -ENOBUFS if the pool of all flights is used up. */
static int room_locked(struct flight *f, struct now now, uint8_t **ret_room, size_t *ret_n)
{
	struct slot *last;
	size_t used;
	int rc = 0;

	CHECK(f->state == FLIGHT_BODY);
	if (!f->slots_n || f->slots[f->slots_n - 1].state != SLOT_FILLING)
		rc = slot_add(f, now);
	if (rc < 0)
		return rc;
	last = &f->slots[f->slots_n - 1];
	used = (f->published - f->first) - (uint64_t)(f->slots_n - 1) * CONFIG_CHUNK_BYTES;
	*ret_room = last->chunk->data + used;
	*ret_n = CONFIG_CHUNK_BYTES - used;
	return 0;
}

int flight_buffer(struct flight *f, struct now now, uint8_t **ret_room, size_t *ret_n)
{
	int rc;

	pthread_mutex_lock(&f->lock);
	rc = room_locked(f, now, ret_room, ret_n);
	pthread_mutex_unlock(&f->lock);
	if (rc != -ENOBUFS)
		return rc;
	if (f->all->writer)
		writer_hurry(f->all->writer); /* many small flights may wait for their commit */
	/* Queue up first, then look again: a chunk may have come back in between. */
	chunk_wait(f->all->pool, &f->chunk_waiter);
	pthread_mutex_lock(&f->lock);
	rc = room_locked(f, now, ret_room, ret_n);
	pthread_mutex_unlock(&f->lock);
	return rc == -ENOBUFS ? -EAGAIN : rc;
}

void flight_publish(struct flight *f, size_t n)
{
	uint32_t last;
	bool full;

	/* Before anybody can have all of it. Only this thread changes these two. */
	if (f->length >= 0 && f->published + n == (uint64_t)f->length)
		flight_show(f);
	pthread_mutex_lock(&f->lock);
	last = f->slots_n - 1;
	f->published += n;
	full = f->published - f->first == (uint64_t)f->slots_n * CONFIG_CHUNK_BYTES;
	if (full)
		slot_fill(f, last, CONFIG_CHUNK_BYTES);
	flight_wake_readers(f);
	pthread_mutex_unlock(&f->lock);
	if (full)
		flight_keep_chunk(f, last);
}

uint64_t flight_published(struct flight *f)
{
	uint64_t published;

	pthread_mutex_lock(&f->lock);
	published = f->published;
	pthread_mutex_unlock(&f->lock);
	return published;
}

/* The last chunk need not be full. With the lock. */
static void end_last(struct flight *f)
{
	uint64_t rest = (f->published - f->first) % CONFIG_CHUNK_BYTES;

	if (!f->slots_n || f->slots[f->slots_n - 1].state != SLOT_FILLING)
		return;
	if (rest == 0) /* a buffer was asked for, nothing came */
		flight_slot_drop(f, --f->slots_n, SLOT_NONE);
	else
		slot_fill(f, f->slots_n - 1, (uint32_t)rest);
}

void flight_end(struct flight *f, int rc)
{
	chunk_wait_cancel(f->all->pool, &f->chunk_waiter);
	if (rc == 0)
		flight_show(f);
	pthread_mutex_lock(&f->lock);
	CHECK(f->producer && (f->state == FLIGHT_BODY || rc < 0));
	f->producer = NULL;
	end_last(f);
	if (rc == 0 && f->length < 0)
		f->length = (int64_t)f->published;
	f->error = rc;
	if (rc < 0)
		f->state = rc == -ECANCELED ? FLIGHT_REDO : FLIGHT_FAILED;
	else
		f->state = FLIGHT_DONE;
	flight_wake_readers(f);
	pthread_mutex_unlock(&f->lock);
	STAT_INC(rc == 0	    ? STAT_FLIGHT_DONE
		 : rc == -ECANCELED ? STAT_FLIGHT_ABANDONED
				    : STAT_FLIGHT_FAILED);
	flight_keep_end(f, rc);
	flight_unref(&f);
}

void flight_abandon(struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	CHECK(!f->producer && f->state == FLIGHT_NEW);
	f->state = FLIGHT_REDO;
	f->settled = true;
	flight_wake_readers(f);
	pthread_mutex_unlock(&f->lock);
	flight_unlist(f);
}
