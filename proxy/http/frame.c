/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of RFC 9112 6.3, without its repairs. Both fields are read and judged before the
 * method or the status is looked at, so that no message with a doubtful length passes by another
 * way.
 */
#include "proxy/http/frame.h"

/* 0 with *ret_length, or has_length false. A list "5, 5" is more than one. */
static int length_read(const struct http_head *h, struct framing *f)
{
	const struct http_field *field = http_field_first(h, HTTP_FIELD_CONTENT_LENGTH);

	if (!field)
		return 0;
	if (http_field_count(h, HTTP_FIELD_CONTENT_LENGTH) > 1 ||
	    span_find(field->value, ',') < field->value.n)
		return -HTTP_REFUSED_CL_CONFLICT;
	/* Offsets are signed in many places of the kernel's interface: so is our largest length. */
	if (span_u64(field->value, &f->length) < 0 || f->length > INT64_MAX)
		return -HTTP_REFUSED_CL_INVALID;
	f->has_length = true;
	return 0;
}

/* 1: chunked; 0: no transfer coding; or a refusal. */
static int coding_read(const struct http_head *h)
{
	struct http_list l = http_list_of(h, HTTP_FIELD_TRANSFER_ENCODING);
	bool last_is_chunked = false, unknown = false;
	unsigned chunked = 0;
	struct span coding;

	if (!http_has(h, HTTP_FIELD_TRANSFER_ENCODING))
		return 0;
	if (h->minor == 0)
		return -HTTP_REFUSED_TE_IN_HTTP10;
	while (http_list_element(&l, &coding)) {
		last_is_chunked = span_ieq(coding, SPAN("chunked"));
		chunked += last_is_chunked;
		unknown |= !last_is_chunked;
	}
	if (http_field_count(h, HTTP_FIELD_TRANSFER_ENCODING) > 1 || !last_is_chunked ||
	    chunked > 1)
		return -HTTP_REFUSED_TE_INVALID;
	return unknown ? -HTTP_REFUSED_TE_UNKNOWN : 1;
}

static int request_framing(const struct http_head *h, bool chunked, struct framing *f)
{
	/* CONNECT has no content (RFC 9110 9.3.6); what follows its head is the tunnel's. */
	if (h->method == HTTP_METHOD_CONNECT && chunked)
		return -HTTP_REFUSED_TE_INVALID;
	if (h->method == HTTP_METHOD_CONNECT && f->length > 0)
		return -HTTP_REFUSED_CL_INVALID;
	if (chunked)
		f->kind = FRAMING_CHUNKED;
	else if (f->has_length && f->length > 0)
		f->kind = FRAMING_LENGTH;
	else
		f->kind = FRAMING_NONE;
	f->close = !http_persistent(h);
	return 0;
}

/* Statuses that never have content; a sender that announces some may mean to send it. */
static bool status_is_bodiless(unsigned status)
{
	return status < 200 || status == 204 || status == 304;
}

static void response_framing(const struct http_head *h, enum http_method method, bool chunked,
			     struct framing *f)
{
	f->close = !http_persistent(h);
	if (h->status == 101 || (method == HTTP_METHOD_CONNECT && h->status / 100 == 2)) {
		f->kind = FRAMING_TUNNEL;
		f->close = true;
	} else if (status_is_bodiless(h->status)) {
		f->kind = FRAMING_NONE;
		f->close |= h->status != 304 && (chunked || f->length > 0);
	} else if (method == HTTP_METHOD_HEAD) {
		f->kind = FRAMING_NONE;
	} else if (chunked) {
		f->kind = FRAMING_CHUNKED;
	} else if (f->has_length) {
		f->kind = FRAMING_LENGTH;
	} else {
		f->kind = FRAMING_UNTIL_CLOSE;
		f->close = true;
	}
}

int http_framing(const struct http_head *h, enum http_method request_method, struct framing *ret)
{
	struct framing f = { .kind = FRAMING_NONE };
	int rc, chunked;

	rc = length_read(h, &f);
	if (rc < 0)
		return rc;
	chunked = coding_read(h);
	if (chunked < 0)
		return chunked;
	if (chunked && f.has_length)
		return -HTTP_REFUSED_CL_AND_TE;
	if (h->is_request) {
		rc = request_framing(h, chunked, &f);
		if (rc < 0)
			return rc;
	} else {
		response_framing(h, request_method, chunked, &f);
	}
	*ret = f;
	return 0;
}

int http_expects_continue(const struct http_head *req)
{
	struct http_list l = http_list_of(req, HTTP_FIELD_EXPECT);
	struct span expectation;
	int waits = 0;

	/* RFC 9110 10.1.1: a server must ignore it in an HTTP/1.0 request. */
	if (req->minor == 0)
		return 0;
	while (http_list_element(&l, &expectation)) {
		if (!span_ieq(expectation, SPAN("100-continue")))
			return -HTTP_REFUSED_EXPECT_UNKNOWN;
		waits = 1;
	}
	return waits;
}

int http_max_forwards(const struct http_head *req, uint64_t *ret_left)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_MAX_FORWARDS);
	uint64_t left = UINT64_MAX;
	int rc;

	if (f && (req->method == HTTP_METHOD_TRACE || req->method == HTTP_METHOD_OPTIONS)) {
		if (http_field_count(req, HTTP_FIELD_MAX_FORWARDS) > 1)
			return -HTTP_REFUSED_MAX_FORWARDS_INVALID;
		rc = span_u64(f->value, &left);
		if (rc < 0 && rc != -ERANGE)
			return -HTTP_REFUSED_MAX_FORWARDS_INVALID;
	}
	*ret_left = left;
	return 0;
}
