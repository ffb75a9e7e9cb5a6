/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preconditions, in the order of RFC 9110 13.2.2. The numbers are its steps.
 */
#include "proxy/http/cond.h"

#include "proxy/http/date.h"

/* A date in the one line of @id; false if there is none, several, or it is not a date (13.1.3). */
static bool date_of(const struct http_head *req, enum http_field_id id, int64_t now,
		    int64_t *ret_time)
{
	const struct http_field *f = http_field_first(req, id);

	return f && http_field_count(req, id) == 1 && http_date_parse(f->value, now, ret_time) == 0;
}

static bool is_read(const struct http_head *req)
{
	return req->method == HTTP_METHOD_GET || req->method == HTTP_METHOD_HEAD;
}

/* Steps 1 and 2: may the request go on? */
static bool unchanged_holds(const struct http_head *req, const struct validators *v, bool exists,
			    int64_t now)
{
	int64_t date;

	if (http_has(req, HTTP_FIELD_IF_MATCH))
		return etag_list_matches(req, HTTP_FIELD_IF_MATCH, &v->etag, exists);
	if (v->has_last_modified && date_of(req, HTTP_FIELD_IF_UNMODIFIED_SINCE, now, &date))
		return v->last_modified <= date;
	return true;
}

/* Steps 3 and 4: is there anything new for the client? */
static bool changed_holds(const struct http_head *req, const struct validators *v, bool exists,
			  int64_t now)
{
	int64_t date;

	if (http_has(req, HTTP_FIELD_IF_NONE_MATCH))
		return !etag_list_matches(req, HTTP_FIELD_IF_NONE_MATCH, &v->etag, exists);
	if (is_read(req) && v->has_last_modified &&
	    date_of(req, HTTP_FIELD_IF_MODIFIED_SINCE, now, &date))
		return v->last_modified > date;
	return true;
}

/* Step 5. */
static bool range_holds(const struct http_head *req, const struct validators *v, int64_t now)
{
	const struct http_field *f = http_field_first(req, HTTP_FIELD_IF_RANGE);

	if (!f || !http_has(req, HTTP_FIELD_RANGE))
		return true;
	return http_field_count(req, HTTP_FIELD_IF_RANGE) == 1 &&
	       http_if_range_matches(f->value, v, now);
}

enum cond_verdict http_cond_evaluate(const struct http_head *req, const struct validators *v,
				     bool exists, int64_t now)
{
	if (!unchanged_holds(req, v, exists, now))
		return COND_FAILED;
	if (!changed_holds(req, v, exists, now))
		return is_read(req) ? COND_NOT_MODIFIED : COND_FAILED;
	return range_holds(req, v, now) ? COND_PASS : COND_PASS_WHOLE;
}
