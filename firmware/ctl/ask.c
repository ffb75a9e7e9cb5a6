/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets are non-blocking with one deadline for the whole conversation; an answer has a size
 * limit.
 */
#include "firmware/ctl/ask.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/span.h"

const char *ask_error_text(int rc)
{
	switch (rc) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "not running";
	case -EACCES:
	case -EPERM:
		return "not allowed to ask (try as root)";
	case -ETIMEDOUT:
		return "does not answer";
	case -EBADMSG:
	case -EPROTO:
		return "gave an answer that makes no sense";
	default:
		return strerror(-rc);
	}
}

/* Waits until fd is ready for `events` or the deadline has passed. */
static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now = clock_read().mono_ms;
		int rc;

		if (now >= deadline_ms)
			return -ETIMEDOUT;
		rc = poll(&p, 1, (int)(deadline_ms - now));
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return -errno;
	}
}

static int open_socket(const char *path, uint64_t deadline_ms, int *ret_fd)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = -1, rc;

	if (span_copy(span_of(path), un.sun_path, sizeof(un.sun_path)) < 0)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/*
	 * A unix socket connects at once or, its backlog full, says EAGAIN: then it is not served.
	 */
	rc = connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ? -errno : 0;
	if (rc == -EAGAIN)
		rc = -ETIMEDOUT;
	if (rc == 0)
		rc = wait_for(fd, POLLOUT, deadline_ms);
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

static int send_all(int fd, const char *text, uint64_t deadline_ms)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n >= 0) {
			text += n;
			left -= (size_t)n;
		} else if (errno == EAGAIN) {
			int rc = wait_for(fd, POLLOUT, deadline_ms);

			if (rc < 0)
				return rc;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* To end of file. */
static int read_all(int fd, uint64_t deadline_ms, char **ret_text, size_t *ret_n)
{
	size_t n = 0, size = 0;
	char *text = NULL;
	int rc = 0;

	for (;;) {
		ssize_t got;

		if (n == size) {
			char *grown = size < ASK_BYTES_MAX ? realloc(text, size * 2 + 16384) : NULL;

			if (!grown) {
				rc = size < ASK_BYTES_MAX ? -ENOMEM : -EBADMSG;
				break;
			}
			text = grown;
			size = size * 2 + 16384;
		}
		rc = wait_for(fd, POLLIN, deadline_ms);
		if (rc < 0)
			break;
		got = recv(fd, text + n, size - n, 0);
		if (got == 0) {
			*ret_text = text;
			*ret_n = n;
			return 0;
		}
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			rc = -errno;
			break;
		}
		n += got > 0 ? (size_t)got : 0;
	}
	free(text);
	return rc;
}

/* Sends `request` (NULL: nothing) and gives all that comes back. */
static int converse(const char *path, const char *request, unsigned limit_ms, char **ret_text,
		    size_t *ret_n)
{
	uint64_t deadline_ms = clock_read().mono_ms + limit_ms;
	int fd = -1, rc;

	rc = open_socket(path, deadline_ms, &fd);
	if (rc < 0)
		return rc;
	if (request)
		rc = send_all(fd, request, deadline_ms);
	if (rc == 0)
		rc = read_all(fd, deadline_ms, ret_text, ret_n);
	(void)close(fd);
	return rc;
}

static int parse(struct span text, json_t **ret_document)
{
	json_t *document = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(document)) {
		json_decref(document);
		return -EBADMSG;
	}
	*ret_document = document;
	return 0;
}

int ask_keeper(const char *socket_path, json_t **ret_document)
{
	char *text = NULL;
	size_t n = 0;
	int rc = converse(socket_path, NULL, ASK_LIMIT_MS, &text, &n);

	if (rc < 0)
		return rc;
	rc = parse(span_make(text, n), ret_document);
	free(text);
	return rc;
}

/* Where the body begins, and the status. -EPROTO: that is no HTTP. */
static int head_read(struct span response, int *ret_status, struct span *ret_body)
{
	struct span line = span_head(response, span_find(response, '\n'));
	int status = 0;

	if (!span_starts(line, SPAN("HTTP/1.")) || line.n < 12)
		return -EPROTO;
	for (size_t i = 9; i < 12; i++) {
		if (line.p[i] < '0' || line.p[i] > '9')
			return -EPROTO;
		status = status * 10 + line.p[i] - '0';
	}
	for (size_t i = 0; i + 4 <= response.n; i++) {
		if (memcmp(response.p + i, "\r\n\r\n", 4) == 0) {
			*ret_status = status;
			*ret_body = span_drop(response, i + 4);
			return 0;
		}
	}
	return -EPROTO;
}

