/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl admin: who may use the admin page. Asks over the unix socket, where nobody has to log in.
 */
#include <string.h>

#include "firmware/ctl/ctl.h"

static int password(const struct ctl_options *options, char **args)
{
	const char *role = ctl_option(options, "role");
	json_t *body = json_pack("{s:s, s:b}", "role", role ? role : "operate", "first",
				 ctl_option(options, "first") != NULL);
	json_t *answer = NULL;
	int rc;

	(void)args;
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
	  { &role, &first } },
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
