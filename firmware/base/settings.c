/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings by table: finding the row, defaults, all-or-nothing loading, error texts, printed
 * documentation. A struct under construction is zeroed memory, so settings_free() may end it at any
 * point.
 */
#include "firmware/base/settings_priv.h"

#include <stdarg.h>
#include <stdlib.h>

#include "firmware/base/log.h"

#define NAME_MAX_LEN 64

int settings_wrong(struct settings_error *error, const char *allowed, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	(void)vsnprintf(error->what, sizeof(error->what), what, args);
	va_end(args);
	(void)snprintf(error->allowed, sizeof(error->allowed), "%s", allowed);
	return -EINVAL;
}

const char *settings_error_text(const struct settings_error *error, char *buf, size_t size)
{
	char line[16] = "";

	if (error->line)
		(void)snprintf(line, sizeof(line), ":%u", error->line);
	(void)snprintf(buf, size, "%s%s: %s%s%s", error->file, line, error->what,
		       error->allowed[0] ? "; allowed: " : "", error->allowed);
	return buf;
}

static void *row_at(const struct setting *row, void *values)
{
	return (char *)values + row->offset;
}

/* How many letters to change, add or take away to make one name the other (Levenshtein). */
static size_t distance(struct span a, struct span b)
{
	size_t row[NAME_MAX_LEN + 1];

	if (a.n > NAME_MAX_LEN || b.n > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t best = corner + (span_lower(a.p[i - 1]) != span_lower(b.p[j - 1]));

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.n];
}

/*
 * Keys of `section`, or the sections when it is NULL: all as a list, and the one nearest to `name`.
 */
static const char *names_like(const struct settings_table *table, const char *section,
			      struct span name, char *list, size_t size)
{
	const char *nearest = NULL, *before = NULL;
	size_t least = name.n / 3 + 2;
	size_t n = 0;

	list[0] = '\0';
	for (size_t i = 0; i < table->n; i++) {
		const struct setting *row = &table->rows[i];
		const char *candidate = section ? row->key : row->section;
		size_t d;

		if (section ? strcmp(row->section, section) != 0
			    : before && strcmp(before, candidate) == 0)
			continue;
		before = candidate;
		if (n < size)
			n += (size_t)snprintf(list + n, size - n, "%s%s", n ? ", " : "", candidate);
		d = distance(name, span_of(candidate));
		if (d < least) {
			least = d;
			nearest = candidate;
		}
	}
	return nearest;
}

static int unknown(const struct settings_table *table, const char *section, struct span name,
		   struct settings_error *error)
{
	char list[sizeof(error->allowed)];
	const char *nearest = names_like(table, section, name, list, sizeof(list));

	return settings_wrong(error, list, "unknown %s %s%s%s%s", section ? "key" : "section",
			      LOG_QUOTE(name), nearest ? " (did you mean " : "",
			      nearest ? nearest : "", nearest ? "?)" : "");
}

static int row_find(const struct settings_table *table, struct span section, struct span key,
		    size_t *ret_i, struct settings_error *error)
{
	const char *known = NULL;

	for (size_t i = 0; i < table->n; i++) {
		const struct setting *row = &table->rows[i];

		if (!span_eq(section, span_of(row->section)))
			continue;
		known = row->section;
		if (span_eq(key, span_of(row->key))) {
			*ret_i = i;
			return 0;
		}
	}
	if (!known && section.n == 0)
		return settings_wrong(error, "[section] before the first key",
				      "key %s in no section", LOG_QUOTE(key));
	return known ? unknown(table, known, key, error) : unknown(table, NULL, section, error);
}

static int row_set(const struct settings_table *table, size_t i, struct span value, uint8_t *seen,
		   void *values, struct settings_error *error)
{
	const struct setting *row = &table->rows[i];
	char allowed[sizeof(error->allowed)];
	void *at;
	int rc;

	at = row_at(row, values);
	if (seen[i] && !setting_is_list(row))
		return settings_wrong(error, "one line", "%s is set a second time", row->key);
	if (!seen[i] && setting_is_list(row))
		setting_clear(row, at);
	seen[i] = 1;
	rc = setting_parse(row, value, at);
	if (rc == -ENOMEM)
		(void)settings_wrong(error, "", "out of memory");
	else if (rc < 0)
		(void)settings_wrong(error, setting_allowed(row, allowed, sizeof(allowed)),
				     "%s = %s is not valid", row->key, LOG_QUOTE(value));
	return rc;
}

