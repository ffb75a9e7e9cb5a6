/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the system was built stands in os-release (TARN_BUILT, image/steps/tree.sh); when it last ran, in the time of
 * the file SEEN, which is empty: a cut can leave nothing half written in it.
 */
#include "firmware/boot/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"
#include "firmware/base/span.h"
#include "firmware/boot/say.h"

#define RELEASE	 "/usr/lib/os-release"
#define BUILT	 "TARN_BUILT="
#define SEEN	 "/state/boot/seen"
#define EVERY_MS (3600 * 1000LL)

int64_t wall_judge(int64_t now_s, int64_t built_s, int64_t seen_s)
{
	int64_t floor;

	/* A note from decades after the build was made by a clock that was broken then. */
	if (seen_s > built_s + WALL_AHEAD_S)
		seen_s = 0;
	floor = seen_s > built_s ? seen_s : built_s;
	return now_s < floor || now_s > built_s + WALL_AHEAD_S ? floor : 0;
}

/* 0: it does not say. */
static int64_t built(void)
{
	FILE *file = fopen(RELEASE, "re");
	uint64_t value = 0;
	struct span line;
	char text[200];

	while (file && fgets(text, sizeof(text), file)) {
		line = span_head(span_of(text), strcspn(text, "\n"));
		if (span_starts(line, SPAN(BUILT)) &&
		    span_u64(span_drop(line, sizeof(BUILT) - 1), &value))
			value = 0;
	}
	if (file)
		(void)fclose(file);
	return (int64_t)value;
}

void wall_mend(void)
{
	int64_t now = clock_read().wall_ms / 1000, from = built(), to;
	struct stat st = { 0 };

	if (!from)
		return;
	(void)stat(SEEN, &st);
	to = wall_judge(now, from, st.st_mtim.tv_sec);
	if (!to)
		return;
	if (clock_settime(CLOCK_REALTIME, &(struct timespec){ .tv_sec = to }))
		say("clock", "was=%" PRId64 " error=%d", now, errno);
	else
		say("clock", "was=%" PRId64 " set=%" PRId64 " why=\"%s\"", now, to,
		    now < to ? "before this system was built or last ran"
			     : "decades after this system was built");
}

void wall_note(int64_t now_ms, bool end)
{
	static int64_t noted;
	int fd;

	if (!end && noted && now_ms - noted < EVERY_MS && now_ms >= noted)
		return;
	noted = now_ms;
	fd = open(SEEN, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || futimens(fd, NULL))
		LOG(LOG_L_WARN, "wall.note", "error=%d", errno);
	if (fd >= 0)
		close(fd);
}
