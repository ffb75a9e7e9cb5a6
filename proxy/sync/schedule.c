/* SPDX-License-Identifier: Apache-2.0 */
/* Schedule. Minutes of the day, by localtime_r(3): a day with a change of clock has its hour twice or not at all. */
#include <time.h>

#include "proxy/sync/schedule.h"

#define DAY_S	  86400
#define DAY_MIN	  1440
#define RETRY_MAX 3600000

/* "HH:MM" as minutes, or -1. */
static int minutes_of(struct span text)
{
	uint64_t hours, minutes;

	if (text.n != 5 || text.p[2] != ':' || span_u64(span_head(text, 2), &hours) < 0 ||
	    span_u64(span_drop(text, 3), &minutes) < 0 || hours > 23 || minutes > 59)
		return -1;
	return (int)(hours * 60 + minutes);
}

bool schedule_time_ok(struct span text)
{
	return minutes_of(text) >= 0;
}

bool schedule_quiet_ok(struct span text)
{
	return text.n == 11 && text.p[5] == '-' && minutes_of(span_head(text, 5)) >= 0 &&
	       minutes_of(span_drop(text, 6)) >= 0;
}

/* Seconds of the local day. */
static int64_t day_second(int64_t wall_s)
{
	time_t at = (time_t)wall_s;
	struct tm tm;

	if (!localtime_r(&at, &tm))
		return wall_s % DAY_S;
	return tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
}

/* Seconds until the quiet period ends that this second of the day is in; 0: it is in none. */
static int64_t quiet_left(const struct tarn_settings *settings, int64_t second)
{
	for (size_t i = 0; i < settings->sync.quiet.n; i++) {
		struct span text = span_of(settings->sync.quiet.v[i]);
		int64_t from, to;

		if (!schedule_quiet_ok(text))
			continue;
		from = minutes_of(span_head(text, 5)) * INT64_C(60);
		to = minutes_of(span_drop(text, 6)) * INT64_C(60);
		if (from <= to ? second >= from && second < to : second >= from || second < to)
			return (to - second + DAY_S) % DAY_S;
	}
	return 0;
}

bool schedule_is_quiet(const struct tarn_settings *settings, int64_t wall_s)
{
	return quiet_left(settings, day_second(wall_s)) > 0;
}

/* Until the first of the times of day; never 0. -1: there are none. */
static int64_t next_time(const struct tarn_settings *settings, int64_t second)
{
	int64_t next = -1;

	for (size_t i = 0; i < settings->sync.times.n; i++) {
		int minutes = minutes_of(span_of(settings->sync.times.v[i]));
		int64_t wait;

		if (minutes < 0)
			continue;
		wait = (minutes * INT64_C(60) - second + DAY_S) % DAY_S;
		wait = wait ? wait : DAY_S;
		if (next < 0 || wait < next)
			next = wait;
	}
	return next;
}

int64_t schedule_next(const struct tarn_settings *settings, int64_t last, int64_t wall_s,
		      uint32_t random)
{
	int64_t jitter = settings->sync.jitter / 1000, second = day_second(wall_s);
	int64_t wait = next_time(settings, second);

	if (wait < 0) {
		int64_t interval = settings->sync.interval / 1000;

		wait = last ? last + interval - wall_s : 0;
		wait = wait < 0 ? 0 : wait > interval ? interval : wait;
	}
	if (jitter)
		wait += random % (uint64_t)(jitter + 1);
	return wait + quiet_left(settings, (second + wait) % DAY_S);
}

uint64_t schedule_retry(const struct tarn_settings *settings, unsigned failures)
{
	uint64_t ms = (uint64_t)settings->sync.retry;

	while (failures-- > 1 && ms < RETRY_MAX)
		ms *= 2;
	return ms < RETRY_MAX ? ms : RETRY_MAX;
}
