/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smbd gives up no right that it does not know of, so it is started without: as an ordinary user, which is also its guest, it
 * never has another's rights to give to a session. What it forks has no more than it has itself.
 *
 *	pid 1 ──► child: folder ──► limits ──► rights ──► smbd
 */
#include "firmware/boot/smb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "firmware/base/log.h"

#define FOLDER	   "/run/smb"
#define CONF	   "/usr/share/tarn/smb.conf"
#define FILES	   1024
#define PROCESSES  64	      /* smb.conf has half of it for sessions */
#define DATA_BYTES (16 << 20) /* of one process: a session that reads has 4 MiB */
#define NICE	   10	      /* who serves devices goes before */

/* Anew: what a smbd that was killed has left is of no use, and may be torn. */
static int folder_make(void)
{
	static const char options[] = "mode=0700,uid=804,gid=804,size=16m";

	if (mkdir(FOLDER, 0755) && errno != EEXIST)
		return -errno;
	smb_ended();
	return mount("tmpfs", FOLDER, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, options) ? -errno
											  : 0;
}

static int limits_set(void)
{
	static const struct {
		int what;
		rlim_t most;
	} limits[] = { { RLIMIT_NOFILE, FILES },
		       { RLIMIT_NPROC, PROCESSES },
		       { RLIMIT_DATA, DATA_BYTES },
		       { RLIMIT_CORE, 0 } };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, "1000", 4);

	if (fd >= 0)
		close(fd);
	if (n != 4)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rlimit limit = { limits[i].most, limits[i].most };

		if (setrlimit(limits[i].what, &limit))
			return -errno;
	}
	return setpriority(PRIO_PROCESS, 0, NICE) ? -errno : 0;
}

/* All but the one capability; that one survives execve(2) as an ambient one. */
static int rights_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct set[2] = { { 0 } };
	uint32_t bit = 1u << CAP_NET_BIND_SERVICE;

	for (unsigned long cap = 0; cap < 64; cap++)
		if (cap != CAP_NET_BIND_SERVICE && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) &&
		    errno != EINVAL)
			return -errno;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) ||
	    setresgid(SMB_UID, SMB_UID, SMB_UID) || setresuid(SMB_UID, SMB_UID, SMB_UID))
		return -errno;
	set[0] = (struct __user_cap_data_struct){ bit, bit, bit };
	if (syscall(SYS_capset, &head, set) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return setuid(0) && geteuid() ? 0 : -EPERM;
}

const char *const *smb_prepare(void *unused)
{
	static const char *const argv[] = {
		SMB_PROGRAM, "--foreground", "--no-process-group", "--debug-stdout", "-s", CONF,
		NULL
	};
	static const struct {
		const char *name;
		int (*f)(void);
	} steps[] = { { "folder", folder_make },
		      { "limits", limits_set },
		      { "rights", rights_drop } };
	int rc;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		rc = steps[i].f();
		if (rc) {
			LOG(LOG_L_ERROR, "share.smb", "step=%s error=%d", steps[i].name, rc);
			return NULL;
		}
	}
	return argv;
}

void smb_ended(void)
{
	while (umount2(FOLDER, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		;
}

/*
 * A mask of IPv6 longer than two digits is taken for an address by samba (lib/util/access.c, masked_match), and one of IPv4 at
 * that, which lets everybody in: so it is written as one. Brackets it takes off wrongly.
 */
static void net_print(FILE *file, const struct net *net)
{
	char one[ADDR_TEXT_MAX], mask[INET6_ADDRSTRLEN];
	struct in6_addr bits = { 0 };
	char *slash;

	net_format(net, one);
	slash = strchr(one, '/');
	if (!strchr(one, ':') || net->bits < 100) {
		fprintf(file, " %s", one);
		return;
	}
	for (unsigned i = 0; i < net->bits; i++)
		bits.s6_addr[i / 8] |= (uint8_t)(0x80 >> i % 8);
	fprintf(file, " %.*s/%s", (int)(slash - one), one,
		inet_ntop(AF_INET6, &bits, mask, sizeof(mask)));
}

/* Loopback may always come; an empty list would be everybody's. */
char *smb_hosts(const struct net_list *allow)
{
	char *text = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&text, &n);

	if (!file)
		return NULL;
	fputs("hosts allow = 127.0.0.1", file);
	for (size_t i = 0; i < allow->n; i++)
		net_print(file, &allow->v[i]);
	fputc('\n', file);
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	return text;
}
