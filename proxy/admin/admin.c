/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API on a unix socket: evhttp on the control loop. What there is to ask stands in route.c's tables. Over
 * HTTPS it is web.c's.
 *
 * Who may ask is decided by the socket file's mode and group. The socket file is ours if we made it: it is removed at
 * the end, and a file that a killed proxy left behind is replaced.
 */
#include "proxy/admin/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/admin/access.h"
#include "proxy/admin/changes.h"
#include "proxy/admin/logins.h"
#include "proxy/admin/selftests.h"
#include "proxy/admin/snapshots.h"
#include "proxy/admin/systems.h"
#include "proxy/admin/uploads.h"
#include "proxy/admin/web.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"

#define SOCKET_MODE 0660
#define BACKLOG	    16
#define TIMEOUT_S   5
#define HEAD_MAX    65536	 /* a question about a request holds it, percent-encoded */
#define BODY_MAX    (512 * 1024) /* a piece of an import */
#define METHODS                                                                                    \
	(EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |  \
	 EVHTTP_REQ_DELETE)

struct admin {
	struct worker *control;
	struct evhttp *http;
	struct asks *asks;
	struct access *access;
	struct logins *logins;
	struct changes *changes;
	struct selftests *selftests;
	struct systems *systems;
	struct uploads *uploads;
	struct snapshots *snapshots;
	struct web *web; /* NULL: no HTTPS */
	uint64_t started_ms;
	char *path; /* of the socket file that we made, or NULL */
	dev_t dev;
	ino_t ino; /* of that file: another's is not removed */
};

static void on_request(struct evhttp_request *request, void *arg)
{
	struct admin *admin = arg;
	const struct admin_ask from = { .role = ADMIN_OPERATE, .local = true, .peer = "local" };

	asks_take(admin->asks, request, &from);
}

struct access *admin_access(struct admin *admin)
{
	return admin->access;
}

struct logins *admin_logins(struct admin *admin)
{
	return admin->logins;
}

struct changes *admin_changes(struct admin *admin)
{
	return admin->changes;
}

void admin_changed(struct admin *admin, const struct heritage_changed *changed)
{
	if (admin)
		changes_told(admin->changes, changed);
}

struct selftests *admin_selftests(struct admin *admin)
{
	return admin->selftests;
}

struct systems *admin_systems(struct admin *admin)
{
	return admin->systems;
}

struct uploads *admin_uploads(struct admin *admin)
{
	return admin->uploads;
}

void admin_systems_said(struct admin *admin, const struct heritage_systems_said *said)
{
	if (admin)
		systems_said(admin->systems, said);
}

void admin_access_kept(struct admin *admin, const struct heritage_access_kept *answer)
{
	if (admin)
		access_was_kept(admin->access, answer);
}

struct snapshots *admin_snapshots(struct admin *admin)
{
	return admin->snapshots;
}

void admin_selftest(struct admin *admin, const struct heritage_selftest *result)
{
	if (admin)
		selftests_told(admin->selftests, result);
}

uint64_t admin_started_ms(const struct admin *admin)
{
	return admin->started_ms;
}

/* ---- the socket ------------------------------------------------------------------------------- */

/* Does a living process listen there? */
static bool is_served(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served;

	if (fd < 0)
		return true;
	served = connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 || errno == EAGAIN;
	close(fd);
	return served;
}

/* Binds with the final mode from the first moment on. */
static int bind_file(int fd, const struct sockaddr_un *un)
{
	mode_t before = umask((mode_t)~SOCKET_MODE & 0777);
	int rc = bind(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 ? -errno : 0;

	umask(before);
	return rc;
}

static int socket_make(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int rc, fd;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = bind_file(fd, &un);
	if (rc == -EADDRINUSE && !is_served(&un) && unlink(path) == 0)
		rc = bind_file(fd, &un);
	if (rc == 0 && listen(fd, BACKLOG) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

/* Our own socket file, remembered so that it is ours that is removed at the end. */
static int socket_own(struct admin *admin, const char *path)
{
	struct stat st;
	int fd = socket_make(path);

	if (fd < 0)
		return fd;
	admin->path = strdup(path);
	if (admin->path && lstat(path, &st) == 0) {
		admin->dev = st.st_dev;
		admin->ino = st.st_ino;
		return fd;
	}
	(void)unlink(path);
	free(admin->path);
	admin->path = NULL;
	close(fd);
	return -ENOMEM;
}

/* ---- its life --------------------------------------------------------------------------------- */

static int http_make(struct admin *admin, int fd)
{
	admin->http = evhttp_new(admin->control->base);
	if (!admin->http)
		return -ENOMEM;
	evhttp_set_allowed_methods(admin->http, METHODS);
	evhttp_set_max_headers_size(admin->http, HEAD_MAX);
	evhttp_set_max_body_size(admin->http, BODY_MAX);
	evhttp_set_timeout(admin->http, TIMEOUT_S);
	evhttp_set_gencb(admin->http, on_request, admin);
	/* From here on the socket is evhttp's. */
	return evhttp_accept_socket(admin->http, fd) < 0 ? -ENOMEM : 0;
}

int admin_new(struct worker *control, int inherited_fd, int kept_fd, const char *path,
	      struct admin **ret_admin)
{
	struct admin *admin;
	int rc, fd = inherited_fd;

	if (fd < 0 && !*path)
		return 0;
	admin = calloc(1, sizeof(*admin));
	if (!admin)
		return -ENOMEM;
	admin->control = control;
	admin->started_ms = worker_now(control)->mono_ms;
	if (fd < 0)
		fd = socket_own(admin, path);
	if (fd < 0) {
		free(admin);
		return fd;
	}
	rc = asks_new(control, admin, &admin->asks);
	rc = rc ? rc : access_new(control, kept_fd, &admin->access);
	rc = rc ? rc : logins_new(control, admin->access, &admin->logins);
	rc = rc ? rc : changes_new(control, &admin->changes);
	rc = rc ? rc : selftests_new(control, &admin->selftests);
	rc = rc ? rc : systems_new(control, &admin->systems);
	rc = rc ? rc : uploads_new(control, &admin->uploads);
	rc = rc ? rc : snapshots_new(control, &admin->snapshots);
	rc = rc ? rc : web_new(control, admin->asks, admin->access, &admin->web);
	rc = rc ? rc : http_make(admin, fd);
	if (rc < 0) {
		close(fd);
		admin_free(&admin);
		return rc;
	}
	*ret_admin = admin;
	return 0;
}

void admin_free(struct admin **ptr)
{
	struct admin *admin = *ptr;
	struct stat st;

	if (!admin)
		return;
	asks_free(&admin->asks);
	if (admin->http)
		evhttp_free(admin->http);
	web_free(&admin->web);
	snapshots_free(&admin->snapshots);
	uploads_free(&admin->uploads);
	systems_free(&admin->systems);
	selftests_free(&admin->selftests);
	changes_free(&admin->changes);
	logins_free(&admin->logins);
	access_free(&admin->access);
	if (admin->path && lstat(admin->path, &st) == 0 && st.st_dev == admin->dev &&
	    st.st_ino == admin->ino)
		(void)unlink(admin->path);
	free(admin->path);
	free(admin);
	*ptr = NULL;
}
