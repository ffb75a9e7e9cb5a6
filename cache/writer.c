/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer: a queue, and the thread that turns it into transactions.
 *
 * Who owns what: a piece of work belongs to the queue, then to the batch under way, then it is answered
 * and freed. It holds a lease on its id, so that the sweeper leaves chunks alone whose record is
 * still in the queue. The queue's lock is never held over a system call or a callback.
 *
 * Failing: a batch that can't be committed is answered with its error as a whole; nothing of it was stored.
 * Before that, a full disk is met by storing less (soft_limit) and trying again. After that the store is
 * DEGRADED (or OFFLINE, if LMDB itself gave up) and work is refused, until a probe goes through; pauses between
 * probes double from HEAL_MS_MIN to HEAL_MS_MAX.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cache/writer_priv.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "firmware/base/thread.h"

#define WRITER_IDLE_MS	  1000
#define WRITER_SWEEP_MS	  100
#define WRITER_FULL_TRIES 3
#define FULL_LIMIT_MIN	  (4u << 20)
#define HEAL_MS_MIN	  500
#define HEAL_MS_MAX	  10000
#define FULL_MS		  60000
#define FILE_CHECK_MS	  1000

/* ---- batches --------------------------------------------------------------------------------- */

/* What readers found broken goes in front: it needs no room, and is worth a commit of its own. */
static int damage_take(struct writer *w, struct op_list *ops)
{
	struct store_damage damage[STORE_DAMAGE_MAX];
	unsigned n = store_damage_take(w->store, damage, ARRAY_LEN(damage));

	for (unsigned i = 0; i < n; i++) {
		struct op *op = op_new(OP_DROP, 0, NULL, NULL);

		if (!op)
			break; /* it is found again */
		op->id = damage[i].id;
		op->index = damage[i].index;
		memcpy(op->hash, damage[i].hash, sizeof(op->hash));
		STAILQ_INSERT_TAIL(ops, op, link);
	}
	return (int)n;
}

/* LMDB gives an environment up when its meta page can't be written: nothing can be read then either. */
static bool env_dead(const struct store *store)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->db.env, NULL, MDB_RDONLY, &txn);

	if (rc == 0)
		mdb_txn_abort(txn);
	return rc == MDB_PANIC;
}

static void commit_took(struct store *store, uint64_t began_ns)
{
	uint64_t ms = (clock_mono_ns() - began_ns) / 1000000;

	if (ms > STORE_FIGURE(store, commit_worst_ms))
		STORE_FIGURE_SET(store, commit_worst_ms, ms);
}

/*
 * Live with less for a while: on a full disk with what there is; in a map without a run that fits with a little
 * less than there is, as what is evicted lay in long runs.
 */
static void room_shrink(struct writer *w, int rc, struct now now)
{
	struct store *store = w->store;
	uint64_t live = STORE_FIGURE(store, live);

	if (w->base.soft_limit < live)
		live = w->base.soft_limit;
	live -= rc == -EDQUOT ? live / 32 : live / 8;
	w->base.soft_limit = live > FULL_LIMIT_MIN ? live : FULL_LIMIT_MIN;
	w->full_until = now.mono_ms + FULL_MS;
	STORE_FIGURE_SET(store, limit, w->base.soft_limit);
	STAT_SET(STAT_STORE_LIMIT_BYTES, w->base.soft_limit);
	LOG(LOG_L_WARN, "store.full", "limit=%llu live=%llu",
	    (unsigned long long)w->base.soft_limit, (unsigned long long)STORE_FIGURE(store, live));
}

static void room_restore(struct writer *w, struct now now)
{
	if (w->base.soft_limit == UINT64_MAX || now.mono_ms < w->full_until)
		return;
	w->base.soft_limit = UINT64_MAX;
	STORE_FIGURE_SET(w->store, limit, w->store->limit);
	STAT_SET(STAT_STORE_LIMIT_BYTES, w->store->limit);
}

/* Something can't be written: no more work until a probe goes through. */
static void writer_failed(struct writer *w, int rc, struct now now)
{
	struct store *store = w->store;

	STORE_FIGURE_ADD(store, commit_errors, 1);
	STAT_INC(STAT_STORE_COMMIT_ERRORS);
	w->heal_ms = w->heal_ms ? w->heal_ms * 2 : HEAL_MS_MIN;
	if (w->heal_ms > HEAL_MS_MAX)
		w->heal_ms = HEAL_MS_MAX;
	w->heal_at = now.mono_ms + w->heal_ms;
	w->set_aside |= rc == -EBADMSG;
	if (store_state(store) == STORE_OFFLINE)
		return; /* still */
	if (rc == -EBADMSG || rc == -ENOTRECOVERABLE || rc == -ESTALE || env_dead(store)) {
		store_offline(store, rc);
	} else {
		store_state_enter(store, STORE_DEGRADED, rc);
	}
}

