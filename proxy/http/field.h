/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields that Tarn knows by name: one table, its flags, and a quick way from name to id.
 */
#ifndef TARN_HTTP_FIELD_H
#define TARN_HTTP_FIELD_H

#include <stdint.h>
#include "firmware/base/span.h"

enum http_field_flag {
	/* Belongs to one connection; never forwarded as received (RFC 9110 7.6.1). */
	HTTP_F_HOP = 1 << 0,
	/* A comma separated list: several lines mean one list (RFC 9110 5.3). */
	HTTP_F_LIST = 1 << 1,
	/* Connection can't remove this: without it a message means something else to the next
	 * hop or to a cache (RFC 9110 7.6.1 forbids naming such fields). */
	HTTP_F_KEEP = 1 << 2,
};

/* X(id, name, flags) */
#define HTTP_FIELDS(X)                                                                             \
	X(ACCEPT, "Accept", HTTP_F_LIST)                                                           \
	X(ACCEPT_CHARSET, "Accept-Charset", HTTP_F_LIST)                                           \
	X(ACCEPT_ENCODING, "Accept-Encoding", HTTP_F_LIST)                                         \
	X(ACCEPT_LANGUAGE, "Accept-Language", HTTP_F_LIST)                                         \
	X(ACCEPT_RANGES, "Accept-Ranges", HTTP_F_LIST)                                             \
	X(AGE, "Age", HTTP_F_KEEP)                                                                 \
	X(ALLOW, "Allow", HTTP_F_LIST)                                                             \
	X(ALT_SVC, "Alt-Svc", HTTP_F_LIST)                                                         \
	X(AUTHORIZATION, "Authorization", HTTP_F_KEEP)                                             \
	X(CACHE_CONTROL, "Cache-Control", HTTP_F_LIST | HTTP_F_KEEP)                               \
	X(CACHE_STATUS, "Cache-Status", HTTP_F_LIST | HTTP_F_KEEP)                                 \
	X(CDN_CACHE_CONTROL, "CDN-Cache-Control", HTTP_F_LIST | HTTP_F_KEEP)                       \
	X(CONNECTION, "Connection", HTTP_F_HOP | HTTP_F_LIST)                                      \
	X(CONTENT_DISPOSITION, "Content-Disposition", 0)                                           \
	X(CONTENT_ENCODING, "Content-Encoding", HTTP_F_LIST | HTTP_F_KEEP)                         \
	X(CONTENT_LANGUAGE, "Content-Language", HTTP_F_LIST)                                       \
	X(CONTENT_LENGTH, "Content-Length", HTTP_F_KEEP)                                           \
	X(CONTENT_LOCATION, "Content-Location", HTTP_F_KEEP)                                       \
	X(CONTENT_MD5, "Content-MD5", 0)                                                           \
	X(CONTENT_RANGE, "Content-Range", HTTP_F_KEEP)                                             \
	X(CONTENT_TYPE, "Content-Type", HTTP_F_KEEP)                                               \
	X(COOKIE, "Cookie", 0)                                                                     \
	X(DATE, "Date", HTTP_F_KEEP)                                                               \
	X(ETAG, "ETag", HTTP_F_KEEP)                                                               \
	X(EXPECT, "Expect", HTTP_F_LIST | HTTP_F_KEEP)                                             \
	X(EXPIRES, "Expires", HTTP_F_KEEP)                                                         \
	X(FORWARDED, "Forwarded", HTTP_F_LIST)                                                     \
	X(FROM, "From", 0)                                                                         \
	X(HOST, "Host", HTTP_F_KEEP)                                                               \
	X(IF_MATCH, "If-Match", HTTP_F_LIST | HTTP_F_KEEP)                                         \
	X(IF_MODIFIED_SINCE, "If-Modified-Since", HTTP_F_KEEP)                                     \
	X(IF_NONE_MATCH, "If-None-Match", HTTP_F_LIST | HTTP_F_KEEP)                               \
	X(IF_RANGE, "If-Range", HTTP_F_KEEP)                                                       \
	X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since", HTTP_F_KEEP)                                 \
	X(KEEP_ALIVE, "Keep-Alive", HTTP_F_HOP)                                                    \
	X(LAST_MODIFIED, "Last-Modified", HTTP_F_KEEP)                                             \
	X(LINK, "Link", HTTP_F_LIST)                                                               \
	X(LOCATION, "Location", HTTP_F_KEEP)                                                       \
	X(MAX_FORWARDS, "Max-Forwards", HTTP_F_KEEP)                                               \
	X(ORIGIN, "Origin", 0)                                                                     \
	X(PRAGMA, "Pragma", HTTP_F_LIST | HTTP_F_KEEP)                                             \
	X(PROXY_AUTHENTICATE, "Proxy-Authenticate", HTTP_F_HOP | HTTP_F_LIST)                      \
	X(PROXY_AUTHENTICATION_INFO, "Proxy-Authentication-Info", HTTP_F_HOP)                      \
	X(PROXY_AUTHORIZATION, "Proxy-Authorization", HTTP_F_HOP)                                  \
	X(PROXY_CONNECTION, "Proxy-Connection", HTTP_F_HOP | HTTP_F_LIST)                          \
	X(RANGE, "Range", HTTP_F_KEEP)                                                             \
	X(REFERER, "Referer", 0)                                                                   \
	X(RETRY_AFTER, "Retry-After", 0)                                                           \
	X(SERVER, "Server", 0)                                                                     \
	X(SET_COOKIE, "Set-Cookie", 0)                                                             \
	X(STRICT_TRANSPORT_SECURITY, "Strict-Transport-Security", 0)                               \
	X(TE, "TE", HTTP_F_HOP | HTTP_F_LIST)                                                      \
	X(TRAILER, "Trailer", HTTP_F_HOP | HTTP_F_LIST)                                            \
	X(TRANSFER_ENCODING, "Transfer-Encoding", HTTP_F_HOP | HTTP_F_LIST)                        \
	X(UPGRADE, "Upgrade", HTTP_F_HOP | HTTP_F_LIST)                                            \
	X(USER_AGENT, "User-Agent", 0)                                                             \
	X(VARY, "Vary", HTTP_F_LIST | HTTP_F_KEEP)                                                 \
	X(VIA, "Via", HTTP_F_LIST | HTTP_F_KEEP)                                                   \
	X(WARNING, "Warning", HTTP_F_LIST)                                                         \
	X(WWW_AUTHENTICATE, "WWW-Authenticate", HTTP_F_LIST)                                       \
	X(X_FORWARDED_FOR, "X-Forwarded-For", HTTP_F_LIST)

