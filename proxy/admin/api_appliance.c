/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource: the appliance's systems. tarnd knows and does it all; elsewhere than on an appliance it is 404. A file from
 * the admin's browser comes in pieces first (uploads.h).
 */
#include <openssl/evp.h>
#include <string.h>

#include "firmware/base/log.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/systems.h"
#include "proxy/admin/uploads.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define CALM                                                                                       \
	"03:00" /* as tarnctl update has it: an update's restart cuts the office's line for a minute */
#define CONFIRM "factory-reset"

static void get_appliance(struct admin_ask *ask)
{
	const struct heritage_systems look = { .what = HERITAGE_SYSTEMS_LOOK };

	systems_ask(admin_systems(ask->admin), ask, &look);
}

/* A string of the body in `ret`; `fallback` if it is not there. False: answered. */
static bool body_take(struct admin_ask *ask, const char *name, const char *fallback, char *ret,
		      size_t size)
{
	const json_t *value = json_object_get(ask->body, name);
	const char *text = value ? json_string_value(value) : fallback;

	if (text && strlen(text) < size && json_string_length(value) <= strlen(text) &&
	    (memcpy(ret, text, strlen(text) + 1), heritage_line_valid(ret, size, true)))
		return true;
	admin_answer_error(ask, 422, "bad_value", "%s is a line of text, shorter than %zu bytes",
			   name, size);
	return false;
}

static void deed(struct admin_ask *ask, enum heritage_systems_what what, const char *when)
{
	struct heritage_systems question = { .what = what };

	if (!body_take(ask, "restart", when, question.when, sizeof(question.when)))
		return;
	if (what == HERITAGE_SYSTEMS_UPDATE &&
	    !body_take(ask, "url", NULL, question.value, sizeof(question.value)))
		return;
	LOG(LOG_L_NOTICE, "appliance.asked", "path=%s by=%s", ask->path, ask->peer);
	systems_ask(admin_systems(ask->admin), ask, &question);
}

static uint32_t upload_of(const struct admin_ask *ask)
{
	json_int_t id = json_integer_value(json_object_get(ask->body, "upload"));

	return id > 0 && id <= UINT32_MAX ? (uint32_t)id : 0;
}

static void post_update(struct admin_ask *ask)
{
	if (!json_object_get(ask->body, "upload"))
		return deed(ask, HERITAGE_SYSTEMS_UPDATE, CALM);
	if (!upload_whole(admin_uploads(ask->admin), upload_of(ask)))
		return admin_answer_error(ask, 409, "not_whole",
					  "that file is not here, or not all of it");
	deed(ask, HERITAGE_SYSTEMS_UPLOADED, CALM);
}

/* ---- a file, piece by piece ----------------------------------------------------------------------- */

static void post_upload(struct admin_ask *ask)
{
	json_int_t bytes = json_integer_value(json_object_get(ask->body, "bytes"));
	uint32_t id = 0;
	int rc;

	if (!ask->control->proxy->keeper)
		return admin_answer_error(ask, 404, "no_appliance",
					  "this tarn-proxy runs alone, on no appliance");
	if (bytes < UPLOAD_MIN || bytes > UPLOAD_MAX)
		return admin_answer_error(ask, 422, "bad_size", "an update has %d to %d bytes",
					  UPLOAD_MIN, UPLOAD_MAX);
	rc = upload_begin(admin_uploads(ask->admin), (uint64_t)bytes, &id);
	if (rc == -ENOSPC)
		return admin_answer_error(ask, 507, "no_space",
					  "the cache's disk has no room for it");
	if (rc < 0)
		return admin_answer_errno(ask, rc);
	admin_answer_json(ask, 200,
			  json_pack("{s:I, s:i}", "upload", (json_int_t)id, "piece", UPLOAD_PIECE));
}

