/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list comes as lines of JSON: a head, the objects, an end with their number, so that an answer
 * that was cut off is seen. Names of files are found here, from the path alone, and checked again: what the
 * proxy says is root's to write to a disk.
 */
#include "firmware/carry/repository.h"

#include <stdlib.h>

#include "firmware/base/profile.h"

#define LINE_MAX_BYTES 262144

/* ---- names ---------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	uint64_t value;

	return span_hex(span_make(&c, 1), &value) < 0 ? -1 : (int)value;
}

int file_name_of(struct span path, char *buf, size_t size)
{
	size_t n = 0;

	if (!path_is_normal(path))
		return -EINVAL;
	for (size_t i = 1; i < path.n; i++) {
		char c = path.p[i];

		if (c ==
		    '%') { /* normal: two digits follow, and no '/', control or NUL comes out */
			c = (char)(hex_digit(path.p[i + 1]) << 4 | hex_digit(path.p[i + 2]));
			i += 2;
		}
		if (n + 1 >= size)
			return -ENOSPC;
		buf[n++] = c;
	}
	buf[n] = '\0';
	return 0;
}

void repository_place(const struct repository *r, const struct repository_file *file,
		      char buf[REPOSITORY_PLACE_MAX])
{
	const char *group = file->group;
	int n;

	if (strcmp(group, r->source) == 0)
		n = snprintf(buf, REPOSITORY_PLACE_MAX, "%s/%s", r->profile, file->name);
	else
		n = snprintf(buf, REPOSITORY_PLACE_MAX, "%s@%s/%s", r->profile,
			     group + (group[0] == '@'), file->name);
	CHECK(n > 0 && n < REPOSITORY_PLACE_MAX);
	for (char *p = buf; *p && *p != '/'; p++)
		*p = *p == ':' ? '_'
			       : *p; /* a host's port: no file system of a drive takes a colon */
}

/* "<profile> <group> <path>": false if it is a variant's, has a query, or is no such thing. */
static bool key_split(struct span key, const char *profile, struct span *ret_group,
		      struct span *ret_path)
{
	struct span rest = key, part;

	if (span_find(key, '\n') < key.n || !span_cut(&rest, ' ', &part) ||
	    !span_eq(part, span_of(profile)) || !span_cut(&rest, ' ', ret_group) || !ret_group->n)
		return false;
	/* A group becomes a folder's name. */
	for (size_t i = 0; i < ret_group->n; i++) {
		char c = ret_group->p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("-_.:@+", c))
			return false;
	}
	if (ret_group->p[0] == '.' || ret_group->n > PROFILE_GROUP_MAX + 16)
		return false;
	*ret_path = rest;
	return path_is_normal(rest);
}

/* ---- the list ------------------------------------------------------------------------------------- */

static void file_clear(struct repository_file *file)
{
	free(file->key);
	free(file->path);
	free(file->group);
	free(file->name);
	free(file->etag);
	free(file->fields);
	*file = (struct repository_file){ 0 };
}

int repository_new(const char *profile, struct repository **ret_repository)
{
	struct repository *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->profile = strdup(profile);
	r->source = strdup("");
	if (!r->profile || !r->source) {
		repository_free(&r);
		return -ENOMEM;
	}
	*ret_repository = r;
	return 0;
}

void repository_free(struct repository **repository)
{
	struct repository *r = *repository;

	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		file_clear(&r->files[i]);
	free(r->files);
	free(r->profile);
	free(r->source);
	free(r);
	*repository = NULL;
}

