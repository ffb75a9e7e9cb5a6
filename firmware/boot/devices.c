/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device needs is its MODALIAS (Documentation/driver-api/driver-model/platform.rst and the uevent messages of
 * lib/kobject_uevent.c: "add@/devices/...", then NUL-terminated KEY=value). Aliases collect while a modprobe runs,
 * and go to the next one together; one that was asked for is not asked for again. What the bridge and its ports need
 * goes before all else: the office waits for it. Then watchdogs.
 *
 *	devices_new ──► walk of /sys/devices ──┐
 *	uevent ──────► alias_add ──────────────┴─► pending ──► modprobe_next ──► (SIGCHLD) devices_ended ──┐
 *	                                                           ▲─────────────────────────────────────┘
 */
#include "firmware/boot/devices.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/base/log.h"
#include "firmware/boot/run.h"

#define MODPROBE   "/sbin/modprobe"
#define ALIAS_MAX  400
#define SEEN_MAX   4096
#define BATCH_MAX  48 /* few, so that a port found meanwhile does not wait long */
#define UEVENT_BUF (2 << 20)

/* What no alias asks for early enough, or at all. */
static const char *const always[] = { "bridge",	    "ext4",	"vfat",	      "nls_cp437",
				      "nls_ascii",  "efivarfs", "veth",	      "sch_ingress",
				      "cls_bpf",    "tls",	"virtio_pci", "sd_mod",
				      "usb_storage" };

struct devices {
	struct devices_calls calls;
	void *arg;
	int fd;
	struct event *readable;
	pid_t modprobe;
	char *seen[SEEN_MAX]; /* every alias, in the order they came */
	bool asked[SEEN_MAX];
	size_t seen_n, left;
};

static struct devices *walked; /* nftw(3) takes no argument */

static void alias_add(struct devices *d, const char *alias)
{
	if (!*alias || strlen(alias) > ALIAS_MAX || d->seen_n == SEEN_MAX)
		return;
	for (size_t i = 0; i < d->seen_n; i++)
		if (!strcmp(d->seen[i], alias))
			return;
	d->seen[d->seen_n] = strdup(alias);
	if (!d->seen[d->seen_n])
		return;
	d->seen_n++;
	d->left++;
}

static bool starts(const char *alias, const char *with)
{
	return !strncmp(alias, with, strlen(with));
}

/* Network cards (PCI class 02), and virtio, where they are behind another bus. */
static bool is_urgent(const char *alias)
{
	return !strcmp(alias, "bridge") || starts(alias, "virtio:d00000001") ||
	       starts(alias, "pci:v00001AF4") || (starts(alias, "pci:") && strstr(alias, "bc02sc"));
}

/*
 * What watches over all that is loaded after it: watchdogs are ACPI's, behind the bridge to ISA (class 06 01) or the SMBus
 * (0C 05), or a card of their own.
 */
static bool is_watchdog(const char *alias)
{
	return starts(alias, "platform:wdat_wdt") || starts(alias, "platform:iTCO_wdt") ||
	       starts(alias, "pci:v00008086d000025AB") ||
	       (starts(alias, "pci:") && (strstr(alias, "bc06sc01") || strstr(alias, "bc0Csc05")));
}

static bool is_any(const char *alias)
{
	(void)alias;
	return true;
}

static size_t batch_take(struct devices *d, bool (*wanted)(const char *), const char **argv,
			 size_t n)
{
	for (size_t i = 0; i < d->seen_n && n < BATCH_MAX; i++) {
		if (d->asked[i] || !wanted(d->seen[i]))
			continue;
		d->asked[i] = true;
		d->left--;
		argv[n++] = d->seen[i];
	}
	return n;
}

static void modprobe_next(struct devices *d)
{
	const char *argv[BATCH_MAX + 3] = { MODPROBE, "-abq" };
	size_t n = 2;

	if (d->modprobe > 0 || !d->left)
		return;
	n = batch_take(d, is_urgent, argv, n);
	if (n == 2)
		n = batch_take(d, is_watchdog, argv, n);
	if (n == 2)
		n = batch_take(d, is_any, argv, n);
	argv[n] = NULL;
	d->modprobe = run_start(argv, -1, NULL);
	if (d->modprobe < 0)
		LOG(LOG_L_ERROR, "devices.modprobe", "error=%d", (int)d->modprobe);
}

