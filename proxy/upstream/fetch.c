/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a fetch: what it was asked, its tries, its connection, its end.
 *
 *	          fetch_start
 *	               |
 *	               v        fetch_try: a pooled connection
 *	             START ------------------------------------+
 *	               | fetch_try                             |
 *	               v           connected                   v
 *	     +----> CONNECT ---------------------------------> SEND
 *	     |         |                                       | fetch_send: all is sent
 *	     |         |                                       v
 *	     |         |        fetch_read_head: 1xx +------> HEAD
 *	     |         |                             +-------- |
 *	     |         |                                       | fetch_read_head: a final head
 *	     |         v                                       v
 *	     +--- fetch_failed <--- closed, timed out ------- BODY
 *	               |                                       | fetch_read_body: complete
 *	               | nothing left to try                   |
 *	               v                                       v
 *	              END <------------------------------ fetch_finish
 *
 * What may be tried again: a GET for the cache always, in the middle of its body if what came has a strong
 * validator; a relayed request only if nothing of it can have had an effect. Each host gets
 * FETCH_TRIES_PER_HOST connections without progress (balance.h rests addresses that failed, so the second
 * goes elsewhere), then comes the next mirror of its group, FETCH_MIRRORS at most. A parent that does not do it gets no
 * second try: the next one is asked, then the vendor (parent.h). Before there is a head, tries are
 * begun for as long as one connection and one response may take together: then the device has its answer.
 *
 * Invariants: `stream` is ours or none; `event` is only added while there is one, or a pause is being waited out; after
 * flight_end() nobody posts `mail`, so it can be taken back and the fetch freed.
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/upstream/fetch_priv.h"

/* All of this thread's worker. */
static _Thread_local LIST_HEAD(, fetch) running;
static _Thread_local uint64_t begun; /* how many there ever were */

const char *fetch_step_name(enum fetch_step step)
{
	static const char *const names[] = {
#define X(name, text, help) [FETCH_##name] = text,
		FETCH_STEPS(X)
#undef X
	};
	return names[step];
}

unsigned fetch_error_status(int error)
{
	return error == -ETIMEDOUT ? 504 : error == -EACCES ? 403 : 502;
}

const char *fetch_error_text(int error)
{
	enum secure_reason reason;

	return secure_error_reason(error, &reason) ? secure_reason_help(reason)
						   : "the vendor can't be reached";
}

/* ---- events -------------------------------------------------------------------------------------- */

static void timed_out(struct fetch *f)
{
	if (f->step == FETCH_BODY && !f->watching) {
		fetch_read_body(f); /* a pause: the flight's window was full */
		return;
	}
	if (f->step == FETCH_START) {
		fetch_finish(f, -ETIMEDOUT); /* all connections of the host were busy */
		return;
	}
	STAT_INC(f->step == FETCH_BODY ? STAT_UPSTREAM_TIMEOUT_IDLE
				       : STAT_UPSTREAM_TIMEOUT_FIRST_BYTE);
	if (f->step == FETCH_SEND && f->has_body) {
		fetch_finish(f, -ETIMEDOUT); /* it has the head: once is enough */
		return;
	}
	fetch_failed(f, -ETIMEDOUT);
}

static void fetch_try(struct fetch *f);

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *f = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		timed_out(f);
	else if (f->step == FETCH_START)
		fetch_try(f);
	else if (f->step == FETCH_BODY)
		fetch_read_body(f);
	else if (what & EV_READ)
		fetch_read_head(f);
	else
		fetch_send(f);
}

void fetch_watch(struct fetch *f, short events, unsigned timeout_ms)
{
	const struct timeval *limit = timeout_ms ? worker_timeout(f->worker, timeout_ms) : NULL;

	if (events && events == f->watching && timeout_ms == f->watching_ms)
		return; /* persistent: its time limit starts again with each event */
	if (events && events == f->watching && limit) {
		/* Only the time limit is another: no reason to tell the kernel. */
		f->watching_ms = timeout_ms;
		CHECK_OK(event_add(&f->event, limit));
		return;
	}
	if (event_initialized(&f->event))
		event_del(&f->event);
	f->watching = events;
	f->watching_ms = timeout_ms;
	if (!events && !limit)
		return;
	event_assign(&f->event, f->worker->base, events ? f->stream.fd : -1,
		     events ? events | EV_PERSIST : 0, on_event, f);
	CHECK_OK(event_add(&f->event, limit));
}

