/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side is our own proxy, but a root process reads here: every length is checked and has a
 * limit, and nothing of a head is believed but its status and framing.
 */
#include "firmware/carry/asker.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_MAX    16384
#define REFUSAL_MAX 1024

struct asker {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;
	bool used; /* this connection has answered before */
	char buf[65536];
	size_t from, n; /* bytes [from, n) of buf are not taken yet */
	char refusal[REFUSAL_MAX];
};

struct framing {
	int status;
	uint64_t length;
	bool chunked, close, has_length;
};

int asker_new(const char *socket_path, struct asker **ret_client)
{
	struct asker *asker = calloc(1, sizeof(*asker));

	if (!asker)
		return -ENOMEM;
	asker->fd = -1;
	if (span_copy(span_of(socket_path), asker->path, sizeof(asker->path)) < 0) {
		free(asker);
		return -ENAMETOOLONG;
	}
	*ret_client = asker;
	return 0;
}

static void disconnect(struct asker *asker)
{
	if (asker->fd >= 0)
		(void)close(asker->fd);
	asker->fd = -1;
	asker->used = false;
	asker->from = asker->n = 0;
}

void asker_free(struct asker **asker)
{
	if (*asker)
		disconnect(*asker);
	free(*asker);
	*asker = NULL;
}

const char *asker_refusal(const struct asker *asker)
{
	return asker->refusal;
}

const char *asker_error_text(int rc)
{
	switch (rc) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "tarn-proxy is not running";
	case -EACCES:
	case -EPERM:
		return "not allowed to ask tarn-proxy (try as root)";
	case -ETIMEDOUT:
		return "tarn-proxy does not answer";
	case -EBADMSG:
		return "tarn-proxy broke off its answer";
	default:
		return strerror(-rc);
	}
}