/* HTTP/1.0: the answer ends with the connection and is never chunked. */
static int request_make(const char *method, const char *target, const json_t *body, char **ret_text)
{
	char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int n;

	if (body && !json)
		return -ENOMEM;
	if (json)
		n = asprintf(ret_text,
			     "%s %s HTTP/1.0\r\nHost: tarn\r\nContent-Type: application/json\r\n"
			     "Content-Length: %zu\r\n\r\n%s",
			     method, target, strlen(json), json);
	else
		n = asprintf(ret_text, "%s %s HTTP/1.0\r\nHost: tarn\r\nContent-Length: 0\r\n\r\n",
			     method, target);
	free(json);
	return n < 0 ? -ENOMEM : 0;
}

int ask_proxy_do(const char *socket_path, const char *method, const char *target,
		 const json_t *body, int *ret_status, json_t **ret_document)
{
	char *request = NULL, *text = NULL;
	json_t *document = NULL;
	struct span content;
	int status, rc;
	size_t n = 0;

	rc = request_make(method, target, body, &request);
	if (rc < 0)
		return rc;
	rc = converse(socket_path, request, strcmp(method, "GET") ? ASK_DO_MS : ASK_LIMIT_MS, &text,
		      &n);
	free(request);
	if (rc < 0)
		return rc;
	rc = head_read(span_make(text, n), &status, &content);
	if (rc == 0 && content.n)
		rc = parse(content, &document);
	if (rc == 0) {
		*ret_status = status;
		*ret_document = document;
	}
	free(text);
	return rc;
}

int ask_proxy(const char *socket_path, const char *target, json_t **ret_document)
{
	json_t *document = NULL;
	int status = 0, rc;

	rc = ask_proxy_do(socket_path, "GET", target, NULL, &status, &document);
	if (rc == 0 && status != 200)
		rc = -EPROTO;
	if (rc == 0 && !document)
		rc = -EBADMSG;
	if (rc < 0) {
		json_decref(document);
		return rc;
	}
	*ret_document = document;
	return 0;
}

/* ---- streams -------------------------------------------------------------------------------------- */

#define HEAD_MAX 16384

struct stream {
	ask_piece_f *f;
	void *arg;
	char head[HEAD_MAX];
	size_t n; /* of the head, with what came after it */
};

/* Reads until the head is whole: what comes from elsewhere may take its time. */
static int stream_head(int fd, struct stream *stream, int *ret_status, struct span *ret_rest)
{
	uint64_t deadline_ms = clock_read().mono_ms + ASK_DO_MS;
	int rc;

	for (;;) {
		ssize_t got;

		if (stream->n == HEAD_MAX)
			return -EPROTO;
		rc = wait_for(fd, POLLIN, deadline_ms);
		if (rc < 0)
			return rc;
		got = recv(fd, stream->head + stream->n, HEAD_MAX - stream->n, 0);
		if (got == 0)
			return -EPROTO;
		stream->n += got > 0 ? (size_t)got : 0;
		if (head_read(span_make(stream->head, stream->n), ret_status, ret_rest) == 0)
			return 0;
	}
}

static int stream_body(int fd, struct stream *stream)
{
	char bytes[65536];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
		int rc;

		if (got == 0)
			return 0;
		if (got < 0 && errno == EAGAIN)
			(void)poll(&p, 1, -1);
		else if (got < 0 && errno != EINTR)
			return -errno;
		rc = got > 0 ? stream->f(stream->arg, bytes, (size_t)got) : 0;
		if (rc != 0)
			return rc;
	}
}

int ask_proxy_stream(const char *socket_path, const char *target, ask_piece_f *f, void *arg,
		     int *ret_status, json_t **ret_document)
{
	uint64_t deadline_ms = clock_read().mono_ms + ASK_LIMIT_MS;
	struct stream stream = { .f = f, .arg = arg };
	char *request = NULL;
	struct span rest;
	int fd = -1, rc;

	rc = request_make("GET", target, NULL, &request);
	if (rc < 0)
		return rc;
	rc = open_socket(socket_path, deadline_ms, &fd);
	if (rc == 0)
		rc = send_all(fd, request, deadline_ms);
	free(request);
	if (rc == 0)
		rc = stream_head(fd, &stream, ret_status, &rest);
	if (rc == 0 && *ret_status == 200)
		rc = rest.n ? f(arg, rest.p, rest.n) : 0;
	else if (rc == 0)
		rc = parse(rest, ret_document), rc = -EPROTO;
	if (rc == 0)
		rc = stream_body(fd, &stream);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}
