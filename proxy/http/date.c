/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three forms of a date, one picture each, compared octet by octet but for the case of letters:
 *
 *	Sun, 06 Nov 1994 08:49:37 GMT	IMF-fixdate
 *	Sunday, 06-Nov-94 08:49:37 GMT	RFC 850, obsolete
 *	Sun Nov  6 08:49:37 1994	asctime, obsolete
 *
 * Days are counted from 1970-01-01 in the proleptic Gregorian calendar. A year is taken to start
 * in March, so that the leap day is its last.
 */
#include "proxy/http/date.h"

#define DAY_SECONDS 86400

static const char *const day_names[7] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
					  "Thursday", "Friday", "Saturday" };

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct moment {
	int64_t year;
	int month; /* 1..12 */
	int day;   /* 1..31 */
	int hour, minute, second;
};

/* ---- calendar -------------------------------------------------------------------------------- */

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Of years from 0 on. 719468 days lie between 0000-03-01 and 1970-01-01. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1, era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, struct moment *m)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = (int)(of_era - (365 * y + y / 4 - y / 100)), month = (5 * of_year + 2) / 153;

	m->day = of_year - (153 * month + 2) / 5 + 1;
	m->month = month < 10 ? month + 3 : month - 9;
	m->year = y + era * 400 + (m->month <= 2);
}

static int64_t moment_seconds(const struct moment *m)
{
	int second = m->second == 60 ? 59 : m->second;

	return days_from_date(m->year, m->month, m->day) * DAY_SECONDS + m->hour * 3600 +
	       m->minute * 60 + second;
}

static bool moment_exists(const struct moment *m)
{
	return m->day >= 1 && m->day <= month_days(m->year, m->month) && m->hour <= 23 &&
	       m->minute <= 59 && m->second <= 60;
}

/* ---- pieces: each takes what it names off the front of *s, or leaves -EINVAL ------------------ */

/* In letters of any case: RFC 9111 4.2 asks caches to be so. */
static int literal_take(struct span *s, struct span literal)
{
	if (s->n < literal.n || !span_ieq(span_head(*s, literal.n), literal))
		return -EINVAL;
	*s = span_drop(*s, literal.n);
	return 0;
}

static int digits_take(struct span *s, size_t width, int *ret_value)
{
	uint64_t value;

	if (s->n < width || span_u64(span_head(*s, width), &value) < 0)
		return -EINVAL;
	*s = span_drop(*s, width);
	*ret_value = (int)value;
	return 0;
}

static int day_name_take(struct span *s, bool whole)
{
	for (size_t i = 0; i < ARRAY_LEN(day_names); i++) {
		struct span name = span_of(day_names[i]);

		if (literal_take(s, whole ? name : span_head(name, 3)) == 0)
			return 0;
	}
	return -EINVAL;
}

static int month_take(struct span *s, int *ret_month)
{
	for (int i = 0; i < 12; i++)
		if (literal_take(s, span_of(month_names[i])) == 0) {
			*ret_month = i + 1;
			return 0;
		}
	return -EINVAL;
}

static int time_take(struct span *s, struct moment *m)
{
	if (digits_take(s, 2, &m->hour) < 0 || literal_take(s, SPAN(":")) < 0 ||
	    digits_take(s, 2, &m->minute) < 0 || literal_take(s, SPAN(":")) < 0)
		return -EINVAL;
	return digits_take(s, 2, &m->second);
}

/* asctime's day: two digits, or a space and one. */
static int spaced_day_take(struct span *s, int *ret_day)
{
	if (literal_take(s, SPAN(" ")) == 0)
		return digits_take(s, 1, ret_day);
	return digits_take(s, 2, ret_day);
}

/* Other names of zones than these two make a date invalid (RFC 9111 4.2). */
static bool is_zone(struct span s)
{
	return span_ieq(s, SPAN(" GMT")) || span_ieq(s, SPAN(" UTC"));
}

/* ---- forms ------------------------------------------------------------------------------------- */

