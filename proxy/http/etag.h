/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entity tags (RFC 9110 8.8.3) and the lists of them in If-Match and If-None-Match.
 */
#ifndef TARN_HTTP_ETAG_H
#define TARN_HTTP_ETAG_H

#include "proxy/http/head.h"

struct etag {
	struct span opaque; /* with its quotes; p is NULL: there is none */
	bool weak;
};

/* The whole of @s as one entity tag: 0 or -EINVAL. */
MUST_USE int etag_parse(struct span s, struct etag *ret);

/* RFC 9110 8.8.3.2. Both false if either is absent. */
bool etag_equal_strong(const struct etag *a, const struct etag *b);
bool etag_equal_weak(const struct etag *a, const struct etag *b);

/*
 * Does the list in @head's field @id (If-Match: strong comparison, If-None-Match: weak) contain
 * @current, over all lines? "*" matches if @exists (there is a current representation, with or
 * without a tag). A malformed list matches nothing behind the fault, and a "*" that is not
 * alone is malformed.
 */
bool etag_list_matches(const struct http_head *head, enum http_field_id id,
		       const struct etag *current, bool exists);

#endif
