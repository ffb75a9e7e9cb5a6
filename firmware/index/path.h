/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that an index names, made normal: absolute, without empty, "." or ".." segments, every byte
 * that a URL's path can't hold percent-encoded. What is not plainly inside is refused, not mended.
 */
#ifndef FIRMWARE_INDEX_PATH_H
#define FIRMWARE_INDEX_PATH_H

#include "firmware/index/index.h"

/*
 * The path of `text` as a reference within `base`, a normal folder ("/" or "/a/"). `hosts`: whose absolute URLs
 * are allowed. 0 with *ret_n bytes in `buf`, or -EINVAL with the reason.
 */
MUST_USE int path_resolve(struct span base, struct span text, const char *const *hosts,
			  size_t hosts_n, char buf[INDEX_PATH_MAX], size_t *ret_n,
			  enum index_refusal *ret_refusal);

/* The same for a folder: it ends with '/'. An empty text is the base. */
MUST_USE int path_folder(struct span base, struct span text, char buf[INDEX_PATH_MAX],
			 size_t *ret_n, enum index_refusal *ret_refusal);

/* Is this what path_resolve() gives? For paths from elsewhere (a manifest, a key). */
bool path_is_normal(struct span path);

#endif
