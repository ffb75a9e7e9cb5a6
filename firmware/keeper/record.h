/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarn.conf on the disk: replaced whole or not at all, and beside it what it was before, until a change is confirmed
 * (tarn.conf.pending) and, for taking it back, after (tarn.conf.undo). These files are one line of ours, which is a
 * comment, and then the text of before.
 */
#ifndef FIRMWARE_KEEPER_RECORD_H
#define FIRMWARE_KEEPER_RECORD_H

#include <limits.h>

#include "firmware/base/span.h"

#define RECORD_PENDING ".pending"
#define RECORD_UNDO    ".undo"
#define RECORD_NEW     ".new"
#define RECORD_BOOT    40

/* A file's text; a file that is not there has none, and is told apart. */
struct conf_text {
	char *text; /* owned; NULL: no such file */
	size_t n;
};

struct record {
	struct conf_text before;
	uint64_t after;		/* print of what took its place */
	char boot[RECORD_BOOT]; /* which boot */
	uint64_t until_ms;	/* CLOCK_BOOTTIME of that boot */
	uint64_t at_ms;		/* since 1970 */
};

/* All paths are absolute or relative to the working folder, links followed before. 0 or -errno. */

MUST_USE int conf_text_read(const char *path, struct conf_text *ret_text);
void conf_text_free(struct conf_text *text);
/* Tells texts apart; 0: no file. */
uint64_t conf_text_print(const struct conf_text *text);

/* Writes PATH.new, with mode and owner of PATH, or 0644, and has it on the disk. */
MUST_USE int conf_stage(const char *path, struct span text);
/* PATH.new becomes PATH, and that is on the disk. */
MUST_USE int conf_commit(const char *path);
void conf_unstage(const char *path);
/* All of it: PATH becomes this text, or is removed. */
MUST_USE int conf_replace(const char *path, const struct conf_text *text);
/* PATH becomes this text, which is root's alone (0600). */
MUST_USE int conf_secret(const char *path, struct span text);

/* -ENOENT: there is none; -EBADMSG: it is none of ours. Free by record_free(). */
MUST_USE int record_read(const char *path, const char *suffix, struct record *ret_record);
MUST_USE int record_write(const char *path, const char *suffix, const struct record *record);
/* From one suffix to another; NULL: removes it. */
MUST_USE int record_move(const char *path, const char *from, const char *to);
void record_free(struct record *record);

/* Which boot this is, and its clock, which goes on in suspend. */
void record_boot(char ret_boot[RECORD_BOOT], uint64_t *ret_now_ms);

#endif
