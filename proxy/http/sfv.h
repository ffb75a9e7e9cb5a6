/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured fields (RFC 8941): a strict reader of dictionaries. Inner lists and parameters are
 * checked and stepped over; nothing here needs their content.
 */
#ifndef TARN_HTTP_SFV_H
#define TARN_HTTP_SFV_H

#include <stdint.h>
#include "firmware/base/span.h"

enum sfv_type {
	SFV_BOOLEAN,
	SFV_INTEGER,
	SFV_DECIMAL,
	SFV_STRING, /* text: without its quotes, escapes as they are */
	SFV_TOKEN,
	SFV_BYTES, /* text: the base64 */
	SFV_INNER_LIST,
};

struct sfv_item {
	enum sfv_type type;
	int64_t integer; /* INTEGER; BOOLEAN: 0 or 1 */
	struct span text;
};

/*
 * Takes the next member off the front of *dictionary: 1 with it, 0 at the end, -EINVAL: the whole
 * dictionary is malformed (RFC 8941 4.2 knows no half). Start with spaces at both ends trimmed.
 */
MUST_USE int sfv_member_next(struct span *dictionary, struct span *ret_key,
			     struct sfv_item *ret_value);

/* May @s be written as a token (RFC 8941 3.3.4)? */
bool sfv_is_token(struct span s);

#endif
