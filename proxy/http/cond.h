/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditional requests: evaluates the preconditions in the order of RFC 9110 13.2.2.
 */
#ifndef TARN_HTTP_COND_H
#define TARN_HTTP_COND_H

#include "proxy/http/range.h"

enum cond_verdict {
	COND_PASS,	   /* answer as usual; Range may be honoured */
	COND_PASS_WHOLE,   /* answer as usual, but If-Range says: ignore Range */
	COND_NOT_MODIFIED, /* 304 */
	COND_FAILED,	   /* 412 */
};

/*
 * @req against the current representation's validators. @exists: there is one. @now as in date.h.
 * A cache that stored no Last-Modified gives Date instead (RFC 9111 4.3.2). If-Match and
 * If-Unmodified-Since are the origin server's (RFC 9110 13.1.1 lets a cache ignore them): a cache
 * that doubts its copy forwards such a request.
 */
enum cond_verdict http_cond_evaluate(const struct http_head *req, const struct validators *v,
				     bool exists, int64_t now);

#endif
