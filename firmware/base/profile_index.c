/* SPDX-License-Identifier: Apache-2.0 */
/*
 * [index NAME] of a profile: a table of its own, one struct a section, in the file's order. Made
 * with the profile by one thread, immutable afterwards.
 */
#include "firmware/base/profile_index.h"

#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/base/profile_priv.h"

static const char *const formats[] = { "xml", "lines", "release", "packages", NULL };
static const char *const digests[] = { "none", "md5", "sha1", "sha256", "sha512", "any", NULL };

_Static_assert(INDEX_PACKAGES == 3 && INDEX_DIGEST_ANY == 5, "the choices stand in their order");

#define AT(member) offsetof(struct profile_index, member)

/* clang-format off */
static const struct setting rows[] = {
	{ "index", "path", SETTING_STRINGS, AT(path), "", "Patterns of the paths that are such an index.", 0, 0, NULL },
	{ "index", "format", SETTING_ENUM, AT(format), "xml", "xml: elements name objects. lines: one object a line. release and packages: those of APT. Any may come as gzip or xz.", 0, 0, formats },
	{ "index", "base", SETTING_STRING, AT(base), "", "What a relative path starts from: index (the folder of the index, the default), host (the top of the host), /folder/, or above:/part/ (what the path of the index has before that part).", 0, 0, NULL },
	{ "index", "digest", SETTING_ENUM, AT(digest), "any", "What the digests are; any: told by their length; none: not looked at.", 0, 0, digests },
	{ "index", "element", SETTING_STRINGS, AT(element), "", "xml: the elements that name an object; * is each that has an attribute of at_path.", 0, 0, NULL },
	{ "index", "at_path", SETTING_STRINGS, AT(at_path), "", "xml: where the path stands: Name (an attribute), child/href (the attribute of a child), child/ (its text) or / (its own text). Of several the first that is there counts.", 0, 0, NULL },
	{ "index", "at_folder", SETTING_STRINGS, AT(at_folder), "", "xml: where the folder that the path is in stands; in an element around, too.", 0, 0, NULL },
	{ "index", "at_size", SETTING_STRINGS, AT(at_size), "", "xml: where the size stands.", 0, 0, NULL },
	{ "index", "at_digest", SETTING_STRINGS, AT(at_digest), "", "xml: where the digest stands.", 0, 0, NULL },
	{ "index", "at_name", SETTING_STRINGS, AT(at_name), "", "xml: where the name stands that stays when a new version replaces this one; default: the path.", 0, 0, NULL },
	{ "index", "tail", SETTING_BOOL, AT(tail), "no", "xml: a signature that is no XML follows after a semicolon.", 0, 0, NULL },
	{ "index", "line", SETTING_STRING, AT(line), "", "lines: the pattern of a line, with the parts {path}, {size}, {digest}, {name} and {} for anything.", 0, 0, NULL },
	{ "index", "skip", SETTING_STRINGS, AT(skip), "", "lines: what lines begin with that name nothing.", 0, 0, NULL },
};
/* clang-format on */

_Static_assert(ARRAY_LEN(rows) <= INDEX_ROWS_MAX, "a byte a row");

const struct settings_table profile_index_table = { rows, ARRAY_LEN(rows),
						    sizeof(struct profile_index) };

/* The section of that name, made at its first line, at the end of the list. */
static int section_get(struct profile_index **list, struct span name, struct profile_index **ret)
{
	struct profile_index *index;

	for (; *list; list = &(*list)->next)
		if (span_eq(span_of((*list)->name), name)) {
			*ret = *list;
			return 0;
		}
	index = calloc(1, sizeof(*index));
	if (!index)
		return -ENOMEM;
	if (settings_defaults(&profile_index_table, NULL, index) < 0) {
		settings_free(&profile_index_table, index);
		free(index);
		return -ENOMEM;
	}
	CHECK_OK(span_copy(name, index->name, sizeof(index->name)));
	*list = index;
	*ret = index;
	return 0;
}

int profile_index_line(struct profile_index **list, struct span name, struct span key,
		       struct span value, struct settings_error *error)
{
	struct profile_index *index;

	if (section_get(list, name, &index) < 0)
		return profile_no_memory(error);
	return settings_set(&profile_index_table, SPAN("index"), key, value, index->seen, index,
			    error);
}

