/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/keeper/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* /var/cache on a machine without it. */
static void parent_make(const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(parent))
		return;
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	(void)!mkdir(parent, 0755);
}

/* By a descriptor: where the user may write to the parent, it may have put something else under the name meanwhile. */
static int give(const char *path, uid_t uid, gid_t gid)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = fchown(fd, uid, gid) ? -errno : 0;
	close(fd);
	return rc;
}

int folder_make(const char *path, uid_t uid, gid_t gid)
{
	parent_make(path);
	if (mkdir(path, 0750))
		return errno == EEXIST ? 0 : -errno;
	return give(path, uid, gid);
}