static void unwatch(struct fetch *f)
{
	if (event_initialized(&f->event))
		event_del(&f->event);
	f->watching = 0;
}

static void on_wake(struct flight_producer *producer)
{
	struct fetch *f = (struct fetch *)((char *)producer - offsetof(struct fetch, producer));

	mailbox_post(f->worker, &f->mail);
}

static void on_mail(struct worker *worker, struct mail *mail)
{
	struct fetch *f = (struct fetch *)((char *)mail - offsetof(struct fetch, mail));

	(void)worker;
	if (!flight_wanted(f->flight))
		fetch_finish(f, -ECANCELED);
	else if (f->step == FETCH_BODY && (!f->watching || f->goes_on))
		fetch_read_body(f);
}

void fetch_next_turn(struct fetch *f)
{
	f->goes_on = true;
	mailbox_post(f->worker, &f->mail);
}

/* ---- the queue of a host ----------------------------------------------------------------------- */

/* Among the connections of its host, or in their queue: false. */
static bool queue_enter(struct fetch *f)
{
	int64_t most = f->config->settings.upstream.max_per_host;
	uint64_t now = worker_now(f->worker)->mono_ms;
	const struct fetch *other;
	int64_t n = 0;

	LIST_FOREACH(other, &running, link)
	n += other->counted && other->port == f->port && other->secure == f->secure &&
	     !strcmp(other->counted, f->at);
	f->counted = n < most ? f->at : NULL;
	f->queued = !f->counted;
	if (f->queued) {
		f->step = FETCH_START;
		fetch_watch(f, 0, f->head_due > now ? (unsigned)(f->head_due - now) : 1);
	}
	return f->counted != NULL;
}

/* Its place is another's: the one that has waited longest, the last of those in the list. */
static void queue_leave(struct fetch *f)
{
	struct fetch *other, *next = NULL;
	const char *host = f->counted;

	f->counted = NULL;
	if (!host)
		return;
	LIST_FOREACH(other, &running, link)
	if (other->queued && other->port == f->port && other->secure == f->secure &&
	    !strcmp(other->at, host))
		next = other;
	if (!next)
		return;
	next->queued = false;
	event_active(&next->event, EV_WRITE, 0);
}

/* ---- the connection ------------------------------------------------------------------------------ */

static struct dial_to dial_to(const struct fetch *f)
{
	struct dial_to to = {
		.secure = f->secure, .profile = f->profile, .host = f->at, .port = f->port
	};

	if (fetch_at_parent(f))
		to = (struct dial_to){ .secure = f->way.at.secure,
				       .host = f->way.at.host,
				       .port = f->way.at.port };
	else if (f->way.id)
		to.through = &f->way.at;
	return to;
}

void fetch_release(struct fetch *f, bool reusable)
{
	dial_cancel(&f->dial);
	unwatch(f);
	f->queued = false;
	queue_leave(f);
	if (f->stream.fd < 0)
		return;
	if (reusable)
		pool_give(f->worker, fetch_at_parent(f) ? f->way.at.host : f->at,
			  fetch_at_parent(f) ? f->way.at.port : f->port, &f->stream, &f->peer);
	else
		stream_close(&f->stream);
	STAT_DEC(STAT_UPSTREAM_OPEN);
}

static void connected(struct fetch *f, const struct stream *stream, const struct addr *peer,
		      bool reused)
{
	CHECK((fetch_at_parent(f) ? f->way.at.secure : f->secure) == (stream->secure != NULL));
	f->stream = *stream;
	if (f->from_outside && !f->way.id && addr_is_local(peer)) {
		stream_close(&f->stream);
		fetch_finish(f, -EACCES);
		return;
	}
	f->peer = *peer;
	f->reused = reused;
	f->step = FETCH_SEND;
	STAT_INC(STAT_UPSTREAM_OPEN);
	fetch_send(f);
}

static void on_dial(void *arg, int err, const struct stream *stream, const struct addr *peer)
{
	struct fetch *f = arg;

	f->dial = NULL;
	if (err)
		fetch_failed(f, err);
	else
		connected(f, stream, peer, false);
}

/* A request that can't be repeated must not meet a connection that is just being closed. */
static bool may_reuse(const struct fetch *f)
{
	return !f->no_pool && !f->has_body && http_method_is_idempotent(f->request->method);
}

