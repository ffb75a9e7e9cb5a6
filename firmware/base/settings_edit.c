/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two passes: look() finds where the setting stands or could stand, then each line is copied, replaced or left out.
 * Lines are read as settings_read.c and libinih do: blanks around everything, '#' and ';' at the start are comments, " ;"
 * begins one behind a value.
 */
#include "firmware/base/settings_edit.h"

#include <stdlib.h>

struct line {
	struct span section; /* that it stands in */
	struct span key;     /* n == 0: it sets nothing */
	struct span comment; /* behind the value, with its ';' */
	bool example;	     /* "#key = ..." */
	bool blank;
};

/* Where things are, by number of line from 1; 0: nowhere. */
struct place {
	unsigned set;	  /* the first line that sets it */
	unsigned example; /* the commented-out one */
	unsigned last;	  /* the section's last line that is not blank */
};

static bool is_comment(struct span s)
{
	return s.n > 0 && (s.p[0] == ';' || s.p[0] == '#');
}

static struct span key_of(struct span s)
{
	size_t equals = span_find(s, '='), colon = span_find(s, ':');
	size_t end = equals < colon ? equals : colon;

	return end < s.n ? span_trim(span_head(s, end)) : span_make(NULL, 0);
}

/* From the " ;" on. */
static struct span comment_of(struct span s)
{
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] == ';' && (s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
			return span_drop(s, i);
	return span_make(NULL, 0);
}

/* The next line of `rest`, whole; false: that was all. */
static bool line_next(struct span *rest, struct span *section, struct span *ret_whole,
		      struct line *ret_line)
{
	struct span s;

	if (!rest->n || !span_cut(rest, '\n', ret_whole))
		return false;
	s = *ret_whole;
	if (span_starts(s, SPAN("\xef\xbb\xbf")))
		s = span_drop(s, 3);
	s = span_trim(s);
	if (s.n && s.p[s.n - 1] == '\r')
		s = span_trim(span_head(s, s.n - 1));
	if (s.n && s.p[0] == '[')
		*section = span_head(span_drop(s, 1), span_find(span_drop(s, 1), ']'));
	*ret_line = (struct line){ .section = *section, .blank = s.n == 0 };
	if (is_comment(s)) {
		ret_line->key = key_of(span_trim(span_drop(s, 1)));
		ret_line->example = true;
	} else if (s.n && s.p[0] != '[') {
		ret_line->key = key_of(s);
		ret_line->comment = comment_of(s);
	}
	return true;
}

static bool names(const struct line *line, const struct setting *row)
{
	return span_eq(line->section, span_of(row->section)) &&
	       span_eq(line->key, span_of(row->key));
}

static struct place look(struct span text, const struct setting *row)
{
	struct place place = { 0 };
	struct span section = { 0 }, whole;
	struct line line;

	for (unsigned n = 1; line_next(&text, &section, &whole, &line); n++) {
		if (!span_eq(line.section, span_of(row->section)))
			continue;
		if (!line.blank)
			place.last = n;
		if (names(&line, row) && line.example)
			place.example = n;
		else if (names(&line, row) && !place.set)
			place.set = n;
	}
	return place;
}

/* ---- writing -------------------------------------------------------------------------------------- */

struct edit {
	FILE *to;
	const struct setting *row;
	const char *value; /* NULL: it goes */
	const char *end;   /* of a line */
};

/* No line break, and nothing that would be read as a comment. */
static bool is_writable(const char *value)
{
	for (const char *p = value; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f ||
		    (*p == ';' && (p == value || p[-1] == ' ')))
			return false;
	}
	return *value != ' ' && (!*value || value[strlen(value) - 1] != ' ');
}

/* A list's words, as many as fit into a line; false: one that fits into none. */
static bool write_words(const struct edit *edit)
{
	size_t head = strlen(edit->row->key) + 3, n = 0;
	struct span rest = span_of(edit->value), word;

	while (span_cut(&rest, ' ', &word)) {
		if (!word.n)
			continue;
		if (head + 1 + word.n > SETTINGS_LINE_MAX)
			return false;
		if (n && n + 1 + word.n > SETTINGS_LINE_MAX) {
			fputs(edit->end, edit->to);
			n = 0;
		}
		if (!n)
			n = (size_t)fprintf(edit->to, "%s =", edit->row->key);
		n += (size_t)fprintf(edit->to, " %.*s", SPAN_FMT(word));
	}
	fputs(edit->end, edit->to);
	return true;
}

static bool write_setting(const struct edit *edit, struct span comment)
{
	size_t n = strlen(edit->row->key) + 3 + strlen(edit->value);

	if (n > SETTINGS_LINE_MAX)
		return write_words(edit);
	fprintf(edit->to, "%s =%s%s", edit->row->key, *edit->value ? " " : "", edit->value);
	if (comment.n && n + 1 + comment.n <= SETTINGS_LINE_MAX)
		fprintf(edit->to, " %.*s", SPAN_FMT(comment));
	fputs(edit->end, edit->to);
	return true;
}

static bool write_all(const struct edit *edit, struct span text, const struct place *place)
{
	unsigned after = place->set ? 0 : place->example ? place->example : place->last;
	struct span section = { 0 }, whole, rest = text;
	struct line line;
	bool good = true;

	for (unsigned n = 1; line_next(&rest, &section, &whole, &line); n++) {
		bool ours = names(&line, edit->row) && !line.example;

		if (ours && n == place->set && edit->value)
			good = good && write_setting(edit, line.comment);
		if (!ours)
			fprintf(edit->to, "%.*s\n", SPAN_FMT(whole));
		if (n == after && edit->value)
			good = good && write_setting(edit, (struct span){ 0 });
	}
	if (!place->set && !after && edit->value) {
		fprintf(edit->to, "%s[%s]%s", text.n ? edit->end : "", edit->row->section,
			edit->end);
		good = good && write_setting(edit, (struct span){ 0 });
	}
	return good;
}

int settings_edit(struct span text, const struct setting *row, const char *value, char **ret_text)
{
	size_t first = span_find(text, '\n'), n = 0;
	bool crlf = first < text.n && first > 0 && text.p[first - 1] == '\r', good;
	struct place place = look(text, row);
	struct edit edit = { .row = row, .value = value, .end = crlf ? "\r\n" : "\n" };
	char *out = NULL;

	if (value && !is_writable(value))
		return -EINVAL;
	edit.to = open_memstream(&out, &n);
	if (!edit.to)
		return -ENOMEM;
	good = write_all(&edit, text, &place);
	if (fclose(edit.to) != 0 || !good) {
		free(out);
		return good ? -ENOMEM : -EINVAL;
	}
	*ret_text = out;
	return 0;
}
