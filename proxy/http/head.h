/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.1 message, parsed strictly (RFC 9110, RFC 9112) into spans of the
 * caller's buffer. Nothing is copied and nothing allocated: a head is valid as long as its buffer.
 */
#ifndef TARN_HTTP_HEAD_H
#define TARN_HTTP_HEAD_H

#include <stdint.h>
#include "firmware/base/span.h"
#include "proxy/http/field.h"
#include "proxy/http/limits.h"
#include "proxy/http/refusal.h"

/* X(id): the methods of RFC 9110 9, PATCH (RFC 5789), and those that a proxy meets. */
#define HTTP_METHODS(X)                                                                            \
	X(GET) X(HEAD) X(POST) X(PUT) X(DELETE) X(CONNECT) X(OPTIONS) X(TRACE) X(PATCH)

enum http_method {
	HTTP_METHOD_OTHER = 0, /* a token we don't know; relayed, never cached */
#define X(id) HTTP_METHOD_##id,
	HTTP_METHODS(X)
#undef X
	HTTP_METHOD_COUNT
};

/* RFC 9112 3.2 */
enum http_target_form {
	HTTP_TARGET_ORIGIN,    /* /path?query */
	HTTP_TARGET_ABSOLUTE,  /* http://host:port/path?query, to a proxy */
	HTTP_TARGET_AUTHORITY, /* host:port, CONNECT only */
	HTTP_TARGET_ASTERISK,  /* *, OPTIONS only */
};

struct http_field {
	struct span name;
	struct span value; /* trimmed; may be empty */
	enum http_field_id id;
};

/* About 10 KiB: have one where parsing and answering happen, not one for each connection. */
struct http_head {
	bool is_request;
	uint8_t minor;	 /* x of HTTP/1.x; 2 and up behave as 1 (RFC 9110 2.5) */
	uint16_t status; /* responses: 100..599 */

	/* requests */
	enum http_method method;
	enum http_target_form form;
	struct span method_name;
	struct span target; /* as received */
	struct span scheme; /* absolute-form only, else empty; any case */
	/*
	 * The effective authority (RFC 9110 7.1): from an absolute-form or CONNECT target if there
	 * is one (then Host is ignored whatever it says, and must be replaced when forwarding,
	 * RFC 9112 3.2.2: write.h does), else from Host. Empty only for HTTP/1.0 without Host.
	 */
	struct span authority; /* host[:port] */
	struct span host;  /* without port and without the brackets of an IPv6 literal; any case */
	uint16_t port;	   /* 0: none given, the scheme's default */
	bool host_is_ip6;  /* host stood in brackets */
	bool host_differs; /* Host and the target name different authorities; the target won */
	bool has_query;	   /* there is a '?', maybe with nothing behind it */
	struct span path;  /* without the query; an absolute-form may have none: empty */
	struct span query; /* behind the '?' */

	/* responses */
	struct span reason;

	size_t size;	     /* bytes of the whole head, final empty line included */
	uint64_t present[2]; /* which known fields are here: use http_has() */
	unsigned nfields;
	struct http_field fields[CONFIG_FIELDS_MAX];
};

_Static_assert(HTTP_FIELD_COUNT <= 128, "struct http_head's bitmap is too small");

/*
 * Parse the complete head buf[0..n) that head_scan() found. 0, or a negative refusal (refusal.h);
 * then *head holds nothing of use. Message framing is decided by frame.h, not here.
 */
MUST_USE int http_request_parse(struct http_head *head, const char *buf, size_t n);
MUST_USE int http_response_parse(struct http_head *head, const char *buf, size_t n);

/* The refusal for which head_scan() said -EMSGSIZE: LINE_TOO_LONG or HEAD_TOO_LARGE, negative. */
int http_oversize(const char *buf, size_t n);

enum http_method http_method_id(struct span name);
const char *http_method_text(enum http_method m); /* "GET"; "OTHER" for OTHER */

/* RFC 9110 9.2.1: GET, HEAD, OPTIONS, TRACE. A method that is not invalidates (RFC 9111 4.4). */
bool http_method_is_safe(enum http_method m);
bool http_method_is_idempotent(enum http_method m); /* RFC 9110 9.2.2; may be tried again */

/*
 * Splits host[:port] strictly: reg-name, IPv4 or [IPv6]; no user info (RFC 9110 4.2.4), no empty
 * host, port 1..65535 or absent. 0 or -EINVAL. ret_port 0 if absent (an empty port is absent).
 */
MUST_USE int http_authority_split(struct span authority, struct span *ret_host, uint16_t *ret_port,
				  bool *ret_is_ip6);

/* ---- fields ---------------------------------------------------------------------------- */

static inline bool http_has(const struct http_head *h, enum http_field_id id)
{
	return h->present[id / 64] >> (id % 64) & 1;
}

/*
 * The next field line with this id: start with *iter = 0. NULL at the end. The order is that
 * of the message.
 */
const struct http_field *http_field_next(const struct http_head *h, enum http_field_id id,
					 unsigned *iter);

/* The first line with this id, or NULL. */
const struct http_field *http_field_first(const struct http_head *h, enum http_field_id id);

/* How many lines have this id. */
unsigned http_field_count(const struct http_head *h, enum http_field_id id);

/* As http_field_next(), by a name in any case, known or not; for Vary and for profiles. */
const struct http_field *http_field_named(const struct http_head *h, struct span name,
					  unsigned *iter);

/* Walks the elements of a list-valued field over all its lines (RFC 9110 5.3, 5.6.1). */
struct http_list {
	const struct http_head *head;
	enum http_field_id id;
	unsigned iter;
	struct span rest;
};

struct http_list http_list_of(const struct http_head *h, enum http_field_id id);
bool http_list_element(struct http_list *l, struct span *ret_element);

/* Is @token (any case) an element of the list-valued field @id? */
bool http_list_has(const struct http_head *h, enum http_field_id id, struct span token);

/* ---- connection ------------------------------------------------------------------------ */

/*
 * Is @f of this connection only, so that it must not be forwarded (RFC 9110 7.6.1)? True for the
 * table's hop-by-hop fields and for fields that Connection names, but for those of HTTP_F_KEEP:
 * a sender can't make us drop Host, Cache-Control, a validator or a length that way.
 */
bool http_hop_by_hop(const struct http_head *h, const struct http_field *f);

/*
 * Does the sender leave its connection open after this message (RFC 9112 9.3)? Also the framing
 * must allow it: struct framing.close. An HTTP/1.0 request in absolute-form never persists.
 */
bool http_persistent(const struct http_head *h);

/* Upgrade is wanted: Connection: upgrade and an Upgrade field, HTTP/1.1 (RFC 9110 7.8). */
bool http_wants_upgrade(const struct http_head *h);

#endif
