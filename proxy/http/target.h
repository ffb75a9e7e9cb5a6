/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request target in its four forms (RFC 9112 3.2). For head.c.
 */
#ifndef TARN_HTTP_TARGET_H
#define TARN_HTTP_TARGET_H

#include "proxy/http/head.h"

/*
 * Splits h->target by h->method into form, scheme, path, query and, where the target has one,
 * authority, host and port. 0 or a negative refusal.
 */
MUST_USE int http_target_parse(struct http_head *h);

/*
 * Takes the authority from the value of Host where the target has none, and tells where the two
 * differ (RFC 9112 3.2, 3.2.2). @host: the one Host line, NULL if there is none.
 */
MUST_USE int http_host_apply(struct http_head *h, const struct http_field *host);

#endif
