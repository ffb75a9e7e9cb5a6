/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dozen files: they are searched one after another.
 */
#include "proxy/admin/page.h"

#include <string.h>

#include "build/page/files.h"
#include "firmware/base/check.h"

_Static_assert(PAGE_BYTES <= PAGE_BYTES_MAX, "the page has grown over its limit");

const struct page_file *page_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(page_files); i++)
		if (strcmp(page_files[i].path, path) == 0)
			return &page_files[i];
	return NULL;
}
