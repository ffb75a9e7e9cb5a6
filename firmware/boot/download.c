/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	      ┌────────────── a redirection ◄──────┐
 *	      ▼                                     │
 *	ask ──► on_piece: line_take ──► bytes written ──► all of them: done
 *	  ▲                                │ cut, or not now: rest()
 *	  └────────────────────────────────┘ DOWNLOAD_FAILS times in a row
 *
 * One thread.
 */
#include "firmware/boot/download.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/base/span.h"

#define LINE_MAX_ 8192
#define URL_MAX	  3000
#define TAG_MAX	  256

struct fetch {
	const struct download *d;
	int fd;
	char url[URL_MAX];  /* after redirections */
	char etag[TAG_MAX]; /* of what is there; "": it can't be gone on with */
	uint64_t have, size;
	bool looked; /* early() was asked */

	/* of one answer */
	char line[LINE_MAX_];
	size_t line_n;
	bool body;
	int status;
	char location[URL_MAX];
	char *why;
};

__attribute__((format(printf, 2, 3))) static void why_set(struct fetch *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(f->why, DOWNLOAD_WHY, format, args);
	va_end(args);
}

/* ---- what is there of it ---------------------------------------------------------------------------- */

/* A file of ours alone: made if there is none, made anew if it is another's. -errno or the descriptor. */
static int own_open(const char *path)
{
	for (int i = 0; i < 2; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		struct stat st;

		if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		    st.st_nlink == 1 && !(st.st_mode & 077))
			return fd;
		if (fd >= 0)
			close(fd);
		else if (errno != ELOOP && errno != ENXIO && errno != EACCES)
			return -errno;
		if (unlink(path))
			return -errno;
	}
	return -EPERM;
}

static void note_path(const struct download *d, char path[256])
{
	(void)snprintf(path, 256, "%s.from", d->path);
}

/* Goes on where a run before was cut, if it was after the same URL. */
static void note_load(struct fetch *f)
{
	char path[256], text[URL_MAX + TAG_MAX + 2];
	struct span rest, url, tag;
	ssize_t n;
	int fd;

	note_path(f->d, path);
	fd = own_open(path);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (fd >= 0)
		close(fd);
	rest = span_make(text, n > 0 ? (size_t)n : 0);
	if (span_cut(&rest, '\n', &url) && span_cut(&rest, '\n', &tag) && tag.n &&
	    span_eq(url, span_of(f->d->url)) && !span_copy(tag, f->etag, sizeof(f->etag)))
		f->have = (uint64_t)lseek(f->fd, 0, SEEK_END);
}

/* 0 or -EIO. */
static int note_save(const struct fetch *f)
{
	char path[256], text[URL_MAX + TAG_MAX + 2];
	int n = snprintf(text, sizeof(text), "%s\n%s\n", f->d->url, f->etag), fd, rc = 0;

	note_path(f->d, path);
	fd = own_open(path);
	if (fd < 0)
		return -EIO;
	if (ftruncate(fd, 0) || write(fd, text, (size_t)n) != n)
		rc = -EIO;
	close(fd);
	return rc;
}

void download_forget(const char *path)
{
	const struct download d = { .path = path };
	char note[256];

	note_path(&d, note);
	(void)unlink(note);
	(void)unlink(path);
}

/* ---- an answer ---------------------------------------------------------------------------------------- */

static int body_begin(struct fetch *f, int64_t size, int64_t from, const char *etag)
{
	struct span tag = span_of(etag);

	f->body = true;
	f->size = (uint64_t)size;
	if (size < 1 || from < 0 || (uint64_t)from != (f->status == 206 ? f->have : 0)) {
		why_set(f, "the server's answer makes no sense");
		return -EPROTO;
	}
	if (f->size > f->d->limit) {
		why_set(f, "it has %llu bytes; more than %llu are not taken",
			(unsigned long long)f->size, (unsigned long long)f->d->limit);
		return -EFBIG;
	}
	f->have = (uint64_t)from;
	if (ftruncate(f->fd, from) || lseek(f->fd, from, SEEK_SET) != from)
		return -EIO;
	if (f->status == 206)
		return 0;
	f->looked = false;
	if (!span_starts(tag, SPAN("\"")) || span_copy(tag, f->etag, sizeof(f->etag)))
		f->etag[0] = '\0';
	return note_save(f);
}

/* The line that says what comes. */
static int line_take(struct fetch *f)
{
	json_t *json = json_loadb(f->line, f->line_n, 0, NULL);
	const char *etag = json_string_value(json_object_get(json, "etag"));
	const char *location = json_string_value(json_object_get(json, "location"));
	int rc = 0;

	f->status = (int)json_integer_value(json_object_get(json, "status"));
	if (!json_is_object(json) || !f->status) {
		why_set(f, "tarn-proxy's answer makes no sense");
		rc = -EPROTO;
	} else if (f->status == 200 || f->status == 206) {
		rc = body_begin(f, json_integer_value(json_object_get(json, "size")),
				json_integer_value(json_object_get(json, "from")),
				etag ? etag : "");
	} else if (location && span_copy(span_of(location), f->location, sizeof(f->location))) {
		why_set(f, "the server sends elsewhere, by too long a name");
		rc = -EPROTO;
	}
	json_decref(json);
	return rc;
}

