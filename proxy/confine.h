/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up what the proxy does not need before it reads a byte from the network: user, capabilities, files,
 * system calls.
 */
#ifndef TARN_PROXY_CONFINE_H
#define TARN_PROXY_CONFINE_H

#include "firmware/base/check.h"

/* Started as root without a keeper: become `user` (and its group, no others), drop every capability. 0 or -errno. */
MUST_USE int confine_user(const char *user);

struct confine_files {
	const char *const *rw; /* NULL-terminated: trees with everything allowed */
	const char *const
		*ro; /* NULL-terminated: trees to read; those that do not exist are left out */
};

/*
 * no_new_privs, no core dumps, not dumpable, Landlock (where the kernel has it), seccomp allow-list. Before any
 * other thread exists; threads inherit it. 0 or -errno.
 */
MUST_USE int confine_process(const struct confine_files *files);

#endif