enum http_field_id {
	HTTP_FIELD_UNKNOWN = 0,
#define X(id, name, flags) HTTP_FIELD_##id,
	HTTP_FIELDS(X)
#undef X
	HTTP_FIELD_COUNT
};

/* The id of the field called @name (any case), or HTTP_FIELD_UNKNOWN. */
enum http_field_id http_field_id(struct span name);

/* The name as the table writes it; @id is not UNKNOWN. Ends with NUL also. */
struct span http_field_name(enum http_field_id id);

/* enum http_field_flag bits; 0 for UNKNOWN. */
unsigned http_field_flags(enum http_field_id id);

/* ---- values ---------------------------------------------------------------------------- */

/* One or more tchar (RFC 9110 5.6.2). */
bool http_is_token(struct span s);

/* Fit to be a field value: no control octet but HTAB, no space at either end (RFC 9110 5.5). */
bool http_is_field_value(struct span s);

/*
 * Takes the next element off the front of the list @list: true with the element, trimmed and
 * not empty (empty elements are skipped, RFC 9110 5.6.1.2), false at the end.
 * A comma inside a quoted string does not end an element. An open quote extends to the end.
 */
bool http_list_next(struct span *list, struct span *ret_element);

/*
 * Takes the next `token [ OWS "=" OWS ( token / quoted-string ) ]` off the front of the ';'
 * separated series @params: 1 with it, 0 at the end, -EINVAL if malformed. ret_value keeps its
 * quotes; its p is NULL if there was no '='.
 */
MUST_USE int http_param_next(struct span *params, struct span *ret_name, struct span *ret_value);

#endif
