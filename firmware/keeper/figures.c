/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/keeper/figures.h"

#include <stdio.h>

#include "firmware/heritage.h"
#include "firmware/keeper/plane.h"
#include "firmware/steer/fill.h"
#include "firmware/steer/steer.h"

static void tell(struct plane *plane, const char *name, uint64_t value, uint64_t limit)
{
	union heritage_message m = { .kernel = HERITAGE_INIT(HERITAGE_KERNEL, heritage_kernel) };

	m.kernel.value = value;
	m.kernel.limit = limit;
	(void)snprintf(m.kernel.name, sizeof(m.kernel.name), "%s", name);
	plane_tell(plane, &m);
}

static void tell_map(const char *name, int fd, void *arg)
{
	uint32_t entries, limit;

	if (fill_read(fd, &entries, &limit) == 0)
		tell(arg, name, entries, limit);
}

void figures_tell(const struct steer *steer, struct plane *plane)
{
	uint64_t stats[TARN_STAT_COUNT];
	char name[STEER_NAME_MAX];

	steer_stats(steer, stats);
	for (unsigned i = 0; i < TARN_STAT_COUNT; i++)
		tell(plane, steer_stat_name(i, name), stats[i], 0);
	steer_each_map(steer, tell_map, plane);
}
