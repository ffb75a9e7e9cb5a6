/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document is a few KiB and goes into a fresh socket's buffer whole, so writing never waits for a reader; a
 * reader for which it does not fit gets what fits.
 */
#include "firmware/keeper/status.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "firmware/base/log.h"

struct status {
	int fd;
	struct event *readable;
	status_document_f *f;
	void *arg;
	char path[108];
};

static void folder_make(const char *path)
{
	char folder[108], *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		(void)mkdir(folder, 0755);
	}
}

int unix_listen(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	folder_make(path);
	if (!lstat(path, &st)) {
		if (!S_ISSOCK(st.st_mode))
			return -EEXIST;
		(void)unlink(path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0117);
	rc = bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 64) ? -errno : 0;
	umask(mask);
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct status *s = arg;
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	json_t *document;
	char *text = NULL;

	(void)what;
	if (peer < 0)
		return;
	document = s->f(s->arg);
	if (document)
		text = json_dumps(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	if (text && (send(peer, text, strlen(text), MSG_NOSIGNAL | MSG_MORE) < 0 ||
		     send(peer, "\n", 1, MSG_NOSIGNAL) < 0))
		LOG(LOG_L_DEBUG, "status.send", "error=%d", errno);
	free(text);
	json_decref(document);
	close(peer);
}

int status_new(struct event_base *base, const char *path, status_document_f *f, void *arg,
	       struct status **ret_status)
{
	struct status *s;
	int fd = unix_listen(path);

	if (fd < 0)
		return fd;
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		(void)unlink(path);
		return -ENOMEM;
	}
	s->fd = fd;
	s->f = f;
	s->arg = arg;
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_connect, s);
	if (!s->readable || event_add(s->readable, NULL)) {
		status_free(&s);
		return -ENOMEM;
	}
	*ret_status = s;
	return 0;
}

void status_free(struct status **status)
{
	struct status *s = *status;

	if (!s)
		return;
	if (s->readable)
		event_free(s->readable);
	close(s->fd);
	(void)unlink(s->path);
	free(s);
	*status = NULL;
}