static void fetch_try(struct fetch *f)
{
	struct dial_to to;
	struct stream stream;
	struct addr peer;
	int rc;

	if (!queue_enter(f))
		return;
	to = dial_to(f);
	f->step = FETCH_CONNECT;
	f->response_began = false;
	f->in_n = f->in_at = 0;
	f->out_at = 0;
	rc = fetch_build(f);
	if (rc < 0) {
		fetch_finish(f, rc);
		return;
	}
	if (may_reuse(f) && pool_take(f->worker, &to, &stream, &peer) == 0) {
		STAT_INC(STAT_UPSTREAM_REUSED);
		connected(f, &stream, &peer, true);
		return;
	}
	rc = dial(f->worker, &to, on_dial, f, &f->dial);
	if (rc < 0)
		fetch_finish(f, rc);
}

static void parked_take(struct fetch *f);
static void parked_drop(struct fetch *f);

/* ---- tries --------------------------------------------------------------------------------------- */

static bool may_retry(struct fetch *f)
{
	if (f->kind == FETCH_CACHE)
		return !f->headed || (f->object && flight_wanted(f->flight));
	if (f->headed || f->body_begun)
		return false;
	return f->step == FETCH_CONNECT || http_method_is_idempotent(f->request->method);
}

/* The next mirror that is not the host itself. */
static bool next_mirror(struct fetch *f)
{
	const char *const *mirrors;
	size_t n = 0;

	if (f->kind != FETCH_CACHE || !f->profile || !f->group[0] ||
	    f->mirrors_tried == FETCH_MIRRORS)
		return false;
	mirrors = profile_mirrors(f->profile, f->group, &n);
	while (f->mirror < n) {
		const char *host = mirrors[f->mirror++];

		if (strcmp(host, f->host) != 0) {
			f->at = host;
			f->mirrors_tried++;
			return true;
		}
	}
	return false;
}

static bool next_try(struct fetch *f)
{
	if (f->headed && flight_published(f->flight) > f->progress_at) {
		f->progress_at = flight_published(f->flight);
		f->tries = 0;
		f->mirror = f->mirrors_tried = 0;
	}
	if (!f->headed && worker_now(f->worker)->mono_ms >= f->head_due)
		return false; /* the device will not wait for ever */
	if (++f->tries % FETCH_TRIES_PER_HOST != 0)
		return true;
	return next_mirror(f);
}

/* The next of the ways; false: there is none. */
static bool next_way(struct fetch *f)
{
	const char *vendor = f->profile && !f->direct && f->target.n && f->target.p[0] == '/'
				     ? profile_name(f->profile)
				     : NULL;

	return parents_next(f->worker->proxy->parents, vendor, f->secure, f->ways_tried,
			    worker_now(f->worker)->mono_ms, &f->way);
}

/* The parent is told of, and the next way is in f->way; false: there is none. */
static bool leave_parent(struct fetch *f, const char *why, bool loop)
{
	struct parent_way before = f->way;

	parents_failed(f->worker->proxy->parents, before.id, why, loop,
		       worker_now(f->worker)->mono_ms);
	f->ways_tried = parent_tried(f->ways_tried, before.id);
	if (next_way(f))
		return true;
	f->way = before;
	return false;
}

bool fetch_other_way(struct fetch *f, const char *why, bool loop)
{
	struct parent_way before = f->way, next;

	if (!before.id || !leave_parent(f, why, loop))
		return false;
	/* What is let go of is the old way's. */
	next = f->way;
	f->way = before;
	fetch_release(f, false);
	f->way = next;
	f->no_pool = false;
	fetch_try(f);
	return true;
}

static const char *failure_name(const struct fetch *f, int rc)
{
	return rc == -ETIMEDOUT		  ? "no answer in time"
	       : f->step == FETCH_CONNECT ? "no connection"
					  : "the connection broke";
}

void fetch_failed(struct fetch *f, int rc)
{
	bool stale = f->reused && !f->response_began && f->step != FETCH_CONNECT;

	LOG(LOG_L_DEBUG, "fetch.failed", "host=%s step=%s error=%d tries=%u", f->at,
	    fetch_step_name(f->step), rc, f->tries);
	if (f->stream.fd >= 0 && !stale)
		balance_failed(f->worker->proxy->balance, &f->peer, worker_now(f->worker)->mono_ms);
	f->no_pool = true;
	f->last_error = rc;
	if (!stale && f->way.id && may_retry(f) && fetch_other_way(f, failure_name(f, rc), false))
		return;
	if (!may_retry(f) || (!stale && !next_try(f))) {
		if (f->parked.there && !f->headed)
			parked_take(f);
		else
			fetch_finish(f, f->last_error);
		return;
	}
	fetch_release(f, false);
	if (!stale)
		STAT_INC(STAT_UPSTREAM_RETRIES);
	fetch_try(f);
}

