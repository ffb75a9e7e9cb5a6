/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invalidation (RFC 9111 4.4): a successful unsafe request makes what is stored for its URI worthless. And
 * updates by HEAD (4.3.5), which have to be seen by the next request just as well.
 *
 * The device gets its answer when the removal is committed, so that its next request can't meet the old
 * response. The writer's thread counts a removal down and posts its mail; worker and request may be gone
 * by then. `lock` covers the worker pointer, and so the posting: removals_forget() takes it before the worker ends.
 */
#include <pthread.h>

#include "firmware/base/log.h"
#include "proxy/client/client_priv.h"

struct removal {
	LIST_ENTRY(removal) link;
	struct mail mail;
	struct worker *worker; /* guarded by lock; NULL: gone */
	struct request *req;   /* worker's; NULL: gone */
	unsigned left; /* guarded by lock; answers of the writer, and one for who begins it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* On the worker, when all is removed. */
static void on_removed(struct worker *worker, struct mail *mail)
{
	struct removal *r = (struct removal *)((char *)mail - offsetof(struct removal, mail));
	struct request *req = r->req;

	(void)worker;
	LIST_REMOVE(r, link);
	free(r);
	if (!req)
		return;
	req->removal = NULL;
	if (req->step == REQUEST_RELAY)
		relay_progress(req);
	else
		cached_progress(req);
}

/* Any thread. */
static void count_down(void *arg, int rc)
{
	struct removal *r = arg;
	bool orphan = false;

	if (rc < 0)
		LOG(LOG_L_WARN, "invalidate.failed", "error=%d", rc);
	pthread_mutex_lock(&lock);
	if (--r->left == 0) {
		orphan = !r->worker;
		if (r->worker)
			mailbox_post(r->worker, &r->mail);
	}
	pthread_mutex_unlock(&lock);
	if (orphan)
		free(r);
}

/* To an update source the device says /<vendor>/<path>; the key knows <path>, as does the vendor. */
static struct span vendor_path(const struct request *req, struct span path)
{
	size_t prefix = req->authority[0] ? req->head.path.n - req->path.n : 0;

	if (prefix && span_starts(path, span_head(req->head.path, prefix)))
		return span_drop(path, prefix);
	return path;
}

static void remove_key(struct request *req, struct removal *r, const struct cache_key *key,
		       uint64_t id)
{
	int rc;

	pthread_mutex_lock(&lock);
	r->left++;
	pthread_mutex_unlock(&lock);
	rc = writer_remove(req->conn->worker->proxy->writer, key, id, count_down, r);
	if (rc < 0)
		count_down(r, rc);
}

/* What is stored of it by itself (part.c); `key` may stand in client->text. */
static void remove_part(struct request *req, struct removal *r, struct span key, size_t primary)
{
	struct client *client = req->conn->worker->client;
	struct cache_key part;

	if (policy_part_key(key, primary, client->text, sizeof(client->text), &part) < 0)
		return;
	flights_forget(req->conn->worker->proxy->flights, &part);
	remove_key(req, r, &part, 0);
}

static void remove_one(struct request *req, struct removal *r, const struct policy_uri *uri)
{
	struct client *client = req->conn->worker->client;
	struct policy_target target = {
		.profile = req->profile,
		.group = req->match.group,
		.secure = req->secure,
		.port = req->port,
		.path = vendor_path(req, uri->path),
		.has_query = uri->has_query,
		.query = uri->query,
	};
	struct cache_key key;

	if (policy_key(&target, client->text, sizeof(client->text), &key) < 0)
		return;
	flights_forget(req->conn->worker->proxy->flights, &key);
	remove_key(req, r, &key, 0);
	remove_part(req, r, key.text, key.text.n);
}

static struct removal *removal_new(struct request *req)
{
	struct worker *worker = req->conn->worker;
	struct removal *r = calloc(1, sizeof(*r));

	if (!r) {
		LOG(LOG_L_WARN, "invalidate.failed", "error=%d", -ENOMEM);
		return NULL;
	}
	r->worker = worker;
	r->req = req;
	r->left = 1;
	mail_init(&r->mail, on_removed);
	LIST_INSERT_HEAD(&worker->client->removals, r, link);
	req->removal = r;
	return r;
}

/* All is asked of the writer. */
static void removal_begun(struct request *req, struct removal *r)
{
	writer_hurry(req->conn->worker->proxy->writer);
	count_down(r, 0);
}

void invalidate_begin(struct request *req, const struct http_head *response)
{
	struct policy_origin origin =
		policy_origin(request_scheme(req), &req->head, span_of(req->authority));
	struct worker *worker = req->conn->worker;
	struct policy_invalid gone;
	struct removal *r;

	policy_invalidate(&req->head, &origin, response, worker->client->scratch,
			  sizeof(worker->client->scratch), &gone, NULL);
	r = gone.n ? removal_new(req) : NULL;
	if (!r)
		return;
	for (unsigned i = 0; i < gone.n; i++)
		remove_one(req, r, &gone.uri[i]);
	removal_begun(req, r);
}

void update_begin(struct request *req, const struct object *object)
{
	struct removal *r = removal_new(req);
	int rc;

	if (!r)
		return;
	pthread_mutex_lock(&lock);
	r->left++;
	pthread_mutex_unlock(&lock);
	rc = writer_update_object(req->conn->worker->proxy->writer, object, count_down, r);
	if (rc < 0) {
		STAT_INC(STAT_STORE_DROPPED);
		count_down(r, rc);
	}
	removal_begun(req, r);
}

void outdated_begin(struct request *req, const struct object *object)
{
	struct cache_key key = key_of(object->key);
	struct removal *r = removal_new(req);

	if (!r)
		return;
	remove_key(req, r, &key, object->id);
	remove_part(req, r, object->key, req->key_n);
	removal_begun(req, r);
}

void invalidate_leave(struct request *req)
{
	if (req->removal)
		req->removal->req = NULL;
	req->removal = NULL;
}

/* The worker ends. */
void removals_forget(struct client *client)
{
	struct removal *r;
	bool over;

	while ((r = LIST_FIRST(&client->removals))) {
		LIST_REMOVE(r, link);
		pthread_mutex_lock(&lock);
		over = r->left == 0; /* its mail is on the way, or was never read */
		r->worker = NULL;
		pthread_mutex_unlock(&lock);
		if (!over)
			continue;
		mail_cancel(client->worker, &r->mail);
		free(r);
	}
}
