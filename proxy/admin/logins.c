/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	logins_ask ──► waiting ──► next_begin: the limit says no ──────────────────────────────► done(-EBUSY)
 *	                  ▲              │ it may be looked at: thread_start
 *	                  │              ▼
 *	                  └────────── running ── run, on its thread ──► on_checked ──► done(0, -EACCES, -EINVAL)
 *
 * The first of the queue is the one that runs. The thread reads its question and `held`, and writes `right`, `rc` and
 * `hash`; the mail that it posts at its end is what publishes them. A password that was changed meanwhile decides by what
 * it is now.
 */
#include "proxy/admin/logins.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "firmware/base/thread.h"
#include "firmware/base/password.h"
#include "proxy/loop.h"

struct login {
	struct logins *logins;
	struct admin_ask *ask;	     /* NULL: gone, the server ends */
	char session[SESSION_TOKEN]; /* whose it is; "": nobody's */
	enum admin_role role;
	login_done_f *done;
	char *password, *fresh; /* or NULL */
	TAILQ_ENTRY(login) link;
};

struct logins {
	struct worker *control;
	struct access *access;
	TAILQ_HEAD(queue, login) waiting;
	unsigned n;
	bool runs;
	pthread_t thread;
	struct mail checked;
	const struct login *first; /* the thread's, while it runs, as are the next */
	char held[PASSWORD_TEXT_MAX];
	bool right;
	int rc;
	char hash[PASSWORD_TEXT_MAX];
};

static void *run(void *arg)
{
	struct logins *logins = arg;
	const struct login *login = logins->first;

	logins->right = !login->password || password_fits(span_of(login->password), logins->held);
	logins->rc = 0;
	if (logins->right && login->fresh)
		logins->rc = password_hash(span_of(login->fresh), logins->hash);
	mailbox_post(logins->control, &logins->checked);
	return NULL;
}

static void text_free(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static void login_free(struct login *login)
{
	text_free(login->password);
	text_free(login->fresh);
	free(login);
}

/* Takes the first of the queue out, and answers it. */
static void first_end(struct logins *logins, int rc, uint64_t wait_ms)
{
	struct login *login = TAILQ_FIRST(&logins->waiting);
	const struct login_answer answer = { rc, wait_ms, login->role, login->fresh, logins->hash };
	struct admin_ask *ask = login->ask;

	TAILQ_REMOVE(&logins->waiting, login, link);
	logins->n--;
	if (ask && *login->session)
		ask->session = session_find(access_sessions(logins->access), login->session,
					    worker_now(logins->control)->mono_ms);
	if (ask)
		login->done(ask, &answer);
	login_free(login);
}

static int first_begin(struct logins *logins, struct login *login, uint64_t *ret_wait_ms)
{
	uint64_t now_ms = worker_now(logins->control)->mono_ms;
	int rc = login->password ? access_may(logins->access, login->ask->peer, now_ms, ret_wait_ms)
				 : 0;

	if (rc < 0)
		return rc;
	logins->first = login;
	access_hash(logins->access, login->role, logins->held);
	rc = thread_start(&logins->thread, run, logins);
	logins->runs = rc == 0;
	return rc;
}

/* Begins with the first that may be looked at; those before it are answered. */
static void next_begin(struct logins *logins)
{
	struct login *login;

	while (!logins->runs && (login = TAILQ_FIRST(&logins->waiting))) {
		uint64_t wait_ms = 0;
		int rc = first_begin(logins, login, &wait_ms);

		if (rc < 0)
			first_end(logins, rc, wait_ms);
	}
}

static void on_checked(struct worker *control, struct mail *mail)
{
	struct logins *logins = (struct logins *)((char *)mail - offsetof(struct logins, checked));
	struct login *login = TAILQ_FIRST(&logins->waiting);
	char held[PASSWORD_TEXT_MAX];
	bool right = logins->right;

	CHECK_OK(pthread_join(logins->thread, NULL));
	logins->runs = false;
	if (login->password) {
		access_hash(logins->access, login->role, held);
		right = right && strcmp(held, logins->held) == 0;
		if (login->ask)
			access_told(logins->access, login->ask->peer, right,
				    worker_now(control)->mono_ms);
	}
	first_end(logins, right ? logins->rc : -EACCES, 0);
	OPENSSL_cleanse(logins->hash, sizeof(logins->hash));
	next_begin(logins);
}

/* The server ends. */
static void on_gone(void *arg)
{
	((struct login *)arg)->ask = NULL;
}

int logins_new(struct worker *control, struct access *access, struct logins **ret_logins)
{
	struct logins *logins = calloc(1, sizeof(*logins));

	if (!logins)
		return -ENOMEM;
	logins->control = control;
	logins->access = access;
	TAILQ_INIT(&logins->waiting);
	mail_init(&logins->checked, on_checked);
	*ret_logins = logins;
	return 0;
}

void logins_free(struct logins **ptr)
{
	struct logins *logins = *ptr;
	struct login *login;

	*ptr = NULL;
	if (!logins)
		return;
	if (logins->runs) {
		CHECK_OK(pthread_join(logins->thread, NULL));
		mail_cancel(logins->control, &logins->checked);
	}
	while ((login = TAILQ_FIRST(&logins->waiting))) {
		TAILQ_REMOVE(&logins->waiting, login, link);
		login_free(login);
	}
	free(logins);
}

static bool text_copy(const char *text, char **ret_text)
{
	*ret_text = text ? strdup(text) : NULL;
	return !text || *ret_text;
}

/* Who tells no password is on this machine: a flood of log-ins is not before it. */
static void queue(struct logins *logins, struct login *login)
{
	struct login *first = TAILQ_FIRST(&logins->waiting);

	if (!login->password && first)
		TAILQ_INSERT_AFTER(&logins->waiting, first, login, link);
	else
		TAILQ_INSERT_TAIL(&logins->waiting, login, link);
	logins->n++;
}

void logins_ask(struct logins *logins, struct admin_ask *ask, const struct login_question *question,
		login_done_f *done)
{
	bool room = !question->password || logins->n < LOGINS_MAX;
	struct login *login = room ? calloc(1, sizeof(*login)) : NULL;

	if (!login)
		return admin_answer_errno(ask, -ENOMEM);
	login->logins = logins;
	login->ask = ask;
	login->role = question->role;
	login->done = done;
	if (ask->session)
		memcpy(login->session, ask->session->token, sizeof(login->session));
	if (!text_copy(question->password, &login->password) ||
	    !text_copy(question->fresh, &login->fresh)) {
		login_free(login);
		return admin_answer_errno(ask, -ENOMEM);
	}
	queue(logins, login);
	admin_keep(ask, on_gone, login);
	next_begin(logins);
}
