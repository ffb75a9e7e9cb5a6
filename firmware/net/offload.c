/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ethtool(8)'s features by their names (linux/ethtool.h), and phys_switch_id of sysfs
 * (Documentation/networking/switchdev.rst: ports with the same one are of one chip).
 */
#include "firmware/net/offload.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FEATURES_MAX 256 /* the kernel has 64 */

struct door {
	int fd;
	const char *port;
};

static int ask(const struct door *door, void *command)
{
	struct ifreq request = { .ifr_data = command };

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", door->port);
	return ioctl(door->fd, SIOCETHTOOL, &request);
}

/* How many features there are; 0: it can't be asked. */
static __u32 features_count(const struct door *door)
{
	struct ethtool_sset_info *sets = calloc(1, sizeof(*sets) + sizeof(sets->data[0]));
	__u32 n = 0;

	if (!sets)
		return 0;
	sets->cmd = ETHTOOL_GSSET_INFO;
	sets->sset_mask = 1ull << ETH_SS_FEATURES;
	if (ask(door, sets) == 0 && sets->sset_mask && sets->data[0] <= FEATURES_MAX)
		n = sets->data[0];
	free(sets);
	return n;
}

/* The strings' command with room for n names; NULL: no memory, or they can't be had. */
static struct ethtool_gstrings *features_names(const struct door *door, __u32 n)
{
	struct ethtool_gstrings *names = calloc(1, sizeof(*names) + n * (size_t)ETH_GSTRING_LEN);

	if (!names)
		return NULL;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = n;
	if (ask(door, names) == 0 && names->len == n)
		return names;
	free(names);
	return NULL;
}

static void features_read(const struct door *door, struct net_offloads *offloads)
{
	struct ethtool_gfeatures *now =
		calloc(1, sizeof(*now) + FEATURES_MAX / 32 * sizeof(now->features[0]));
	__u32 n = now ? features_count(door) : 0;
	struct ethtool_gstrings *names = n ? features_names(door, n) : NULL;

	if (names) {
		now->cmd = ETHTOOL_GFEATURES;
		now->size = FEATURES_MAX / 32;
	}
	if (!names || ask(door, now) < 0)
		n = 0;
	for (__u32 i = 0; i < n; i++) {
		const char *name = (const char *)names->data + (size_t)i * ETH_GSTRING_LEN;
		bool on = now->features[i / 32].active & 1u << i % 32;

		if (on && !strncmp(name, "rx-lro", ETH_GSTRING_LEN))
			offloads->lro = true;
		else if (on && !strncmp(name, "hw-tc-offload", ETH_GSTRING_LEN))
			offloads->hw_tc = true;
	}
	free(names);
	free(now);
}

static void chip_read(const char *port, char chip[OFFLOAD_CHIP])
{
	char path[64 + IFNAMSIZ];
	ssize_t n = -1;
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%.15s/phys_switch_id", port);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, chip, OFFLOAD_CHIP - 1);
		close(fd);
	}
	chip[n > 0 ? n : 0] = '\0';
	chip[strspn(chip, "0123456789abcdefABCDEF")] = '\0';
}

void offload_read(const char *port, struct net_offloads *ret_offloads)
{
	struct door door = { .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), .port = port };

	*ret_offloads = (struct net_offloads){ 0 };
	if (door.fd >= 0) {
		features_read(&door, ret_offloads);
		close(door.fd);
	}
	chip_read(port, ret_offloads->chip);
}
