/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	idle --snapshots_ask--> made by the workers, each on its thread (on_worker) --the last: on_made--> idle
 *
 * A part is its worker's from the post of its mail until `left` is counted down; all are ours again in on_made(). While
 * workers drain one may end without having looked: then its part never comes back, no further snapshot is made (the
 * process is about to end), and who waits is told so by on_limit(). The parts are freed after the workers' threads
 * have ended, so no reference survives.
 */
#include "proxy/admin/snapshots.h"

#include <stdlib.h>

#include "proxy/flow.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

struct part {
	struct mail mail;
	struct snapshots *all;
	struct flow_list list;
};

struct waiter {
	struct snapshots *all;
	struct admin_ask *ask; /* NULL: a free place */
	size_t limit;
};

struct snapshots {
	struct worker *control;
	struct mail made;
	struct event limit;
	bool making;
	atomic_uint left; /* workers that have not looked yet */
	struct part *parts;
	unsigned parts_n;
	struct waiter waiters[SNAPSHOTS_WAITERS];
};

/* ---- as JSON -------------------------------------------------------------------------------------- */

/* What is empty is null. */
static json_t *text_or_null(const char *text)
{
	json_t *json = text && *text ? json_string(text) : NULL;

	return json ? json : json_null();
}

static json_t *id_of(const struct flow *flow)
{
	static const char letters[] = {
#define X(name, letter) letter,
		FLOW_KINDS(X)
#undef X
	};

	return json_sprintf("%u%c%ju", flow->worker, letters[flow->kind], (uintmax_t)flow->serial);
}

static json_t *peer_of(const struct flow *flow)
{
	char text[ADDR_TEXT_MAX];

	return text_or_null(flow->peer.sa.sa_family ? addr_ip_format(&flow->peer, text) : NULL);
}

static json_t *row_of(const struct flow *flow)
{
	json_t *row = json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:i, s:I, s:o, s:I}", "id",
				id_of(flow), flow->kind == FLOW_FETCH ? "address" : "device",
				peer_of(flow), "vendor", text_or_null(flow->vendor), "host",
				text_or_null(flow->host), "path", text_or_null(flow->path),
				"secure", flow->secure, "state", flow->state, "status",
				(int)flow->status, "bytes", (json_int_t)flow->bytes, "length",
				flow->length < 0 ? json_null() : json_integer(flow->length),
				"age_ms", (json_int_t)flow->age_ms);

	if (!row || flow->kind == FLOW_FETCH)
		return row;
	if (json_object_set_new(row, "kind",
				json_string(flow->kind == FLOW_SPLICE ? "splice" : "request")) ||
	    json_object_set_new(row, "outcome", text_or_null(flow->outcome)) ||
	    json_object_set_new(row, "bytes_up", json_integer((json_int_t)flow->bytes_up))) {
		json_decref(row);
		return NULL;
	}
	return row;
}

static int by_age(const void *a, const void *b)
{
	const struct flow *const *x = a, *const *y = b;

	return (*x)->age_ms < (*y)->age_ms ? 1 : (*x)->age_ms > (*y)->age_ms ? -1 : 0;
}

struct picture {
	const struct flow **sorted;
	size_t n;
	unsigned connections, idle;
	bool more;
};

/* All parts as one list, the oldest first. */
static int picture_make(const struct snapshots *s, struct picture *ret_picture)
{
	struct picture picture = { 0 };
	size_t n = 0;

	for (unsigned i = 0; i < s->parts_n; i++)
		n += s->parts[i].list.n;
	picture.sorted = calloc(n + 1, sizeof(*picture.sorted));
	if (!picture.sorted)
		return -ENOMEM;
	for (unsigned i = 0; i < s->parts_n; i++) {
		const struct flow_list *list = &s->parts[i].list;

		for (size_t k = 0; k < list->n; k++)
			picture.sorted[picture.n++] = &list->flows[k];
		picture.connections += list->connections;
		picture.idle += list->idle;
		picture.more = picture.more || list->more;
	}
	qsort(picture.sorted, picture.n, sizeof(*picture.sorted), by_age);
	*ret_picture = picture;
	return 0;
}

/* Fetches, or all else. */
static json_t *rows_of(struct picture *picture, bool fetches, size_t limit)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < picture->n; i++) {
		if ((picture->sorted[i]->kind == FLOW_FETCH) != fetches)
			continue;
		if (json_array_size(rows) == limit) {
			picture->more = true;
			break;
		}
		if (json_array_append_new(rows, row_of(picture->sorted[i])) < 0) {
			json_decref(rows);
			return NULL;
		}
	}
	return rows;
}

