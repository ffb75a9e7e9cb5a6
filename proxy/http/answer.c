/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own short answers, and the reasons of RFC 9110 15 and RFC 6585.
 */
#include <stdio.h>

#include "proxy/http/write.h"

/* X(status, reason) */
#define HTTP_REASONS(X)                                                                            \
	X(100, "Continue")                                                                         \
	X(101, "Switching Protocols")                                                              \
	X(200, "OK")                                                                               \
	X(201, "Created")                                                                          \
	X(202, "Accepted")                                                                         \
	X(203, "Non-Authoritative Information")                                                    \
	X(204, "No Content")                                                                       \
	X(205, "Reset Content")                                                                    \
	X(206, "Partial Content")                                                                  \
	X(300, "Multiple Choices")                                                                 \
	X(301, "Moved Permanently")                                                                \
	X(302, "Found")                                                                            \
	X(303, "See Other")                                                                        \
	X(304, "Not Modified")                                                                     \
	X(307, "Temporary Redirect")                                                               \
	X(308, "Permanent Redirect")                                                               \
	X(400, "Bad Request")                                                                      \
	X(401, "Unauthorized")                                                                     \
	X(403, "Forbidden")                                                                        \
	X(404, "Not Found")                                                                        \
	X(405, "Method Not Allowed")                                                               \
	X(406, "Not Acceptable")                                                                   \
	X(407, "Proxy Authentication Required")                                                    \
	X(408, "Request Timeout")                                                                  \
	X(409, "Conflict")                                                                         \
	X(410, "Gone")                                                                             \
	X(411, "Length Required")                                                                  \
	X(412, "Precondition Failed")                                                              \
	X(413, "Content Too Large")                                                                \
	X(414, "URI Too Long")                                                                     \
	X(415, "Unsupported Media Type")                                                           \
	X(416, "Range Not Satisfiable")                                                            \
	X(417, "Expectation Failed")                                                               \
	X(421, "Misdirected Request")                                                              \
	X(426, "Upgrade Required")                                                                 \
	X(429, "Too Many Requests")                                                                \
	X(431, "Request Header Fields Too Large")                                                  \
	X(500, "Internal Server Error")                                                            \
	X(501, "Not Implemented")                                                                  \
	X(502, "Bad Gateway")                                                                      \
	X(503, "Service Unavailable")                                                              \
	X(504, "Gateway Timeout")                                                                  \
	X(505, "HTTP Version Not Supported")                                                       \
	X(508, "Loop Detected")

const char *http_reason(unsigned status)
{
	switch (status) {
#define X(code, reason)                                                                            \
	case code:                                                                                 \
		return reason;
		HTTP_REASONS(X)
#undef X
	default:
		return "";
	}
}

int http_error_write(char *buf, size_t cap, unsigned status, const char *text, bool close,
		     bool head_only, int64_t now)
{
	struct head_out o = head_out_init(buf, cap);
	struct span reason = span_of(http_reason(status)), body = span_of(text);
	size_t length = 4 + reason.n + (body.n ? 2 + body.n : 0) + 1;
	int rc;

	head_out_status(&o, status, reason);
	head_out_date(&o, HTTP_FIELD_DATE, now);
	head_out_text(&o, HTTP_FIELD_CONTENT_TYPE, "text/plain; charset=utf-8");
	head_out_number(&o, HTTP_FIELD_CONTENT_LENGTH, length);
	head_out_text(&o, HTTP_FIELD_CACHE_CONTROL, "no-store");
	if (close)
		head_out_text(&o, HTTP_FIELD_CONNECTION, "close");
	rc = head_out_end(&o);
	if (rc < 0)
		return rc;
	if (head_only)
		return (int)o.len;
	if (length >= cap - o.len)
		return -EMSGSIZE;
	return (int)o.len + snprintf(buf + o.len, cap - o.len, "%u %s%s%s\n", status, reason.p,
				     body.n ? ": " : "", body.p);
}

int http_refusal_write(char *buf, size_t cap, int rc, int64_t now)
{
	const struct http_refusal_info *info = http_refusal_info(rc);
	char text[256];

	snprintf(text, sizeof(text), "%s (%s)", info->text, info->rfc);
	return http_error_write(buf, cap, (unsigned)info->status, text, true, false, now);
}
