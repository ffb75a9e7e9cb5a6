/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resources: an import, piece by piece (proxy/carry/import.h). Only the local socket leads here: who may write to that has
 * checked whose word the digests are. Each answer comes when there is room for what follows.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "proxy/admin/route.h"
#include "proxy/carry/import.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

static struct imports *imports_of(const struct admin_ask *ask)
{
	return ask->control->proxy->imports;
}

/* False: it is answered. */
static bool is_local(struct admin_ask *ask)
{
	if (!ask->local)
		admin_answer_error(ask, 403, "local", "imports come over the unix socket alone");
	return ask->local;
}

static void refuse(struct admin_ask *ask, int rc, const char *why)
{
	static const struct {
		int rc, status;
		const char *word;
	} rows[] = {
		{ -ENOENT, 404, "unknown_profile" },
		{ -EINVAL, 422, "invalid" },
		{ -EBADMSG, 422, "digest" },
		{ -ESTALE, 409, "stale" },
		{ -EBUSY, 409, "busy" },
		{ -EIO, 503, "store" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].rc == rc)
			return admin_answer_error(ask, rows[i].status, rows[i].word, "%s", why);
	admin_answer_errno(ask, rc);
}

static int64_t number_of(const struct admin_ask *ask, const char *name)
{
	return json_integer_value(json_object_get(ask->body, name));
}

/* ---- answers that come later ------------------------------------------------------------------------- */

/* An ask that waits for one; NULL: the server is ending. */
struct waiting {
	struct admin_ask *ask;
};

static void on_gone(void *arg)
{
	((struct waiting *)arg)->ask = NULL;
}

static void on_done(void *arg, int rc, const struct import_answer *answer, const char *why)
{
	struct waiting *w = arg;
	struct admin_ask *ask = w->ask;

	free(w);
	if (!ask)
		return;
	if (rc < 0)
		refuse(ask, rc, why);
	else
		admin_answer_json(ask, 200,
				  json_pack("{s:s, s:I, s:I}", "result", answer->word, "generation",
					    (json_int_t)answer->number, "changed",
					    (json_int_t)answer->changed));
}

static struct waiting *waiting_new(struct admin_ask *ask)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w) {
		admin_answer_errno(ask, -ENOMEM);
		return NULL;
	}
	w->ask = ask;
	admin_keep(ask, on_gone, w);
	return w;
}

/* ---- questions --------------------------------------------------------------------------------------- */

static void post_import(struct admin_ask *ask)
{
	const struct import_begin what = {
		.profile = admin_body_text(ask, "profile"),
		.published_ms = number_of(ask, "published_ms"),
		.objects = (size_t)number_of(ask, "objects"),
		.bytes = (uint64_t)number_of(ask, "bytes"),
		.older = json_is_true(json_object_get(ask->body, "older")),
	};
	char why[IMPORT_WHY_MAX] = "";
	uint64_t number;
	int rc;

	if (!is_local(ask))
		return;
	if (!what.profile)
		return refuse(ask, -EINVAL, "profile, published_ms, objects and bytes");
	rc = import_begin(imports_of(ask), &what, &number, why);
	if (rc < 0)
		return refuse(ask, rc, why);
	admin_answer_json(ask, 200,
			  json_pack("{s:I, s:I}", "import", (json_int_t)number, "piece",
				    (json_int_t)CONFIG_CHUNK_BYTES));
}

static bool digest_read(const char *hex, uint8_t digest[IMPORT_DIGEST])
{
	struct span text = span_of(hex);
	uint64_t byte;

	if (text.n != 2 * IMPORT_DIGEST)
		return false;
	for (size_t i = 0; i < IMPORT_DIGEST; i++) {
		if (span_hex(span_sub(text, 2 * i, 2 * i + 2), &byte) < 0)
			return false;
		digest[i] = (uint8_t)byte;
	}
	return true;
}

/* base64 into a buffer that is freed by the caller; -1: it is none. */
static int base64_read(struct span text, uint8_t **ret_bytes)
{
	uint8_t *bytes =
		text.n % 4 == 0 && text.n <= IMPORT_FIELDS_MAX / 3 * 4 ? malloc(text.n + 4) : NULL;
	int n = bytes ? EVP_DecodeBlock(bytes, (const uint8_t *)text.p, (int)text.n) : -1;

	for (size_t i = text.n; n > 0 && i-- > text.n - 2 && text.p[i] == '=';)
		n--;
	if (n < 0)
		free(bytes);
	else
		*ret_bytes = bytes;
	return n;
}

static void post_object(struct admin_ask *ask)
{
	const char *key = admin_body_text(ask, "key"), *fields = admin_body_text(ask, "fields"),
		   *sha256 = admin_body_text(ask, "sha256");
	struct import_object object = {
		.key = span_of(key),
		.size = (uint64_t)number_of(ask, "size"),
		.index = json_is_true(json_object_get(ask->body, "index")),
	};
	uint8_t *bytes = NULL;
	struct waiting *w;
	int n;

	if (!is_local(ask))
		return;
	if (!key || !fields || number_of(ask, "size") < 0 || !digest_read(sha256, object.sha256))
		return refuse(ask, -EINVAL, "import, key, size, sha256, index and fields");
	n = base64_read(span_of(fields), &bytes);
	if (n < 0)
		return refuse(ask, -EINVAL, "fields are base64");
	object.fields = span_make(bytes, (size_t)n);
	w = waiting_new(ask);
	if (w)
		import_object(imports_of(ask), (uint64_t)number_of(ask, "import"), &object, on_done,
			      w);
	free(bytes);
}

static void post_chunk(struct admin_ask *ask)
{
	const char *bytes = admin_body_text(ask, "bytes");
	uint64_t number = (uint64_t)number_of(ask, "import");
	struct waiting *w;

	if (!is_local(ask))
		return;
	if (!bytes)
		return refuse(ask, -EINVAL, "import and bytes");
	w = waiting_new(ask);
	if (w)
		import_chunk(imports_of(ask), number, span_of(bytes), on_done, w);
}

static void post_publish(struct admin_ask *ask)
{
	uint64_t number = (uint64_t)number_of(ask, "import");
	struct waiting *w;

	if (!is_local(ask))
		return;
	w = waiting_new(ask);
	if (w)
		import_publish(imports_of(ask), number, on_done, w);
}

static void delete_import(struct admin_ask *ask)
{
	int64_t number;

	if (!is_local(ask) || admin_query_number(ask, "import", 0, INT64_MAX, 0, &number) < 0)
		return;
	import_end(imports_of(ask), (uint64_t)number);
	admin_answer_done(ask);
}

static const struct admin_route routes[] = {
	{ ADMIN_POST, "/api/v1/import", ADMIN_OPERATE, post_import },
	{ ADMIN_DELETE, "/api/v1/import", ADMIN_OPERATE, delete_import },
	{ ADMIN_POST, "/api/v1/import/object", ADMIN_OPERATE, post_object },
	{ ADMIN_POST, "/api/v1/import/chunk", ADMIN_OPERATE, post_chunk },
	{ ADMIN_POST, "/api/v1/import/publish", ADMIN_OPERATE, post_publish },
};
ADMIN_TABLE(import, routes);
