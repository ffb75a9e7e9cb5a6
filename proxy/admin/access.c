/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept is read once, when the store has been opened; from then on memory is right, and the rows and the keeper follow:
 *
 *	change ─► rows ─► to_keep ─► on_turn: ACCESS ─► access_was_kept: it is
 *	                     ▲                          │
 *	                     └── TURN_S, AGAIN_S ◄──────┘ not, or no answer
 */
#include "proxy/admin/access.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "cache/store.h"
#include "cache/writer.h"
#include "firmware/base/log.h"
#include "firmware/base/stat.h"
#include "proxy/heritage_client.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define TURN_MS	 2000  /* for the keeper's answer */
#define AGAIN_MS 60000 /* once it has said that it can't */

struct access {
	struct worker *control;
	struct writer *writer;
	struct access_kept kept; /* as it is now */
	bool has_keeper;
	bool behind; /* the store's rows */
	bool to_keep;
	struct event turn;
	struct sessions sessions;
	struct limit limit;
};

#define ROW_OPERATE "admin/password/operate"
#define ROW_VIEW    "admin/password/view"
#define ROW_TOKEN   "admin/token"
#define ROW_SERIAL  "admin/serial"

_Static_assert(PASSWORD_TEXT_MAX <= ACCESS_HASH_MAX && SESSION_TOKEN <= ACCESS_HASH_MAX, "room");

/* ---- the store's rows ----------------------------------------------------------------------------- */

static void row_read(struct store_reader *reader, const char *name, char *text, size_t size)
{
	size_t n = 0;

	if (store_state_get(reader, span_of(name), text, size - 1, &n) < 0)
		n = 0;
	memset(text + n, 0, size - n);
}

static void rows_read(struct store *store, struct access_kept *ret_kept)
{
	struct store_reader *reader;
	char serial[24];

	if (store_reader_new(store, &reader) < 0)
		return;
	row_read(reader, ROW_OPERATE, ret_kept->operate, ACCESS_HASH_MAX);
	row_read(reader, ROW_VIEW, ret_kept->view, ACCESS_HASH_MAX);
	row_read(reader, ROW_TOKEN, ret_kept->token, ACCESS_HASH_MAX);
	row_read(reader, ROW_SERIAL, serial, sizeof(serial));
	if (span_u64(span_of(serial), &ret_kept->serial) < 0)
		ret_kept->serial = 0;
	store_reader_free(&reader);
}

/* The serial last: rows without it are taken for older than they are, never for newer. */
static int rows_put(struct access *access)
{
	const struct access_kept *kept = &access->kept;
	char serial[24];
	const char *const rows[][2] = { { ROW_OPERATE, kept->operate },
					{ ROW_VIEW, kept->view },
					{ ROW_TOKEN, kept->token },
					{ ROW_SERIAL, serial } };
	int rc = 0;

	(void)snprintf(serial, sizeof(serial), "%llu", (unsigned long long)kept->serial);
	for (size_t i = 0; i < ARRAY_LEN(rows) && rc == 0; i++)
		rc = writer_put_state(access->writer, span_of(rows[i][0]), span_of(rows[i][1]),
				      NULL, NULL);
	return rc;
}

/* ---- the keeper ----------------------------------------------------------------------------------- */

static void turn_in(struct access *access, unsigned ms)
{
	CHECK_OK(event_add(&access->turn, worker_timeout(access->control, ms)));
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct access *access = arg;

	(void)fd, (void)what;
	if (access->behind && rows_put(access) == 0)
		access->behind = false;
	if (access->to_keep)
		(void)!keeper_access(access->control->proxy->keeper, &access->kept);
	if (access->behind || access->to_keep)
		turn_in(access, TURN_MS);
}

void access_was_kept(struct access *access, const struct heritage_access_kept *answer)
{
	if (!access->to_keep || answer->serial != access->kept.serial || answer->error == EAGAIN)
		return;
	if (answer->error) {
		LOG(LOG_L_WARN, "admin.not_kept", "error=%s note=\"the store alone has it\"",
		    strerrorname_np((int)answer->error));
		turn_in(access, AGAIN_MS);
		return;
	}
	access->to_keep = false;
}

