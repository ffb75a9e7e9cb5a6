/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes of the admin API. Each room's resources are rows of a table in a file of their own
 * (proxy/admin/api_NAME.c), which route.c lists in ADMIN_TABLES; what they take and give stands in
 * proxy/admin/openapi/NAME.json, which a test holds against the running server.
 *
 * A handler runs on the control loop and must not block. It answers each ask exactly once, by one of the
 * admin_answer functions below; or it keeps the ask with admin_keep() and answers later, on the same loop. An ask is
 * gone once it is answered.
 */
#ifndef TARN_PROXY_ADMIN_ROUTE_H
#define TARN_PROXY_ADMIN_ROUTE_H

#include <event2/buffer.h>
#include <jansson.h>

#include "firmware/base/addr.h"
#include "firmware/base/check.h"

struct worker;
struct evkeyvalq;

/* A role may do all that those before it may. */
enum admin_role {
	ADMIN_NOBODY,  /* not logged in */
	ADMIN_VIEW,    /* see all, change nothing */
	ADMIN_OPERATE, /* change, too */
};

enum admin_method {
	ADMIN_GET,
	ADMIN_POST,
	ADMIN_PUT,
	ADMIN_PATCH,
	ADMIN_DELETE,
	ADMIN_METHODS
};

struct admin_ask {
	struct worker *control;
	struct admin *admin; /* proxy/admin/admin.h */
	enum admin_method method;
	const char *path; /* decoded, without the query */
	const char *name; /* what stands in place of {name}, decoded and never empty; or NULL */
	const struct evkeyvalq *query; /* see admin_query() */
	json_t *body; /* of POST, PUT and PATCH: always an object; NULL otherwise */
	enum admin_role role;
	struct session *session;  /* proxy/admin/session.h; NULL: none */
	bool local;		  /* over the unix socket */
	char peer[ADDR_TEXT_MAX]; /* the asker's address without port; "local" */
};

typedef void admin_handler_f(struct admin_ask *ask);

struct admin_route {
	enum admin_method method;
	const char *path; /* "/api/v1/things/{name}": the last part alone may be a {name} */
	enum admin_role role;
	admin_handler_f *handler;
};

struct admin_table {
	const struct admin_route *routes;
	size_t n;
};

/* In api_NAME.c: ADMIN_TABLE(NAME, routes) makes `admin_table_NAME` of its array. */
#define ADMIN_TABLE(name, rows)                                                                    \
	const struct admin_table admin_table_##name = { (rows), ARRAY_LEN(rows) }

/* ---- what a handler asks -------------------------------------------------------------------------- */

/* A parameter of the query, decoded: NULL if it is not there. */
const char *admin_query(const struct admin_ask *ask, const char *name);
/* The same as a number; `fallback` if it is not there. 0; -EINVAL (and answered with 400) if it is not one in range. */
MUST_USE int admin_query_number(struct admin_ask *ask, const char *name, int64_t min, int64_t max,
				int64_t fallback, int64_t *ret_number);
/* A string of the body: NULL if it is not there or no string. */
const char *admin_body_text(const struct admin_ask *ask, const char *name);

/* ---- how it answers ------------------------------------------------------------------------------- */

/* Takes the JSON; NULL: there was no memory for it, that is said. */
void admin_answer_json(struct admin_ask *ask, int status, json_t *json);

/*
 * {"error": word, "text": sentence}: the word is for programs and stays ("unknown_profile"), the text for people.
 * Statuses: 400 makes no sense, 401, 403, 404 no such thing, 409 not now, 422 wrong value, 429, 500, 503.
 */
__attribute__((format(printf, 4, 5))) void
admin_answer_error(struct admin_ask *ask, int status, const char *word, const char *text, ...);
/* The same for a -errno of the world: 503, or 404 for -ENOENT, 409 for -EBUSY and -EALREADY. */
void admin_answer_errno(struct admin_ask *ask, int rc);

/* Nothing to say: 204. */
void admin_answer_done(struct admin_ask *ask);

/* A body of another type. Empties `body`. */
void admin_answer_bytes(struct admin_ask *ask, const char *type, struct evbuffer *body);

/* A field of the answer to come; before it. Constant text only, or what holds no control characters. */
void admin_field(struct admin_ask *ask, const char *name, const char *value);

/*
 * Answers later. `gone` is called instead if the server ends before; the ask is not to be used any more then. An
 * asker that went away is no reason not to answer.
 */
typedef void admin_gone_f(void *arg);
void admin_keep(struct admin_ask *ask, admin_gone_f *gone, void *arg);

/* ---- streams -------------------------------------------------------------------------------------- */

struct admin_stream;

/*
 * A body that is made while it is sent. next(): appends the next piece to `out`; 1: there is more; 0: that was all;
 * -EAGAIN: nothing now, admin_stream_wake() tells when; another -errno: the connection is cut, so that the
 * asker sees a broken body. It is called only while the connection has room, and never within admin_stream_open().
 * end(): exactly once, after which the stream is gone: all was sent, or the asker or the server went away.
 * It may run within admin_stream_wake().
 */
struct admin_source {
	int (*next)(void *arg, struct evbuffer *out);
	void (*end)(void *arg);
};

/*
 * Answers 200 with such a body. `file`: a name to save it as, or NULL. NULL if there is nothing to send (no memory,
 * or a HEAD): it is answered, and end() was called.
 */
struct admin_stream *admin_stream_open(struct admin_ask *ask, const char *type, const char *file,
				       const struct admin_source *source, void *arg);
void admin_stream_wake(struct admin_stream *stream);

/* ---- for the server (admin.c) --------------------------------------------------------------------- */

struct evhttp_request;
struct asks;

MUST_USE int asks_new(struct worker *control, struct admin *admin, struct asks **ret_asks);
/* Before the evhttp goes: what is kept or streamed is let go of. */
void asks_free(struct asks **asks);
/* Finds the route, checks the role and the body, calls the handler. `ask` holds role, local and peer. */
void asks_take(struct asks *asks, struct evhttp_request *request, const struct admin_ask *ask);

/* All routes, for tests. */
typedef void admin_route_f(const struct admin_route *route, void *arg);
void admin_route_each(admin_route_f *f, void *arg);

const char *admin_method_name(enum admin_method method);

#endif
