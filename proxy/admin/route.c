/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its handler, and the handler's answers. Control loop only.
 *
 * An ask lives from asks_take() until it is answered. evhttp leaves a request to us whose connection is gone (and
 * frees it when we answer), as long as the evhttp itself lives: hence asks_free() comes first.
 */
#include "proxy/admin/route.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "firmware/base/span.h"
#include "firmware/base/stat.h"
#include "proxy/admin/ask_priv.h"

/* Append your table here; the first row that fits counts. */
/* One a line. */
#define ADMIN_TABLES(X)                                                                            \
	X(status)                                                                                  \
	X(session)                                                                                 \
	X(upstreams)                                                                               \
	X(flows)                                                                                   \
	X(history)                                                                                 \
	X(sync)                                                                                    \
	X(events)                                                                                  \
	X(settings)                                                                                \
	X(repository)                                                                              \
	X(import)                                                                                  \
	X(carried)                                                                                 \
	X(tls)                                                                                     \
	X(objects)                                                                                 \
	X(cache)                                                                                   \
	X(selftest)                                                                                \
	X(download)                                                                                \
	X(appliance)

#define X(name) extern const struct admin_table admin_table_##name;
ADMIN_TABLES(X)
#undef X

static const struct admin_table *const tables[] = {
#define X(name) &admin_table_##name,
	ADMIN_TABLES(X)
#undef X
};

static const char *const method_names[ADMIN_METHODS] = {
	[ADMIN_GET] = "GET",	 [ADMIN_POST] = "POST",	    [ADMIN_PUT] = "PUT",
	[ADMIN_PATCH] = "PATCH", [ADMIN_DELETE] = "DELETE",
};

const char *admin_method_name(enum admin_method method)
{
	CHECK((size_t)method < ADMIN_METHODS);
	return method_names[method];
}

void admin_route_each(admin_route_f *f, void *arg)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < tables[t]->n; i++)
			f(&tables[t]->routes[i], arg);
}

/* ---- finding the route ---------------------------------------------------------------------------- */

/* Does the path fit the pattern? Then *ret_name is what stands for {name}, or "". */
static bool fits(const char *pattern, const char *path, const char **ret_name)
{
	const char *brace = strchr(pattern, '{');
	size_t n = brace ? (size_t)(brace - pattern) : 0;

	*ret_name = "";
	if (!brace)
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, n) != 0 || !path[n] || strchr(path + n, '/'))
		return false;
	*ret_name = path + n;
	return true;
}

struct found {
	const struct admin_route *route;
	const char *name;
	unsigned methods; /* that this path has, a bit each */
};

static void find(const char *path, enum admin_method method, struct found *found)
{
	const char *name;

	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (size_t i = 0; i < tables[t]->n; i++) {
			const struct admin_route *route = &tables[t]->routes[i];

			if (!fits(route->path, path, &name))
				continue;
			found->methods |= 1u << route->method;
			if (route->method == method && !found->route) {
				found->route = route;
				found->name = name;
			}
		}
	}
}

static int method_of(struct evhttp_request *request, enum admin_method *ret_method)
{
	switch (evhttp_request_get_command(request)) {
	case EVHTTP_REQ_GET:
	case EVHTTP_REQ_HEAD:
		*ret_method = ADMIN_GET;
		return 0;
	case EVHTTP_REQ_POST:
		*ret_method = ADMIN_POST;
		return 0;
	case EVHTTP_REQ_PUT:
		*ret_method = ADMIN_PUT;
		return 0;
	case EVHTTP_REQ_PATCH:
		*ret_method = ADMIN_PATCH;
		return 0;
	case EVHTTP_REQ_DELETE:
		*ret_method = ADMIN_DELETE;
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- an ask's parts ------------------------------------------------------------------------------- */

/* The decoded path; NULL: no memory, or it holds a NUL or an escape that is none. */
static char *path_of(struct evhttp_request *request)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *raw = uri ? evhttp_uri_get_path(uri) : NULL;
	size_t n;
	char *path;

	if (!raw)
		return NULL;
	path = evhttp_uridecode(raw[0] ? raw : "/", 0, &n);
	if (path && strlen(path) == n)
		return path;
	free(path);
	return NULL;
}

static bool query_read(struct evhttp_request *request, struct evkeyvalq *words)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));

	TAILQ_INIT(words);
	return !query || !query[0] || evhttp_parse_query_str(query, words) == 0;
}

/* An empty body counts as {}. False: it is no JSON object. */
static bool body_read(struct evhttp_request *request, json_t **ret_body)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	size_t n = evbuffer_get_length(input);
	const char *text = n ? (const char *)evbuffer_pullup(input, -1) : "{}";
	json_t *body = json_loadb(text, n ? n : 2, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(body)) {
		json_decref(body);
		return false;
	}
	*ret_body = body;
	return true;
}

/* A body must say that it is JSON: a form of a foreign page can't. */
static bool type_is_json(struct evhttp_request *request)
{
	const char *type =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Content-Type");
	static const struct span want = SPAN("application/json");

	if (evbuffer_get_length(evhttp_request_get_input_buffer(request)) == 0)
		return true;
	return type && span_ieq(span_head(span_of(type), want.n), want);
}

const char *admin_query(const struct admin_ask *ask, const char *name)
{
	struct evkeyval *word;

	TAILQ_FOREACH(word, ask->query, next)
	{
		if (strcmp(word->key, name) == 0)
			return word->value;
	}
	return NULL;
}

