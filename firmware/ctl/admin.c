/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl admin: who may use the admin page. Asks over the unix socket, where nobody has to log in.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "firmware/base/password.h"
#include "firmware/ctl/ctl.h"

/* A file's first line without its end. 0 or the exit status. */
static int line_read(FILE *file, const char *name, char *line, int size)
{
	bool read = file && fgets(line, size, file);

	if (!read)
		fprintf(stderr, "tarnctl: %s: %s\n", name, file ? "it is empty" : strerror(errno));
	else
		line[strcspn(line, "\n")] = '\0';
	return read ? 0 : CTL_USAGE;
}

static int hash_tell(const struct ctl_options *options, const char *role, const char *path)
{
	char line[PASSWORD_TEXT_MAX + 1];
	FILE *file = fopen(path, "re");
	json_t *body, *answer = NULL;
	int rc = line_read(file, path, line, sizeof(line));

	if (file)
		(void)fclose(file);
	if (rc)
		return rc;
	body = json_pack("{s:s, s:s}", "role", role, "hash", line);
	if (!body) {
		fprintf(stderr, "tarnctl: %s: it is no text\n", path);
		return CTL_USAGE;
	}
	rc = ctl_ask(options, "POST", "/api/v1/password", body, &answer);
	json_decref(body);
	json_decref(answer);
	return rc;
}

static int password(const struct ctl_options *options, char **args)
{
	const char *role = ctl_option(options, "role");
	json_t *body = json_pack("{s:s, s:b}", "role", role ? role : "operate", "first",
				 ctl_option(options, "first") != NULL);
	json_t *answer = NULL;
	int rc;

	(void)args;
	if (ctl_option(options, "hash")) {
		json_decref(body);
		return hash_tell(options, role ? role : "operate", ctl_option(options, "hash"));
	}
	CHECK(body != NULL);
	rc = ctl_ask(options, "POST", "/api/v1/password", body, &answer);
	json_decref(body);
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	ctl_put_text(ctl_text(answer, "password"), stdout);
	putchar('\n');
	json_decref(answer);
	return CTL_WORKING;
}

/* Nobody reads along. */
static int hash(const struct ctl_options *options, char **args)
{
	char line[PASSWORD_MAX + 2], text[PASSWORD_TEXT_MAX];
	struct termios before, quiet;
	bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	int rc;

	(void)options, (void)args;
	if (terminal) {
		fputs("password: ", stderr);
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	rc = line_read(stdin, "password", line, sizeof(line));
	if (terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (!rc && password_hash(span_of(line), text)) {
		fprintf(stderr, "tarnctl: a password has %d to %d bytes\n", PASSWORD_MIN,
			PASSWORD_MAX);
		rc = CTL_USAGE;
	}
	explicit_bzero(line, sizeof(line));
	if (!rc)
		puts(text);
	return rc ? rc : CTL_WORKING;
}

static int token(const struct ctl_options *options, char **args)
{
	json_t *answer = NULL;
	int rc = ctl_ask(options, "POST", "/api/v1/token", NULL, &answer);

	(void)args;
	if (rc != CTL_WORKING)
		return rc;
	if (options->json)
		return ctl_print_json(answer);
	ctl_put_text(ctl_text(answer, "token"), stdout);
	putchar('\n');
	json_decref(answer);
	return CTL_WORKING;
}

static const struct ctl_option role = { 0, "role", "ROLE",
					"operate (all) or view (change nothing)" };
static const struct ctl_option first = { 0, "first", NULL,
					 "only if there is none yet (else status 3)" };

static const struct ctl_option hash_file = { 0, "hash", "FILE",
					     "take it by its hash, as tarnctl admin hash gives" };

static const struct ctl_command commands[] = {
	{ "admin password",
	  "",
	  0,
	  0,
	  password,
	  "make a new password for the admin page and show it",
	  "It is shown once; a hash of it is kept. Sessions of the old one end. A page that is "
	  "logged in can set "
	  "another. An appliance runs it with --first at its first boot.",
	  { &role, &first, &hash_file } },
	{ "admin hash",
	  "",
	  0,
	  0,
	  hash,
	  "read a password, and print what is kept of it",
	  "For a seed's file tarn/password, or for admin password --hash. Nothing is asked or "
	  "changed.",
	  { NULL } },
	{ "admin token",
	  "",
	  0,
	  0,
	  token,
	  "make a new token for programs that look, as Prometheus",
	  "For the field \"Authorization: Bearer TOKEN\"; role view. The one before is void.",
	  { NULL } },
};
CTL_TABLE(admin, commands);