/* ---- the pattern of a line ------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum line_part_kind kind;
} fields[] = {
	{ "path", LINE_PATH }, { "size", LINE_SIZE }, { "digest", LINE_DIGEST },
	{ "name", LINE_NAME }, { "", LINE_ANY },
};

static bool is_field(enum line_part_kind kind)
{
	return kind >= LINE_PATH;
}

/* Takes the next part off *rest. False: an unknown or unfinished field. */
static bool part_take(struct span *rest, struct line_part *ret_part)
{
	size_t n = 0;

	if (rest->p[0] == '{') {
		struct span name = span_sub(*rest, 1, span_find(*rest, '}'));
		bool closed = span_find(*rest, '}') < rest->n;

		*rest = span_drop(*rest, name.n + 2);
		for (size_t i = 0; closed && i < ARRAY_LEN(fields); i++)
			if (span_eq(name, span_of(fields[i].name))) {
				*ret_part = (struct line_part){ fields[i].kind, name };
				return true;
			}
		return false;
	}
	while (n < rest->n && (rest->p[n] == ' ' || rest->p[n] == '\t'))
		n++;
	if (n) {
		*ret_part = (struct line_part){ LINE_BLANK, span_head(*rest, n) };
	} else {
		while (n < rest->n && rest->p[n] != '{' && rest->p[n] != ' ' && rest->p[n] != '\t')
			n++;
		*ret_part = (struct line_part){ LINE_LITERAL, span_head(*rest, n) };
	}
	*rest = span_drop(*rest, n);
	return true;
}

static int line_compile(struct profile_index *index, struct settings_error *error)
{
	static const char *const allowed =
		"{path}, and {size}, {digest}, {name}, {} with something "
		"between each two, as: {digest} *{path}";
	struct span rest = span_of(index->line);
	unsigned seen = 0;
	struct line_part part;

	while (rest.n) {
		const struct line_part *last =
			index->parts_n ? &index->parts[index->parts_n - 1] : NULL;

		if (index->parts_n == LINE_PARTS_MAX || !part_take(&rest, &part) ||
		    (last && is_field(last->kind) && is_field(part.kind)) ||
		    (part.kind != LINE_ANY && is_field(part.kind) && (seen & 1u << part.kind)))
			return settings_wrong(error, allowed, "[index %s] line = %s", index->name,
					      LOG_QUOTE(span_of(index->line)));
		seen |= 1u << part.kind;
		index->parts[index->parts_n++] = part;
	}
	if (!(seen & 1u << LINE_PATH))
		return settings_wrong(error, allowed, "[index %s] line names no path", index->name);
	return 0;
}

/* ---- a whole section ------------------------------------------------------------------------- */

static bool is_base(struct span base)
{
	if (span_starts(base, SPAN("above:")))
		base = span_drop(base, 6);
	else if (base.n == 0 || span_eq(base, SPAN("index")) || span_eq(base, SPAN("host")))
		return true;
	return base.n > 0 && base.p[0] == '/' && base.p[base.n - 1] == '/';
}

static int section_finish(struct profile_index *index, struct settings_error *error)
{
	bool xml = index->format == INDEX_XML, lines = index->format == INDEX_LINES;

	if (!index->path.n)
		return settings_wrong(error, "path = PATTERN", "[index %s] has no path",
				      index->name);
	for (size_t i = 0; i < index->path.n; i++)
		if (!profile_is_pattern(span_of(index->path.v[i])))
			return settings_wrong(error, "as in [class index]",
					      "%s is not a path pattern",
					      LOG_QUOTE(span_of(index->path.v[i])));
	if (!is_base(span_of(index->base)))
		return settings_wrong(error, "index, host, /FOLDER/, above:/FOLDER/",
				      "[index %s] base = %s", index->name,
				      LOG_QUOTE(span_of(index->base)));
	if (xml && (!index->element.n || !index->at_path.n))
		return settings_wrong(error, "element and at_path",
				      "[index %s] does not say where the paths stand", index->name);
	if (!xml && (index->element.n || index->at_path.n || index->at_folder.n ||
		     index->at_size.n || index->at_digest.n || index->at_name.n || index->tail))
		return settings_wrong(error, "element, at_... and tail with format = xml alone",
				      "[index %s] is no XML", index->name);
	if (!lines && (index->line[0] || index->skip.n))
		return settings_wrong(error, "line and skip with format = lines alone",
				      "[index %s] has no lines", index->name);
	return lines ? line_compile(index, error) : 0;
}

int profile_index_finish(struct profile_index *list, struct settings_error *error)
{
	int rc = 0;

	for (; rc == 0 && list; list = list->next)
		rc = section_finish(list, error);
	return rc;
}

void profile_index_free(struct profile_index **list)
{
	while (*list) {
		struct profile_index *index = *list;

		*list = index->next;
		settings_free(&profile_index_table, index);
		free(index);
	}
}

const struct profile_index *profile_index_find(const struct profile *profile, struct span path)
{
	for (const struct profile_index *index = profile->indexes; index; index = index->next)
		for (size_t i = 0; i < index->path.n; i++)
			if (path_match(span_of(index->path.v[i]), path))
				return index;
	return NULL;
}

bool profile_index_any(const struct profile *profile)
{
	return profile->indexes != NULL;
}