static bool is_full(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT;
}

/* Commits this work. Only a failure of the disk is one of the writer's. */
static void batch_do(struct writer *w, struct op_list *ops, struct now now)
{
	uint64_t began = clock_mono_ns();
	int rc = batch_run(&w->base, ops);

	if (rc == -EIO && !env_dead(w->store) &&
	    db_disk_full(&w->store->db, w->store->commit_bytes))
		rc = -ENOSPC;
	for (int i = 0; is_full(rc) && i < WRITER_FULL_TRIES; i++) {
		if (rc == -EDQUOT) {
			STORE_FIGURE_ADD(w->store, map_full, 1);
			STAT_INC(STAT_STORE_MAP_FULL);
		}
		room_shrink(w, rc, now);
		rc = batch_probe(&w->base);
		if (rc == 0)
			rc = batch_run(&w->base, ops);
	}
	commit_took(w->store, began);
	w->untrimmed = true;
	w->committed = now.mono_ms;
	if (rc == -ENOBUFS || rc == -EDQUOT)
		rc = -ENOSPC; /* for this work; the disk is well */
	else if (rc)
		writer_failed(w, rc, now);
	else
		w->heal_ms = 0;
	ops_answer(ops, rc ? &rc : NULL);
}

/* ---- healing --------------------------------------------------------------------------------- */

/* Answers all that waits: it can't be written now. */
static void queue_refuse(struct writer *w, int rc)
{
	struct op_list ops = STAILQ_HEAD_INITIALIZER(ops);

	do {
		STAILQ_INIT(&ops);
		queue_take(w, &ops);
		if (STAILQ_EMPTY(&ops))
			break;
		ops_answer(&ops, &rc);
	} while (true);
}

static int base_load(struct writer *w)
{
	int rc;

	batch_unload(&w->base);
	w->base = (struct batch_base){ .store = w->store };
	rc = batch_load(&w->base);
	w->loaded = rc == 0;
	return rc;
}

/* OFFLINE: the environment is closed when nobody uses it, then opened again. */
static int reopen(struct writer *w, struct now now)
{
	int rc = 0;

	w->loaded = false;
	if (!store_retire(w->store))
		return -EBUSY;
	if (w->set_aside) {
		rc = db_set_aside(w->store->path, now.wall_ms / 1000);
		if (rc)
			return rc;
		w->set_aside = false;
		STORE_FIGURE_ADD(w->store, set_aside, 1);
	}
	rc = store_online(w->store, now);
	return rc ? rc : base_load(w);
}

static void heal(struct writer *w, struct now now)
{
	int rc;

	if (now.mono_ms < w->heal_at)
		return;
	if (store_state(w->store) == STORE_OFFLINE)
		rc = reopen(w, now);
	else
		rc = w->loaded ? batch_probe(&w->base) : base_load(w);
	if (rc == -EBUSY) {
		w->heal_at = now.mono_ms + WRITER_SWEEP_MS; /* somebody still reads */
	} else if (rc) {
		if (is_full(rc))
			room_shrink(w, rc, now);
		writer_failed(w, rc, now);
	} else {
		store_state_enter(w->store, STORE_SERVING, 0);
		w->heal_at = 0;
	}
}

/* ---- the turn -------------------------------------------------------------------------------- */

/* Is there work, and is it time for it? */
static bool batch_due(struct writer *w, struct now now)
{
	bool due;

	pthread_mutex_lock(&w->lock);
	if (w->queue_ops == 0)
		w->since = 0;
	else if (w->since == 0)
		w->since = now.mono_ms ? now.mono_ms : 1;
	due = w->queue_ops && (w->hurry || w->stop || w->queue_bytes >= w->store->commit_bytes ||
			       now.mono_ms - w->since >= w->store->commit_ms);
	STORE_FIGURE_SET(w->store, lag_ms, w->since ? now.mono_ms - w->since : 0);
	pthread_mutex_unlock(&w->lock);
	return due;
}

static void sweep(struct writer *w, struct now now)
{
	int rc;

	if (doom_empty(&w->base.doom) || now.mono_ms - w->swept < WRITER_SWEEP_MS)
		return;
	w->swept = now.mono_ms;
	if (!doom_ripe(&w->base.doom, w->store))
		return;
	rc = batch_sweep(&w->base);
	if (rc)
		writer_failed(w, rc, now);
}