bool fetch_elsewhere(struct fetch *f)
{
	const char *at = f->at;

	struct parent_way way = f->way, next = { 0 };

	if (f->headed || f->parked_once || worker_now(f->worker)->mono_ms >= f->head_due)
		return false;
	f->ways_tried = parent_tried(f->ways_tried, way.id);
	if (way.id && next_way(f))
		next = f->way;
	else if (way.id || !next_mirror(f))
		return false;
	f->way = next;
	STAT_INC(STAT_UPSTREAM_RETRIES);
	unwatch(f);
	queue_leave(f);
	f->parked = (struct parked){ true,     f->stream,   at,		way,
				     f->peer,  f->in,	    f->in_room, f->in_n,
				     f->in_at, f->response, f->framing, f->requested };
	f->parked_once = true;
	f->stream = STREAM_NONE;
	f->in = NULL;
	f->in_room = f->in_n = f->in_at = 0;
	f->response = NULL;
	f->tries = 0;
	fetch_try(f);
	return true;
}

static void parked_drop(struct fetch *f)
{
	if (!f->parked.there)
		return;
	stream_close(&f->parked.stream);
	STAT_DEC(STAT_UPSTREAM_OPEN);
	free(f->parked.in);
	free(f->parked.response);
	f->parked = (struct parked){ 0 };
}

/* No mirror did better: back to the error that came first. */
static void parked_take(struct fetch *f)
{
	struct parked parked = f->parked;

	f->parked = (struct parked){ 0 };
	fetch_release(f, false);
	free(f->in);
	free(f->response);
	f->stream = parked.stream;
	f->at = parked.at;
	f->way = parked.way;
	f->peer = parked.peer;
	f->in = parked.in;
	f->in_room = parked.in_room;
	f->in_n = parked.in_n;
	f->in_at = parked.in_at;
	f->response = parked.response;
	f->framing = parked.framing;
	f->requested = parked.requested;
	f->response_began = true;
	fetch_parked_head(f);
}

void fetch_again(struct fetch *f)
{
	fetch_release(f, false);
	fetch_try(f);
}

/* ---- the beginning and the end ------------------------------------------------------------------- */

static void fetch_free(struct fetch *f)
{
	object_free(&f->object);
	object_free(&f->stored);
	lease_unref(&f->stored_lease);
	config_unref(&f->config);
	free(f->response);
	free(f->request);
	free(f->request_raw);
	free(f->texts);
	free(f->prefix);
	free(f->absolute);
	free(f->out);
	free(f->in);
	free(f);
}

void fetch_finish(struct fetch *f, int rc)
{
	struct worker *worker = f->worker;

	f->step = FETCH_END;
	LIST_REMOVE(f, link);
	fetch_release(f, false);
	parked_drop(f);
	fetch_others_drop(f);
	if (f->ended)
		f->ended(f->arg);
	flight_end(f->flight, rc);
	mail_cancel(worker, &f->mail);
	fetch_free(f);
	worker_release(worker);
}

/* All texts of the question in one allocation. */
static int copy_texts(struct fetch *f, const struct fetch_ask *ask)
{
	const struct span from[] = { ask->authority, ask->target, ask->key, ask->vary };
	struct span *to[] = { &f->authority, &f->target, &f->key, &f->vary };
	size_t sum = 0;
	char *at;

	for (unsigned i = 0; i < ARRAY_LEN(from); i++)
		sum += from[i].n;
	at = f->texts = malloc(sum + 1);
	if (!at)
		return -ENOMEM;
	for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
		if (from[i].n)
			memcpy(at, from[i].p, from[i].n);
		*to[i] = span_make(at, from[i].n);
		at += from[i].n;
	}
	return 0;
}

/* The device may leave before us: its head is parsed again out of a copy of its bytes. */
static int copy_request(struct fetch *f, const struct http_head *request)
{
	f->request_raw = malloc(request->size);
	f->request = malloc(sizeof(*f->request));
	if (!f->request_raw || !f->request)
		return -ENOMEM;
	/* A request begins with its method. */
	memcpy(f->request_raw, request->method_name.p, request->size);
	return http_request_parse(f->request, f->request_raw, request->size);
}