/* Bytes, or -1: it is no base64, or too much. */
static int piece_read(const char *text, uint8_t buf[UPLOAD_PIECE + 3])
{
	size_t n = text ? strlen(text) : 0;
	int bytes;

	if (!n || n % 4 || n > UPLOAD_PIECE / 3 * 4)
		return -1;
	bytes = EVP_DecodeBlock(buf, (const uint8_t *)text, (int)n);
	for (size_t i = n; bytes > 0 && i-- > n - 2 && text[i] == '=';)
		bytes--;
	return bytes;
}

static void piece_refuse(struct admin_ask *ask, int rc, uint64_t next)
{
	if (rc == -ENOENT)
		admin_answer_error(ask, 404, "unknown_upload",
				   "that upload is over, or another has begun");
	else if (rc == -ESTALE)
		admin_answer_error(ask, 409, "not_next", "the byte that comes next is %llu",
				   (unsigned long long)next);
	else if (rc == -E2BIG)
		admin_answer_error(ask, 422, "too_much", "there is more of it than was announced");
	else if (rc == -EBADMSG)
		admin_answer_error(ask, 422, "not_an_update", "the file is not an update of Tarn");
	else
		admin_answer_errno(ask, rc);
}

static void post_piece(struct admin_ask *ask)
{
	json_int_t at = json_integer_value(json_object_get(ask->body, "at"));
	uint8_t buf[UPLOAD_PIECE + 3];
	int n = piece_read(admin_body_text(ask, "bytes"), buf), rc;
	uint64_t next = 0;

	if (n <= 0 || at < 0)
		return admin_answer_error(ask, 422, "bad_piece",
					  "bytes are base64 of at most %d bytes, at is a number",
					  UPLOAD_PIECE);
	rc = upload_piece(admin_uploads(ask->admin), upload_of(ask), (uint64_t)at,
			  span_make(buf, (size_t)n), &next);
	if (rc < 0)
		return piece_refuse(ask, rc, next);
	admin_answer_json(ask, 200, json_pack("{s:I}", "at", (json_int_t)next));
}

static void delete_upload(struct admin_ask *ask)
{
	int64_t id;

	if (admin_query_number(ask, "upload", 1, UINT32_MAX, 0, &id) < 0)
		return;
	upload_drop(admin_uploads(ask->admin), (uint32_t)id);
	admin_answer_done(ask);
}

/* ---- and what is asked of it ---------------------------------------------------------------------- */

static void post_rollback(struct admin_ask *ask)
{
	deed(ask, HERITAGE_SYSTEMS_ROLLBACK, "now");
}

static void post_restart(struct admin_ask *ask)
{
	deed(ask, HERITAGE_SYSTEMS_RESTART, "now");
}

static void post_reset(struct admin_ask *ask)
{
	const char *confirm = admin_body_text(ask, "confirm");

	if (!confirm || strcmp(confirm, CONFIRM) != 0)
		return admin_answer_error(ask, 422, "not_confirmed",
					  "confirm has to say " CONFIRM
					  ": settings, passwords, the CA and the cache are lost");
	deed(ask, HERITAGE_SYSTEMS_RESET, "now");
}

static const struct admin_route routes[] = {
	{ ADMIN_GET, "/api/v1/appliance", ADMIN_VIEW, get_appliance },
	{ ADMIN_POST, "/api/v1/appliance/update", ADMIN_OPERATE, post_update },
	{ ADMIN_POST, "/api/v1/appliance/upload", ADMIN_OPERATE, post_upload },
	{ ADMIN_DELETE, "/api/v1/appliance/upload", ADMIN_OPERATE, delete_upload },
	{ ADMIN_POST, "/api/v1/appliance/upload/piece", ADMIN_OPERATE, post_piece },
	{ ADMIN_POST, "/api/v1/appliance/rollback", ADMIN_OPERATE, post_rollback },
	{ ADMIN_POST, "/api/v1/appliance/restart", ADMIN_OPERATE, post_restart },
	{ ADMIN_POST, "/api/v1/appliance/reset", ADMIN_OPERATE, post_reset },
};
ADMIN_TABLE(appliance, routes);