static int files_grow(struct repository *r)
{
	struct repository_file *grown;

	if (r->n == REPOSITORY_FILES_MAX)
		return -ENOSPC;
	if (r->n & (r->n - 1))
		return 0;
	grown = realloc(r->files, (r->n ? r->n * 2 : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	r->files = grown;
	return 0;
}

int repository_add(struct repository *r, const struct repository_file *from)
{
	char name[INDEX_PATH_MAX + 1];
	struct repository_file *file;
	struct span group, path;
	int rc = files_grow(r);

	if (rc < 0)
		return rc;
	if (!key_split(span_of(from->key), r->profile, &group, &path) ||
	    file_name_of(path, name, sizeof(name)) < 0) {
		r->left_out++;
		return -EINVAL;
	}
	file = &r->files[r->n];
	*file = *from;
	file->key = strdup(from->key);
	file->path = span_dup(path);
	file->group = span_dup(group);
	file->name = strdup(name);
	file->etag = strdup(from->etag ? from->etag : "");
	file->fields = strdup(from->fields ? from->fields : "");
	if (!file->key || !file->path || !file->group || !file->name || !file->etag ||
	    !file->fields) {
		file_clear(file);
		return -ENOMEM;
	}
	r->n++;
	r->bytes += file->size;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct repository_file *x = a, *y = b;
	int order = strcmp(x->group, y->group);

	return order ? order : strcmp(x->name, y->name);
}

const struct repository_file *repository_find(const struct repository *r, const char *group,
					      const char *name)
{
	const struct repository_file want = { .group = (char *)(uintptr_t)group,
					      .name = (char *)(uintptr_t)name };

	return r->n ? bsearch(&want, r->files, r->n, sizeof(want), by_name) : NULL;
}

void repository_remove(struct repository *r, size_t i)
{
	r->bytes -= r->files[i].size;
	file_clear(&r->files[i]);
	r->n--;
	memmove(&r->files[i], &r->files[i + 1], (r->n - i) * sizeof(*r->files));
}

/* Is `folder` a folder that `name` lies in? */
static bool is_below(const char *folder, const char *name)
{
	size_t n = strlen(folder);

	return strncmp(folder, name, n) == 0 && name[n] == '/';
}

/*
 * A name that another file has, or that is a folder of another's, is left out: sorted, "a" stands before
 * "a/b", with perhaps "a.x" in between, so each is looked for among all that begin with it.
 */
void repository_sort(struct repository *r)
{
	size_t kept = 0;

	if (r->n)
		qsort(r->files, r->n, sizeof(*r->files), by_name);
	for (size_t i = 0; i < r->n; i++) {
		struct repository_file *file = &r->files[i];
		bool clash = kept && by_name(&r->files[kept - 1], file) == 0;

		for (size_t j = i + 1; !clash && j < r->n; j++) {
			const struct repository_file *next = &r->files[j];

			if (strcmp(next->group, file->group) != 0 ||
			    strncmp(next->name, file->name, strlen(file->name)) != 0)
				break;
			clash = is_below(file->name, next->name);
		}
		if (clash) {
			r->left_out++;
			r->bytes -= file->size;
			file_clear(file);
		} else {
			r->files[kept++] = *file;
		}
	}
	r->n = kept;
}

/* ---- from the proxy -------------------------------------------------------------------------------- */

struct listing {
	struct repository *r;
	char *line; /* unfinished */
	size_t n;
	bool headed, ended;
};

static bool digest_read(const char *hex, uint8_t digest[FILE_DIGEST])
{
	struct span text = span_of(hex);
	uint64_t byte;

	if (text.n != 2 * FILE_DIGEST)
		return false;
	for (size_t i = 0; i < FILE_DIGEST; i++) {
		if (span_hex(span_sub(text, 2 * i, 2 * i + 2), &byte) < 0)
			return false;
		digest[i] = (uint8_t)byte;
	}
	return true;
}

static int object_take(struct repository *r, const json_t *json)
{
	struct repository_file file = { .last_modified = INT64_MIN };
	json_int_t id = 0, size = -1, last_modified = 0, date = 0, lifetime = 0;
	const char *key = NULL, *etag = "", *fields = "", *sha256 = NULL;
	int index = 0, has_last_modified = json_is_integer(json_object_get(json, "last_modified"));
	int rc;

	if (json_unpack((json_t *)(uintptr_t)json,
			"{s:s, s:I, s:I, s:b, s?s, s?s, s?I, s?I, s?I, s?s}", "key", &key, "id",
			&id, "size", &size, "index", &index, "etag", &etag, "fields", &fields,
			"last_modified", &last_modified, "date", &date, "lifetime", &lifetime,
			"sha256", &sha256) < 0 ||
	    size < 0 || lifetime < 0 || lifetime > UINT32_MAX)
		return -EBADMSG;
	file.key = (char *)(uintptr_t)key;
	file.etag = (char *)(uintptr_t)etag;
	file.fields = (char *)(uintptr_t)fields;
	file.id = (uint64_t)id;
	file.size = (uint64_t)size;
	file.index = index;
	file.lifetime = (uint32_t)lifetime;
	if (has_last_modified)
		file.last_modified = last_modified;
	file.mtime = has_last_modified ? last_modified : date;
	if (sha256 && !(file.has_sha256 = digest_read(sha256, file.sha256)))
		return -EBADMSG;
	rc = repository_add(r, &file);
	return rc == -EINVAL ? 0 : rc;
}

static int head_take(struct repository *r, const json_t *json)
{
	const char *source = "";
	json_int_t number = 0, published = 0;
	int whole = 0;

	if (json_unpack((json_t *)(uintptr_t)json, "{s:s, s:I, s:I, s:b}", "source", &source,
			"number", &number, "published_ms", &published, "whole", &whole) < 0)
		return -EBADMSG;
	free(r->source);
	r->source = strdup(source);
	r->number = (uint64_t)number;
	r->published_ms = published;
	r->whole = whole;
	return r->source ? 0 : -ENOMEM;
}

/* What has been evicted since it was published is missing: what is left is no generation. */
static int end_take(struct listing *l, const json_t *json)
{
	l->ended = true;
	if (l->r->number && json_integer_value(json_object_get(json, "missing")) > 0)
		l->r->whole = false;
	return 0;
}

static int line_take(struct listing *l, struct span line)
{
	json_t *json = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	int rc = -EBADMSG;

	if (json_is_object(json) && !l->ended) {
		if (!l->headed)
			rc = head_take(l->r, json);
		else if (json_is_integer(json_object_get(json, "end")))
			rc = end_take(l, json);
		else
			rc = object_take(l->r, json);
		l->headed = true;
	}
	json_decref(json);
	return rc;
}

static int listing_sink(void *arg, struct span bytes)
{
	struct listing *l = arg;

	while (bytes.n) {
		size_t end = span_find(bytes, '\n');
		struct span head = span_head(bytes, end);
		char *grown;
		int rc;

		if (l->n + head.n > LINE_MAX_BYTES)
			return -EBADMSG;
		grown = realloc(l->line, l->n + head.n + 1);
		if (!grown)
			return -ENOMEM;
		l->line = grown;
		memcpy(l->line + l->n, head.p, head.n);
		l->n += head.n;
		if (end == bytes.n)
			return 0;
		rc = line_take(l, span_make(l->line, l->n));
		if (rc < 0)
			return rc;
		l->n = 0;
		bytes = span_drop(bytes, end + 1);
	}
	return 0;
}

int repository_get(struct asker *asker, const char *profile, enum repository_which which,
		   struct repository **ret_repository)
{
	struct listing l = { 0 };
	char name[256], target[512];
	int status = 0, rc = repository_new(profile, &l.r);

	if (rc < 0)
		return rc;
	if (asker_encode(span_of(profile), name, sizeof(name)) < 0)
		rc = -ENOENT;
	(void)snprintf(target, sizeof(target), "/api/v1/repository/%s?which=%s", name,
		       which == REPOSITORY_CURRENT ? "current" : "previous");
	if (rc == 0)
		rc = asker_ask(asker, "GET", target, NULL, listing_sink, &l, &status);
	if (rc == 0 && status != 200)
		rc = status == 404 ? -ENOENT : -EPROTO;
	if (rc == 0 && !l.ended)
		rc = -EBADMSG;
	free(l.line);
	if (rc < 0) {
		repository_free(&l.r);
		return rc;
	}
	repository_sort(l.r);
	*ret_repository = l.r;
	return 0;
}

int repository_names(struct asker *asker, char ***ret_names)
{
	json_t *answer = NULL, *row;
	const json_t *rows;
	char **names;
	size_t i, n = 0;
	int status = 0, rc = asker_json(asker, "GET", "/api/v1/repository", NULL, &status, &answer);

	if (rc == 0 && status != 200)
		rc = -EPROTO;
	if (rc < 0)
		return rc;
	rows = json_object_get(answer, "profiles");
	names = calloc(json_array_size(rows) + 1, sizeof(*names));
	json_array_foreach((json_t *)(uintptr_t)rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "profile"));

		if (names && name)
			names[n++] = strdup(name);
		if (!names || !name || !names[n - 1])
			rc = names ? -EBADMSG : -ENOMEM;
	}
	json_decref(answer);
	if (!names)
		return -ENOMEM;
	if (rc < 0) {
		repository_names_free(&names);
		return rc;
	}
	*ret_names = names;
	return 0;
}

