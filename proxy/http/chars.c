/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of octets. The compiler works it out from the rules below, so that what the RFCs say
 * can be read here; the unit test compares it with their lists of characters.
 */
#include "proxy/http/chars.h"

#define IS_UPPER(c)   ((c) >= 'A' && (c) <= 'Z')
#define IS_LOWER(c)   ((c) >= 'a' && (c) <= 'z')
#define IS_ALPHA(c)   (IS_UPPER(c) || IS_LOWER(c))
#define IS_DIGIT(c)   ((c) >= '0' && (c) <= '9')
#define IS_HEX(c)     (IS_DIGIT(c) || ((c) >= 'A' && (c) <= 'F') || ((c) >= 'a' && (c) <= 'f'))
#define IS_VISIBLE(c) ((c) > 0x20 && (c) < 0x7f)
#define IS_OBS(c)     ((c) >= 0x80)

#define IS_TOKEN(c)                                                                                \
	(IS_ALPHA(c) || IS_DIGIT(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' ||     \
	 (c) == '&' || (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' ||      \
	 (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')

#define IS_UNRESERVED(c)                                                                           \
	(IS_ALPHA(c) || IS_DIGIT(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')

#define IS_SUB_DELIM(c)                                                                            \
	((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' ||      \
	 (c) == '*' || (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=')

#define IS_PATH(c)                                                                                 \
	(IS_UNRESERVED(c) || IS_SUB_DELIM(c) || (c) == '%' || (c) == ':' || (c) == '@' ||          \
	 (c) == '/' || (c) == '[' || (c) == ']' || (c) == '|')

#define IS_QUERY(c)                                                                                \
	(IS_VISIBLE(c) && (c) != '"' && (c) != '#' && (c) != '<' && (c) != '>' && (c) != '\\')

#define IS_HOST(c) (IS_ALPHA(c) || IS_DIGIT(c) || (c) == '-' || (c) == '.' || (c) == '_')

#define CLASSES(c)                                                                                 \
	((IS_TOKEN(c) ? HTTP_C_TOKEN : 0) |                                                        \
	 ((c) == '\t' || (c) == ' ' || IS_VISIBLE(c) || IS_OBS(c) ? HTTP_C_VALUE : 0) |            \
	 (IS_DIGIT(c) ? HTTP_C_DIGIT : 0) | (IS_HEX(c) ? HTTP_C_HEX : 0) |                         \
	 (IS_UNRESERVED(c) ? HTTP_C_UNRESERVED : 0) | (IS_PATH(c) ? HTTP_C_PATH : 0) |             \
	 (IS_QUERY(c) ? HTTP_C_QUERY : 0) | (IS_VISIBLE(c) && (c) != '#' ? HTTP_C_TARGET : 0) |    \
	 (IS_HOST(c) ? HTTP_C_HOST : 0) |                                                          \
	 ((IS_VISIBLE(c) && (c) != '"') || IS_OBS(c) ? HTTP_C_ETAG : 0) |                          \
	 (IS_ALPHA(c) ? HTTP_C_ALPHA : 0))

#define ROW4(c)	 CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define ROW16(c) ROW4(c), ROW4((c) + 4), ROW4((c) + 8), ROW4((c) + 12)
#define ROW64(c) ROW16(c), ROW16((c) + 16), ROW16((c) + 32), ROW16((c) + 48)

const uint16_t http_chars[256] = { ROW64(0), ROW64(64), ROW64(128), ROW64(192) };
