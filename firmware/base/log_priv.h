/* SPDX-License-Identifier: Apache-2.0 */
/* Between log.c, log_line.c, log_json.c and log_out.c. */
#ifndef FIRMWARE_BASE_LOG_PRIV_H
#define FIRMWARE_BASE_LOG_PRIV_H

#include "firmware/base/log_line.h"

/*
 * The line (key=value pairs, no newline) as one JSON object into `buf` of `room` bytes, with a NUL; its length. What
 * has no room is left out pair by pair; twice the line's length and 64 is always enough.
 */
size_t log_json(struct span line, char *buf, size_t room);

/* How many quotes log_quote() puts around it, given room: 0 or 2; SIZE_MAX / 2: it has to be escaped. */
size_t log_quotes(struct span value);

/* Writes the line; `alone`: at once, behind what this thread has gathered. */
void log_put(struct log_line *line, bool alone);
const char *log_program(void);

/* Writes whole lines to where the log goes; never waits. */
void log_out(const char *bytes, size_t n);
/* Sees what kind of thing that is, once it is as it will stay; until then each write asks for room first. */
void log_out_look(void);

/* Another socket than /dev/log, for tests; before the first log_output(). Must live on. */
void log_syslog_at(const char *path);

#endif