static void answer(const struct snapshots *s, struct admin_ask *ask, size_t limit)
{
	struct picture picture;
	json_t *flows, *fetches;

	if (picture_make(s, &picture) < 0)
		return admin_answer_errno(ask, -ENOMEM);
	flows = rows_of(&picture, false, limit);
	fetches = rows_of(&picture, true, limit);
	admin_answer_json(ask, 200,
			  json_pack("{s:o, s:o, s:i, s:i, s:b}", "flows", flows, "fetches", fetches,
				    "connections", (int)picture.connections, "idle",
				    (int)picture.idle, "more", picture.more));
	free(picture.sorted);
}

/* ---- making one ----------------------------------------------------------------------------------- */

static void on_worker(struct worker *worker, struct mail *mail)
{
	struct part *part = (struct part *)((char *)mail - offsetof(struct part, mail));

	client_flows(worker, &part->list);
	splice_flows(worker, &part->list);
	fetch_flows(worker, &part->list);
	if (atomic_fetch_sub(&part->all->left, 1) == 1)
		mailbox_post(part->all->control, &part->all->made);
}

static void on_made(struct worker *control, struct mail *mail)
{
	struct snapshots *s = (struct snapshots *)((char *)mail - offsetof(struct snapshots, made));

	(void)control;
	s->making = false;
	event_del(&s->limit);
	for (size_t i = 0; i < ARRAY_LEN(s->waiters); i++) {
		struct admin_ask *ask = s->waiters[i].ask;

		s->waiters[i].ask = NULL;
		if (ask)
			answer(s, ask, s->waiters[i].limit);
	}
	for (unsigned i = 0; i < s->parts_n; i++)
		flow_list_clear(&s->parts[i].list);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct snapshots *s = arg;

	(void)fd, (void)what;
	for (size_t i = 0; i < ARRAY_LEN(s->waiters); i++) {
		struct admin_ask *ask = s->waiters[i].ask;

		s->waiters[i].ask = NULL;
		if (ask)
			admin_answer_error(ask, 503, "worker", "a worker does not answer");
	}
}

static int parts_make(struct snapshots *s)
{
	unsigned n = workers_count(s->control->proxy->workers);

	s->parts = calloc(n, sizeof(*s->parts));
	if (!s->parts)
		return -ENOMEM;
	s->parts_n = n;
	for (unsigned i = 0; i < n; i++) {
		s->parts[i].all = s;
		s->parts[i].list.limit = SNAPSHOTS_ROWS_MAX;
		mail_init(&s->parts[i].mail, on_worker);
	}
	return 0;
}

static void make(struct snapshots *s)
{
	struct workers *workers = s->control->proxy->workers;

	s->making = true;
	atomic_store(&s->left, s->parts_n);
	for (unsigned i = 0; i < s->parts_n; i++)
		mailbox_post(workers_at(workers, i), &s->parts[i].mail);
	CHECK_OK(event_add(&s->limit, worker_timeout(s->control, SNAPSHOTS_LIMIT_MS)));
}

/* The server ends. */
static void on_gone(void *arg)
{
	struct waiter *waiter = arg;

	waiter->ask = NULL;
}

void snapshots_ask(struct snapshots *s, struct admin_ask *ask, size_t limit)
{
	struct waiter *waiter = NULL;

	for (size_t i = 0; i < ARRAY_LEN(s->waiters) && !waiter; i++)
		waiter = s->waiters[i].ask ? NULL : &s->waiters[i];
	if (!waiter || (s->making && !event_pending(&s->limit, EV_TIMEOUT, NULL)))
		return admin_answer_error(ask, 503, "busy", "not just now; ask again");
	if (!s->parts && parts_make(s) < 0)
		return admin_answer_errno(ask, -ENOMEM);
	*waiter = (struct waiter){ s, ask, limit };
	admin_keep(ask, on_gone, waiter);
	if (!s->making)
		make(s);
}

/* ---- its life ------------------------------------------------------------------------------------- */

int snapshots_new(struct worker *control, struct snapshots **ret_snapshots)
{
	struct snapshots *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->control = control;
	mail_init(&s->made, on_made);
	CHECK_OK(evtimer_assign(&s->limit, control->base, on_limit, s));
	*ret_snapshots = s;
	return 0;
}

void snapshots_free(struct snapshots **snapshots)
{
	struct snapshots *s = *snapshots;

	if (!s)
		return;
	event_del(&s->limit);
	mail_cancel(s->control, &s->made);
	for (unsigned i = 0; i < s->parts_n; i++)
		flow_list_clear(&s->parts[i].list);
	free(s->parts);
	free(s);
	*snapshots = NULL;
}
