/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An import's life:
 *
 *	import_begin --> import_object --> have.c -- here --------------------+
 *	                      ^              | not                            |
 *	                      |              v                                v
 *	                      |        import_chunk ... -- object.c --> a part more
 *	                      +-----------------------------------------------+
 *	                                                                      | all
 *	                   import_publish --> flush --> looked at --> published, or nothing has changed
 *
 * Chunks and records go to the writer without waiting for each: a flush at the end does, and then every staged
 * record is looked at, so that what the writer could not keep is seen before anything is published. While the writer
 * owes an answer the import is not freed: its job outlives it.
 */
#include "proxy/carry/import.h"

#include <stdarg.h>
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/carry/carry_priv.h"
#include "proxy/dns/reach.h"
#include "proxy/sync/sync.h"

#define TICK_MS	   500
#define IDLE_MS	   60000 /* an importer that says nothing for this long is gone */
#define ROOM_SHARE 10	 /* tenths of the store that an import may take at most: 9 */

/* ---- answers --------------------------------------------------------------------------------------- */

void import_answer(struct import *import, int rc, const struct import_answer *answer,
		   const char *why)
{
	import_done_f *done = import->done;

	import->done = NULL;
	import->touched = worker_now(import->all->control)->mono_ms;
	if (done)
		done(import->arg, rc, answer, why ? why : "");
}

