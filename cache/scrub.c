/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scrubber. Its thread walks the objects in the order in which they came, which is about that of the file. A lease
 * is held for one chunk at a time and never while it waits for its rate, so nothing that should go stays for it.
 *
 *	resting --(its time, or scrub_now())--> running --(all seen, cancelled, -errno)--> resting
 */
#include "cache/scrub.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cache/store_priv.h"
#include "cache/walk.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "firmware/base/thread.h"

#define SCRUB_REST_MS  60000	 /* at most, between two looks at the clock */
#define SCRUB_AHEAD_NS 200000000 /* reads so far ahead of its rate */

struct scrub {
	struct store *store;
	struct store_reader *reader; /* the thread's own */
	uint64_t rate;		     /* of passes of its own */
	scrub_match_f *match;	     /* of the pass that runs; NULL: all */
	char *pattern;
	uint64_t due_ns; /* CLOCK_MONOTONIC: when what was read so far may have been read */
	pthread_t thread;

	pthread_mutex_t lock; /* the following */
	pthread_cond_t wake;
	bool stop, cancel;
	bool asked; /* a pass waits to begin: with these */
	scrub_match_f *asked_match;
	char *asked_pattern;
	uint64_t asked_rate;
	struct scrub_state state;
};

/* ---- pace ------------------------------------------------------------------------------------ */

static bool scrub_ended(struct scrub *s)
{
	return s->stop || s->cancel || (s->asked && !s->state.now.asked);
}

static void wait_until(struct scrub *s, uint64_t ns)
{
	struct timespec until = { .tv_sec = (time_t)(ns / 1000000000),
				  .tv_nsec = (long)(ns % 1000000000) };

	while (!scrub_ended(s) && clock_mono_ns() < ns)
		if (pthread_cond_timedwait(&s->wake, &s->lock, &until) == ETIMEDOUT)
			break;
}

/* So many bytes were read: waits for the time that they may take. Is the pass to go on? */
static bool paced(struct scrub *s, uint64_t bytes, uint64_t bad)
{
	uint64_t now = clock_mono_ns();
	bool on;

	pthread_mutex_lock(&s->lock);
	s->state.now.bytes += bytes;
	s->state.now.bad += bad;
	if (s->state.rate) {
		s->due_ns += (uint64_t)((double)bytes * 1e9 / (double)s->state.rate);
		if (s->due_ns < now)
			s->due_ns = now;
		if (s->due_ns > now + SCRUB_AHEAD_NS)
			wait_until(s, s->due_ns - SCRUB_AHEAD_NS / 2);
	}
	on = !scrub_ended(s);
	pthread_mutex_unlock(&s->lock);
	return on;
}

/* ---- a pass ---------------------------------------------------------------------------------- */

/* Checks one chunk of an object that may go at any time. 0, -ENOENT (it is gone), -ECANCELED. */
static int chunk_scrub(struct scrub *s, uint64_t id, uint32_t index)
{
	struct stored *stored;
	size_t bytes = 0;
	int rc = store_find(s->reader, id, &stored);

	if (rc)
		return -ENOENT;
	rc = 0;
	if (object_has_chunk(stored_object(stored), index))
		rc = store_chunk_check(s->reader, id, index, &bytes);
	stored_free(&stored);
	STAT_ADD(STAT_SCRUB_BYTES, bytes);
	return paced(s, bytes, rc == -EBADMSG || rc == -EIO) ? 0 : -ECANCELED;
}

