/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: log-in and log-out, passwords, the token of those that only look.
 *
 * Passwords are checked and hashed on a thread (logins.h).
 */
#include <string.h>

#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/admin/access.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/logins.h"
#include "firmware/base/password.h"
#include "proxy/admin/web.h"
#include "proxy/loop.h"

static const char *role_name(enum admin_role role)
{
	return role == ADMIN_OPERATE ? "operate" : "view";
}

/* {"role": "operate"|"view"}, operate if it is not said. False: another, and answered. */
static bool role_of(struct admin_ask *ask, enum admin_role *ret_role)
{
	const char *role = admin_body_text(ask, "role");

	*ret_role = role && strcmp(role, "view") == 0 ? ADMIN_VIEW : ADMIN_OPERATE;
	if (!role || strcmp(role, role_name(*ret_role)) == 0)
		return true;
	admin_answer_error(ask, 422, "role", "role is operate or view");
	return false;
}

static json_t *session_json(const struct admin_ask *ask)
{
	return json_pack("{s:s, s:s}", "role", role_name(ask->role), "csrf",
			 ask->session ? ask->session->csrf : "");
}

static void get_session(struct admin_ask *ask)
{
	admin_answer_json(ask, 200, session_json(ask));
}

static void answer_wait(struct admin_ask *ask, uint64_t wait_ms)
{
	char seconds[24];

	(void)snprintf(seconds, sizeof(seconds), "%llu",
		       (unsigned long long)(wait_ms + 999) / 1000);
	admin_field(ask, "Retry-After", seconds);
	admin_answer_error(ask, 429, "wait", "too many wrong passwords: wait %s s", seconds);
}

static void login_done(struct admin_ask *ask, const struct login_answer *answer)
{
	struct access *access = admin_access(ask->admin);
	char cookie[160];

	if (answer->rc == -EBUSY)
		return answer_wait(ask, answer->wait_ms);
	if (answer->rc == -EACCES)
		return admin_answer_error(ask, 401, "password", "this is not the password");
	if (answer->rc < 0)
		return admin_answer_errno(ask, answer->rc);
	ask->role = answer->role;
	ask->session = session_begin(access_sessions(access), ask->role,
				     worker_now(ask->control)->mono_ms);
	STAT_INC(STAT_ADMIN_LOGINS);
	LOG(LOG_L_NOTICE, "admin.login", "from=%s role=%s", ask->peer, role_name(ask->role));
	(void)snprintf(cookie, sizeof(cookie),
		       WEB_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict",
		       ask->session->token);
	admin_field(ask, "Set-Cookie", cookie);
	admin_answer_json(ask, 200, session_json(ask));
}

static void post_session(struct admin_ask *ask)
{
	struct login_question question = { .password = admin_body_text(ask, "password") };

	if (!question.password)
		return admin_answer_error(ask, 400, "password", "password is missing");
	if (ask->local)
		return admin_answer_error(ask, 400, "local", "nobody has to log in here");
	if (role_of(ask, &question.role))
		logins_ask(admin_logins(ask->admin), ask, &question, login_done);
}

static void delete_session(struct admin_ask *ask)
{
	if (ask->session)
		session_end(ask->session);
	admin_field(ask, "Set-Cookie",
		    WEB_COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
	admin_answer_done(ask);
}

/* Told by its hash, as a seed does. */
static void hash_set(struct admin_ask *ask, enum admin_role role, const char *hash)
{
	int rc = ask->local ? access_set_hash(admin_access(ask->admin), role, hash, NULL) : -EPERM;

	if (rc == -EPERM)
		return admin_answer_error(ask, 403, "local",
					  "a hash is taken on the machine alone");
	if (rc == -EINVAL)
		return admin_answer_error(ask, 422, "hash",
					  "this is no hash of tarnctl admin hash");
	if (rc < 0)
		return admin_answer_errno(ask, rc);
	admin_answer_json(ask, 200, json_pack("{s:s}", "role", role_name(role)));
}

/* {"first": true}: only if none is. False: one is, and it is answered. */
static bool may_set(struct admin_ask *ask, enum admin_role role)
{
	if (!json_is_true(json_object_get(ask->body, "first")) ||
	    !access_has_password(admin_access(ask->admin), role))
		return true;
	admin_answer_error(ask, 409, "has_one", "there is a password already");
	return false;
}

static void password_done(struct admin_ask *ask, const struct login_answer *answer)
{
	bool made = !admin_body_text(ask, "new");
	enum admin_role role;
	int rc = answer->rc;

	if (rc == -EACCES)
		return admin_answer_error(ask, 403, "password", "the old one is wrong");
	if (rc == -EBUSY)
		return answer_wait(ask, answer->wait_ms);
	if (rc == -EINVAL)
		return admin_answer_error(ask, 422, "length", "a password has %d to %d bytes",
					  PASSWORD_MIN, PASSWORD_MAX);
	/* Much may have happened since it was asked. */
	if (!ask->local && !ask->session)
		return admin_answer_error(ask, 401, "log_in", "log in first");
	if (!role_of(ask, &role) || !may_set(ask, role))
		return;
	rc = rc ? rc : access_set_hash(admin_access(ask->admin), role, answer->hash, ask->session);
	if (rc < 0)
		return admin_answer_errno(ask, rc);
	admin_answer_json(
		ask, 200,
		made ? json_pack("{s:s, s:s}", "role", role_name(role), "password", answer->fresh)
		     : json_pack("{s:s}", "role", role_name(role)));
}

/* Over HTTPS the old one must be told; over the unix socket a new one may be made. */
static void post_password(struct admin_ask *ask)
{
	struct login_question question = { .role = ADMIN_OPERATE,
					   .fresh = admin_body_text(ask, "new") };
	char made[PASSWORD_MADE] = "";
	enum admin_role role;

	if (!role_of(ask, &role) || !may_set(ask, role))
		return;
	if (admin_body_text(ask, "hash"))
		return hash_set(ask, role, admin_body_text(ask, "hash"));
	if (!ask->local) {
		question.password = admin_body_text(ask, "old");
		if (!question.password || !question.fresh)
			return admin_answer_error(ask, 400, "password", "old and new are needed");
	} else if (!question.fresh) {
		password_make(made);
		question.fresh = made;
	}
	logins_ask(admin_logins(ask->admin), ask, &question, password_done);
}

static void post_token(struct admin_ask *ask)
{
	char token[SESSION_TOKEN];
	int rc = access_new_token(admin_access(ask->admin), token);

	if (rc < 0)
		return admin_answer_errno(ask, rc);
	admin_answer_json(ask, 200, json_pack("{s:s}", "token", token));
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/session", ADMIN_VIEW, get_session },
	{ ADMIN_POST, "/api/v1/session", ADMIN_NOBODY, post_session },
	{ ADMIN_DELETE, "/api/v1/session", ADMIN_NOBODY, delete_session },
	{ ADMIN_POST, "/api/v1/password", ADMIN_OPERATE, post_password },
	{ ADMIN_POST, "/api/v1/token", ADMIN_OPERATE, post_token },
};
ADMIN_TABLE(session, routes);
