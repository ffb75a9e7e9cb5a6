/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int note_put(const char *path, struct span text)
{
	char new[256];
	int fd, rc = 0;

	if (snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new))
		return -ENAMETOOLONG;
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text.p, text.n) != (ssize_t)text.n)
		rc = -EIO;
	close(fd);
	if (!rc && rename(new, path))
		rc = -errno;
	return rc;
}
