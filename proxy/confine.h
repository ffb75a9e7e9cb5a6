/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up what the proxy does not need before it reads a byte from the network: user, capabilities, files,
 * system calls.
 */
#ifndef TARN_PROXY_CONFINE_H
#define TARN_PROXY_CONFINE_H

#include "firmware/base/check.h"

/*
 * Started as root without a keeper: makes the missing of `dirs` (NULL-terminated, mode 0750, the user's), becomes
 * `user` (its group, no others) and gives up every capability. If there is no such user: "nobody". Not root: gives up
 * what capabilities there may be. 0 or -errno (logged).
 */
MUST_USE int confine_user(const char *user, const char *const *dirs);

struct confine_files {
	const char *const *rw; /* NULL-terminated: trees with everything allowed */
	const char *const *ro; /* NULL-terminated: trees to read */
};

/*
 * no_new_privs, no core dumps, not dumpable, Landlock (where the kernel has it), seccomp allow-list. A tree that does
 * not exist yet is replaced by its nearest parent that does. Before any other thread exists; threads inherit it.
 * 0 or -errno (logged).
 *
 * A system call outside the list fails with EPERM; in a build with CONFIG_DEBUG_CHECKS it ends the
 * process with a report that names it. Builds with a sanitizer confine nothing here: it needs ptrace.
 */
MUST_USE int confine_process(const struct confine_files *files);

#endif
