/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the parents whether they are there.
 *
 * Owns up to PARENTS_MAX questions under way, each a dial and then an exchange, and one timer. A question:
 *
 *	ask --> dialling --on_dial--> asking --on_answer--> done: the table is told
 *	           |                     |
 *	           +---- no connection --+-- no answer, no HTTP: the table is told, too
 *
 * OPTIONS * with Max-Forwards: 0 is for the parent itself (RFC 9110 7.6.2, 9.3.7); our name in Via tells another Tarn
 * who has it for its parent.
 */
#include "proxy/upstream/credentials.h"
#include "proxy/upstream/parent_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/upstream/dial.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/parent.h"

#define AGAIN_MS 1000 /* after a failure, if [parent] check is longer */

struct question {
	struct parent_check *check;
	struct parent_way way;
	struct dial *dial;
	struct exchange *exchange;
	struct stream stream;
};

struct parent_check {
	struct worker *control;
	parent_moved_f *moved;
	void *arg;
	struct event timer;
	uint64_t due[PARENTS_MAX]; /* mono_ms, by place */
	struct question questions[PARENTS_MAX];
};

static uint64_t now_ms(struct parent_check *check)
{
	return worker_now(check->control)->mono_ms;
}

static uint64_t interval(const struct parent_check *check)
{
	return (uint64_t)check->control->config->settings.parent.check;
}

static void question_end(struct question *q)
{
	dial_cancel(&q->dial);
	exchange_cancel(&q->exchange);
	stream_close(&q->stream);
}

static void schedule(struct parent_check *check)
{
	size_t n = parents_count(check->control->proxy->parents);
	uint64_t next = UINT64_MAX, now = now_ms(check), wait;
	struct timeval tv;

	for (size_t i = 0; i < n; i++)
		if (check->due[i] < next)
			next = check->due[i];
	event_del(&check->timer);
	if (next == UINT64_MAX)
		return;
	wait = next > now ? next - now : 0;
	tv = (struct timeval){ (time_t)(wait / 1000), (suseconds_t)(wait % 1000) * 1000 };
	CHECK_OK(event_add(&check->timer, &tv));
}

static void done(struct question *q, const char *why, bool loop, const char *pseudonym)
{
	struct parent_check *check = q->check;
	uint64_t now = now_ms(check), wait = interval(check);

	question_end(q);
	if (why && wait > AGAIN_MS)
		wait = AGAIN_MS;
	check->due[q - check->questions] = now + wait;
	if (parents_checked(check->control->proxy->parents, q->way.id, why, loop, pseudonym, now))
		check->moved(check->arg);
	schedule(check);
}

static void on_answer(void *arg, int err, const struct http_head *head, struct span rest)
{
	struct question *q = arg;
	char pseudonym[PSEUDONYM_MAX] = "";

	(void)rest;
	q->exchange = NULL;
	if (!err)
		parent_pseudonym(head, pseudonym);
	if (err)
		done(q, err == -EBADMSG ? "it speaks no HTTP" : "no answer", false, "");
	else if (head->status == 508 || strcmp(pseudonym, q->check->control->proxy->pseudonym) == 0)
		done(q, "it leads back here", true, "");
	else if (head->status == 407)
		done(q, "it wants a password", false, "");
	else
		done(q, NULL, false, pseudonym);
}

static void on_dial(void *arg, int err, const struct stream *stream, const struct addr *peer)
{
	struct question *q = arg;
	const struct worker *control = q->check->control;
	char at[ORIGIN_TEXT_MAX], text[EXCHANGE_HEAD_MAX], line[CREDENTIALS_LINE_MAX];
	int n, rc;

	(void)peer;
	q->dial = NULL;
	if (err) {
		done(q, secure_error_name(err) ? "its certificate is not valid" : "no connection",
		     false, "");
		return;
	}
	q->stream = *stream;
	(void)credentials_line(&control->config->settings, q->way.proxy, line);
	n = snprintf(text, sizeof(text),
		     "OPTIONS * HTTP/1.1\r\nHost: %s\r\nMax-Forwards: 0\r\nVia: 1.1 %s\r\n"
		     "Connection: close\r\n%s\r\n",
		     strstr(origin_format(&q->way.at, at), "//") + 2, control->proxy->pseudonym,
		     line);
	rc = exchange_begin(q->check->control, &q->stream, span_make(text, (size_t)n),
			    (unsigned)control->config->settings.upstream.connect_timeout, on_answer,
			    q, &q->exchange);
	if (rc < 0)
		done(q, "no memory", false, "");
}

static void ask(struct question *q, const struct parent_way *way)
{
	struct dial_to to = { .secure = way->at.secure,
			      .host = q->way.at.host,
			      .port = way->at.port };

	question_end(q);
	q->way = *way;
	if (dial(q->check->control, &to, on_dial, q, &q->dial) < 0)
		done(q, "no memory", false, "");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct parent_check *check = arg;
	uint64_t now = now_ms(check);
	struct parent_view view;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < PARENTS_MAX; i++) {
		if (check->due[i] > now ||
		    !parents_at(check->control->proxy->parents, i, now, &view))
			continue;
		check->due[i] = UINT64_MAX; /* until it is done */
		ask(&check->questions[i], &view.way);
	}
	schedule(check);
}

static void begin(struct parent_check *check)
{
	for (size_t i = 0; i < PARENTS_MAX; i++) {
		question_end(&check->questions[i]);
		check->due[i] = 0;
	}
	schedule(check);
}

int parent_check_new(struct worker *control, parent_moved_f *moved, void *arg,
		     struct parent_check **ret_check)
{
	struct parent_check *check = calloc(1, sizeof(*check));

	if (!check)
		return -ENOMEM;
	check->control = control;
	check->moved = moved;
	check->arg = arg;
	for (size_t i = 0; i < PARENTS_MAX; i++)
		check->questions[i] = (struct question){ .check = check, .stream = STREAM_NONE };
	CHECK_OK(evtimer_assign(&check->timer, control->base, on_timer, check));
	begin(check);
	*ret_check = check;
	return 0;
}

void parent_check_reload(struct parent_check *check)
{
	if (!check)
		return;
	parents_set(check->control->proxy->parents, &check->control->config->settings);
	begin(check);
	check->moved(check->arg);
}

void parent_check_free(struct parent_check **ptr)
{
	struct parent_check *check = *ptr;

	if (!check)
		return;
	for (size_t i = 0; i < PARENTS_MAX; i++)
		question_end(&check->questions[i]);
	event_del(&check->timer);
	free(check);
	*ptr = NULL;
}
