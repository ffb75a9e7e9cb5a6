/* SPDX-License-Identifier: Apache-2.0 */
/* No state but the disk's. */
#include "firmware/keeper/access.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/keeper/record.h"

static int path_make(const char *folder, char ret_path[PATH_MAX])
{
	int n = snprintf(ret_path, PATH_MAX, "%s/access", folder);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int access_open(const char *folder)
{
	char path[PATH_MAX];
	int fd = path_make(folder, path) ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		LOG(LOG_L_WARN, "access.unread", "path=%s error=%s", LOG_QUOTE(span_of(path)),
		    strerrorname_np(errno));
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int access_keep(const char *folder, const struct access_kept *kept)
{
	char path[PATH_MAX], text[ACCESS_TEXT_MAX];
	size_t n = access_kept_text(kept, text);
	int rc = path_make(folder, path);

	return rc ? rc : conf_secret(path, span_make(text, n));
}
