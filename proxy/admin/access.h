/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what over HTTPS: a password a role, sessions, and a token for programs that only look (Prometheus). What has
 * to outlive a restart is kept as hashes, twice: in the store's rows of state ("admin/password/operate", "admin/password/view",
 * "admin/token", and "admin/serial", which grows with each change), and by the keeper, where the loss of the store does not
 * reach it (firmware/heritage.h). At the start the one with the larger serial counts; if they are equal, the store: a
 * version before this one knows its rows alone, and may have run in between. Without a password nobody can log in. Control
 * loop only.
 */
#ifndef TARN_PROXY_ADMIN_ACCESS_H
#define TARN_PROXY_ADMIN_ACCESS_H

#include "firmware/base/password.h"
#include "proxy/admin/session.h"

struct access;
struct heritage_access_kept;
struct worker;

/* `kept_fd`: what the keeper has; -1: there is no keeper. */
MUST_USE int access_new(struct worker *control, int kept_fd, struct access **ret_access);
void access_free(struct access **access);

bool access_has_password(const struct access *access, enum admin_role role);
/* The keeper has answered. */
void access_was_kept(struct access *access, const struct heritage_access_kept *answer);

/* By its hash, as password_hash() gives it. 0 (it is kept durably soon), -EINVAL: it is none, -ENOMEM, or what the writer
 * says. Ends the role's other sessions. */
MUST_USE int access_set_hash(struct access *access, enum admin_role role, const char *hash,
			     const struct session *keep);
/*
 * The parts of a check: may this address have one now? 0; -EBUSY with *ret_wait_ms: too many wrong ones. What the password
 * is held against (password_fits(), some 50 ms; "": none is right). What came of it.
 */
MUST_USE int access_may(struct access *access, const char *peer, uint64_t now_ms,
			uint64_t *ret_wait_ms);
void access_hash(const struct access *access, enum admin_role role,
		 char ret_hash[PASSWORD_TEXT_MAX]);
void access_told(struct access *access, const char *peer, bool right, uint64_t now_ms);
struct sessions *access_sessions(struct access *access);

/* A new token in place of the one before. 0 or what the writer says. */
MUST_USE int access_new_token(struct access *access, char ret_token[SESSION_TOKEN]);
bool access_token_fits(const struct access *access, const char *token);

#endif
