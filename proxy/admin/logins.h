/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of those who log in or set another, checked and hashed one after another on a thread, so that the control loop
 * goes on meanwhile. Each is judged by the limit on log-ins when its turn comes: what many ask at once is granted no more
 * than what they ask one by one. Control loop only.
 */
#ifndef TARN_PROXY_ADMIN_LOGINS_H
#define TARN_PROXY_ADMIN_LOGINS_H

#include "proxy/admin/access.h"

#define LOGINS_MAX 64 /* that wait for their turn; as many as there are connections (web.c) */

struct logins;
struct worker;

/* What is asked; texts are copied. */
struct login_question {
	enum admin_role role; /* whose password `password` is to be */
	const char *password; /* NULL: who asks need not tell one, and is next */
	const char *fresh;    /* to be hashed if that one is right; NULL: nothing */
};

/*
 * 0; -EACCES: not the password; -EBUSY: too many wrong ones, it was not looked at, `wait_ms`; -EINVAL: `fresh` is too short
 * or long; -ENOMEM. `hash` and `fresh` (as asked) are gone after the call. Who asks may have lost the session by now:
 * then ask->session is NULL.
 */
struct login_answer {
	int rc;
	uint64_t wait_ms;
	enum admin_role role;
	const char *fresh, *hash;
};
typedef void login_done_f(struct admin_ask *ask, const struct login_answer *answer);

MUST_USE int logins_new(struct worker *control, struct access *access, struct logins **ret_logins);
/* After the asks (asks_free()). Waits for the check that runs. */
void logins_free(struct logins **logins);

/* Keeps the ask; calls `done`, which answers it, or answers it itself: there is no room. */
void logins_ask(struct logins *logins, struct admin_ask *ask, const struct login_question *question,
		login_done_f *done);

#endif