void devices_want(struct devices *d, const char *module)
{
	alias_add(d, module);
	modprobe_next(d);
}

bool devices_busy(const struct devices *d)
{
	return d->modprobe > 0 || d->left;
}

bool devices_ended(struct devices *d, pid_t pid)
{
	if (pid != d->modprobe)
		return false;
	d->modprobe = 0;
	modprobe_next(d);
	return true;
}

static int walk_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	char alias[ALIAS_MAX + 2];
	ssize_t n;
	int fd;

	(void)st;
	if (type != FTW_F || strcmp(path + at->base, "modalias"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, alias, sizeof(alias) - 1);
	close(fd);
	if (n > 0) {
		alias[n] = '\0';
		alias[strcspn(alias, "\n")] = '\0';
		alias_add(walked, alias);
	}
	return 0;
}

/* The value of KEY in a message of `n` bytes, or "". */
static const char *uevent_value(const char *message, size_t n, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = message, *end = message + n; p < end; p += strlen(p) + 1)
		if (!strncmp(p, key, len) && p[len] == '=')
			return p + len + 1;
	return "";
}

static void uevent_take(struct devices *d, const char *message, size_t n)
{
	const char *action = uevent_value(message, n, "ACTION");
	const char *subsystem = uevent_value(message, n, "SUBSYSTEM");
	const char *path = uevent_value(message, n, "DEVPATH"), *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	bool gone = !strcmp(action, "remove");

	if (!gone)
		alias_add(d, uevent_value(message, n, "MODALIAS"));
	if (!strcmp(subsystem, "net") &&
	    (gone || !strcmp(action, "add") || !strcmp(action, "move")))
		d->calls.net(name, !gone, d->arg);
	else if (!strcmp(subsystem, "block") && strcmp(action, "change"))
		d->calls.block(name, !gone, d->arg);
}

static void on_uevent(evutil_socket_t fd, short what, void *arg)
{
	char message[8192 + 1];
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { message, sizeof(message) - 1 };
	struct msghdr m = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	struct devices *d = arg;
	ssize_t n;

	(void)what;
	while ((n = recvmsg(fd, &m, MSG_DONTWAIT)) > 0) {
		message[n] = '\0';
		if (from.nl_pid == 0) /* the kernel, nobody else */
			uevent_take(d, message, (size_t)n);
		m.msg_namelen = sizeof(from);
	}
	modprobe_next(d);
}

static void net_present(struct devices *d)
{
	DIR *dir = opendir("/sys/class/net");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			d->calls.net(e->d_name, true, d->arg);
	if (dir)
		closedir(dir);
}

int devices_new(struct event_base *base, const struct devices_calls *calls, void *arg,
		struct devices **ret_devices)
{
	struct sockaddr_nl at = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct devices *d = calloc(1, sizeof(*d));
	int size = UEVENT_BUF;

	if (!d)
		return -ENOMEM;
	d->calls = *calls;
	d->arg = arg;
	*ret_devices = d;
	d->fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       NETLINK_KOBJECT_UEVENT);
	if (d->fd >= 0) {
		(void)setsockopt(d->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		d->readable = event_new(base, d->fd, EV_READ | EV_PERSIST, on_uevent, d);
	}
	/* First listen, then look: nothing falls between. */
	if (d->fd < 0 || bind(d->fd, (struct sockaddr *)&at, sizeof(at)) || !d->readable ||
	    event_add(d->readable, NULL))
		LOG(LOG_L_ERROR, "devices.uevents", "error=%d", errno);
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		alias_add(d, always[i]);
	walked = d;
	(void)nftw("/sys/devices", walk_one, 16, FTW_PHYS);
	net_present(d);
	modprobe_next(d);
	return 0;
}
