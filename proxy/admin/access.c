/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept is read once, when the store has been opened; from then on memory is right and the rows follow.
 */
#include "proxy/admin/access.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "cache/store.h"
#include "cache/writer.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"

struct access {
	struct writer *writer;
	char passwords[ADMIN_OPERATE + 1][PASSWORD_TEXT_MAX]; /* hashes; "": none */
	char token[SESSION_TOKEN];			      /* SHA-256 in hex; "": none */
	struct sessions sessions;
	struct limit limit;
};

static const char *const password_rows[] = {
	[ADMIN_VIEW] = "admin/password/view",
	[ADMIN_OPERATE] = "admin/password/operate",
};
#define TOKEN_ROW "admin/token"

static void row_read(struct store_reader *reader, const char *name, char *text, size_t size)
{
	size_t n = 0;

	if (store_state_get(reader, span_of(name), text, size - 1, &n) < 0)
		n = 0;
	text[n] = 0;
}

static int row_put(struct access *access, const char *name, const char *text)
{
	return writer_put_state(access->writer, span_of(name), span_of(text), NULL, NULL);
}

int access_new(struct store *store, struct writer *writer, struct access **ret_access)
{
	struct access *access = calloc(1, sizeof(*access));
	struct store_reader *reader;

	if (!access)
		return -ENOMEM;
	access->writer = writer;
	if (store_reader_new(store, &reader) == 0) {
		for (enum admin_role role = ADMIN_VIEW; role <= ADMIN_OPERATE; role++)
			row_read(reader, password_rows[role], access->passwords[role],
				 PASSWORD_TEXT_MAX);
		row_read(reader, TOKEN_ROW, access->token, SESSION_TOKEN);
		store_reader_free(&reader);
	}
	*ret_access = access;
	return 0;
}

void access_free(struct access **ptr)
{
	if (!*ptr)
		return;
	session_end_role(&(*ptr)->sessions, ADMIN_VIEW, NULL);
	session_end_role(&(*ptr)->sessions, ADMIN_OPERATE, NULL);
	free(*ptr);
	*ptr = NULL;
}

bool access_has_password(const struct access *access, enum admin_role role)
{
	return access->passwords[role][0] != 0;
}

int access_set_password(struct access *access, enum admin_role role, struct span password,
			const struct session *keep)
{
	char text[PASSWORD_TEXT_MAX];
	int rc = password_hash(password, text);

	rc = rc ? rc : row_put(access, password_rows[role], text);
	if (rc < 0)
		return rc;
	memcpy(access->passwords[role], text, sizeof(text));
	session_end_role(&access->sessions, role, keep);
	LOG(LOG_L_NOTICE, "admin.password_set", "role=%s",
	    role == ADMIN_OPERATE ? "operate" : "view");
	return 0;
}

int access_may(struct access *access, const char *peer, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	uint64_t wait = limit_ask(&access->limit, peer, now_ms);

	if (!wait)
		return 0;
	STAT_INC(STAT_ADMIN_LOGIN_LIMITED);
	*ret_wait_ms = wait;
	return -EBUSY;
}

void access_hash(const struct access *access, enum admin_role role,
		 char ret_hash[PASSWORD_TEXT_MAX])
{
	memcpy(ret_hash, access->passwords[role], PASSWORD_TEXT_MAX);
}

void access_told(struct access *access, const char *peer, bool right, uint64_t now_ms)
{
	limit_tell(&access->limit, peer, right, now_ms);
	if (right)
		return;
	STAT_INC(STAT_ADMIN_LOGIN_WRONG);
	LOG(LOG_L_WARN, "admin.wrong_password", "from=%s", peer);
}

int access_check(struct access *access, enum admin_role role, struct span password,
		 const char *peer, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	int rc = access_may(access, peer, now_ms, ret_wait_ms);
	bool right = rc == 0 && password_fits(password, access->passwords[role]);

	if (rc < 0)
		return rc;
	access_told(access, peer, right, now_ms);
	return right ? 0 : -EACCES;
}

struct sessions *access_sessions(struct access *access)
{
	return &access->sessions;
}

/* ---- the token ------------------------------------------------------------------------------------ */

static void digest(const char *token, char ret_hex[SESSION_TOKEN])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t bytes[32];

	CHECK(EVP_Digest(token, strlen(token), bytes, NULL, EVP_sha256(), NULL) == 1);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret_hex[2 * i] = hex[bytes[i] >> 4];
		ret_hex[2 * i + 1] = hex[bytes[i] & 15];
	}
	ret_hex[2 * sizeof(bytes)] = 0;
}

int access_new_token(struct access *access, char ret_token[SESSION_TOKEN])
{
	char token[SESSION_TOKEN], kept[SESSION_TOKEN];
	int rc;

	session_token(token);
	digest(token, kept);
	rc = row_put(access, TOKEN_ROW, kept);
	if (rc < 0)
		return rc;
	memcpy(access->token, kept, sizeof(kept));
	memcpy(ret_token, token, sizeof(token));
	return 0;
}

bool access_token_fits(const struct access *access, const char *token)
{
	char hash[SESSION_TOKEN];

	if (strlen(token) != SESSION_TOKEN - 1)
		return false;
	digest(token, hash);
	return session_token_eq(hash, access->token);
}