int settings_set(const struct settings_table *table, struct span section, struct span key,
		 struct span value, uint8_t *seen, void *values, struct settings_error *error)
{
	size_t i = 0;
	int rc = row_find(table, section, key, &i, error);

	return rc < 0 ? rc : row_set(table, i, value, seen, values, error);
}

int settings_defaults(const struct settings_table *table, const char *section, void *values)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct setting *row = &table->rows[i];
		int rc;

		if (section && strcmp(section, row->section) != 0)
			continue;
		rc = setting_parse(row, span_of(row->fallback), row_at(row, values));
		CHECK(rc == 0 || rc == -ENOMEM); /* a default that is not allowed is our bug */
		if (rc < 0)
			return rc;
	}
	return 0;
}

void settings_free(const struct settings_table *table, void *values)
{
	for (size_t i = 0; i < table->n; i++)
		setting_clear(&table->rows[i], row_at(&table->rows[i], values));
}

struct loading {
	const struct settings_table *table;
	void *values;
	uint8_t *seen;
	unsigned *lines; /* or NULL */
};

static int load_line(void *arg, struct span section, struct span key, struct span value,
		     unsigned line, struct settings_error *error)
{
	struct loading *l = arg;
	size_t i = 0;
	int rc = row_find(l->table, section, key, &i, error);

	if (rc < 0)
		return rc;
	if (l->lines && !l->lines[i])
		l->lines[i] = line;
	return row_set(l->table, i, value, l->seen, l->values, error);
}

int settings_load_lines(const char *path, bool optional, const struct settings_table *table,
			void *out, unsigned *lines, struct settings_error *error)
{
	struct loading l = { .table = table, .lines = lines };
	int rc = -ENOMEM;

	*error = (struct settings_error){ 0 };
	(void)settings_wrong(error, "", "out of memory");
	l.values = calloc(1, table->size);
	l.seen = calloc(table->n, 1);
	if (!l.values || !l.seen)
		goto out;
	if (lines)
		memset(lines, 0, table->n * sizeof(*lines));
	rc = settings_defaults(table, NULL, l.values);
	if (rc < 0)
		goto out;
	if (path)
		rc = settings_read(path, load_line, &l, error);
	if (rc == -ENOENT && optional)
		rc = 0;
	if (rc == 0) {
		memcpy(out, l.values, table->size);
		memset(l.values, 0, table->size); /* what it owned has moved */
		*error = (struct settings_error){ 0 };
	}
out:
	if (l.values)
		settings_free(table, l.values);
	free(l.values);
	free(l.seen);
	return rc;
}

int settings_load(const char *path, bool optional, const struct settings_table *table, void *out,
		  struct settings_error *error)
{
	return settings_load_lines(path, optional, table, out, NULL, error);
}

/* "# " and words up to column 90 or so. */
static void print_wrapped(struct span text, FILE *to)
{
	size_t column = 0;
	struct span word;

	while (span_cut(&text, ' ', &word)) {
		if (column == 0 || column + word.n > 88) {
			fputs(column ? "\n#" : "#", to);
			column = 1;
		}
		fprintf(to, " %.*s", SPAN_FMT(word));
		column += word.n + 1;
	}
	fputc('\n', to);
}

void settings_print(const struct settings_table *table, FILE *to)
{
	const char *section = "";

	for (size_t i = 0; i < table->n; i++) {
		const struct setting *row = &table->rows[i];
		char allowed[256];

		if (strcmp(section, row->section) != 0)
			fprintf(to, "%s[%s]\n", i ? "\n" : "", row->section);
		section = row->section;
		print_wrapped(span_of(row->help), to);
		fprintf(to, "# Allowed: %s.\n", setting_allowed(row, allowed, sizeof(allowed)));
		fprintf(to, "#%s =%s%s\n", row->key, row->fallback[0] ? " " : "", row->fallback);
	}
}
