/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of fixed size, searched one after another: a few people log in. A wrong password costs its address time; all
 * addresses together have a rate, which bounds what checks cost us, but never locks anybody out for good.
 */
#include "proxy/admin/session.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

void session_token(char ret_token[SESSION_TOKEN])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bytes[32];

	CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret_token[2 * i] = hex[bytes[i] >> 4];
		ret_token[2 * i + 1] = hex[bytes[i] & 15];
	}
	ret_token[2 * sizeof(bytes)] = 0;
}

bool session_token_eq(const char *a, const char *b)
{
	return strlen(a) == SESSION_TOKEN - 1 && strlen(b) == SESSION_TOKEN - 1 &&
	       CRYPTO_memcmp(a, b, SESSION_TOKEN - 1) == 0;
}

static bool is_living(const struct session *session, uint64_t now_ms)
{
	return session->token[0] && now_ms - session->used_ms < SESSION_IDLE_MS &&
	       now_ms - session->began_ms < SESSION_LIFE_MS;
}

struct session *session_begin(struct sessions *sessions, enum admin_role role, uint64_t now_ms)
{
	struct session *place = &sessions->v[0];

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *session = &sessions->v[i];

		if (!is_living(session, now_ms)) {
			place = session;
			break;
		}
		if (session->used_ms < place->used_ms)
			place = session;
	}
	*place = (struct session){ .role = role, .began_ms = now_ms, .used_ms = now_ms };
	session_token(place->token);
	session_token(place->csrf);
	return place;
}

struct session *session_find(struct sessions *sessions, const char *token, uint64_t now_ms)
{
	struct session *found = NULL;

	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (session_token_eq(sessions->v[i].token, token))
			found = &sessions->v[i];
	if (!found)
		return NULL;
	if (!is_living(found, now_ms)) {
		session_end(found);
		return NULL;
	}
	found->used_ms = now_ms;
	return found;
}

void session_end(struct session *session)
{
	OPENSSL_cleanse(session, sizeof(*session));
}

void session_end_role(struct sessions *sessions, enum admin_role role, const struct session *keep)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (sessions->v[i].role == role && &sessions->v[i] != keep)
			session_end(&sessions->v[i]);
}

/* ---- the limit on log-ins ------------------------------------------------------------------------- */

/* Its row, or the one that may become it. */
static size_t limit_row(const struct limit *limit, const char *peer)
{
	size_t oldest = 0;

	for (size_t i = 0; i < LIMIT_ADDRESSES; i++) {
		if (strcmp(limit->v[i].peer, peer) == 0)
			return i;
		if (limit->v[i].last_ms < limit->v[oldest].last_ms)
			oldest = i;
	}
	return oldest;
}

uint64_t limit_ask(struct limit *limit, const char *peer, uint64_t now_ms)
{
	size_t i = limit_row(limit, peer);
	uint64_t burst = (LIMIT_ALL_BURST - 1) * (uint64_t)LIMIT_ALL_MS;

	if (strcmp(limit->v[i].peer, peer) == 0 && limit->v[i].free_ms > now_ms)
		return limit->v[i].free_ms - now_ms;
	if (limit->all_ms < now_ms)
		limit->all_ms = now_ms;
	if (limit->all_ms - now_ms > burst)
		return limit->all_ms - now_ms - burst;
	limit->all_ms += LIMIT_ALL_MS;
	return 0;
}

void limit_tell(struct limit *limit, const char *peer, bool right, uint64_t now_ms)
{
	size_t i = limit_row(limit, peer);
	uint64_t wait = LIMIT_WAIT_MS;

	if (strcmp(limit->v[i].peer, peer) != 0 || now_ms - limit->v[i].last_ms > LIMIT_FORGET_MS) {
		memset(&limit->v[i], 0, sizeof(limit->v[i]));
		strncpy(limit->v[i].peer, peer, sizeof(limit->v[i].peer) - 1);
	}
	if (right) {
		memset(&limit->v[i], 0, sizeof(limit->v[i]));
		return;
	}
	limit->v[i].last_ms = now_ms;
	if (++limit->v[i].wrong < LIMIT_FREE)
		return;
	for (unsigned k = LIMIT_FREE; k < limit->v[i].wrong && wait < LIMIT_WAIT_MAX; k++)
		wait *= 2;
	limit->v[i].free_ms = now_ms + (wait < LIMIT_WAIT_MAX ? wait : LIMIT_WAIT_MAX);
}