/* `next`: what is to be from now on, but for its serial. */
static int kept_change(struct access *access, const struct access_kept *next)
{
	struct access_kept before = access->kept;
	int rc;

	access->kept = *next;
	access->kept.serial = before.serial + 1;
	rc = rows_put(access);
	if (rc < 0) {
		/* Some of the rows may have been put. */
		access->kept = before;
		access->behind = true;
		turn_in(access, TURN_MS);
		return rc;
	}
	access->to_keep = access->has_keeper;
	if (access->to_keep)
		on_turn(-1, 0, access);
	return 0;
}

/* What the two who keep it say, made one. */
static void kept_choose(struct access *access, int kept_fd)
{
	struct access_kept rows = { 0 }, file = { 0 };
	int rc = kept_fd < 0 ? -ENOENT : access_kept_read(kept_fd, &file);

	if (rc < 0 && rc != -ENOENT)
		LOG(LOG_L_WARN, "admin.kept_unread", "error=%s", strerrorname_np(-rc));
	rows_read(access->control->proxy->store, &rows);
	access->has_keeper = kept_fd >= 0;
	access->behind = file.serial > rows.serial;
	access->kept = access->behind ? file : rows;
	if (access->behind)
		return;
	/* Rows of a version that knew no serial. */
	if (!rows.serial && (*rows.operate || *rows.view || *rows.token))
		access->kept.serial = 1;
	access->to_keep = access->has_keeper && access_kept_valid(&access->kept) &&
			  memcmp(&access->kept, &file, sizeof(file)) != 0;
}

int access_new(struct worker *control, int kept_fd, struct access **ret_access)
{
	struct access *access = calloc(1, sizeof(*access));

	if (!access)
		return -ENOMEM;
	access->control = control;
	access->writer = control->proxy->writer;
	CHECK_OK(evtimer_assign(&access->turn, control->base, on_turn, access));
	kept_choose(access, kept_fd);
	if (access->behind || access->to_keep)
		turn_in(access, TURN_MS);
	*ret_access = access;
	return 0;
}

void access_free(struct access **ptr)
{
	if (!*ptr)
		return;
	event_del(&(*ptr)->turn);
	session_end_role(&(*ptr)->sessions, ADMIN_VIEW, NULL);
	session_end_role(&(*ptr)->sessions, ADMIN_OPERATE, NULL);
	free(*ptr);
	*ptr = NULL;
}

/* ---- passwords ------------------------------------------------------------------------------------ */

bool access_has_password(const struct access *access, enum admin_role role)
{
	return *(role == ADMIN_OPERATE ? access->kept.operate : access->kept.view) != 0;
}

static int hash_take(struct access *access, enum admin_role role, const char *hash,
		     const struct session *keep)
{
	struct access_kept next = access->kept;
	char *at = role == ADMIN_OPERATE ? next.operate : next.view;
	int rc;

	memset(at, 0, ACCESS_HASH_MAX);
	memcpy(at, hash, strlen(hash));
	rc = kept_change(access, &next);
	if (rc < 0)
		return rc;
	session_end_role(&access->sessions, role, keep);
	LOG(LOG_L_NOTICE, "admin.password_set", "role=%s",
	    role == ADMIN_OPERATE ? "operate" : "view");
	return 0;
}

int access_set_hash(struct access *access, enum admin_role role, const char *hash,
		    const struct session *keep)
{
	return password_hash_valid(hash) ? hash_take(access, role, hash, keep) : -EINVAL;
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
	const char *hash = role == ADMIN_OPERATE ? access->kept.operate : access->kept.view;

	(void)snprintf(ret_hash, PASSWORD_TEXT_MAX, "%s", hash);
}

void access_told(struct access *access, const char *peer, bool right, uint64_t now_ms)
{
	limit_tell(&access->limit, peer, right, now_ms);
	if (right)
		return;
	STAT_INC(STAT_ADMIN_LOGIN_WRONG);
	LOG(LOG_L_WARN, "admin.wrong_password", "from=%s", peer);
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
	struct access_kept next = access->kept;
	char token[SESSION_TOKEN], kept[SESSION_TOKEN];
	int rc;

	session_token(token);
	digest(token, kept);
	memset(next.token, 0, sizeof(next.token));
	memcpy(next.token, kept, sizeof(kept));
	rc = kept_change(access, &next);
	if (rc < 0)
		return rc;
	memcpy(ret_token, token, sizeof(token));
	return 0;
}

bool access_token_fits(const struct access *access, const char *token)
{
	char hash[SESSION_TOKEN];

	if (strlen(token) != SESSION_TOKEN - 1)
		return false;
	digest(token, hash);
	return session_token_eq(hash, access->kept.token);
}
