/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the end of a head in a buffer that grows, looking at each byte once.
 */
#ifndef TARN_HTTP_SCAN_H
#define TARN_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include "firmware/base/check.h"

struct head_scan {
	bool exact;	/* skip no empty line: set it for responses, where none may lead */
	size_t skipped; /* bytes of a leading empty line; the head starts at buf + skipped */
	size_t seen;	/* bytes looked at so far */
	size_t line;	/* where the line that is being looked at starts */
};

/* Ready for the first byte of a request, as is one that is all zero; or of a response. */
#define HEAD_SCAN_REQUEST  ((struct head_scan){ 0 })
#define HEAD_SCAN_RESPONSE ((struct head_scan){ .exact = true })

/*
 * @buf holds the @n bytes received so far since *s was initialised, the old ones unchanged (buf
 * itself may have moved). One leading empty line is skipped (RFC 9112 2.2), a second is not:
 * then the head is that empty line, which the parser refuses.
 *
 * 0            complete: the head is buf[s->skipped .. s->skipped + *ret_len), final empty
 *              line included; whatever follows is body or the next message
 * -EAGAIN      more bytes are needed
 * -EMSGSIZE    the head is larger than @max bytes; http_oversize() in head.h says which refusal
 *
 * Lines ended by LF alone end a head too, so that a peer that sends such is refused by the
 * parser at once instead of being waited for.
 */
MUST_USE int head_scan(struct head_scan *s, const char *buf, size_t n, size_t max, size_t *ret_len);

#endif
