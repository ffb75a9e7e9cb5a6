/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts samba's smbd for the share ([share] smb) with as little as it can do its work with: a user of its own, one capability
 * (to listen at port 445), bounded memory, files and processes, the first to go when memory is short, and a file system in
 * memory for its state, which is gone when it ends. Its settings are image/root/usr/share/tarn/smb.conf.
 */
#ifndef FIRMWARE_BOOT_SMB_H
#define FIRMWARE_BOOT_SMB_H

#include "firmware/base/settings.h"

#define SMB_PROGRAM "/usr/sbin/smbd"
#define SMB_UID	    804

/* For run_prepared, in the child: its argv, or NULL: it can't be started, the log says why. */
const char *const *smb_prepare(void *unused);

/* It has ended: what it has left is taken away. */
void smb_ended(void);

/* smb.conf(5): who may come, a line that smb.conf includes. Malloc'd; NULL: no memory. */
char *smb_hosts(const struct net_list *allow);

#endif
