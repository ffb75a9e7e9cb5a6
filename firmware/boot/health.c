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

int health_parse(const char *text, size_t n, struct health *ret_health)
{
	json_t *document = json_loadb(text, n, 0, NULL), *selftest;
	struct health h = { .answers = true };

	if (!json_is_object(document)) {
		json_decref(document);
		return -EBADMSG;
	}
	selftest = json_object_get(document, "selftest");
	h.armed = json_is_true(json_object_get(document, "armed"));
	h.ready = json_is_true(json_object_get(json_object_get(document, "proxy"), "ready"));
	h.ways = (int)json_integer_value(json_object_get(selftest, "ways"));
	text_take(document, "mode", h.state, sizeof(h.state));
	h.steers = strcmp(h.state, "off") != 0;
	text_take(document, "state", h.state, sizeof(h.state));
	text_take(document, "why_not_armed", h.why_not, sizeof(h.why_not));
	text_take(selftest, "state", h.selftest, sizeof(h.selftest));
	text_take(selftest, "text", h.selftest_why, sizeof(h.selftest_why));
	json_decref(document);
	*ret_health = h;
	return 0;
}

int health_ask(const char *keeper_socket, struct health *ret_health)
{
	int fd = socket_open(keeper_socket), rc;
	char *buf;

	*ret_health = (struct health){ 0 };
	if (fd < 0)
		return fd;
	buf = malloc(DOCUMENT_MAX);
	rc = buf ? health_parse(buf, document_read(fd, buf), ret_health) : -ENOMEM;
	free(buf);
	close(fd);
	return rc == -EBADMSG ? -ETIMEDOUT : rc;
}

const char *health_lacks(const struct health *h, bool settings_wrong, char buf[HEALTH_WHY])
{
	if (!h->answers)
		return "tarnd does not answer";
	if (settings_wrong)
		return "it does not take this box's settings (tarn.conf)";
	if (!h->ready)
		return "tarn-proxy is not ready";
	if (!h->steers || !strcmp(h->selftest, "ok"))
		return NULL;
	if (!strcmp(h->selftest, "none"))
		(void)snprintf(buf, HEALTH_WHY, "the selftest has not run: %s", h->why_not);
	else
		(void)snprintf(buf, HEALTH_WHY, "the selftest %s: %s",
			       strcmp(h->selftest, "failed") ? "can't run" : "fails",
			       h->selftest_why);
	return buf;
}
