/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/steer/fill.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define BATCH	  4096 /* entries at once; more than a bucket of a hash map holds */
#define PLACE_MAX 256  /* bytes: where a batch ended; a key at most */

static bool fills(const struct bpf_map_info *info)
{
	return (info->type == BPF_MAP_TYPE_HASH || info->type == BPF_MAP_TYPE_LRU_HASH ||
		info->type == BPF_MAP_TYPE_LPM_TRIE) &&
	       info->key_size <= PLACE_MAX;
}

static int count(int fd, const struct bpf_map_info *info, void *keys, void *values,
		 uint32_t *ret_entries)
{
	unsigned char place[PLACE_MAX];
	uint32_t sum = 0, n;
	bool last = false;

	/* Entries that come and go meanwhile could keep it going: no more batches than a full map has. */
	while (!last && sum <= info->max_entries) {
		n = BATCH;
		last = bpf_map_lookup_batch(fd, sum ? place : NULL, place, keys, values, &n,
					    NULL) != 0;
		if (last && errno != ENOENT) /* ENOENT: these were the last ones */
			return -ENOTSUP;
		sum += n;
		last |= n == 0;
	}
	*ret_entries = sum < info->max_entries ? sum : info->max_entries;
	return 0;
}

int fill_read(int fd, uint32_t *ret_entries, uint32_t *ret_limit)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	void *keys, *values;
	int rc = -ENOMEM;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (!fills(&info))
		return -ENOTSUP;
	keys = calloc(BATCH, info.key_size);
	values = calloc(BATCH, info.value_size);
	if (keys && values)
		rc = count(fd, &info, keys, values, ret_entries);
	if (!rc)
		*ret_limit = info.max_entries;
	free(keys);
	free(values);
	return rc;
}
