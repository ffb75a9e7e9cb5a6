/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is logged in, and who may try to: sessions and the limit on log-ins. No sockets, no clock; one thread.
 */
#ifndef TARN_PROXY_ADMIN_SESSION_H
#define TARN_PROXY_ADMIN_SESSION_H

#include "proxy/admin/route.h"

#define SESSION_TOKEN	65 /* 256 random bits in hex, and a NUL */
#define SESSIONS_MAX	32 /* the one that rested longest makes room */
#define SESSION_IDLE_MS (30 * 60 * 1000)
#define SESSION_LIFE_MS (12 * 3600 * 1000)

struct session {
	char token[SESSION_TOKEN]; /* "": none; the cookie */
	char csrf[SESSION_TOKEN];
	enum admin_role role;
	uint64_t began_ms, used_ms; /* monotonic */
};

struct sessions {
	struct session v[SESSIONS_MAX];
};

/* 256 random bits. */
void session_token(char ret_token[SESSION_TOKEN]);
bool session_token_eq(const char *a, const char *b);

struct session *session_begin(struct sessions *sessions, enum admin_role role, uint64_t now_ms);
/* The living session of this token, used now; NULL: none. */
struct session *session_find(struct sessions *sessions, const char *token, uint64_t now_ms);
void session_end(struct session *session);
/* All of a role but `keep` (NULL: all): its password was changed. */
void session_end_role(struct sessions *sessions, enum admin_role role, const struct session *keep);

/* ---- the limit on log-ins ------------------------------------------------------------------------- */

#define LIMIT_FREE	5      /* wrong passwords of an address before it has to wait */
#define LIMIT_WAIT_MS	2000   /* then this, doubled each time ... */
#define LIMIT_WAIT_MAX	300000 /* ... up to this */
#define LIMIT_FORGET_MS 900000 /* an address without wrong passwords for so long begins anew */
#define LIMIT_ADDRESSES 256    /* remembered; the oldest makes room */
#define LIMIT_ALL_BURST 20     /* checks of all addresses together at once ... */
#define LIMIT_ALL_MS	1000   /* ... and one more in each such time */

struct limit {
	struct {
		char peer[ADDR_TEXT_MAX];
		unsigned wrong;
		uint64_t last_ms, free_ms; /* may try again at */
	} v[LIMIT_ADDRESSES];
	uint64_t all_ms; /* when the bucket of all was full, virtually */
};

/* May this address have a password checked now? 0, or the milliseconds to wait. */
uint64_t limit_ask(struct limit *limit, const char *peer, uint64_t now_ms);
/* What came of it. */
void limit_tell(struct limit *limit, const char *peer, bool right, uint64_t now_ms);

#endif
