/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a tool to its end: mke2fs, e2fsck, sfdisk and the like. Never a shell. One thread.
 */
#ifndef FIRMWARE_BOOT_RUN_H
#define FIRMWARE_BOOT_RUN_H

#include <sys/types.h>

#include "firmware/base/check.h"

/* Called about once a second while a tool runs: the watchdog must not bark meanwhile. */
typedef void run_tick_f(void *arg);
void run_tick_set(run_tick_f *f, void *arg);

/*
 * Runs argv[0] (a path) with `input` (may be NULL) on its standard input; what it prints goes to the log. Its exit
 * status, or -errno; -ETIMEDOUT when it had to be killed after `limit_s`.
 */
MUST_USE int run_tool(const char *const argv[], const char *input, unsigned limit_s);

/* As run_tool, but what it prints goes into `buf`, NUL-terminated, cut at `size`. For what no log may hold. */
MUST_USE int run_capture(const char *const argv[], char *buf, size_t size, unsigned limit_s);

/*
 * Only starts it: its pid, or -errno. What it prints is to be read from *ret_fd, which never blocks; its errors go where the
 * caller's do unless there is a log. The end of what it prints is its own end, or nearly.
 */
MUST_USE pid_t run_piped(const char *const argv[], int *ret_fd);

/* Only starts it. Its pid, or -errno. Fds above 2 are closed in it. `tty` (may be NULL) becomes 0, 1, 2. */
MUST_USE pid_t run_start(const char *const argv[], int input_fd, const char *tty);

/*
 * The same for what has to be found out, or done, in the child: `prepare` runs there, in a session of its own, and gives the
 * argv that it becomes; NULL: it ends. Its pid, or -errno.
 */
typedef const char *const *run_prepare_f(void *arg);
MUST_USE pid_t run_prepared(run_prepare_f *prepare, void *arg);

#endif
