/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/restart.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "firmware/boot/note.h"

#define NOTE   NOTE_FOLDER "/restart"
#define DAY_MS (86400 * 1000LL)

int restart_time(const char *when, int64_t wall_ms, int64_t *ret_at)
{
	struct span text = span_of(when);
	uint64_t hour, minute;
	int64_t at;

	if (!strcmp(when, "now")) {
		*ret_at = wall_ms;
		return 0;
	}
	if (!strcmp(when, "no")) {
		*ret_at = RESTART_NEVER;
		return 0;
	}
	if (text.n != 5 || when[2] != ':' || span_u64(span_head(text, 2), &hour) ||
	    span_u64(span_drop(text, 3), &minute) || hour > 23 || minute > 59)
		return -EINVAL;
	at = wall_ms - wall_ms % DAY_MS + ((int64_t)hour * 60 + (int64_t)minute) * 60000;
	*ret_at = at > wall_ms ? at : at + DAY_MS;
	return 0;
}

int restart_note(int64_t at_ms)
{
	char text[32];
	int n;

	if (at_ms == RESTART_NEVER)
		return unlink(NOTE) && errno != ENOENT ? -errno : 0;
	n = snprintf(text, sizeof(text), "%" PRId64, at_ms);
	return note_put(NOTE, span_make(text, (size_t)n));
}

bool restart_planned(int64_t *ret_at)
{
	int fd = open(NOTE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	uint64_t at;

	if (fd >= 0)
		close(fd);
	if (n <= 0 || span_u64(span_make(text, (size_t)n), &at) || at > INT64_MAX)
		return false;
	*ret_at = (int64_t)at;
	return true;
}

bool restart_due(int64_t wall_ms)
{
	int64_t at;

	return restart_planned(&at) && wall_ms >= at;
}
