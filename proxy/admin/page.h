/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the admin page, inside the program: proxy/admin/page/ as proxy/admin/embed made it a table when this
 * was built. Read only, for any thread.
 */
#ifndef TARN_PROXY_ADMIN_PAGE_H
#define TARN_PROXY_ADMIN_PAGE_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES_MAX (150 * 1024) /* of all files together, compressed */

struct page_file {
	const char *path; /* "/" or "/page/NAME" */
	const char *type; /* of its content */
	const char *etag; /* with its quotes; another for each content */
	const uint8_t *gzip;
	size_t gzip_n;
};

/* The file at @path, exactly; NULL: there is none. */
const struct page_file *page_find(const char *path);

#endif
