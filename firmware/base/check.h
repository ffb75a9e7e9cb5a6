/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions that stay in release builds, and the crash report.
 *
 * CHECK() is for bugs: a state that this program's own code promised can't be. It never guards
 * against the world (bytes from the network, a full disk, no memory on the request path): that is
 * -errno.
 */
#ifndef FIRMWARE_BASE_CHECK_H
#define FIRMWARE_BASE_CHECK_H

#include <errno.h>
#include <stddef.h>

/* Stands before a function whose result must be looked at: all that can fail. */
#define MUST_USE     __attribute__((warn_unused_result))

#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Aborts with a report unless `cond`. Always evaluated. */
#define CHECK(cond) (LIKELY(cond) ? (void)0 : check_failed(#cond, 0, __FILE__, __LINE__, __func__))

/* Aborts with a report unless the int `rc` is 0; the report shows its value. */
#define CHECK_OK(rc)                                                                               \
	do {                                                                                       \
		int check_rc_ = (rc);                                                              \
		if (UNLIKELY(check_rc_ != 0))                                                      \
			check_failed(#rc, check_rc_, __FILE__, __LINE__, __func__);                \
	} while (0)

/* Writes what helps to understand a crash to `fd`. May run in a signal handler: write(2) only. */
typedef void check_context_f(int fd, void *arg);

/*
 * Names the program in reports, makes backtraces safe to take later (also inside a sandbox) and
 * reports fatal signals (SEGV, BUS, ILL, FPE) as a failed check does before dying of them.
 * Call once, early in main(). `program` must live as long as the process.
 */
void check_install(const char *program);

/* Adds a callback to the report of this thread (one a thread; NULL removes it). */
void check_context_set(check_context_f *f, void *arg);

/* Prints the report to stderr and aborts. `rc` is shown if it is not 0. */
__attribute__((noreturn, cold)) void check_failed(const char *expression, int rc, const char *file,
						  int line, const char *function);

#endif
