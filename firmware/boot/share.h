/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the appliance shares of the repository with servers that others wrote ([share] of the settings): tarn-mount shows it as
 * a file system, vsftpd and smbd give that away. Off unless one is switched on: then nothing of it runs, and nothing listens.
 * What else the settings say of an appliance is seen to from here, too: whether time servers are asked, and where the box itself
 * is (manage.h). The settings' file is looked at, whoever writes it. One thread.
 */
#ifndef FIRMWARE_BOOT_SHARE_H
#define FIRMWARE_BOOT_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "firmware/base/check.h"
#include "firmware/base/settings.h"
#include "firmware/boot/ntp.h"

#define SHARE_FOLDER "/run/share" /* empty, for vsftpd's user */
#define SHARE_MOUNT  SHARE_FOLDER "/mount"

struct manage;
struct service;

struct share {
	struct manage *manage; /* or NULL */
	struct service *mount, *ftp, *smb, *time;
	struct stat seen; /* the settings' file */
	bool ftp_wanted, smb_wanted, ntp_wanted;
	struct ntp ntp;
	char *smb_hosts; /* that smbd was started with */
};

/* Folders, once. */
void share_begin(struct share *share);

/* Looks whether the settings are others; starts what they want, ends what they do not. Once a second. */
void share_see_to(struct share *share, uint64_t now_ms);

/* `service` has ended, its process was `pid`: if it is one of these, what it has left is taken away. */
void share_ended(const struct share *share, const struct service *service, pid_t pid);

/* ---- its parts, for tests ----------------------------------------------------------------------------------- */

/* hosts_access(5): who may come to vsftpd. Malloc'd; NULL: no memory. */
char *share_hosts(const struct net_list *allow);

#endif
