/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long is the body? The one decision on which request smuggling lives (RFC 9112 6.3, 11.2).
 */
#ifndef TARN_HTTP_FRAME_H
#define TARN_HTTP_FRAME_H

#include "proxy/http/head.h"

enum framing_kind {
	FRAMING_NONE,	     /* no body */
	FRAMING_LENGTH,	     /* `length` bytes, maybe 0 */
	FRAMING_CHUNKED,     /* chunk.h */
	FRAMING_UNTIL_CLOSE, /* responses only: all until the upstream closes; can't tell complete */
	FRAMING_TUNNEL,	     /* the connection is no longer HTTP: 2xx to CONNECT, 101 */
};

struct framing {
	enum framing_kind kind;
	bool has_length; /* Content-Length was there, also where no body follows (HEAD, 304) */
	bool close;	 /* the connection can't carry another message after this one */
	uint64_t length; /* bytes; 0 without has_length */
};

/*
 * Decides the framing of a parsed request (then @request_method is ignored) or response to
 * @request_method. 0 or a negative refusal. A refused request is answered and its connection
 * closed; a refused response is never forwarded (502) and its connection closed.
 *
 * Stricter than RFC 9112 6.3, which lets a recipient repair: any message with both
 * Content-Length and Transfer-Encoding, any second Content-Length even of the same value, and
 * any transfer coding but a single chunked, is refused.
 */
MUST_USE int http_framing(const struct http_head *h, enum http_method request_method,
			  struct framing *ret);

/* 1: the client waits for 100 (Continue); 0: it does not; or a refusal (417). RFC 9110 10.1.1 */
MUST_USE int http_expects_continue(const struct http_head *req);

/*
 * Max-Forwards of a TRACE or OPTIONS request (RFC 9110 7.6.2): 0 with ret_left = UINT64_MAX if
 * absent or another method, the number otherwise; or a negative refusal. 0 left: answer it
 * yourself; else forward one less.
 */
MUST_USE int http_max_forwards(const struct http_head *req, uint64_t *ret_left);

#endif