static uint32_t next_turn(struct writer *w, struct now now)
{
	uint32_t ms = doom_empty(&w->base.doom) ? WRITER_IDLE_MS : WRITER_SWEEP_MS;

	if (store_state(w->store) != STORE_SERVING)
		return WRITER_SWEEP_MS;
	if (batch_due(w, now))
		return 0;
	if (w->since) {
		uint64_t left = w->since + w->store->commit_ms - now.mono_ms;

		ms = left < ms ? (uint32_t)left : ms;
	}
	return ms;
}

/* Somebody may remove the file, or cut it short: then there is a new one to begin, and soon. */
static int file_check(struct writer *w, struct now now)
{
	if (now.mono_ms - w->file_checked < FILE_CHECK_MS)
		return 0;
	w->file_checked = now.mono_ms;
	return store_file_check(w->store);
}

/* All that needs an environment that can be written. */
static void turn_serving(struct writer *w, struct now now)
{
	struct op_list ops = STAILQ_HEAD_INITIALIZER(ops);
	int suspect = atomic_load(&w->store->suspect);
	int rc = suspect ? suspect : file_check(w, now);

	if (rc == 0 && !w->loaded)
		rc = base_load(w);
	if (rc) {
		writer_failed(w, rc, now);
		return;
	}
	room_restore(w, now);
	if (damage_take(w, &ops))
		batch_do(w, &ops, now);
	if (store_state(w->store) == STORE_SERVING && batch_due(w, now)) {
		queue_take(w, &ops);
		batch_do(w, &ops, now);
	}
	if (store_state(w->store) == STORE_SERVING)
		sweep(w, now);
	/* Dirty pages came from malloc, tens of MiB of them: nothing to write now, so give them back. */
	if (w->untrimmed && w->since == 0 && now.mono_ms - w->committed >= WRITER_IDLE_MS) {
		w->untrimmed = false;
		malloc_trim(0);
	}
}

uint32_t writer_step(struct writer *w, struct now now)
{
	if (store_state(w->store) != STORE_SERVING) {
		queue_refuse(w, atomic_load(&w->store->last_error));
		heal(w, now);
	}
	if (store_state(w->store) == STORE_SERVING)
		turn_serving(w, now);
	return next_turn(w, now);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void wake_wait(struct writer *w, uint32_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

/* A crash inside LMDB: the next start must not meet the same page again. */
static void writer_context(int fd, void *arg)
{
	struct writer *w = arg;

	/* The note first: dprintf() may allocate, and what crashed here may have been the heap. */
	if (w->base.inside)
		store_note_crash(w->store);
	dprintf(fd, "writer: inside=%d\n", w->base.inside);
}

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	bool stop;

	check_context_set(writer_context, w);
	do {
		uint32_t ms = writer_step(w, clock_read());

		pthread_mutex_lock(&w->lock);
		stop = w->stop;
		if (ms && !stop && !(w->hurry && w->queue_ops) && !(w->queue_ops && !w->since) &&
		    w->queue_bytes < w->store->commit_bytes)
			wake_wait(w, ms);
		pthread_mutex_unlock(&w->lock);
	} while (!stop);
	check_context_set(NULL, NULL);
	return NULL;
}

int writer_new(struct store *store, struct writer **ret_writer)
{
	struct writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return -ENOMEM;
	w->store = store;
	w->base.store = store;
	w->base.soft_limit = UINT64_MAX;
	STAILQ_INIT(&w->queue);
	CHECK_OK(pthread_mutex_init(&w->lock, NULL));
	CHECK_OK(pthread_condattr_init(&attr));
	CHECK_OK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	CHECK_OK(pthread_cond_init(&w->wake, &attr));
	CHECK_OK(pthread_condattr_destroy(&attr));
	*ret_writer = w;
	return 0;
}

int writer_start(struct writer *w)
{
	int rc = thread_start(&w->thread, writer_thread, w);

	w->running = rc == 0;
	return rc;
}

void writer_stop(struct writer **writer)
{
	struct writer *w = *writer;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->wake);
	if (w->running)
		CHECK_OK(pthread_join(w->thread, NULL));
	/* What is left when the thread is done, batch by batch. */
	while (w->queue_ops && store_state(w->store) == STORE_SERVING)
		writer_step(w, clock_read());
	queue_refuse(w, -ECANCELED);
	batch_unload(&w->base);
	CHECK_OK(pthread_cond_destroy(&w->wake));
	CHECK_OK(pthread_mutex_destroy(&w->lock));
	free(w);
	*writer = NULL;
}
