/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between tarnctl's main and its commands. Each room's commands are rows of a table in a file of their own
 * (firmware/ctl/NAME.c, CTL_TABLE), which main.c lists in CTL_TABLES: usage, --help, completion and the man page are
 * made of them.
 */
#ifndef FIRMWARE_CTL_CTL_H
#define FIRMWARE_CTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "firmware/base/check.h"

/* X(NAME, number, what it means): exit statuses, as the help tells them; from 64 on as in sysexits.h. */
#define CTL_EXITS(X)                                                                               \
	X(WORKING, 0, "done; of status: working")                                                  \
	X(DEGRADED, 1, "of status and selftest: something is wrong, it says what")                 \
	X(NOT_RUNNING, 2, "Tarn is not running, or does not answer")                               \
	X(REFUSED, 3, "Tarn says no: there is no such thing, or not now; it says why")             \
	X(USAGE, 64, "wrong usage")                                                                \
	X(SOFTWARE, 70, "a fault of tarnctl or of Tarn itself")                                    \
	X(NOT_ALLOWED, 77, "not allowed to ask")                                                   \
	X(CONFIG, 78, "wrong configuration")

enum ctl_exit {
#define X(name, number, what) CTL_##name = (number),
	CTL_EXITS(X)
#undef X
};

/* An option. `name` tells it apart: rows of the same name must be alike in letter and arg. */
struct ctl_option {
	int letter; /* of -x, or 0 */
	const char *name;
	const char *arg; /* "FILE"; NULL: it takes none */
	const char *help;
};

#define CTL_OPTIONS_MAX 8   /* of a command */
#define CTL_GIVEN_MAX	128 /* on a command line */

struct ctl_options {
	bool json;
	bool verbose;
	const char *config; /* NULL: the usual place */
	const char *proxy_socket;
	const char *keeper_socket;
	/* all that was given */
	struct {
		const struct ctl_option *option;
		const char *value; /* "" if it takes none */
	} given[CTL_GIVEN_MAX];
	size_t given_n;
};

/* A command: its arguments after its name, NULL-terminated. Gives the exit status. */
typedef int ctl_command_f(const struct ctl_options *options, char **args);

struct ctl_command {
	const char *words; /* "config check" */
	const char *args;  /* as in the help */
	int args_min, args_max;
	ctl_command_f *run;
	const char *help; /* one line, small letter first, no dot */
	const char *more; /* sentences for --help and the man page, or NULL */
	const struct ctl_option
		*options[CTL_OPTIONS_MAX]; /* beside those of all; NULL-terminated if fewer */
};

struct ctl_table {
	const struct ctl_command *commands;
	size_t n;
};

#define CTL_TABLE(name, rows) const struct ctl_table ctl_table_##name = { (rows), ARRAY_LEN(rows) }

/* What was given for the option of this name, the last one: NULL: it was not given; "" if it takes no value. */
const char *ctl_option(const struct ctl_options *options, const char *name);
/* The i-th of those given for it, or NULL. */
const char *ctl_option_at(const struct ctl_options *options, const char *name, size_t i);

/* All commands and the options of all, in order. */
typedef void ctl_each_f(const struct ctl_command *command, void *arg);
void ctl_each(ctl_each_f *f, void *arg);
extern const struct ctl_option ctl_common[];
extern const size_t ctl_common_n;

/* ---- asking tarn-proxy (ask.h is below it) -------------------------------------------------------- */

/*
 * Asks `method` `target` of tarn-proxy's admin API with `body` (NULL: none). CTL_WORKING and a reference to the
 * answer (json_null() if it is empty); otherwise the exit status, and why has been printed to stderr.
 */
MUST_USE int ctl_ask(const struct ctl_options *options, const char *method, const char *target,
		     const json_t *body, json_t **ret_answer);
/* The same for a body that has no end or no limit: `f` gets its pieces, and ends it by not giving 0. */
typedef int ctl_piece_f(void *arg, const char *bytes, size_t n);
MUST_USE int ctl_ask_stream(const struct ctl_options *options, const char *target, ctl_piece_f *f,
			    void *arg);

/* "/api/v1/things/" and "a b" give "/api/v1/things/a%20b"; free() it. */
char *ctl_path(const char *folder, const char *name);
/* Appends "?name=value" or "&name=value", encoded, to a path of ctl_path() or strdup(); NULL value: nothing. */
char *ctl_path_query(char *path, const char *name, const char *value);

/* ---- printing ------------------------------------------------------------------------------------- */

/* Text that came over a socket, without control characters. */
void ctl_put_text(const char *text, FILE *to);

/* A member: "" if it is not there or no string; -1 if it is no number. */
const char *ctl_text(const json_t *object, const char *name);
double ctl_number(const json_t *object, const char *name);

/* "1.5 GiB", into `buf`, which it gives back. */
const char *ctl_bytes(double bytes, char buf[32]);
/* "40 s", "5 min", "3 h 05 min", "2 d 07 h". */
/* "1 object", "2 objects": gives buf. */
const char *ctl_count(double n, const char *one, const char *many, char buf[60]);
const char *ctl_duration(double seconds, char buf[40]);
/* "2026-01-31 12:00:00" of local time from milliseconds since 1970; "-" for less than 1. */
const char *ctl_time(double ms, char buf[40]);

/* Of --json. Takes the document, prints it and gives CTL_WORKING. */
int ctl_print_json(json_t *document);
/* "label         text", in a column; nothing if the text is empty. */
void ctl_line(const char *label, const char *text);

/*
 * A table for people: a column of numbers stands right. Rows are made of a JSON array of objects.
 */
enum ctl_shape {
	CTL_TEXT,
	CTL_NUMBER,
	CTL_BYTES,
	CTL_SECONDS,
	CTL_MS_TIME, /* since 1970 */
	CTL_YES_NO,
};

struct ctl_column {
	const char *title;
	const char *member;
	enum ctl_shape shape;
};

/* `empty` is said where there are no rows. */
void ctl_print_table(const json_t *rows, const struct ctl_column *columns, size_t n,
		     const char *empty);

/* A bar on a terminal's line, at most a few times a second; elsewhere nothing until it is done. total < 1: unknown. */
struct ctl_progress {
	const char *what;
	uint64_t drawn_ms, begun_ms;
	bool terminal;
};

void ctl_progress_begin(struct ctl_progress *progress, const char *what);
void ctl_progress_show(struct ctl_progress *progress, double done, double total);
void ctl_progress_end(struct ctl_progress *progress);

/* ---- documents from the tables (help.c) ----------------------------------------------------------- */

void ctl_help_all(FILE *to);
void ctl_help_one(const struct ctl_command *command, FILE *to);
/* The commands of two words that begin with this one; false: there are none. */
bool ctl_help_group(const char *word, FILE *to);

#endif
