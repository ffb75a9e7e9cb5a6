/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the admin API: each ends its ask.
 */
#include <event2/http.h>
#include <stdarg.h>
#include <stdlib.h>

#include "proxy/admin/ask_priv.h"

#define TEXT_MAX 400

void admin_field(struct admin_ask *ask, const char *name, const char *value)
{
	/* Without memory the field is missing; none is needed for safety. */
	(void)evhttp_add_header(evhttp_request_get_output_headers(ask_of(ask)->request), name,
				value);
}

static const char *phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "-";
}

/* A type of our own is never guessed at, and no answer of the API is kept by anybody. */
static void send_it(struct admin_ask *ask, int status, const char *type, struct evbuffer *body)
{
	struct evkeyvalq *fields = evhttp_request_get_output_headers(ask_of(ask)->request);

	if (type)
		admin_field(ask, "Content-Type", type);
	if (!evhttp_find_header(fields, "Cache-Control"))
		admin_field(ask, "Cache-Control", "no-store");
	evhttp_send_reply(ask_end(ask), status, phrase(status), body);
}

void admin_answer_json(struct admin_ask *ask, int status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
	struct evbuffer *body = text ? evbuffer_new() : NULL;

	if (body && evbuffer_add_printf(body, "%s\n", text) >= 0)
		send_it(ask, status, "application/json", body);
	else
		send_it(ask, HTTP_INTERNAL, NULL, NULL);
	if (body)
		evbuffer_free(body);
	free(text);
	json_decref(json);
}

void admin_answer_error(struct admin_ask *ask, int status, const char *word, const char *format,
			...)
{
	char text[TEXT_MAX];
	va_list args;
	json_t *json;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json = json_pack("{s:s, s:s}", "error", word, "text", text);
	if (!json) /* a text of no UTF-8 */
		json = json_pack("{s:s, s:s}", "error", word, "text", phrase(status));
	admin_answer_json(ask, status, json);
}

void admin_answer_errno(struct admin_ask *ask, int rc)
{
	int status = rc == -ENOENT ? 404 : rc == -EBUSY ? 409 : rc == -EALREADY ? 409 : 503;

	admin_answer_error(ask, status, status == 404 ? "not_found" : "failed", "%s",
			   strerror(-rc));
}

void admin_answer_done(struct admin_ask *ask)
{
	send_it(ask, HTTP_NOCONTENT, NULL, NULL);
}

void admin_answer_bytes(struct admin_ask *ask, const char *type, struct evbuffer *body)
{
	send_it(ask, HTTP_OK, type, body);
}
