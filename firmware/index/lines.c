/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in lines, and the profile's pattern of one. A line that lies whole in a piece is not copied; what
 * is left of a piece waits in `rest` for the next.
 */
#include <stdlib.h>

#include "firmware/base/log.h"
#include "firmware/index/index_priv.h"

struct lines {
	char *rest;
	size_t n, size;
};

int lines_new(struct lines **ret_lines)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	*ret_lines = lines;
	return 0;
}

void lines_free(struct lines **lines)
{
	if (*lines)
		free((*lines)->rest);
	free(*lines);
	*lines = NULL;
}

static int keep(struct lines *lines, struct index_reader *reader, struct span bytes)
{
	size_t need = lines->n + bytes.n;

	if (need > reader->config.limits.token)
		return index_refuse(reader, INDEX_TOO_LONG_, "a line of more than %u bytes",
				    reader->config.limits.token);
	if (need > lines->size) {
		size_t size = need * 2 + 256;
		char *grown = realloc(lines->rest, size);

		if (!grown)
			return -ENOMEM;
		lines->rest = grown;
		lines->size = size;
	}
	if (bytes.n)
		memcpy(lines->rest + lines->n, bytes.p, bytes.n);
	lines->n = need;
	return 0;
}

/* A line of which all is here. */
static int give(struct index_reader *reader, struct span line, line_f *f)
{
	reader->line++;
	reader->column = 1;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return f(reader, line);
}

int lines_feed(struct lines *lines, struct index_reader *reader, struct span bytes, bool last,
	       line_f *f)
{
	int rc = 0;

	while (rc == 0 && span_find(bytes, '\n') < bytes.n) {
		struct span line = span_head(bytes, span_find(bytes, '\n'));

		bytes = span_drop(bytes, line.n + 1);
		if (lines->n || line.n > reader->config.limits.token) {
			rc = keep(lines, reader, line);
			line = span_make(lines->rest, lines->n);
			lines->n = 0;
		}
		if (rc == 0)
			rc = give(reader, line, f);
	}
	if (rc == 0 && bytes.n)
		rc = keep(lines, reader, bytes);
	if (rc == 0 && last && lines->n)
		rc = give(reader, span_make(lines->rest, lines->n), f);
	return rc == 0 && last ? f(reader, (struct span){ NULL, 0 }) : rc;
}

/* ---- the pattern ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where a field ends: at what the next part begins with. Fields that may hold blanks end at the last chance. */
static size_t field_end(struct span rest, const struct line_part *next)
{
	size_t i = 0;

	if (!next)
		return rest.n;
	if (next->kind == LINE_BLANK) {
		while (i < rest.n && !is_blank(rest.p[i]))
			i++;
		return i;
	}
	while (i < rest.n && !span_starts(span_drop(rest, i), next->text))
		i++;
	return i;
}

static int part_match(const struct line_part *part, const struct line_part *next, struct span *rest,
		      struct raw_entry *raw)
{
	size_t n = 0;

	switch (part->kind) {
	case LINE_LITERAL:
		if (!span_starts(*rest, part->text))
			return -EINVAL;
		n = part->text.n;
		break;
	case LINE_BLANK:
		while (n < rest->n && is_blank(rest->p[n]))
			n++;
		if (!n)
			return -EINVAL;
		break;
	default:
		n = field_end(*rest, next);
		if (part->kind == LINE_PATH)
			raw->path = span_head(*rest, n);
		else if (part->kind == LINE_SIZE)
			raw->size = span_head(*rest, n);
		else if (part->kind == LINE_DIGEST)
			raw->digest = span_head(*rest, n);
		else if (part->kind == LINE_NAME)
			raw->name = span_head(*rest, n);
	}
	*rest = span_drop(*rest, n);
	return 0;
}

static bool is_skipped(const struct profile_index *format, struct span line)
{
	for (size_t i = 0; i < format->skip.n; i++)
		if (span_starts(line, span_of(format->skip.v[i])))
			return true;
	return span_trim(line).n == 0;
}

int line_match(struct index_reader *reader, struct span line)
{
	const struct profile_index *format = reader->config.format;
	struct raw_entry raw = { .kind = (enum index_digest)format->digest };
	struct span rest = line;

	if (!line.p || is_skipped(format, line))
		return 0;
	for (size_t i = 0; i < format->parts_n; i++) {
		const struct line_part *next =
			i + 1 < format->parts_n ? &format->parts[i + 1] : NULL;

		reader->column = line.n - rest.n + 1;
		if (part_match(&format->parts[i], next, &rest, &raw) < 0)
			return index_refuse(reader, INDEX_LINE_, "%s is not as the profile's line",
					    LOG_QUOTE(line));
	}
	if (rest.n)
		return index_refuse(reader, INDEX_LINE_, "%s goes on after the profile's line",
				    LOG_QUOTE(line));
	return index_emit(reader, &raw);
}
