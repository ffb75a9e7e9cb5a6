/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API on a unix socket: evhttp on the control loop, four resources, GET only.
 *
 * Who may ask is decided by the socket file's mode and group. The socket file is ours if we made it: it is removed at
 * the end, and a file that a killed proxy left behind is replaced.
 */
#include "proxy/admin/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "proxy/admin/question.h"
#include "proxy/admin/report.h"
#include "proxy/loop.h"

#define SOCKET_MODE  0660
#define BACKLOG	     16
#define TIMEOUT_S    5
#define HEAD_MAX     65536 /* a question about a request holds it, percent-encoded */
#define BODY_MAX     4096  /* of a request that will be refused, so that 405 can be said */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct admin {
	struct worker *control;
	struct evhttp *http;
	uint64_t started_ms;
	char *path; /* of the socket file that we made, or NULL */
	dev_t dev;
	ino_t ino; /* of that file: another's is not removed */
};

/* ---- answers ---------------------------------------------------------------------------------- */

static void answer(struct evhttp_request *request, const char *type, struct evbuffer *body)
{
	struct evkeyvalq *fields = evhttp_request_get_output_headers(request);

	if (evhttp_add_header(fields, "Content-Type", type) < 0 ||
	    evhttp_add_header(fields, "Cache-Control", "no-store") < 0) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	evhttp_send_reply(request, HTTP_OK, NULL, body);
}

/* Takes the JSON; NULL: there was no memory for it. */
static void answer_json(struct evhttp_request *request, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(4)) : NULL;
	struct evbuffer *body = text ? evbuffer_new() : NULL;

	if (body && evbuffer_add_printf(body, "%s\n", text) >= 0)
		answer(request, "application/json", body);
	else
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
	if (body)
		evbuffer_free(body);
	free(text);
	json_decref(json);
}

static void on_status(struct evhttp_request *request, void *arg)
{
	struct admin *admin = arg;

	STAT_INC(STAT_ADMIN_REQUESTS);
	answer_json(request, report_status(admin->control, admin->started_ms));
}

static void on_stat(struct evhttp_request *request, void *arg)
{
	(void)arg;
	STAT_INC(STAT_ADMIN_REQUESTS);
	answer_json(request, report_stat());
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
	struct evbuffer *body = evbuffer_new();

	(void)arg;
	STAT_INC(STAT_ADMIN_REQUESTS);
	if (!body) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	report_metrics(body);
	answer(request, METRICS_TYPE, body);
	evbuffer_free(body);
}

static void on_why(struct evhttp_request *request, void *arg)
{
	struct admin *admin = arg;
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
	struct evkeyvalq words = { 0 };
	const char *error = "";
	json_t *json;
	int rc;

	STAT_INC(STAT_ADMIN_REQUESTS);
	TAILQ_INIT(&words);
	rc = query ? evhttp_parse_query_str(query, &words) : -1;
	rc = rc < 0 ? -EINVAL : question_answer(admin->control, &words, &json, &error);
	evhttp_clear_headers(&words);
	if (rc == 0)
		answer_json(request, json);
	else if (rc == -EINVAL)
		evhttp_send_error(request, HTTP_BADREQUEST, error);
	else
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
}

static void on_other(struct evhttp_request *request, void *arg)
{
	(void)arg;
	STAT_INC(STAT_ADMIN_REQUESTS);
	evhttp_send_error(request, HTTP_NOTFOUND, NULL);
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
	int rc = 0;

	admin->http = evhttp_new(admin->control->base);
	if (!admin->http)
		return -ENOMEM;
	evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(admin->http, HEAD_MAX);
	evhttp_set_max_body_size(admin->http, BODY_MAX);
	evhttp_set_timeout(admin->http, TIMEOUT_S);
	rc |= evhttp_set_cb(admin->http, "/api/v1/status", on_status, admin);
	rc |= evhttp_set_cb(admin->http, "/api/v1/stat", on_stat, admin);
	rc |= evhttp_set_cb(admin->http, "/api/v1/why", on_why, admin);
	rc |= evhttp_set_cb(admin->http, "/metrics", on_metrics, admin);
	evhttp_set_gencb(admin->http, on_other, admin);
	/* From here on the socket is evhttp's. */
	return rc < 0 || evhttp_accept_socket(admin->http, fd) < 0 ? -ENOMEM : 0;
}

int admin_new(struct worker *control, int inherited_fd, const char *path, struct admin **ret_admin)
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
	rc = http_make(admin, fd);
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
	if (admin->http)
		evhttp_free(admin->http);
	if (admin->path && lstat(admin->path, &st) == 0 && st.st_dev == admin->dev &&
	    st.st_ino == admin->ino)
		(void)unlink(admin->path);
	free(admin->path);
	free(admin);
	*ptr = NULL;
}
