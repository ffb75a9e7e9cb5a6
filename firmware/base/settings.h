/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings from INI files, by table. A table row says section, key, type, limits, default and help;
 * the reader, the checks, the error texts and the printed documentation all come from it.
 *
 * File format: UTF-8, "[section]", "key = value", a comment is a line that starts with '#' or ';',
 * or what follows " ;". A leading BOM, CRLF and indentation are tolerated. Lines are at most
 * SETTINGS_LINE_MAX bytes. A list is separated by commas or spaces, and its key may be repeated;
 * any other key stands once.
 */
#ifndef FIRMWARE_BASE_SETTINGS_H
#define FIRMWARE_BASE_SETTINGS_H

#include <stdio.h>

#include "firmware/base/scope.h"

#define SETTINGS_LINE_MAX 180

enum setting_type {	  /* stored at the row's offset as */
	SETTING_BOOL,	  /* bool		yes|no|true|false|on|off|1|0 */
	SETTING_INT,	  /* int64_t		decimal, min..max */
	SETTING_INT_OR_0, /* int64_t		decimal, 0 or min..max */
	SETTING_BYTES,	  /* int64_t		10, 64K, 20M, 3G, 1T (powers of 1024), min..max */
	SETTING_DURATION, /* int64_t, ms	250ms, 4s, 5m, 1h, 2d, min..max */
	SETTING_STRING,	  /* char *		owned; never NULL */
	SETTING_PATH,	  /* char *		owned; absolute */
	SETTING_ENUM,	  /* int		index into choices */
	SETTING_STRINGS,  /* struct string_list */
	SETTING_ADDRS, /* struct addr_list	IP or IP:port; without a port it gets the row's `min` */
	SETTING_NETS,  /* struct net_list	CIDR or IP */
	SETTING_PORTS, /* struct port_list	1..65535 */
	SETTING_ORIGINS, /* struct string_list	each as origin.h takes it */
	SETTING_SCOPES,	 /* struct scope_list	each as scope.h takes it */
};

struct string_list {
	char **v;
	size_t n;
};

struct addr_list {
	struct addr *v;
	size_t n;
};

struct net_list {
	struct net *v;
	size_t n;
};

struct port_list {
	uint16_t *v;
	size_t n;
};

struct setting {
	const char *section;
	const char *key;
	enum setting_type type;
	size_t offset;
	const char *fallback; /* default as text; "" is the empty string or list */
	const char *help;
	int64_t min, max;	    /* INT, BYTES, DURATION (ms); both 0: 0 .. INT64_MAX */
	const char *const *choices; /* ENUM: NULL-terminated */
};

struct settings_table {
	const struct setting *rows;
	size_t n;
	size_t size; /* of the struct that the offsets point into */
};

/* What was wrong, ready to print as "file:line: what; allowed: allowed". */
struct settings_error {
	char file[256];
	unsigned line; /* 0: the file as a whole */
	char what[256];
	char allowed[256]; /* may be empty */
};

/* "file:line: what; allowed: ..." into `buf`, which it gives back. */
const char *settings_error_text(const struct settings_error *error, char *buf, size_t size);

/*
 * Reads `path` into *out, which is all-or-nothing: untouched on failure, else each row set by the
 * file or by its default; settings_free() releases what it owns. NULL path: the defaults alone.
 * `optional`: a file that does not exist counts as empty. 0, or -EINVAL (the text is wrong),
 * -ENOMEM, or what open/read gave; *error is filled on all of them.
 */
MUST_USE int settings_load(const char *path, bool optional, const struct settings_table *table,
			   void *out, struct settings_error *error);
/* The same; lines[i], of table->n, becomes the line that sets row i (a list's first one), 0: its default. NULL: untold. */
MUST_USE int settings_load_lines(const char *path, bool optional,
				 const struct settings_table *table, void *out, unsigned *lines,
				 struct settings_error *error);
void settings_free(const struct settings_table *table, void *values);

/* The value of row `i` as it could stand after "key =", a list's elements separated by blanks. free() it; NULL: no memory. */
char *setting_text(const struct settings_table *table, size_t i, const void *values);

/* What may stand after "key =", in words. Gives `buf` back, or a constant. */
const char *setting_allowed(const struct setting *row, char *buf, size_t size);

/* The table as a commented example file ("man page" of the settings). */
void settings_print(const struct settings_table *table, FILE *to);

/*
 * The parts, for files whose sections are not known beforehand (profile.c).
 */

/*
 * One "key = value" line. 0 or -errno with *error's what/allowed filled; file and line are the
 * reader's.
 */
typedef int settings_line_f(void *arg, struct span section, struct span key, struct span value,
			    unsigned line, struct settings_error *error);

/* Calls `f` for each line of the file. Returns as settings_load. */
MUST_USE int settings_read(const char *path, settings_line_f *f, void *arg,
			   struct settings_error *error);
/* The same for text in memory; `name` stands for the file in errors. */
MUST_USE int settings_read_text(struct span text, const char *name, settings_line_f *f, void *arg,
				struct settings_error *error);

/*
 * Sets all rows of `section` (NULL: all) in the zeroed struct `values` to their defaults. 0,
 * -ENOMEM.
 */
MUST_USE int settings_defaults(const struct settings_table *table, const char *section,
			       void *values);

/*
 * Sets the row (section, key) from `value`. `seen` has a byte a row, zeroed at first: it tells a
 * repeated scalar, and the first line of a list, which replaces the default. 0, -EINVAL, -ENOMEM;
 * *error filled.
 */
MUST_USE int settings_set(const struct settings_table *table, struct span section, struct span key,
			  struct span value, uint8_t *seen, void *values,
			  struct settings_error *error);

/* Fills what/allowed. Returns -EINVAL, for `return settings_wrong(...)`. */
__attribute__((format(printf, 3, 4))) int
settings_wrong(struct settings_error *error, const char *allowed, const char *what, ...);

#endif
