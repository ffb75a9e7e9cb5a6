/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP-date (RFC 9110 5.6.7): the three forms, what is not one, and the calendar against libc's.
 */
#include "tests/unit/proxy/http/rows.h"
#include "proxy/http/date.h"

#include <time.h>

#define NOW_1999 INT64_C(915148800)  /* 1999-01-01 */
#define NOW_2026 INT64_C(1795392000) /* 2026-11-23 */

struct date_row {
	const char *rfc;
	const char *text;
	struct span in;
	int64_t now;
	int want;
	int64_t time;
};

static const struct date_row rows[] = {
	{ "RFC 9110 5.6.7", "IMF-fixdate", TEXT("Sun, 06 Nov 1994 08:49:37 GMT"), NOW_2026, 0,
	  784111777 },
	{ "RFC 9110 5.6.7", "RFC 850", TEXT("Sunday, 06-Nov-94 08:49:37 GMT"), NOW_2026, 0,
	  784111777 },
	{ "RFC 9110 5.6.7", "asctime", TEXT("Sun Nov  6 08:49:37 1994"), NOW_2026, 0, 784111777 },
	{ "RFC 9110 5.6.7", "asctime, two digits", TEXT("Wed Nov 16 08:49:37 1994"), NOW_2026, 0,
	  784975777 },
	{ "RFC 9110 5.6.7", "the epoch", TEXT("Thu, 01 Jan 1970 00:00:00 GMT"), NOW_2026, 0, 0 },
	{ "RFC 9110 5.6.7", "before the epoch", TEXT("Wed, 31 Dec 1969 23:59:59 GMT"), NOW_2026, 0,
	  -1 },
	{ "RFC 9110 5.6.7", "leap day", TEXT("Sat, 29 Feb 2020 00:00:00 GMT"), NOW_2026, 0,
	  1582934400 },
	{ "RFC 9110 5.6.7", "leap day of a century", TEXT("Tue, 29 Feb 2000 12:00:00 GMT"),
	  NOW_2026, 0, 951825600 },
	{ "RFC 9110 5.6.7", "beyond 2038", TEXT("Tue, 19 Jan 2038 03:14:08 GMT"), NOW_2026, 0,
	  2147483648 },
	{ "RFC 9110 5.6.7", "last year", TEXT("Fri, 31 Dec 9999 23:59:59 GMT"), NOW_2026, 0,
	  253402300799 },
	{ "RFC 5322 3.3", "leap second", TEXT("Sat, 31 Dec 2016 23:59:60 GMT"), NOW_2026, 0,
	  1483228799 },
	{ "RFC 9110 5.6.7", "wrong day of the week", TEXT("Mon, 06 Nov 1994 08:49:37 GMT"),
	  NOW_2026, 0, 784111777 },

	{ "RFC 9111 4.2", "lower case day", TEXT("sun, 06 Nov 1994 08:49:37 GMT"), NOW_2026, 0,
	  784111777 },
	{ "RFC 9111 4.2", "upper case month", TEXT("Sun, 06 NOV 1994 08:49:37 GMT"), NOW_2026, 0,
	  784111777 },
	{ "RFC 9111 4.2", "lower case zone", TEXT("Sun, 06 Nov 1994 08:49:37 gmt"), NOW_2026, 0,
	  784111777 },
	{ "RFC 9111 4.2", "UTC", TEXT("Sun, 06 Nov 1994 08:49:37 UTC"), NOW_2026, 0, 784111777 },
	{ "RFC 9110 5.6.7", "two digits, 49 years ahead", TEXT("Sunday, 06-Nov-75 08:49:37 GMT"),
	  NOW_2026, 0, 3340255777 },
	{ "RFC 9110 5.6.7", "two digits, 51 years ahead: past",
	  TEXT("Sunday, 06-Nov-77 08:49:37 GMT"), NOW_2026, 0, 247654177 },
	{ "RFC 9110 5.6.7", "two digits, less than 50 years ahead",
	  TEXT("Sunday, 22-Nov-76 00:00:00 GMT"), NOW_2026, 0, 3373228800 },
	{ "RFC 9110 5.6.7", "two digits, more than 50 years ahead: past",
	  TEXT("Sunday, 24-Nov-76 00:00:00 GMT"), NOW_2026, 0, 217641600 },
	{ "RFC 9110 5.6.7", "two digits, 99 in 1999", TEXT("Friday, 31-Dec-99 00:00:00 GMT"),
	  NOW_1999, 0, 946598400 },
	{ "RFC 9110 5.6.7", "two digits, 02 in 1999", TEXT("Friday, 01-Feb-02 00:00:00 GMT"),
	  NOW_1999, 0, 1012521600 },
	{ "RFC 9110 5.6.7", "two digits, leap day", TEXT("Tuesday, 29-Feb-00 00:00:00 GMT"),
	  NOW_1999, 0, 951782400 },

#define BROKEN(what, date)                                                                         \
	{                                                                                          \
		"RFC 9110 5.6.7", what, TEXT(date), NOW_2026, -EINVAL, 0                           \
	}
	BROKEN("empty", ""),
	BROKEN("a number", "0"),
	BROKEN("leading space", " Sun, 06 Nov 1994 08:49:37 GMT"),
	BROKEN("trailing space", "Sun, 06 Nov 1994 08:49:37 GMT "),
	BROKEN("another zone", "Sun, 06 Nov 1994 08:49:37 CET"),
	BROKEN("no zone", "Sun, 06 Nov 1994 08:49:37"),
	BROKEN("an offset", "Sun, 06 Nov 1994 08:49:37 +0000"),
	BROKEN("one digit for the day", "Sun, 6 Nov 1994 08:49:37 GMT"),
	BROKEN("space for a digit", "Sun,  6 Nov 1994 08:49:37 GMT"),
	BROKEN("no comma", "Sun 06 Nov 1994 08:49:37 GMT"),
	BROKEN("no space", "Sun,06 Nov 1994 08:49:37 GMT"),
	BROKEN("unknown month", "Sun, 06 Nov. 1994 08:49:37 GMT"),
	BROKEN("unknown day", "Xyz, 06 Nov 1994 08:49:37 GMT"),
	BROKEN("long day", "Sunday, 06 Nov 1994 08:49:37 GMT"),
	BROKEN("two digits in this form", "Sun, 06 Nov 94 08:49:37 GMT"),
	BROKEN("four digits in RFC 850", "Sunday, 06-Nov-1994 08:49:37 GMT"),
	BROKEN("short day in RFC 850", "Sun, 06-Nov-94 08:49:37 GMT"),
	BROKEN("asctime with a zone", "Sun Nov  6 08:49:37 1994 GMT"),
	BROKEN("asctime with one digit", "Sun Nov 6 08:49:37 1994"),
	BROKEN("day 0", "Sun, 00 Nov 1994 08:49:37 GMT"),
	BROKEN("day 31 of 30", "Sun, 31 Nov 1994 08:49:37 GMT"),
	BROKEN("29 February of no leap year", "Sun, 29 Feb 2021 08:49:37 GMT"),
	BROKEN("29 February 1900", "Thu, 29 Feb 1900 00:00:00 GMT"),
	BROKEN("hour 24", "Sun, 06 Nov 1994 24:00:00 GMT"),
	BROKEN("minute 60", "Sun, 06 Nov 1994 08:60:37 GMT"),
	BROKEN("second 61", "Sun, 06 Nov 1994 08:49:61 GMT"),
	BROKEN("cut in the year", "Sun, 06 Nov 19"),
	BROKEN("cut in the time", "Sun, 06 Nov 1994 08:"),
	BROKEN("sign", "Sun, +6 Nov 1994 08:49:37 GMT"),
	BROKEN("NUL", "Sun, 06 Nov 1994 08:49:37\0GMT"),
};

