/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemons say of themselves: their --help and their manual pages are made of these tables. (tarnctl has
 * its own, firmware/ctl/ctl.h.)
 */
#ifndef FIRMWARE_BASE_PROGRAM_H
#define FIRMWARE_BASE_PROGRAM_H

#include <stddef.h>
#include <stdio.h>

/* All arrays end with a row whose `help` is NULL. */
struct program_option {
	int letter;	  /* of -x, or 0 */
	const char *name; /* of --x, or NULL */
	const char *arg;  /* "FILE"; NULL: it takes none */
	const char *help;
};

struct program_row {
	const char *name; /* of a signal, a file, an exit status */
	const char *help;
};

struct program_doc {
	const char *name;
	const char *summary;	       /* one line, small letter first, no dot */
	const char *const *paragraphs; /* sentences; NULL-terminated */
	const char *const *see_also;   /* "tarnctl 1"; NULL-terminated */
	const char *example;	       /* lines, or NULL */
	const struct program_option *options;
	const char *operand; /* behind the options: "FOLDER", or NULL */
	const struct program_row *signals, *files, *exits;
	const struct program_row
		*attributes; /* extended ones of the files that it shows, or NULL */
};

extern const struct program_doc program_tarnd, program_proxy, program_mount;

void program_help(const struct program_doc *program, FILE *to);

#endif