static int copy_stored(struct fetch *f, const struct object *stored)
{
	if (!stored)
		return 0;
	f->stored = object_dup(stored);
	f->stored_lease = lease_new(f->worker->proxy->store, stored->id);
	return f->stored && f->stored_lease ? 0 : -ENOMEM;
}

static int copy_prefix(struct fetch *f, struct span prefix)
{
	if (!prefix.n)
		return 0;
	f->prefix = malloc(prefix.n);
	if (!f->prefix)
		return -ENOMEM;
	memcpy(f->prefix, prefix.p, prefix.n);
	f->prefix_n = prefix.n;
	return 0;
}

static int copy_ask(struct fetch *f, const struct fetch_ask *ask)
{
	int rc;

	f->kind = ask->kind;
	f->profile = ask->profile;
	f->secure = ask->secure;
	f->port = ask->port;
	f->unstored = ask->unstored;
	f->policy = *ask->policy;
	f->cond = ask->cond;
	f->has_range = ask->has_range;
	f->as_asked = f->policy.part = ask->as_asked;
	f->range = ask->range;
	f->has_body = ask->body != NULL;
	f->from_outside = ask->from_outside;
	f->direct = ask->direct;
	if (ask->body)
		f->body = *ask->body;
	f->interim = ask->interim;
	f->answered = ask->answered;
	f->ended = ask->ended;
	f->ahead = ask->generation != 0;
	f->generation = ask->generation;
	f->rate = ask->rate;
	f->sent = ask->sent;
	f->arg = ask->arg;
	rc = span_copy(span_of(ask->host), f->host, sizeof(f->host));
	if (rc == 0)
		rc = span_copy(span_of(ask->group), f->group, sizeof(f->group));
	if (rc == 0)
		rc = copy_texts(f, ask);
	if (rc == 0)
		rc = copy_request(f, ask->request);
	if (rc == 0)
		rc = copy_prefix(f, ask->prefix);
	return rc == 0 ? copy_stored(f, ask->stored) : rc;
}

static void on_start(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fetch_try(arg);
}

int fetch_start(struct worker *worker, struct flight *flight, const struct fetch_ask *ask,
		struct fetch **ret_fetch)
{
	struct fetch *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	f->worker = worker;
	f->config = config_ref(worker->config);
	f->stream = STREAM_NONE;
	f->length = -1;
	f->end = UINT64_MAX;
	rc = copy_ask(f, ask);
	if (rc < 0) {
		fetch_free(f);
		return rc;
	}
	f->others_n = ask->others_n;
	memcpy(f->others, ask->others, sizeof(f->others));
	f->at = f->host;
	f->ways_tried = parents_passed(worker->proxy->parents, f->request);
	(void)next_way(f); /* straight, if there is no other */
	f->head_due = worker_now(worker)->mono_ms +
		      (uint64_t)(f->config->settings.upstream.connect_timeout +
				 f->config->settings.upstream.first_byte_timeout);
	if (f->profile && !f->ahead)
		f->generation = generation_of(worker->proxy->generations, worker->reader,
					      profile_name(f->profile));
	f->flight = flight;
	f->producer.wake = on_wake;
	mail_init(&f->mail, on_mail);
	flight_produce(flight, &f->producer);
	f->serial = ++begun;
	f->began_ms = worker_now(worker)->mono_ms;
	LIST_INSERT_HEAD(&running, f, link);
	worker_hold(worker);
	if (ret_fetch) {
		*ret_fetch = f;
		event_assign(&f->event, worker->base, -1, 0, on_start, f);
		event_active(&f->event, EV_TIMEOUT, 0);
	} else {
		fetch_try(f);
	}
	return 0;
}

void fetch_owner_gone(struct fetch *f)
{
	bool cut = f->has_body && !f->body_ended;

	f->interim = f->answered = NULL;
	f->ended = NULL;
	f->sent = NULL;
	f->body.read = NULL;
	if (cut)
		fetch_finish(f, -ECANCELED);
}

void fetch_body_ready(struct fetch *f)
{
	if (f->step == FETCH_SEND && f->stream.fd >= 0)
		fetch_send(f);
}

void fetch_each(fetch_each_f *f, void *arg)
{
	const struct fetch *fetch;

	LIST_FOREACH(fetch, &running, link)
	f(fetch, arg);
}

void fetch_end_all(void)
{
	while (!LIST_EMPTY(&running))
		fetch_finish(LIST_FIRST(&running), -ECANCELED);
}
