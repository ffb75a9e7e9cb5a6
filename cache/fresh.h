/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of freshness (RFC 9111 4.2, 5.2; RFC 5861; RFC 8246): numbers in, numbers and
 * a verdict out. No text, no clock: @now is the wall clock's seconds since 1970.
 *
 * All sums saturate at FRESH_MAX, so no field of a hostile message makes anything wrap around.
 */
#ifndef TARN_CACHE_FRESH_H
#define TARN_CACHE_FRESH_H

#include <stdbool.h>
#include <stdint.h>

#define FRESH_MAX   INT64_C(2147483648) /* the largest delta-seconds, 2^31 (RFC 9111 1.2.2) */
#define FRESH_UNSET INT64_C(-1)		/* "not given" where a number of seconds is meant */

/* The clock of this box may step back so far (another thread's reading, a slew) and still count. */
#define FRESH_CLOCK_SLACK 5

enum fresh_flag {
	FRESH_NO_CACHE = 1 << 0, /* validate before each use (5.2.2.4) */
	FRESH_MUST_REVALIDATE =
		1 << 1,		  /* never stale: must-, proxy-revalidate or s-maxage (4.2.4) */
	FRESH_IMMUTABLE = 1 << 2, /* does not change while fresh (RFC 8246) */
	FRESH_HEURISTIC = 1 << 3, /* the lifetime was guessed (4.2.2) */
	FRESH_FORCED = 1 << 4,	  /* the lifetime is the profile's, against the origin's */
};

/* What must be known of a stored response. */
struct fresh {
	int64_t requested; /* when the request was sent ... */
	int64_t received; /* ... and its response (or the 304 that confirmed it) came; since 1970 */
	int64_t date;	  /* origin's Date, since 1970; the time of receipt if it had none */
	int64_t age;	  /* Age as received, or 0 */
	int64_t lifetime; /* fresh while its age is below this */
	int64_t stale_while_revalidate; /* this long past its lifetime, or FRESH_UNSET */
	int64_t stale_if_error;		/* likewise, or FRESH_UNSET */
	uint32_t flags;			/* enum fresh_flag */
};

/* ---- age (4.2.3) ------------------------------------------------------------------------------- */

/* corrected_initial_age: how old it was when it came. */
int64_t fresh_initial_age(const struct fresh *f);

/*
 * current_age. FRESH_MAX if the clock has gone back behind the time of receipt by more than the
 * slack: then nobody knows, and old is the safe answer.
 */
int64_t fresh_age(const struct fresh *f, int64_t now);

/* What is left of its lifetime: positive is fresh; 0 or less is stale for so long. */
int64_t fresh_ttl(const struct fresh *f, int64_t now);

/* ---- lifetime (4.2.1, 4.2.2) --------------------------------------------------------------------- */

/* Where a lifetime comes from; the first that applies, in this order. */
enum fresh_source {
	FRESH_FROM_FORCE, /* the profile's force_ttl */
	FRESH_FROM_S_MAXAGE,
	FRESH_FROM_MAX_AGE,
	FRESH_FROM_EXPIRES,
	FRESH_FROM_DEFAULT,   /* the profile's default_ttl, where the origin says nothing */
	FRESH_FROM_HEURISTIC, /* a tenth of the time since it last changed */
	FRESH_FROM_NOTHING,   /* no ground for any: 0 */
};

struct fresh_given {
	int64_t s_maxage, max_age; /* FRESH_UNSET: absent */
	bool has_expires;
	int64_t expires; /* since 1970; an unreadable one is INT64_MIN */
	int64_t date;	 /* since 1970 */
	bool has_last_modified;
	int64_t last_modified;
	bool heuristic_ok;     /* its status or `public` allows guessing */
	int64_t heuristic_max; /* most a guess may be; FRESH_UNSET: a day */
	/* the profile's word, FRESH_UNSET where it has none */
	int64_t force_ttl, default_ttl, max_ttl;
};

int64_t fresh_lifetime(const struct fresh_given *given, enum fresh_source *ret_source);

/* ---- may it be used? (4.2.4, 5.2.1) --------------------------------------------------------------- */

/* What a request wants. */
struct fresh_want {
	bool no_cache;
	int64_t max_age, min_fresh; /* FRESH_UNSET: absent */
	bool has_max_stale;
	int64_t max_stale; /* FRESH_UNSET with has_max_stale: however stale */
	int64_t stale_if_error;
};

#define FRESH_WANT_NONE                                                                            \
	((struct fresh_want){ .max_age = FRESH_UNSET,                                              \
			      .min_fresh = FRESH_UNSET,                                            \
			      .max_stale = FRESH_UNSET,                                            \
			      .stale_if_error = FRESH_UNSET })

enum fresh_verdict {
	FRESH_USE,	       /* fresh: use it */
	FRESH_USE_STALE,       /* stale, but the request's max-stale takes it */
	FRESH_USE_REVALIDATE,  /* stale, use it and revalidate meanwhile (RFC 5861 3) */
	FRESH_VALIDATE_ASKED,  /* the request says no-cache */
	FRESH_VALIDATE_ALWAYS, /* the response said no-cache */
	FRESH_VALIDATE_OLD,    /* older than the request's max-age */
	FRESH_VALIDATE_SHORT,  /* not fresh for the request's min-fresh */
	FRESH_VALIDATE_STALE,  /* stale */
};

enum fresh_verdict fresh_judge(const struct fresh *f, const struct fresh_want *want, int64_t now);

/*
 * Validation was tried and the origin failed (no connection, no answer, 500, 502, 503 or 504): may
 * it be used all the same (4.2.4, 4.3.3; RFC 5861 4)? What is fresh may (a request wanted better, and
 * that can't be had), what the origin wants validated each time never. @limit is the operator's,
 * in seconds past the lifetime, FRESH_UNSET for none; the origin's word, then the request's,
 * go before it.
 */
bool fresh_usable_on_error(const struct fresh *f, const struct fresh_want *want, int64_t limit,
			   int64_t now);

/* a + b, both of any sign, within -FRESH_MAX .. FRESH_MAX. */
int64_t fresh_sum(int64_t a, int64_t b);

#endif