static int imf_parse(struct span s, struct moment *m)
{
	int year;

	if (day_name_take(&s, false) < 0 || literal_take(&s, SPAN(", ")) < 0 ||
	    digits_take(&s, 2, &m->day) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    month_take(&s, &m->month) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    digits_take(&s, 4, &year) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    time_take(&s, m) < 0 || !is_zone(s))
		return -EINVAL;
	m->year = year;
	return 0;
}

/* m->year is 0..99. */
static int rfc850_parse(struct span s, struct moment *m)
{
	int year;

	if (day_name_take(&s, true) < 0 || literal_take(&s, SPAN(", ")) < 0 ||
	    digits_take(&s, 2, &m->day) < 0 || literal_take(&s, SPAN("-")) < 0 ||
	    month_take(&s, &m->month) < 0 || literal_take(&s, SPAN("-")) < 0 ||
	    digits_take(&s, 2, &year) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    time_take(&s, m) < 0 || !is_zone(s))
		return -EINVAL;
	m->year = year;
	return 0;
}

static int asctime_parse(struct span s, struct moment *m)
{
	int year;

	if (day_name_take(&s, false) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    month_take(&s, &m->month) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    spaced_day_take(&s, &m->day) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    time_take(&s, m) < 0 || literal_take(&s, SPAN(" ")) < 0 ||
	    digits_take(&s, 4, &year) < 0 || s.n > 0)
		return -EINVAL;
	m->year = year;
	return 0;
}

/* The latest year with these two digits that is not more than 50 years ahead of now. */
static void century_find(struct moment *m, int64_t now)
{
	struct moment limit;
	int64_t two = m->year, ahead;

	date_from_days(now / DAY_SECONDS, &limit);
	m->year = limit.year / 100 * 100 + 100 + two;
	for (;; m->year -= 100) {
		/* The same moment 50 years earlier; a 29 February may slip to 1 March. */
		ahead = days_from_date(m->year - 50, m->month, m->day) * DAY_SECONDS +
			m->hour * 3600 + m->minute * 60 + m->second;
		if (ahead <= now || m->year < 100)
			return;
	}
}

int http_date_parse(struct span s, int64_t now, int64_t *ret_time)
{
	struct moment m;

	if (imf_parse(s, &m) < 0 && asctime_parse(s, &m) < 0) {
		if (rfc850_parse(s, &m) < 0)
			return -EINVAL;
		century_find(&m, now);
	}
	if (!moment_exists(&m))
		return -EINVAL;
	*ret_time = moment_seconds(&m);
	return 0;
}

/* ---- printing ---------------------------------------------------------------------------------- */

static void digits_put(char *at, unsigned width, int64_t value)
{
	while (width-- > 0) {
		at[width] = (char)('0' + value % 10);
		value /= 10;
	}
}

void http_date_print(int64_t time, char buf[HTTP_DATE_LEN + 1])
{
	const int64_t first = days_from_date(0, 1, 1) * DAY_SECONDS;
	const int64_t last = days_from_date(10000, 1, 1) * DAY_SECONDS - 1;
	struct moment m;
	int64_t days;
	int second;

	time = time < first ? first : time > last ? last : time;
	days = (time - first) / DAY_SECONDS + days_from_date(0, 1, 1);
	second = (int)(time - days * DAY_SECONDS);
	date_from_days(days, &m);
	memcpy(buf, "Day, 00 Mon 0000 00:00:00 GMT", HTTP_DATE_LEN + 1);
	memcpy(buf, day_names[((days + 4) % 7 + 7) % 7], 3); /* 1970-01-01 was a Thursday */
	digits_put(buf + 5, 2, m.day);
	memcpy(buf + 8, month_names[m.month - 1], 3);
	digits_put(buf + 12, 4, m.year);
	digits_put(buf + 17, 2, second / 3600);
	digits_put(buf + 20, 2, second / 60 % 60);
	digits_put(buf + 23, 2, second % 60);
}
