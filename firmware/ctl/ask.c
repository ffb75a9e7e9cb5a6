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
static int converse(const char *path, const char *request, char **ret_text, size_t *ret_n)
{
	uint64_t deadline_ms = clock_read().mono_ms + ASK_LIMIT_MS;
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
	int rc = converse(socket_path, NULL, &text, &n);

	if (rc < 0)
		return rc;
	rc = parse(span_make(text, n), ret_document);
	free(text);
	return rc;
}

/* The body of a 200. */
static int body_of(struct span response, struct span *ret_body)
{
	struct span line = span_head(response, span_find(response, '\n'));

	if (!span_starts(line, SPAN("HTTP/1.")) || !span_starts(span_drop(line, 8), SPAN(" 200")))
		return -EPROTO;
	for (size_t i = 0; i + 4 <= response.n; i++) {
		if (memcmp(response.p + i, "\r\n\r\n", 4) == 0) {
			*ret_body = span_drop(response, i + 4);
			return 0;
		}
	}
	return -EPROTO;
}

int ask_proxy(const char *socket_path, const char *target, json_t **ret_document)
{
	struct span body;
	char *request, *text = NULL;
	size_t n = 0;
	int rc;

	if (asprintf(&request, "GET %s HTTP/1.0\r\nHost: tarn\r\n\r\n", target) < 0)
		return -ENOMEM;
	rc = converse(socket_path, request, &text, &n);
	free(request);
	if (rc < 0)
		return rc;
	rc = body_of(span_make(text, n), &body);
	if (rc == 0)
		rc = parse(body, ret_document);
	free(text);
	return rc;
}