void repository_names_free(char ***names)
{
	for (size_t i = 0; *names && (*names)[i]; i++)
		free((*names)[i]);
	free(*names);
	*names = NULL;
}

struct filling {
	uint8_t *buf;
	size_t n, size;
};

static int filling_sink(void *arg, struct span bytes)
{
	struct filling *f = arg;

	if (bytes.n > f->size - f->n)
		return -EBADMSG;
	memcpy(f->buf + f->n, bytes.p, bytes.n);
	f->n += bytes.n;
	return 0;
}

int repository_read(struct asker *asker, const struct repository_file *file, uint64_t from,
		    void *buf, size_t n)
{
	struct filling f = { buf, 0, n };
	char *key = malloc(3 * strlen(file->key) + 5), *target = NULL;
	int status = 0, rc = key ? 0 : -ENOMEM;

	CHECK(n <= REPOSITORY_READ_MAX);
	if (rc == 0)
		rc = asker_encode(span_of(file->key), key, 3 * strlen(file->key) + 5);
	if (rc == 0 && asprintf(&target, "/api/v1/repository_body?id=%llu&from=%llu&n=%zu&key=%s",
				(unsigned long long)file->id, (unsigned long long)from, n, key) < 0)
		rc = -ENOMEM;
	if (rc == 0)
		rc = asker_ask(asker, "GET", target, NULL, filling_sink, &f, &status);
	if (rc == 0 && status != 200)
		rc = status == 404 ? -ENOENT : -EPROTO;
	if (rc == 0 && f.n != n)
		rc = -EBADMSG;
	free(target);
	free(key);
	return rc;
}
