/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/health.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DOCUMENT_MAX (1 << 20)

static int socket_open(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 1 };
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static size_t document_read(int fd, char *buf)
{
	size_t n = 0;
	ssize_t got;

	while (n < DOCUMENT_MAX && (got = read(fd, buf + n, DOCUMENT_MAX - n)) > 0)
		n += (size_t)got;
	return n;
}

static void text_take(const json_t *from, const char *key, char *to, size_t size)
{
	const char *text = json_string_value(json_object_get(from, key));

	(void)snprintf(to, size, "%s", text ? text : "");
}

int health_ask(const char *keeper_socket, struct health *ret_health)
{
	int fd = socket_open(keeper_socket);
	char *buf;
	json_t *document;

	*ret_health = (struct health){ 0 };
	if (fd < 0)
		return fd;
	buf = malloc(DOCUMENT_MAX);
	document = buf ? json_loadb(buf, document_read(fd, buf), 0, NULL) : NULL;
	free(buf);
	close(fd);
	if (!document)
		return -ETIMEDOUT;
	ret_health->answers = true;
	ret_health->armed = json_is_true(json_object_get(document, "armed"));
	ret_health->ready =
		json_is_true(json_object_get(json_object_get(document, "proxy"), "ready"));
	text_take(document, "state", ret_health->state, sizeof(ret_health->state));
	text_take(document, "why_not_armed", ret_health->why_not, sizeof(ret_health->why_not));
	json_decref(document);
	return 0;
}
