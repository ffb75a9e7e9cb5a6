/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/carry/bundle.h"

#include <stdlib.h>
#include <unistd.h>

#define MAGIC	   "tarn-export 1 "
#define HEAD_BYTES (sizeof(MAGIC) - 1 + SEAL_KEY_TEXT + SEAL_SIGN_TEXT)

void bundle_place(const char *profile, const char *kind, char buf[REPOSITORY_PLACE_MAX])
{
	CHECK(snprintf(buf, REPOSITORY_PLACE_MAX, "%s/%s.%s", BUNDLE_DIR, profile, kind) <
	      REPOSITORY_PLACE_MAX);
}

/* ---- one file as JSON -------------------------------------------------------------------------------- */

static json_t *file_json(const struct repository_file *file)
{
	char hex[2 * FILE_DIGEST + 1];
	json_t *json;

	CHECK(file->has_sha256);
	for (unsigned i = 0; i < FILE_DIGEST; i++)
		(void)sprintf(hex + 2 * i, "%02x", file->sha256[i]);
	json = json_pack("{s:s, s:I, s:I, s:s, s:b, s:I, s:I, s:s, s:s}", "key", file->key, "id",
			 (json_int_t)file->id, "size", (json_int_t)file->size, "sha256", hex,
			 "index", file->index, "mtime", (json_int_t)file->mtime, "lifetime",
			 (json_int_t)file->lifetime, "etag", file->etag, "fields", file->fields);
	if (file->last_modified != INT64_MIN)
		(void)json_object_set_new(json, "last_modified", json_integer(file->last_modified));
	return json;
}

static int file_read(const json_t *json, struct repository *r)
{
	struct repository_file file = { .last_modified = INT64_MIN, .has_sha256 = true };
	json_int_t id, size, mtime, lifetime, last_modified = INT64_MIN;
	const char *key, *sha256, *etag, *fields;
	uint64_t byte;
	int index;

	if (json_unpack((json_t *)(uintptr_t)json,
			"{s:s, s:I, s:I, s:s, s:b, s:I, s:I, s:s, s:s, s?I}", "key", &key, "id",
			&id, "size", &size, "sha256", &sha256, "index", &index, "mtime", &mtime,
			"lifetime", &lifetime, "etag", &etag, "fields", &fields, "last_modified",
			&last_modified) < 0 ||
	    size < 0 || lifetime < 0 || lifetime > UINT32_MAX || strlen(sha256) != 2 * FILE_DIGEST)
		return -EBADMSG;
	for (size_t i = 0; i < FILE_DIGEST; i++) {
		if (span_hex(span_make(sha256 + 2 * i, 2), &byte) < 0)
			return -EBADMSG;
		file.sha256[i] = (uint8_t)byte;
	}
	file.key = (char *)(uintptr_t)key;
	file.etag = (char *)(uintptr_t)etag;
	file.fields = (char *)(uintptr_t)fields;
	file.id = (uint64_t)id;
	file.size = (uint64_t)size;
	file.mtime = mtime;
	file.last_modified = last_modified;
	file.lifetime = (uint32_t)lifetime;
	file.index = index;
	return repository_add(r, &file);
}

/* ---- manifests ----------------------------------------------------------------------------------------- */

static json_t *manifest_json(const struct repository *r, int64_t now_s)
{
	json_t *files = json_array();

	for (size_t i = 0; i < r->n; i++)
		if (json_array_append_new(files, file_json(&r->files[i])) < 0) {
			json_decref(files);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:I, s:I, s:b, s:I, s:o}", "profile", r->profile, "source",
			 r->source, "number", (json_int_t)r->number, "published_ms",
			 (json_int_t)r->published_ms, "whole", r->whole, "made", (json_int_t)now_s,
			 "files", files);
}

int bundle_write(int top, const struct repository *r, const struct seal *seal, int64_t now_s)
{
	char place[REPOSITORY_PLACE_MAX], key[SEAL_KEY_TEXT], sign[SEAL_SIGN_TEXT];
	json_t *json = manifest_json(r, now_s);
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL, *whole = NULL;
	int n = 0, rc = text ? seal_sign(seal, span_of(text), sign) : -ENOMEM;

	json_decref(json);
	seal_key_text(seal, key);
	if (rc == 0)
		n = asprintf(&whole, MAGIC "%s %s\n%s", key, sign, text);
	if (n < 0)
		rc = -ENOMEM;
	bundle_place(r->profile, "manifest", place);
	if (rc == 0)
		rc = tree_store(top, place, span_make(whole, (size_t)n));
	free(whole);
	free(text);
	return rc;
}