static int object_scrub(const struct object *object, void *arg)
{
	struct scrub *s = arg;
	uint64_t chunks = object->length > 0 && !object->body.n
				  ? ((uint64_t)object->length - 1) / CONFIG_CHUNK_BYTES + 1
				  : object->map.n * 8; /* of unknown length: what there is */
	int rc = 0;

	if (s->match && !s->match(object, s->pattern))
		return 0;
	if (object->body.n)
		chunks = 0;
	for (uint32_t i = 0; rc == 0 && i < chunks; i++)
		if (object_complete(object) || object_has_chunk(object, i))
			rc = chunk_scrub(s, object->id, i);
	if (rc == -ENOENT)
		rc = 0;
	if (rc == 0 && !paced(s, object->body.n, 0))
		rc = -ECANCELED;
	STAT_INC(STAT_SCRUB_OBJECTS);
	pthread_mutex_lock(&s->lock);
	s->state.now.objects++;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int pass_walk(struct scrub *s)
{
	uint64_t before = STORE_FIGURE(s->store, bad_records);
	struct store_walk *walk;
	int rc = store_walk_new(s->reader, WALK_OLDEST, 0, &walk);

	if (rc)
		return rc;
	while (rc == 0 && !store_walk_over(walk))
		rc = store_walk_step(walk, object_scrub, s);
	store_walk_free(&walk);
	/* Records are checked on the way. */
	pthread_mutex_lock(&s->lock);
	s->state.now.bad += STORE_FIGURE(s->store, bad_records) - before;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* With the lock. */
static void pass_begin(struct scrub *s)
{
	s->state.now = (struct scrub_pass){ .asked = s->asked, .began_ms = clock_read().wall_ms };
	s->state.rate = s->asked ? s->asked_rate : s->rate;
	s->state.running = true;
	free(s->pattern);
	s->pattern = s->asked_pattern;
	s->match = s->asked_match;
	s->asked_pattern = NULL;
	s->asked_match = NULL;
	s->asked = s->cancel = false;
	s->due_ns = clock_mono_ns();
}

static void pass_end(struct scrub *s, int rc)
{
	struct scrub_pass *now = &s->state.now;

	now->ended_ms = clock_read().wall_ms;
	now->rc = rc;
	s->state.last = *now;
	s->state.running = false;
	LOG(now->bad ? LOG_L_WARN : LOG_L_NOTICE, "store.scrub",
	    "objects=%llu bytes=%llu bad=%llu asked=%d rc=%d", (unsigned long long)now->objects,
	    (unsigned long long)now->bytes, (unsigned long long)now->bad, now->asked, rc);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void scrub_context(int fd, void *arg)
{
	struct scrub *s = arg;

	(void)fd;
	store_reader_crashed(s->reader);
}

/* When the next pass of its own is due, after the one that ended with `rc`; 0: never. */
static uint64_t next_due(const struct scrub *s, uint64_t next, int rc)
{
	uint64_t now = clock_mono_ns();

	if (!next)
		return 0;
	if (rc == -EIO)
		return now + SCRUB_REST_MS * UINT64_C(1000000); /* offline: again soon */
	if (s->state.last.asked || s->asked)
		return next; /* it has not had its turn, or gave it up for one that was asked for */
	return now + SCRUB_PERIOD_S * UINT64_C(1000000000);
}

static void *scrub_thread(void *arg)
{
	struct scrub *s = arg;
	uint64_t next = s->rate ? clock_mono_ns() + SCRUB_REST_MS * UINT64_C(1000000) : 0;

	pthread_setname_np(pthread_self(), "scrub");
	check_context_set(scrub_context, s);
	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		uint64_t now = clock_mono_ns();

		if (s->asked || (next && now >= next)) {
			int rc;

			pass_begin(s);
			pthread_mutex_unlock(&s->lock);
			rc = pass_walk(s);
			pthread_mutex_lock(&s->lock);
			pass_end(s, rc);
			next = next_due(s, next, rc);
			continue;
		}
		s->cancel = false;
		s->state.now.asked = false;
		wait_until(s, now + SCRUB_REST_MS * UINT64_C(1000000));
	}
	pthread_mutex_unlock(&s->lock);
	check_context_set(NULL, NULL);
	return NULL;
}

int scrub_new(struct store *store, uint64_t rate, struct scrub **ret_scrub)
{
	struct scrub *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int rc;

	if (!s)
		return -ENOMEM;
	s->store = store;
	s->rate = rate;
	rc = store_reader_new(store, &s->reader);
	if (rc) {
		free(s);
		return rc;
	}
	CHECK_OK(pthread_mutex_init(&s->lock, NULL));
	CHECK_OK(pthread_condattr_init(&attr));
	CHECK_OK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	CHECK_OK(pthread_cond_init(&s->wake, &attr));
	CHECK_OK(pthread_condattr_destroy(&attr));
	rc = thread_start(&s->thread, scrub_thread, s);
	if (rc) {
		store_reader_free(&s->reader);
		free(s);
		return rc;
	}
	*ret_scrub = s;
	return 0;
}

void scrub_free(struct scrub **scrub)
{
	struct scrub *s = *scrub;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->wake);
	CHECK_OK(pthread_join(s->thread, NULL));
	store_reader_free(&s->reader);
	CHECK_OK(pthread_cond_destroy(&s->wake));
	CHECK_OK(pthread_mutex_destroy(&s->lock));
	free(s->pattern);
	free(s->asked_pattern);
	free(s);
	*scrub = NULL;
}

/* ---- from outside ---------------------------------------------------------------------------- */

int scrub_now(struct scrub *s, scrub_match_f *match, const char *pattern, uint64_t rate)
{
	char *copy = strdup(pattern ? pattern : "");
	int rc = copy ? 0 : -ENOMEM;

	pthread_mutex_lock(&s->lock);
	if (rc == 0 && (s->asked || (s->state.running && s->state.now.asked)))
		rc = -EBUSY;
	if (rc == 0) {
		s->asked_pattern = copy;
		s->asked_match = match;
		s->asked_rate = rate;
		s->asked = true;
	}
	pthread_mutex_unlock(&s->lock);
	if (rc)
		free(copy);
	else
		pthread_cond_signal(&s->wake);
	return rc;
}

void scrub_cancel(struct scrub *s)
{
	pthread_mutex_lock(&s->lock);
	s->cancel = s->state.running;
	pthread_mutex_unlock(&s->lock);
	pthread_cond_signal(&s->wake);
}

void scrub_state(struct scrub *s, struct scrub_state *ret_state)
{
	pthread_mutex_lock(&s->lock);
	*ret_state = s->state;
	ret_state->waiting = s->asked;
	pthread_mutex_unlock(&s->lock);
	ret_state->total_objects = STORE_FIGURE(s->store, objects);
	ret_state->total_bytes = STORE_FIGURE(s->store, live);
}
