/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/boot/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "firmware/base/log.h"

#define BITE_S 30 /* long enough for a slow disk, short enough for the people at the other end */

static int fd = -1;

bool watchdog_open(void)
{
	int seconds = BITE_S;

	if (fd >= 0)
		return false;
	fd = open("/dev/watchdog0", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (ioctl(fd, WDIOC_SETTIMEOUT, &seconds))
		LOG(LOG_L_WARN, "watchdog.timeout", "error=%d", errno);
	watchdog_pet();
	return true;
}

bool watchdog_is_open(void)
{
	return fd >= 0;
}

void watchdog_name(char ret_name[32])
{
	struct watchdog_info info = { 0 };

	if (fd < 0 || ioctl(fd, WDIOC_GETSUPPORT, &info))
		memcpy(info.identity, "unknown", 8);
	memcpy(ret_name, info.identity, 31);
	ret_name[31] = '\0';
}

void watchdog_pet(void)
{
	if (fd >= 0 && ioctl(fd, WDIOC_KEEPALIVE, 0))
		LOG(LOG_L_WARN, "watchdog.pet", "error=%d", errno);
}
