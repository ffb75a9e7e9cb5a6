/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	logins_ask ──► waiting ──► next_begin: the limit says no ──────────────────────► done(-EBUSY)
 *	                  ▲              │ it may be looked at: thread_start
 *	                  │              ▼
 *	                  └────────── running ── run, on its thread ──► on_checked ──► done(0, -EACCES)
 *
 * The first of the queue is the one that runs. The thread reads the copies in `running` and writes `right` there; the mail
 * that it posts at its end is what publishes it. A password that was changed meanwhile decides by what it is now.
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
	struct admin_ask *ask; /* NULL: gone, the server ends */
	enum admin_role role;
	login_done_f *done;
	char *password;
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
	char *password; /* the thread's, while it runs, as are the next two */
	char hash[PASSWORD_TEXT_MAX];
	bool right;
};

static void *run(void *arg)
{
	struct logins *logins = arg;

	logins->right = password_fits(span_of(logins->password), logins->hash);
	mailbox_post(logins->control, &logins->checked);
	return NULL;
}

static void login_free(struct login *login)
{
	OPENSSL_cleanse(login->password, strlen(login->password));
	free(login->password);
	free(login);
}

/* Takes the first of the queue out, and answers it. */
static void first_end(struct logins *logins, int rc, uint64_t wait_ms)
{
	struct login *login = TAILQ_FIRST(&logins->waiting);
	struct admin_ask *ask = login->ask;
	enum admin_role role = login->role;
	login_done_f *done = login->done;

	TAILQ_REMOVE(&logins->waiting, login, link);
	logins->n--;
	login_free(login);
	if (ask)
		done(ask, role, rc, wait_ms);
}

/* Begins with the first that may be looked at; those before it are answered. */
static void next_begin(struct logins *logins)
{
	struct login *login;

	while (!logins->runs && (login = TAILQ_FIRST(&logins->waiting))) {
		uint64_t now_ms = worker_now(logins->control)->mono_ms, wait_ms = 0;
		int rc = access_may(logins->access, login->ask->peer, now_ms, &wait_ms);

		if (rc == 0) {
			logins->password = login->password;
			access_hash(logins->access, login->role, logins->hash);
			rc = thread_start(&logins->thread, run, logins);
			logins->runs = rc == 0;
		}
		if (rc < 0)
			first_end(logins, rc, wait_ms);
	}
}

static void on_checked(struct worker *control, struct mail *mail)
{
	struct logins *logins = (struct logins *)((char *)mail - offsetof(struct logins, checked));
	struct login *login = TAILQ_FIRST(&logins->waiting);
	char hash[PASSWORD_TEXT_MAX];
	bool right;

	CHECK_OK(pthread_join(logins->thread, NULL));
	logins->runs = false;
	access_hash(logins->access, login->role, hash);
	right = logins->right && strcmp(hash, logins->hash) == 0;
	if (login->ask)
		access_told(logins->access, login->ask->peer, right, worker_now(control)->mono_ms);
	first_end(logins, right ? 0 : -EACCES, 0);
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

void logins_ask(struct logins *logins, struct admin_ask *ask, enum admin_role role,
		const char *password, login_done_f *done)
{
	struct login *login = logins->n < LOGINS_MAX ? calloc(1, sizeof(*login)) : NULL;

	if (login)
		*login = (struct login){ .logins = logins, .ask = ask, .role = role, .done = done };
	if (login && (login->password = strdup(password))) {
		TAILQ_INSERT_TAIL(&logins->waiting, login, link);
		logins->n++;
		admin_keep(ask, on_gone, login);
		next_begin(logins);
		return;
	}
	free(login);
	admin_answer_errno(ask, -ENOMEM);
}
