/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnctl selftest: runs it, and says in words what is wrong and what to do.
 */
#include <string.h>

#include "firmware/ctl/ctl.h"

static void print_step(const json_t *step)
{
	const json_t *ok = json_object_get(step, "ok");

	printf("  %-8s %-8s ",
	       json_is_true(ok)	   ? "ok"
	       : json_is_false(ok) ? "FAILED"
				   : "-",
	       ctl_text(step, "name"));
	ctl_put_text(ctl_text(step, "text"), stdout);
	putchar('\n');
}

static void print(const json_t *answer)
{
	const char *state = ctl_text(answer, "state");
	double ways = ctl_number(answer, "ways"), took = ctl_number(answer, "took_ms");
	char text[200];
	json_t *step;
	size_t i;

	if (strcmp(state, "ok") == 0)
		(void)snprintf(text, sizeof(text),
			       "well: %.0f connections came through, in %.1f ms", ways, took);
	else
		(void)snprintf(text, sizeof(text), "%.40s",
			       strcmp(state, "failed") == 0 ? "FAILED" : "not run");
	ctl_line("Selftest", text);
	ctl_line("Because", ctl_text(answer, "text"));
	ctl_line("To do", ctl_text(answer, "todo"));
	if (strcmp(state, "ok") != 0 && strcmp(state, "failed") != 0)
		return;
	json_array_foreach(json_object_get(answer, "steps"), i, step) print_step(step);
}

static int selftest(const struct ctl_options *options, char **args)
{
	json_t *answer = NULL;
	int rc = ctl_ask(options, ctl_option(options, "last") ? "GET" : "POST", "/api/v1/selftest",
			 NULL, &answer);
	const char *state;

	(void)args;
	if (rc != CTL_WORKING)
		return rc;
	state = ctl_text(answer, "state");
	rc = strcmp(state, "ok") == 0	    ? CTL_WORKING
	     : strcmp(state, "failed") == 0 ? CTL_DEGRADED
					    : CTL_REFUSED;
	if (options->json) {
		(void)ctl_print_json(answer);
		return rc;
	}
	print(answer);
	json_decref(answer);
	return rc;
}

static const struct ctl_option last = { 'l', "last", NULL, "what came of the last one; run none" };

static const struct ctl_command commands[] = {
	{ "selftest",
	  "",
	  0,
	  0,
	  selftest,
	  "make a connection as a device would: does it come through?",
	  "By each port that leads to devices, in IPv4 and IPv6: it comes in at the port, is "
	  "steered, reaches a worker that reads and writes the store, and the answer comes back. "
	  "Nothing of it leaves the box; no device and no vendor sees it. tarnd does the same by "
	  "itself every [keeper] selftest, and lets connections pass while they would be lost. "
	  "Status 1: it failed; 3: there is nothing to test.",
	  { &last } },
};
CTL_TABLE(selftest, commands);
