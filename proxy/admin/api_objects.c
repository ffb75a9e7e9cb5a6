/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: what is stored, one by one or by pattern. The store may hold a million objects, so whatever looks them
 * over does it a little in each turn of the loop: the ask is kept, and answered when it is through.
 *
 *	begun --on_turn() a few hundred objects, again and again--> task_release() --> task_end(): answered
 *	              `-- removals asked of the writer --on_removed() the last one--> on_mail() --^
 *
 * Control loop only, but for on_removed() on the writer's thread.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "cache/walk.h"
#include "cache/writer.h"
#include "proxy/admin/object_json.h"
#include "proxy/admin/route.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define LIMIT_DEFAULT	 100
#define LIMIT_MAX	 10000
#define REMOVALS_MAX	 512 /* asked of the writer and not yet answered */
#define REMOVALS_WAIT_MS 5
#define ENOUGH		 1 /* what ends a step early */

struct task {
	struct admin_ask *ask; /* NULL: its asker's server is gone */
	struct worker *control;
	struct store_reader *reader;
	struct store_walk *walk; /* NULL: it is one object */
	struct event turn;
	struct mail mail;
	struct object_view view;
	/* what is asked for */
	char *match, *profile, *state;
	bool remove;
	size_t limit;
	/* what was found */
	json_t *rows;
	uint64_t last; /* id of the last row */
	bool more;
	uint64_t removed, removed_bytes;
	atomic_uint waiting; /* removals asked of the writer, and one for the walk */
	atomic_uint failed;
	bool released; /* that one is given back */
};

/* ---- a task's life ---------------------------------------------------------------------------- */

static void task_free(struct task *t)
{
	if (event_initialized(&t->turn))
		(void)event_del(&t->turn);
	store_walk_free(&t->walk);
	if (t->reader)
		store_reader_free(&t->reader);
	json_decref(t->rows);
	free(t->match);
	free(t->profile);
	free(t->state);
	free(t);
}

static void task_answer(struct task *t)
{
	struct admin_ask *ask = t->ask;
	unsigned failed = atomic_load(&t->failed);
	json_t *json;

	if (!t->remove)
		json = json_pack("{s:O, s:b, s:I}", "objects", t->rows, "more", t->more, "next",
				 (json_int_t)(t->more ? t->last : 0));
	else
		json = json_pack("{s:I, s:I, s:I}", "removed", (json_int_t)(t->removed - failed),
				 "bytes", (json_int_t)t->removed_bytes, "failed",
				 (json_int_t)failed);
	if (t->remove && !t->walk && failed) {
		json_decref(json);
		admin_answer_error(ask, 503, "failed", "the store can't be written just now");
	} else if (t->remove && !t->walk) {
		json_decref(json);
		admin_answer_done(ask);
	} else {
		admin_answer_json(ask, 200, json);
	}
	task_free(t);
}

static void task_end(struct task *t)
{
	if (t->ask)
		task_answer(t);
	else
		task_free(t);
}

/* Nothing more is asked of the writer. What was still comes back, and the last of it ends the task. */
static void task_release(struct task *t)
{
	(void)event_del(&t->turn);
	t->released = true;
	if (atomic_fetch_sub(&t->waiting, 1) == 1)
		return task_end(t);
	writer_hurry(t->control->proxy->writer);
}

static void on_mail(struct worker *control, struct mail *mail)
{
	(void)control;
	task_end((struct task *)((char *)mail - offsetof(struct task, mail)));
}

static void task_fail(struct task *t, int rc)
{
	struct admin_ask *ask = t->ask;

	t->ask = NULL;
	admin_answer_errno(ask, rc == WRITER_REFUSED ? -EIO : rc);
	task_release(t);
}

/* The asker's server ends. */
static void on_gone(void *arg)
{
	struct task *t = arg;

	t->ask = NULL;
	if (!t->released)
		task_release(t);
}

/* ---- removal ---------------------------------------------------------------------------------- */

/* The writer's thread. Only the last one posts, and then it is the loop's. */
static void on_removed(void *arg, int rc)
{
	struct task *t = arg;

	if (rc)
		atomic_fetch_add(&t->failed, 1);
	if (atomic_fetch_sub(&t->waiting, 1) == 1)
		mailbox_post(t->control, &t->mail);
}

static int task_remove(struct task *t, const struct object *object)
{
	struct cache_key key = key_of(object->key);
	int rc;

	atomic_fetch_add(&t->waiting, 1);
	rc = writer_remove(t->control->proxy->writer, &key, object->id, on_removed, t);
	if (rc) {
		atomic_fetch_sub(&t->waiting, 1);
		return rc;
	}
	t->removed++;
	t->removed_bytes += object->length > 0 ? (uint64_t)object->length : 0;
	return 0;
}

/* ---- the turns -------------------------------------------------------------------------------- */

static bool wanted(struct task *t, const struct object *object)
{
	if (object->kind != OBJECT_RESPONSE && !t->remove)
		return false;
	if (t->profile && !span_eq(object_profile(object), span_of(t->profile)))
		return false;
	if (t->match && !object_matches(object, t->match))
		return false;
	return !t->state || strcmp(object_state(&t->view, object), t->state) == 0;
}

static int see(const struct object *object, void *arg)
{
	struct task *t = arg;
	json_t *row;

	if (!wanted(t, object))
		return 0;
	if (t->remove)
		return task_remove(t, object);
	if (json_array_size(t->rows) == t->limit) {
		t->more = true;
		return ENOUGH;
	}
	row = object_row(&t->view, object);
	t->last = object->id;
	return json_array_append_new(t->rows, row) < 0 ? -ENOMEM : 0;
}

static void turn_again(struct task *t, int ms)
{
	const struct timeval after = { .tv_usec = ms * 1000 };

	CHECK_OK(event_add(&t->turn, &after));
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct task *t = arg;
	int rc;

	(void)fd;
	(void)what;
	if (atomic_load(&t->waiting) > REMOVALS_MAX) {
		writer_hurry(t->control->proxy->writer);
		return turn_again(t, REMOVALS_WAIT_MS);
	}
	rc = store_walk_step(t->walk, see, t);
	if (rc < 0)
		return task_fail(t, rc);
	if (rc == 0 && !store_walk_over(t->walk))
		return turn_again(t, 0);
	task_release(t);
}

/* ---- the asks --------------------------------------------------------------------------------- */

static char *copy_of(const char *text)
{
	return text && *text ? strdup(text) : NULL;
}

static int task_new(struct admin_ask *ask, struct task **ret_task)
{
	struct task *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->ask = ask;
	t->control = ask->control;
	t->rows = json_array();
	t->match = copy_of(admin_query(ask, "match"));
	t->profile = copy_of(admin_query(ask, "profile"));
	t->state = copy_of(admin_query(ask, "state"));
	mail_init(&t->mail, on_mail);
	atomic_init(&t->waiting, 1);
	rc = store_reader_new(t->control->proxy->store, &t->reader);
	if (rc == 0 && evtimer_assign(&t->turn, t->control->base, on_turn, t) < 0)
		rc = -ENOMEM;
	if (rc) {
		task_free(t);
		return rc;
	}
	t->view = (struct object_view){ .control = t->control,
					.reader = t->reader,
					.now = worker_now(t->control)->wall_ms / 1000 };
	*ret_task = t;
	return 0;
}

static void walk_begin(struct admin_ask *ask, bool remove, enum walk_order order, uint64_t after,
		       size_t limit)
{
	struct task *t;
	int rc = task_new(ask, &t);

	if (rc)
		return admin_answer_errno(ask, rc);
	t->remove = remove;
	t->limit = limit;
	rc = store_walk_new(t->reader, order, after, &t->walk);
	if (rc) {
		task_free(t);
		return admin_answer_errno(ask, rc);
	}
	admin_keep(ask, on_gone, t);
	turn_again(t, 0);
}

static void get_objects(struct admin_ask *ask)
{
	const char *order = admin_query(ask, "order");
	int64_t limit, after;

	if (admin_query_number(ask, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit) < 0 ||
	    admin_query_number(ask, "after", 0, INT64_MAX, 0, &after) < 0)
		return;
	walk_begin(ask, false, order && strcmp(order, "oldest") == 0 ? WALK_OLDEST : WALK_NEWEST,
		   (uint64_t)after, (size_t)limit);
}

static void delete_objects(struct admin_ask *ask)
{
	if (!admin_query(ask, "match") && !admin_query(ask, "profile"))
		return admin_answer_error(ask, 400, "no_pattern",
					  "say what is to go: match=PATTERN or profile=NAME");
	walk_begin(ask, true, WALK_OLDEST, 0, 0);
}

/* The id in the path. */
static int id_of(struct admin_ask *ask, uint64_t *ret_id)
{
	char *end;
	unsigned long long id = strtoull(ask->name, &end, 10);

	if (*end || id == 0 || ask->name[0] < '0' || ask->name[0] > '9') {
		admin_answer_error(ask, 404, "not_found", "an object's id is a number");
		return -EINVAL;
	}
	*ret_id = id;
	return 0;
}

static void get_object(struct admin_ask *ask)
{
	struct stored *stored;
	struct task *t;
	uint64_t id;
	int rc;

	if (id_of(ask, &id) < 0)
		return;
	rc = task_new(ask, &t);
	if (rc)
		return admin_answer_errno(ask, rc);
	rc = store_find(t->reader, id, &stored);
	if (rc) {
		admin_answer_errno(ask, rc);
	} else {
		admin_answer_json(ask, 200, object_all(&t->view, stored_object(stored)));
		stored_free(&stored);
	}
	task_free(t);
}

static void delete_object(struct admin_ask *ask)
{
	struct stored *stored;
	struct task *t;
	uint64_t id;
	int rc;

	if (id_of(ask, &id) < 0)
		return;
	rc = task_new(ask, &t);
	if (rc)
		return admin_answer_errno(ask, rc);
	t->remove = true;
	rc = store_find(t->reader, id, &stored);
	if (rc == 0) {
		rc = task_remove(t, stored_object(stored));
		stored_free(&stored);
	}
	if (rc)
		return task_fail(t, rc);
	admin_keep(ask, on_gone, t);
	task_release(t);
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/objects", ADMIN_VIEW, get_objects },
	{ ADMIN_DELETE, "/api/v1/objects", ADMIN_OPERATE, delete_objects },
	{ ADMIN_GET, "/api/v1/objects/{id}", ADMIN_VIEW, get_object },
	{ ADMIN_DELETE, "/api/v1/objects/{id}", ADMIN_OPERATE, delete_object },
};

ADMIN_TABLE(objects, routes);
