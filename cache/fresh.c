/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freshness as arithmetic. Pure functions, any thread.
 *
 * Numbers of seconds live between -FRESH_MAX and FRESH_MAX: whatever comes in is clamped at the
 * door, every sum saturates. So the results are ordered rightly for absurd input, too: an
 * Age beyond all bounds is stale, a lifetime beyond all bounds is fresh.
 *
 *	      response came                 now
 *	 Date      |                         |
 *	   |-------|== resident time ========|
 *	   |== current age ==================|
 *	   |== lifetime ==============|= stale for =|
 */
#include "cache/fresh.h"

#include <stddef.h>

#define DAY 86400

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

int64_t fresh_sum(int64_t a, int64_t b)
{
	a = clamp(a, -FRESH_MAX, FRESH_MAX);
	b = clamp(b, -FRESH_MAX, FRESH_MAX);
	return clamp(a + b, -FRESH_MAX, FRESH_MAX);
}

/* a - b of two moments, which may be any 64-bit numbers. */
static int64_t elapsed(int64_t a, int64_t b)
{
	int64_t d;

	if (__builtin_sub_overflow(a, b, &d))
		return a < b ? -FRESH_MAX : FRESH_MAX;
	return clamp(d, -FRESH_MAX, FRESH_MAX);
}

static int64_t at_least_0(int64_t v)
{
	return v < 0 ? 0 : v;
}

int64_t fresh_initial_age(const struct fresh *f)
{
	int64_t apparent = at_least_0(elapsed(f->received, f->date));
	int64_t delay = at_least_0(elapsed(f->received, f->requested));
	int64_t corrected = fresh_sum(at_least_0(f->age), delay);

	return apparent > corrected ? apparent : corrected;
}

int64_t fresh_age(const struct fresh *f, int64_t now)
{
	int64_t resident = elapsed(now, f->received);

	if (resident < -FRESH_CLOCK_SLACK)
		return FRESH_MAX;
	return fresh_sum(fresh_initial_age(f), at_least_0(resident));
}

int64_t fresh_ttl(const struct fresh *f, int64_t now)
{
	return fresh_sum(f->lifetime, -fresh_age(f, now));
}

/* ---- lifetime ---------------------------------------------------------------------------------- */

/* A tenth of how long it had not changed when it was sent (4.2.2 suggests the fraction). */
static int64_t heuristic(const struct fresh_given *g)
{
	int64_t most = g->heuristic_max < 0 ? DAY : g->heuristic_max;

	return clamp(elapsed(g->date, g->last_modified) / 10, 0, most);
}

static int64_t choose(const struct fresh_given *g, enum fresh_source *ret_source)
{
	if (g->force_ttl >= 0) {
		*ret_source = FRESH_FROM_FORCE;
		return g->force_ttl;
	}
	if (g->s_maxage >= 0) {
		*ret_source = FRESH_FROM_S_MAXAGE;
		return g->s_maxage;
	}
	if (g->max_age >= 0) {
		*ret_source = FRESH_FROM_MAX_AGE;
		return g->max_age;
	}
	if (g->has_expires) {
		*ret_source = FRESH_FROM_EXPIRES;
		return elapsed(g->expires, g->date);
	}
	if (g->heuristic_ok && g->default_ttl >= 0) {
		*ret_source = FRESH_FROM_DEFAULT;
		return g->default_ttl;
	}
	if (g->heuristic_ok && g->has_last_modified) {
		*ret_source = FRESH_FROM_HEURISTIC;
		return heuristic(g);
	}
	*ret_source = FRESH_FROM_NOTHING;
	return 0;
}

int64_t fresh_lifetime(const struct fresh_given *g, enum fresh_source *ret_source)
{
	int64_t lifetime = clamp(choose(g, ret_source), 0, FRESH_MAX);

	if (*ret_source != FRESH_FROM_FORCE && g->max_ttl >= 0 && lifetime > g->max_ttl)
		lifetime = g->max_ttl;
	return lifetime;
}

/* ---- use --------------------------------------------------------------------------------------- */

static bool never_stale(const struct fresh *f)
{
	return f->flags & (FRESH_NO_CACHE | FRESH_MUST_REVALIDATE);
}

/* It has been stale for @stale seconds (0 or more), and has no objection itself. */
static enum fresh_verdict judge_stale(const struct fresh *f, const struct fresh_want *want,
				      int64_t stale)
{
	/* A request that names its bounds gets what is fresh enough for it, or an answer of the
	 * origin: nothing that is being revalidated behind its back. */
	bool picky = want->max_age >= 0 || want->min_fresh > 0;

	if (never_stale(f))
		return FRESH_VALIDATE_STALE;
	if (want->has_max_stale && (want->max_stale < 0 || stale <= want->max_stale))
		return FRESH_USE_STALE;
	if (!picky && f->stale_while_revalidate >= 0 && stale < f->stale_while_revalidate)
		return FRESH_USE_REVALIDATE;
	return FRESH_VALIDATE_STALE;
}

enum fresh_verdict fresh_judge(const struct fresh *f, const struct fresh_want *want, int64_t now)
{
	int64_t age = fresh_age(f, now);
	int64_t ttl = fresh_ttl(f, now);

	if (want->no_cache)
		return FRESH_VALIDATE_ASKED;
	if (f->flags & FRESH_NO_CACHE)
		return FRESH_VALIDATE_ALWAYS;
	/* 0 is what reload buttons say: nothing is young enough, even if it came this second. */
	if (want->max_age == 0 || (want->max_age > 0 && age > want->max_age))
		return FRESH_VALIDATE_OLD;
	if (want->min_fresh > 0 && ttl < want->min_fresh)
		return FRESH_VALIDATE_SHORT;
	if (ttl > 0)
		return FRESH_USE;
	return judge_stale(f, want, -ttl);
}

bool fresh_usable_on_error(const struct fresh *f, const struct fresh_want *want, int64_t limit,
			   int64_t now)
{
	int64_t stale = -fresh_ttl(f, now);

	if (f->flags & FRESH_NO_CACHE)
		return false;
	if (stale < 0)
		return true;
	if (never_stale(f))
		return false;
	if (f->stale_if_error >= 0)
		return stale <= f->stale_if_error;
	if (want->stale_if_error >= 0)
		return stale <= want->stale_if_error;
	return limit >= 0 && stale <= limit;
}