int admin_query_number(struct admin_ask *ask, const char *name, int64_t min, int64_t max,
		       int64_t fallback, int64_t *ret_number)
{
	const char *text = admin_query(ask, name);
	long long number;
	char *end;

	if (!text) {
		*ret_number = fallback;
		return 0;
	}
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || end == text || *end || number < min || number > max) {
		admin_answer_error(ask, 400, "bad_number", "%s must be a number from %lld to %lld",
				   name, (long long)min, (long long)max);
		return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

const char *admin_body_text(const struct admin_ask *ask, const char *name)
{
	return json_string_value(json_object_get(ask->body, name));
}

/* ---- an ask's life -------------------------------------------------------------------------------- */

struct asks {
	struct worker *control;
	struct admin *admin;
	TAILQ_HEAD(, ask) kept;
	struct streams *streams;
};

static void ask_free(struct ask *ask)
{
	if (ask->kept)
		TAILQ_REMOVE(&ask->asks->kept, ask, link);
	evhttp_clear_headers(&ask->words);
	json_decref(ask->public.body);
	free(ask->path);
	free(ask);
}

struct ask *ask_of(struct admin_ask *public)
{
	return (struct ask *)public; /* its first member */
}

struct streams *ask_streams(struct ask *ask)
{
	return ask->asks->streams;
}

struct evhttp_request *ask_end(struct admin_ask *public)
{
	struct ask *ask = ask_of(public);
	struct evhttp_request *request = ask->request;

	if (ask->answered)
		*ask->answered = true;
	ask_free(ask);
	return request;
}

void admin_keep(struct admin_ask *public, admin_gone_f *gone, void *arg)
{
	struct ask *ask = ask_of(public);

	CHECK(!ask->kept);
	ask->kept = true;
	ask->gone = gone;
	ask->gone_arg = arg;
	TAILQ_INSERT_TAIL(&ask->asks->kept, ask, link);
	if (ask->answered)
		*ask->answered = true;
	ask->answered = NULL;
}

int asks_new(struct worker *control, struct admin *admin, struct asks **ret_asks)
{
	struct asks *asks = calloc(1, sizeof(*asks));

	if (!asks)
		return -ENOMEM;
	asks->streams = streams_new();
	if (!asks->streams) {
		free(asks);
		return -ENOMEM;
	}
	asks->control = control;
	asks->admin = admin;
	TAILQ_INIT(&asks->kept);
	*ret_asks = asks;
	return 0;
}

void asks_free(struct asks **ptr)
{
	struct asks *asks = *ptr;
	struct ask *ask;

	*ptr = NULL;
	if (!asks)
		return;
	streams_free(&asks->streams);
	while ((ask = TAILQ_FIRST(&asks->kept))) {
		if (ask->gone)
			ask->gone(ask->gone_arg);
		ask_free(ask);
	}
	free(asks);
}

static void answer_other_method(struct admin_ask *ask, unsigned methods)
{
	char allow[64] = "";
	size_t n = 0;

	for (unsigned i = 0; i < ADMIN_METHODS; i++)
		if (methods & 1u << i)
			n += (size_t)snprintf(allow + n, sizeof(allow) - n, "%s%s", n ? ", " : "",
					      method_names[i]);
	admin_field(ask, "Allow", allow);
	admin_answer_error(ask, 405, "method", "%s has %s alone", ask->path, allow);
}

/* Calls the handler, unless something stands against it, which is answered. */
static void dispatch(struct ask *ask, bool has_method)
{
	struct admin_ask *public = &ask->public;
	struct found found = { 0 };

	find(ask->path, public->method, &found);
	if (!found.methods)
		return admin_answer_error(public, 404, "not_found",
					  "there is nothing at this path");
	if (!has_method || !found.route)
		return answer_other_method(public, found.methods);
	if (public->role < found.route->role)
		return public->role == ADMIN_NOBODY
			       ? admin_answer_error(public, 401, "log_in", "log in first")
			       : admin_answer_error(public, 403, "role",
						    "this needs the role operate");
	if (public->method != ADMIN_GET && !type_is_json(ask->request))
		return admin_answer_error(public, 415, "type", "the body must be application/json");
	if (!query_read(ask->request, &ask->words))
		return admin_answer_error(public, 400, "query", "the query makes no sense");
	if (public->method != ADMIN_GET && !body_read(ask->request, &public->body))
		return admin_answer_error(public, 400, "json", "the body must be one JSON object");
	public->name = found.name[0] ? found.name : NULL;
	found.route->handler(public);
}

void asks_take(struct asks *asks, struct evhttp_request *request, const struct admin_ask *from)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	enum admin_method method = ADMIN_GET;
	bool has_method, answered = false;

	STAT_INC(STAT_ADMIN_REQUESTS);
	if (!ask) {
		evhttp_send_error(request, HTTP_INTERNAL, NULL);
		return;
	}
	has_method = method_of(request, &method) == 0;
	ask->public = *from;
	ask->public.control = asks->control;
	ask->public.admin = asks->admin;
	ask->public.method = method;
	ask->public.query = &ask->words;
	ask->asks = asks;
	ask->request = request;
	ask->answered = &answered;
	TAILQ_INIT(&ask->words);
	ask->path = path_of(request);
	ask->public.path = ask->path;
	if (ask->path)
		dispatch(ask, has_method);
	else
		admin_answer_error(&ask->public, 400, "path", "the path makes no sense");
	CHECK(answered);
}
