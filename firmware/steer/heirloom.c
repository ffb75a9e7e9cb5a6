/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No pins: a map lives as long as a program uses it, and the programs of a killed keeper live as long as
 * their tc filters, so they lead to the maps. A map of another shape (another version's) stays with its
 * program.
 */
#include "firmware/steer/heirloom.h"

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

#define MAPS_OF_PROGRAM_MAX 32

static bool fits(const struct bpf_map *map, const struct bpf_map_info *info)
{
	return !strcmp(bpf_map__name(map), info->name) && bpf_map__type(map) == info->type &&
	       bpf_map__key_size(map) == info->key_size &&
	       bpf_map__value_size(map) == info->value_size &&
	       bpf_map__max_entries(map) == info->max_entries &&
	       bpf_map__map_flags(map) == info->map_flags;
}

static unsigned take_one(unsigned map_id, struct bpf_map *const maps[], unsigned n)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(map_id);
	unsigned taken = 0;

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		for (unsigned i = 0; i < n && !taken; i++)
			taken = fits(maps[i], &info) && !bpf_map__reuse_fd(maps[i], fd);
	close(fd);
	return taken;
}

unsigned heirloom_take(unsigned id, struct bpf_map *const maps[], unsigned n)
{
	__u32 ids[MAPS_OF_PROGRAM_MAX] = { 0 };
	struct bpf_prog_info info = { .nr_map_ids = MAPS_OF_PROGRAM_MAX,
				      .map_ids = (__u64)(unsigned long)ids };
	__u32 len = sizeof(info);
	unsigned taken = 0;
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		for (unsigned i = 0; i < info.nr_map_ids && i < MAPS_OF_PROGRAM_MAX; i++)
			taken += take_one(ids[i], maps, n);
	close(fd);
	return taken;
}