void import_refuse(struct import *import, int rc, const char *format, ...)
{
	char why[IMPORT_WHY_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	STAT_INC(STAT_IMPORT_REFUSED);
	LOG(LOG_L_WARN, "import.refused", "vendor=%s why=%s", import->name,
	    LOG_QUOTE(span_of(why)));
	import_answer(import, rc, NULL, why);
}

/* The import of that number, of which no answer is owed. NULL: answered. */
static struct import *import_of(struct imports *all, uint64_t number, import_done_f *done,
				void *arg)
{
	struct import *import = all->import;

	if (!import || import->number != number || all->stopping) {
		done(arg, -ESTALE, NULL, "this import is over: another has begun, or it was idle");
		return NULL;
	}
	if (import->done) {
		done(arg, -EBUSY, NULL, "the question before is not answered yet");
		return NULL;
	}
	import->done = done;
	import->arg = arg;
	return import;
}

/* ---- the writer's answers ------------------------------------------------------------------------------ */

static void on_job(struct worker *control, struct mail *mail)
{
	struct import_job *job =
		(struct import_job *)((char *)mail - offsetof(struct import_job, mail));
	struct import *import = job->import;

	(void)control;
	LIST_REMOVE(job, link);
	if (import) {
		import->job = NULL;
		job->next(import, job->rc);
	}
	free(job);
}

/* The writer's thread. */
static void on_written(void *arg, int rc)
{
	struct import_job *job = arg;

	job->rc = rc;
	mailbox_post(job->all->control, &job->mail);
}

static struct import_job *job_new(struct import *import, void (*next)(struct import *, int))
{
	struct import_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	mail_init(&job->mail, on_job);
	job->all = import->all;
	job->import = import;
	job->next = next;
	LIST_INSERT_HEAD(&import->all->jobs, job, link);
	import->job = job;
	return job;
}

static void job_drop(struct import *import)
{
	if (import->job)
		LIST_REMOVE(import->job, link);
	free(import->job);
	import->job = NULL;
}

/* ---- the end of it --------------------------------------------------------------------------------------- */

/* What this import has staged and nobody will publish. */
static void staged_remove(struct import *import)
{
	char buf[CACHE_KEY_TEXT_MAX];
	struct cache_key key;

	for (size_t i = 0; i < import->n; i++) {
		const struct part *part = &import->parts[i];

		if (part->staged &&
		    manifest_key(span_of(part->key), MANIFEST_STAGED, buf, sizeof(buf), &key) ==
			    0 &&
		    writer_remove(import->all->control->proxy->writer, &key, part->id, NULL, NULL) <
			    0)
			STAT_INC(STAT_STORE_DROPPED);
	}
}

static void import_free(struct import *import)
{
	struct imports *all = import->all;

	if (all->import == import)
		all->import = NULL;
	chunk_wait_cancel(all->pool, &all->waiter);
	have_end(import);
	coming_end(import);
	sync_carrying_end(all->control->proxy->sync, import->name);
	if (import->job)
		import->job->import = NULL; /* it comes later, and is freed then */
	publication_free(&import->publication);
	for (size_t i = 0; i < import->n; i++)
		free(import->parts[i].key);
	free(import->parts);
	free(import->name);
	free(import);
}

/* Answers what is owed and frees it. `keep`: what is staged stays, for one that goes on from there. */
static void import_over(struct import *import, bool keep, const char *why)
{
	if (import->publication && import->job)
		return; /* it is being published: that decides */
	have_end(import);
	chunk_wait_cancel(import->all->pool, &import->all->waiter);
	import_answer(import, -ESTALE, NULL, why);
	if (!keep)
		staged_remove(import);
	import_free(import);
}

void import_end(struct imports *all, uint64_t number)
{
	if (all->import && (!number || all->import->number == number))
		import_over(all->import, false, "given up");
}

/* ---- publishing ------------------------------------------------------------------------------------------- */

static struct sync_carried carried_of(const struct import *import)
{
	struct sync_carried row = {
		.profile = import->name,
		.number = import->generation,
		.published_ms = import->what.published_ms,
	};

	for (size_t i = 0; i < import->n; i++)
		if (import->parts[i].brought) {
			row.objects++;
			row.bytes += (uint64_t)import->parts[i].size;
		}
	return row;
}

static void published(struct import *import, int rc)
{
	struct imports *all = import->all;
	struct proxy *proxy = all->control->proxy;
	struct sync_carried row = carried_of(import);
	struct import_answer answer = {
		.word = "published",
		.number = import->generation,
		.changed = publication_changes(import->publication),
	};

	publication_over(import->publication, proxy->generations, all->reader, import->generation,
			 rc, *worker_now(all->control));
	if (rc < 0) {
		import_refuse(import, rc == -ESTALE ? -ESTALE : -EIO,
			      rc == -ESTALE
				      ? "an object was evicted meanwhile: the store is too small"
				      : "the store could not write it: %s",
			      strerrorname_np(-rc));
		import_free(import);
		return;
	}
	generation_carry(proxy->generations, all->reader, import->name);
	sync_carried_add(proxy->sync, &row);
	STAT_INC(STAT_IMPORT_PUBLISHED);
	LOG(LOG_L_NOTICE, "import.published", "vendor=%s number=%ju objects=%zu changed=%zu",
	    import->name, (uintmax_t)import->generation, import->n, answer.changed);
	import_answer(import, 0, &answer, NULL);
	import_free(import);
}

/* Is each staged object in the store, whole? NULL, or the first that is not. */
static const struct part *part_missing(const struct import *import)
{
	char buf[CACHE_KEY_TEXT_MAX];

	for (size_t i = 0; i < import->n; i++) {
		const struct part *part = &import->parts[i];
		struct cache_key key = key_of(span_of(part->key));
		struct stored *stored;
		bool there;

		if (part->staged)
			CHECK_OK(manifest_key(span_of(part->key), MANIFEST_STAGED, buf, sizeof(buf),
					      &key));
		if (store_peek(import->all->reader, &key, &stored) < 0)
			return part;
		there = stored_object(stored)->id == part->id &&
			object_complete(stored_object(stored));
		stored_free(&stored);
		if (!there)
			return part;
	}
	return NULL;
}

/* Is that what is published already? */
static bool is_unchanged(struct import *import)
{
	struct manifest *now;
	bool same;

	if (publication_changes(import->publication) ||
	    manifest_load(import->all->reader, import->name, MANIFEST_CURRENT, &now) < 0)
		return false;
	same = manifest_info(now)->n == import->n &&
	       manifest_info(now)->published_ms == import->what.published_ms;
	manifest_free(&now);
	return same;
}

static int publication_fill(struct import *import)
{
	int rc = publication_new(import->name, import->n, &import->publication);

	for (size_t i = 0; rc == 0 && i < import->n; i++) {
		const struct part *part = &import->parts[i];
		const struct publication_member member = {
			.key = span_of(part->key),
			.id = part->id,
			.size = part->size,
			.index = part->index,
			.staged = part->staged,
		};

		publication_add(import->publication, &member);
	}
	return rc;
}

static int publish_start(struct import *import)
{
	struct proxy *proxy = import->all->control->proxy;
	const struct manifest_info info = {
		.number = import->generation,
		.published_ms = import->what.published_ms,
		.whole = true,
	};
	struct import_job *job = job_new(import, published);
	int rc;

	if (!job)
		return -ENOMEM;
	rc = publication_start(import->publication, proxy->generations, import->all->reader,
			       proxy->writer, &info, on_written, job);
	if (rc < 0)
		job_drop(import);
	return rc;
}

static void flushed(struct import *import, int rc)
{
	const struct part *missing = rc < 0 ? NULL : part_missing(import);

	if (missing) {
		import_refuse(import, -EIO, "%.180s: the store has not kept it", missing->key);
		import_over(import, true, NULL);
		return;
	}
	if (rc == 0)
		rc = publication_fill(import);
	if (rc == 0 && is_unchanged(import)) {
		import_answer(import, 0, &(struct import_answer){ .word = "unchanged" }, NULL);
		import_free(import);
		return;
	}
	if (rc == 0)
		rc = publish_start(import);
	if (rc == 0)
		return;
	import_refuse(import, -EIO, "the store could not write it: %s", strerrorname_np(-rc));
	import_free(import);
}

void import_publish(struct imports *all, uint64_t number, import_done_f *done, void *arg)
{
	struct import *import = import_of(all, number, done, arg);
	struct import_job *job;

	if (!import)
		return;
	if (import->n < import->what.objects || import->coming.record)
		return import_refuse(import, -EINVAL, "%zu of %zu objects are here", import->n,
				     import->what.objects);
	job = job_new(import, flushed);
	if (job && writer_flush(all->control->proxy->writer, on_written, job) == 0)
		return;
	job_drop(import);
	import_refuse(import, -EIO, "the store takes nothing now");
}

/* ---- objects ----------------------------------------------------------------------------------------------- */

void import_object(struct imports *all, uint64_t number, const struct import_object *object,
		   import_done_f *done, void *arg)
{
	struct import *import = import_of(all, number, done, arg);
	char why[IMPORT_WHY_MAX];
	int rc;

	if (!import)
		return;
	coming_end(import); /* one that was given up in the middle */
	if (import->n == import->what.objects)
		return import_refuse(import, -EINVAL, "more objects than were said to come");
	rc = coming_begin(import, object, why);
	if (rc < 0)
		import_refuse(import, rc, "%s", why);
	else
		have_begin(import);
}

void import_chunk(struct imports *all, uint64_t number, struct span base64, import_done_f *done,
		  void *arg)
{
	struct import *import = import_of(all, number, done, arg);

	if (!import)
		return;
	if (!import->coming.record)
		return import_refuse(import, -EINVAL, "no object has been announced");
	import->base64 = base64;
	coming_piece(import);
}

/* A chunk came back: any thread. */
static void memory_ready(struct chunk_waiter *waiter)
{
	struct imports *all = (struct imports *)((char *)waiter - offsetof(struct imports, waiter));

	mailbox_post(all->control, &all->memory);
}

static void on_memory(struct worker *control, struct mail *mail)
{
	struct imports *all = (struct imports *)((char *)mail - offsetof(struct imports, memory));

	(void)control;
	if (all->import && all->import->done && all->import->coming.record && !all->import->found)
		coming_piece(all->import);
}

/* ---- beginning ---------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int no(char why[IMPORT_WHY_MAX], int rc,
						    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, IMPORT_WHY_MAX, format, args);
	va_end(args);
	STAT_INC(STAT_IMPORT_REFUSED);
	return rc;
}

static int may_begin(struct imports *all, const struct import_begin *what, char why[IMPORT_WHY_MAX])
{
	const struct profile *profile =
		profiles_by_name(all->control->config->profiles, span_of(what->profile));
	struct manifest *now;
	struct store_stat stat;
	int64_t here = 0;

	store_stat(all->control->proxy->store, &stat);
	if (!profile)
		return no(why, -ENOENT, "there is no such profile here");
	if (!what->objects || what->objects > MANIFEST_MEMBERS_MAX || what->published_ms <= 0)
		return no(why, -EINVAL, "this can't be a generation");
	if (what->bytes > stat.limit / ROOM_SHARE * (ROOM_SHARE - 1))
		return no(why, -EINVAL, "too large: the store may hold %ju bytes, this is %ju",
			  (uintmax_t)stat.limit, (uintmax_t)what->bytes);
	if (manifest_load(all->reader, profile_name(profile), MANIFEST_CURRENT, &now) == 0) {
		here = manifest_info(now)->published_ms;
		manifest_free(&now);
	}
	if (what->published_ms < here && !what->older)
		return no(why, -ESTALE, "older than what is here, by %jd s",
			  (intmax_t)((here - what->published_ms) / 1000));
	return 0;
}

int import_begin(struct imports *all, const struct import_begin *what, uint64_t *ret_number,
		 char why[IMPORT_WHY_MAX])
{
	struct proxy *proxy = all->control->proxy;
	struct now now = *worker_now(all->control);
	struct import *import;
	int rc = may_begin(all, what, why);

	if (rc < 0)
		return rc;
	if (all->import && all->import->publication)
		return no(why, -EBUSY, "another import is being published");
	if (all->import)
		import_over(all->import, true, "another import has begun");
	if (sync_carrying_begin(proxy->sync, what->profile) < 0)
		return no(why, -EBUSY, "a run of sync is on for it: try again when it is over");
	import = calloc(1, sizeof(*import));
	if (import) {
		import->all = all;
		import->what = *what;
		import->what.profile = NULL;
		import->name = strdup(what->profile);
		import->parts = calloc(what->objects, sizeof(*import->parts));
	}
	if (!import || !import->name || !import->parts) {
		sync_carrying_end(proxy->sync, what->profile);
		free(import ? import->parts : NULL);
		free(import ? import->name : NULL);
		free(import);
		return no(why, -ENOMEM, "no memory");
	}
	CHECK_OK(evtimer_assign(&import->turn, all->control->base, NULL, NULL));
	import->number = ++all->numbers + (uint64_t)now.wall_ms;
	import->generation = generation_next(proxy->generations, all->reader, import->name, now);
	import->touched = now.mono_ms;
	all->import = import;
	*ret_number = import->number;
	LOG(LOG_L_INFO, "import.begin", "vendor=%s objects=%zu bytes=%ju", import->name,
	    what->objects, (uintmax_t)what->bytes);
	return 0;
}

/* ---- who stands alone ------------------------------------------------------------------------------------------ */

static void see_reach(const struct reach_view *view, void *arg)
{
	struct imports *all = arg;
	const struct profile *profile =
		profiles_by_name(all->control->config->profiles, span_of(view->vendor));
	uint16_t port;

	/* Until the first verdict is there: as if it were cut off. A profile that names no host to try is not. */
	if (profile && profile_reach_host(profile, &port))
		generation_cut_off(all->control->proxy->generations, all->reader, view->vendor,
				   !view->checked || !view->reachable);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct imports *all = arg;
	struct import *import = all->import;

	(void)fd;
	(void)what;
	if (all->control->proxy->reach)
		reach_each(all->control->proxy->reach, see_reach, all);
	if (import && !import->job &&
	    now_since(*worker_now(all->control), import->touched) > IDLE_MS)
		import_over(import, true, "it was idle");
	CHECK_OK(event_add(&all->tick, worker_timeout(all->control, TICK_MS)));
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

int imports_new(struct worker *control, struct imports **ret_imports)
{
	struct imports *all = calloc(1, sizeof(*all));
	int rc;

	if (!all)
		return -ENOMEM;
	all->control = control;
	LIST_INIT(&all->jobs);
	all->waiter.ready = memory_ready;
	mail_init(&all->memory, on_memory);
	CHECK_OK(evtimer_assign(&all->tick, control->base, on_tick, all));
	rc = chunk_pool_new(IMPORT_CHUNKS, &all->pool);
	if (rc == 0)
		rc = store_reader_new(control->proxy->store, &all->reader);
	if (rc < 0) {
		imports_free(&all);
		return rc;
	}
	CHECK_OK(event_add(&all->tick, worker_timeout(control, 0)));
	*ret_imports = all;
	return 0;
}

void imports_stop(struct imports *all)
{
	if (!all || all->stopping)
		return;
	all->stopping = true;
	event_del(&all->tick);
}

void imports_free(struct imports **imports)
{
	struct imports *all = *imports;
	struct import_job *job;

	*imports = NULL;
	if (!all)
		return;
	event_del(&all->tick);
	if (all->import) {
		all->import->done = NULL;
		import_free(all->import);
	}
	/* The writer has ended: what it has answered has not been read any more, the rest never comes. */
	while ((job = LIST_FIRST(&all->jobs))) {
		LIST_REMOVE(job, link);
		mail_cancel(all->control, &job->mail);
		free(job);
	}
	mail_cancel(all->control, &all->memory);
	if (all->reader)
		store_reader_free(&all->reader);
	if (all->pool)
		chunk_pool_free(&all->pool);
	free(all);
}
