/* SPDX-License-Identifier: Apache-2.0 */
/* Between log.c, log_line.c and log_json.c. */
#ifndef FIRMWARE_BASE_LOG_PRIV_H
#define FIRMWARE_BASE_LOG_PRIV_H

#include "firmware/base/log_line.h"

/*
 * The line (key=value pairs, no newline) as one JSON object into `buf` of `room` bytes, with a NUL; its length. What
 * has no room is left out pair by pair; twice the line's length and 64 is always enough.
 */
size_t log_json(struct span line, char *buf, size_t room);

/* Writes the line; `alone`: at once, behind what this thread has gathered. */
void log_put(struct log_line *line, bool alone);
const char *log_program(void);

/* Another socket than /dev/log, for tests; before the first log_output(). Must live on. */
void log_syslog_at(const char *path);

#endif
