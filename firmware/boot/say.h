/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the appliance's pid 1 says: lines of one form on the console, for people at a serial port and for tests,
 *
 *	TARN <stage> key=value key=value
 *
 * and the same in the log. The log is files on the state partition that never grow beyond a bound: everything
 * that pid 1 starts writes to the current one by itself (O_APPEND), and pid 1 cuts it. Until that partition is
 * there the log is in /run. One thread.
 */
#ifndef FIRMWARE_BOOT_SAY_H
#define FIRMWARE_BOOT_SAY_H

#include "firmware/base/check.h"

/* Opens the console and the log in memory. Without either, what is said is lost; that is no error. */
void say_open(void);

__attribute__((format(printf, 2, 3))) void say(const char *stage, const char *format, ...);

/* The same on the console only: no log keeps it. */
__attribute__((format(printf, 2, 3))) void say_once(const char *stage, const char *format, ...);

/* From now on the log is in `folder`; what was in memory is taken over. 0 or -errno: it stays where it was. */
MUST_USE int say_log_to(const char *folder);

/* Cuts the log if it is too long. Call now and then. */
void say_log_bound(void);

/* For what is started: its standard error. -1: none. */
int say_log_fd(void);

#endif
