/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Abstract unix socket names live in the network namespace, as what a keeper makes does, and leave with the
 * process, so there is no stale lock. A killed one may need a moment to be gone.
 */
#include "firmware/keeper/only.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NAME	 "tarnd"
#define RETRY_MS 10

int only_claim(unsigned wait_ms)
{
	const struct timespec retry = { 0, RETRY_MS * 1000000L };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof(NAME);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	memcpy(at.sun_path + 1, NAME, sizeof(NAME) - 1);
	for (unsigned waited = 0;; waited += RETRY_MS) {
		if (!bind(fd, (struct sockaddr *)&at, len))
			return fd;
		rc = -errno;
		if (rc != -EADDRINUSE || waited >= wait_ms)
			break;
		(void)nanosleep(&retry, NULL);
	}
	close(fd);
	return rc;
}