static void test_parse(void **state)
{
	(void)state;
	for (const struct date_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
		char *copy = exact_copy(row->in);
		int64_t time = 0;

		ROW_NUMBER(row, "result",
			   http_date_parse(span_make(copy, row->in.n), row->now, &time), row->want);
		ROW_NUMBER(row, "time", time, row->time);
		test_free(copy);
	}
}

/* What is printed is what libc prints, and is read back; over 400 years, which the calendar repeats. */
static void test_calendar(void **state)
{
	(void)state;
	for (int64_t t = -62135596800; t < -62135596800 + INT64_C(500) * 366 * 86400; t += 86399) {
		char ours[HTTP_DATE_LEN + 1], theirs[64];
		time_t libc_time = (time_t)t;
		int64_t back = 0;
		struct tm tm;

		gmtime_r(&libc_time, &tm);
		snprintf(theirs, sizeof(theirs), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
			 &"SunMonTueWedThuFriSat"[3 * tm.tm_wday], tm.tm_mday,
			 &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * tm.tm_mon], tm.tm_year + 1900,
			 tm.tm_hour, tm.tm_min, tm.tm_sec);
		http_date_print(t, ours);
		assert_string_equal(ours, theirs);
		assert_int_equal(http_date_parse(span_of(ours), NOW_2026, &back), 0);
		assert_true(back == t);
	}
}

static void test_print_is_clamped(void **state)
{
	char buf[HTTP_DATE_LEN + 1];

	(void)state;
	http_date_print(INT64_MAX, buf);
	assert_string_equal(buf, "Fri, 31 Dec 9999 23:59:59 GMT");
	http_date_print(INT64_MIN, buf);
	assert_string_equal(buf, "Sat, 01 Jan 0000 00:00:00 GMT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_print_is_clamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
