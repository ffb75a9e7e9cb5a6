/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP-date (RFC 9110 5.6.7), without locale and without the C library's calendar.
 */
#ifndef TARN_HTTP_DATE_H
#define TARN_HTTP_DATE_H

#include <stdint.h>
#include "firmware/base/span.h"

#define HTTP_DATE_LEN 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/*
 * Parses IMF-fixdate, the RFC 850 form and the asctime form, exactly: case, spaces, a day that
 * exists in its month. (The name of the day is checked to be one, but not to be the right one.)
 * A two-digit year that appears to be more than 50 years after @now is in the past.
 * @now and ret_time: seconds since 1970-01-01 UTC. 0 or -EINVAL. A leap second :60 counts as :59.
 */
MUST_USE int http_date_parse(struct span s, int64_t now, int64_t *ret_time);

/* Writes IMF-fixdate, HTTP_DATE_LEN bytes and a NUL. Times outside years 0..9999 are clamped. */
void http_date_print(int64_t time, char buf[HTTP_DATE_LEN + 1]);

#endif
