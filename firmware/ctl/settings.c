/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl config set, confirm, undo: settings changed in the running box, as the admin page does it.
 */
#include <string.h>

#include "firmware/ctl/ctl.h"

/* {"section.key": value}; an argument without '=' unsets. NULL: one makes no sense, and that is said. */
static json_t *body_make(char **args)
{
	json_t *body = json_object();

	for (; *args; args++) {
		char *equals = strchr(*args, '=');
		size_t n = equals ? (size_t)(equals - *args) : strlen(*args);

		if (!n || !memchr(*args, '.', n)) {
			fputs("tarnctl: not SECTION.KEY=VALUE: ", stderr);
			ctl_put_text(*args, stderr);
			fputc('\n', stderr);
			json_decref(body);
			return NULL;
		}
		if (equals)
			*equals = 0;
		CHECK_OK(json_object_set_new(body, *args,
					     equals ? json_string(equals + 1) : json_null()));
	}
	return body;
}

static int tell(const struct ctl_options *options, json_t *answer, const char *what)
{
	const json_t *pending = json_object_get(answer, "pending");
	double left = json_is_object(pending) ? ctl_number(pending, "left_s") : 0;

	if (options->json)
		return ctl_print_json(answer);
	puts(what);
	if (json_is_true(json_object_get(answer, "restart")))
		puts("tarn-proxy is started again for it; meanwhile devices pass straight "
		     "through.");
	if (left > 0)
		printf("It is taken back in %.0f s unless you say: tarnctl config confirm\n", left);
	json_decref(answer);
	return CTL_WORKING;
}

static int ask(const struct ctl_options *options, const char *method, const char *target,
	       const json_t *body, const char *what)
{
	json_t *answer = NULL;
	int rc = ctl_ask(options, method, target, body, &answer);

	return rc == CTL_WORKING ? tell(options, answer, what) : rc;
}

static int set(const struct ctl_options *options, char **args)
{
	json_t *body = body_make(args);
	int rc;

	if (!body)
		return CTL_USAGE;
	rc = ask(options, "PATCH", "/api/v1/settings", body, "Changed.");
	json_decref(body);
	return rc;
}

static int confirm(const struct ctl_options *options, char **args)
{
	(void)args;
	return ask(options, "POST", "/api/v1/settings/confirm", NULL, "Confirmed.");
}

static int undo(const struct ctl_options *options, char **args)
{
	(void)args;
	return ask(options, "POST", "/api/v1/settings/undo", NULL, "Taken back.");
}

static const struct ctl_command commands[] = {
	{ "config set",
	  "SECTION.KEY=VALUE...",
	  1,
	  64,
	  set,
	  "change settings of the running box",
	  "Without =VALUE the default counts again. tarnd writes tarn.conf, comments stay. All of "
	  "them are judged before any is taken. Unless confirmed within [admin] confirm the change "
	  "is taken back, so one that cuts you off heals by itself. What names paths, programs and "
	  "users is set in the file alone.",
	  { NULL } },
	{ "config confirm",
	  "",
	  0,
	  0,
	  confirm,
	  "keep the change that waits",
	  "Status 3: nothing waits.",
	  { NULL } },
	{ "config undo",
	  "",
	  0,
	  0,
	  undo,
	  "take back the change that waits, or the last one that was confirmed",
	  "Status 3: there is nothing to take back, or the file was edited since.",
	  { NULL } },
};
CTL_TABLE(settings, commands);