static int bytes_take(struct fetch *f, const char *bytes, size_t n)
{
	if (n > f->size - f->have) {
		why_set(f, "the server's answer makes no sense");
		return -EPROTO;
	}
	for (size_t at = 0; at < n;) {
		ssize_t done = write(f->fd, bytes + at, n - at);

		if (done <= 0) {
			why_set(f, "%s: %s", f->d->path, strerror(errno));
			return -EIO;
		}
		at += (size_t)done;
	}
	f->have += n;
	if (f->d->progress)
		f->d->progress(f->d->arg, f->have, f->size);
	if (f->d->early && !f->looked && f->have >= f->d->early_bytes) {
		f->looked = true;
		return f->d->early(f->d->arg, f->fd);
	}
	return 0;
}

static int on_piece(void *arg, const char *bytes, size_t n)
{
	struct span rest = span_make(bytes, n);
	struct fetch *f = arg;
	size_t line;
	int rc;

	if (!f->body && !f->status) {
		line = span_find(rest, '\n');
		if (f->line_n + line > sizeof(f->line)) {
			why_set(f, "tarn-proxy's answer makes no sense");
			return -EPROTO;
		}
		memcpy(f->line + f->line_n, rest.p, line);
		f->line_n += line;
		if (line == rest.n)
			return 0;
		rest = span_drop(rest, line + 1);
		rc = line_take(f);
		if (rc)
			return rc;
	}
	return rest.n && f->body ? bytes_take(f, rest.p, rest.n) : 0;
}

/* ---- again and again ---------------------------------------------------------------------------------- */

/* "/path" is of the same server; nobody is led from https to http. 0 or -EPROTO. */
static int redirect(struct fetch *f)
{
	struct span to = span_of(f->location), url = span_of(f->url);
	bool secure = span_starts(url, SPAN("https://"));
	char next[URL_MAX];
	size_t host;
	int n;

	if (span_starts(to, SPAN("https://")) || (!secure && span_starts(to, SPAN("http://")))) {
		n = snprintf(next, sizeof(next), "%s", f->location);
	} else if (span_starts(to, SPAN("/")) && !span_starts(to, SPAN("//"))) {
		host = secure ? 8 : 7;
		host += span_find(span_drop(url, host), '/');
		n = snprintf(next, sizeof(next), "%.*s%s", (int)host, f->url, f->location);
	} else {
		why_set(f, "the server sends elsewhere: %.100s", f->location);
		return -EPROTO;
	}
	if (n >= (int)sizeof(next)) {
		why_set(f, "the server sends elsewhere, by too long a name");
		return -EPROTO;
	}
	memcpy(f->url, next, (size_t)n + 1);
	return 0;
}

/* What a whole answer without a file means: 0: at once again; -EAGAIN: later; -EPROTO. */
static int status_judge(struct fetch *f, unsigned *turns)
{
	if (f->status / 100 == 3 && *f->location) {
		if (++*turns <= DOWNLOAD_TURNS)
			return redirect(f);
		why_set(f, "the server sends elsewhere again and again");
		return -EPROTO;
	}
	/* Not what it was when we began. */
	if (f->status == 416 && f->have) {
		f->have = 0;
		f->etag[0] = '\0';
		why_set(f, "the file has become another one meanwhile");
		return -EAGAIN;
	}
	if (!f->status)
		why_set(f, "tarn-proxy gave no answer");
	else
		why_set(f, "the server says %d", f->status);
	return !f->status || f->status == 408 || f->status == 429 || f->status >= 500 ? -EAGAIN
										      : -EPROTO;
}

static int ask_once(struct fetch *f, unsigned *turns)
{
	int rc;

	f->line_n = 0;
	f->body = false;
	f->status = 0;
	f->location[0] = '\0';
	if (!*f->etag)
		f->have = 0;
	rc = f->d->ask(f->d->arg, f->url, f->have, f->etag, on_piece, f, f->why);
	if (rc)
		return rc;
	if (!f->body)
		return status_judge(f, turns);
	if (f->have == f->size)
		return 0;
	why_set(f, "the connection was cut at %llu of %llu bytes", (unsigned long long)f->have,
		(unsigned long long)f->size);
	return -EAGAIN;
}

static int fetch_run(struct fetch *f)
{
	unsigned fails = 0, turns = 0;

	for (;;) {
		uint64_t before = f->have;
		int rc = ask_once(f, &turns);

		if (!rc && f->body)
			return 0;
		if (rc && rc != -EAGAIN)
			return rc;
		if (!rc)
			continue;
		fails = f->have > before ? 0 : fails + 1;
		if (fails == DOWNLOAD_FAILS)
			return -EPROTO;
		f->d->rest(f->d->arg, 1u << fails);
	}
}

int download(const struct download *d, int *ret_fd, char ret_why[DOWNLOAD_WHY])
{
	struct fetch *f = calloc(1, sizeof(*f));
	int rc = -EIO;

	if (!f)
		return -ENOMEM;
	f->d = d;
	f->why = ret_why;
	ret_why[0] = '\0';
	f->fd = own_open(d->path);
	if (f->fd < 0) {
		why_set(f, "%s: %s", d->path, strerror(-f->fd));
	} else if (span_copy(span_of(d->url), f->url, sizeof(f->url))) {
		why_set(f, "the URL is too long");
		rc = -EPROTO;
	} else {
		note_load(f);
		rc = fetch_run(f);
	}
	if (!rc)
		*ret_fd = f->fd;
	else if (f->fd >= 0)
		close(f->fd);
	if (rc && !f->have)
		download_forget(d->path);
	free(f);
	return rc;
}
