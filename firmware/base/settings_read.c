/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An INI file, line by line, through libinih. The file is read whole (at most FILE_MAX bytes), so
 * that a file that changes underneath can't be seen half. libinih asks line_feed() for each line;
 * there every line is checked before libinih sees it, because it would cut long lines and long
 * section names in silence, take an indented line for a continuation, and ignore what follows a
 * section's ']'.
 */
#include "firmware/base/settings.h"

#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX    (1u << 20)
#define SECTION_MAX 48 /* libinih keeps 49 */

struct reading {
	struct span rest;
	unsigned line;
	int rc; /* the first failure; ends the reading */
	settings_line_f *f;
	void *arg;
	struct settings_error *error;
};

static int fail(struct reading *r, int rc)
{
	if (r->rc == 0) {
		r->rc = rc;
		r->error->line = r->line;
	}
	return rc;
}

static bool is_comment(struct span s)
{
	return s.n > 0 && (s.p[0] == ';' || s.p[0] == '#');
}

static int section_check(struct reading *r, struct span line)
{
	size_t close = span_find(line, ']');
	struct span after = span_trim(span_drop(line, close + 1));

	if (close == line.n)
		return settings_wrong(r->error, "[section]", "a section without its ']'");
	if (close == 1 || close > SECTION_MAX)
		return settings_wrong(r->error, "1 to 47 characters", "section name is %zu long",
				      close - 1);
	if (after.n && !is_comment(after))
		return settings_wrong(r->error, "nothing but a comment",
				      "text after the section's ']'");
	return 0;
}

static int line_check(struct reading *r, struct span line)
{
	if (line.n > SETTINGS_LINE_MAX)
		return settings_wrong(r->error, "at most 180 bytes; a list's key may be repeated",
				      "line of %zu bytes", line.n);
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return settings_wrong(r->error, "text", "control character 0x%02x", c);
	}
	return line.n && line.p[0] == '[' ? section_check(r, line) : 0;
}

/* libinih's fgets. Lines leave without indentation, so nothing looks like a continuation. */
static char *line_feed(char *buf, int size, void *arg)
{
	struct reading *r = arg;
	struct span line;

	if (r->rc < 0 || !span_cut(&r->rest, '\n', &line))
		return NULL;
	r->line++;
	if (r->line == 1 && span_starts(line, SPAN("\xef\xbb\xbf")))
		line = span_drop(line, 3);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	line = span_trim(line);
	if (is_comment(line))
		line.n = 0;
	if (line_check(r, line) < 0) {
		(void)fail(r, -EINVAL);
		return NULL;
	}
	CHECK(size > SETTINGS_LINE_MAX + 1);
	CHECK_OK(span_copy(line, buf, (size_t)size));
	return buf;
}

/* libinih's handler: non-zero is success. */
static int on_line(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;
	int rc;

	if (r->rc < 0)
		return 0;
	rc = r->f(r->arg, span_of(section), span_of(name), span_of(value), r->line, r->error);
	return rc < 0 ? (fail(r, rc), 0) : 1;
}

int settings_read_text(struct span text, const char *name, settings_line_f *f, void *arg,
		       struct settings_error *error)
{
	struct reading r = { .rest = text, .f = f, .arg = arg, .error = error };
	int bad_line;

	*error = (struct settings_error){ 0 };
	(void)snprintf(error->file, sizeof(error->file), "%s", name);
	bad_line = ini_parse_stream(line_feed, &r, on_line, &r);
	if (bad_line > 0 && (r.rc == 0 || (unsigned)bad_line < error->line)) {
		error->line = (unsigned)bad_line;
		return settings_wrong(error, "[section], key = value, or a comment after '#'",
				      "neither a section nor key = value");
	}
	if (bad_line < 0 && r.rc == 0)
		return -ENOMEM;
	return r.rc;
}

/* The whole of an open file. */
static int slurp(int fd, char **ret_text, size_t *ret_n)
{
	char *text = malloc(FILE_MAX + 1);
	size_t n = 0;
	ssize_t got;

	if (!text)
		return -ENOMEM;
	do {
		got = read(fd, text + n, FILE_MAX + 1 - n);
		if (got > 0)
			n += (size_t)got;
	} while ((got > 0 && n <= FILE_MAX) || (got < 0 && errno == EINTR));
	if (got < 0 || n > FILE_MAX) {
		int rc = got < 0 ? -errno : -EFBIG;

		free(text);
		return rc;
	}
	*ret_text = text;
	*ret_n = n;
	return 0;
}

int settings_read(const char *path, settings_line_f *f, void *arg, struct settings_error *error)
{
	char *text = NULL;
	size_t n = 0;
	int fd, rc;

	*error = (struct settings_error){ 0 };
	(void)snprintf(error->file, sizeof(error->file), "%s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
	rc = fd < 0 ? -errno : slurp(fd, &text, &n);
	if (fd >= 0)
		(void)close(fd);
	if (rc < 0) {
		(void)settings_wrong(error, rc == -EFBIG ? "at most 1 MiB" : "", "%s",
				     strerror(-rc));
		return rc;
	}
	rc = settings_read_text(span_make(text, n), path, f, arg, error);
	free(text);
	return rc;
}