static int manifest_read(struct span text, const char *profile, struct repository **ret_repository)
{
	json_t *json = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL), *file;
	const json_t *files = NULL;
	const char *name = NULL, *source = NULL;
	json_int_t number = 0, published = 0, made = 0;
	struct repository *r = NULL;
	int whole = 0, rc = -EBADMSG;
	size_t i;

	if (json_unpack(json, "{s:s, s:s, s:I, s:I, s:b, s:I, s:o}", "profile", &name, "source",
			&source, "number", &number, "published_ms", &published, "whole", &whole,
			"made", &made, "files", &files) == 0 &&
	    strcmp(name, profile) == 0 && json_is_array(files))
		rc = repository_new(profile, &r);
	if (rc == 0) {
		free(r->source);
		r->source = strdup(source);
		r->number = (uint64_t)number;
		r->published_ms = published;
		r->made_s = made;
		r->whole = whole;
		rc = r->source ? 0 : -ENOMEM;
	}
	if (rc == 0)
		json_array_foreach((json_t *)(uintptr_t)files, i, file)
		{
			rc = rc < 0 ? rc : file_read(file, r);
		}
	json_decref(json);
	if (rc == 0)
		repository_sort(r);
	/* What the exporter would have left out has no business here. */
	if (rc == -EINVAL || rc == -ENOSPC || (rc == 0 && r->left_out))
		rc = -EBADMSG;
	if (rc < 0)
		repository_free(&r);
	else
		*ret_repository = r;
	return rc;
}

static bool is_trusted(const struct string_list *trust, struct span key)
{
	for (size_t i = 0; i < trust->n; i++)
		if (span_eq(span_of(trust->v[i]), key))
			return true;
	return false;
}

int bundle_read(int top, const char *profile, const struct string_list *trust,
		struct repository **ret_repository, char ret_key[SEAL_KEY_TEXT])
{
	char place[REPOSITORY_PLACE_MAX];
	char *text = NULL;
	struct span head, body, key, sign;
	size_t n = 0;
	int rc;

	ret_key[0] = '\0';
	bundle_place(profile, "manifest", place);
	rc = tree_load(top, place, BUNDLE_MAX, &text, &n);
	if (rc < 0)
		return rc;
	head = span_make(text, n < HEAD_BYTES ? n : HEAD_BYTES);
	body = span_drop(span_make(text, n), HEAD_BYTES);
	key = span_sub(head, sizeof(MAGIC) - 1, sizeof(MAGIC) - 1 + SEAL_KEY_TEXT - 1);
	sign = span_sub(head, sizeof(MAGIC) - 1 + SEAL_KEY_TEXT, HEAD_BYTES - 1);
	if (span_starts(head, SPAN(MAGIC)) && head.n == HEAD_BYTES &&
	    head.p[sizeof(MAGIC) - 1 + SEAL_KEY_TEXT - 1] == ' ' &&
	    head.p[HEAD_BYTES - 1] == '\n' && seal_key_valid(key))
		CHECK_OK(span_copy(key, ret_key, SEAL_KEY_TEXT));
	rc = ret_key[0] && is_trusted(trust, key) && seal_verify(key, sign, body) ? 0
										  : -EKEYREJECTED;
	if (rc == 0)
		rc = manifest_read(body, profile, ret_repository);
	free(text);
	return rc;
}

/* ---- journals ------------------------------------------------------------------------------------------- */

int journal_add(int fd, const struct repository_file *file, const struct seal *seal)
{
	json_t *json = file_json(file);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL, *line = NULL;
	char sign[SEAL_SIGN_TEXT];
	int n = 0, rc = text ? seal_sign(seal, span_of(text), sign) : -ENOMEM;

	json_decref(json);
	if (rc == 0)
		n = asprintf(&line, "%s %s\n", sign, text);
	if (n < 0)
		rc = -ENOMEM;
	/* One write: a line is there or is not; a part of one has no signature. */
	if (rc == 0 && write(fd, line, (size_t)n) != n)
		rc = errno == ENOSPC ? -ENOSPC : -EIO;
	free(line);
	free(text);
	return rc;
}

static void journal_line(struct span line, struct span key, struct repository *known)
{
	struct span sign = span_head(line, SEAL_SIGN_TEXT - 1),
		    body = span_drop(line, SEAL_SIGN_TEXT);
	json_t *json;

	if (!seal_verify(key, sign, body))
		return;
	json = json_loadb(body.p, body.n, 0, NULL);
	if (json)
		(void)!file_read(json, known);
	json_decref(json);
}

int journal_read(int top, const char *profile, const struct seal *seal, struct repository *known)
{
	char place[REPOSITORY_PLACE_MAX], key[SEAL_KEY_TEXT];
	char *text = NULL;
	struct span rest, line;
	size_t n = 0;
	int rc;

	bundle_place(profile, "journal", place);
	rc = tree_load(top, place, BUNDLE_MAX, &text, &n);
	if (rc < 0)
		return rc == -ENOENT || rc == -EFBIG ? 0 : rc;
	seal_key_text(seal, key);
	rest = span_make(text, n);
	while (span_cut(&rest, '\n', &line))
		journal_line(line, span_of(key), known);
	free(text);
	return 0;
}