static int open_socket(struct asker *asker)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ASKER_LIMIT_S };

	CHECK_OK(span_copy(span_of(asker->path), un.sun_path, sizeof(un.sun_path)));
	asker->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (asker->fd < 0)
		return -errno;
	if (setsockopt(asker->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(asker->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(asker->fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		int rc = errno == EAGAIN ? -ETIMEDOUT : -errno;

		disconnect(asker);
		return rc;
	}
	return 0;
}

static int send_all(struct asker *asker, struct span bytes)
{
	while (bytes.n) {
		ssize_t n = send(asker->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		bytes = span_drop(bytes, (size_t)n);
	}
	return 0;
}

/* More bytes behind those that are there. -EPIPE: the other side has ended. */
static int receive(struct asker *asker)
{
	ssize_t n;

	if (asker->from) {
		memmove(asker->buf, asker->buf + asker->from, asker->n - asker->from);
		asker->n -= asker->from;
		asker->from = 0;
	}
	if (asker->n == sizeof(asker->buf))
		return -EBADMSG;
	do
		n = recv(asker->fd, asker->buf + asker->n, sizeof(asker->buf) - asker->n, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	asker->n += (size_t)n;
	return 0;
}

static struct span waiting(const struct asker *asker)
{
	return span_make(asker->buf + asker->from, asker->n - asker->from);
}

/* The next line without its end, at most HEAD_MAX bytes. It lives until the next receive. */
static int take_line(struct asker *asker, struct span *ret_line)
{
	for (;;) {
		struct span all = waiting(asker);
		size_t end = span_find(all, '\n');

		if (end < all.n) {
			*ret_line = span_head(all, end);
			if (end && ret_line->p[end - 1] == '\r')
				ret_line->n--;
			asker->from += end + 1;
			return 0;
		}
		if (all.n > HEAD_MAX)
			return -EBADMSG;
		int rc = receive(asker);

		if (rc < 0)
			return rc;
	}
}

static int read_head(struct asker *asker, struct framing *ret)
{
	struct framing f = { 0 };
	struct span line, value;
	uint64_t status;
	int rc = take_line(asker, &line);

	if (rc < 0)
		return rc;
	if (!span_starts(line, SPAN("HTTP/1.")) || line.n < 12 ||
	    span_u64(span_sub(line, 9, 12), &status) < 0)
		return -EBADMSG;
	f.status = (int)status;
	for (unsigned lines = 0;; lines++) {
		rc = take_line(asker, &line);
		if (rc < 0 || lines > 64)
			return rc < 0 ? rc : -EBADMSG;
		if (!line.n)
			break;
		value = span_trim(span_drop(line, span_find(line, ':') + 1));
		if (span_istarts(line, SPAN("content-length:"))) {
			f.has_length = true;
			if (span_u64(value, &f.length) < 0)
				return -EBADMSG;
		} else if (span_istarts(line, SPAN("transfer-encoding:"))) {
			f.chunked = span_ieq(value, SPAN("chunked"));
		} else if (span_istarts(line, SPAN("connection:"))) {
			f.close = span_ieq(value, SPAN("close"));
		}
	}
	*ret = f;
	return 0;
}

static int take_bytes(struct asker *asker, uint64_t n, asker_sink_f *sink, void *arg)
{
	while (n) {
		struct span have = span_head(waiting(asker), n < SIZE_MAX ? (size_t)n : SIZE_MAX);
		int rc = have.n ? sink(arg, have) : receive(asker);

		if (rc < 0)
			return rc;
		asker->from += have.n;
		n -= have.n;
	}
	return 0;
}

static int take_chunks(struct asker *asker, asker_sink_f *sink, void *arg)
{
	struct span line;
	uint64_t n;
	int rc;

	for (;;) {
		rc = take_line(asker, &line);
		if (rc == 0 && span_hex(span_head(line, span_find(line, ';')), &n) < 0)
			rc = -EBADMSG;
		if (rc == 0)
			rc = take_bytes(asker, n, sink, arg);
		if (rc == 0)
			rc = take_line(asker, &line);
		if (rc == 0 && line.n)
			rc = -EBADMSG;
		if (rc < 0 || n == 0)
			return rc;
	}
}

static int take_body(struct asker *asker, const struct framing *f, asker_sink_f *sink, void *arg)
{
	int rc;

	if (f->status == 204)
		return 0;
	if (f->chunked)
		return take_chunks(asker, sink, arg);
	if (f->has_length)
		return take_bytes(asker, f->length, sink, arg);
	rc = take_bytes(asker, UINT64_MAX, sink, arg);
	return rc == -EPIPE ? 0 : rc;
}

/* ---- refusals ----------------------------------------------------------------------------------- */

struct text {
	char *p;
	size_t n, max;
};

static int text_sink(void *arg, struct span bytes)
{
	struct text *text = arg;
	char *grown;

	if (bytes.n > text->max - text->n)
		return -EMSGSIZE;
	grown = realloc(text->p, text->n + bytes.n + 1);
	if (!grown)
		return -ENOMEM;
	text->p = grown;
	memcpy(text->p + text->n, bytes.p, bytes.n);
	text->n += bytes.n;
	return 0;
}

/* {"error": word, "text": sentence} */
static void refusal_read(struct asker *asker, const struct text *text)
{
	json_t *json = json_loadb(text->p ? text->p : "", text->n, 0, NULL);
	const char *said = json_string_value(json_object_get(json, "text"));
	char *p = asker->refusal;

	(void)snprintf(asker->refusal, sizeof(asker->refusal), "%s", said ? said : "");
	for (; *p; p++)
		*p = (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p;
	json_decref(json);
}

/* ---- questions ------------------------------------------------------------------------------------ */

static int send_question(struct asker *asker, const char *method, const char *target,
			 struct span body)
{
	char *head;
	int n, rc;

	n = asprintf(&head,
		     "%s %s HTTP/1.1\r\nHost: tarn\r\nContent-Type: application/json\r\n"
		     "Content-Length: %zu\r\n\r\n",
		     method, target, body.n);
	if (n < 0)
		return -ENOMEM;
	rc = send_all(asker, span_make(head, (size_t)n));
	free(head);
	return rc < 0 ? rc : send_all(asker, body);
}

/* Sends and reads the head. -EPIPE: the connection had ended before it could answer. */
static int converse(struct asker *asker, const char *method, const char *target, struct span body,
		    struct framing *ret)
{
	int rc = asker->fd < 0 ? open_socket(asker) : 0;

	if (rc == 0)
		rc = send_question(asker, method, target, body);
	return rc < 0 ? rc : read_head(asker, ret);
}

static int ask(struct asker *asker, const char *method, const char *target, struct span body,
	       asker_sink_f *sink, void *arg, int *ret_status)
{
	struct text refusal = { .max = 65536 };
	struct framing f = { 0 };
	bool used = asker->used;
	int rc = converse(asker, method, target, body, &f);

	if (rc == -EPIPE && used) { /* kept alive too long: it was closed in between */
		disconnect(asker);
		rc = converse(asker, method, target, body, &f);
	}
	if (rc == 0 && f.status / 100 == 2)
		rc = take_body(asker, &f, sink, arg);
	else if (rc == 0)
		rc = take_body(asker, &f, text_sink, &refusal);
	if (rc == 0 && f.status / 100 != 2)
		refusal_read(asker, &refusal);
	free(refusal.p);
	asker->used = true;
	if (rc < 0 || f.close || (!f.chunked && !f.has_length && f.status != 204))
		disconnect(asker);
	if (rc == 0)
		*ret_status = f.status;
	return rc == -EPIPE ? -EBADMSG : rc;
}

int asker_ask(struct asker *asker, const char *method, const char *target, const json_t *body,
	      asker_sink_f *sink, void *arg, int *ret_status)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int rc;

	asker->refusal[0] = '\0';
	if (body && !text)
		return -ENOMEM;
	rc = ask(asker, method, target, span_of(text), sink, arg, ret_status);
	free(text);
	return rc;
}

int asker_json(struct asker *asker, const char *method, const char *target, const json_t *body,
	       int *ret_status, json_t **ret_answer)
{
	struct text text = { .max = 16u << 20 };
	json_t *json = NULL;
	int status = 0, rc = asker_ask(asker, method, target, body, text_sink, &text, &status);

	if (rc == 0 && status / 100 == 2 && status != 204) {
		json = json_loadb(text.p ? text.p : "", text.n, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(json)) {
			json_decref(json);
			rc = -EBADMSG;
		}
	}
	free(text.p);
	if (rc < 0)
		return rc;
	*ret_status = status;
	*ret_answer = json;
	return 0;
}

int asker_encode(struct span text, char *buf, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || (c && strchr("-._~/", c));

		if (size - n < 4)
			return -ENOSPC;
		if (plain) {
			buf[n++] = (char)c;
		} else {
			buf[n++] = '%';
			buf[n++] = digits[c >> 4];
			buf[n++] = digits[c & 15];
		}
	}
	if (n == size)
		return -ENOSPC;
	buf[n] = '\0';
	return 0;
}
