/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every reason for which this folder refuses a message, in one table: the name, the status that
 * answers a *request* with this fault, the counter's label, the RFC section, a sentence for people.
 *
 * A function that parses returns 0, or the negative of one of these values. They start at 1000,
 * so that none is ever mistaken for a negative errno (-EAGAIN, -EMSGSIZE).
 * A *response* with any of these faults came from a bad upstream: the device is told 502.
 */
#ifndef TARN_HTTP_REFUSAL_H
#define TARN_HTTP_REFUSAL_H

#include <stdbool.h>

#define HTTP_REFUSAL_BASE 1000

/* X(name, status, label, RFC section, text) */
#define HTTP_REFUSALS(X)                                                                           \
	X(BAD_REQUEST_LINE, 400, "request_line", "RFC 9112 3",                                     \
	  "the request line is not method, target and version, one space apart")                   \
	X(BAD_METHOD, 400, "method", "RFC 9110 9.1",                                               \
	  "the method is not a token of at most 32 characters")                                    \
	X(BAD_TARGET, 400, "target", "RFC 9112 3.2",                                               \
	  "the request target has none of the four forms, or not the one for this method")         \
	X(BAD_AUTHORITY, 400, "authority", "RFC 9110 4.2",                                         \
	  "the authority of the request target is not host and port")                              \
	X(BAD_STATUS_LINE, 400, "status_line", "RFC 9112 4",                                       \
	  "the status line is not version, three digits and a reason")                             \
	X(BAD_VERSION, 400, "bad_version", "RFC 9112 2.3",                                         \
	  "the HTTP version is not written as HTTP/digit.digit")                                   \
	X(VERSION_UNSUPPORTED, 505, "version", "RFC 9110 15.6.6",                                  \
	  "this HTTP version is not spoken here, only HTTP/1.x is")                                \
	X(HTTP2_PREFACE, 505, "http2_preface", "RFC 9113 3.4",                                     \
	  "an HTTP/2 connection preface arrived where HTTP/1.1 is spoken")                         \
	X(LINE_TOO_LONG, 414, "line_too_long", "RFC 9112 3", "the request line is too long")       \
	X(HEAD_TOO_LARGE, 431, "head_too_large", "RFC 6585 5", "the header section is too large")  \
	X(TOO_MANY_FIELDS, 431, "too_many_fields", "RFC 6585 5",                                   \
	  "the header section has too many field lines")                                           \
	X(CONNECTION_TOO_LONG, 431, "connection_too_long", "RFC 6585 5",                           \
	  "the Connection field is too long")                                                      \
	X(BARE_LF, 400, "bare_lf", "RFC 9112 2.2", "a line ends with LF alone instead of CR LF")   \
	X(BARE_CR, 400, "bare_cr", "RFC 9112 2.2", "a CR stands without its LF")                   \
	X(OBS_FOLD, 400, "obs_fold", "RFC 9112 5.2", "a field value is folded over several lines") \
	X(LEADING_SPACE, 400, "leading_space", "RFC 9112 2.2",                                     \
	  "white space stands between the start line and the first field")                         \
	X(FIELD_NO_COLON, 400, "field_no_colon", "RFC 9112 5", "a field line has no colon")        \
	X(FIELD_NAME_EMPTY, 400, "field_name_empty", "RFC 9112 5",                                 \
	  "a field line has no name before its colon")                                             \
	X(FIELD_NAME_SPACE, 400, "field_name_space", "RFC 9112 5.1",                               \
	  "white space stands between a field name and its colon")                                 \
	X(FIELD_NAME_INVALID, 400, "field_name_invalid", "RFC 9110 5.1",                           \
	  "a field name has a character that no token may have")                                   \
	X(FIELD_VALUE_INVALID, 400, "field_value_invalid", "RFC 9110 5.5",                         \
	  "a field value has a NUL or another control character")                                  \
	X(HEAD_INCOMPLETE, 400, "head_incomplete", "RFC 9112 2.1",                                 \
	  "the head does not end with exactly one empty line")                                     \
	X(HOST_MISSING, 400, "host_missing", "RFC 9112 3.2",                                       \
	  "an HTTP/1.1 request has no Host field")                                                 \
	X(HOST_DUPLICATE, 400, "host_duplicate", "RFC 9112 3.2",                                   \
	  "a request has more than one Host field")                                                \
	X(HOST_INVALID, 400, "host_invalid", "RFC 9112 3.2",                                       \
	  "the Host field is not host and port")                                                   \
	X(CL_INVALID, 400, "content_length", "RFC 9112 6.3",                                       \
	  "Content-Length is not a decimal number that fits")                                      \
	X(CL_CONFLICT, 400, "content_length_conflict", "RFC 9112 6.3",                             \
	  "there is more than one Content-Length")                                                 \
	X(CL_AND_TE, 400, "length_and_coding", "RFC 9112 6.3",                                     \
	  "both Content-Length and Transfer-Encoding are present")                                 \
	X(TE_INVALID, 400, "transfer_encoding", "RFC 9112 6.1",                                    \
	  "Transfer-Encoding does not end with exactly one chunked")                               \
	X(TE_UNKNOWN, 501, "transfer_coding_unknown", "RFC 9112 6.1",                              \
	  "a transfer coding other than chunked is not understood here")                           \
	X(TE_IN_HTTP10, 400, "coding_in_http10", "RFC 9112 6.1",                                   \
	  "an HTTP/1.0 message has Transfer-Encoding")                                             \
	X(CHUNK_SIZE_INVALID, 400, "chunk_size", "RFC 9112 7.1",                                   \
	  "a chunk size is not 1 to 16 hexadecimal digits")                                        \
	X(CHUNK_EXT_INVALID, 400, "chunk_extension", "RFC 9112 7.1.1",                             \
	  "a chunk extension is malformed")                                                        \
	X(CHUNK_EXT_TOO_LONG, 400, "chunk_extension_long", "RFC 9112 7.1.1",                       \
	  "the chunk extensions are too long")                                                     \
	X(CHUNK_DATA_END, 400, "chunk_end", "RFC 9112 7.1",                                        \
	  "a chunk's data is not followed by CR LF")                                               \
	X(TRAILER_TOO_LARGE, 431, "trailer_too_large", "RFC 6585 5",                               \
	  "the trailer section is too large")                                                      \
	X(EXPECT_UNKNOWN, 417, "expectation", "RFC 9110 10.1.1",                                   \
	  "an expectation other than 100-continue can't be met")                                   \
	X(MAX_FORWARDS_INVALID, 400, "max_forwards", "RFC 9110 7.6.2",                             \
	  "Max-Forwards is not a decimal number")

enum http_refusal {
	HTTP_REFUSAL_FIRST_ = HTTP_REFUSAL_BASE - 1,
#define X(name, status, label, rfc, text) HTTP_REFUSED_##name,
	HTTP_REFUSALS(X)
#undef X
	HTTP_REFUSAL_END_
};

#define HTTP_REFUSAL_COUNT (HTTP_REFUSAL_END_ - HTTP_REFUSAL_BASE)

struct http_refusal_info {
	const char *name;  /* "BARE_LF" */
	const char *label; /* "bare_lf": counter http.refused.bare_lf */
	const char *rfc;   /* "RFC 9112 2.2" */
	const char *text;  /* a sentence without capital and full stop */
	int status;	   /* what a request with this fault is answered; a response's is 502 */
};

/* True if @rc (negative) is one of the refusals above, and not an errno. */
bool http_is_refusal(int rc);

/* The row of the negative value @rc; a bug if it is none. Rows live for ever. */
const struct http_refusal_info *http_refusal_info(int rc);

/* Counts it: STAT_HTTP_REFUSED_FIRST + its place in the table. */
void http_refusal_count(int rc);

/* Names those counters (stat_label); once, before the threads start. */
void http_refusal_label_counters(void);

#endif
