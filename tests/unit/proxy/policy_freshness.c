/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a response is fresh, and how old it is: RFC 9111 4.2, 5.1, 5.2.2, 5.3; RFC 9213; and the
 * profile's own times. Each response is asked for `after` seconds later by a plain GET.
 */
#include "tests/unit/proxy/policy_table.h"

struct freshness {
	const char *sentence;
	const char *resp;
	int after;
	const char *expect; /* "hit" or "validate", "lifetime=N", "age=N", "ttl=N", "not: token" */
	unsigned status;
	const struct profile_class *class;
};

/* So that what is stale from the start is stored all the same. */
#define TAG	  "ETag: \"a\"\n"
#define CC(value) "Cache-Control: " value "\n" TAG

static const struct profile_class default_class = { PROFILE_OBJECT, 600000, -1, -1, -1 };
static const struct profile_class capped_class = { PROFILE_INDEX, -1, 300000, -1, -1 };
static const struct profile_class forced_class = { PROFILE_OBJECT, -1, -1, 3600000, -1 };
static const struct profile_class short_class = { PROFILE_OBJECT, 500, -1, -1, -1 };

static const struct freshness lifetime_rows[] = {
	/* 4.2.1, order */
	{ "RFC 9111 4.2.1: s-maxage goes before max-age", CC("max-age=1, s-maxage=60"), 30,
	  "hit|lifetime=60 " },
	{ "RFC 9111 4.2.1: s-maxage goes before max-age, also if it is shorter",
	  CC("max-age=60, s-maxage=1"), 30, "validate|lifetime=1 " },
	{ "RFC 9111 4.2.1: s-maxage goes before Expires", CC("s-maxage=60") "Expires: {1}\n", 30,
	  "hit|lifetime=60 " },
	{ "RFC 9111 5.3: max-age goes before Expires", CC("max-age=60") "Expires: {1}\n", 30,
	  "hit|lifetime=60 " },
	{ "RFC 9111 5.3: max-age goes before Expires, also if it is shorter",
	  CC("max-age=1") "Expires: {60}\n", 30, "validate|lifetime=1 " },
	{ "RFC 9111 5.3: max-age goes before an invalid Expires", CC("max-age=60") "Expires: 0\n",
	  30, "hit|lifetime=60 " },
	{ "RFC 9111 4.2.1: Expires goes before a heuristic",
	  "Expires: {5}\nLast-Modified: "
	  "{-100000}\n" TAG,
	  30, "validate|lifetime=5 " },
	{ "RFC 9111 4.2: fresh as long as the age is below the lifetime", CC("max-age=60"), 59,
	  "hit|age=59 |ttl=1 " },
	{ "RFC 9111 4.2: stale when the age reaches the lifetime", CC("max-age=60"), 60,
	  "validate|ttl=0 " },
	{ "RFC 9111 5.2.2.1: max-age=0 is stale at once", CC("max-age=0"), 0, "validate" },

	/* directives: form */
	{ "RFC 9111 5.2: names of directives have no case", CC("MaX-aGe=60"), 30, "hit" },
	{ "RFC 9111 5.2: a quoted number is accepted", CC("max-age=\"60\""), 30,
	  "hit|lifetime=60 " },
	{ "RFC 9111 4.2.1: a number in single quotes is invalid, so stale", CC("max-age='60'"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: a negative number is invalid, so stale", CC("max-age=-60"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: a decimal fraction is invalid, so stale", CC("max-age=60.5"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: an exponent is invalid, so stale", CC("max-age=1e9"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: letters behind the number make it invalid", CC("max-age=60a"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: letters before the number make it invalid", CC("max-age=a60"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: hexadecimal is no number", CC("max-age=0x60"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: no number at all is invalid", CC("max-age="), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: no argument is invalid", CC("max-age"), 0, "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: an invalid max-age does not let Expires through",
	  CC("max-age=x") "Expires: {60}\n", 30, "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: an invalid max-age does not let a heuristic through",
	  CC("max-age=x") "Last-Modified: {-100000}\n", 30, "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: an invalid s-maxage is stale, too", CC("s-maxage=x, max-age=60"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 1.2.2: leading zeros are digits", CC("max-age=00060"), 30, "hit|lifetime=60 " },
	{ "RFC 9111 1.2.2: a number beyond 2^31 is 2^31", CC("max-age=2147483649"), 30,
	  "hit|lifetime=2147483648 " },
	{ "RFC 9111 1.2.2: a number beyond 2^64 is 2^31", CC("max-age=99999999999999999999"), 30,
	  "hit|lifetime=2147483648 " },
	{ "RFC 9111 4.2.1: of two lifetimes the shorter one, in one line",
	  CC("max-age=60, max-age=1"), 30, "validate|lifetime=1 " },
	{ "RFC 9111 4.2.1: of two lifetimes the shorter one, in two lines",
	  "Cache-Control: max-age=1\n" CC("max-age=60"), 30, "validate|lifetime=1 " },
	{ "RFC 9111 4.2.1: the same lifetime twice is that lifetime", CC("max-age=60, max-age=60"),
	  30, "hit|lifetime=60 " },
	{ "RFC 9111 4.2.1: one valid and one invalid are stale", CC("max-age=60, max-age=x"), 0,
	  "validate|lifetime=0 " },
	{ "RFC 9110 5.6.1: empty elements are passed over", CC(",,  ,max-age=60,,"), 30, "hit" },
	{ "RFC 9110 5.6.3: white space around commas is passed over", CC("a \t,\tmax-age=60 ,b"),
	  30, "hit|lifetime=60 " },
	{ "RFC 9110 5.3: directives of several lines are one list",
	  "Cache-Control: public\nCache-Control: max-age=60\n" TAG, 30, "hit|lifetime=60 " },
	{ "RFC 9111 5.2.3: unknown directives are passed over", CC("foo, bar=1, max-age=60"), 30,
	  "hit" },
	{ "RFC 9111 5.2: a number in another directive's quotes is not max-age",
	  CC("foo=\"max-age=60\""), 30, "validate|lifetime=0 " },
	{ "RFC 9111 5.2: ... nor behind an escaped quote in them",
	  CC("foo=\"\\\"max-age=9\", max-age=60"), 30, "hit|lifetime=60 " },
	{ "RFC 9111 5.2: a directive that ends like max-age is another one", CC("x-max-age=60"), 30,
	  "validate" },
	{ "RFC 9111 5.2: a directive that starts like max-age is another one", CC("max-ages=60"),
	  30, "validate" },

	/* what goes with lifetimes */
	{ "RFC 9111 5.2.2.4: no-cache is validated however fresh", CC("no-cache, max-age=60"), 0,
	  "validate|no-cache" },
	{ "RFC 9111 5.2.2.4: NO-CACHE, too", CC("NO-CACHE, max-age=60"), 0, "validate|no-cache" },
	{ "RFC 9111 5.2.2.4: no-cache with names lets the rest be used",
	  CC("no-cache=\"X\", max-age=60"), 30, "hit" },
	{ "RFC 9111 5.2.2.4: no-cache with an empty list is no-cache",
	  CC("no-cache=\"\", max-age=60"), 0, "validate|no-cache" },
	{ "RFC 9111 5.2.2.4: no-cache with and without names is no-cache",
	  CC("no-cache=\"X\", no-cache, max-age=60"), 0, "validate|no-cache" },
	{ "RFC 9111 5.2.2.2: must-revalidate does not shorten freshness",
	  CC("must-revalidate, max-age=60"), 30, "hit" },
	{ "RFC 9111 5.2.2.8: proxy-revalidate does not shorten freshness",
	  CC("proxy-revalidate, max-age=60"), 30, "hit" },
	{ "RFC 9111 5.2.2.9: public does not lengthen freshness", CC("public, max-age=1"), 30,
	  "validate" },
	{ "RFC 9111 5.4: Pragma in a response does not shorten freshness",
	  CC("max-age=60") "Pragma: no-cache\n", 30, "hit" },
	{ "RFC 9111 5.4: Pragma in a response is no word about freshness",
	  "Pragma: max-age=60\n" TAG, 30, "validate" },

	/* Expires */
	{ "RFC 9111 5.3: fresh until Expires", "Expires: {60}\n" TAG, 30, "hit|lifetime=60 " },
	{ "RFC 9111 5.3: stale from Expires on", "Expires: {60}\n" TAG, 60, "validate" },
	{ "RFC 9111 4.2.1: what counts is Expires less Date", "Date: {-100}\nExpires: {-40}\n" TAG,
	  0, "validate|lifetime=60 |age=100 " },
	{ "RFC 9111 4.2.1: ... also with an origin whose clock is ahead",
	  "Date: {1000}\nExpires: {1060}\n" TAG, 30, "hit|lifetime=60 |age=30 " },
	{ "RFC 9111 4.2.1: without Date, from the time of receipt", "Expires: {60}\n" TAG, 0,
	  "hit|lifetime=60 " },
	{ "RFC 9111 5.3: Expires in the past is stale", "Expires: {-1}\n" TAG, 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 5.3: Expires at Date is stale", "Date: {0}\nExpires: {0}\n" TAG, 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 5.3: Expires: 0 is in the past", "Expires: 0\n" TAG, 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 5.3: an empty Expires is in the past", "Expires:\n" TAG, 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 5.3: an invalid Expires lets no heuristic through",
	  "Expires: soon\nLast-Modified: {-100000}\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9111 5.3: a number of seconds is no date", "Expires: 3600\n" TAG, 0,
	  "validate|lifetime=0 " },
	{ "RFC 9110 5.6.7: the form of RFC 850 is read",
	  "Expires: Tuesday, 14-Nov-23 22:14:20 GMT\n" TAG, 30, "hit|lifetime=60 " },
	{ "RFC 9110 5.6.7: the form of asctime is read", "Expires: Tue Nov 14 22:14:20 2023\n" TAG,
	  30, "hit|lifetime=60 " },
	{ "RFC 9110 5.6.7: a two-digit year far ahead is in the past",
	  "Expires: Tuesday, 14-Nov-79 22:14:20 GMT\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9110 5.6.7: another zone than GMT is invalid",
	  "Expires: Tue, 14 Nov 2023 22:14:20 CET\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9110 5.6.7: a zone by number is invalid",
	  "Expires: Tue, 14 Nov 2023 22:14:20 +0000\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9110 5.6.7: a day that does not exist is invalid",
	  "Expires: Fri, 31 Nov 2023 22:14:20 GMT\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9110 5.6.7: an hour that does not exist is invalid",
	  "Expires: Tue, 14 Nov 2023 24:14:20 GMT\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9110 5.6.7: words behind the date make it invalid",
	  "Expires: Tue, 14 Nov 2023 22:14:20 GMT; x\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: of two Expires lines the first counts (stale)",
	  "Expires: {-9}\nExpires: {60}\n" TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9111 4.2.1: of two Expires lines the first counts (fresh)",
	  "Expires: {60}\nExpires: {-9}\n" TAG, 30, "hit|lifetime=60 " },
	{ "RFC 9111 5.3: a date beyond 2038 works", "Expires: Sun, 14 Nov 2083 22:14:20 GMT\n" TAG,
	  30, "hit" },
	{ "RFC 9111 1.2.2: a date beyond all bounds is 2^31",
	  "Expires: Fri, 31 Dec 9999 23:59:59 GMT\n" TAG, 30, "hit|lifetime=2147483648 " },

	/* heuristics (4.2.2) */
	{ "RFC 9111 4.2.2: a tenth of the time since it changed", "Last-Modified: {-100000}\n", 30,
	  "hit|lifetime=10000 " },
	{ "RFC 9111 4.2.2: ... and no longer", "Last-Modified: {-100000}\n", 10000, "validate" },
	{ "RFC 9111 4.2.2: ... of the time between Last-Modified and Date",
	  "Date: {-1000}\nLast-Modified: {-101000}\n", 0, "lifetime=10000 |age=1000 " },
	{ "RFC 9111 4.2.2: what has just changed is stale", "Last-Modified: {0}\n", 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.2: Last-Modified in the future is no ground", "Last-Modified: {500}\n", 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.2: at most a day", "Last-Modified: {-100000000}\n", 0, "lifetime=86400 " },
	{ "RFC 9111 4.2.2: an invalid Last-Modified is no ground", "Last-Modified: x\n" TAG, 0,
	  "validate|lifetime=0 " },
	{ "RFC 9111 4.2.2: public is no lifetime, but lets one be guessed",
	  "Cache-Control: public\nLast-Modified: {-100000}\n", 30, "hit|lifetime=10000 ", 302 },
	{ "RFC 9111 4.2.2: a tag alone is no ground for guessing", TAG, 0, "validate|lifetime=0 " },
	{ "RFC 9111 4.2.2: no guessing where there is an explicit lifetime",
	  CC("max-age=0") "Last-Modified: {-100000}\n", 0, "validate|lifetime=0 " },

	/* profile */
	{ "profile: default_ttl where nothing is stated", TAG, 30, "hit|lifetime=600 ", 0,
	  &default_class },
	{ "profile: default_ttl goes before a heuristic", "Last-Modified: {-100000}\n", 30,
	  "hit|lifetime=600 ", 0, &default_class },
	{ "profile: default_ttl gives way to max-age", CC("max-age=10"), 30,
	  "validate|lifetime=10 ", 0, &default_class },
	{ "profile: default_ttl gives way to Expires", "Expires: {5}\n" TAG, 30,
	  "validate|lifetime=5 ", 0, &default_class },
	{ "profile: default_ttl is counted from when it was made", "Age: 500\n" TAG, 50,
	  "hit|ttl=50 ", 0, &default_class },
	{ "profile: a part of a second counts as a whole one", TAG, 0, "hit|lifetime=1 ", 0,
	  &short_class },
	{ "profile: max_ttl shortens", CC("max-age=86400"), 301, "validate|lifetime=300 ", 0,
	  &capped_class },
	{ "profile: max_ttl does not lengthen", CC("max-age=10"), 30, "validate|lifetime=10 ", 0,
	  &capped_class },
	{ "profile: force_ttl goes before max-age", CC("max-age=10"), 3000, "hit|lifetime=3600 ", 0,
	  &forced_class },
	{ "profile: force_ttl goes before no-cache", CC("no-cache"), 3000, "hit|lifetime=3600 ", 0,
	  &forced_class },
	{ "profile: force_ttl counts from receipt, however old it came",
	  CC("max-age=10") "Age: 5000\n", 3000, "hit|age=8000 |ttl=600 ", 0, &forced_class },
};

static const struct freshness age_rows[] = {
	{ "RFC 9111 4.2.3: Age counts", CC("max-age=60") "Age: 40\n", 19, "hit|age=59 " },
	{ "RFC 9111 4.2.3: Age counts, beyond the lifetime", CC("max-age=60") "Age: 40\n", 20,
	  "validate|age=60 " },
	{ "RFC 9111 4.2.3: Age beyond the lifetime is stale at once", CC("max-age=60") "Age: 61\n",
	  0, "validate|age=61 |ttl=-1 " },
	{ "RFC 9111 4.2.3: an old Date counts", CC("max-age=60") "Date: {-40}\n", 19,
	  "hit|age=59 " },
	{ "RFC 9111 4.2.3: an old Date counts, beyond the lifetime",
	  CC("max-age=60") "Date: {-100}\n", 0, "validate|age=100 " },
	{ "RFC 9111 4.2.3: the larger of the two ages counts (Age)",
	  CC("max-age=600") "Date: {-40}\nAge: 50\n", 0, "age=50 " },
	{ "RFC 9111 4.2.3: the larger of the two ages counts (Date)",
	  CC("max-age=600") "Date: {-60}\nAge: 50\n", 0, "age=60 " },
	{ "RFC 9111 4.2.3: a Date in the future is no negative age",
	  CC("max-age=60") "Date: {1000}\n", 30, "hit|age=30 " },
	{ "RFC 9111 4.2.3: without Date, from receipt on", CC("max-age=60"), 30, "hit|age=30 " },
	{ "RFC 9110 6.6.1: an invalid Date counts as none", CC("max-age=60") "Date: x\n", 30,
	  "hit|age=30 " },
	{ "RFC 9111 4.2.3: Age counts against Expires, too", "Expires: {60}\nAge: 40\n" TAG, 30,
	  "validate|age=70 " },
	{ "RFC 9111 5.1: of several values the first counts", CC("max-age=60") "Age: 10, 100\n", 0,
	  "hit|age=10 " },
	{ "RFC 9111 5.1: ... the first counts, also if it is the larger",
	  CC("max-age=60") "Age: 100, 10\n", 0, "validate|age=100 " },
	{ "RFC 9111 5.1: of several lines the first counts", CC("max-age=60") "Age: 10\nAge: 100\n",
	  0, "hit|age=10 " },
	{ "RFC 9111 5.1: of several lines the first counts, also if it is the larger",
	  CC("max-age=60") "Age: 100\nAge: 10\n", 0, "validate|age=100 " },
	{ "RFC 9111 5.1: a negative Age is ignored", CC("max-age=60") "Age: -100\n", 0,
	  "hit|age=0 " },
	{ "RFC 9111 5.1: a fraction is ignored", CC("max-age=60") "Age: 100.5\n", 0, "hit|age=0 " },
	{ "RFC 9111 5.1: a word is ignored", CC("max-age=60") "Age: abc\n", 0, "hit|age=0 " },
	{ "RFC 9111 5.1: letters behind the number make it invalid", CC("max-age=60") "Age: 100s\n",
	  0, "hit|age=0 " },
	{ "RFC 9111 5.1: a parameter makes it invalid", CC("max-age=60") "Age: 100;a=b\n", 0,
	  "hit|age=0 " },
	{ "RFC 9111 5.1: a quoted number is invalid", CC("max-age=60") "Age: \"100\"\n", 0,
	  "hit|age=0 " },
	{ "RFC 9111 5.1: an empty Age is ignored", CC("max-age=60") "Age:\n", 0, "hit|age=0 " },
	{ "RFC 9111 5.1: an empty first element is none", CC("max-age=60") "Age: , 100\n", 0,
	  "validate|age=100 " },
	{ "RFC 9111 5.1: an invalid first value is not made good by a second",
	  CC("max-age=60") "Age: x, 100\n", 0, "hit|age=0 " },
	{ "RFC 9111 5.1: leading zeros are digits", CC("max-age=60") "Age: 007\n", 0, "age=7 " },
	{ "RFC 9111 1.2.2: an Age beyond 2^31 is 2^31", CC("max-age=60") "Age: 2147483650\n", 0,
	  "validate|age=2147483648 " },
	{ "RFC 9111 1.2.2: an Age beyond 2^64 is 2^31",
	  CC("max-age=60") "Age: 99999999999999999999\n", 0, "validate|age=2147483648 " },
	{ "RFC 9111 1.2.2: a huge Age does not wrap around later",
	  CC("max-age=99999999999") "Age: 99999999999\n", 100, "validate|age=2147483648 " },
	{ "RFC 9111 4.2.3: nothing gets younger", CC("max-age=60"), -3, "hit|age=0 " },
	{ "RFC 9111 4.2.3: a clock that stepped back leaves no age to trust", CC("max-age=60"),
	  -1000, "validate" },
};

static const struct freshness cdn_rows[] = {
	{ "RFC 9213 2.2: CDN-Cache-Control goes before Cache-Control",
	  CC("max-age=1") "CDN-Cache-Control: max-age=60\n", 30, "hit|lifetime=60 " },
	{ "RFC 9213 2.2: ... also if it is shorter",
	  CC("max-age=60") "CDN-Cache-Control: max-age=1\n", 30, "validate|lifetime=1 " },
	{ "RFC 9213 2.2: ... and before Expires",
	  TAG "Expires: {1}\nCDN-Cache-Control: max-age=60\n", 30, "hit|lifetime=60 " },
	{ "RFC 9213 2.2: Expires does not count beside it, even if it says nothing of time",
	  TAG "Expires: {60}\nCDN-Cache-Control: foo\n", 30, "validate|lifetime=0 " },
	{ "RFC 9213 2.2: Cache-Control's no-store does not count beside it",
	  CC("no-store") "CDN-Cache-Control: max-age=60\n", 30, "hit" },
	{ "RFC 9213 2.2: Cache-Control's private does not count beside it",
	  CC("private") "CDN-Cache-Control: max-age=60\n", 30, "hit" },
	{ "RFC 9213 2.2: Cache-Control's no-cache does not count beside it",
	  CC("no-cache") "CDN-Cache-Control: max-age=60\n", 30, "hit" },
	{ "RFC 9213 2.2: its own no-store counts", CC("max-age=60") "CDN-Cache-Control: no-store\n",
	  0, "not: no-store" },
	{ "RFC 9213 2.2: its own private counts", CC("max-age=60") "CDN-Cache-Control: private\n",
	  0, "not: private" },
	{ "RFC 9213 2.2: its own no-cache counts",
	  CC("max-age=60") "CDN-Cache-Control: no-cache, max-age=60\n", 0, "validate|no-cache" },
	{ "RFC 9213 2.2: s-maxage in it counts", TAG "CDN-Cache-Control: max-age=1, s-maxage=60\n",
	  30, "hit|lifetime=60 " },
	{ "RFC 9213 2.1: an empty field is ignored", CC("max-age=60") "CDN-Cache-Control:\n", 30,
	  "hit|lifetime=60 " },
	{ "RFC 9213 2.1: what is no dictionary is ignored",
	  CC("max-age=60") "CDN-Cache-Control: max-age=1, &!*\n", 30, "hit|lifetime=60 " },
	{ "RFC 8941 3.2: keys are lower case: MAX-AGE is no dictionary",
	  CC("max-age=60") "CDN-Cache-Control: MAX-AGE=1\n", 30, "hit|lifetime=60 " },
	{ "RFC 8941 3.2: parameters are passed over",
	  CC("max-age=1") "CDN-Cache-Control: max-age=60;a=b\n", 30, "hit|lifetime=60 " },
	{ "RFC 8941 3.2: several lines are one dictionary",
	  CC("max-age=1") "CDN-Cache-Control: foo\nCDN-Cache-Control: max-age=60\n", 30,
	  "hit|lifetime=60 " },
	{ "RFC 8941 3.2: the last of two members with one key counts",
	  TAG "CDN-Cache-Control: max-age=1, max-age=60\n", 30, "hit|lifetime=60 " },
	{ "RFC 9213 2.1: a string is no number of seconds",
	  CC("max-age=1") "CDN-Cache-Control: max-age=\"60\"\n", 30, "validate" },
	{ "RFC 9213 2.1: a decimal is no number of seconds",
	  CC("max-age=1") "CDN-Cache-Control: max-age=60.0\n", 30, "validate" },
	{ "RFC 9213 2.1: a negative number is stale",
	  CC("max-age=60") "CDN-Cache-Control: max-age=-1\n", 0, "validate" },
	{ "RFC 9213 2.1: a number beyond 2^31 is 2^31",
	  CC("max-age=1") "CDN-Cache-Control: max-age=99999999999\n", 30,
	  "hit|lifetime=2147483648 " },
	{ "RFC 9213 2.2: Age counts against it, too",
	  CC("max-age=1") "CDN-Cache-Control: max-age=60\nAge: 61\n", 0, "validate" },
	{ "RFC 9213 2.2: CDN-Cache-Control itself is stored",
	  CC("max-age=1") "CDN-Cache-Control: max-age=60\n", 0,
	  "hit|CDN-Cache-Control: max-age=60" },
};

static void freshness_run(void **state)
{
	static struct exchange x;
	static struct message again;
	const struct freshness *row = *state;
	struct policy_env env = env_at(row->after);
	struct policy_req req;
	struct policy_verdict v;
	struct text got = { 0 };

	exchange_run(&x, row->class, NULL, NULL, row->status, row->resp);
	if (!x.stored.store) {
		say(&got, "not: %s", policy_reason_info(x.stored.reason)->token);
	} else {
		policy_request(make_request(&again, NULL, NULL),
			       row->class ? row->class : &plain_class, &req, NULL);
		policy_lookup(&req, &x.stored.object, false, &env, &v, NULL);
		say(&got, "%s: %s lifetime=%u age=%lld ttl=%lld \n%.*s", use_name(v.use),
		    policy_reason_info(v.reason)->token, x.stored.object.lifetime, (long long)v.age,
		    (long long)v.ttl, SPAN_FMT(x.stored.object.fields));
	}
	expect_text(&got, row->expect);
}

/* RFC 9111 4.2.3: the time that the response took counts to its age. */
static void delay_counts(void **state)
{
	static struct exchange x;
	struct policy_env env = env_at(0);
	struct policy_times times = { T0 - 20, T0 };

	(void)state;
	exchange_run(&x, NULL, NULL, NULL, 200, "Cache-Control: max-age=60\nAge: 10\n");
	assert_int_equal(policy_response(&x.policy, &x.resp.head, &times, &env, x.buf,
					 sizeof(x.buf), &x.stored, NULL),
			 0);
	assert_int_equal(policy_age(&x.stored.object, T0), 30);
}

static void heuristic_max_counts(void **state)
{
	static struct exchange x;
	struct policy_env env = env_at(0);

	(void)state;
	env.heuristic_max = 100;
	exchange_run(&x, NULL, NULL, NULL, 200, "Last-Modified: {-100000}\n");
	assert_int_equal(policy_response(&x.policy, &x.resp.head, &times_first, &env, x.buf,
					 sizeof(x.buf), &x.stored, NULL),
			 0);
	assert_int_equal(x.stored.object.lifetime, 100);
}

int main(void)
{
	static struct tables all;
	static const struct CMUnitTest others[] = {
		{ "RFC 9111 4.2.3: the time the response took is part of its age", delay_counts,
		  NULL, NULL, NULL },
		{ "settings: heuristic_max bounds what is guessed", heuristic_max_counts, NULL,
		  NULL, NULL },
	};

	TABLE(&all, lifetime_rows, freshness_run);
	TABLE(&all, age_rows, freshness_run);
	TABLE(&all, cdn_rows, freshness_run);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		all.tests[all.n++] = others[i];
	return tables_run("policy_freshness", &all);
}
